//! What can be wrong with splits.

use std::path::PathBuf;

use super::{FORMAT, Part};
use crate::base::{Class, Classified, FileError};

/// What can be wrong with splits.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// A setting out of range.
    #[error("split: {field} = {value}: expected {expected}")]
    Config {
        /// Path of the setting inside the `[split]` table.
        field: &'static str,
        /// As given.
        value: String,
        /// What is accepted.
        expected: String,
    },
    /// An empty cohort.
    #[error("split: the cohort has no subjects; check the filters of the cohort")]
    NoSubjects,
    /// A subject without an id.
    #[error("split: a subject has an empty id; every subject needs its own")]
    EmptyId,
    /// An id given to two subjects.
    #[error("split: subject {subject} is listed twice; merge the entries, their sessions belong to one subject")]
    Twice {
        /// The id.
        subject: String,
    },
    /// A class that cannot be in every part.
    #[error(
        "split: class {class} has {count} of the {needed} subjects that it needs ({subjects}) in {part}; ask for fewer \
         folds, merge or drop the class"
    )]
    TooFew {
        /// Class index.
        class: usize,
        /// How many subjects it has.
        count: usize,
        /// Their ids.
        subjects: String,
        /// Where they were counted.
        part: String,
        /// How many it needs: one per fold, or one on either side.
        needed: usize,
    },
    /// A class in too few groups.
    #[error(
        "split: class {class} is in {count} of the {needed} groups that it needs in {part}, and groups are never \
         separated; ask for fewer folds, merge or drop the class"
    )]
    TooFewGroups {
        /// Class index.
        class: usize,
        /// In how many groups it is; a subject without a group is one.
        count: usize,
        /// Where they were counted.
        part: String,
        /// How many it needs.
        needed: usize,
    },
    /// Groups that leave a part without a class.
    #[error(
        "split: {name} of {part} gets no subject of class {class}, as groups are never separated (the largest: \
         {largest}); ask for fewer folds, another seed or another fraction"
    )]
    Unbalanced {
        /// Class index.
        class: usize,
        /// Of the part that lacks it.
        name: String,
        /// What is divided.
        part: String,
        /// Ids of the largest group.
        largest: String,
    },
    /// A group is needed and unknown.
    #[error("split: subject {subject} has no group; leave-one-group-out by group needs one for every subject")]
    NoGroup {
        /// The first such subject.
        subject: String,
    },
    /// A group that leave-one-site-out would tear apart.
    #[error(
        "split: group {group} is in the sites {} (subject {}) and {} (subject {}), which leave-one-group-out by site \
         would separate; leave out by group, or correct one of the two",
        first.0, first.1, second.0, second.1
    )]
    GroupAcrossSites {
        /// The group.
        group: String,
        /// A site and a subject of the group there.
        first: (String, String),
        /// Another.
        second: (String, String),
    },
    /// A site is needed and unknown.
    #[error("split: subject {subject} has no site; leave-one-group-out by site needs one for every subject")]
    NoSite {
        /// The first such subject.
        subject: String,
    },
    /// Nothing to train on.
    #[error("split: leave-one-group-out needs two groups at least, and {only} is the only one")]
    OneGroup {
        /// The group.
        only: String,
    },
    /// A subject of a split is not in the list given.
    #[error(
        "split {split}: {part} subject {subject} is not in the list of subjects; was the split made for another cohort?"
    )]
    Absent {
        /// Repeat and fold.
        split: String,
        /// Its part.
        part: Part,
        /// The id.
        subject: String,
    },
    /// A split that does not divide its cohort.
    #[error("split {split}: subject {subject} {problem}; make the splits anew")]
    Invalid {
        /// Repeat and fold.
        split: String,
        /// The id.
        subject: String,
        /// What is wrong.
        problem: String,
    },
    /// Splits or ids out of order, such as a fold that is there twice.
    #[error("split {split}: {what} do not ascend; make the splits anew")]
    Order {
        /// Repeat and fold.
        split: String,
        /// What is out of order.
        what: &'static str,
    },
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not a split document; the source names line and column.
    #[error("{}: not a split document: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A file of another version.
    #[error("{}: split format {found}, this version reads {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u32,
    },
    /// The content was changed after it was frozen.
    #[error(
        "{}: the content has SHA-256 {found}, the file states {stated}: it was edited or damaged after it was frozen; \
         restore it, or remove it and make the splits anew",
        path.display()
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// As stated in the file.
        stated: String,
        /// As computed.
        found: String,
    },
    /// Splits of another cohort.
    #[error("{}: made for another cohort: subject {subject} {difference}; start a new run", path.display())]
    Cohort {
        /// The file.
        path: PathBuf,
        /// The first subject, by id, that differs.
        subject: String,
        /// How.
        difference: String,
    },
    /// Splits of the same subjects with other data.
    #[error("{}: made for data with hash {was}, the data have {now}; start a new run", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// As stored.
        was: String,
        /// As given.
        now: String,
    },
    /// Other splits are frozen there.
    #[error(
        "{}: holds other splits (hash {there}, new {new}) and is never replaced; start a new run", path.display()
    )]
    Frozen {
        /// The file.
        path: PathBuf,
        /// Hash of what is there.
        there: String,
        /// Hash of what was to be written.
        new: String,
    },
}

impl Classified for SplitError {
    fn class(&self) -> Class {
        Class::Input
    }
}
