//! The findings, one function each.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Audit, Finding, FindingKind, MAX_P_VALUE, Modality, ProbeResult, Severity,
    probe::{Probe, p_value},
};
use crate::base::text::spelling;
use crate::cohort::split::{Group, Part, ProtocolConfig, Split, Splits};

/// Names in a message; the rest is counted.
const MAX_NAMES: usize = 5;

/// One split per outer fold: inner folds do not change what is tested.
pub(super) fn outer(splits: &Splits) -> Vec<&Split> {
    let mut outer: Vec<&Split> = splits.splits().iter().collect();
    outer.dedup_by_key(|split| (split.repeat(), split.fold()));
    outer
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let shown: Vec<&str> = names.iter().copied().take(MAX_NAMES).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The first outer fold that tests one of two subjects and not the other.
fn separates<'a>(outer: &[&'a Split], a: &str, b: &str) -> Option<&'a Split> {
    let tests = |split: &Split, id| split.part_of(id) == Some(Part::Test);
    outer.iter().copied().find(|split| tests(split, a) != tests(split, b))
}

fn similar<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Vec<&'a str>> {
    let mut by_spelling = BTreeMap::<String, BTreeSet<&str>>::new();
    for name in names {
        by_spelling.entry(spelling(name)).or_default().insert(name);
    }
    by_spelling
        .into_values()
        .filter(|names| names.len() > 1)
        .map(|names| names.into_iter().collect())
        .collect()
}

impl Audit {
    fn id(&self, index: usize) -> &str {
        &self.subjects[index].0.id
    }

    pub(super) fn duplicates(&self, outer: &[&Split], findings: &mut Vec<Finding>) {
        for owners in self.contents.values() {
            let Some(((a, modality), (b, other))) = owners.first().and_then(|first| {
                owners
                    .iter()
                    .find(|owner| owner.0 != first.0)
                    .map(|second| (first, second))
            }) else {
                continue;
            };
            let (a, b) = (self.id(*a), self.id(*b));
            let all = list(owners.iter().map(|(index, _)| self.id(*index)));
            let what = if modality == other {
                modality.clone()
            } else {
                format!("{modality} and {other}")
            };
            let (severity, place) = match separates(outer, a, b) {
                Some(split) => (Severity::Error, format!("one is tested and the other not in {split}")),
                None => (Severity::Warning, "never tested apart".into()),
            };
            let message = format!(
                "subjects {all} have the same recording of {what}, value by value ({place}); one of them is a copy: \
                 remove it, or give both the id of one subject"
            );
            findings.push(Finding {
                severity,
                kind: FindingKind::DuplicateRecording,
                message,
            });
        }
    }

    pub(super) fn similar_names(&self, outer: &[&Split], splits: &Splits, findings: &mut Vec<Finding>) {
        let kind = FindingKind::SimilarName;
        for names in similar(self.subjects.iter().map(|(info, _)| info.id.as_str())) {
            let apart = names.windows(2).find_map(|pair| separates(outer, pair[0], pair[1]));
            let place = apart
                .map(|split| format!("; one is tested and the other not in {split}"))
                .unwrap_or_default();
            let message = format!(
                "subjects {} differ in spelling only{place}; is it one person?",
                list(names)
            );
            findings.push(Finding {
                severity: Severity::Warning,
                kind,
                message,
            });
        }
        let sites: BTreeSet<&str> = self
            .subjects
            .iter()
            .filter_map(|(info, _)| info.site.as_deref())
            .collect();
        for names in similar(sites.iter().copied()) {
            let message = format!("sites {} differ in spelling only; is it one site?", list(names));
            findings.push(Finding {
                severity: Severity::Warning,
                kind,
                message,
            });
        }
        let by_site = ProtocolConfig::LeaveOneGroupOut { group: Group::Site };
        if sites.len() > 1 && splits.config().protocol != by_site {
            let message = format!(
                "sites {} are in training and test; results do not tell of new sites (leave-one-group-out by site does)",
                list(sites)
            );
            findings.push(Finding {
                severity: Severity::Note,
                kind: FindingKind::SiteOverlap,
                message,
            });
        }
    }

    pub(super) fn missing_classes(&self, splits: &Splits, findings: &mut Vec<Finding>) {
        let class_of: BTreeMap<&str, usize> = self.subjects.iter().map(|(info, _)| (&*info.id, info.class)).collect();
        let all: BTreeSet<usize> = class_of.values().copied().collect();
        // By part and class: in how many splits, and the first.
        let mut lacking = BTreeMap::<(Severity, usize, &'static str), (usize, String)>::new();
        for split in splits.splits() {
            for part in Part::ALL {
                let has: BTreeSet<_> = split
                    .ids(part)
                    .iter()
                    .filter_map(|id| class_of.get(&**id))
                    .copied()
                    .collect();
                if has.is_empty() {
                    continue;
                }
                let (severity, effect) = match part {
                    Part::Train => (Severity::Error, "the training part: it cannot be learnt"),
                    Part::Valid => (Severity::Warning, "the validation part: selection does not see it"),
                    Part::Test => (Severity::Note, "the test part: metrics per class are undefined there"),
                };
                for &class in all.difference(&has) {
                    lacking
                        .entry((severity, class, effect))
                        .or_insert_with(|| (0, split.to_string()))
                        .0 += 1;
                }
            }
        }
        // Leave-one-subject-out tests one class at a time, by design.
        let single = ProtocolConfig::LeaveOneGroupOut { group: Group::Subject };
        for ((severity, class, effect), (count, first)) in lacking {
            if severity == Severity::Note && splits.config().protocol == single {
                continue;
            }
            let total = splits.splits().len();
            let message = format!("class {class} lacks in {effect} ({count} of {total} splits, first {first})");
            findings.push(Finding {
                severity,
                kind: FindingKind::MissingClass,
                message,
            });
        }
    }

    pub(super) fn constant_modalities(&self, findings: &mut Vec<Finding>) {
        let kind = FindingKind::ConstantModality;
        for (name, Modality { recorded, flat, range }) in &self.modalities {
            let (severity, message) = match range {
                None => (
                    Severity::Warning,
                    format!("modality {name} has no values at all; drop it"),
                ),
                Some((min, max)) if min == max && recorded.len() > 1 => (
                    Severity::Warning,
                    format!("modality {name} is {min} in every recording; drop it"),
                ),
                _ if flat.is_empty() => continue,
                _ => {
                    let names = list(flat.iter().map(|&index| self.id(index)));
                    let counts = format!("{} of {} subjects", flat.len(), recorded.len());
                    let message = format!("modality {name} does not vary within a recording of {counts} ({names})");
                    (Severity::Warning, format!("{message}; was the sensor off?"))
                }
            };
            findings.push(Finding {
                severity,
                kind,
                message,
            });
        }
    }

    /// Whether a modality is absent or has a missing value, by subject.
    fn missing(&self, modality: &Modality) -> Vec<bool> {
        (0..self.subjects.len())
            .map(|index| modality.recorded.get(&index).copied().unwrap_or(true))
            .collect()
    }

    /// Pearson's statistic of missing x class against its permutations.
    pub(super) fn missing_by_class(&self, classes: &[usize], permuted: &[Vec<usize>], findings: &mut Vec<Finding>) {
        let kind = FindingKind::MissingByClass;
        for (name, modality) in &self.modalities {
            let missing = self.missing(modality);
            let num_missing = missing.iter().filter(|missing| **missing).count();
            if num_missing == 0 || num_missing == missing.len() {
                continue;
            }
            let statistic = |classes: &[usize]| -> f64 {
                let share = num_missing as f64 / missing.len() as f64;
                let excess = |(lost, all): (usize, usize)| (lost as f64 - all as f64 * share).powi(2) / all as f64;
                counts(classes, &missing).into_values().map(excess).sum()
            };
            let p_value = p_value(statistic(classes), permuted.iter().map(|classes| statistic(classes)));
            let counts = counts(classes, &missing);
            let severity = match p_value <= MAX_P_VALUE {
                true => Severity::Warning,
                false if counts.values().any(|(lost, _)| *lost == 0) => Severity::Note,
                false => continue,
            };
            let each = counts
                .iter()
                .map(|(class, (lost, all))| format!("class {class}: {lost} of {all}"));
            let each = each.collect::<Vec<_>>().join(", ");
            let message = format!("modality {name} is missing or incomplete by class: {each} (p = {p_value:.3})");
            findings.push(Finding {
                severity,
                kind,
                message,
            });
        }
    }

    pub(super) fn probes(
        &self,
        outer: &[&Split],
        classes: &[usize],
        permuted: &[Vec<usize>],
        findings: &mut Vec<Finding>,
    ) -> Vec<ProbeResult> {
        let num_subjects = self.subjects.len();
        let one_hot = |on: usize, len: usize| (0..len).map(|i| i64::from(i == on)).collect::<Vec<_>>();
        let sites: Vec<&str> = self
            .subjects
            .iter()
            .filter_map(|(info, _)| info.site.as_deref())
            .collect();
        let sites: Vec<&str> = sites.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let site = |info: &Option<String>| sites.iter().position(|site| Some(*site) == info.as_deref());
        let missing: Vec<Vec<bool>> = self
            .modalities
            .values()
            .map(|modality| self.missing(modality))
            .collect();
        let mut features = vec![
            (
                "file order",
                self.subjects
                    .iter()
                    .map(|(_, place)| vec![*place as i64])
                    .collect::<Vec<_>>(),
            ),
            (
                "order of the ids",
                (0..num_subjects as i64).map(|place| vec![place]).collect(),
            ),
        ];
        if features[0].1 == features[1].1 {
            features.pop();
        }
        if sites.len() > 1 {
            let encode = |index: Option<usize>| one_hot(index.unwrap_or(sites.len()), sites.len());
            features.push((
                "site",
                self.subjects.iter().map(|(info, _)| encode(site(&info.site))).collect(),
            ));
        }
        if missing.iter().flatten().any(|missing| *missing) {
            let pattern = |index: usize| missing.iter().map(|column| i64::from(column[index])).collect();
            features.push(("missing modalities", (0..num_subjects).map(pattern).collect()));
        }
        let ids: Vec<&str> = self.subjects.iter().map(|(info, _)| info.id.as_str()).collect();
        let run = |(name, features): (&'static str, Vec<Vec<i64>>)| {
            let probe = Probe::new(&features, &ids, outer);
            let balanced_accuracy = probe.balanced_accuracy(classes);
            let null = permuted.iter().map(|classes| probe.balanced_accuracy(classes));
            let p_value = p_value(balanced_accuracy, null);
            let num_classes = classes.iter().collect::<BTreeSet<_>>().len();
            ProbeResult {
                name,
                balanced_accuracy,
                chance: 1.0 / num_classes as f64,
                p_value,
            }
        };
        let probes: Vec<ProbeResult> = features.into_iter().map(run).collect();
        for probe in probes.iter().filter(|probe| probe.p_value <= MAX_P_VALUE) {
            let message = format!("the class can be told from {probe}; keep it from the model, or balance it");
            findings.push(Finding {
                severity: Severity::Warning,
                kind: FindingKind::Probe,
                message,
            });
        }
        probes
    }
}

/// By class: missing, all.
fn counts(classes: &[usize], missing: &[bool]) -> BTreeMap<usize, (usize, usize)> {
    let mut counts = BTreeMap::<usize, (usize, usize)>::new();
    for (&class, &missing) in classes.iter().zip(missing) {
        let (lost, all) = counts.entry(class).or_default();
        (*lost, *all) = (*lost + usize::from(missing), *all + 1);
    }
    counts
}
