//! The text of every kernel, as CUDA and as WGSL.

use crate::cases::{Path, cases};
use crate::devices::devices;
use burn::tensor::DType;
use recoup_kernels::gpu::{Limits, sources};
use std::collections::BTreeSet;

/// Writes `target/tmp/kernel-sources/`: one file per kernel and language.
#[test]
fn every_kernel_has_a_source() {
    let device = devices().pop().unwrap();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel-sources");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    let mut seen = BTreeSet::new();
    for limits in [Limits::HOPPER, Limits::SMALLEST] {
        let replicas = [0, 1];
        let kernels = sources(limits, || {
            for case in cases() {
                case.run(&case.data(&replicas), &replicas, Path::Public, &device, DType::F32);
            }
            crate::adamw::launch_all(&device);
        });
        for kernel in kernels {
            assert!(kernel.cuda.contains("__global__"), "{}", kernel.name);
            assert!(
                kernel.shared_bytes <= limits.shared_bytes,
                "{}: {} bytes",
                kernel.name,
                kernel.shared_bytes
            );
            if seen.insert((kernel.name, kernel.options.clone())) {
                let file = folder.join(format!("{}-{:03}", kernel.name, seen.len()));
                let header = format!(
                    "// {}, {} bytes of shared memory\n",
                    kernel.options, kernel.shared_bytes
                );
                std::fs::write(file.with_extension("cu"), header.clone() + &kernel.cuda).unwrap();
                if let Some(wgsl) = &kernel.wgsl {
                    std::fs::write(file.with_extension("wgsl"), header + wgsl).unwrap();
                }
            }
        }
    }
    println!("{} kernels written to {}", seen.len(), folder.display());
}

/// Beyond 32-bit indices and grids the references run: here both are limited to next to nothing, no kernel is launched,
/// and values and gradients are those of the reference.
#[test]
fn references_run_beyond_the_limits() {
    let device = devices().pop().unwrap();
    let replicas = [0, 1];
    for limits in [
        Limits {
            elements: 0,
            ..Limits::HOPPER
        },
        Limits {
            cubes: 0,
            ..Limits::HOPPER
        },
    ] {
        for case in cases() {
            let data = case.data(&replicas);
            let run = |path| case.run(&data, &replicas, path, &device, DType::F32);
            let mut public = None;
            let kernels = sources(limits, || public = Some(run(Path::Public)));
            let names: Vec<_> = kernels.iter().map(|kernel| kernel.name).collect();
            assert!(names.is_empty(), "{}: {names:?} within {limits:?}", case.name);
            let mut reference = None;
            sources(limits, || reference = Some(run(Path::Reference)));
            let (public, reference) = (public.unwrap(), reference.unwrap());
            assert!(public.value == reference.value, "{}", case.name);
            assert!(public.gradients == reference.gradients, "{}", case.name);
        }
        let kernels = sources(limits, || {
            crate::adamw::launch_all(&device);
            crate::random::draw(&device);
        });
        assert!(kernels.is_empty(), "{:?}", kernels[0].name);
    }
}
