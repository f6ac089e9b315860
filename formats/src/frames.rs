//! Frames whose numbers stand in the names of their files.

use std::path::Path;

use crate::{FileError, Warning, WarningCode};

/// A sequence may have so many times more frames than files, and so many more: beyond that the numbers are no running ones.
const MAX_FRAMES_PER_FILE: u64 = 4;
const MAX_FRAMES_MORE: u64 = 16;

/// Where the files of a sequence belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameOrder {
    /// For each file, in the order given, its frame: from 0, which is the lowest number in the names.
    pub frames: Vec<usize>,
    /// Frames of the sequence, those without a file included.
    pub num_frames: usize,
    /// A fault to be told: frames that are missing (`missing-frames`), or names that do not number them
    /// (`unnumbered-frames`).
    pub warning: Option<Warning>,
}

impl FrameOrder {
    /// From the names of the files, which are in their natural order.
    ///
    /// The number of a frame is the one run of digits in which the names differ, whatever its width: `clip_9.json` is followed by
    /// `clip_10.json` as `clip_009.json` by `clip_010.json`. Where several runs differ, it is one that no two names share, and of
    /// these the one that covers the fewest numbers: a counter beside a time stamp. Files whose names hold no such number are
    /// taken in the order given, one frame after the other, as are pictures (`may_be_names`) whose numbers leave most frames
    /// without a file: these are names.
    ///
    /// # Errors
    /// [`FileError`] for two files of one number, and for numbers that leave most frames without a file.
    pub fn of(paths: &[&Path], may_be_names: bool) -> Result<Self, FileError> {
        let names: Vec<String> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let unnumbered = |told: Option<String>| Self {
            frames: (0..paths.len()).collect(),
            num_frames: paths.len(),
            warning: told.map(|text| Warning::new(WarningCode::UnnumberedFrames, text)),
        };
        if paths.len() < 2 {
            return Ok(unnumbered(None));
        }
        let Some(numbers) = numbers(&names) else {
            let text = "the names of the files do not number the frames: a frame without a file would not be noticed";
            return Ok(unnumbered(Some(text.into())));
        };
        refuse_twins(paths, &numbers)?;
        let (first, last) = (
            numbers.iter().copied().min().unwrap_or(0),
            numbers.iter().copied().max().unwrap_or(0),
        );
        let (num_files, span) = (paths.len() as u64, last - first);
        if span
            >= num_files
                .saturating_mul(MAX_FRAMES_PER_FILE)
                .saturating_add(MAX_FRAMES_MORE)
        {
            let found = format!("{num_files} files numbered {first} to {last}");
            if may_be_names {
                return Ok(unnumbered(Some(format!("{found} are taken one after the other"))));
            }
            return Err(FileError::at(paths.first().copied().unwrap_or(Path::new("")))
                .place("frames")
                .found(found)
                .expected("numbers of the frames of one recording, most of which have a file")
                .hint("let each recording have a pattern or a folder of its own"));
        }
        let num_missing = span + 1 - num_files;
        let text = format!(
            "{num_missing} of {} frames, {first} to {last}, have no file; they are missing",
            span + 1
        );
        Ok(Self {
            frames: numbers.iter().map(|number| (number - first) as usize).collect(),
            num_frames: span as usize + 1,
            warning: (num_missing > 0).then(|| Warning::new(WarningCode::MissingFrames, text)),
        })
    }
}

fn refuse_twins(paths: &[&Path], numbers: &[u64]) -> Result<(), FileError> {
    let mut sorted: Vec<(u64, &&Path)> = numbers.iter().copied().zip(paths).collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(()),
        Some(twins) => Err(FileError::at(twins[1].1)
            .place("frames")
            .found(format!("number {} again, after {}", twins[1].0, twins[0].1.display()))
            .expected("a file for each number")
            .hint("take one of the two out; files of several sequences belong into folders of their own")),
    }
}

/// The number of the frame in each name.
fn numbers(names: &[String]) -> Option<Vec<u64>> {
    let parsed: Vec<(Vec<&str>, Vec<u64>)> = names.iter().map(|name| runs(name)).collect::<Option<_>>()?;
    let (frame_of_names, first) = parsed.first()?;
    if parsed.iter().any(|(texts, _)| texts != frame_of_names) {
        return None;
    }
    let column = |run: usize| -> Vec<u64> {
        parsed
            .iter()
            .filter_map(|(_, numbers)| numbers.get(run).copied())
            .collect()
    };
    let columns: Vec<Vec<u64>> = (0..first.len()).map(column).collect();
    let mut varying = columns
        .iter()
        .filter(|column| column.iter().any(|number| Some(number) != column.first()));
    match (varying.clone().count(), varying.next()) {
        (0, _) => columns.into_iter().last(),
        (1, Some(column)) => Some(column.clone()),
        _ => {
            let distinct = columns.iter().filter(|column| {
                let mut sorted = (*column).clone();
                sorted.sort_unstable();
                sorted.windows(2).all(|pair| pair[0] != pair[1])
            });
            let span = |column: &&Vec<u64>| column.iter().max().zip(column.iter().min()).map(|(max, min)| max - min);
            distinct.min_by_key(span).cloned()
        }
    }
}

/// A name as what stands between its numbers, and these; `None` for numbers that no counter reaches.
fn runs(name: &str) -> Option<(Vec<&str>, Vec<u64>)> {
    let (mut texts, mut numbers, mut rest) = (Vec::new(), Vec::new(), name);
    loop {
        let start = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(start);
        texts.push(text);
        if tail.is_empty() {
            return Some((texts, numbers));
        }
        let end = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
        let (digits, tail) = tail.split_at(end);
        numbers.push(digits.parse().ok()?);
        rest = tail;
    }
}
