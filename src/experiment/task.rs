//! The classes to predict and where each class of the data goes.

use recoup_kernels::random::{self, Key, Purpose};

use super::config::ExperimentConfig;
use crate::base::Problems;
use crate::cohort::prepared::{Prepared, PreparedSubject, several_classes};
use crate::cohort::split::{SubjectInfo, majority_class};
use crate::cohort::window::Window;

pub(super) struct Task {
    pub(super) classes: Vec<String>,
    /// Class of each session of each subject; `None` where it is left out.
    of_session: Vec<Vec<Option<u32>>>,
}

impl Task {
    pub(super) fn new(config: &ExperimentConfig, prepared: &Prepared, problems: &mut Problems) -> Self {
        let (classes, of_data_class) = regroup(config, prepared, problems);
        let of_subject = |subject: &PreparedSubject| {
            let class = |class: u32| of_data_class.get(class as usize).copied().flatten();
            subject.sessions.iter().map(|session| class(session.class)).collect()
        };
        let mut task = Self {
            classes,
            of_session: prepared.subjects().iter().map(of_subject).collect(),
        };
        let mixed = task.mixed(prepared);
        if let Some(seed) = config.task.permute_labels.filter(|_| mixed.is_empty()) {
            task.permute(seed);
        }
        // An autoencoder has no scores.
        let is_scored = config.model.stream.iter().all(|stream| stream.decoder.is_none());
        if is_scored && let Some(message) = several_classes(&mixed, prepared.subjects().len()) {
            problems.add("task", message);
        }
        task
    }

    /// Subjects whose sessions have several classes of the task.
    fn mixed<'p>(&self, prepared: &'p Prepared) -> Vec<&'p str> {
        let is_mixed = |sessions: &[Option<u32>]| {
            let mut classes = sessions.iter().flatten();
            let first = classes.next();
            classes.any(|class| Some(class) != first)
        };
        let subjects = prepared.subjects().iter().zip(&self.of_session);
        subjects
            .filter(|(_, sessions)| is_mixed(sessions))
            .map(|(subject, _)| subject.id.as_str())
            .collect()
    }

    /// Deals the classes of the subjects out anew; how many have each class stays.
    fn permute(&mut self, seed: u64) {
        let mut places = Vec::new();
        let mut classes = Vec::new();
        for (at, sessions) in self.of_session.iter().enumerate() {
            if let Some(&class) = sessions.iter().flatten().next() {
                places.push(at);
                classes.push(class);
            }
        }
        let key = Key {
            seed,
            purpose: Purpose::LabelPermutation,
            step: 0,
            path: random::path_hash("task"),
        };
        for (&at, from) in places.iter().zip(random::permutation(key, classes.len())) {
            self.of_session[at]
                .iter_mut()
                .flatten()
                .for_each(|class| *class = classes[from]);
        }
    }

    /// The windows that have a class of the task, with it.
    pub(super) fn windows(&self, windows: Vec<Window>) -> Vec<Window> {
        let class = |window: Window| {
            let class = self.of_session[window.subject as usize][window.session as usize]?;
            Some(Window { class, ..window })
        };
        windows.into_iter().filter_map(class).collect()
    }

    /// The subjects that have a class of the task, with the one that most of their sessions have.
    pub(super) fn subjects(&self, prepared: &Prepared) -> Vec<SubjectInfo> {
        let subject = |(subject, sessions): (&PreparedSubject, &Vec<Option<u32>>)| {
            let classes: Vec<usize> = sessions.iter().flatten().map(|&class| class as usize).collect();
            let class = majority_class(&classes)?;
            let (site, group) = (subject.site.clone(), subject.group.clone());
            Some(SubjectInfo {
                id: subject.id.clone(),
                class,
                site,
                group,
            })
        };
        prepared
            .subjects()
            .iter()
            .zip(&self.of_session)
            .filter_map(subject)
            .collect()
    }
}

fn regroup(config: &ExperimentConfig, prepared: &Prepared, problems: &mut Problems) -> (Vec<String>, Vec<Option<u32>>) {
    let data_classes = prepared.classes();
    if config.task.classes.is_empty() {
        return (
            data_classes.to_vec(),
            (0..data_classes.len() as u32).map(Some).collect(),
        );
    }
    let mut of_data_class = vec![None; data_classes.len()];
    for (index, class) in (0u32..).zip(&config.task.classes) {
        for from in &class.from {
            let key = format!("task.class.{}.from", class.name);
            match data_classes.iter().position(|data| data == from) {
                None => problems.add(
                    &key,
                    format!("the data has no class {from:?}; it has {}", data_classes.join(", ")),
                ),
                Some(at) if of_data_class[at].is_some() => problems.add(&key, format!("{from:?} is in two classes")),
                Some(at) => of_data_class[at] = Some(index),
            }
        }
    }
    problems.require(
        config.task.classes.len() > 1,
        "task.class",
        || "one class leaves nothing to predict: expected at least two",
    );
    (
        config.task.classes.iter().map(|class| class.name.clone()).collect(),
        of_data_class,
    )
}
