//! Files that are named and filled alike.

use std::collections::BTreeSet;

use super::content::Content;
use super::keys::Head;
use super::names::{Ground, Roles, some};

/// The recordings of one modality.
pub(super) struct Group {
    /// Unique among the groups.
    pub(super) name: String,
    pub(super) roles: Roles,
    pub(super) content: Content,
    pub(super) num_files: usize,
}

impl Group {
    pub(super) fn head(&self, optional: bool) -> Head<'_> {
        Head {
            name: &self.name,
            pattern: &self.roles.pattern,
            num_files: self.num_files,
            optional,
        }
    }

    fn key(&self) -> String {
        format!("`modality.{}.file`", self.name)
    }
}

/// Whether some session lacks a file of each group.
pub(super) fn lacking(groups: &[Group]) -> Vec<bool> {
    let everybody: BTreeSet<_> = groups.iter().flat_map(|group| &group.roles.subjects).collect();
    let sessions: BTreeSet<_> = groups.iter().flat_map(|group| &group.roles.pairs).collect();
    let complete = |group: &Group| match group.roles.sessions.is_empty() {
        true => group.roles.subjects.len() == everybody.len(),
        false => group.roles.pairs.len() == sessions.len(),
    };
    groups.iter().map(|group| !complete(group)).collect()
}

/// Asks whose each file is: of everything that a draft guesses, this does most harm where it is wrong.
pub(super) fn ask_whose(groups: &[Group], questions: &mut Vec<String>) {
    let mut asked: Vec<(&Group, Vec<&Group>)> = Vec::new();
    for group in groups {
        let same = |other: &&mut (&Group, Vec<&Group>)| {
            other.0.roles.subjects == group.roles.subjects && other.0.roles.ground == group.roles.ground
        };
        match asked.iter_mut().find(same) {
            Some((_, others)) => others.push(group),
            None => asked.push((group, vec![group])),
        }
    }
    // What is least certain comes first.
    asked.sort_by_key(|(group, _)| std::cmp::Reverse(group.roles.ground));
    for (group, others) in asked {
        let keys: Vec<String> = others.iter().map(|group| group.key()).collect();
        let num_files = others.iter().map(|group| group.num_files).sum();
        questions.push(whose(&group.roles, &keys.join(", "), num_files));
    }
}

fn whose(roles: &Roles, keys: &str, num_files: usize) -> String {
    let (file, subject) = &roles.example;
    let num_subjects = roles.subjects.len();
    let guess = match roles.ground {
        Ground::Known => "which a table lists",
        Ground::Id => "which looks like the id of a person",
        Ground::Groups => "which is the likeliest name of a person",
        Ground::Counter => "which is a mere number or kind, as nothing else in the names tells persons apart",
    };
    let what = match roles.ground {
        Ground::Counter => "If a person has several files, these stand in training and in test, and results look far better \
                            than they are: put the files of each person into a folder and write `{subject}/*` for it, or \
                            list the files in a table and name its column of persons with `table.group`"
            .to_string(),
        _ => format!(
            "If `{subject}` is not one person, files of a person stand in training and in test, and results look far better \
             than they are: write `{{subject}}` where the person stands, `{{session}}` for a visit, `*` for the rest"
        ),
    };
    format!(
        "{keys}: whose is each file? guess: `{subject}` in `{file}`, {guess}; so {num_files} files are of {num_subjects} \
         subjects. {what}"
    )
}

/// Asks about names that a card cannot tell apart, and about splits that somebody made.
pub(super) fn ask_about_names(groups: &[Group], questions: &mut Vec<String>) {
    for group in groups {
        if let Some(clash) = &group.roles.clash {
            questions.push(format!(
                "{}: {clash}, so `recoup data prepare` will stop; give each person, or each visit, a part of the name that \
                 no other has, such as `cat_001.png` and `dog_001.png`",
                group.key()
            ));
        }
        if let Some((words, num_both)) = &group.roles.split {
            let both = match num_both {
                0 => String::new(),
                num => format!(" {num} subjects stand in several of them, which is a leak."),
            };
            questions.push(format!(
                "{}: {} look like a split that somebody made.{both} It is not used, as Recoup splits by subject itself; to \
                 keep files for a test of your own, move them out of `raw`",
                group.key(),
                some(words)
            ));
        }
    }
}
