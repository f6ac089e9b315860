//! What varies in the names of files, and what it may be for.

use std::collections::{BTreeMap, BTreeSet};

/// More values than these are not classes, sites or visits.
const MAX_CLASSES: usize = 12;

/// Where a name is cut.
fn is_gap(letter: char) -> bool {
    matches!(letter, '/' | '_' | '-' | ' ' | '.')
}

/// Words and what stands between them, the first gap before the first word. The extension belongs to the last gap.
fn cut(path: &str) -> (Vec<&str>, Vec<&str>) {
    let stem_end = path
        .rfind('.')
        .filter(|dot| !path.get(*dot..).unwrap_or_default().contains('/'))
        .unwrap_or(path.len());
    let (stem, extension) = path.split_at(stem_end);
    let (mut words, mut gaps, mut rest) = (Vec::new(), Vec::new(), stem);
    loop {
        let start = rest.find(|letter| !is_gap(letter)).unwrap_or(rest.len());
        let (gap, tail) = rest.split_at(start);
        if tail.is_empty() {
            // Gaps at the end of the stem are rare and go with the extension.
            gaps.push(path.get(stem_end - gap.len()..).unwrap_or(extension));
            return (words, gaps);
        }
        gaps.push(gap);
        let (word, tail) = tail.split_at(tail.find(is_gap).unwrap_or(tail.len()));
        words.push(word);
        rest = tail;
    }
}

/// A path with a mark in place of each word: files of one modality share it.
pub(super) fn shape(path: &str) -> String {
    cut(path).1.join("\u{1}")
}

/// The names of files of one shape.
pub(super) struct Named<'f> {
    gaps: Vec<&'f str>,
    words: Vec<Vec<&'f str>>,
}

/// What the words may be for.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub(super) pattern: String,
    /// From the words that do not vary.
    pub(super) name: String,
    pub(super) subjects: BTreeSet<String>,
    pub(super) sessions: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
    /// Subject and session of each file that has both.
    pub(super) pairs: BTreeSet<(String, String)>,
    ignored: Vec<BTreeSet<String>>,
}

impl Roles {
    /// How the values repeat.
    pub(super) fn explanation(&self) -> String {
        let mut text = format!("; {} subjects ({})", self.subjects.len(), some(&self.subjects));
        if !self.sessions.is_empty() {
            text.push_str(&format!(", sessions {}", some(&self.sessions)));
        }
        if !self.labels.is_empty() {
            text.push_str(&format!(
                ", and {} shared by many subjects or sessions, as labels are",
                some(&self.labels)
            ));
        }
        for values in &self.ignored {
            text.push_str(&format!(", and {} of which nothing was made (`*`)", some(values)));
        }
        text
    }
}

/// The first of many values.
pub(super) fn some(values: &BTreeSet<String>) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = values.iter().take(SHOWN).map(|value| format!("`{value}`")).collect();
    match values.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Literal,
    Subject,
    Session,
    Label,
    Any,
}

impl<'f> Named<'f> {
    /// Of files with one [`shape`].
    pub(super) fn new(files: &[&'f str]) -> Self {
        let gaps = files.first().map(|file| cut(file).1).unwrap_or_default();
        Self {
            gaps,
            words: files.iter().map(|file| cut(file).0).collect(),
        }
    }

    /// The text of each file from one word to another.
    fn span(&self, first: usize, last: usize) -> Vec<String> {
        let text = |words: &Vec<&str>| {
            let mut text = String::new();
            for index in first..=last {
                if index > first {
                    text.push_str(self.gaps.get(index).copied().unwrap_or_default());
                }
                text.push_str(words.get(index).copied().unwrap_or_default());
            }
            text
        };
        self.words.iter().map(text).collect()
    }

    fn num_words(&self) -> usize {
        self.gaps.len().saturating_sub(1)
    }

    /// The words that name the subject: those that a table knows as ids, or else the word with the most values.
    fn subject_span(&self, ids: &[&BTreeSet<String>]) -> Option<(usize, usize)> {
        let distinct = |span: (usize, usize)| self.span(span.0, span.1).into_iter().collect::<BTreeSet<_>>();
        let mut best = None;
        for first in 0..self.num_words() {
            for last in first..self.num_words() {
                if (first + 1..=last).any(|index| self.gaps.get(index).is_some_and(|gap| gap.contains('/'))) {
                    break;
                }
                let values = distinct((first, last));
                let known = ids
                    .iter()
                    .map(|ids| values.iter().filter(|value| ids.contains(*value)).count())
                    .max();
                let known = known.unwrap_or(0);
                if values.len() > 1 && 2 * known >= values.len() && best.is_none_or(|(most, _)| known > most) {
                    best = Some((known, (first, last)));
                }
            }
        }
        let by_table = best.map(|(_, span)| span);
        let mut most = None;
        for index in 0..self.num_words() {
            let count = distinct((index, index)).len();
            if count > 1 && most.is_none_or(|(most, _)| count > most) {
                most = Some((count, (index, index)));
            }
        }
        by_table.or(most.map(|(_, span)| span))
    }

    /// What each word may be for. `ids` are the columns of tables, any of which may hold the subjects' ids.
    pub(super) fn roles(&self, ids: &[&BTreeSet<String>], images: bool) -> Roles {
        let span = self.subject_span(ids);
        let subjects = span.map(|(first, last)| self.span(first, last)).unwrap_or_default();
        let mut roles = vec![Role::Literal; self.num_words()];
        let mut values = vec![BTreeSet::new(); self.num_words()];
        for (index, (role, values)) in roles.iter_mut().zip(&mut values).enumerate() {
            let words = self.span(index, index);
            values.extend(words.iter().cloned());
            *role = match span {
                _ if values.len() == 1 => Role::Literal,
                Some((first, last)) if (first..=last).contains(&index) => Role::Subject,
                _ if words == subjects => Role::Subject,
                _ => self.role_of(&words, &subjects, images),
            };
        }
        self.settle_sessions(&mut roles, &subjects);
        // One label at most: of two candidates the one with fewer values.
        let labels = (0..roles.len()).filter(|&index| roles.get(index) == Some(&Role::Label));
        let fewest = labels.min_by_key(|&index| values.get(index).map_or(0, BTreeSet::len));
        for (index, role) in roles.iter_mut().enumerate().filter(|(_, role)| **role == Role::Label) {
            if Some(index) != fewest {
                *role = Role::Any;
            }
        }
        let of = |wanted| {
            let found = roles.iter().zip(&values).filter(move |(role, _)| **role == wanted);
            found.map(|(_, values)| values.clone()).collect::<Vec<_>>()
        };
        let session = roles.iter().position(|role| *role == Role::Session);
        let pairs = session.map(|index| subjects.iter().cloned().zip(self.span(index, index)).collect());
        Roles {
            pairs: pairs.unwrap_or_default(),
            pattern: self.pattern(&roles, span),
            name: self.name(&roles),
            subjects: subjects.into_iter().collect(),
            sessions: of(Role::Session).into_iter().flatten().collect(),
            labels: of(Role::Label).into_iter().flatten().collect(),
            ignored: of(Role::Any),
        }
    }

    /// By how the values of a word repeat over the subjects.
    fn role_of(&self, words: &[String], subjects: &[String], images: bool) -> Role {
        let mut of_subject = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (word, subject) in words.iter().zip(subjects) {
            of_subject.entry(subject).or_default().insert(word);
        }
        let distinct = words.iter().collect::<BTreeSet<_>>().len();
        let numbers = words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        let once = of_subject.values().all(|words| words.len() == 1);
        match once {
            true if distinct <= MAX_CLASSES && 2 * distinct <= of_subject.len() => Role::Label,
            true => Role::Any,
            false if images && numbers => Role::Any,
            false => Role::Session,
        }
    }

    /// Of several words that vary within subjects, the one that tells most files apart is the session; what a session
    /// has one value of is a label, as a subject may respond at one visit and not at another.
    fn settle_sessions(&self, roles: &mut [Role], subjects: &[String]) {
        let pairs = |index: usize| subjects.iter().cloned().zip(self.span(index, index));
        let candidates: Vec<usize> = (0..roles.len())
            .filter(|&index| roles.get(index) == Some(&Role::Session))
            .collect();
        let num_pairs = |index: &usize| pairs(*index).collect::<BTreeSet<_>>().len();
        // The first of equals: `rev`, because `max_by_key` keeps the last.
        let Some(session) = candidates.iter().copied().rev().max_by_key(num_pairs) else {
            return;
        };
        let num_sessions = num_pairs(&session);
        let num_subjects = subjects.iter().collect::<BTreeSet<_>>().len();
        for index in candidates.into_iter().filter(|index| *index != session) {
            let words = self.span(index, index);
            let distinct = words.iter().collect::<BTreeSet<_>>().len();
            let triples = pairs(session).zip(words).collect::<BTreeSet<_>>().len();
            let few = distinct <= MAX_CLASSES && 2 * distinct <= num_subjects;
            if let Some(role) = roles.get_mut(index) {
                *role = if triples == num_sessions && few {
                    Role::Label
                } else {
                    Role::Any
                };
            }
        }
    }

    fn pattern(&self, roles: &[Role], span: Option<(usize, usize)>) -> String {
        let mut pattern = String::new();
        let first_words = self.words.first().map_or(&[][..], Vec::as_slice);
        for (index, (role, word)) in roles.iter().zip(first_words).enumerate() {
            let inside = span.is_some_and(|(first, last)| (first + 1..=last).contains(&index));
            let begins = span.is_some_and(|(first, _)| first == index);
            if inside {
                continue;
            }
            pattern.push_str(self.gaps.get(index).copied().unwrap_or_default());
            pattern.push_str(match role {
                _ if begins => "{subject}",
                Role::Literal => word,
                Role::Subject => "{subject}",
                Role::Session => "{session}",
                Role::Label => "{label}",
                Role::Any => "*",
            });
        }
        pattern.push_str(self.gaps.last().copied().unwrap_or_default());
        pattern
    }

    /// The last word that does not vary, or the extension.
    fn name(&self, roles: &[Role]) -> String {
        let mut words = roles.iter().zip(self.words.first().map_or(&[][..], Vec::as_slice));
        let literal = words
            .rfind(|(role, _)| **role == Role::Literal)
            .map(|(_, word)| word.to_lowercase());
        if self.gaps.last() == Some(&".hea") {
            return literal.unwrap_or("signal".into());
        }
        let extension = self
            .gaps
            .last()
            .map(|gap| gap.trim_start_matches(is_gap).to_lowercase())
            .unwrap_or_default();
        literal.unwrap_or(if extension.is_empty() {
            "recording".into()
        } else {
            extension
        })
    }
}
