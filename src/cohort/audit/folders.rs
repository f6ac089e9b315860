//! Folders that may be the subjects, rather than the files in them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, FindingKind, Severity};

/// A finding where each folder with files of several subjects holds one class only, although there are more such folders than
/// classes: a sign that the folder is the person, and its files were taken for subjects. Then one person stands in training and
/// test. `folders` has the class of each subject with files in a folder.
pub fn folders_of_one_class(folders: &BTreeMap<String, BTreeMap<String, usize>>) -> Option<Finding> {
    let shared: Vec<_> = folders.iter().filter(|(_, subjects)| subjects.len() > 1).collect();
    let classes_of = |subjects: &BTreeMap<String, usize>| subjects.values().copied().collect::<BTreeSet<usize>>();
    let all: BTreeSet<usize> = shared.iter().flat_map(|(_, subjects)| classes_of(subjects)).collect();
    let is_pure = shared.iter().all(|(_, subjects)| classes_of(subjects).len() == 1);
    let (first, subjects) = shared
        .first()
        .filter(|_| is_pure && all.len() > 1 && shared.len() > all.len())?;
    let names: Vec<&str> = subjects.keys().take(3).map(String::as_str).collect();
    let message = format!(
        "all subjects of one folder share a class, in each of {} folders (`{first}`: {}, ...); is the folder the person, and \
         are its files recordings of that person? Then write `{{subject}}` for the folder in the card",
        shared.len(),
        names.join(", ")
    );
    Some(Finding {
        severity: Severity::Warning,
        kind: FindingKind::FolderOfOneClass,
        message,
    })
}
