//! From an experiment file to its configuration: composition with `base`, and `--set`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::config::ExperimentConfig;
use super::error::{ExperimentError, Located};
use crate::base::Problems;
use crate::base::text::closest_expected;

/// Files that one experiment may be composed of; more are a circle.
const MAX_BASES: usize = 16;

/// Bytes of the longest file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// An experiment file as read, with its bases and overrides, and what it says.
#[derive(Clone, Debug)]
pub struct ExperimentFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Text of the file itself, without its bases.
    pub text: String,
    /// Configuration, with bases and overrides applied.
    pub config: ExperimentConfig,
}

impl ExperimentFile {
    /// Reads `path`, the file that its `base` names (relative to it) below that, and applies `--set` assignments.
    ///
    /// Tables of a file are merged into those of its base; any other value, lists too, takes the place of the base's.
    ///
    /// # Errors
    /// A file that cannot be read, TOML that is none, an unknown key or a value of the wrong type (with line and
    /// column), a base that leads back to itself, an override that names nothing.
    pub fn load(path: &Path, assignments: &[String]) -> Result<Self, ExperimentError> {
        Self::parse(path, &read(path)?, assignments)
    }

    /// Like [`load`](Self::load), of a text.
    pub fn parse(path: &Path, text: &str, assignments: &[String]) -> Result<Self, ExperimentError> {
        let own = parse_table(path, text)?;
        let composed = own.contains_key("base");
        let mut document = compose(path, own, MAX_BASES)?;
        for assignment in assignments {
            super::overrides::apply(&mut document, assignment)?;
        }
        let syntax = |message: String| syntax(path, &message);
        // Of a plain file the parser knows line and column.
        let config = if assignments.is_empty() && !composed {
            toml::from_str(text).map_err(|error| syntax(error.to_string()))?
        } else {
            let with: String = assignments
                .iter()
                .map(|assignment| format!(" --set {assignment}"))
                .collect();
            let with = if composed {
                format!(" with its base{with}")
            } else {
                with
            };
            ExperimentConfig::deserialize(document)
                .map_err(|error| syntax(format!("{} (in the experiment{with})", error.to_string().trim_end())))?
        };
        Ok(Self {
            path: path.into(),
            text: text.into(),
            config,
        })
    }

    /// Fails with all `problems`, each once and with its line.
    pub(super) fn check(&self, problems: &Problems) -> Result<(), ExperimentError> {
        let mut located: Vec<Located> = Vec::new();
        for problem in problems.iter() {
            // Variants repeat the problems of what they share.
            if !located.iter().any(|known| known.problem == *problem) {
                located.push(Located {
                    line: self.line_of(&problem.key),
                    problem: problem.clone(),
                });
            }
        }
        if located.is_empty() {
            return Ok(());
        }
        Err(ExperimentError::Problems {
            path: self.path.clone(),
            problems: located,
        })
    }

    /// The line (from 1) of the file that `key` stands on, or that of the innermost table around it; `None` where the
    /// key comes from a base or an override.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        use toml::de::{DeTable, DeValue};
        let document = DeTable::parse(&self.text).ok()?;
        let is_whole = !document.get_ref().contains_key("base");
        let key = key.replace('[', ".").replace(']', "");
        let mut parts = key.split('.');
        let (first, mut value) = document.get_ref().get_key_value(parts.next()?)?;
        let mut start = first.span().start;
        for part in parts {
            let next = match value.get_ref() {
                DeValue::Table(table) => table.get_key_value(part).map(|(key, value)| (key.span().start, value)),
                DeValue::Array(array) => {
                    let name = |value: &'_ toml::Spanned<DeValue>| {
                        value
                            .get_ref()
                            .get("name")
                            .and_then(|name| name.get_ref().as_str().map(str::to_owned))
                    };
                    let names: Vec<Option<String>> = array.iter().map(name).collect();
                    let at = super::overrides::position(names.iter().map(Option::as_deref), part);
                    at.and_then(|at| array.get(at)).map(|value| (value.span().start, value))
                }
                _ => None,
            };
            match next {
                Some(found) => (start, value) = found,
                None if is_whole => break,
                None => return None,
            }
        }
        Some(1 + self.text.get(..start)?.matches('\n').count())
    }
}

fn read(path: &Path) -> Result<String, ExperimentError> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    // A device or a pipe may never end.
    let read = file.and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|source| ExperimentError::Io {
        path: path.into(),
        source,
    })?;
    if text.len() as u64 > MAX_BYTES {
        let message = format!("has more than {MAX_BYTES} bytes, so it is no experiment file");
        return Err(syntax(path, &message));
    }
    Ok(text)
}

fn parse_table(path: &Path, text: &str) -> Result<Table, ExperimentError> {
    toml::from_str(text).map_err(|error: toml::de::Error| syntax(path, &error.to_string()))
}

/// A parser's message, with the known name that is closest to an unknown one.
fn syntax(path: &Path, message: &str) -> ExperimentError {
    let message = message.trim_end();
    let hint = closest_expected(message).map(|name| format!("\nhint: did you mean `{name}`?"));
    ExperimentError::Syntax {
        path: path.into(),
        message: format!("{message}{}", hint.unwrap_or_default()),
    }
}

/// The document with its base below it.
fn compose(path: &Path, mut own: Table, depth: usize) -> Result<Table, ExperimentError> {
    let fail = |message: String| ExperimentError::Syntax {
        path: path.into(),
        message,
    };
    let base = match own.remove("base") {
        None => return Ok(own),
        Some(Value::String(base)) => path.parent().unwrap_or(Path::new("")).join(base),
        Some(other) => {
            return Err(fail(format!(
                "base is {other}, expected the path of an experiment file"
            )));
        }
    };
    if depth == 0 {
        return Err(fail(format!(
            "base {}: more than {MAX_BASES} files, so they name each other",
            base.display()
        )));
    }
    let below = parse_table(&base, &read(&base)?)?;
    let mut document = compose(&base, below, depth - 1)?;
    merge(&mut document, own);
    Ok(document)
}

fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            // A table of another kind is another thing: none of the old keys belong to it.
            (Some(Value::Table(old)), Value::Table(new))
                if new.get("kind").is_none_or(|kind| old.get("kind") == Some(kind)) =>
            {
                merge(old, new);
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}
