//! The fitted pipeline of a feature table: scaling, imputation, encoding, reduction and selection, in the order of
//! `[features.NAME]`, key `fit`, each step fitted on what the steps before it make of the training rows.
//!
//! [`Pipeline::fit`] takes [`TrainRows`], and these are only made from a [`TrainFold`](crate::cohort::split::TrainFold),
//! so no statistic of a validation or test subject can be computed by mistake.
//!
//! The width of what a pipeline puts out follows from its configuration and from the columns put in, never from the
//! values: models of all folds have one shape, whichever categories, components or columns a fold finds. What a fold
//! has no use for is a column of zeros.
//!
//! A missing value is NaN; infinite ones are taken for missing, too.

mod config;
mod encode;
mod impute;
mod lasso;
mod pca;
mod pipeline;
mod rows;
mod scaler;

pub use config::{FitConfig, KnnWeights, columns_after, problems};
pub use impute::KnnImputer;
pub use lasso::{Design, LassoModel, LassoPath, alpha_grid, cross_validation_errors};
pub use pca::Pca;
pub use pipeline::{Pipeline, Step};
pub use rows::TrainRows;
pub use scaler::Scaler;
