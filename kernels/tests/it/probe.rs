use burn::tensor::{DType, Device, Tensor, TensorData};
use crate::cases::{noise, to_vec};
fn leaf(ids: &[usize], salt: u64, m: usize, n: usize, ad: bool) -> Tensor<3> {
    let d: Vec<f64> = ids.iter().flat_map(|&i| noise(i as u64 * 7 + salt, m * n)).collect();
    let dev = if ad { Device::flex().autodiff() } else { Device::flex() };
    let t = Tensor::from_data(TensorData::new(d, [ids.len(), m, n]), (&dev, DType::F32));
    if ad { t.require_grad() } else { t }
}
#[test]
fn probe() {
    let all: Vec<usize> = (0..25).collect();
    let pools = [1, 2, 4].map(|t| rayon::ThreadPoolBuilder::new().num_threads(t).build().unwrap());
    for [m, k, n] in [[1, 1, 1], [1, 64, 10], [8, 300, 1], [16, 64, 64], [13, 7, 11], [64, 513, 63], [128, 128, 128], [200, 300, 200], [257, 1000, 129], [32, 4096, 512], [1000, 33, 700], [4096, 64, 256]] {
        let run = |ids: &[usize]| {
            let (x, w) = (leaf(ids, 1, m, k, true), leaf(ids, 2, k, n, true));
            let y = x.clone().matmul(w.clone());
            let g = (y.clone() * leaf(ids, 3, m, n, false)).sum().backward();
            [to_vec(y), to_vec(x.grad(&g).unwrap()), to_vec(w.grad(&g).unwrap())]
        };
        let few: Vec<usize> = all[..if m * k * n > 10_000_000 { 9 } else { 25 }].to_vec();
        let base = pools[0].install(|| run(&[5]));
        let mut line = format!("{m}x{k}x{n}:");
        for (p, pool) in pools.iter().enumerate() {
            let alone = pool.install(|| run(&[5]));
            let together = pool.install(|| run(&few));
            for i in 0..3 {
                let l = base[i].len();
                line += &format!(" {}{}", if alone[i] == base[i] { "=" } else { "X" }, if together[i][5 * l..6 * l] == base[i][..] { "=" } else { "X" });
            }
            line += if p < 2 { " |" } else { "" };
        }
        println!("{line}");
    }
}
