//! What a card can say, table by table.

use std::collections::BTreeMap;

use serde::Deserialize;

use recoup_formats::delimited::DelimitedLayout;

mod column;
mod modality;
mod signal;
mod unlabelled;
mod visits;

pub use column::ColumnRule;
pub(super) use modality::retired_kind;
pub use modality::{AnnotationsRule, ContentRule, ImageRule, ModalityRule, SeriesRule, TableRowRule};
pub(in crate::dataset) use signal::DIGITAL_UNIT;
pub use signal::{AlignRule, Axis, MissingRule, PointsRule, SignalRule, TimeUnit};
pub use unlabelled::Unlabelled;
pub use visits::{ResponderRule, VisitsRule};

/// One more right content of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The file.
    pub file: String,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Why this content is as good.
    pub reason: String,
}

/// Where the subjects come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SubjectRule {
    /// Every id in the card's table is a subject.
    Table {},
    /// These.
    List {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Whatever `{subject}` matches in the modalities' files.
    Files {},
}

/// A table with one row per subject, or per session.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRule {
    /// The file.
    pub file: String,
    /// How its lines are cut into fields.
    #[serde(default)]
    pub layout: DelimitedLayout,
    /// The column with the subject's id.
    pub id: String,
    /// The column with the session's id; without one a row is for all sessions of its subject.
    pub session: Option<String>,
    /// The column with what ties subjects together, such as the family.
    pub group: Option<String>,
    /// The column with the subject's site.
    pub site: Option<String>,
}

/// How a session's class is found; the maps lead to names in [`Card::classes`](super::Card::classes).
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LabelRule {
    /// By a column of the table.
    Column {
        /// The column.
        column: String,
        /// Value of the column -> class; without a map the values are the classes.
        classes: Option<BTreeMap<String, String>>,
        /// What to do about a session without a value.
        #[serde(default)]
        unlabelled: Unlabelled,
    },
    /// By a number in a column of the table: the second of two classes from `at_least` on, the first below.
    Threshold {
        /// The column.
        column: String,
        /// The smallest number of the second class.
        at_least: f64,
        /// What to do about a session without a value.
        #[serde(default)]
        unlabelled: Unlabelled,
    },
    /// By the change of a score between two visits: the second of two classes where it got better by a minimal clinically
    /// important difference or more.
    Responder(Box<ResponderRule>),
    /// By the beginning of the subject's id; the longest that fits counts.
    IdPrefix {
        /// Prefix -> class.
        classes: BTreeMap<String, String>,
    },
    /// By what `{label}` matches in the names of the session's files.
    File {
        /// Text -> class; without a map the texts are the classes.
        classes: Option<BTreeMap<String, String>>,
    },
}
