//! The data of an experiment.

use super::config::DataSource;
use super::error::ExperimentError;
use super::file::ExperimentFile;
use crate::base::Problems;
use crate::cohort::prepared::Prepared;
use crate::dataset::DataPaths;
use crate::dataset::card::Card;

/// Opens the cohort of an experiment, prepared; the first time reads or simulates the recordings.
///
/// # Errors
/// [`ExperimentError::Problems`] for a simulated cohort that cannot be, or the errors of the dataset.
pub fn open_data(
    file: &ExperimentFile,
    paths: &DataPaths,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Prepared, ExperimentError> {
    match &file.config.data.source {
        DataSource::Simulated(config) => {
            let mut problems = Problems::default();
            problems.extend_below("data.source", config.problems());
            file.check(&problems)?;
            Ok(Prepared::build(&config.generate(), &paths.prepared("simulated"))?)
        }
        DataSource::Dataset(dataset) => {
            let card = Card::load(&paths.card(&dataset.name))?;
            let (raw, prepared) = (paths.raw(&dataset.name), paths.prepared(&dataset.name));
            Ok(Prepared::from_card_with(&card, &raw, &prepared, progress)?)
        }
    }
}
