//! Random orders of the subjects, and who they put where.

use std::collections::BTreeMap;

use super::order::{Draw, ids};
use super::units::{Units, unit_name};
use super::{Group, InnerConfig, ProtocolConfig, SplitConfig, SplitError, SubjectInfo};

/// Positions are those in the sorted cohort, here and below.
pub(super) struct OuterFold {
    pub(super) repeat: usize,
    pub(super) fold: usize,
    pub(super) test: Vec<usize>,
}

pub(super) fn outer_folds(config: &SplitConfig, subjects: &[SubjectInfo]) -> Result<Vec<OuterFold>, SplitError> {
    let all: Vec<usize> = (0..subjects.len()).collect();
    let draw = |repeat| Draw {
        seed: config.seed,
        repeat,
        purpose: "outer".into(),
    };
    let mut outer = Vec::new();
    let mut add = |repeat, folds: Vec<Vec<usize>>| {
        outer.extend(
            folds
                .into_iter()
                .enumerate()
                .map(|(fold, test)| OuterFold { repeat, fold, test }),
        );
    };
    match config.protocol {
        ProtocolConfig::StratifiedGroupKFold { folds, repeats } => {
            for repeat in 0..repeats {
                add(repeat, draw(repeat).deal(subjects, &all, folds)?);
            }
        }
        ProtocolConfig::HoldOut { test_fraction, repeats } => {
            for repeat in 0..repeats {
                add(repeat, vec![draw(repeat).hold_out(subjects, &all, test_fraction)?]);
            }
        }
        ProtocolConfig::LeaveOneGroupOut { group } => {
            let mut groups = BTreeMap::<(bool, &str), Vec<usize>>::new();
            for (i, info) in subjects.iter().enumerate() {
                let name = match (group, &info.site, &info.group) {
                    // Relatives are left out together, whoever of them is meant.
                    (Group::Subject, _, _) => unit_name(info),
                    (Group::Site, Some(site), _) => (false, site.as_str()),
                    (Group::Site, None, _) => {
                        return Err(SplitError::NoSite {
                            subject: info.id.clone(),
                        });
                    }
                    (Group::Group, _, Some(group)) => (true, group.as_str()),
                    (Group::Group, _, None) => {
                        return Err(SplitError::NoGroup {
                            subject: info.id.clone(),
                        });
                    }
                };
                groups.entry(name).or_default().push(i);
            }
            if group == Group::Site {
                check_sites(subjects)?;
            }
            match groups.first_key_value() {
                Some((only, _)) if groups.len() == 1 => {
                    return Err(SplitError::OneGroup { only: only.1.into() });
                }
                _ => add(0, groups.into_values().collect()),
            }
        }
    }
    Ok(outer)
}

/// No group may have members in two sites.
fn check_sites(subjects: &[SubjectInfo]) -> Result<(), SplitError> {
    let mut sites = BTreeMap::new();
    for info in subjects {
        let (Some(group), Some(site)) = (&info.group, &info.site) else {
            continue;
        };
        let (first, subject) = *sites.entry(group).or_insert((site, &info.id));
        if first != site {
            let (first, second) = ((first.clone(), subject.clone()), (site.clone(), info.id.clone()));
            return Err(SplitError::GroupAcrossSites {
                group: group.clone(),
                first,
                second,
            });
        }
    }
    Ok(())
}

/// An inner fold's number, if inner folds were asked for, and its validation subjects.
pub(super) type InnerFold = (Option<usize>, Vec<usize>);

/// Validation subjects among `rest`.
pub(super) fn inner_folds(
    config: &SplitConfig,
    subjects: &[SubjectInfo],
    rest: &[usize],
    outer: &OuterFold,
) -> Result<Vec<InnerFold>, SplitError> {
    let draw = Draw {
        seed: config.seed,
        repeat: outer.repeat,
        purpose: format!("inner/{}", outer.fold),
    };
    let numbered = |folds: Vec<Vec<usize>>| folds.into_iter().enumerate().map(|(i, valid)| (Some(i), valid));
    Ok(match config.inner {
        InnerConfig::None {} => vec![(None, Vec::new())],
        InnerConfig::HoldOut { valid_fraction } => {
            vec![(None, draw.hold_out(subjects, rest, valid_fraction)?)]
        }
        InnerConfig::Nested { folds } => numbered(draw.deal(subjects, rest, folds)?).collect(),
        InnerConfig::Folds { folds, use_fold } => numbered(draw.deal(subjects, rest, folds)?)
            .filter(|(i, _)| *i == Some(use_fold))
            .collect(),
    })
}

impl Draw {
    /// Members of each class in drawn order; fails if a class has fewer than `needed`.
    fn classes(
        &self,
        subjects: &[SubjectInfo],
        members: &[usize],
        needed: usize,
    ) -> Result<Vec<Vec<usize>>, SplitError> {
        let mut classes = BTreeMap::<usize, Vec<([u8; 32], usize)>>::new();
        for &i in members {
            if let Some(info) = subjects.get(i) {
                classes.entry(info.class).or_default().push((self.key(&info.id), i));
            }
        }
        let mut ordered = Vec::new();
        for (class, mut members) in classes {
            members.sort_unstable();
            let members: Vec<usize> = members.into_iter().map(|(_, i)| i).collect();
            if members.len() < needed {
                let mut names = ids(subjects, &members);
                names.sort_unstable();
                let (count, subjects) = (names.len(), names.join(", "));
                return Err(SplitError::TooFew {
                    class,
                    count,
                    subjects,
                    part: self.part(),
                    needed,
                });
            }
            ordered.push(members);
        }
        Ok(ordered)
    }

    /// Stratified folds: see the module's documentation.
    fn deal(
        &self,
        subjects: &[SubjectInfo],
        members: &[usize],
        num_folds: usize,
    ) -> Result<Vec<Vec<usize>>, SplitError> {
        if let Some(units) = Units::of(self, subjects, members) {
            return units.deal(self, subjects, num_folds);
        }
        let order = self.classes(subjects, members, num_folds)?.concat();
        Ok((0..num_folds)
            .map(|fold| order.iter().skip(fold).step_by(num_folds).copied().collect())
            .collect())
    }

    /// Stratified hold-out: see the module's documentation.
    fn hold_out(&self, subjects: &[SubjectInfo], members: &[usize], fraction: f64) -> Result<Vec<usize>, SplitError> {
        if let Some(units) = Units::of(self, subjects, members) {
            return units.hold_out(self, subjects, fraction);
        }
        let classes = self.classes(subjects, members, 2)?;
        let quota = |members: &Vec<usize>| fraction * members.len() as f64;
        let mut counts: Vec<usize> = classes.iter().map(|members| quota(members) as usize).collect();
        let total = (fraction * members.len() as f64).round() as usize;
        let mut by_remainder: Vec<usize> = (0..classes.len()).collect();
        // Stable: the first of equal classes wins.
        by_remainder.sort_by(|&a, &b| quota(&classes[b]).fract().total_cmp(&quota(&classes[a]).fract()));
        let missing = total.saturating_sub(counts.iter().sum());
        by_remainder
            .into_iter()
            .take(missing)
            .for_each(|class| counts[class] += 1);
        let taken = classes
            .iter()
            .zip(counts)
            .flat_map(|(members, count)| members.iter().take(count.clamp(1, members.len() - 1)).copied());
        Ok(taken.collect())
    }
}
