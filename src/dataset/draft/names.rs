//! What the words of file names may be for.
//!
//! Who is who decides on every split, and a wrong guess flatters the results: if each image is taken for a subject, images
//! of one patient stand in training and in test. So numbers that count files are subjects only where nothing else can be,
//! and of two words the coarser one is taken, as many files of a subject are no leak.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{Look, cut, is_gap, look};
use crate::dataset::card::FilePattern;

/// More values than these are not classes, sites or visits.
const MAX_CLASSES: usize = 12;
/// Folders with names in letters that are taken for classes rather than persons where both may be.
const MAX_CLASS_FOLDERS: usize = 5;

/// Why a word is taken for the subject, the best reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ground {
    /// A table, or other files, know its values.
    Known,
    /// It looks like a person's id.
    Id,
    /// It groups files, or is the only one that may.
    Groups,
    /// It counts files, and there is nothing else.
    Counter,
}

/// What the words may be for.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub(super) pattern: String,
    /// From the words that do not vary.
    pub(super) name: String,
    pub(super) ground: Ground,
    /// A file, and what of its name is taken for the subject.
    pub(super) example: (String, String),
    pub(super) subjects: BTreeSet<String>,
    pub(super) sessions: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
    /// Subject and session of each file that has both.
    pub(super) pairs: BTreeSet<(String, String)>,
    /// Words such as `train` and `test`, and the number of subjects that stand in several of them.
    pub(super) split: Option<(BTreeSet<String>, usize)>,
    /// Why a card cannot tell the files apart.
    pub(super) clash: Option<String>,
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
    Site,
    Group,
    Split,
    Any,
    /// Of a span whose first word has the role.
    Inside,
}

/// First and last word.
type Span = (usize, usize);

/// A word that varies.
struct Word {
    index: usize,
    look: Look,
    num_values: usize,
    in_folder: bool,
    /// Whether several files share a value.
    groups: bool,
}

/// Whether a word groups files and looks like an id.
fn names_group(word: &Word) -> bool {
    word.groups && matches!(word.look, Look::Person | Look::Code)
        || word.in_folder && word.groups && word.look == Look::Number
}

/// The names of files of one shape.
pub(super) struct Names<'f> {
    files: Vec<&'f str>,
    gaps: Vec<&'f str>,
    words: Vec<Vec<&'f str>>,
    /// Several files may be one recording: images, slices, frames of poses.
    frames: Frames,
}

/// Whether several files may be one recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frames {
    /// One file each.
    No,
    /// Images: each of another subject, or many of one.
    Maybe,
    /// Slices of a volume, frames of a film.
    Yes,
}

impl<'f> Names<'f> {
    /// Names of files with one [`shape`](super::words::shape).
    pub(super) fn new(files: &[&'f str], frames: Frames) -> Self {
        Self {
            files: files.to_vec(),
            gaps: files.first().map(|file| cut(file).1).unwrap_or_default(),
            words: files.iter().map(|file| cut(file).0).collect(),
            frames,
        }
    }

    /// What each word may be for. `known` are sets of ids, any of which may be the subjects'.
    pub(super) fn roles(&self, known: &[&BTreeSet<String>]) -> Roles {
        let varying = self.varying();
        let (span, ground) = self.choose_subject(&varying, known);
        let subjects = span.map(|span| self.span(span)).unwrap_or_default();
        let mut roles = self.literals();
        if let Some(span) = span {
            self.mark(&mut roles, span, Role::Subject);
        }
        for word in &varying {
            if roles.get(word.index) == Some(&Role::Any) {
                roles[word.index] = self.role_of(word, &subjects, ground, &varying);
            }
        }
        let session = self.choose_session(&varying, &mut roles, &subjects);
        self.keep_one_each(&mut roles);
        if FilePattern::parse(&self.pattern(&roles)).is_err() {
            // A group that stands twice may be more than a pattern can have.
            self.unmark_repeats(&mut roles);
        }
        let sessions = session.map(|span| self.span(span)).unwrap_or_default();
        let of = |wanted| {
            let found = (0..roles.len()).filter(|&index| roles[index] == wanted);
            found.map(|index| self.values(index)).collect::<Vec<_>>()
        };
        let labels = roles
            .iter()
            .position(|role| *role == Role::Label)
            .map(|index| self.span((index, index)));
        let split = roles.iter().position(|role| *role == Role::Split);
        let example = self.files.first().map(|file| file.to_string()).unwrap_or_default();
        Roles {
            pattern: self.pattern(&roles),
            name: self.name(&roles),
            ground,
            example: (example, subjects.first().cloned().unwrap_or_default()),
            split: split.map(|index| (self.values(index), several(&subjects, &self.span((index, index))))),
            clash: self.clash(&subjects, &sessions, labels.as_deref()),
            pairs: subjects.iter().cloned().zip(sessions.iter().cloned()).collect(),
            sessions: sessions.into_iter().collect(),
            labels: labels.into_iter().flatten().collect(),
            ignored: of(Role::Any).into_iter().filter(|values| values.len() > 1).collect(),
            subjects: subjects.into_iter().collect(),
        }
    }

    /// The text of each file from one word to another.
    fn span(&self, (first, last): Span) -> Vec<String> {
        let text = |words: &Vec<&str>| {
            let mut text = String::new();
            for index in first..=last {
                if index > first {
                    text.push_str(self.gaps[index]);
                }
                text.push_str(word(words, index));
            }
            text
        };
        self.words.iter().map(text).collect()
    }

    fn values(&self, index: usize) -> BTreeSet<String> {
        self.words.iter().map(|words| word(words, index).to_string()).collect()
    }

    /// With the empty one after the extension.
    fn num_words(&self) -> usize {
        self.gaps.len()
    }

    /// Spans of words of one folder or file.
    fn spans(&self) -> impl Iterator<Item = Span> {
        (0..self.num_words()).flat_map(move |first| {
            let is_inside = move |last: &usize| *last == first || !self.gaps[*last].contains('/');
            (first..self.num_words())
                .take_while(is_inside)
                .map(move |last| (first, last))
        })
    }

    fn varying(&self) -> Vec<Word> {
        let word = |index: usize| {
            let values = self.values(index);
            let before = index
                .checked_sub(1)
                .map(|before| self.values(before))
                .filter(|values| values.len() == 1);
            let before = before.and_then(|values| values.into_iter().next());
            Word {
                index,
                look: look(&values, before.as_deref()),
                num_values: values.len(),
                in_folder: self.gaps[index + 1..].iter().any(|gap| gap.contains('/')),
                groups: values.len() < self.files.len(),
            }
        };
        (0..self.num_words())
            .map(word)
            .filter(|word| word.num_values > 1)
            .collect()
    }

    /// Whether a value of `fine` always goes with the same value of `coarse`.
    fn determines(&self, fine: usize, coarse: usize) -> bool {
        let mut of = BTreeMap::new();
        self.words.iter().all(|words| {
            let coarse = word(words, coarse);
            *of.entry(word(words, fine)).or_insert(coarse) == coarse
        })
    }

    /// Whether the values of a word may be classes: a few words, or numbers of classes as names of folders.
    fn is_class(&self, word: &Word, all: &[Word]) -> bool {
        let values = self.values(word.index);
        let counts = |from: usize| (from..from + values.len()).all(|number| values.contains(&number.to_string()));
        let numbers = word.in_folder && word.look == Look::Number && (counts(0) || values.len() == 2 && counts(1));
        let few = word.num_values <= MAX_CLASSES && 2 * word.num_values <= self.files.len();
        let is_below = |other: &Word| {
            other.look == Look::Word
                && 2 * other.num_values <= word.num_values
                && self.determines(word.index, other.index)
        };
        (word.look == Look::Word || numbers) && few && !(word.in_folder && all.iter().any(is_below))
    }

    /// The words that name the subject, and why.
    fn choose_subject(&self, all: &[Word], known: &[&BTreeSet<String>]) -> (Option<Span>, Ground) {
        let groups = |word: &Word| {
            let folder = word.in_folder && matches!(word.look, Look::Number | Look::Word) && word.groups;
            let is_name = word.look == Look::Code || folder || word.look == Look::Word && word.groups;
            is_name && !self.is_class(word, all)
        };
        let class_folder = |word: &Word| {
            let many = word.num_values > MAX_CLASS_FOLDERS || self.frames == Frames::Yes;
            word.groups
                && (word.look == Look::Word || self.is_class(word, all))
                && (word.in_folder || self.frames == Frames::Yes)
                && many
        };
        let tiers: [(Ground, &dyn Fn(&Word) -> bool); 7] = [
            (Ground::Id, &|word| word.look == Look::Person),
            (Ground::Groups, &groups),
            (Ground::Groups, &|word| {
                word.look == Look::Word && !self.is_class(word, all)
            }),
            (Ground::Groups, &class_folder),
            (Ground::Counter, &|word| {
                matches!(word.look, Look::Number | Look::Frame) && !self.is_class(word, all)
            }),
            (Ground::Counter, &|word| word.look == Look::Visit),
            (Ground::Counter, &|_| true),
        ];
        let best = tiers.into_iter().find_map(|(ground, test)| {
            let tier: Vec<&Word> = all.iter().filter(|word| test(word)).collect();
            Some((self.coarsest(&tier)?, ground))
        });
        // A table of 40 patients knows the numbers 1 to 40 of the images of each of them.
        let counts_within = |span: &Span| {
            let is_counter = |word: &Word| {
                (word.index, word.index) == *span && !word.in_folder && matches!(word.look, Look::Number | Look::Frame)
            };
            let is_other = |word: &Word| names_group(word) && !self.determines(span.0, word.index);
            all.iter().any(is_counter) && all.iter().any(is_other)
        };
        let by_table = self.known_span(known).filter(|span| !counts_within(span));
        match (by_table, best) {
            (Some(span), _) => (Some(span), Ground::Known),
            (None, Some((index, Ground::Groups)))
                if all.iter().any(|word| word.index == index && word.look == Look::Code) =>
            {
                (Some((index, index)), Ground::Id)
            }
            (None, Some((index, ground))) => (Some((index, index)), ground),
            (None, None) => (None, Ground::Counter),
        }
    }

    /// Of several words the one with the most values that does not lie inside of another one; the first of equals.
    fn coarsest(&self, words: &[&Word]) -> Option<usize> {
        let is_finer = |word: &Word| {
            let coarser =
                |other: &&Word| other.num_values < word.num_values && self.determines(word.index, other.index);
            words.iter().any(coarser)
        };
        let coarse = words.iter().filter(|word| !is_finer(word));
        coarse.rev().max_by_key(|word| word.num_values).map(|word| word.index)
    }

    /// The words whose text is an id for half of its values or more.
    fn known_span(&self, known: &[&BTreeSet<String>]) -> Option<Span> {
        let mut best = None;
        for span in self.spans() {
            let values: BTreeSet<String> = self.span(span).into_iter().collect();
            let num_known = known
                .iter()
                .map(|ids| values.intersection(ids).count())
                .max()
                .unwrap_or(0);
            if values.len() > 1 && 2 * num_known >= values.len() && best.is_none_or(|(most, _)| num_known > most) {
                best = Some((num_known, span));
            }
        }
        best.map(|(_, span)| span)
    }

    /// Literals for words that do not vary and can stand in a pattern, [`Role::Any`] for the others.
    fn literals(&self) -> Vec<Role> {
        let role = |index| {
            let values = self.values(index);
            match values.len() == 1 && !values.iter().any(|word| word.contains(['{', '}', '*', '\\'])) {
                true => Role::Literal,
                false => Role::Any,
            }
        };
        (0..self.num_words()).map(role).collect()
    }

    /// Gives a role to a span and to all others with the same texts.
    fn mark(&self, roles: &mut [Role], span: Span, role: Role) {
        let texts = self.span(span);
        let mut set = |(first, last): Span| {
            roles[first..=last].fill(Role::Inside);
            roles[first] = role;
            last
        };
        set(span);
        let mut free = 0;
        for other in self.spans().filter(|other| other.1 - other.0 == span.1 - span.0) {
            let overlaps = other.0 <= span.1 && span.0 <= other.1;
            if other.0 >= free && !overlaps && self.span(other) == texts {
                free = set(other) + 1;
            }
        }
    }

    fn unmark_repeats(&self, roles: &mut [Role]) {
        for role in [Role::Subject, Role::Session] {
            let places: Vec<usize> = (0..roles.len()).filter(|&index| roles[index] == role).collect();
            for &index in places.iter().skip(1) {
                roles[index] = Role::Any;
            }
        }
    }

    /// By how the values of a word repeat over the subjects.
    fn role_of(&self, word: &Word, subjects: &[String], ground: Ground, all: &[Word]) -> Role {
        let words = self.span((word.index, word.index));
        let num_subjects = subjects.iter().collect::<BTreeSet<_>>().len();
        let counts = matches!(word.look, Look::Number | Look::Frame) && !self.is_class(word, all);
        let once = several(subjects, &words) == 0;
        match word.look {
            Look::Split => Role::Split,
            Look::Place if once => Role::Site,
            Look::Visit if once => Role::Any,
            // The table has a row per file; the folders keep those of one person together.
            _ if once && ground == Ground::Known && names_group(word) && word.num_values < num_subjects => Role::Group,
            _ if once && word.num_values <= MAX_CLASSES && 2 * word.num_values <= num_subjects => Role::Label,
            _ if once => Role::Any,
            // A number that counts files tells nothing about the class of all that share it.
            _ if ground == Ground::Counter && word.in_folder && self.is_class(word, all) => Role::Label,
            _ if self.frames != Frames::No && (counts || !word.in_folder && word.num_values > MAX_CLASSES) => Role::Any,
            _ => Role::Session,
        }
    }

    /// Of the words that vary within subjects, those that tell most files apart are the session; what a session has one
    /// value of is a label, as a subject may respond at one visit and not at another.
    fn choose_session(&self, all: &[Word], roles: &mut [Role], subjects: &[String]) -> Option<Span> {
        let candidates: Vec<&Word> = all.iter().filter(|word| roles[word.index] == Role::Session).collect();
        let num_pairs = |span: Span| subjects.iter().zip(self.span(span)).collect::<BTreeSet<_>>().len();
        // The first of equals: `rev`, because `max_by_key` keeps the last.
        let best = candidates
            .iter()
            .rev()
            .max_by_key(|word| (num_pairs((word.index, word.index)), word.look == Look::Visit))?;
        let mut session = (best.index, best.index);
        // Two words side by side, as in `v1_run2`.
        if self.frames == Frames::No && num_pairs(session) < self.files.len() {
            let is_candidate = |index: usize| candidates.iter().any(|word| word.index == index);
            let free = |span: &Span| {
                (span.0..=span.1).all(|index| matches!(roles[index], Role::Session | Role::Literal | Role::Any))
            };
            let spans = self
                .spans()
                .filter(|span| is_candidate(span.0) && is_candidate(span.1))
                .filter(free);
            let wider = spans.max_by_key(|span| (num_pairs(*span), std::cmp::Reverse(span.1 - span.0)));
            session = wider
                .filter(|span| num_pairs(*span) > num_pairs(session))
                .unwrap_or(session);
        }
        let sessions = self.span(session);
        let both: Vec<String> = subjects
            .iter()
            .zip(&sessions)
            .map(|(subject, session)| format!("{subject}\u{1}{session}"))
            .collect();
        let num_subjects = subjects.iter().collect::<BTreeSet<_>>().len();
        for word in candidates {
            let few = word.num_values <= MAX_CLASSES && 2 * word.num_values <= num_subjects;
            let once = several(&both, &self.span((word.index, word.index))) == 0;
            roles[word.index] = if once && few { Role::Label } else { Role::Any };
        }
        self.mark(roles, session, Role::Session);
        Some(session)
    }

    /// Of two candidates for a group that may stand once, the one with fewer values.
    fn keep_one_each(&self, roles: &mut [Role]) {
        for role in [Role::Label, Role::Site, Role::Group] {
            let places: Vec<usize> = (0..roles.len()).filter(|&index| roles[index] == role).collect();
            let fewest = places.iter().copied().min_by_key(|&index| self.values(index).len());
            for index in places.into_iter().filter(|index| Some(*index) != fewest) {
                roles[index] = Role::Any;
            }
        }
    }

    /// What a card with these roles would refuse.
    fn clash(&self, subjects: &[String], sessions: &[String], labels: Option<&[String]>) -> Option<String> {
        let whose: Vec<String> = match sessions.is_empty() {
            true => subjects.iter().map(|subject| format!("subject `{subject}`")).collect(),
            false => {
                let pairs = subjects.iter().zip(sessions);
                pairs
                    .map(|(subject, session)| format!("subject `{subject}`, session `{session}`"))
                    .collect()
            }
        };
        let mut first = BTreeMap::<&str, usize>::new();
        for (index, whose) in whose.iter().enumerate() {
            let earlier = *first.entry(whose).or_insert(index);
            let (file, other) = (self.files[index], self.files[earlier]);
            let differ = labels.is_some_and(|labels| labels[index] != labels[earlier]);
            if earlier != index && (differ || self.frames == Frames::No) {
                let why = if differ { ", and they are of two classes" } else { "" };
                return Some(format!("`{other}` and `{file}` are both of {whose}{why}"));
            }
        }
        None
    }

    fn pattern(&self, roles: &[Role]) -> String {
        let mut pattern = String::new();
        for (index, role) in roles.iter().enumerate().filter(|(_, role)| **role != Role::Inside) {
            pattern.push_str(self.gaps[index]);
            pattern.push_str(match role {
                Role::Literal | Role::Inside => self.words.first().map_or("", |words| word(words, index)),
                Role::Subject => "{subject}",
                Role::Session => "{session}",
                Role::Label => "{label}",
                Role::Site => "{site}",
                Role::Group => "{group}",
                Role::Split | Role::Any => "*",
            });
        }
        pattern
    }

    /// The last word that does not vary, or the extension.
    fn name(&self, roles: &[Role]) -> String {
        let literal = (0..roles.len().saturating_sub(1)).rfind(|&index| roles[index] == Role::Literal);
        let literal = literal.and_then(|index| Some(word(self.words.first()?, index).to_lowercase()));
        let extension = self
            .gaps
            .last()
            .map(|gap| gap.trim_start_matches(is_gap).to_lowercase())
            .unwrap_or_default();
        match extension.as_str() {
            "hea" => literal.unwrap_or("signal".into()),
            "" => literal.unwrap_or("recording".into()),
            _ => literal.unwrap_or(extension),
        }
    }
}

/// The empty word stands behind the extension.
fn word<'f>(words: &[&'f str], index: usize) -> &'f str {
    words.get(index).copied().unwrap_or_default()
}

/// How many keys go with several values.
fn several(keys: &[String], values: &[String]) -> usize {
    let mut of = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (key, value) in keys.iter().zip(values) {
        of.entry(key).or_default().insert(value);
    }
    of.values().filter(|values| values.len() > 1).count()
}
