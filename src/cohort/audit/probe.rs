//! The nearest-subject probe and its permutations.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::cohort::split::{Part, Split, SubjectInfo};

const NUM_PERMUTATIONS: u64 = 199;

/// Subjects with equal features share a cell. Which cells are nearest does not depend on the classes, so it is worked
/// out once for all permutations.
pub(super) struct Probe {
    /// Cell of each subject.
    cells: Vec<usize>,
    num_cells: usize,
    /// Per outer fold: each tested subject and the nearest cells among the others.
    folds: Vec<Vec<(usize, Vec<usize>)>>,
}

impl Probe {
    /// `features` by subject, as `ids`.
    pub(super) fn new(features: &[Vec<i64>], ids: &[&str], outer: &[&Split]) -> Self {
        let mut numbers: BTreeMap<&Vec<i64>, usize> = features.iter().map(|features| (features, 0)).collect();
        numbers
            .values_mut()
            .enumerate()
            .for_each(|(number, slot)| *slot = number);
        let cells: Vec<usize> = features.iter().map(|features| numbers[features]).collect();
        let points: Vec<&Vec<i64>> = numbers.into_keys().collect();
        let nearest = |cell: usize, occupied: &[bool]| {
            let distance =
                |other: usize| -> i64 { points[cell].iter().zip(points[other]).map(|(a, b)| (a - b).abs()).sum() };
            let mut best = (i64::MAX, Vec::new());
            for other in (0..points.len()).filter(|other| occupied[*other]) {
                match distance(other) {
                    closer if closer < best.0 => best = (closer, vec![other]),
                    equal if equal == best.0 => best.1.push(other),
                    _ => {}
                }
            }
            best.1
        };
        let fold = |split: &&Split| {
            let tested = |index: &usize| split.part_of(ids[*index]) == Some(Part::Test);
            let (test, train): (Vec<usize>, Vec<usize>) = (0..ids.len()).partition(tested);
            let mut occupied = vec![false; points.len()];
            train.iter().for_each(|&index| occupied[cells[index]] = true);
            test.into_iter()
                .map(|index| (index, nearest(cells[index], &occupied)))
                .collect()
        };
        let folds = outer.iter().map(fold).collect();
        Self {
            num_cells: points.len(),
            folds,
            cells,
        }
    }

    /// Mean over the classes tested of the share predicted right. Among the nearest subjects that class wins of which
    /// the largest share of its training subjects is there; the first of equals.
    pub(super) fn balanced_accuracy(&self, classes: &[usize]) -> f64 {
        let num_classes = classes.iter().max().map_or(0, |max| max + 1);
        let mut counts = vec![vec![0_i64; num_classes]; self.num_cells];
        let mut totals = vec![0_i64; num_classes];
        let (mut hits, mut tests) = (vec![0_u64; num_classes], vec![0_u64; num_classes]);
        let change = |counts: &mut Vec<Vec<i64>>, totals: &mut Vec<i64>, index: usize, by: i64| {
            counts[self.cells[index]][classes[index]] += by;
            totals[classes[index]] += by;
        };
        (0..classes.len()).for_each(|index| change(&mut counts, &mut totals, index, 1));
        for fold in &self.folds {
            fold.iter()
                .for_each(|(index, _)| change(&mut counts, &mut totals, *index, -1));
            for (index, nearest) in fold {
                let near = |class: usize| nearest.iter().map(|&cell| counts[cell][class]).sum::<i64>();
                let mut best = (0, 0, 1);
                for class in (0..num_classes).filter(|class| totals[*class] > 0) {
                    let near = near(class);
                    // near / total > best, without rounding.
                    if near * best.2 > best.1 * totals[class] {
                        best = (class, near, totals[class]);
                    }
                }
                tests[classes[*index]] += 1;
                hits[classes[*index]] += u64::from(best.0 == classes[*index]);
            }
            fold.iter()
                .for_each(|(index, _)| change(&mut counts, &mut totals, *index, 1));
        }
        let recalls = hits.iter().zip(&tests).filter(|(_, tests)| **tests > 0);
        let recalls: Vec<f64> = recalls.map(|(hits, tests)| *hits as f64 / *tests as f64).collect();
        recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
    }
}

/// Share of values at least as large as the observed one, itself included.
pub(super) fn p_value(observed: f64, null: impl Iterator<Item = f64>) -> f64 {
    let (mut as_large, mut all) = (1, 1);
    for value in null {
        all += 1;
        // Equal sums in another order may differ in the last bits.
        as_large += i32::from(value >= observed - 1e-12);
    }
    f64::from(as_large) / f64::from(all)
}

/// The classes of the subjects, permuted again and again; see the module above.
pub(super) fn permutations(subjects: &[SubjectInfo], classes: &[usize]) -> Vec<Vec<usize>> {
    let key = |info: &SubjectInfo| {
        let digest: [u8; 32] = Sha256::digest(&info.id).into();
        digest
            .iter()
            .take(8)
            .fold(0_u64, |key, byte| key << 8 | u64::from(*byte))
    };
    let keys: Vec<u64> = subjects.iter().map(key).collect();
    let permutation = |round| {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|&index| (splitmix64(keys[index] ^ splitmix64(round)), index));
        order.into_iter().map(|index| classes[index]).collect()
    };
    (0..NUM_PERMUTATIONS).map(permutation).collect()
}

/// The output function of SplitMix64 (Steele, Lea and Flood 2014).
fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
