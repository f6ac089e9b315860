//! Strides: heel strikes and toe-offs from the force under the feet, and the statistics of a series of strides.

mod contacts;
mod dfa;
mod force;
mod series;
mod table;

pub use contacts::{ContactThreshold, Stride, strides};
pub use dfa::dfa_alpha;
pub use force::GaitForce;
pub(crate) use series::ratio;
pub use series::{Outliers, statistics, symmetry_index};
pub use table::SeriesFeature;

/// Checks a range of box sizes of [`dfa_alpha`], which stands at `dfa_sizes`.
fn check_dfa_sizes([smallest, largest]: [usize; 2]) -> Result<(), crate::base::Problem> {
    match smallest >= 4 && smallest < largest {
        true => Ok(()),
        false => {
            let found = format!("must be two ascending numbers of strides from 4 on, but is [{smallest}, {largest}]");
            Err(crate::base::Problem::new("dfa_sizes", found))
        }
    }
}

/// 10 to 20 strides, as Hausdorff et al. (1997, J Appl Physiol 82:262) fit series of five minutes.
fn dfa_sizes() -> [usize; 2] {
    [10, 20]
}
