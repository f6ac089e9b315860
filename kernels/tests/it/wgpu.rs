//! The reference on a wgpu device against the CPU paths.

use crate::cases::{Path, cases};
use burn::tensor::{DType, Device, DeviceKind};

#[test]
fn wgpu_matches_the_cpu() {
    let (gpu, cpu, replicas) = (Device::wgpu(DeviceKind::default()), Device::flex(), [3, 0, 8]);
    for case in cases() {
        let data = case.data(&replicas);
        let [gpu, cpu] = [&gpu, &cpu].map(|device| case.run(&data, &replicas, Path::Public, device, DType::F32));
        let pairs = std::iter::once((&gpu.value, &cpu.value));
        for (gpu, cpu) in pairs.chain(gpu.gradients.iter().zip(&cpu.gradients)) {
            assert_eq!(gpu.len(), cpu.len(), "{}", case.name);
            let scale = cpu.iter().fold(1e-3f64, |scale, value| scale.max(value.abs()));
            for (gpu, cpu) in gpu.iter().zip(cpu) {
                assert!((gpu - cpu).abs() <= 2e-5 * scale, "{}: {gpu} {cpu}", case.name);
            }
        }
    }
}
