//! Faults that a reader tolerated, each kind under a stable name by which a dataset card accepts it.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::FileError;

/// A kind of warning. Its name, such as `cut-off`, does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// The file ends before what its header promises. Must be accepted by name.
    CutOff,
    /// Samples do not add up to the checksum in the header, or do not begin with its initial value. Must be accepted by
    /// name.
    Checksum,
    /// The recording or its annotations were not closed: their end may be missing.
    Unclosed,
    /// A file that claims to be continuous says that its clock jumped.
    ClockJump,
    /// No data between two records; the samples there are missing.
    Gap,
    /// Frames without a file, or left out of a file; they are missing.
    MissingFrames,
    /// Names of files that do not number the frames: a lost frame would not be noticed.
    UnnumberedFrames,
    /// Frames that show more than one person.
    SeveralPeople,
    /// Slices of one volume whose distances differ.
    UnevenSlices,
    /// Slices whose order is not that of their positions.
    UnorderedSlices,
    /// Images that lie nowhere in space, or not as the slices of one volume.
    NoVolume,
    /// Two places of a file contradict each other.
    Contradiction,
    /// Bytes after the last sample.
    SurplusBytes,
    /// Annotations that could not be read.
    BrokenAnnotations,
    /// Several channels or points of one name; each got its number.
    DuplicateNames,
    /// A signal without a usable scale stays in digital units.
    Uncalibrated,
    /// A part that was not read.
    LeftOut,
    /// A header that departs from its format and was understood all the same.
    OddHeader,
    /// Rows of a table with fewer fields than there are columns: the last ones are missing, or stood in the next line.
    ShortRows,
    /// Numbers whose commas may stand before decimals or between thousands.
    AmbiguousNumbers,
}

impl WarningCode {
    /// All kinds.
    pub const ALL: [Self; 20] = [
        Self::CutOff,
        Self::Checksum,
        Self::Unclosed,
        Self::ClockJump,
        Self::Gap,
        Self::MissingFrames,
        Self::UnnumberedFrames,
        Self::SeveralPeople,
        Self::UnevenSlices,
        Self::UnorderedSlices,
        Self::NoVolume,
        Self::Contradiction,
        Self::SurplusBytes,
        Self::BrokenAnnotations,
        Self::DuplicateNames,
        Self::Uncalibrated,
        Self::LeftOut,
        Self::OddHeader,
        Self::ShortRows,
        Self::AmbiguousNumbers,
    ];

    /// The name in cards and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::CutOff => "cut-off",
            Self::Checksum => "checksum",
            Self::Unclosed => "unclosed",
            Self::ClockJump => "clock-jump",
            Self::Gap => "gap",
            Self::MissingFrames => "missing-frames",
            Self::UnnumberedFrames => "unnumbered-frames",
            Self::SeveralPeople => "several-people",
            Self::UnevenSlices => "uneven-slices",
            Self::UnorderedSlices => "unordered-slices",
            Self::NoVolume => "no-volume",
            Self::Contradiction => "contradiction",
            Self::SurplusBytes => "surplus-bytes",
            Self::BrokenAnnotations => "broken-annotations",
            Self::DuplicateNames => "duplicate-names",
            Self::Uncalibrated => "uncalibrated",
            Self::LeftOut => "left-out",
            Self::OddHeader => "odd-header",
            Self::ShortRows => "short-rows",
            Self::AmbiguousNumbers => "ambiguous-numbers",
        }
    }

    /// Whether data with this warning are used only where somebody accepted it by name: what was read is likely not
    /// what was recorded.
    pub fn must_be_accepted(self) -> bool {
        matches!(self, Self::CutOff | Self::Checksum)
    }
}

impl fmt::Display for WarningCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WarningCode {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|code| code.name() == name).ok_or(())
    }
}

/// Something that a reader tolerated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The kind.
    pub code: WarningCode,
    /// The finding, with numbers; without the file's name where one file was read.
    pub text: String,
}

impl Warning {
    /// From its kind and what was found.
    pub fn new(code: WarningCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

/// The text, then the kind in brackets.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

/// Refuses what [must be accepted](WarningCode::must_be_accepted) and is not in `accepted`; `path` is for the message.
///
/// # Errors
/// [`FileError`] with the first such warning, and how to accept it.
pub fn refuse_unaccepted(warnings: &[Warning], accepted: &[WarningCode], path: &Path) -> Result<(), FileError> {
    let unaccepted = |warning: &&Warning| warning.code.must_be_accepted() && !accepted.contains(&warning.code);
    let Some(Warning { code, text }) = warnings.iter().find(unaccepted) else {
        return Ok(());
    };
    let expected = match code {
        WarningCode::Checksum => "samples that agree with the header",
        _ => "a whole recording",
    };
    let hint = format!("fetch the file again, or write `accept = [\"{code}\"]` in the card to use it as it is");
    Err(FileError::at(path)
        .place("content")
        .found(text)
        .expected(expected)
        .hint(hint))
}
