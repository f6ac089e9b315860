//! Who is in the dataset: subjects and sessions from the tables, the list or the names of the files.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::source::{Source, file_error, whose};
use super::tables::{SubjectTable, Tables};
use crate::dataset::card::{ModalityRule, PathGroup, PathGroups, SubjectRule, TableRule};
use crate::dataset::error::DataError;
use recoup_formats::order::natural_cmp;

/// A subject whose files are found.
pub(super) struct FoundIds {
    pub(super) id: String,
    pub(super) site: Option<String>,
    pub(super) group: Option<String>,
    /// In natural order of their ids.
    pub(super) sessions: Vec<FoundFiles>,
}

/// A session whose files are found.
pub(super) struct FoundFiles {
    pub(super) id: String,
    /// What `{label}` matched, and in which file.
    pub(super) label: Option<(String, String)>,
    /// Files of each modality, in natural order.
    pub(super) files: Vec<Vec<String>>,
}

/// A file that a modality's pattern matches.
struct Match<'s> {
    modality: usize,
    path: &'s str,
    groups: PathGroups<'s>,
}

/// All subjects, in the order of the table or the list, or else ascending by id.
pub(super) fn find_subjects(source: &Source, tables: &Tables) -> Result<Vec<FoundIds>, DataError> {
    let known = Expected::of(source, tables)?;
    let mut matches = BTreeMap::<&str, Vec<Match>>::new();
    for (modality, rule) in source.card.modalities.iter().enumerate() {
        for found in find_files(source, modality, rule, known.as_ref())? {
            if let Some(subject) = found.groups.get(PathGroup::Subject) {
                matches.entry(subject).or_default().push(found);
            }
        }
    }
    let ids: Vec<&str> = match &known {
        Some(known) => known.ids.iter().map(String::as_str).collect(),
        None => matches.keys().copied().collect(),
    };
    if ids.is_empty() {
        return Err(nobody(source));
    }
    let subject = |id: &str| {
        let matches = matches.get(id).map_or(&[][..], Vec::as_slice);
        let sessions = known.as_ref().and_then(|known| known.sessions.get(id)?.as_ref());
        Located { source, id, matches }.subject(tables.card.as_ref(), sessions)
    };
    ids.into_iter().map(subject).collect()
}

/// Subjects that a table or the card names, with their sessions if a table names these too.
struct Expected {
    /// Each once.
    ids: Vec<String>,
    sessions: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Expected {
    fn of(source: &Source, tables: &Tables) -> Result<Option<Self>, DataError> {
        let rows = || tables.card.iter().flat_map(SubjectTable::rows);
        let ids: Vec<&str> = match &source.card.subjects {
            SubjectRule::Files {} => return Ok(None),
            SubjectRule::Table {} => rows().map(|(id, _, _)| id).collect(),
            SubjectRule::List { ids } => ids.iter().map(String::as_str).collect(),
        };
        let table = tables.card.as_ref().filter(|table| table.by_session);
        let mut sessions: BTreeMap<String, _> = ids
            .iter()
            .map(|id| (id.to_string(), table.map(|_| BTreeSet::new())))
            .collect();
        let mut seen = BTreeSet::new();
        let ids = ids
            .into_iter()
            .filter(|id| seen.insert(*id))
            .map(String::from)
            .collect();
        for (id, session, _) in rows() {
            if let (Some(Some(known)), Some(session)) = (sessions.get_mut(id), session) {
                known.insert(session.to_string());
            }
        }
        let lacking = sessions
            .iter()
            .find(|(_, sessions)| sessions.as_ref().is_some_and(BTreeSet::is_empty));
        if let (Some((id, _)), Some(table)) = (lacking, table) {
            let problem = format!("subject `{id}` has no row in {}, which names the sessions", table.file);
            return Err(source
                .card
                .error("subjects", problem, "add rows for it, or take it off the list"));
        }
        Ok(Some(Self { ids, sessions }))
    }

    /// What a path may stand for, the longest id first: `S1_b` before `S1`.
    fn candidates(&self, with_sessions: bool) -> Vec<PathGroups<'_>> {
        let mut pairs: Vec<(&str, Option<&str>)> = Vec::new();
        for (id, sessions) in &self.sessions {
            match sessions.as_ref().filter(|_| with_sessions) {
                Some(sessions) => pairs.extend(sessions.iter().map(|session| (id.as_str(), Some(session.as_str())))),
                None => pairs.push((id, None)),
            }
        }
        pairs.sort_by_key(|(id, session)| Reverse((id.len(), session.map(str::len))));
        let groups = |(id, session): (_, Option<_>)| {
            let session = session.map(|session| (PathGroup::Session, session));
            PathGroups::known([(PathGroup::Subject, id)].into_iter().chain(session))
        };
        pairs.into_iter().map(groups).collect()
    }
}

fn find_files<'s>(
    source: &'s Source,
    modality: usize,
    rule: &ModalityRule,
    known: Option<&'s Expected>,
) -> Result<Vec<Match<'s>>, DataError> {
    let Some(pattern) = source.card.pattern(rule)? else {
        return Ok(Vec::new());
    };
    let candidates = match known {
        Some(known) => known.candidates(pattern.has(PathGroup::Session)),
        None => vec![PathGroups::default()],
    };
    let tables = source.card.table_files();
    let fits = |path: &'s String| {
        // Most files are of another modality, and the candidates are many.
        pattern
            .matches(path, &PathGroups::default())
            .filter(|_| !tables.contains(&path.as_str()))?;
        let may_be = |known: &&PathGroups<'s>| known.get(PathGroup::Subject).is_none_or(|id| path.contains(id));
        let groups = candidates
            .iter()
            .filter(may_be)
            .find_map(|known| pattern.matches(path, known))?;
        Some(Match { modality, path, groups })
    };
    Ok(source.files.par_iter().filter_map(fits).collect())
}

/// The files of one subject, and what they and its rows tell.
struct Located<'a> {
    source: &'a Source<'a>,
    id: &'a str,
    matches: &'a [Match<'a>],
}

impl Located<'_> {
    fn subject(
        &self,
        table: Option<&SubjectTable>,
        sessions: Option<&BTreeSet<String>>,
    ) -> Result<FoundIds, DataError> {
        self.check_id("subjects", self.id)?;
        let mut ids: Vec<&str> = match sessions {
            Some(sessions) => sessions.iter().map(String::as_str).collect(),
            None => {
                let found = self
                    .matches
                    .iter()
                    .filter_map(|found| found.groups.get(PathGroup::Session));
                found.collect::<BTreeSet<_>>().into_iter().collect()
            }
        };
        if ids.is_empty() {
            ids.push(self.id);
        }
        ids.sort_by(|a, b| natural_cmp(a, b));
        let whose = format!("subject `{}`", self.id);
        let everything: Vec<&Match> = self.matches.iter().collect();
        let inferred =
            |group: PathGroup, column: fn(&TableRule) -> Option<&str>| match self.agreed(group, &everything, &whose)? {
                Some((text, _)) => Ok(Some(text)),
                None => table.map_or(Ok(None), |table| self.agreed_rows(group, table, column)),
            };
        Ok(FoundIds {
            id: self.id.to_string(),
            site: inferred(PathGroup::Site, |rule| rule.site.as_deref())?,
            group: inferred(PathGroup::Group, |rule| rule.group.as_deref())?,
            sessions: ids.into_iter().map(|id| self.session(id)).collect::<Result<_, _>>()?,
        })
    }

    fn session(&self, id: &str) -> Result<FoundFiles, DataError> {
        self.check_id("table.session", id)?;
        let serves = |found: &&Match| found.groups.get(PathGroup::Session).is_none_or(|session| session == id);
        let matches: Vec<&Match> = self.matches.iter().filter(serves).collect();
        let whose = whose(self.id, id);
        let mut files = vec![Vec::new(); self.source.card.modalities.len()];
        for found in &matches {
            if let Some(files) = files.get_mut(found.modality) {
                files.push(found.path.to_string());
            }
        }
        for (rule, files) in self.source.card.modalities.iter().zip(&mut files) {
            files.sort_by(|a, b| natural_cmp(a, b));
            if let (false, [first, second, ..]) = (rule.takes_several_files(), files.as_slice()) {
                let found = format!("a second file of modality `{}` for {whose}", rule.name);
                let expected = format!("one, and `{first}` is it");
                let hint = "remove one, or tell them apart by `{session}` in the pattern";
                let file = self.source.raw_dir.join(second);
                return Err(file_error(&file, "name", found, expected, hint));
            }
        }
        let label = self.agreed(PathGroup::Label, &matches, &whose)?;
        Ok(FoundFiles {
            id: id.to_string(),
            label,
            files,
        })
    }

    /// The one text that a group matched in several files, and one of these.
    fn agreed(&self, group: PathGroup, matches: &[&Match], whose: &str) -> Result<Option<(String, String)>, DataError> {
        let mut inferred = matches
            .iter()
            .filter_map(|found| Some((found.groups.get(group)?, found.path)));
        let Some((text, file)) = inferred.next() else {
            return Ok(None);
        };
        match inferred.find(|(other, _)| *other != text) {
            None => Ok(Some((text.to_string(), file.to_string()))),
            Some((other, other_file)) => {
                let found = format!("{} `{other}` for {whose}", group.name());
                let expected = format!("`{text}`, as the name of `{file}` says");
                let file = self.source.raw_dir.join(other_file);
                let hint = "move or rename one of the two files";
                Err(file_error(&file, "name", found, expected, hint))
            }
        }
    }

    /// The one value that a column of the card's table has in all rows of the subject.
    fn agreed_rows(
        &self,
        group: PathGroup,
        table: &SubjectTable,
        column: fn(&TableRule) -> Option<&str>,
    ) -> Result<Option<String>, DataError> {
        let Some(column) = self.source.card.table.as_ref().and_then(column) else {
            return Ok(None);
        };
        let index = table.table.column(column, &format!("table.{}", group.name()))?;
        let rows = table.rows().filter(|(id, _, _)| *id == self.id).map(|(_, _, row)| row);
        let mut inferred = rows.filter(|row| !table.layout.is_missing(row.field(index)));
        let Some(row) = inferred.next() else { return Ok(None) };
        match inferred.find(|other| other.field(index) != row.field(index)) {
            None => Ok(Some(row.field(index).to_string())),
            Some(other) => {
                let place = format!("line {}, column `{column}`", other.line());
                let found = format!("`{}` for subject `{}`", other.field(index), self.id);
                let expected = format!("`{}`, as in line {}", row.field(index), row.line());
                let hint = format!("a subject has one {}", group.name());
                Err(file_error(&table.table.file, place, found, expected, hint))
            }
        }
    }

    fn check_id(&self, place: &str, id: &str) -> Result<(), DataError> {
        match id.is_empty() || id.starts_with('.') || id.contains(['/', '\\']) {
            false => Ok(()),
            true => {
                let hint = "ids become parts of file names: no slashes, no leading dot, not empty";
                Err(self.source.card.error(place, format!("`{id}` is not an id"), hint))
            }
        }
    }
}

/// Error for a dataset in which no file names a subject.
fn nobody(source: &Source) -> DataError {
    let card = source.card;
    let (problem, hint) = match &card.subjects {
        SubjectRule::Table {} => (
            "the table has no rows".to_string(),
            "check `layout.skip_lines` and `layout.comment`",
        ),
        SubjectRule::List { .. } => ("no ids".into(), "list them under `ids`"),
        SubjectRule::Files {} => {
            let patterns = card
                .modalities
                .iter()
                .filter_map(ModalityRule::pattern)
                .map(|text| format!("`{text}`"));
            let patterns: Vec<String> = patterns.collect();
            let files = match source.files.first() {
                None => "there is no file below the raw folder".into(),
                Some(first) => format!("there are {} files, the first is `{first}`", source.files.len()),
            };
            (
                format!("no file matches {}; {files}", patterns.join(" or ")),
                "a pattern is the whole path below the raw folder",
            )
        }
    };
    card.error("subjects", problem, hint)
}
