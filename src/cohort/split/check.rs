//! What a cohort and its splits must hold.

use std::collections::BTreeMap;

use super::{Part, ProtocolConfig, SplitError, Splits, SubjectInfo};

impl Splits {
    /// Every split divides the cohort; every subject is tested once per repeat where the protocol says so.
    pub(super) fn check(&self) -> Result<(), SplitError> {
        let mut tested = BTreeMap::<(usize, &str), usize>::new();
        let num_repeats = match self.config().protocol {
            ProtocolConfig::StratifiedGroupKFold { repeats, .. } => repeats,
            ProtocolConfig::LeaveOneGroupOut { .. } => 1,
            ProtocolConfig::HoldOut { .. } => 0,
        };
        let mut before = None;
        for split in self.splits() {
            let invalid = |subject: &str, problem| {
                Err(SplitError::Invalid {
                    split: split.to_string(),
                    subject: subject.into(),
                    problem,
                })
            };
            if before.replace(split.order()) >= Some(split.order()) {
                return Err(SplitError::Order {
                    split: split.to_string(),
                    what: "the splits",
                });
            }
            if !Part::ALL.into_iter().all(|part| split.ids(part).is_sorted()) {
                return Err(SplitError::Order {
                    split: split.to_string(),
                    what: "the ids of each part",
                });
            }
            let mut seen = BTreeMap::new();
            for (part, id) in Part::ALL
                .into_iter()
                .flat_map(|part| split.ids(part).iter().map(move |id| (part, id)))
            {
                if let Some(before) = seen.insert(id.as_str(), part) {
                    return invalid(id, format!("is in {before} and in {part}"));
                }
            }
            let mut groups = BTreeMap::new();
            for info in self.subjects() {
                let (Some(group), Some(part)) = (&info.group, seen.get(info.id.as_str())) else {
                    continue;
                };
                let (other, before) = *groups.entry(group).or_insert((&info.id, *part));
                if before != *part {
                    return invalid(
                        &info.id,
                        format!("is in {part}, but {other} of its group {group} is in {before}"),
                    );
                }
            }
            for info in self.subjects() {
                if seen.remove(info.id.as_str()).is_none() {
                    return invalid(&info.id, "is in no part".into());
                }
            }
            if let Some((id, part)) = seen.first_key_value() {
                return invalid(id, format!("is in {part} but not in the cohort"));
            }
            for id in split.ids(Part::Test).iter().filter(|_| num_repeats > 0) {
                let fold = *tested.entry((split.repeat(), id)).or_insert(split.fold());
                if fold != split.fold() {
                    return invalid(id, format!("is tested in fold {fold} too"));
                }
            }
        }
        for (repeat, info) in (0..num_repeats).flat_map(|repeat| self.subjects().iter().map(move |info| (repeat, info)))
        {
            if !tested.contains_key(&(repeat, info.id.as_str())) {
                let (subject, problem) = (info.id.clone(), "is tested in no fold".into());
                return Err(SplitError::Invalid {
                    split: format!("repeat {repeat}"),
                    subject,
                    problem,
                });
            }
        }
        Ok(())
    }
}

/// Ascending by id; fails on what no cohort may be.
pub(super) fn sorted(subjects: &[SubjectInfo]) -> Result<Vec<SubjectInfo>, SplitError> {
    let mut subjects = subjects.to_vec();
    subjects.sort_by(|a, b| a.id.cmp(&b.id));
    match subjects.first() {
        None => return Err(SplitError::NoSubjects),
        Some(first) if first.id.is_empty() => return Err(SplitError::EmptyId),
        Some(_) => {}
    }
    let twice = subjects.windows(2).find_map(|pair| match pair {
        [a, b] if a.id == b.id => Some(a.id.clone()),
        _ => None,
    });
    twice.map_or(Ok(subjects), |subject| Err(SplitError::Twice { subject }))
}

/// Of two cohorts ascending by id: the first subject that differs, and how.
pub(crate) fn first_difference(was: &[SubjectInfo], now: &[SubjectInfo]) -> Option<(String, String)> {
    let same = was.iter().zip(now).take_while(|(was, now)| was == now).count();
    let lost = |was: &SubjectInfo| Some((was.id.clone(), "is in the splits but not in the cohort".into()));
    let new = |now: &SubjectInfo| Some((now.id.clone(), "is in the cohort but not in the splits".into()));
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "unknown".into());
    match (was.get(same), now.get(same)) {
        (None, None) => None,
        (Some(was), None) => lost(was),
        (None, Some(now)) => new(now),
        (Some(was), Some(now)) if was.id < now.id => lost(was),
        (Some(was), Some(now)) if was.id > now.id => new(now),
        (Some(was), Some(now)) if was.class != now.class => Some((
            was.id.clone(),
            format!("had class {} and now has {}", was.class, now.class),
        )),
        (Some(was), Some(now)) if was.site != now.site => Some((
            was.id.clone(),
            format!("had site {} and now has {}", name(&was.site), name(&now.site)),
        )),
        (Some(was), Some(now)) => Some((
            was.id.clone(),
            format!("had group {} and now has {}", name(&was.group), name(&now.group)),
        )),
    }
}
