//! CubeCL path of [`lstm`](super::lstm).

use super::kernel::{ROWS, UNITS};
use super::tape::{LstmOps, Route};
use crate::gpu::{CubeBackend, CubeCount, CubeDim, CubeTensor, Limits, add_parts, contiguous, dims, empty, launch};
use crate::matmul::tape::MatmulOps;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::DType;

/// 32-bit registers of a multiprocessor, and the most that one unit may hold (CUDA, since compute capability 3.5).
const REGISTERS: usize = 65_536;
const REGISTERS_OF_UNIT: usize = 255;
/// Those that a unit needs beside the weights.
const WORKING_REGISTERS: usize = 56;
/// Bytes that a cube may read again at every step: above this (about 3 µs at 64 bytes per clock), a launch per step over
/// the whole GPU is faster.
const LARGEST_STREAM: usize = 384 << 10;
/// Most samples of a cube: with four gates, each unit has at most one state to update.
const MOST_ROWS: usize = 4;

/// Where the recurrent weights of a persistent cube lie, from the first on; the rest is read at every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Residence {
    registers: usize,
    shared: usize,
}

impl Residence {
    /// That of `units` states on a device, or `None` where single steps are faster. It decides which memory is used and
    /// never the order of a sum.
    fn of(units: usize, limits: Limits) -> Option<Self> {
        let columns = 4 * units;
        if columns > limits.units {
            return None;
        }
        let registers = (REGISTERS / columns.next_multiple_of(128)).min(REGISTERS_OF_UNIT) - WORKING_REGISTERS;
        let registers = if registers >= units { units } else { registers / 4 * 4 };
        // The state, and the gates with their shares on the way back.
        let exchanged = 4 * MOST_ROWS * 8 * units;
        let shared = limits.shared_bytes.saturating_sub(exchanged) / (4 * columns);
        let shared = if shared >= units - registers {
            units - registers
        } else {
            shared / 4 * 4
        };
        let streamed = (units - registers - shared) * columns * 4;
        (streamed <= LARGEST_STREAM).then_some(Self { registers, shared })
    }
}

/// Samples of a persistent cube: few in small batches, for more cubes; more in large ones, which then share the reading
/// of weights. By the batch alone.
fn rows_per_cube(batch: usize) -> usize {
    (batch / 32).clamp(1, MOST_ROWS)
}

/// The sizes of one recurrence.
#[derive(Clone, Copy)]
struct Sizes {
    replicas: usize,
    batch: usize,
    steps: usize,
    units: usize,
}

impl Sizes {
    fn is_empty(self) -> bool {
        self.replicas * self.batch * self.steps * self.units == 0
    }

    /// Cubes of the persistent kernels, their units and samples.
    fn sequences(self) -> (CubeCount, CubeDim, usize) {
        let rows = rows_per_cube(self.batch);
        let count = CubeCount::Static(self.batch.div_ceil(rows) as u32, self.replicas as u32, 1);
        (count, CubeDim::new_1d(4 * self.units as u32), rows)
    }

    /// Cubes of the kernels of one step.
    fn tiles(self) -> (CubeCount, CubeDim) {
        let (across, down) = (self.units.div_ceil(UNITS), self.batch.div_ceil(ROWS));
        let count = CubeCount::Static(across as u32, down as u32, self.replicas as u32);
        (count, CubeDim::new_1d((ROWS * UNITS) as u32))
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

fn forward(
    projected: CubeTensor,
    hidden: CubeTensor,
    bias: CubeTensor,
    route: &Route,
    save: bool,
) -> (CubeTensor, CubeTensor) {
    let limits = Limits::of(&projected.client);
    let residence = Residence::of(dims::<3>(&hidden)[1], limits);
    forward_by(residence, projected, hidden, bias, route, save)
}

fn forward_by(
    residence: Option<Residence>,
    projected: CubeTensor,
    hidden: CubeTensor,
    bias: CubeTensor,
    route: &Route,
    save: bool,
) -> (CubeTensor, CubeTensor) {
    let (projected, hidden, bias) = (contiguous(projected), contiguous(hidden), contiguous(bias));
    let [replicas, batch, steps, columns] = dims(&projected);
    let sizes = Sizes {
        replicas,
        batch,
        steps,
        units: columns / 4,
    };
    let units = sizes.units;
    let states = empty(&projected, [replicas, batch, steps + 2, units]);
    let saved = if save {
        [replicas, batch, steps, 5 * units]
    } else {
        [1; 4]
    };
    let saved = empty(&projected, saved);
    if sizes.is_empty() {
        return (states, saved);
    }
    let client = projected.client.clone();
    let (ragged, reverse) = (route.lengths.is_some(), route.reverse);
    let lengths = lengths(route, &projected);
    if let Some(Residence { registers, shared }) = residence {
        let (count, dim, rows) = sizes.sequences();
        launch!(lstm_sequence(client, count, dim;
            projected.into_buffer_arg(),
            hidden.into_buffer_arg(),
            bias.into_buffer_arg(),
            lengths.into_buffer_arg(),
            states.clone().into_buffer_arg(),
            saved.clone().into_buffer_arg(),
            batch,
            steps,
            units,
            rows,
            registers,
            shared,
            ragged,
            reverse,
            save,
        ));
        return (states, saved);
    }
    let cell = empty(&projected, [replicas, batch, units]);
    for index in 0..steps {
        let (count, dim) = sizes.tiles();
        launch!(lstm_step(client, count, dim;
            projected.clone().into_buffer_arg(),
            hidden.clone().into_buffer_arg(),
            bias.clone().into_buffer_arg(),
            lengths.clone().into_buffer_arg(),
            states.clone().into_buffer_arg(),
            cell.clone().into_buffer_arg(),
            saved.clone().into_buffer_arg(),
            batch,
            steps,
            units,
            index,
            ragged,
            reverse,
            save,
        ));
    }
    (states, saved)
}

fn backward_by(
    residence: Option<Residence>,
    hidden: CubeTensor,
    states: CubeTensor,
    saved: CubeTensor,
    grad: CubeTensor,
    route: &Route,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (states, saved, grad) = (contiguous(states), contiguous(saved), contiguous(grad));
    // Neighbouring units then read neighbouring weights.
    let transposed = contiguous(CubeBackend::float_swap_dims(hidden, 1, 2));
    let [replicas, batch, steps, width] = dims(&saved);
    let sizes = Sizes {
        replicas,
        batch,
        steps,
        units: width / 5,
    };
    let units = sizes.units;
    let d_projected = empty(&saved, [replicas, batch, steps, 4 * units]);
    if sizes.is_empty() {
        let zeros =
            |shape: &[usize]| CubeBackend::float_zeros(shape.to_vec().into(), &saved.device, saved.dtype.into());
        return (
            d_projected,
            zeros(&[replicas, units, 4 * units]),
            zeros(&[replicas, 4 * units]),
        );
    }
    let before = empty(&saved, [replicas, batch, steps, units]);
    let d_bias = empty(&saved, [replicas, batch, 4 * units]);
    let client = saved.client.clone();
    let (ragged, reverse) = (route.lengths.is_some(), route.reverse);
    let lengths = lengths(route, &saved);
    match residence {
        Some(Residence { registers, shared }) => {
            let (count, dim, rows) = sizes.sequences();
            launch!(lstm_sequence_backward(client, count, dim;
                transposed.into_buffer_arg(),
                states.into_buffer_arg(),
                saved.into_buffer_arg(),
                grad.into_buffer_arg(),
                lengths.into_buffer_arg(),
                d_projected.clone().into_buffer_arg(),
                before.clone().into_buffer_arg(),
                d_bias.clone().into_buffer_arg(),
                batch,
                steps,
                units,
                rows,
                registers,
                shared,
                ragged,
                reverse,
            ));
        }
        None => {
            let d_cell = empty(&saved, [replicas, batch, units]);
            for index in 0..steps {
                let (count, dim) = sizes.tiles();
                launch!(lstm_step_backward(client, count, dim;
                    transposed.clone().into_buffer_arg(),
                    states.clone().into_buffer_arg(),
                    saved.clone().into_buffer_arg(),
                    grad.clone().into_buffer_arg(),
                    lengths.clone().into_buffer_arg(),
                    d_projected.clone().into_buffer_arg(),
                    before.clone().into_buffer_arg(),
                    d_cell.clone().into_buffer_arg(),
                    d_bias.clone().into_buffer_arg(),
                    batch,
                    steps,
                    units,
                    index,
                    ragged,
                    reverse,
                ));
            }
        }
    }
    let flat = |x: &CubeTensor, width: usize| {
        let CubeTensor {
            client,
            handle,
            device,
            dtype,
            ..
        } = x.clone();
        CubeTensor::new_contiguous(client, device, [replicas, batch * steps, width].into(), handle, dtype)
    };
    let d_hidden = CubeBackend::replica_matmul(flat(&before, units), flat(&d_projected, 4 * units), true, false);
    (d_projected, d_hidden, add_parts(d_bias, [replicas, 4 * units]))
}

impl LstmOps for CubeBackend {
    fn replica_lstm(projected: CubeTensor, hidden: CubeTensor, bias: CubeTensor, route: Route) -> CubeTensor {
        forward(projected, hidden, bias, &route, false).0
    }

    fn replica_lstm_saving(
        projected: CubeTensor,
        hidden: CubeTensor,
        bias: CubeTensor,
        route: Route,
    ) -> (CubeTensor, CubeTensor) {
        forward(projected, hidden, bias, &route, true)
    }

    fn replica_lstm_backward(
        hidden: CubeTensor,
        states: CubeTensor,
        saved: CubeTensor,
        grad: CubeTensor,
        route: Route,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let limits = Limits::of(&saved.client);
        let residence = Residence::of(dims::<3>(&hidden)[1], limits);
        backward_by(residence, hidden, states, saved, grad, &route)
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::*;
    use burn::backend::DispatchDevice;
    use burn::tensor::{Device, DeviceKind, TensorData};

    fn tensor<const D: usize>(salt: usize, dims: [usize; D]) -> CubeTensor {
        let value = |i: usize| ((i * 7919 + salt * 104_729) % 2003) as f32 / 2003.0 - 0.5;
        let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
        let device = Device::wgpu(DeviceKind::default());
        let DispatchDevice::Cube(device) = device.as_dispatch() else {
            panic!("wgpu is a CubeCL device")
        };
        CubeBackend::float_from_data(TensorData::new(values, dims), device)
    }

    /// Neither the memory that holds the weights nor the number of launches changes a bit.
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
                let (states, saved) = forward_by(residence, projected, hidden.clone(), bias, &route, true);
                let (d_projected, d_hidden, d_bias) =
                    backward_by(residence, hidden, states.clone(), saved, grad, &route);
                [states, d_projected, d_hidden, d_bias].map(|x| {
                    let bytes = x.client.read_one(x.handle).unwrap();
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
                assert!(registers + shared <= units && registers + WORKING_REGISTERS <= REGISTERS_OF_UNIT);
                assert!(4 * units * (shared * 4 + MOST_ROWS * 8) <= limits.shared_bytes.max(4 * units * MOST_ROWS * 8));
            }
        }
    }
}
