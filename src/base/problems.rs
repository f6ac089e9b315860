//! Problems of a configuration, collected so that all of them are reported at once.

use std::fmt;
use std::ops::Deref;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key, seen from the table that was checked.
    pub key: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Problem {
    /// A problem of the value at `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }

    /// The problem as the table around sees it, which holds the checked one at `prefix`.
    pub fn below(self, prefix: impl fmt::Display) -> Self {
        Self {
            key: format!("{prefix}.{}", self.key),
            message: self.message,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.message)
    }
}

/// Everything that is wrong with a configuration, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem unless `condition` holds.
    pub fn require<M: Into<String>>(&mut self, condition: bool, key: &str, message: impl FnOnce() -> M) {
        if !condition {
            self.add(key, message());
        }
    }

    /// Adds a problem unless the count or size `value` is 1 to `max`.
    pub fn require_size(&mut self, value: usize, max: usize, key: &str) {
        self.require(value > 0, key, || "must be at least 1");
        self.require(value <= max, key, || format!("is {value}, must be at most {max}"));
    }

    /// Adds a problem.
    pub fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::new(key, message));
    }

    /// Adds the problems of a part that stands at the key `prefix`.
    pub fn extend_below(&mut self, prefix: impl fmt::Display, part: Self) {
        self.0.extend(part.0.into_iter().map(|problem| problem.below(&prefix)));
    }

    /// `value` if nothing is wrong.
    ///
    /// # Errors
    /// The problems themselves.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl Deref for Problems {
    type Target = [Problem];

    fn deref(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
