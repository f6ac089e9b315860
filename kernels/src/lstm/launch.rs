//! CubeCL path of [`lstm`](super::lstm).

use super::LstmProblem;
use super::autodiff::{LstmAdjoint, LstmOps, Route};
use super::kernel::{
    LstmGradientsLaunch, LstmInputsLaunch, LstmSavedLaunch, Order, ROWS, SequencePlan, SequenceSizesLaunch,
    StepSizesLaunch, UNITS,
};
use crate::gpu::{
    CubeBackend, CubeDim, CubeTensor, Limits, add_partial_sums, contiguous, dims, empty, grid, launch, limits_of,
};
use crate::limits::Problem;
use crate::matmul::{MatmulProblem, autodiff::MatmulOps};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::DType;

/// 32-bit registers of a multiprocessor, and the most that one unit may hold (CUDA, since compute capability 3.5).
const REGISTERS: usize = 65_536;
const MAX_UNIT_REGISTERS: usize = 255;
/// Registers that a unit needs beside the weights.
const WORKING_REGISTERS: usize = 56;
/// Bytes that a cube may read again at every step: above this (about 3 µs at 64 bytes per clock), a launch per step over
/// the whole GPU is faster.
const MAX_STREAM: usize = 384 << 10;
/// Samples of a cube: with four gates, each unit has at most one state to update.
const MAX_ROWS: usize = 4;

impl Problem for LstmProblem {
    fn is_served(&self, limits: Limits) -> bool {
        let &Self {
            replicas,
            batch,
            steps,
            units,
        } = self;
        // The widest arrays of a step and of the states, and the recurrent weights.
        let shapes = [
            &[replicas, batch, steps, 5 * units][..],
            &[replicas, batch, steps + 2, units],
            &[replicas, units, 4 * units],
        ];
        let weights = MatmulProblem {
            replicas,
            rows: units,
            inner: batch * steps,
            cols: 4 * units,
        };
        limits.serve(&shapes, &self.sequence_axes())
            && limits.serve(&[], &self.step_axes())
            && weights.is_product_served(limits)
    }
}

impl LstmProblem {
    /// Grid of the kernels of whole sequences.
    fn sequence_axes(self) -> [usize; 3] {
        [self.batch.div_ceil(rows_per_cube(self.batch)), self.replicas, 1]
    }

    /// Grid of the kernels of one step.
    fn step_axes(self) -> [usize; 3] {
        [self.units.div_ceil(UNITS), self.batch.div_ceil(ROWS), self.replicas]
    }

    fn sizes_of_step(self, index: usize) -> StepSizesLaunch {
        StepSizesLaunch {
            batch: self.batch,
            steps: self.steps,
            units: self.units,
            index,
        }
    }
}

/// Samples of a persistent cube: few in small batches, for more cubes; more in large ones, which then share the reading
/// of weights. By the batch alone.
fn rows_per_cube(batch: usize) -> usize {
    (batch / 32).clamp(1, MAX_ROWS)
}

/// Where the recurrent weights of a persistent cube lie, from the first on; the rest is read at every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Residence {
    registers: usize,
    shared: usize,
}

impl Residence {
    /// The residence for `units` states on a device, or `None` where single steps are faster. It decides which memory is used and
    /// never the order of a sum.
    fn of(units: usize, limits: Limits) -> Option<Self> {
        let columns = 4 * units;
        if columns > limits.units {
            return None;
        }
        let registers = (REGISTERS / columns.next_multiple_of(128)).min(MAX_UNIT_REGISTERS) - WORKING_REGISTERS;
        let registers = if registers >= units { units } else { registers / 4 * 4 };
        // The state, and the gates with their shares on the way back.
        let exchanged = 4 * MAX_ROWS * 8 * units;
        let shared = limits.shared_bytes.saturating_sub(exchanged) / (4 * columns);
        let shared = if shared >= units - registers {
            units - registers
        } else {
            shared / 4 * 4
        };
        let streamed = (units - registers - shared) * columns * 4;
        (streamed <= MAX_STREAM).then_some(Self { registers, shared })
    }
}

/// The lengths on the device; one zero, unread, where all samples have all steps.
fn lengths(route: &Route, like: &CubeTensor) -> CubeTensor {
    let lengths: Vec<u8> = match &route.lengths {
        Some(lengths) => lengths
            .iter()
            .flat_map(|&length| (length as u32).to_ne_bytes())
            .collect(),
        None => vec![0; 4],
    };
    let handle = like.client.create_from_slice(&lengths);
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        [lengths.len() / 4].into(),
        handle,
        DType::U32,
    )
}

/// The plan that the kernels of a sequence are compiled for.
fn plan(problem: LstmProblem, residence: Residence, order: Order, save: bool) -> SequencePlan {
    SequencePlan {
        units: problem.units,
        rows: rows_per_cube(problem.batch),
        in_registers: residence.registers,
        in_shared: residence.shared,
        order,
        save,
    }
}

fn order(route: &Route) -> Order {
    Order {
        ragged: route.lengths.is_some(),
        reverse: route.reverse,
    }
}

/// `(states, saved)` of `[projected, hidden, bias]`; `saved` is a single value unless it is asked for.
fn forward(tensors: [CubeTensor; 3], route: &Route, save: bool) -> (CubeTensor, CubeTensor) {
    let residence = Residence::of(dims::<3>(&tensors[1])[1], limits_of(&tensors[1].client));
    forward_by(residence, tensors, route, save)
}

fn forward_by(
    residence: Option<Residence>,
    tensors: [CubeTensor; 3],
    route: &Route,
    save: bool,
) -> (CubeTensor, CubeTensor) {
    let [projected, hidden, bias] = tensors.map(contiguous);
    let [replicas, batch, steps, columns] = dims(&projected);
    let units = columns / 4;
    let problem = LstmProblem {
        replicas,
        batch,
        steps,
        units,
    };
    let states = empty(&projected, [replicas, batch, steps + 2, units]);
    let saved = if save {
        [replicas, batch, steps, 5 * units]
    } else {
        [1; 4]
    };
    let saved = empty(&projected, saved);
    if problem.is_empty() {
        return (states, saved);
    }
    let client = projected.client.clone();
    let lengths = lengths(route, &projected);
    let inputs = || LstmInputsLaunch {
        projected: projected.clone().into_buffer_arg(),
        hidden: hidden.clone().into_buffer_arg(),
        bias: bias.clone().into_buffer_arg(),
        lengths: lengths.clone().into_buffer_arg(),
    };
    if let Some(residence) = residence {
        let dim = CubeDim::new_1d(columns as u32);
        launch!(lstm_sequence(client, grid(problem.sequence_axes()), dim;
            inputs(),
            states.clone().into_buffer_arg(),
            saved.clone().into_buffer_arg(),
            SequenceSizesLaunch { batch, steps },
            plan(problem, residence, order(route), save),
        ));
        return (states, saved);
    }
    let cell = empty(&projected, [replicas, batch, units]);
    for index in 0..steps {
        let dim = CubeDim::new_1d((ROWS * UNITS) as u32);
        launch!(lstm_step(client, grid(problem.step_axes()), dim;
            inputs(),
            states.clone().into_buffer_arg(),
            cell.clone().into_buffer_arg(),
            saved.clone().into_buffer_arg(),
            problem.sizes_of_step(index),
            order(route),
            save,
        ));
    }
    (states, saved)
}

/// Gradients of `(projected, hidden, bias)` from `[hidden, states, saved, grad]`.
fn backward_by(
    residence: Option<Residence>,
    [hidden, states, saved, grad]: [CubeTensor; 4],
    route: &Route,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    // Neighbouring units then read neighbouring weights.
    let transposed = CubeBackend::float_swap_dims(hidden, 1, 2);
    let [transposed, states, saved, grad] = [transposed, states, saved, grad].map(contiguous);
    let [replicas, batch, steps, width] = dims(&saved);
    let units = width / 5;
    let problem = LstmProblem {
        replicas,
        batch,
        steps,
        units,
    };
    let d_projected = empty(&saved, [replicas, batch, steps, 4 * units]);
    if problem.is_empty() {
        let zeros =
            |shape: &[usize]| CubeBackend::float_zeros(shape.to_vec().into(), &saved.device, saved.dtype.into());
        let d_hidden = zeros(&[replicas, units, 4 * units]);
        return (d_projected, d_hidden, zeros(&[replicas, 4 * units]));
    }
    let before = empty(&saved, [replicas, batch, steps, units]);
    let d_bias = empty(&saved, [replicas, batch, 4 * units]);
    let client = saved.client.clone();
    let lengths = lengths(route, &saved);
    let inputs = || LstmSavedLaunch {
        transposed: transposed.clone().into_buffer_arg(),
        states: states.clone().into_buffer_arg(),
        saved: saved.clone().into_buffer_arg(),
        grad: grad.clone().into_buffer_arg(),
        lengths: lengths.clone().into_buffer_arg(),
    };
    let gradients = || LstmGradientsLaunch {
        d_projected: d_projected.clone().into_buffer_arg(),
        before: before.clone().into_buffer_arg(),
        d_bias: d_bias.clone().into_buffer_arg(),
    };
    if let Some(residence) = residence {
        let dim = CubeDim::new_1d(4 * units as u32);
        launch!(lstm_sequence_backward(client, grid(problem.sequence_axes()), dim;
            inputs(),
            gradients(),
            SequenceSizesLaunch { batch, steps },
            plan(problem, residence, order(route), true),
        ));
    } else {
        let d_cell = empty(&saved, [replicas, batch, units]);
        for index in 0..steps {
            let dim = CubeDim::new_1d((ROWS * UNITS) as u32);
            launch!(lstm_step_backward(client, grid(problem.step_axes()), dim;
                inputs(),
                gradients(),
                d_cell.clone().into_buffer_arg(),
                problem.sizes_of_step(index),
                order(route),
            ));
        }
    }
    let d_hidden = CubeBackend::replica_matmul(by_rows(&before), by_rows(&d_projected), true, false);
    (d_projected, d_hidden, add_partial_sums(d_bias, [replicas, 4 * units]))
}

/// `[R, B, T, ...]` as the matrices `[R, B T, ...]`.
fn by_rows(x: &CubeTensor) -> CubeTensor {
    let [replicas, batch, steps, width] = dims(x);
    let CubeTensor {
        client,
        handle,
        device,
        dtype,
        ..
    } = x.clone();
    CubeTensor::new_contiguous(client, device, [replicas, batch * steps, width].into(), handle, dtype)
}

impl LstmOps for CubeBackend {
    fn replica_lstm(projected: CubeTensor, hidden: CubeTensor, bias: CubeTensor, route: Route) -> CubeTensor {
        forward([projected, hidden, bias], &route, false).0
    }
}

impl LstmAdjoint for CubeBackend {
    fn replica_lstm_saving(
        projected: CubeTensor,
        hidden: CubeTensor,
        bias: CubeTensor,
        route: Route,
    ) -> (CubeTensor, CubeTensor) {
        forward([projected, hidden, bias], &route, true)
    }

    fn replica_lstm_backward(
        hidden: CubeTensor,
        states: CubeTensor,
        saved: CubeTensor,
        grad: CubeTensor,
        route: Route,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let residence = Residence::of(dims::<3>(&hidden)[1], limits_of(&saved.client));
        backward_by(residence, [hidden, states, saved, grad], &route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_CUBES;

    #[test]
    fn recurrences_are_served_up_to_the_limits() {
        let served = |replicas, batch, steps, units| {
            let problem = LstmProblem {
                replicas,
                batch,
                steps,
                units,
            };
            problem.is_served(Limits::HOPPER)
        };
        assert!(served(40, 64, 1000, 64));
        assert!(!served(255, 64, 1000, 64), "5.2e9 saved values");
        // 5 H values of each step: the widest array.
        assert!(served(204, 64, 1024, 64));
        assert!(!served(205, 64, 1024, 64));
        assert!(served(1, 64, 1, 1 << 14));
        assert!(!served(5, 64, 1, 1 << 14), "the recurrent weights");
        assert!(served(1, 4 * MAX_CUBES, 2, 3), "four samples to a cube");
        assert!(!served(1, 4 * MAX_CUBES + 1, 2, 3));
        assert!(served(255, 1024, 16, 4));
        assert!(!served(256, 1024, 256, 1), "parts of the gradient of the weights");
    }

    #[cfg(feature = "wgpu")]
    fn tensor<const D: usize>(salt: usize, dims: [usize; D]) -> CubeTensor {
        let value = |i: usize| ((i * 7919 + salt * 104_729) % 2003) as f32 / 2003.0 - 0.5;
        let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
        let device = burn::tensor::Device::wgpu(burn::tensor::DeviceKind::default());
        let burn::backend::DispatchDevice::Cube(device) = device.as_dispatch() else {
            panic!("wgpu is a CubeCL device")
        };
        CubeBackend::float_from_data(burn::tensor::TensorData::new(values, dims), device)
    }

    /// Neither the memory that holds the weights nor the number of launches changes a bit.
    #[cfg(feature = "wgpu")]
    #[test]
    fn bits_do_not_depend_on_where_the_weights_lie() {
        let (replicas, batch, steps, units) = (2, 5, 4, 21);
        let lengths = [4, 0, 1, 3, 2, 4, 4, 2, 1, 0];
        for reverse in [false, true] {
            let route = Route {
                lengths: Some(lengths.into()),
                reverse,
            };
            let run = |residence| {
                let projected = tensor(1, [replicas, batch, steps, 4 * units]);
                let hidden = tensor(2, [replicas, units, 4 * units]);
                let bias = tensor(3, [replicas, 4 * units]);
                let grad = tensor(4, [replicas, batch, steps + 2, units]);
                let (states, saved) = forward_by(residence, [projected, hidden.clone(), bias], &route, true);
                let (d_projected, d_hidden, d_bias) =
                    backward_by(residence, [hidden, states.clone(), saved, grad], &route);
                [states, d_projected, d_hidden, d_bias].map(|x| {
                    let bytes = x.client.read_one(x.handle).expect("a buffer of the device");
                    bytes
                        .chunks_exact(4)
                        .map(|b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
                        .collect::<Vec<u32>>()
                })
            };
            let expected = run(Some(Residence {
                registers: 21,
                shared: 0,
            }));
            for (registers, shared) in [(0, 21), (0, 0), (8, 4), (4, 7), (12, 9)] {
                assert!(
                    run(Some(Residence { registers, shared })) == expected,
                    "{registers} + {shared}"
                );
            }
            assert!(run(None) == expected, "step by step");
        }
    }

    #[test]
    fn residence_fits_the_device() {
        let of = |units, limits| Residence::of(units, limits);
        assert_eq!(
            of(64, Limits::HOPPER),
            Some(Residence {
                registers: 64,
                shared: 0
            })
        );
        assert_eq!(
            of(128, Limits::HOPPER),
            Some(Residence {
                registers: 72,
                shared: 56
            })
        );
        assert_eq!(
            of(160, Limits::HOPPER),
            Some(Residence {
                registers: 44,
                shared: 80
            })
        );
        assert_eq!(of(256, Limits::HOPPER), None);
        assert_eq!(of(257, Limits::HOPPER), None);
        for limits in [Limits::HOPPER, Limits::SMALLEST] {
            for units in 1..=256 {
                let Some(Residence { registers, shared }) = of(units, limits) else {
                    continue;
                };
                assert!(registers + shared <= units && registers + WORKING_REGISTERS <= MAX_UNIT_REGISTERS);
                assert!(4 * units * (shared * 4 + MAX_ROWS * 8) <= limits.shared_bytes.max(4 * units * MAX_ROWS * 8));
            }
        }
    }
}
