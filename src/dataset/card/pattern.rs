//! Patterns of file names: `{label}/{subject}/{session}_emg.csv`.
//!
//! A group in braces and `*` match one or more characters without a slash, as few as possible. A group that stands twice
//! matches the same text both times. Between two groups stands a literal, or nobody could tell where one ends.

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

/// A pattern of paths relative to the raw folder, with `/` between folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePattern {
    parts: Vec<Part>,
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
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}', '*']) {
            let (literal, tail) = rest.split_at(start);
            let part = if let Some(after) = tail.strip_prefix('*') {
                rest = after;
                Part::Any
            } else if let Some((name, after)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
                rest = after;
                if name.contains(['{', '/']) {
                    return wrong(format!("a brace without its partner in `{text}`"), BRACE_HINT);
                }
                let Some(group) = PathGroup::ALL.into_iter().find(|group| group.name() == name) else {
                    let names = PathGroup::ALL.map(PathGroup::name);
                    let problem = format!("unknown group `{{{name}}}`");
                    return Err((problem, did_you_mean(name, names, |name| format!("`{{{name}}}`"))));
                };
                Part::Group(group)
            } else {
                return wrong(format!("a brace without its partner in `{text}`"), BRACE_HINT);
            };
            match literal {
                "" if matches!(parts.last(), Some(Part::Group(_) | Part::Any)) => {
                    let hint = "write what stands between them, such as `{subject}_{session}`";
                    return wrong(format!("two groups side by side in `{text}`"), hint);
                }
                "" => {}
                literal => parts.push(Part::Literal(literal.to_string())),
            }
            parts.push(part);
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_string()));
        }
        Ok(Self { parts })
    }

    /// Whether the pattern has a group.
    pub fn has(&self, group: PathGroup) -> bool {
        self.parts.contains(&Part::Group(group))
    }

    /// What the groups match in `path`, given what some of them must; `None` if the path does not fit.
    pub fn matches<'p>(&self, path: &'p str, known: &PathGroups<'p>) -> Option<PathGroups<'p>> {
        let mut found = known.0.clone();
        fits(&self.parts, path, &mut found).then_some(PathGroups(found))
    }
}

const BRACE_HINT: &str = "groups are written `{subject}`";
const PATH_HINT: &str = "paths are relative to the raw folder, with `/` between folders, such as `{subject}/emg.csv`";

fn fits<'p>(parts: &[Part], path: &'p str, found: &mut Vec<(PathGroup, &'p str)>) -> bool {
    let Some((part, parts)) = parts.split_first() else {
        return path.is_empty();
    };
    let group = match part {
        Part::Literal(text) => {
            return path
                .strip_prefix(text.as_str())
                .is_some_and(|rest| fits(parts, rest, found));
        }
        Part::Group(group) => Some(*group),
        Part::Any => None,
    };
    if let Some(&(_, text)) = found.iter().find(|(known, _)| Some(*known) == group) {
        return path.strip_prefix(text).is_some_and(|rest| fits(parts, rest, found));
    }
    let end = path.find('/').unwrap_or(path.len());
    let cuts = path
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8())
        .take_while(|&cut| cut <= end);
    for cut in cuts {
        let (text, rest) = path.split_at(cut);
        let before = found.len();
        found.extend(group.map(|group| (group, text)));
        if fits(parts, rest, found) {
            return true;
        }
        found.truncate(before);
    }
    false
}
