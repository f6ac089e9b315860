//! Times the operations against burn's own; with `--serve`, on request, so that another program can time a peer in turn.
//!
//! ```text
//! cargo bench -p recoup-kernels [-- [--device cpu|wgpu|cuda] [--seconds N] [FILTER]]
//! ```
//!
//! Timed are the call and the wait for its end on data that lie on the device. Ratios hold, times belong to the
//! machine; `scripts/bench-peers.py` times PyTorch in the same run.
#![allow(clippy::unwrap_used)]

mod adamw;
mod conv;
mod group_norm;
mod lstm;
mod matmul;
mod stft;
mod training;

use burn::tensor::Device;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// As in the `recoup` program: an allocator that keeps freed memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Prepares data on a device and returns the call to be timed, which leaves its result on the device.
pub type Prepare = Box<dyn Fn(&Device) -> Box<dyn FnMut()>>;

/// One operation at one size.
pub struct Bench {
    /// The operation.
    pub op: &'static str,
    /// Size, as a person reads it.
    pub name: String,
    /// Parameters from which the peer builds the same.
    pub peer: Value,
    /// Ours.
    pub ours: Prepare,
    /// burn's own, at one replica.
    pub burn: Option<Prepare>,
}

fn benches(device: &str) -> Vec<Bench> {
    // A GPU is not filled by 64 signals, and they fit its cache.
    let signals: &[usize] = if device == "cpu" { &[64] } else { &[64, 1024] };
    [
        stft::cases(signals),
        conv::cases(),
        lstm::cases(),
        group_norm::cases(),
        matmul::cases(),
        adamw::cases(),
        training::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Milliseconds of each call within about `seconds`, at least three, after warming up.
fn time(call: &mut dyn FnMut(), device: &Device, seconds: f64) -> Vec<f64> {
    let mut once = || {
        let start = Instant::now();
        call();
        device.sync().unwrap();
        start.elapsed()
    };
    let warm = Instant::now();
    while warm.elapsed() < Duration::from_secs_f64(seconds / 4.0) {
        once();
    }
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < 3 || start.elapsed() < Duration::from_secs_f64(seconds) {
        times.push(once().as_secs_f64() * 1e3);
    }
    times
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn device(name: &str) -> Device {
    match name {
        "cpu" => Device::flex(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(burn::tensor::DeviceKind::default()),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(0usize),
        other => {
            eprintln!("--device {other}: expected cpu, or wgpu or cuda in a build with this feature");
            std::process::exit(2);
        }
    }
}

/// Answers `list` with one JSON line of all cases, and `INDEX ours|burn SECONDS` with one of milliseconds.
fn serve(benches: &[Bench], device: &Device) {
    let reply = |value: Value| {
        println!("{value}");
        std::io::stdout().flush().unwrap();
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["list"] => reply(
                benches
                    .iter()
                    .map(|bench| {
                        json!({ "op": bench.op, "name": bench.name, "peer": bench.peer, "burn": bench.burn.is_some() })
                    })
                    .collect(),
            ),
            [index, side, seconds] => {
                let bench = &benches[index.parse::<usize>().unwrap()];
                let prepare = if side == "burn" { bench.burn.as_ref().unwrap() } else { &bench.ours };
                reply(json!(time(&mut prepare(device), device, seconds.parse().unwrap())));
            }
            _ => reply(json!({ "error": format!("not understood: {line}") })),
        }
    }
}

/// Ours and burn's in turns; burn's time over ours.
fn report(benches: &[Bench], device: &Device, seconds: f64) {
    println!(
        "{:<12} {:<44} {:>10} {:>10} {:>8}",
        "op", "size", "ours ms", "burn ms", "ratio"
    );
    for Bench {
        op, name, ours, burn, ..
    } in benches
    {
        let (mut own, mut others) = (ours(device), burn.as_ref().map(|burn| burn(device)));
        let (mut own_times, mut burn_times) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            own_times.extend(time(&mut own, device, seconds / 3.0));
            if let Some(burn) = &mut others {
                burn_times.extend(time(burn, device, seconds / 3.0));
            }
        }
        let own = median(&mut own_times);
        if others.is_some() {
            let burn = median(&mut burn_times);
            println!("{op:<12} {name:<44} {own:>10.3} {burn:>10.3} {:>7.2}x", burn / own);
        } else {
            println!("{op:<12} {name:<44} {own:>10.3} {:>10} {:>8}", "-", "-");
        }
    }
}

fn main() {
    let (mut served, mut seconds, mut name, mut filter) = (false, 1.0, "cpu".to_string(), String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {} // cargo's own
            "--serve" => served = true,
            "--device" => name = arguments.next().unwrap_or_default(),
            "--seconds" => seconds = arguments.next().and_then(|value| value.parse().ok()).unwrap_or(seconds),
            other => filter = other.to_string(),
        }
    }
    let device = device(&name);
    let benches: Vec<Bench> = benches(&name)
        .into_iter()
        .filter(|bench| format!("{} {}", bench.op, bench.name).contains(&filter))
        .collect();
    if served {
        serve(&benches, &device)
    } else {
        report(&benches, &device, seconds)
    }
}

/// Noise on the device.
pub fn noise<const D: usize>(shape: [usize; D], device: &Device) -> burn::tensor::Tensor<D> {
    use recoup_kernels::random::{Key, Purpose, fill_normal};
    let mut values = vec![0.0; shape.iter().product()];
    fill_normal(
        Key {
            seed: shape.len() as u64,
            purpose: Purpose::Simulation,
            step: 0,
            path: 0,
        },
        &mut values,
    );
    burn::tensor::Tensor::from_data(burn::tensor::TensorData::new(values, shape), device)
}
