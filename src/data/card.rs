//! Dataset cards: `datasets/<name>/card.toml` says where a dataset comes from, under which licence, which bytes are the
//! right ones, and how its files become a cohort. `datasets/README.md` explains the keys with an example.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::DataError;
use super::formats::delimited::DelimitedLayout;
use super::prepared::digest;

/// A dataset card, checked: the names it uses exist, its files do not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Where the card was loaded from.
    #[serde(skip)]
    pub path: PathBuf,
    /// The card's text, part of the key of prepared data.
    #[serde(skip)]
    pub text: String,
    /// Name of the dataset, and of the cohort.
    pub name: String,
    /// Full title.
    pub title: String,
    /// SPDX identifier where there is one.
    pub licence: String,
    /// What to cite, one entry per work.
    pub citation: Vec<String>,
    /// The page that describes the dataset.
    pub url: String,
    /// Prefix of each file's address, with a slash at the end.
    pub base_url: String,
    /// Patterns of the files that are needed, with at most one `*` each.
    pub files: Vec<String>,
    /// The file with a line `sha256  file` per file; without one, files are taken as they are.
    pub hashes: Option<String>,
    /// SHA-256 of that file itself, so that the card vouches for every byte.
    pub hashes_sha256: Option<String>,
    /// Contents that are right as well although `hashes` says otherwise.
    #[serde(default)]
    pub accept: Vec<Accept>,
    /// Names of the classes, in the order of their indices.
    pub classes: Vec<String>,
    /// Where the subjects come from.
    pub subjects: SubjectRule,
    /// The table with one row per subject, if there is one.
    pub table: Option<TableRule>,
    /// How a subject's class is found.
    pub label: LabelRule,
    /// The modalities, in the order of the cohort's.
    #[serde(rename = "modality")]
    pub modalities: Vec<ModalityRule>,
}

/// One more right content of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The file.
    pub file: String,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// Why this content is as good.
    pub reason: String,
}

/// Where the subjects come from. Each subject has one session, whose id is the subject's.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SubjectRule {
    /// Every row of the table is a subject.
    Table,
    /// These.
    List {
        /// Their ids.
        ids: Vec<String>,
    },
}

/// A table with one row per subject.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRule {
    /// The file.
    pub file: String,
    /// How its lines are cut into fields.
    pub layout: DelimitedLayout,
    /// The column with the subject's id.
    pub id: String,
    /// The column with the subject's site.
    pub site: Option<String>,
}

/// How a subject's class is found; the maps lead to names in [`Card::classes`].
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LabelRule {
    /// By a column of the table.
    Column {
        /// The column.
        column: String,
        /// Value of the column -> class.
        classes: BTreeMap<String, String>,
    },
    /// By the beginning of the subject's id; the longest that fits counts.
    IdPrefix {
        /// Prefix -> class.
        classes: BTreeMap<String, String>,
    },
}

/// How one modality is read. `{subject}` in a file's name stands for the subject's id.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModalityRule {
    /// Signals of a WFDB record.
    Wfdb {
        /// Name of the modality.
        name: String,
        /// Name of the record, without `.hea`.
        record: String,
        /// Rate to resample to.
        rate_hz: f64,
        /// Digital or physical values.
        scale: Scale,
        /// What to do about samples that are missing.
        #[serde(default)]
        missing: MissingRule,
        /// Whether a subject may lack the record.
        #[serde(default)]
        optional: bool,
        /// The signals to take, by the description in the header.
        channels: Vec<SignalRule>,
    },
    /// A table per subject, one row per event; becomes a series.
    Delimited {
        /// Name of the modality.
        name: String,
        /// The file.
        file: String,
        /// How its lines are cut into fields.
        layout: DelimitedLayout,
        /// The column with seconds on the session's clock.
        time: String,
        /// Whether a subject may lack the file.
        #[serde(default)]
        optional: bool,
        /// The columns to take.
        channels: Vec<ColumnRule>,
    },
    /// Columns of the card's table; becomes one row per session.
    ClinicalTable {
        /// Name of the modality.
        name: String,
        /// The columns to take.
        channels: Vec<ColumnRule>,
    },
}

/// One signal of a WFDB record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRule {
    /// Description of the signal in the header, and name of the channel.
    pub name: String,
    /// `adu` for digital values, otherwise the header's unit.
    pub unit: String,
}

/// One column of a delimited file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnRule {
    /// Name in the layout's header, and name of the channel.
    pub column: String,
    /// Unit of its numbers, `1` without one.
    pub unit: String,
    /// For words instead of numbers: word -> number.
    pub categories: Option<BTreeMap<String, f32>>,
    /// Smallest and largest number that make sense in this unit; anything else is an error.
    pub range: Option<[f32; 2]>,
}

/// Digital or physical values of a WFDB signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The numbers of the analogue-digital converter.
    Digital,
    /// `(digital - baseline) / gain`, in the header's unit.
    Physical,
}

/// What to do about missing samples of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRule {
    /// They are an error.
    #[default]
    Error,
    /// A straight line between the neighbours, the nearest value at the ends; before resampling.
    Interpolate,
    /// They stay NaN, as does every resampled value whose filter touches one.
    Mask,
}

impl Card {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// [`DataError::Io`], or [`DataError::Card`] with the line or key that is wrong.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io(path, "read"))?;
        let mut card: Self = toml::from_str(&text).map_err(|error| DataError::Card {
            file: path.to_path_buf(),
            place: match error.span().and_then(|span| text.get(..span.start)) {
                Some(before) => format!("line {}", before.lines().count().max(1) + usize::from(before.ends_with('\n'))),
                None => "card".into(),
            },
            problem: error.message().to_string(),
            hint: "datasets/README.md lists the keys of a card".into(),
        })?;
        card.path = path.to_path_buf();
        card.text = text;
        card.check()?;
        Ok(card)
    }

    /// Whether the file is one of those that the card needs.
    pub fn needs(&self, file: &str) -> bool {
        self.files.iter().any(|pattern| match pattern.split_once('*') {
            None => pattern == file,
            Some((start, end)) => {
                file.len() >= start.len() + end.len() && file.starts_with(start) && file.ends_with(end)
            }
        })
    }

    /// The right hashes of each needed file: those of the list `hashes` below `raw_dir` and those that the card accepts.
    /// Empty for a card without `hashes`.
    ///
    /// # Errors
    /// [`DataError::Io`] without the list, [`DataError::File`] when it is not the one that the card knows.
    pub fn declared_hashes(&self, raw_dir: &Path) -> Result<BTreeMap<String, Vec<String>>, DataError> {
        let mut declared = BTreeMap::<String, Vec<String>>::new();
        let Some(list) = &self.hashes else { return Ok(declared) };
        let path = raw_dir.join(list);
        let text = std::fs::read_to_string(&path).map_err(DataError::io(&path, "read"))?;
        let wrong = |place: String, found: String, expected: String| DataError::File {
            file: path.clone(),
            place,
            found,
            expected,
            hint: format!("fetch it again from {}{list}", self.base_url),
        };
        let found = digest(text.as_bytes());
        if let Some(expected) = self.hashes_sha256.as_ref().filter(|expected| **expected != found) {
            return Err(wrong("content".into(), format!("sha256 {found}"), expected.clone()));
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (hash, file) = (line.split_once(char::is_whitespace))
                .ok_or_else(|| wrong(format!("line {}", number + 1), format!("`{line}`"), "`sha256 file`".into()))?;
            let file = file.trim_start_matches([' ', '*']);
            if self.needs(file) {
                declared.entry(file.to_string()).or_default().push(hash.to_lowercase());
            }
        }
        for accept in &self.accept {
            declared.entry(accept.file.clone()).or_default().push(accept.sha256.to_lowercase());
        }
        Ok(declared)
    }

    /// Text that changes whenever the card or the declared content of its files does.
    pub(super) fn source_key(&self, raw_dir: &Path) -> Result<String, DataError> {
        let mut key = self.text.clone();
        let mut add = |file: &str, hash: &str| key.push_str(&format!("\n{hash}  {file}"));
        if self.hashes.is_some() {
            for (file, hashes) in self.declared_hashes(raw_dir)? {
                add(&file, &hashes.join(" or "));
            }
            return Ok(key);
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(raw_dir).map_err(DataError::io(raw_dir, "read"))? {
            let entry = entry.map_err(DataError::io(raw_dir, "read"))?;
            names.extend(entry.file_name().into_string().ok().filter(|name| self.needs(name)));
        }
        names.sort();
        for name in names {
            let path = raw_dir.join(&name);
            add(&name, &digest(&std::fs::read(&path).map_err(DataError::io(&path, "read"))?));
        }
        Ok(key)
    }

    /// A [`DataError::Card`] of this card.
    pub(super) fn error(&self, place: impl Into<String>, problem: String, hint: impl Into<String>) -> DataError {
        DataError::Card { file: self.path.clone(), place: place.into(), problem, hint: hint.into() }
    }

    fn check(&self) -> Result<(), DataError> {
        let needs_table = matches!(self.subjects, SubjectRule::Table)
            || matches!(self.label, LabelRule::Column { .. })
            || self.modalities.iter().any(|rule| matches!(rule, ModalityRule::ClinicalTable { .. }));
        match &self.table {
            Some(table) => {
                table.layout.check().map_err(|problem| self.error("table.layout", problem, HEADER_HINT))?;
                self.check_column("table.id", &table.layout, &table.id)?;
                if let Some(site) = &table.site {
                    self.check_column("table.site", &table.layout, site)?;
                }
                if let LabelRule::Column { column, .. } = &self.label {
                    self.check_column("label.column", &table.layout, column)?;
                }
            }
            None if needs_table => {
                let problem = "missing, but `subjects`, `label` or a `clinical-table` modality reads it".into();
                return Err(self.error("table", problem, "describe the file with one row per subject under [table]"));
            }
            None => {}
        }
        if !self.base_url.ends_with('/') {
            let problem = format!("`{}` has no slash at the end", self.base_url);
            return Err(self.error("base_url", problem, "a file's address is base_url followed by its name"));
        }
        let (LabelRule::Column { classes, .. } | LabelRule::IdPrefix { classes }) = &self.label;
        for (value, class) in classes {
            if !self.classes.contains(class) {
                let problem = format!("unknown class `{class}`, expected one of {:?}", self.classes);
                return Err(self.error(format!("label.classes.{value}"), problem, "add it to `classes` or correct it"));
            }
        }
        let mut names = HashSet::new();
        for rule in &self.modalities {
            if !names.insert(rule.name()) {
                let problem = "this name is used twice".into();
                return Err(self.error(format!("modality.{}", rule.name()), problem, "modalities have unique names"));
            }
            self.check_modality(rule)?;
        }
        Ok(())
    }

    fn check_modality(&self, rule: &ModalityRule) -> Result<(), DataError> {
        let place = format!("modality.{}", rule.name());
        let (columns, layout) = match rule {
            ModalityRule::Wfdb { rate_hz, scale, channels, .. } => {
                if !(rate_hz.is_finite() && *rate_hz > 0.0) {
                    let problem = format!("{rate_hz}, expected a positive number");
                    return Err(self.error(format!("{place}.rate_hz"), problem, "samples per second to resample to"));
                }
                let wrong = |channel: &&SignalRule| (channel.unit == "adu") != (*scale == Scale::Digital);
                if let Some(channel) = channels.iter().find(wrong) {
                    let problem = format!("unit `{}` with scale {scale:?}", channel.unit);
                    let hint = "digital values have the unit `adu`, physical values that of the record's header";
                    return Err(self.error(format!("{place}.channels.{}", channel.name), problem, hint));
                }
                (None, None)
            }
            ModalityRule::Delimited { layout, time, channels, .. } => {
                layout.check().map_err(|problem| self.error(format!("{place}.layout"), problem, HEADER_HINT))?;
                self.check_column(&format!("{place}.time"), layout, time)?;
                (Some(channels), Some(layout))
            }
            ModalityRule::ClinicalTable { channels, .. } => {
                (Some(channels), self.table.as_ref().map(|table| &table.layout))
            }
        };
        let (Some(columns), Some(layout)) = (columns, layout) else {
            return Ok(());
        };
        columns.iter().try_for_each(|rule| self.check_column(&format!("{place}.channels"), layout, &rule.column))
    }

    fn check_column(&self, place: &str, layout: &DelimitedLayout, column: &str) -> Result<(), DataError> {
        match layout.header.iter().any(|name| name == column) {
            true => Ok(()),
            false => {
                let problem = format!("unknown column `{column}`, expected one of {:?}", layout.header);
                Err(self.error(place, problem, HEADER_HINT))
            }
        }
    }
}

const HEADER_HINT: &str = "`layout.header` names every column of the file, in its order";

impl ModalityRule {
    /// Name of the modality.
    pub fn name(&self) -> &str {
        let (Self::Wfdb { name, .. } | Self::Delimited { name, .. } | Self::ClinicalTable { name, .. }) = self;
        name
    }
}
