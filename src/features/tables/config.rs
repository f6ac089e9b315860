//! `[features.NAME]`: what is computed from which modality.

use serde::{Deserialize, Serialize};

use super::compute::ComputeConfig;
use crate::cohort::window::WindowConfig;
use crate::features::signals::statistics::CleaningRules;
use crate::features::transforms::FitConfig;
use crate::signal::filter::FilterConfig;

/// One feature table, `[features.NAME]`; a stream reads it as `modality = "NAME"`.
///
/// ```toml
/// [features.muscle]
/// modality = "emg"
/// filter = [{ kind = "butterworth", band = "band-pass", low_hz = 20, high_hz = 450 }]
/// compute = [{ kind = "emg" }, { kind = "wavelet", wavelet = "db4", level = 4 }]
/// fit = [{ kind = "impute-mean" }, { kind = "pca", components = 8 }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// The modality that the features are of.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub modality: String,
    /// Instead of a modality: other feature tables, side by side; one row wherever one of them has one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<String>,
    /// Channels to read, in this order; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Unit that a row stands for.
    pub per: Per,
    /// For `per = "session"`: the features are computed of windows like these, and the row has mean and standard
    /// deviation of each. Without it the recording is one window, and held in memory as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowConfig>,
    /// Faults of a signal, which become missing samples before it is filtered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean: Option<CleaningRules>,
    /// Filters of a signal, one after the other, over the whole recording and before windows are cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter: Vec<FilterConfig>,
    /// Features to compute; a modality of one row per session may be taken as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compute: Vec<ComputeConfig>,
    /// Transforms of the table that are fitted on the training subjects of each fold, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fit: Vec<FitConfig>,
}

/// Unit that a row of a feature table stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// A window of the experiment.
    #[default]
    Window,
    /// A session.
    Session,
}
