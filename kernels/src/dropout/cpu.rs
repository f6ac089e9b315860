//! CPU path of [`dropout`](super::dropout): draws and product in one pass, in place where no other tensor reads `x`.

use super::autodiff::{Draw, DropoutOps};
use crate::cpu::{FlexTensor, contiguous, tensor, values};
use crate::random::{DRAWS_PER_TASK, UNUSED_BITS, each_block};
use crate::simd::vectorised;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

/// Multiplies one task's values by the mask.
fn apply(draw: &Draw, task: usize, values: &mut [f32]) {
    if draw.threshold == 0 {
        return;
    }
    let (threshold, kept) = (draw.threshold, draw.kept);
    let factor = |word: u32| if word >> UNUSED_BITS < threshold { 0.0 } else { kept };
    vectorised(|| {
        each_block(draw.stream, task, values, |words, x| {
            std::array::from_fn(|i| x[i] * factor(words[i]))
        });
    });
}

impl DropoutOps for Flex {
    fn replica_dropout(x: FlexTensor, draws: Vec<Draw>) -> FlexTensor {
        let mut x = contiguous(x);
        let (shape, all) = (x.shape(), x.shape().num_elements());
        if all == 0 {
            return x;
        }
        let len = all / draws.len();
        if x.storage::<f32>().len() == all
            && let Some(values) = x.try_storage_mut::<f32>()
        {
            values.par_chunks_mut(len).zip(&draws).for_each(|(values, draw)| {
                let tasks = values.par_chunks_mut(DRAWS_PER_TASK).enumerate();
                tasks.for_each(|(task, values)| apply(draw, task, values));
            });
            return x;
        }
        let mut y = vec![0.0; all];
        let rows = y.par_chunks_mut(len).zip(values(&x).par_chunks(len)).zip(&draws);
        rows.for_each(|((y, x), draw)| {
            let tasks = y
                .par_chunks_mut(DRAWS_PER_TASK)
                .zip(x.par_chunks(DRAWS_PER_TASK))
                .enumerate();
            tasks.for_each(|(task, (y, x))| {
                y.copy_from_slice(x);
                apply(draw, task, y);
            });
        });
        tensor(y, shape)
    }
}
