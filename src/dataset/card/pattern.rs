//! Patterns of file names: `{label}/{subject}/{session}_emg.csv`.
//!
//! A group in braces and `*` match one or more characters without a slash, as few as possible. A group that stands twice
//! matches the same text both times. Between two groups stands a literal, or nobody could tell where one ends.
//!
//! A name of n bytes is matched in time proportional to n times the number of parts, by a table of which parts may begin
//! where. Only the texts of groups that stand twice are tried one after the other, and [`FilePattern::parse`] refuses
//! patterns in which more than two ends would have to be.

use std::fmt;

use recoup_formats::nearest::did_you_mean;

/// What a part of a file's path tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathGroup {
    /// `{subject}`: whose file it is.
    Subject,
    /// `{session}`: of which visit; a file without one serves all sessions of its subject.
    Session,
    /// `{label}`: the class, or what the card maps to one.
    Label,
    /// `{group}`: subjects that no split separates.
    Group,
    /// `{site}`: hospital or laboratory.
    Site,
}

impl PathGroup {
    const ALL: [Self; 5] = [Self::Subject, Self::Session, Self::Label, Self::Group, Self::Site];

    /// Name between the braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Session => "session",
            Self::Label => "label",
            Self::Group => "group",
            Self::Site => "site",
        }
    }
}

impl fmt::Display for PathGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// Longer patterns are refused, and longer paths match none; no file system that we know has longer ones.
const MAX_BYTES: usize = 4096;
/// Ends of groups that may have to be tried one after the other.
const MAX_TRIED: usize = 2;

/// A pattern of paths relative to the raw folder, with `/` between folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePattern {
    /// Of each folder, and of the file.
    names: Vec<Vec<Part>>,
    /// Groups that stand more than once.
    twice: Vec<PathGroup>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Group(PathGroup),
    Any,
}

/// What the groups of a pattern matched in one path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathGroups<'p>(Vec<(PathGroup, &'p str)>);

impl<'p> PathGroups<'p> {
    /// Groups whose text is known before a path is matched.
    pub fn known(groups: impl IntoIterator<Item = (PathGroup, &'p str)>) -> Self {
        Self(groups.into_iter().collect())
    }

    /// What one group matched; `None` for a group that the pattern lacks.
    pub fn get(&self, group: PathGroup) -> Option<&'p str> {
        self.0.iter().find(|(known, _)| *known == group).map(|(_, text)| *text)
    }
}

impl FilePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let wrong = |problem: String, hint: &str| Err((problem, hint.to_string()));
        if text.is_empty() || text.starts_with('/') || text.split('/').any(|folder| matches!(folder, "" | "." | "..")) {
            return wrong(format!("`{text}` is not a path below the raw folder"), PATH_HINT);
        }
        if text.contains('\\') {
            return wrong(format!("`{text}` has a backslash"), PATH_HINT);
        }
        if text.len() > MAX_BYTES {
            return wrong(
                format!("a pattern of {} bytes", text.len()),
                "a path has at most 4096 bytes",
            );
        }
        let names: Vec<Vec<Part>> = text
            .split('/')
            .map(|name| parse_name(name, text))
            .collect::<Result<_, _>>()?;
        let count = |group: &PathGroup| {
            names
                .iter()
                .flatten()
                .filter(|part| **part == Part::Group(*group))
                .count()
        };
        let twice: Vec<PathGroup> = PathGroup::ALL.into_iter().filter(|group| count(group) > 1).collect();
        if num_tried(&names, &twice) > MAX_TRIED {
            let hint = "let a group that stands twice be a folder or a name of its own, or write it once";
            return wrong(format!("`{text}` can be read in too many ways"), hint);
        }
        Ok(Self { names, twice })
    }

    /// Whether the pattern has a group.
    pub fn has(&self, group: PathGroup) -> bool {
        self.names.iter().flatten().any(|part| *part == Part::Group(group))
    }

    /// What the groups match in `path`, given what some of them must; `None` if the path does not fit.
    pub fn matches<'p>(&self, path: &'p str, known: &PathGroups<'p>) -> Option<PathGroups<'p>> {
        let mut names = path.split('/');
        let pairs: Vec<(&[Part], &str)> = self.names.iter().map(Vec::as_slice).zip(&mut names).collect();
        if path.len() > MAX_BYTES || pairs.len() < self.names.len() || names.next().is_some() {
            return None;
        }
        let mut found = known.0.clone();
        // As if no group stood twice: what does not fit so, never does.
        let may_fit = |(parts, name): &(&[Part], &'p str)| fits(parts, name, &mut found.clone());
        if !self.twice.is_empty() && !pairs.iter().all(may_fit) {
            return None;
        }
        self.fit_names(&pairs, &mut found).then_some(PathGroups(found))
    }

    fn fit_names<'p>(&self, names: &[(&[Part], &'p str)], found: &mut Found<'p>) -> bool {
        match names.split_first() {
            None => true,
            Some(((parts, name), rest)) => self.fit_name(parts, name, rest, found),
        }
    }

    /// Tries the texts of groups that stand twice, the shortest first, and leaves the others to [`fits`].
    fn fit_name<'p>(&self, parts: &[Part], name: &'p str, rest: &[(&[Part], &'p str)], found: &mut Found<'p>) -> bool {
        let before = found.len();
        let is_open = |part: &Part| matches!(part, Part::Group(group) if self.twice.contains(group) && text_of(part, found).is_none());
        let Some((part, others)) = parts.split_first().filter(|_| parts.iter().any(is_open)) else {
            let fit = fits(parts, name, found) && self.fit_names(rest, found);
            if !fit {
                found.truncate(before);
            }
            return fit;
        };
        if let Some(text) = text_of(part, found) {
            return name
                .strip_prefix(text)
                .is_some_and(|name| self.fit_name(others, name, rest, found));
        }
        ends(name).any(|end| {
            let (text, tail) = name.split_at(end);
            if let Part::Group(group) = part {
                found.push((*group, text));
            }
            let fit = self.fit_name(others, tail, rest, found);
            if !fit {
                found.truncate(before);
            }
            fit
        })
    }
}

const BRACE_HINT: &str = "groups are written `{subject}`";
const PATH_HINT: &str = "paths are relative to the raw folder, with `/` between folders, such as `{subject}/emg.csv`";

type Found<'p> = Vec<(PathGroup, &'p str)>;

/// The parts of one folder's or file's name; `pattern` is for messages.
fn parse_name(name: &str, pattern: &str) -> Result<Vec<Part>, (String, String)> {
    let wrong = |problem: String, hint: &str| Err((problem, hint.to_string()));
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(start) = rest.find(['{', '}', '*']) {
        let (literal, tail) = rest.split_at(start);
        let part = if let Some(after) = tail.strip_prefix('*') {
            rest = after;
            Part::Any
        } else if let Some((name, after)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
            rest = after;
            if name.contains('{') {
                return wrong(format!("a brace without its partner in `{pattern}`"), BRACE_HINT);
            }
            let Some(group) = PathGroup::ALL.into_iter().find(|group| group.name() == name) else {
                let names = PathGroup::ALL.map(PathGroup::name);
                let problem = format!("unknown group `{{{name}}}`");
                return Err((problem, did_you_mean(name, names, |name| format!("`{{{name}}}`"))));
            };
            Part::Group(group)
        } else {
            return wrong(format!("a brace without its partner in `{pattern}`"), BRACE_HINT);
        };
        match literal {
            "" if matches!(parts.last(), Some(Part::Group(_) | Part::Any)) => {
                let hint = "write what stands between them, such as `{subject}_{session}`";
                return wrong(format!("two groups side by side in `{pattern}`"), hint);
            }
            "" => {}
            literal => parts.push(Part::Literal(literal.to_string())),
        }
        parts.push(part);
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_string()));
    }
    Ok(parts)
}

/// The number of groups whose ends are tried one after the other: those up to the last that stands once more elsewhere.
/// The last of a name ends where the name lets it.
fn num_tried(names: &[Vec<Part>], twice: &[PathGroup]) -> usize {
    let mut bound: Vec<PathGroup> = Vec::new();
    let mut count = 0;
    for parts in names {
        let is_first =
            |part: &&Part| matches!(part, Part::Group(group) if twice.contains(group) && !bound.contains(group));
        let num_firsts = parts.iter().filter(is_first).count();
        let variables: Vec<&Part> = parts.iter().filter(|part| !matches!(part, Part::Literal(_))).collect();
        if let Some(last) = variables.iter().rposition(is_first).filter(|_| num_firsts > 0) {
            count += last + usize::from(last + 1 < variables.len());
        }
        bound.extend(parts.iter().filter_map(|part| match part {
            Part::Group(group) => Some(*group),
            _ => None,
        }));
    }
    count
}

/// The text that a part must match; `None` where it may match any.
fn text_of<'t>(part: &'t Part, found: &Found<'t>) -> Option<&'t str> {
    match part {
        Part::Literal(text) => Some(text),
        Part::Group(group) => found.iter().find(|(known, _)| known == group).map(|(_, text)| *text),
        Part::Any => None,
    }
}

/// Where a group that begins with a text may end.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().map(|(at, letter)| at + letter.len_utf8())
}

/// Whether parts match all of a name, each group as little as possible; adds what the groups match.
fn fits<'p>(mut parts: &[Part], mut name: &'p str, found: &mut Found<'p>) -> bool {
    // Most names fail at what they begin or end with.
    while let Some((text, rest)) = parts
        .split_first()
        .and_then(|(first, rest)| Some((text_of(first, found)?, rest)))
    {
        let Some(tail) = name.strip_prefix(text) else {
            return false;
        };
        (parts, name) = (rest, tail);
    }
    while let Some((text, rest)) = parts
        .split_last()
        .and_then(|(last, rest)| Some((text_of(last, found)?, rest)))
    {
        let Some(head) = name.strip_suffix(text) else {
            return false;
        };
        (parts, name) = (rest, head);
    }
    if parts.len() < 2 {
        let fit = parts.is_empty() == name.is_empty();
        if let (true, [Part::Group(group)]) = (fit, parts) {
            found.push((*group, name));
        }
        return fit;
    }
    let texts: Vec<Option<&str>> = parts.iter().map(|part| text_of(part, found)).collect();
    // can[part][start]: whether the parts from this one on match the name from there on.
    let mut can = vec![vec![false; name.len() + 1]; parts.len() + 1];
    if let Some(end) = can.last_mut().and_then(|row| row.last_mut()) {
        *end = true;
    }
    let starts: Vec<usize> = name.char_indices().map(|(at, _)| at).collect();
    for (index, text) in texts.iter().enumerate().rev() {
        let (rows, after) = can.split_at_mut(index + 1);
        let (Some(row), Some(after)) = (rows.last_mut(), after.first()) else {
            return false;
        };
        let mut next = name.len();
        for &start in starts.iter().rev() {
            let fit = match text {
                Some(text) => name[start..].starts_with(text) && after[start + text.len()],
                None => after[next] || row[next],
            };
            row[start] = fit;
            next = start;
        }
    }
    if !can[0][0] {
        return false;
    }
    let mut start = 0;
    for (index, (part, text)) in parts.iter().zip(texts).enumerate() {
        let length = match text {
            Some(text) => text.len(),
            None => ends(&name[start..])
                .find(|end| can[index + 1][start + end])
                .unwrap_or(0),
        };
        if let (Part::Group(group), None) = (part, text) {
            found.push((*group, &name[start..start + length]));
        }
        start += length;
    }
    true
}
