//! Samples of signals: missing ones, columns side by side, shifts in time.

use std::path::Path;

use ndarray::{Array2, s};

use crate::base::error::DataError;
use crate::dataset::card::MissingRule;
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
        false => Err(DataError::NonFinite {
            file: file.to_path_buf(),
            channel: channel.to_string(),
            sample,
            count: samples.iter().filter(|value| value.is_nan()).count(),
        }),
    }
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
