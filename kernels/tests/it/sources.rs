//! The text of every kernel, as CUDA and as WGSL.

use crate::cases::{Path, cases};
use crate::devices::devices;
use burn::tensor::DType;
use recoup_kernels::gpu::{Limits, sources};
use std::collections::BTreeSet;

/// Writes `target/kernel-sources/`: one file per kernel and language.
#[test]
fn every_kernel_has_a_source() {
    let device = devices().pop().unwrap();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel-sources");
    std::fs::create_dir_all(&folder).unwrap();
    let mut names = BTreeSet::new();
    for (machine, limits) in [("hopper", Limits::HOPPER), ("smallest", Limits::SMALLEST)] {
        let replicas = [0, 1];
        let kernels = sources(limits, || {
            for case in cases() {
                case.run(&case.data(&replicas), &replicas, Path::Public, &device, DType::F32);
            }
        });
        for (index, kernel) in kernels.iter().enumerate() {
            names.insert(kernel.name);
            assert!(kernel.cuda.contains("__global__"), "{}", kernel.name);
            let file = folder.join(format!("{machine}-{index:03}-{}", kernel.name));
            std::fs::write(file.with_extension("cu"), &kernel.cuda).unwrap();
            if let Some(wgsl) = &kernel.wgsl {
                std::fs::write(file.with_extension("wgsl"), wgsl).unwrap();
            }
        }
    }
    println!("{names:?}");
}
