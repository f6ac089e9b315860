//! Splits by subject: who is trained on, who selects, who is tested; fixed and hashed before any training.
//!
//! Every split covers the whole cohort: each subject is in exactly one of train, valid and test. What a split draws at
//! random is the *order* of the subjects of one class: they are sorted by
//! `SHA-256("recoup-split-1\n{seed}\n{repeat}\n{purpose}\n{subject id}")` with purpose `outer` or `inner/{outer fold}`.
//! The draw depends on nothing else: not on the order of the input, not on a generator's state, not on the platform.
//!
//! *Stratified folds* deal the subjects out like cards: class after class, each in its drawn order, without starting
//! again at the first fold for a new class. So fold sizes, and the counts of each class, differ by at most one.
//! A *hold-out* takes the first subjects of each class; how many is settled by largest remainders, so that the total is
//! the rounded fraction, with at least one subject of each class on either side.
//!
//! Subjects of one *group* (a family, the patients of one therapist) are never separated. Where a group has two members
//! or more, folds and hold-outs are made of whole groups, as equal as these allow: folds get the largest groups first,
//! each where the class counts stay most even; a hold-out takes groups in drawn order while they bring the class counts
//! nearer to the fraction. Groups are drawn with `group\n{group}` in place of the subject's id.
//!
//! A leak should not compile: [`Split`] and [`TrainFold`] have no public constructor and cannot be deserialised by
//! others, and whatever is fitted asks for a [`TrainFold`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    io::Write as _,
    path::Path,
};

use serde::{Deserialize, Serialize};

mod check;
mod config;
mod draw;
mod error;
mod order;
mod units;

pub use config::{Group, InnerConfig, ProtocolConfig, SplitConfig};
pub use error::SplitError;

pub(super) use check::first_difference;

use check::sorted;
use draw::{inner_folds, outer_folds};
use order::ids;

use crate::base::FileError;
use crate::base::file::write_new;
use crate::base::hash::digest;

const FORMAT: u32 = 1;

/// What a split needs to know of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectInfo {
    /// Unique in the cohort.
    pub id: String,
    /// Class index; [`majority_class`] where the class varies by session.
    pub class: usize,
    /// Where the subject was recorded, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// What ties subjects together, such as a family: in no split are two subjects of one group in different parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The class that most sessions of a subject have; the smallest index among equals; `None` without sessions.
pub fn majority_class(session_classes: &[usize]) -> Option<usize> {
    let mut counts = BTreeMap::<usize, usize>::new();
    session_classes
        .iter()
        .for_each(|&class| *counts.entry(class).or_default() += 1);
    // `rev` because `max_by_key` keeps the last of equals.
    counts
        .into_iter()
        .rev()
        .max_by_key(|&(_, count)| count)
        .map(|(class, _)| class)
}

/// Part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Everything fitted sees these subjects only.
    Train,
    /// Decides on stopping, selection, thresholds and temperatures.
    Valid,
    /// Looked at once, at the end.
    Test,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    repeat: usize,
    fold: usize,
    inner: Option<usize>,
    train: Vec<String>,
    valid: Vec<String>,
    test: Vec<String>,
}

/// One division of the cohort into train, valid and test. Only [`Splits`] makes one:
/// ```compile_fail,E0451
/// let split = recoup::cohort::split::Split { parts: todo!() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Split {
    parts: Parts,
}

impl Split {
    /// Which draw, from 0.
    pub fn repeat(&self) -> usize {
        self.parts.repeat
    }

    /// Outer fold, from 0.
    pub fn fold(&self) -> usize {
        self.parts.fold
    }

    /// Which inner fold validates, where inner folds were asked for.
    pub fn inner(&self) -> Option<usize> {
        self.parts.inner
    }

    fn order(&self) -> (usize, usize, Option<usize>) {
        (self.repeat(), self.fold(), self.inner())
    }

    /// Ids of a part, ascending.
    pub fn ids(&self, part: Part) -> &[String] {
        match part {
            Part::Train => &self.parts.train,
            Part::Valid => &self.parts.valid,
            Part::Test => &self.parts.test,
        }
    }

    /// The part a subject is in; `None` for a stranger.
    pub fn part_of(&self, id: &str) -> Option<Part> {
        let holds = |part: &Part| self.ids(*part).binary_search_by(|probe| probe.as_str().cmp(id)).is_ok();
        Part::ALL.into_iter().find(holds)
    }

    /// Positions in `subjects` of the subjects of a part, in ascending order of their ids. Fails if one is absent.
    pub fn positions(&self, part: Part, subjects: &[SubjectInfo]) -> Result<Vec<usize>, SplitError> {
        let by_id: BTreeMap<_, _> = subjects
            .iter()
            .enumerate()
            .map(|(i, subject)| (subject.id.as_str(), i))
            .collect();
        let position = |id: &String| {
            let absent = || SplitError::Absent {
                split: self.to_string(),
                part,
                subject: id.clone(),
            };
            by_id.get(id.as_str()).copied().ok_or_else(absent)
        };
        self.ids(part).iter().map(position).collect()
    }

    /// The key to fitting: positions in `subjects` of the training subjects. Fails if one is absent.
    pub fn train_fold(&self, subjects: &[SubjectInfo]) -> Result<TrainFold, SplitError> {
        let indices = self.positions(Part::Train, subjects)?;
        Ok(TrainFold {
            indices,
            num_subjects: subjects.len(),
        })
    }

    /// The split of the final fit after selection: validation subjects join the training, the test part stays.
    pub fn refit(&self) -> Self {
        let mut parts = self.parts.clone();
        parts.train.append(&mut parts.valid);
        parts.train.sort_unstable();
        parts.inner = None;
        Self { parts }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repeat {} fold {}", self.parts.repeat, self.parts.fold)?;
        self.parts.inner.map_or(Ok(()), |inner| write!(f, " inner {inner}"))
    }
}

/// The training subjects of one split: the only value that fitted transforms are built from, so that none can see a
/// validation or test row. Made by [`Split::train_fold`] and by nothing else:
/// ```compile_fail,E0451
/// let fold = recoup::cohort::split::TrainFold { indices: vec![0, 1], num_subjects: 2 };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainFold {
    indices: Vec<usize>,
    num_subjects: usize,
}

impl TrainFold {
    /// Positions in the cohort's list of subjects, in ascending order of the subjects' ids. Never out of range of the
    /// list the fold was made for.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Length of the list of subjects that the positions refer to, for checking an array's rows.
    pub fn num_subjects(&self) -> usize {
        self.num_subjects
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<S> {
    format: u32,
    config: SplitConfig,
    data_hash: String,
    subjects: Vec<SubjectInfo>,
    splits: Vec<S>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<S> {
    hash: String,
    content: Content<S>,
}

/// All splits of an experiment. On disk: `split.json` with `content` and `hash`, the SHA-256 of the content written as
/// JSON without white space.
#[derive(Clone, Debug, PartialEq)]
pub struct Splits {
    document: Document<Split>,
}

impl Splits {
    /// Draws the splits; the order of `subjects` does not matter. `data_hash` identifies the cohort's data.
    pub fn make(config: &SplitConfig, subjects: &[SubjectInfo], data_hash: &str) -> Result<Self, SplitError> {
        config.check()?;
        let subjects = sorted(subjects)?;
        let mut splits = Vec::new();
        for outer in outer_folds(config, &subjects)? {
            let test: BTreeSet<usize> = outer.test.iter().copied().collect();
            let rest: Vec<usize> = (0..subjects.len()).filter(|i| !test.contains(i)).collect();
            for (inner, valid) in inner_folds(config, &subjects, &rest, &outer)? {
                let valid: BTreeSet<usize> = valid.into_iter().collect();
                let train = rest.iter().filter(|i| !valid.contains(i));
                let (repeat, fold) = (outer.repeat, outer.fold);
                let (train, valid, test) = (ids(&subjects, train), ids(&subjects, &valid), ids(&subjects, &test));
                splits.push(Split {
                    parts: Parts {
                        repeat,
                        fold,
                        inner,
                        train,
                        valid,
                        test,
                    },
                });
            }
        }
        let content = Content {
            format: FORMAT,
            config: config.clone(),
            data_hash: data_hash.into(),
            subjects,
            splits,
        };
        let splits = Self {
            document: Document {
                hash: hash_of(&content),
                content,
            },
        };
        splits.check()?;
        Ok(splits)
    }

    /// What was asked for.
    pub fn config(&self) -> &SplitConfig {
        &self.document.content.config
    }

    /// Hash of the data the splits were made for.
    pub fn data_hash(&self) -> &str {
        &self.document.content.data_hash
    }

    /// The cohort, ascending by id.
    pub fn subjects(&self) -> &[SubjectInfo] {
        &self.document.content.subjects
    }

    /// The splits by repeat, fold, inner fold.
    pub fn splits(&self) -> &[Split] {
        &self.document.content.splits
    }

    /// SHA-256 of the content, in hexadecimal: what runs record.
    pub fn hash(&self) -> &str {
        &self.document.hash
    }

    /// Writes `split.json`: temporary file, sync, rename. A file already there is never replaced: the same splits are
    /// fine (another life of the same run), others are an error.
    pub fn freeze(&self, path: &Path) -> Result<(), SplitError> {
        let written = write_new(path, |file| {
            serde_json::to_writer_pretty(&mut *file, &self.document)?;
            file.write_all(b"\n")
        });
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.io_kind() == Some(io::ErrorKind::AlreadyExists) => {
                let there = Self::read(path)?;
                match there.hash() == self.hash() {
                    true => Ok(()),
                    false => Err(SplitError::Frozen {
                        path: path.into(),
                        there: there.document.hash,
                        new: self.document.hash.clone(),
                    }),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads `split.json` and checks its hash and that each split is a division of its cohort.
    pub fn read(path: &Path) -> Result<Self, SplitError> {
        let text = std::fs::read(path).map_err(FileError::io(path, "read"))?;
        let Document { hash, content } =
            serde_json::from_slice::<Document<Parts>>(&text).map_err(|source| SplitError::Json {
                path: path.into(),
                source,
            })?;
        if content.format != FORMAT {
            return Err(SplitError::Format {
                path: path.into(),
                found: content.format,
            });
        }
        let found = hash_of(&content);
        if found != hash {
            return Err(SplitError::Hash {
                path: path.into(),
                stated: hash,
                found,
            });
        }
        let Content {
            format,
            config,
            data_hash,
            subjects,
            splits,
        } = content;
        config.check()?;
        let subjects = sorted(&subjects)?;
        let splits = splits.into_iter().map(|parts| Split { parts }).collect();
        let content = Content {
            format,
            config,
            data_hash,
            subjects,
            splits,
        };
        let splits = Self {
            document: Document { hash, content },
        };
        splits.check()?;
        Ok(splits)
    }

    /// [`Splits::read`], and checks that the splits were made for this cohort.
    pub fn load(path: &Path, subjects: &[SubjectInfo], data_hash: &str) -> Result<Self, SplitError> {
        let splits = Self::read(path)?;
        let now = sorted(subjects)?;
        if let Some((subject, difference)) = first_difference(splits.subjects(), &now) {
            return Err(SplitError::Cohort {
                path: path.into(),
                subject,
                difference,
            });
        }
        match splits.data_hash() == data_hash {
            true => Ok(splits),
            false => Err(SplitError::Data {
                path: path.into(),
                was: splits.document.content.data_hash,
                now: data_hash.into(),
            }),
        }
    }
}

fn hash_of<S: Serialize>(content: &Content<S>) -> String {
    // Serialisation to memory of strings, numbers and lists cannot fail; an empty text would only fail the comparison.
    let text = serde_json::to_vec(content).unwrap_or_default();
    digest(&text)
}
