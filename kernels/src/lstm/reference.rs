//! [`lstm`](super::lstm) in plain tensor operations: one step at a time.

use super::{LstmOutput, LstmWeights};
use burn::tensor::{
    Bool, Device, Tensor, TensorData,
    activation::{sigmoid, tanh},
};

/// The LSTM of checked arguments.
pub fn lstm(x: Tensor<4>, lengths: Option<&[usize]>, weights: &LstmWeights, reverse: bool) -> LstmOutput {
    let [shared, batch, steps, inputs] = x.dims();
    let [replicas, units, _] = weights.hidden.dims();
    let device = x.device();
    let options = (&device, x.dtype());
    let state = [replicas, batch, units];
    let bias = weights.bias.clone().unsqueeze_dim::<3>(1);
    let projected = x
        .reshape([shared, batch * steps, inputs])
        .matmul(weights.input.clone())
        .reshape([replicas, batch, steps, 4 * units]);

    let mut hidden = Tensor::<3>::zeros(state, options);
    let mut cell = Tensor::<3>::zeros(state, options);
    let mut sequence = vec![hidden.clone(); steps];
    for step in 0..steps {
        let step = if reverse { steps - 1 - step } else { step };
        let gates = projected
            .clone()
            .slice_dim(2, step..step + 1)
            .reshape([replicas, batch, 4 * units])
            + hidden.clone().matmul(weights.hidden.clone())
            + bias.clone();
        let gate = |i: usize| gates.clone().slice_dim(2, i * units..(i + 1) * units);
        let new_cell = sigmoid(gate(1)) * cell.clone() + sigmoid(gate(0)) * tanh(gate(2));
        let new_hidden = sigmoid(gate(3)) * tanh(new_cell.clone());
        match lengths {
            Some(lengths) => {
                let runs = running(lengths, step, state, &device);
                sequence[step] = hidden.zeros_like().mask_where(runs.clone(), new_hidden.clone());
                hidden = hidden.mask_where(runs.clone(), new_hidden);
                cell = cell.mask_where(runs, new_cell);
            }
            None => {
                sequence[step] = new_hidden.clone();
                (hidden, cell) = (new_hidden, new_cell);
            }
        }
    }
    LstmOutput {
        sequence: Tensor::stack(sequence, 2),
        last_hidden: hidden,
        last_cell: cell,
    }
}

/// Which samples still run at `step`, for every unit.
fn running(lengths: &[usize], step: usize, [replicas, batch, units]: [usize; 3], device: &Device) -> Tensor<3, Bool> {
    let mask = lengths.iter().map(|&length| step < length).collect();
    Tensor::<3, Bool>::from_data(TensorData::new::<bool, _>(mask, [replicas, batch, 1]), device)
        .expand([replicas, batch, units])
}
