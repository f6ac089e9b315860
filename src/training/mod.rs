//! Training R replicas as one program.
//!
//! [`trainer`] is the loop: epochs in rounds (a replica with a shorter epoch waits, frozen, for the others), one
//! [`step`] for all replicas, validation, early stopping, checkpoints. The replica law holds throughout: a replica
//! ends with the same bytes trained with others, alone, in chunks, or killed and resumed.

pub mod batch;
pub mod checkpoint;
mod config;
mod initial;
pub mod losses;
pub mod mixup;
pub mod optimizer;
mod replica;
pub mod schedule;
mod state;
pub mod step;
pub mod stopping;
pub mod trainer;

pub use batch::{DeviceData, StreamSource};
pub use config::{InitFromConfig, Precision, TrainingConfig};
pub use initial::{Columns, InitialWeights};
pub use losses::{ClassWeights, LossConfig};
pub use mixup::{Mixup, MixupConfig};
pub use optimizer::OptimizerConfig;
pub use replica::{Hyperparameters, Replica, Sampling};
pub use schedule::ScheduleConfig;
pub use stopping::{EarlyStoppingConfig, Progress, Status};
