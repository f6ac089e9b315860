//! De-identification on import: pseudonyms by key, dates shifted per patient, free text dropped, great ages grouped.
//!
//! Every column of a table must be classified; one that is not is an error, never kept. The identifiers are those of
//! the HIPAA Safe Harbor method as far as tables and headers carry them; the result is as good as the classification.
//!
//! *Pseudonym*: the first 80 bits of HMAC-SHA-256(key, `id` 0 id) in base 32, after a prefix. Equal ids get equal
//! pseudonyms in every file, and only the key's holder can compute them. *Date shift*: a number of whole days in
//! -365..-1 or 1..365 from HMAC-SHA-256(key, `shift` 0 patient), so that intervals within a patient are kept to the day
//! and times of day are untouched.
//!
//! A date of birth that is shifted still tells an age above 89: drop it and keep the age.

mod convert;
mod dates;
mod folder;
mod known;
mod survey;

pub use folder::{FileReport, FolderReport, deidentify_folder};

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use self::known::KnownIds;
use crate::base::FileError;
use recoup_formats::delimited::DelimitedTable;

const LEAST_KEY_BYTES: usize = 16;
const MOST_SHIFT_DAYS: u64 = 365;
/// The age from which ages are one group.
const GROUPED_AGE: f64 = 90.0;

/// How a dataset is de-identified.
///
/// ```
/// let rules: recoup::deidentify::DeidentifyRules = toml::from_str(r#"
///     prefix = "P"
///     patient = "MRN"               # the column whose patient a row is of
///     missing = ["NA"]              # beside the empty field
///     [columns]
///     MRN = "id"
///     admitted = "date"
///     age = "age"
///     barthel = "keep"
///     remarks = "drop"
/// "#).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeidentifyRules {
    /// What pseudonyms begin with.
    #[serde(default)]
    pub prefix: String,
    /// The column of the patient, of class `id`, in tables that have it.
    #[serde(default)]
    pub patient: Option<String>,
    /// Where the patients of other files than tables and DICOM are named.
    #[serde(default)]
    pub patient_from: PatientFrom,
    /// Paths with the patient in them, for `patient_from = "path"`: `*/{patient}_*` fits whole paths, `{patient}/...`
    /// whatever is below the folder.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Whether the texts of marks in EDF+, WFDB and C3D files are kept.
    #[serde(default)]
    pub annotations: AnnotationRule,
    /// Fields that stand for a missing value; an empty field always does.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The class of every column.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnClass>,
}

/// Where the patient of a file is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatientFrom {
    /// In its path, see [`DeidentifyRules::pattern`].
    #[default]
    Path,
    /// In its header: EDF, BDF and C3D.
    Header,
}

/// What is done with the texts of annotations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnotationRule {
    /// Left out: they are free text.
    #[default]
    Drop,
    /// Kept; an id in them is an error.
    Keep,
}

/// What is done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnClass {
    /// Replaced by a pseudonym.
    Id,
    /// Shifted by the patient's days: `2021-03-04` with or without a time of day, `04.03.2021`, or DICOM's `20210304`
    /// and `20210304101112.5+0100`.
    Date,
    /// Kept; a field that is a date or one of the table's ids is an error.
    Keep,
    /// Ages above 89 become 90.
    Age,
    /// Left out: free text, names, addresses.
    Drop,
}

/// Replaces what identifies.
pub struct Deidentifier {
    /// Of the key, which is not kept.
    mac: Hmac<Sha256>,
    rules: DeidentifyRules,
}

impl fmt::Debug for Deidentifier {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deidentifier")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Reads the key: all bytes of a file, line ends at its end aside.
///
/// # Errors
/// When the file cannot be read.
pub fn key_from_file(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut key = std::fs::read(path).map_err(FileError::io(path, "read"))?;
    key.truncate(key.trim_ascii_end().len());
    Ok(key)
}

impl Deidentifier {
    /// Takes the key and the rules.
    ///
    /// # Errors
    /// For a key of less than 16 bytes, and rules whose column of the patient is not an id.
    pub fn new(key: &[u8], rules: DeidentifyRules) -> Result<Self, String> {
        if key.len() < LEAST_KEY_BYTES {
            return Err(format!(
                "a key of {} bytes, expected at least {LEAST_KEY_BYTES} random ones",
                key.len()
            ));
        }
        if let Some(patient) = &rules.patient
            && rules.columns.get(patient) != Some(&ColumnClass::Id)
        {
            return Err(format!("`patient` is `{patient}`, expected a column of class `id`"));
        }
        let mac = Hmac::new_from_slice(key).map_err(|error| error.to_string())?;
        Ok(Self { mac, rules })
    }

    fn digest(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.trim().as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The pseudonym of an id, spaces around it aside.
    pub fn pseudonym(&self, id: &str) -> String {
        const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let bits = self
            .digest("id", id)
            .iter()
            .take(10)
            .fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        let digit = |index: u32| {
            DIGITS
                .get((bits >> (75 - 5 * index) & 31) as usize)
                .map_or('?', |&byte| byte.into())
        };
        self.rules.prefix.chars().chain((0..16).map(digit)).collect()
    }

    /// Days that the dates of a patient are moved by: never 0, at most 365 either way.
    pub fn shift_days(&self, patient: &str) -> i64 {
        let [a, b, c, d, e, f, g, h, ..] = self.digest("shift", patient);
        let draw = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % (2 * MOST_SHIFT_DAYS);
        let days = draw.cast_signed() - MOST_SHIFT_DAYS.cast_signed();
        if days < 0 { days } else { days + 1 }
    }

    /// A date of a patient shifted, in the format it has; `None` for what is no date.
    pub fn shift_date(&self, patient: &str, date: &str) -> Option<String> {
        dates::shift(date, self.shift_days(patient))
    }

    /// The rules.
    pub fn rules(&self) -> &DeidentifyRules {
        &self.rules
    }

    /// A table, from text or Parquet, as CSV without its dropped columns.
    ///
    /// # Errors
    /// [`FileError`] listing all columns that are not classified; naming line and column of a date or age that is
    /// none, of a row without patient, and of a kept field that is a date or an id of the table.
    pub fn table(&self, table: &DelimitedTable) -> Result<Vec<u8>, FileError> {
        self.table_among(table, None, true, &KnownIds::default())
    }

    /// As [`Self::table`], with the patient of tables that have no column for it, and more ids that may not stay.
    fn table_among(
        &self,
        table: &DelimitedTable,
        patient: Option<&str>,
        has_header: bool,
        known: &KnownIds,
    ) -> Result<Vec<u8>, FileError> {
        let class = |column: &String| self.rules.columns.get(column).copied();
        let unknown: Vec<_> = table.columns.iter().filter(|column| class(column).is_none()).collect();
        if !unknown.is_empty() {
            let names = unknown
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let hint = "add them to `[columns]` of the rules; what is kept must be known";
            return Err(FileError::at(&table.file)
                .place("header")
                .found(format!("columns {names}"))
                .expected("a class for every column")
                .hint(hint));
        }
        let column = self.patient_column(table);
        if column.is_none() && patient.is_none() {
            let found = table
                .columns
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let expected = format!("one column `{}`", self.rules.patient.as_deref().unwrap_or("patient"));
            return Err(FileError::at(&table.file)
                .place("header")
                .found(found)
                .expected(expected)
                .hint("`patient` of the rules names the column"));
        }
        let classes: Vec<ColumnClass> = table.columns.iter().filter_map(class).collect();
        let mut ids = KnownIds::default();
        self.table_ids(table).for_each(|id| ids.add(id, ""));
        let mut out = csv::Writer::from_writer(Vec::new());
        let unwritten = |error: csv::Error| FileError::io(&table.file, "write")(std::io::Error::other(error));
        let kept = |(_, class): &(&String, &ColumnClass)| **class != ColumnClass::Drop;
        let header = table.columns.iter().zip(&classes).filter(kept).map(|(name, _)| name);
        if has_header {
            out.write_record(header).map_err(unwritten)?;
        }
        for row in table.rows() {
            let mut record = Vec::new();
            for ((name, class), field) in table.columns.iter().zip(&classes).zip(row.fields()) {
                if *class == ColumnClass::Drop {
                    continue;
                }
                let patient = column.map_or(patient.unwrap_or_default(), |column| row.field(column));
                let replaced = self.field(*class, field, patient, &[&ids, known]);
                record.push(replaced.map_err(|(expected, hint)| {
                    // Not the field itself: messages end in logs.
                    let found = format!("a field of {} characters", field.chars().count());
                    FileError::at(&table.file)
                        .place(format!("line {}, column `{name}`", row.line()))
                        .found(found)
                        .expected(expected)
                        .hint(hint)
                })?);
            }
            out.write_record(&record).map_err(unwritten)?;
        }
        out.into_inner()
            .map_err(|error| FileError::io(&table.file, "write")(std::io::Error::other(error.to_string())))
    }

    fn patient_column(&self, table: &DelimitedTable) -> Option<usize> {
        let name = self.rules.patient.as_ref()?;
        table.columns.iter().position(|column| column == name)
    }

    /// All ids of the table that are long enough to be told from a number or a word.
    fn table_ids<'t>(&self, table: &'t DelimitedTable) -> impl Iterator<Item = &'t str> {
        let is_id = |name: &String| self.rules.columns.get(name) == Some(&ColumnClass::Id);
        let columns: Vec<usize> = (0..)
            .zip(&table.columns)
            .filter(|(_, name)| is_id(name))
            .map(|(at, _)| at)
            .collect();
        let ids = table
            .rows()
            .flat_map(move |row| columns.clone().into_iter().map(move |column| row.field(column)));
        ids.filter(|id| is_distinctive(id))
    }

    /// The field as it is written, or what was expected and what to do.
    fn field(
        &self,
        class: ColumnClass,
        field: &str,
        patient: &str,
        ids: &[&KnownIds],
    ) -> Result<String, (&'static str, &'static str)> {
        let is_missing = |field: &str| field.is_empty() || self.rules.missing.iter().any(|code| code == field);
        if is_missing(field) {
            return Ok(field.to_string());
        }
        match class {
            ColumnClass::Id => Ok(self.pseudonym(field)),
            ColumnClass::Date if is_missing(patient) => Err(("a patient in this row", "dates are shifted per patient")),
            ColumnClass::Date => {
                let hint =
                    "formats: 2021-03-04 or 20210304, with or without a time, and 04.03.2021; or drop the column";
                self.shift_date(patient, field).ok_or(("a full date", hint))
            }
            ColumnClass::Age => {
                let age = field.parse::<f64>().ok().filter(|age| (0.0..200.0).contains(age));
                let age = age.ok_or((
                    "an age in years",
                    "correct it, or add its code to `missing` of the rules",
                ))?;
                Ok(if age >= GROUPED_AGE {
                    "90".into()
                } else {
                    field.to_string()
                })
            }
            ColumnClass::Keep if dates::is_date(field) => Err((
                "no date in a column that is kept",
                "give the column the class `date` or `drop`",
            )),
            ColumnClass::Keep if ids.iter().any(|ids| ids.stands_in(field)) => Err((
                "no id in a column that is kept",
                "give the column the class `id` or `drop`",
            )),
            ColumnClass::Keep | ColumnClass::Drop => Ok(field.to_string()),
        }
    }
}

/// Whether a text is unlikely to stand in a field by chance.
fn is_distinctive(id: &str) -> bool {
    id.len() >= 6
        || (id.len() >= 3 && id.contains(|c: char| c.is_alphabetic()) && id.contains(|c: char| c.is_ascii_digit()))
}
