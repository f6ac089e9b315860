//! The files of one recording, with what the card asks of them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::source::{Source, file_error};
use crate::base::hash::digest_file;
use crate::dataset::card::ModalityRule;
use crate::dataset::error::DataError;
use crate::dataset::warning::FileWarning;
use crate::signal::resample::Resampler;
use recoup_formats::keypoints::Person;
use recoup_formats::units::same_unit;
use recoup_formats::{Contents, FileError, open, rates_agree, refuse_unaccepted};

/// Reads files for one modality of one session, and keeps the warnings of their readers.
pub(super) struct Reading<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) rule: &'a ModalityRule,
    warnings: RefCell<Vec<FileWarning>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: &'a Source<'a>, rule: &'a ModalityRule) -> Self {
        Self {
            source,
            rule,
            warnings: RefCell::default(),
        }
    }

    /// The warnings of all files that were read.
    pub(super) fn into_warnings(self) -> Vec<FileWarning> {
        self.warnings.into_inner()
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.source.raw_dir.join(file)
    }

    /// Reads a file of any format, or several that are one sequence.
    pub(super) fn contents(&self, files: &[String]) -> Result<Contents, DataError> {
        self.contents_of(files, Person::default())
    }

    /// As [`contents`](Self::contents), of this person where frames show several.
    pub(super) fn contents_of(&self, files: &[String], person: Person) -> Result<Contents, DataError> {
        let first = files.first().map_or("", String::as_str);
        let contents = match files {
            [file] => open::open_with(&self.path(file), &|path| self.bytes(path))?,
            files => {
                let bytes = files
                    .iter()
                    .map(|file| Ok((self.path(file), self.bytes(&self.path(file))?)));
                open::open_files(&bytes.collect::<Result<Vec<_>, FileError>>()?, person)?
            }
        };
        self.keep(&contents, first)?;
        Ok(contents)
    }

    /// Keeps the warnings of what was read; those that must be accepted are errors unless the card does.
    pub(super) fn keep(&self, contents: &Contents, file: &str) -> Result<(), DataError> {
        refuse_unaccepted(&contents.warnings, &self.rule.accept, &self.path(file))?;
        let kept = contents.warnings.iter().map(|warning| FileWarning {
            code: warning.code,
            modality: self.rule.name.clone(),
            file: file.to_string(),
            text: warning.text.clone(),
        });
        self.warnings.borrow_mut().extend(kept);
        Ok(())
    }

    /// The verified bytes of a file, for readers that open several.
    pub(super) fn bytes(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let file = path.strip_prefix(self.source.raw_dir).unwrap_or(path);
        self.source.read(&file.to_string_lossy())
    }

    /// Checks the declared hashes of a file and of those that it names, without having them in memory.
    pub(super) fn verify(&self, file: &str) -> Result<(), DataError> {
        let path = self.path(file);
        let mut paths = open::parts_of(&path);
        paths.retain(|path| path.is_file());
        paths.insert(path);
        for path in paths {
            let file = path
                .strip_prefix(self.source.raw_dir)
                .unwrap_or(&path)
                .to_string_lossy();
            self.source.verify(&file, || digest_file(&path))?;
        }
        Ok(())
    }

    /// Channels of one duration differ by less than the step of the slowest.
    pub(super) fn check_durations(
        &self,
        file: &str,
        (shortest, longest): (usize, usize),
        rate_hz: f64,
        slowest_hz: f64,
    ) -> Result<(), DataError> {
        if (longest - shortest) as f64 <= rate_hz / slowest_hz {
            return Ok(());
        }
        let secs = |rows: usize| rows as f64 / rate_hz;
        let found = format!("{} s and {} s", secs(shortest), secs(longest));
        let hint = "take channels that end together into one modality each";
        Err(self.error(file, "channels", found, "one duration", hint))
    }

    /// Error for a file that is not what the modality asks for.
    pub(super) fn error(
        &self,
        file: &str,
        place: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: &str,
    ) -> DataError {
        file_error(&self.path(file), place, found, expected, hint)
    }

    /// Error for a key of the modality that does not fit a file.
    pub(super) fn card_error(&self, key: &str, problem: String, hint: impl Into<String>) -> DataError {
        self.source
            .card
            .error(format!("modality.{}.{key}", self.rule.name), problem, hint)
    }

    /// The unit in the card must be that of the file: units are not converted.
    pub(super) fn check_unit(&self, file: &str, what: &str, found: &str, stated: &str) -> Result<(), DataError> {
        if same_unit(found, stated) {
            return Ok(());
        }
        let key = what.split(' ').next().unwrap_or_default();
        let key = if key == "channel" { "channels" } else { "unit" };
        let problem = format!("unit of {what} is `{stated}`, {file} says `{found}`");
        let hint = format!("write `unit = \"{found}\"`; units are not converted");
        Err(self.card_error(key, problem, hint))
    }

    /// The rate to count with: that of the file, or the stated one, which must agree with it over the recording.
    pub(super) fn rate(
        &self,
        file: &str,
        found_hz: Option<f64>,
        stated_hz: Option<f64>,
        num_samples: usize,
    ) -> Result<f64, DataError> {
        match (found_hz, stated_hz) {
            (Some(found_hz), Some(stated_hz)) if !rates_agree(found_hz, stated_hz, num_samples) => {
                let problem = format!("{stated_hz}, {file} says {found_hz} Hz");
                Err(self.card_error("file_rate_hz", problem, "take it out, or correct it"))
            }
            (_, Some(rate_hz)) | (Some(rate_hz), None) => Ok(rate_hz),
            (None, None) => {
                let problem = format!("missing, and {file} does not tell its rate");
                Err(self.card_error("file_rate_hz", problem, "state how many samples or frames a second has"))
            }
        }
    }

    /// From the rate of a recording to the one that the card wants.
    pub(super) fn resampler(
        &self,
        file: &str,
        from_hz: f64,
        to_hz: f64,
        num_samples: usize,
    ) -> Result<Resampler, DataError> {
        Resampler::for_length(from_hz, to_hz, num_samples).ok_or_else(|| {
            let problem = format!("cannot resample {from_hz} Hz ({file}) to {to_hz} Hz");
            let hint = "choose a rate that is less than 10,000 times higher or lower than that of the file";
            self.card_error("rate_hz", problem, hint)
        })
    }
}
