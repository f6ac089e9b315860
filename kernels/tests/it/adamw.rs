//! AdamW against PyTorch and its reference, and the replica law.

use crate::cases::{noise, to_vec};
use crate::devices::devices;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use recoup_kernels::adamw::reference;
use recoup_kernels::*;
use serde::Deserialize;

/// Parameters of one replica: one, a few, vectors of four, several tasks and an odd rest.
const PARAMS: [usize; 4] = [1, 7, 1000, 70_001];

const OPTIONS: AdamwOptions = AdamwOptions {
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    max_norm: Some(1.5),
};

/// The state, gradient and all that of some replicas; each is a function of its id.
struct Batch {
    ids: Vec<usize>,
    /// Weights, gradient, first moment, second moment, factors: `[R, P]`.
    arrays: [Vec<f64>; 5],
    steps: Vec<AdamwStep>,
    params: usize,
}

impl Batch {
    fn new(ids: &[usize], params: usize) -> Self {
        let array = |salt: usize, of: &dyn Fn(f64) -> f64| {
            let rows = ids.iter().flat_map(|&id| noise((10 * id + salt) as u64, params));
            rows.map(|value| f64::from(of(value) as f32)).collect::<Vec<f64>>()
        };
        let arrays = [
            array(1, &|x| x),
            array(2, &|x| 0.1 * x),
            array(3, &|x| 0.1 * x),
            array(4, &|x| x * x),
            // A third frozen, in three ways.
            array(5, &|x| if x > -1.0 / 3.0 { 2.0 * x.abs() } else { -0.0 }),
        ];
        let step = |&id: &usize| AdamwStep {
            step: id as u64 * 3,
            learning_rate: 1e-2 / (id + 1) as f64,
            weight_decay: 0.1 * (id % 3) as f64,
            active: true,
        };
        Self {
            ids: ids.to_vec(),
            arrays,
            steps: ids.iter().map(step).collect(),
            params,
        }
    }

    fn tensor(&self, index: usize, device: &Device, dtype: DType) -> Tensor<2> {
        let data = TensorData::new(self.arrays[index].clone(), [self.ids.len(), self.params]);
        Tensor::from_data(data, (device, dtype))
    }

    fn run(&self, device: &Device, dtype: DType, setup: &Setup) -> Vec<Vec<f64>> {
        let [weights, gradient, first, second, factors] = [0, 1, 2, 3, 4].map(|i| self.tensor(i, device, dtype));
        let replicas = setup.stopped.map(|stopped| {
            let mask: Vec<bool> = self.ids.iter().map(|&id| id != stopped).collect();
            Tensor::<2, Bool>::from_data(TensorData::new(mask, [self.ids.len(), 1]), device)
        });
        let mask = UpdateMask {
            replicas: replicas.as_ref(),
            factors: setup.factors.then_some(&factors),
        };
        let options = AdamwOptions {
            max_norm: OPTIONS.max_norm.filter(|_| setup.clips),
            ..OPTIONS
        };
        let apply = if setup.reference { reference::adamw } else { adamw };
        let AdamwOutput { state, norm } = apply(
            AdamwState { weights, first, second },
            gradient,
            &self.steps,
            mask,
            &options,
        );
        assert_eq!(norm.dims(), [self.ids.len(), 1]);
        vec![
            to_vec(state.weights),
            to_vec(state.first),
            to_vec(state.second),
            to_vec(norm),
        ]
    }
}

#[derive(Clone, Copy, Default)]
struct Setup {
    factors: bool,
    clips: bool,
    /// The replica that the mask stops.
    stopped: Option<usize>,
    reference: bool,
}

fn setups() -> [Setup; 4] {
    let plain = Setup::default();
    [
        plain,
        Setup { clips: true, ..plain },
        Setup {
            clips: true,
            stopped: Some(1),
            ..plain
        },
        Setup {
            clips: true,
            stopped: Some(2),
            factors: true,
            ..plain
        },
    ]
}

fn bits(outcome: &[Vec<f64>], index: usize, replicas: usize) -> Vec<Vec<u64>> {
    let row = |values: &Vec<f64>| {
        let len = values.len() / replicas;
        values[index * len..(index + 1) * len]
            .iter()
            .map(|value| value.to_bits())
            .collect()
    };
    outcome.iter().map(row).collect()
}

#[test]
fn kernels_match_the_f64_reference() {
    for params in PARAMS {
        let batch = Batch::new(&[0, 1, 2], params);
        for setup in setups() {
            let of_reference = Setup {
                reference: true,
                ..setup
            };
            let oracle = batch.run(&Device::flex(), DType::F64, &of_reference);
            let single = batch.run(&Device::flex(), DType::F32, &of_reference);
            for device in devices() {
                let ours = batch.run(&device, DType::F32, &setup);
                for (what, ((ours, single), oracle)) in ours.iter().zip(&single).zip(&oracle).enumerate() {
                    let largest = oracle.iter().fold(1e-3f64, |largest, x| largest.max(x.abs()));
                    let error = |values: &[f64]| {
                        let errors = values.iter().zip(oracle).map(|(a, b)| (a - b).abs() / largest);
                        errors.fold(
                            0.0,
                            |most: f64, error| if error.is_nan() { f64::NAN } else { most.max(error) },
                        )
                    };
                    let (ours, allowed) = (error(ours), 2.0 * error(single) + 2.4e-7);
                    assert!(
                        ours <= allowed,
                        "P {params}, output {what} on {device:?}: {ours:e} above {allowed:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_replicas() {
    let all: Vec<usize> = (0..25).collect();
    for device in devices() {
        for params in [1, 1000, 70_001] {
            for setup in [setups()[1], setups()[3]] {
                let together = Batch::new(&all, params).run(&device, DType::F32, &setup);
                for index in [0, 2, 24] {
                    let alone = Batch::new(&[index], params).run(&device, DType::F32, &setup);
                    assert!(
                        bits(&together, index, 25) == bits(&alone, 0, 1),
                        "P {params} on {device:?}: 25 and 1"
                    );
                    let few = Batch::new(&[7, index, 3], params).run(&device, DType::F32, &setup);
                    assert!(
                        bits(&few, 1, 3) == bits(&alone, 0, 1),
                        "P {params} on {device:?}: 3 and 1"
                    );
                }
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_on_what_memory_held() {
    let run = |device: &Device| Batch::new(&[4, 1, 2], 70_001).run(device, DType::F32, &setups()[3]);
    let threads = |count| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
    let [one, five] = [1, 5].map(|count| threads(count).install(|| run(&Device::flex())));
    assert!(one == five);
    for device in devices() {
        let first = run(&device);
        drop([1, 2, 3, 4].map(|_| Tensor::<1>::full([3 * 70_001], f32::NAN, &device)));
        assert!(first == run(&device), "{device:?}");
    }
}

/// Inactive, stopped by the mask, a gradient with a NaN, one that overflows: every bit stays, NaN in the state too.
#[test]
fn what_is_not_updated_keeps_every_bit() {
    let ids = [0, 1, 2, 3, 4, 5];
    for device in devices() {
        for params in [7, 1000, 40_000] {
            let clean = Batch::new(&ids, params);
            let setup = Setup {
                clips: true,
                stopped: Some(1),
                factors: false,
                reference: false,
            };
            let expected = clean.run(&device, DType::F32, &setup);
            let mut batch = Batch::new(&ids, params);
            batch.steps[0].active = false;
            for id in [0, 1, 2] {
                batch.arrays[1][(id + 1) * params - 1] = f64::NAN;
            }
            batch.arrays[1][3 * params..4 * params].fill(3e38);
            batch.arrays[3][0] = f64::NAN;
            for reference in [false, true] {
                let outcome = batch.run(&device, DType::F32, &Setup { reference, ..setup });
                for (output, input) in [0, 2, 3].into_iter().enumerate() {
                    let (new, old) = (&outcome[output][..4 * params], &batch.arrays[input][..4 * params]);
                    assert!(
                        new.iter().zip(old).all(|(new, old)| new.to_bits() == old.to_bits()),
                        "{device:?}"
                    );
                }
                assert!(outcome[3][0].is_nan() && outcome[3][2].is_nan() && outcome[3][3].is_infinite());
                if !reference {
                    for other in [4, 5] {
                        assert!(
                            bits(&outcome, other, 6) == bits(&expected, other, 6),
                            "{device:?}: {other}"
                        );
                    }
                }
            }
        }
    }
}

/// A frozen parameter has no part in the norm, even with a gradient that is not a number.
#[test]
fn frozen_parameters_have_no_part_in_the_norm() {
    for device in devices() {
        let setup = Setup {
            clips: true,
            factors: true,
            ..Setup::default()
        };
        let mut batch = Batch::new(&[0, 1], 1003);
        let clean = batch.run(&device, DType::F32, &setup);
        let frozen: Vec<usize> = (0..2 * 1003).filter(|&at| batch.arrays[4][at] <= 0.0).collect();
        assert!(frozen.len() > 500);
        for &at in &frozen {
            batch.arrays[1][at] = f64::NAN;
        }
        let outcome = batch.run(&device, DType::F32, &setup);
        assert!(outcome == clean);
        assert!(frozen.iter().all(|&at| outcome[0][at] == batch.arrays[0][at]));
    }
}

/// The result is off the tape, and shared state is not written to.
#[test]
fn devices_with_a_tape_and_shared_state() {
    let batch = Batch::new(&[3, 5], 4099);
    for device in devices() {
        let plain = batch.run(&device, DType::F32, &setups()[1]);
        assert!(plain == batch.run(&device.clone().autodiff(), DType::F32, &setups()[1]));
        let [weights, gradient, first, second] = [0, 1, 2, 3].map(|i| batch.tensor(i, &device, DType::F32));
        let kept = weights.clone();
        let state = AdamwState { weights, first, second };
        let _ = adamw(state, gradient, &batch.steps, UpdateMask::default(), &OPTIONS);
        assert!(to_vec(kept) == batch.arrays[0]);
    }
}

#[test]
fn no_parameters() {
    for device in devices() {
        let outcome = Batch::new(&[0, 1], 0).run(&device, DType::F32, &setups()[1]);
        assert_eq!(outcome[3], [0.0, 0.0]);
    }
}

#[test]
fn refused_shapes_are_named() {
    let zeros = |shape: [usize; 2]| Tensor::<2>::zeros(shape, &Device::flex());
    let refused = |gradient: [usize; 2], steps: usize, factors: Option<[usize; 2]>| {
        let state = AdamwState {
            weights: zeros([2, 3]),
            first: zeros([2, 3]),
            second: zeros([2, 3]),
        };
        let step = AdamwStep {
            step: 0,
            learning_rate: 0.1,
            weight_decay: 0.0,
            active: true,
        };
        let factors = factors.map(zeros);
        let mask = UpdateMask {
            factors: factors.as_ref(),
            ..UpdateMask::default()
        };
        let gradient = zeros(gradient);
        crate::errors::message(|| adamw(state, gradient, &vec![step; steps], mask, &OPTIONS))
    };
    let message = "adamw: weights [2, 3] does not fit gradient [2, 4]: expected [R, P] both";
    assert_eq!(refused([2, 4], 2, None), message);
    assert_eq!(
        refused([2, 3], 1, None),
        "adamw: steps = 1 entries, expected one for each of 2 replicas"
    );
    let message = "adamw: weights [2, 3] does not fit factors [2, 1]: expected [R, P] both";
    assert_eq!(refused([2, 3], 2, Some([2, 1])), message);
}

/// Launches every variant of the kernels.
#[cfg(feature = "cube")]
pub fn launch_all(device: &Device) {
    for params in [1000, 7] {
        for setup in setups() {
            Batch::new(&[0, 1], params).run(device, DType::F32, &setup);
        }
    }
}

#[derive(Deserialize)]
struct Golden {
    name: String,
    learning_rates: Vec<f64>,
    weight_decay: f64,
    betas: [f64; 2],
    epsilon: f64,
    max_norm: Option<f64>,
    start: Vec<f64>,
    steps: Vec<GoldenStep>,
}

#[derive(Deserialize)]
struct GoldenStep {
    gradient: Vec<f64>,
    norm: f64,
    weights: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

/// The trajectory of PyTorch, as the middle one of three replicas.
#[test]
fn trajectories_of_pytorch() {
    #[derive(Deserialize)]
    struct Record {
        cases: Vec<Golden>,
    }
    let record: Record = serde_json::from_str(include_str!("../golden/adamw.json")).unwrap();
    let on_devices = devices().into_iter().map(|device| (device, DType::F32, 2e-6));
    for (device, dtype, tolerance) in on_devices.chain([(Device::flex(), DType::F64, 1e-12)]) {
        for golden in &record.cases {
            let params = golden.start.len();
            let among = |values: &[f64]| {
                let rows = [noise(1, params), values.to_vec(), noise(2, params)].concat();
                Tensor::<2>::from_data(TensorData::new(rows, [3, params]), (&device, dtype))
            };
            let zeros = || among(&vec![0.0; params]) * 0.0;
            let mut state = AdamwState {
                weights: among(&golden.start),
                first: zeros(),
                second: zeros(),
            };
            let options = AdamwOptions {
                beta1: golden.betas[0],
                beta2: golden.betas[1],
                epsilon: golden.epsilon,
                max_norm: golden.max_norm,
            };
            for (at, (made, &learning_rate)) in golden.steps.iter().zip(&golden.learning_rates).enumerate() {
                let step = AdamwStep {
                    step: at as u64,
                    learning_rate,
                    weight_decay: golden.weight_decay,
                    active: true,
                };
                let output = adamw(
                    state,
                    among(&made.gradient),
                    &[step; 3],
                    UpdateMask::default(),
                    &options,
                );
                state = output.state;
                let near = |what: &str, ours: Tensor<2>, theirs: &[f64]| {
                    let ours = to_vec(ours);
                    let scale = theirs.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
                    for (ours, theirs) in ours[theirs.len()..].iter().zip(theirs) {
                        let error = (ours - theirs).abs() / scale;
                        assert!(
                            error <= tolerance,
                            "{} step {at} {what} on {device:?}: {error:e}",
                            golden.name
                        );
                    }
                };
                near("norm", output.norm, &[made.norm]);
                near("weights", state.weights.clone(), &made.weights);
                near("first moment", state.first.clone(), &made.first);
                near("second moment", state.second.clone(), &made.second);
            }
        }
    }
}
