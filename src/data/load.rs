//! From the files of a dataset to a cohort, as its card says.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use super::card::{Card, ColumnRule, LabelRule, MissingRule, ModalityRule, Scale, SignalRule, SubjectRule};
use super::cohort::natural_cmp;
use super::formats::delimited::{DelimitedLayout, DelimitedRow};
use super::formats::wfdb;
use super::prepared::digest;
use super::resample::{Resampler, interpolate_missing};
use super::{Channel, Cohort, DataError, ModalityKind, ModalitySpec, Recording, Session, Subject};

/// Reads the dataset of `card` from `raw_dir`, checking the hash of each file it opens.
///
/// # Errors
/// [`DataError::Io`] for a missing file; [`DataError::File`] for one with another hash than declared, or that is not what
/// its format, its own header or the card promise; [`DataError::NonFinite`] for missing samples that the card does not
/// expect; [`DataError::Card`] for a card that does not fit the data.
pub fn load_cohort(card: &Card, raw_dir: &Path) -> Result<Cohort, DataError> {
    let source = Source { card, raw_dir, declared: card.declared_hashes(raw_dir)? };
    let table = source.table()?;
    let ids = match &card.subjects {
        SubjectRule::Table => table.iter().map(|row| row.id.clone()).collect(),
        SubjectRule::List { ids } => ids.clone(),
    };
    // Collected first, so that of several errors always the same one is reported.
    let subjects: Vec<_> = ids.par_iter().map(|id| source.subject(id, &table)).collect();
    let mut subjects = subjects.into_iter().collect::<Result<Vec<Subject>, _>>()?;
    subjects.sort_by(|a, b| natural_cmp(&a.id, &b.id));
    let modalities = card.modalities.iter().map(spec).collect();
    let cohort = Cohort { name: card.name.clone(), classes: card.classes.clone(), modalities, subjects };
    cohort.validate()?;
    Ok(cohort)
}

fn spec(rule: &ModalityRule) -> ModalitySpec {
    let of_columns = |columns: &[ColumnRule]| {
        columns.iter().map(|rule| Channel { name: rule.column.clone(), unit: rule.unit.clone() }).collect()
    };
    let (kind, channels) = match rule {
        ModalityRule::Wfdb { rate_hz, channels, .. } => {
            let channel = |rule: &SignalRule| Channel { name: rule.name.clone(), unit: rule.unit.clone() };
            (ModalityKind::Signal { rate_hz: *rate_hz }, channels.iter().map(channel).collect())
        }
        ModalityRule::Delimited { channels, .. } => (ModalityKind::Series, of_columns(channels)),
        ModalityRule::ClinicalTable { channels, .. } => (ModalityKind::Row, of_columns(channels)),
    };
    ModalitySpec { name: rule.name().to_string(), kind, channels }
}

struct TableRow {
    id: String,
    row: DelimitedRow,
}

struct Source<'a> {
    card: &'a Card,
    raw_dir: &'a Path,
    declared: BTreeMap<String, Vec<String>>,
}

impl Source<'_> {
    /// The content of a file, which has one of the declared hashes.
    fn read(&self, file: &str) -> Result<Vec<u8>, DataError> {
        let path = self.raw_dir.join(file);
        let bytes = std::fs::read(&path).map_err(DataError::io(&path, "read"))?;
        let Some(list) = &self.card.hashes else {
            return Ok(bytes);
        };
        let Some(hashes) = self.declared.get(file) else {
            let problem = format!("`{file}` is read, but no pattern of `files` with a line in {list} matches it");
            return Err(self.card.error("files", problem, "add it to `files`, or its hash under [[accept]]"));
        };
        let found = digest(&bytes);
        match hashes.contains(&found) {
            true => Ok(bytes),
            false => Err(DataError::File {
                file: path,
                place: "content".into(),
                found: format!("sha256 {found}"),
                expected: hashes.join(" or "),
                hint: format!("fetch it again from {}{file}", self.card.base_url),
            }),
        }
    }

    /// Whether to read a file: always, unless it is optional and absent.
    fn is_there(&self, file: &str, optional: bool) -> bool {
        !optional || self.raw_dir.join(file).exists()
    }

    fn rows(&self, file: &str, layout: &DelimitedLayout) -> Result<Vec<DelimitedRow>, DataError> {
        layout.rows(&String::from_utf8_lossy(&self.read(file)?), &self.raw_dir.join(file))
    }

    fn table(&self) -> Result<Vec<TableRow>, DataError> {
        let Some(rule) = &self.card.table else {
            return Ok(Vec::new());
        };
        let rows = self.rows(&rule.file, &rule.layout)?;
        let id = |row: &DelimitedRow| self.field(row, &rule.layout, &rule.id).to_string();
        Ok(rows.into_iter().map(|row| TableRow { id: id(&row), row }).collect())
    }

    /// A field by column; the card and the layout have checked that it exists.
    fn field<'r>(&self, row: &'r DelimitedRow, layout: &DelimitedLayout, column: &str) -> &'r str {
        layout.column(column).and_then(|index| row.fields.get(index)).map_or("", String::as_str)
    }

    fn subject(&self, id: &str, table: &[TableRow]) -> Result<Subject, DataError> {
        if id.is_empty() || id.starts_with('.') || id.contains(['/', '\\']) {
            let hint = "ids become parts of file names: no slashes, no leading dot, not empty";
            return Err(self.card.error("subjects", format!("`{id}` is not an id"), hint));
        }
        let row = table.iter().find(|row| row.id == id).map(|row| &row.row);
        let site = self.card.table.as_ref().zip(row).and_then(|(rule, row)| {
            let site = self.field(row, &rule.layout, rule.site.as_ref()?);
            (!rule.layout.is_missing(site)).then(|| site.to_string())
        });
        let recordings = (self.card.modalities.iter())
            .map(|rule| self.recording(rule, id, row))
            .collect::<Result<_, DataError>>()?;
        let session = Session { id: id.to_string(), class: self.class(id, row)?, recordings };
        Ok(Subject { id: id.to_string(), site, sessions: vec![session] })
    }

    fn class(&self, id: &str, row: Option<&DelimitedRow>) -> Result<usize, DataError> {
        let (classes, class, looked_up) = match &self.card.label {
            LabelRule::Column { column, classes } => {
                let layout = self.card.table.as_ref().map(|table| &table.layout);
                let value = row.zip(layout).map_or("", |(row, layout)| self.field(row, layout, column));
                (classes, classes.get(value), format!("`{value}` in column `{column}`"))
            }
            LabelRule::IdPrefix { classes } => {
                let fitting = classes.iter().filter(|(prefix, _)| id.starts_with(prefix.as_str()));
                let longest = fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(_, class)| class);
                (classes, longest, "its id".to_string())
            }
        };
        let index = class.and_then(|class| self.card.classes.iter().position(|name| name == class));
        index.ok_or_else(|| {
            let problem = format!("no class for subject `{id}` from {looked_up}");
            self.card.error("label", problem, format!("the card knows {:?}", classes.keys().collect::<Vec<_>>()))
        })
    }

    fn recording(
        &self,
        rule: &ModalityRule,
        id: &str,
        row: Option<&DelimitedRow>,
    ) -> Result<Option<Recording>, DataError> {
        let values = match rule {
            ModalityRule::Wfdb { record, optional, .. } => {
                let header = format!("{}.hea", record.replace("{subject}", id));
                match self.is_there(&header, *optional) {
                    true => Some(Recording { times_secs: None, values: self.signals(rule, &header)? }),
                    false => None,
                }
            }
            ModalityRule::Delimited { file, layout, time, optional, channels, .. } => {
                let file = file.replace("{subject}", id);
                match self.is_there(&file, *optional) {
                    true => Some(self.series(&file, layout, time, channels)?),
                    false => None,
                }
            }
            ModalityRule::ClinicalTable { channels, .. } => match self.card.table.as_ref().zip(row) {
                Some((table, row)) => {
                    let values = self.columns(&table.file, &table.layout, channels, std::slice::from_ref(row))?;
                    Some(Recording { times_secs: None, values })
                }
                None => None,
            },
        };
        Ok(values)
    }

    fn series(
        &self,
        file: &str,
        layout: &DelimitedLayout,
        time: &str,
        channels: &[ColumnRule],
    ) -> Result<Recording, DataError> {
        let rows = self.rows(file, layout)?;
        let mut times = Vec::with_capacity(rows.len());
        for row in &rows {
            let field = self.field(row, layout, time);
            let secs: Option<f64> = field.parse().ok().filter(|secs: &f64| secs.is_finite());
            match secs.filter(|secs| times.last().is_none_or(|last| last <= secs)) {
                Some(secs) => times.push(secs),
                None => {
                    let expected = "seconds, none less than in the row before".to_string();
                    return Err(self.field_error(file, row, time, field, expected));
                }
            }
        }
        Ok(Recording { times_secs: Some(times), values: self.columns(file, layout, channels, &rows)? })
    }

    /// Some columns of some rows as numbers, `[rows, channels]`, NaN where missing.
    fn columns(
        &self,
        file: &str,
        layout: &DelimitedLayout,
        channels: &[ColumnRule],
        rows: &[DelimitedRow],
    ) -> Result<Array2<f32>, DataError> {
        let mut values = Array2::zeros((rows.len(), channels.len()));
        for (row, mut row_values) in rows.iter().zip(values.rows_mut()) {
            for (rule, value) in channels.iter().zip(&mut row_values) {
                let field = self.field(row, layout, &rule.column);
                *value = if layout.is_missing(field) {
                    f32::NAN
                } else {
                    let number = rule.number(field);
                    number.map_err(|expected| self.field_error(file, row, &rule.column, field, expected))?
                };
            }
        }
        Ok(values)
    }

    fn field_error(&self, file: &str, row: &DelimitedRow, column: &str, field: &str, expected: String) -> DataError {
        DataError::File {
            file: self.raw_dir.join(file),
            place: format!("line {}, column `{column}`", row.line),
            found: format!("`{field}`"),
            expected,
            hint: format!("correct the column's unit, categories or missing codes in {}", self.card.path.display()),
        }
    }

    /// The signals of a record as the card wants them: scaled, without gaps, resampled; `[samples, channels]`.
    fn signals(&self, rule: &ModalityRule, header: &str) -> Result<Array2<f32>, DataError> {
        let ModalityRule::Wfdb { rate_hz, scale, missing, channels, .. } = rule else {
            return Ok(Array2::zeros((0, 0)));
        };
        let header_path = self.raw_dir.join(header);
        let record = wfdb::read_record_with(&header_path, |path| {
            let file = path.strip_prefix(self.raw_dir).unwrap_or(path);
            self.read(&file.to_string_lossy())
        })?;
        let resampler = Resampler::new(record.rate_hz, *rate_hz).ok_or_else(|| {
            let problem = format!("cannot resample {} Hz ({header}) to {rate_hz} Hz", record.rate_hz);
            let hint = "choose a rate whose ratio to that of the file is one of small whole numbers";
            self.card.error(format!("modality.{}.rate_hz", rule.name()), problem, hint)
        })?;
        let mut columns = Vec::new();
        for channel in channels {
            let mut samples = scaled(&record, channel, *scale, &header_path)?;
            let signal_file =
                record.signals.iter().find(|signal| signal.name == channel.name).map(|s| s.file.as_path());
            fill(&mut samples, *missing, signal_file.unwrap_or(&header_path), &channel.name)?;
            columns.push(resampler.resample(&samples));
        }
        let num_rows = columns.first().map_or(0, Vec::len);
        let at = |(row, column): (usize, usize)| columns.get(column).and_then(|c| c.get(row)).copied();
        Ok(Array2::from_shape_fn((num_rows, columns.len()), |index| at(index).unwrap_or(f32::NAN)))
    }
}

impl ColumnRule {
    /// The number that a field stands for, or what was expected.
    fn number(&self, field: &str) -> Result<f32, String> {
        let number = match &self.categories {
            Some(categories) => {
                let known = || format!("one of {:?}", categories.keys().collect::<Vec<_>>());
                *categories.get(field).ok_or_else(known)?
            }
            None => {
                let number = field.parse().ok().filter(|number: &f32| number.is_finite());
                number.ok_or_else(|| format!("a number in {}", self.unit))?
            }
        };
        match self.range {
            Some([low, high]) if !(low..=high).contains(&number) => Err(format!("{low} to {high} {}", self.unit)),
            _ => Ok(number),
        }
    }
}

/// One signal of a record in the unit that the card promises.
fn scaled(record: &wfdb::Record, channel: &SignalRule, scale: Scale, header: &Path) -> Result<Vec<f32>, DataError> {
    let wrong = |place: &str, found: String, expected: String, hint: &str| DataError::File {
        file: header.to_path_buf(),
        place: place.into(),
        found,
        expected,
        hint: hint.into(),
    };
    let names: Vec<_> = record.signals.iter().map(|signal| signal.name.as_str()).collect();
    let mut fitting = record.signals.iter().filter(|signal| signal.name == channel.name);
    let (Some(signal), None) = (fitting.next(), fitting.next()) else {
        let expected = format!("exactly one `{}`", channel.name);
        return Err(wrong("signals", format!("{names:?}"), expected, "correct the channels in the card"));
    };
    let place = format!("signal `{}`", channel.name);
    if scale == Scale::Digital {
        return Ok(signal.digital());
    }
    if signal.unit != channel.unit {
        let hint = "state the header's unit in the card; units are not converted";
        return Err(wrong(&place, format!("unit {}", signal.unit), channel.unit.clone(), hint));
    }
    signal.physical().ok_or_else(|| {
        wrong(&place, "no gain".into(), "a calibrated signal".into(), "use scale = \"digital\" in the card")
    })
}

/// Treats missing samples as the card says.
fn fill(samples: &mut [f32], rule: MissingRule, file: &Path, channel: &str) -> Result<(), DataError> {
    let Some(sample) = samples.iter().position(|value| value.is_nan()) else {
        return Ok(());
    };
    let filled = match rule {
        MissingRule::Error => false,
        MissingRule::Mask => true,
        MissingRule::Interpolate => interpolate_missing(samples),
    };
    match filled {
        true => Ok(()),
        false => Err(DataError::NonFinite {
            file: file.to_path_buf(),
            channel: channel.to_string(),
            sample,
            count: samples.iter().filter(|value| value.is_nan()).count(),
        }),
    }
}
