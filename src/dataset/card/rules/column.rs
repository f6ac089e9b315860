//! One column of a table, or one channel of a file with signals.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clinical;

/// One column of a table, or one channel of a file with signals.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// Name in the file, if not [`name`](Self::name); tables have columns, other files channels.
    #[serde(alias = "channel")]
    pub column: Option<String>,
    /// Name of the channel, if not that in the file.
    pub name: Option<String>,
    /// Unit of its numbers, `1` without one; that of `scale` where there is one.
    #[serde(default)]
    pub unit: String,
    /// The clinical scale whose scores these are: its unit, its range and its steps hold.
    pub scale: Option<clinical::Scale>,
    /// For words instead of numbers: word -> number.
    pub categories: Option<BTreeMap<String, f32>>,
    /// Smallest and largest number that make sense in this unit; anything else is an error.
    pub range: Option<[f32; 2]>,
}

impl ColumnRule {
    /// Name of the column or channel in the file.
    pub fn in_file(&self) -> &str {
        self.column.as_deref().or(self.name.as_deref()).unwrap_or_default()
    }

    /// Name of the channel in the cohort.
    pub fn channel(&self) -> &str {
        self.name.as_deref().or(self.column.as_deref()).unwrap_or_default()
    }

    /// Unit of its numbers.
    pub fn unit(&self) -> &str {
        match self.scale {
            Some(scale) if self.unit.is_empty() => scale.unit(),
            _ => &self.unit,
        }
    }

    /// What is wrong with a number, if it is not one that makes sense here.
    pub(in crate::dataset) fn out_of_range(&self, number: f32) -> Option<String> {
        let [low, high] = self.range.filter(|[low, high]| !(*low..=*high).contains(&number))?;
        Some(format!("{low} to {high} {}", self.unit()))
    }
}
