//! Dealing and holding out where subjects of one group stay together. Units (groups, and subjects without one) are drawn
//! as subjects are, with `group\n{group}` in place of the id; see the module's documentation for who goes where.

use std::collections::BTreeMap;

use super::order::{Draw, ids};
use super::{SplitError, SubjectInfo};

/// Subjects that stay together.
struct Unit {
    members: Vec<usize>,
    /// Members of each class.
    counts: Vec<usize>,
}

/// The units of some subjects in drawn order, and the sizes of their classes.
pub(super) struct Units {
    units: Vec<Unit>,
    totals: Vec<usize>,
}

/// What is left out together: the group, or the subject itself.
pub(super) fn unit_name(info: &SubjectInfo) -> (bool, &str) {
    info.group.as_deref().map_or((false, &info.id), |group| (true, group))
}

impl Units {
    /// `None` where every unit is one subject.
    pub(super) fn of(draw: &Draw, subjects: &[SubjectInfo], members: &[usize]) -> Option<Self> {
        let infos: Vec<(usize, &SubjectInfo)> = members.iter().filter_map(|&i| Some((i, subjects.get(i)?))).collect();
        let num_classes = infos.iter().map(|(_, info)| info.class + 1).max().unwrap_or(0);
        let mut by_name = BTreeMap::<(bool, &str), Unit>::new();
        let mut totals = vec![0; num_classes];
        for (i, info) in infos {
            let new = || Unit {
                members: Vec::new(),
                counts: vec![0; num_classes],
            };
            let unit = by_name.entry(unit_name(info)).or_insert_with(new);
            unit.members.push(i);
            unit.counts[info.class] += 1;
            totals[info.class] += 1;
        }
        if by_name.values().all(|unit| unit.members.len() == 1) {
            return None;
        }
        let key = |(grouped, name): (bool, &str)| match grouped {
            true => draw.key(&format!("group\n{name}")),
            false => draw.key(name),
        };
        let mut units: Vec<([u8; 32], Unit)> = by_name.into_iter().map(|(name, unit)| (key(name), unit)).collect();
        units.sort_by_key(|(key, _)| *key);
        Some(Self {
            units: units.into_iter().map(|(_, unit)| unit).collect(),
            totals,
        })
    }

    /// The largest unit first, each to the fold where it raises `sum over folds and classes of count^2 / total` least; of
    /// equals the smallest fold, and the first of these.
    pub(super) fn deal(
        mut self,
        draw: &Draw,
        subjects: &[SubjectInfo],
        num_folds: usize,
    ) -> Result<Vec<Vec<usize>>, SplitError> {
        self.check(draw, num_folds)?;
        self.units.sort_by_key(|unit| std::cmp::Reverse(unit.members.len()));
        let mut folds: Vec<Unit> = (0..num_folds).map(|_| self.empty()).collect();
        for unit in &self.units {
            let rise = |fold: &Unit| -> f64 {
                let classes = fold.counts.iter().zip(&unit.counts).zip(&self.totals);
                classes
                    .map(|((&has, &more), &total)| (more * (more + 2 * has)) as f64 / total.max(1) as f64)
                    .sum()
            };
            let best = folds
                .iter_mut()
                .min_by(|a, b| rise(a).total_cmp(&rise(b)).then(a.members.len().cmp(&b.members.len())));
            if let Some(fold) = best {
                fold.add(unit);
            }
        }
        for (number, fold) in folds.iter().enumerate() {
            self.has_all(draw, subjects, fold, format!("fold {number}"))?;
        }
        Ok(folds.into_iter().map(|fold| fold.members).collect())
    }

    /// For each class, the fewest units first, the first unit that has it; then, in drawn order, every unit that brings
    /// the counts nearer to the fraction, by `sum over classes of (count - fraction * total)^2 / total`.
    pub(super) fn hold_out(
        self,
        draw: &Draw,
        subjects: &[SubjectInfo],
        fraction: f64,
    ) -> Result<Vec<usize>, SplitError> {
        self.check(draw, 2)?;
        let mut held = self.empty();
        let mut taken = vec![false; self.units.len()];
        let mut classes: Vec<usize> = (0..self.totals.len()).filter(|&class| self.totals[class] > 0).collect();
        classes.sort_by_key(|&class| self.units.iter().filter(|unit| unit.counts[class] > 0).count());
        for class in classes {
            let first = self.units.iter().position(|unit| unit.counts[class] > 0);
            if let Some(first) = first.filter(|_| held.counts[class] == 0) {
                held.add(&self.units[first]);
                taken[first] = true;
            }
        }
        for (unit, taken) in self.units.iter().zip(&mut taken).filter(|(_, taken)| !**taken) {
            let distance = |more: &dyn Fn(usize) -> usize| -> f64 {
                let off =
                    |class: usize, total: usize| (held.counts[class] + more(class)) as f64 - fraction * total as f64;
                let totals = self.totals.iter().enumerate();
                totals
                    .map(|(class, &total)| off(class, total).powi(2) / total.max(1) as f64)
                    .sum()
            };
            if distance(&|class| unit.counts[class]) < distance(&|_| 0) {
                held.add(unit);
                *taken = true;
            }
        }
        let mut rest = self.empty();
        self.units
            .iter()
            .zip(&taken)
            .filter(|(_, taken)| !**taken)
            .for_each(|(unit, _)| rest.add(unit));
        self.has_all(draw, subjects, &held, "the part held out".into())?;
        self.has_all(draw, subjects, &rest, "the other part".into())?;
        Ok(held.members)
    }

    fn empty(&self) -> Unit {
        Unit {
            members: Vec::new(),
            counts: vec![0; self.totals.len()],
        }
    }

    /// Each class is in as many units as there are parts that need it.
    fn check(&self, draw: &Draw, needed: usize) -> Result<(), SplitError> {
        for class in (0..self.totals.len()).filter(|&class| self.totals[class] > 0) {
            let count = self.units.iter().filter(|unit| unit.counts[class] > 0).count();
            if count < needed {
                return Err(SplitError::TooFewGroups {
                    class,
                    count,
                    part: draw.part(),
                    needed,
                });
            }
        }
        Ok(())
    }

    fn has_all(&self, draw: &Draw, subjects: &[SubjectInfo], part: &Unit, name: String) -> Result<(), SplitError> {
        let lacking = |class: &usize| self.totals[*class] > 0 && part.counts[*class] == 0;
        match (0..self.totals.len()).find(lacking) {
            None => Ok(()),
            Some(class) => {
                let mut largest: Vec<String> = self
                    .units
                    .iter()
                    .max_by_key(|unit| unit.members.len())
                    .map_or(Vec::new(), |unit| ids(subjects, &unit.members));
                largest.sort_unstable();
                Err(SplitError::Unbalanced {
                    class,
                    name,
                    part: draw.part(),
                    largest: largest.join(", "),
                })
            }
        }
    }
}

impl Unit {
    fn add(&mut self, other: &Self) {
        self.members.extend(&other.members);
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(count, more)| *count += more);
    }
}
