//! Errors of reading and writing files, all built and printed in one way.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

/// Characters that a message shows of a value in backticks, and of everything that was found.
const MAX_VALUE_CHARS: usize = 80;
const MAX_FOUND_CHARS: usize = 600;

/// An error of reading or writing a file.
///
/// Either the disk failed ([`FileError::io`]), or the file is not what its format, its own header or its description promise
/// ([`FileError::at`]). The message is `PATH: PLACE: found F, expected E` and, on a line of its own, `hint: H`; control
/// characters are escaped and long values cut, so that no file writes into the terminal.
///
/// ```
/// use recoup_formats::FileError;
/// use std::path::Path;
///
/// let error = FileError::at(Path::new("walk.csv"))
///     .place("line 3")
///     .found("4 fields")
///     .expected("5 fields, as the header has")
///     .hint("add the field that is lacking");
/// assert_eq!(
///     error.to_string(),
///     "walk.csv: line 3: found 4 fields, expected 5 fields, as the header has\nhint: add the field that is lacking"
/// );
/// ```
#[derive(Debug)]
pub struct FileError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    path: PathBuf,
    problem: Problem,
    hint: String,
}

#[derive(Debug)]
enum Problem {
    Io {
        action: &'static str,
        source: io::Error,
    },
    Content {
        place: String,
        found: String,
        expected: String,
    },
}

impl FileError {
    /// An error of what the file at `path` holds, to be completed by the methods below.
    pub fn at(path: &Path) -> Self {
        let problem = Problem::Content {
            place: String::new(),
            found: String::new(),
            expected: String::new(),
        };
        Self::new(path, problem)
    }

    /// For `map_err`: wraps the system's reason together with the path; `action` is a verb, such as "read".
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::new(&path, Problem::Io { action, source })
    }

    fn new(path: &Path, problem: Problem) -> Self {
        Self(Box::new(Parts {
            path: path.to_path_buf(),
            problem,
            hint: String::new(),
        }))
    }

    /// Sets the line, byte, signal, field or column.
    pub fn place(mut self, text: impl Display) -> Self {
        if let Problem::Content { place, .. } = &mut self.0.problem {
            *place = text.to_string();
        }
        self
    }

    /// Sets what stands there; a value stands in backticks.
    pub fn found(mut self, text: impl Display) -> Self {
        if let Problem::Content { found, .. } = &mut self.0.problem {
            *found = text.to_string();
        }
        self
    }

    /// Sets what should stand there.
    pub fn expected(mut self, text: impl Display) -> Self {
        if let Problem::Content { expected, .. } = &mut self.0.problem {
            *expected = text.to_string();
        }
        self
    }

    /// Sets what to do about it.
    pub fn hint(mut self, text: impl Display) -> Self {
        self.0.hint = text.to_string();
        self
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The system's kind of failure; none where the file's content is wrong.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.0.problem {
            Problem::Io { source, .. } => Some(source.kind()),
            Problem::Content { .. } => None,
        }
    }
}

impl Display for FileError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Parts { path, problem, hint } = &*self.0;
        write!(f, "{}: ", printable(&path.display().to_string()))?;
        match problem {
            Problem::Io { action, source } => write!(f, "cannot {action}: {source}")?,
            Problem::Content { place, found, expected } => {
                let [place, found] = [place, found].map(|text| printable(&shortened(text)));
                write!(f, "{place}: found {found}, expected {}", printable(expected))?;
            }
        }
        if !hint.is_empty() {
            write!(f, "\nhint: {}", printable(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.problem {
            Problem::Io { source, .. } => Some(source),
            Problem::Content { .. } => None,
        }
    }
}

/// The text with its control characters escaped as in Rust: a message or a table of the program must not move the cursor,
/// colour the terminal or break a line where a file's value says so.
pub fn printable(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_bidirectional(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Marks that turn the order of the letters after them.
fn is_bidirectional(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every value in backticks cut to 80 characters, and all of it to 600; says how many are left out.
pub fn shortened(text: &str) -> String {
    let mut short = String::new();
    for (index, piece) in text.split('`').enumerate() {
        if index > 0 {
            short.push('`');
        }
        let max_chars = if index % 2 == 1 { MAX_VALUE_CHARS } else { usize::MAX };
        short.push_str(&cut(piece, max_chars));
    }
    cut(&short, MAX_FOUND_CHARS)
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.into(),
        Some((end, _)) => {
            let rest = text.chars().count() - max_chars;
            format!("{}… ({rest} more characters)", text.get(..end).unwrap_or_default())
        }
    }
}
