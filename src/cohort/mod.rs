//! The subjects of an experiment: [`Prepared`] keeps a cohort as memory-mapped tables, [`windows`] cuts it into samples
//! and [`split`] deals its subjects into folds.
//!
//! Every modality is a table of rows, `[rows, channels]`: samples of a signal, strides, images, or the one row of a
//! clinical table. A window is one range of rows in each table, and an empty range is a missing modality.

pub mod audit;
pub mod prepared;
pub mod split;
pub mod window;

pub use prepared::{Prepared, PreparedSession, PreparedSubject, RowRange};
pub use window::{Window, WindowConfig, windows};
