//! Samples of signals: missing ones, columns side by side, shifts in time.

use std::path::Path;

use ndarray::{Array2, s};

use super::source::file_error;
use crate::dataset::card::MissingRule;
use crate::dataset::error::DataError;
use crate::signal::resample::interpolate_missing;

/// Treats missing samples as the card says.
pub(super) fn fill(samples: &mut [f32], rule: MissingRule, file: &Path, channel: &str) -> Result<(), DataError> {
    let Some(sample) = samples.iter().position(|value| value.is_nan()) else {
        return Ok(());
    };
    let filled = match rule {
        MissingRule::Error => false,
        MissingRule::Mask => true,
        MissingRule::Interpolate => interpolate_missing(samples),
    };
    match filled {
        true => Ok(()),
        false => {
            let count = samples.iter().filter(|value| value.is_nan()).count();
            Err(missing(file, channel, sample, count))
        }
    }
}

/// Error for missing samples that the card does not expect: the first of them and how many there are.
pub(super) fn missing(file: &Path, channel: &str, sample: usize, count: usize) -> DataError {
    let found = format!("sample {sample} missing or not finite ({count} such samples in the channel)");
    let hint = "set `missing = \"interpolate\"` or `missing = \"mask\"` in the card's modality to accept it";
    file_error(file, format!("channel `{channel}`"), found, "finite numbers", hint)
}

/// Channels of one length as columns.
pub(super) fn side_by_side(channels: &[Vec<f32>]) -> Array2<f32> {
    let num_rows = channels.first().map_or(0, Vec::len);
    let at = |(row, column): (usize, usize)| channels.get(column).and_then(|c| c.get(row)).copied();
    Array2::from_shape_fn((num_rows, channels.len()), |index| at(index).unwrap_or(f32::NAN))
}

/// A recording moved by whole samples: it begins `shift` samples later on the session's clock, or is cut at its beginning
/// where negative.
pub(super) fn shifted(values: &Array2<f32>, shift: isize, missing: MissingRule) -> Array2<f32> {
    let (rows, columns) = values.dim();
    if shift <= 0 {
        return values
            .slice(s![shift.unsigned_abs().min(rows.saturating_sub(1)).., ..])
            .to_owned();
    }
    let mut moved = Array2::from_elem((rows + shift as usize, columns), f32::NAN);
    moved.slice_mut(s![shift.., ..]).assign(values);
    if missing == MissingRule::Interpolate
        && let Some(first) = values.outer_iter().next()
    {
        moved.slice_mut(s![..shift, ..]).assign(&first);
    }
    moved
}
