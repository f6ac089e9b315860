//! From files to subjects: a dataset's *card* says where its files come from and how to read them, [`load_cohort`] reads
//! them into a [`Cohort`].

pub mod card;
pub mod draft;
pub mod error;
pub mod fetch;
pub mod load;
mod paths;
mod rate;
pub mod subjects;
pub mod warning;

pub use card::Card;
pub use error::DataError;
pub use load::{SessionReader, load_cohort};
pub use paths::DataPaths;
pub use subjects::{Channel, Cohort, ModalityKind, ModalitySpec, Recording, Session, Subject};
