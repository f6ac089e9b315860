//! From files to arrays: a dataset's *card* says where its files come from and how to read them, [`load_cohort`] reads
//! them into a [`Cohort`], [`Prepared`] keeps the cohort as memory-mapped tables, [`windows`] cuts it into samples and
//! [`split`] deals its subjects into folds.
//!
//! Every modality is a table of rows, `[rows, channels]`: samples of a signal, strides, images, or the one row of a
//! clinical table. A window is one range of rows in each table, and an empty range is a missing modality.

pub mod audit;
pub mod card;
pub mod clinical;
pub mod cohort;
pub mod deidentify;
pub mod draft;
pub mod error;
pub mod fetch;
pub mod formats;
pub mod load;
pub mod prepared;
pub mod resample;
pub mod simulate;
pub mod split;
pub mod window;

pub use card::Card;
pub use cohort::{Channel, Cohort, ModalityKind, ModalitySpec, Recording, Session, Subject};
pub use error::DataError;
pub use load::load_cohort;
pub use prepared::{Prepared, PreparedSession, PreparedSubject, RowRange};
pub use simulate::SimulateConfig;
pub use window::{Window, WindowConfig, windows};
