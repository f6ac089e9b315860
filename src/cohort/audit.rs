//! What the types cannot catch before training: the same bytes under two subjects, one subject under two spellings,
//! classes that a part lacks, and things that predict the class and should not.
//!
//! That no subject is in two parts of a split needs no finding: [`Splits`] cannot hold such a split. *Probes* predict
//! the class from something that carries no measurement (file order, order of the ids, site, which modalities are
//! missing), by the nearest subjects outside the test part, each class weighted equally. Their balanced accuracy is
//! compared with that under permuted classes; what beats chance is a way for a model to be right for the wrong reason.
//!
//! Randomness: permutation `round` orders the subjects by `splitmix64(first 8 bytes of SHA-256(id) ^ splitmix64(round))`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::split::{Splits, SubjectInfo, first_difference};
use crate::base::{Class, Classified};

mod checks;
mod folders;
mod probe;

pub use folders::folders_of_one_class;

/// Shorter recordings may be equal by chance, such as a column of a clinical table.
const MIN_DUPLICATE_LEN: usize = 16;
/// A probe or an association with a p-value up to this is a finding.
const MAX_P_VALUE: f64 = 0.01;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Results may mislead.
    Warning,
    /// Results would be wrong.
    Error,
}

/// What a [`Finding`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Two subjects have a recording in common, value by value.
    DuplicateRecording,
    /// Two ids or two sites differ in spelling only.
    SimilarName,
    /// Sites are in training and test.
    SiteOverlap,
    /// A part of a split lacks a class.
    MissingClass,
    /// A modality that does not vary.
    ConstantModality,
    /// Missing values in some classes more than in others.
    MissingByClass,
    /// A probe beats chance.
    Probe,
    /// Files of one folder are different subjects, always of one class.
    FolderOfOneClass,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: FindingKind,
    /// For people: names, counts, what to do.
    pub message: String,
}

/// How well something without a measurement predicts the class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeResult {
    /// What predicts.
    pub name: &'static str,
    /// Mean over the classes of the share of tested subjects predicted right, all outer folds pooled.
    pub balanced_accuracy: f64,
    /// One over the number of classes.
    pub chance: f64,
    /// Share of permutations that do as well, the data themselves counted as one: never below 1/200.
    pub p_value: f64,
}

/// What [`Audit::finish`] found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditReport {
    /// Worst first.
    pub findings: Vec<Finding>,
    /// All probes, those at chance too; none with a single class.
    pub probes: Vec<ProbeResult>,
}

impl AuditReport {
    /// Adds a finding to the others.
    pub fn add(&mut self, finding: Option<Finding>) {
        self.findings.extend(finding);
        self.findings
            .sort_by_key(|finding| (Reverse(finding.severity), finding.kind));
    }

    /// The worst severity found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.first().map(|finding| finding.severity)
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |severity| {
            self.findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
        write!(f, "audit: {errors} errors, {warnings} warnings, {notes} notes")?;
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            write!(f, "\n{severity}: {}", finding.message)?;
        }
        self.probes.iter().try_for_each(|probe| write!(f, "\nprobe {probe}"))
    }
}

impl fmt::Display for ProbeResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            balanced_accuracy,
            chance,
            p_value,
        } = self;
        write!(
            f,
            "{name}: balanced accuracy {balanced_accuracy:.3} (chance {chance:.3}, p = {p_value:.3})"
        )
    }
}

/// What can be wrong with what an audit is given.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A recording of nobody.
    #[error("audit: modality {modality}: subject {subject} is not in the cohort")]
    Stranger {
        /// The id.
        subject: String,
        /// Of the recording.
        modality: String,
    },
    /// Splits of another cohort.
    #[error("audit: the splits were made for another cohort: subject {subject} {difference}")]
    Cohort {
        /// The first subject, by id, that differs.
        subject: String,
        /// How.
        difference: String,
    },
}

impl Classified for AuditError {
    fn class(&self) -> Class {
        Class::Input
    }
}

/// Takes the recordings one by one and keeps only their hashes and ranges.
pub struct Audit {
    /// Ascending by id, each with its place in the list given.
    subjects: Vec<(SubjectInfo, usize)>,
    /// By content, who has it, under which modality.
    contents: BTreeMap<[u8; 32], Vec<(usize, String)>>,
    modalities: BTreeMap<String, Modality>,
}

#[derive(Default)]
struct Modality {
    /// By subject: has a value missing.
    recorded: BTreeMap<usize, bool>,
    /// Subjects with a recording of more than one value, all equal.
    flat: BTreeSet<usize>,
    range: Option<(f32, f32)>,
}

/// [`Audit`] in one call: recordings are (subject id, modality, values), `NaN` where a value is missing; a column of a
/// table is a modality with one value per subject.
pub fn audit<'a>(
    subjects: &[SubjectInfo],
    recordings: impl IntoIterator<Item = (&'a str, &'a str, &'a [f32])>,
    splits: &Splits,
) -> Result<AuditReport, AuditError> {
    let mut audit = Audit::new(subjects);
    for (subject, modality, values) in recordings {
        audit.add(subject, modality, values)?;
    }
    audit.finish(splits)
}

impl Audit {
    /// `subjects` in the order of the files: one of the probes is this order.
    pub fn new(subjects: &[SubjectInfo]) -> Self {
        let mut subjects: Vec<_> = subjects.iter().cloned().zip(0..).collect();
        subjects.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        Self {
            subjects,
            contents: BTreeMap::new(),
            modalities: BTreeMap::new(),
        }
    }

    /// Adds a recording, or one channel of it; a subject may have several.
    pub fn add(&mut self, subject: &str, modality: &str, values: &[f32]) -> Result<(), AuditError> {
        let found = self
            .subjects
            .binary_search_by(|(info, _)| info.id.as_str().cmp(subject));
        let stranger = |_| AuditError::Stranger {
            subject: subject.into(),
            modality: modality.into(),
        };
        let index = found.map_err(stranger)?;
        let entry = self.modalities.entry(modality.to_owned()).or_default();
        *entry.recorded.entry(index).or_default() |= values.is_empty() || values.iter().any(|value| value.is_nan());
        let range = values
            .iter()
            .filter(|value| !value.is_nan())
            .fold(None, |range, &value| match range {
                None => Some((value, value)),
                Some((min, max)) => Some((value.min(min), value.max(max))),
            });
        let Some((min, max)) = range else {
            return Ok(());
        };
        entry.range = Some(
            entry
                .range
                .map_or((min, max), |(low, high)| (low.min(min), high.max(max))),
        );
        if min == max && values.len() > 1 {
            entry.flat.insert(index);
        } else if values.len() >= MIN_DUPLICATE_LEN {
            let mut hasher = Sha256::new();
            values.iter().for_each(|value| hasher.update(value.to_le_bytes()));
            self.contents
                .entry(hasher.finalize().into())
                .or_default()
                .push((index, modality.to_owned()));
        }
        Ok(())
    }

    /// Compares with the splits.
    pub fn finish(self, splits: &Splits) -> Result<AuditReport, AuditError> {
        let infos: Vec<SubjectInfo> = self.subjects.iter().map(|(info, _)| info.clone()).collect();
        if let Some((subject, difference)) = first_difference(splits.subjects(), &infos) {
            return Err(AuditError::Cohort { subject, difference });
        }
        let outer = checks::outer(splits);
        let mut findings = Vec::new();
        self.duplicates(&outer, &mut findings);
        self.similar_names(&outer, splits, &mut findings);
        self.missing_classes(splits, &mut findings);
        self.constant_modalities(&mut findings);
        let classes: Vec<usize> = infos.iter().map(|info| info.class).collect();
        let mut probes = Vec::new();
        if classes.iter().any(|class| Some(class) != classes.first()) {
            let permuted = probe::permutations(&infos, &classes);
            self.missing_by_class(&classes, &permuted, &mut findings);
            probes = self.probes(&outer, &classes, &permuted, &mut findings);
        }
        findings.sort_by_key(|finding| (Reverse(finding.severity), finding.kind));
        Ok(AuditReport { findings, probes })
    }
}
