//! What can be asked for, and its checks.

use serde::{Deserialize, Serialize};

use super::SplitError;

/// The `[split]` table of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// How test subjects are chosen.
    pub protocol: ProtocolConfig,
    /// How validation subjects are chosen among the others.
    pub inner: InnerConfig,
    /// Seed of all draws.
    pub seed: u64,
}

/// How test subjects are chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ProtocolConfig {
    /// Every subject is tested once per repeat; folds are equal in size and class shares (within one subject).
    StratifiedGroupKFold {
        /// At least 2.
        #[serde(default = "default_folds")]
        folds: usize,
        /// Independent draws of the folds.
        #[serde(default = "default_repeats")]
        repeats: usize,
    },
    /// One fold per subject, site or group. Nothing is drawn.
    LeaveOneGroupOut {
        /// What is left out together.
        group: Group,
    },
    /// A stratified random part is tested; with repeats a subject may be tested several times or never.
    HoldOut {
        /// Share of the subjects, in (0, 1).
        test_fraction: f64,
        /// Independent draws of the test part.
        #[serde(default = "default_repeats")]
        repeats: usize,
    },
}

/// What [`ProtocolConfig::LeaveOneGroupOut`] leaves out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// One subject, together with the others of its group.
    Subject,
    /// All subjects of one site.
    Site,
    /// All subjects of one group, such as a family or the patients of one therapist.
    Group,
}

/// How validation subjects, which decide on stopping and selection, are chosen among those not tested. By subject and
/// stratified by class in every case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum InnerConfig {
    /// A random part.
    HoldOut {
        /// Share of the subjects not tested, in (0, 1).
        #[serde(default = "default_valid_fraction")]
        valid_fraction: f64,
    },
    /// One of several folds.
    Folds {
        /// At least 2.
        #[serde(default = "default_inner_folds")]
        folds: usize,
        /// Which one, from 0.
        #[serde(default, rename = "use")]
        use_fold: usize,
    },
    /// Each of several folds in turn: nested cross-validation. [`Split::refit`](super::Split::refit) gives the split for the final fit.
    Nested {
        /// At least 2.
        #[serde(default = "default_inner_folds")]
        folds: usize,
    },
    /// No validation subjects. (A struct variant, since serde accepts unknown fields beside a unit variant.)
    None {},
}

fn default_folds() -> usize {
    5
}
fn default_inner_folds() -> usize {
    4
}
/// Most repeats of a protocol.
const MAX_REPEATS: usize = 1_000;

fn default_repeats() -> usize {
    1
}
fn default_valid_fraction() -> f64 {
    0.2
}

impl Default for ProtocolConfig {
    fn default() -> Self {
        Self::StratifiedGroupKFold {
            folds: default_folds(),
            repeats: default_repeats(),
        }
    }
}

impl Default for InnerConfig {
    fn default() -> Self {
        Self::HoldOut {
            valid_fraction: default_valid_fraction(),
        }
    }
}

impl SplitConfig {
    /// Checks what does not depend on the cohort.
    pub fn check(&self) -> Result<(), SplitError> {
        let fail = |field, value: String, expected: String| Err(SplitError::Config { field, value, expected });
        let folds = |field, folds: usize| match folds {
            2.. => Ok(()),
            _ => fail(field, folds.to_string(), "at least 2".into()),
        };
        let repeats = |repeats: usize| match repeats {
            1..=MAX_REPEATS => Ok(()),
            _ => fail("protocol.repeats", repeats.to_string(), format!("1 to {MAX_REPEATS}")),
        };
        let fraction = |field, fraction: f64| match fraction > 0.0 && fraction < 1.0 {
            true => Ok(()),
            false => fail(
                field,
                fraction.to_string(),
                "a share between 0 and 1, both excluded".into(),
            ),
        };
        match self.protocol {
            ProtocolConfig::StratifiedGroupKFold {
                folds: num,
                repeats: num_repeats,
            } => {
                folds("protocol.folds", num)?;
                repeats(num_repeats)?;
            }
            ProtocolConfig::HoldOut {
                test_fraction,
                repeats: num_repeats,
            } => {
                fraction("protocol.test_fraction", test_fraction)?;
                repeats(num_repeats)?;
            }
            ProtocolConfig::LeaveOneGroupOut { .. } => {}
        }
        match self.inner {
            InnerConfig::HoldOut { valid_fraction } => fraction("inner.valid_fraction", valid_fraction),
            InnerConfig::Folds { folds: num, use_fold } => {
                folds("inner.folds", num)?;
                match use_fold < num {
                    true => Ok(()),
                    false => fail(
                        "inner.use",
                        use_fold.to_string(),
                        format!("a fold from 0 to {}", num - 1),
                    ),
                }
            }
            InnerConfig::Nested { folds: num } => folds("inner.folds", num),
            InnerConfig::None {} => Ok(()),
        }
    }
}
