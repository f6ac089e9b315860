//! A record of one segment read frame by frame.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use super::header::{Header, sum};
use super::signals::{check_skew, groups, signal};
use super::storage::Format;
use crate::blocks::{BlockChannel, ReadBlock};
use crate::file::{open_regular, read_regular};
use crate::{FileError, Warning};

/// Blocks begin where samples packed in twos and threes begin anew.
const FRAMES: usize = 6;

pub(super) struct Reader {
    header: Header,
    num_frames: usize,
    frames_per_block: usize,
    /// The next frame.
    next: usize,
    /// The signal files, in the order of [`groups`], and for each signal of a file the last sample that was summed.
    files: Vec<(File, Vec<i32>)>,
    /// For each signal of the header its first sample and the sum of all that were read.
    sums: Vec<(i32, i16)>,
    warnings: Vec<Warning>,
}

/// A reader with its channels and what was tolerated.
type Opened = (Reader, Vec<BlockChannel>, Vec<Warning>);

impl Reader {
    /// With the channels and what was tolerated; `None` for what is not read in blocks.
    pub(super) fn open(header: &Header, max_bytes: usize) -> Result<Option<Opened>, FileError> {
        let is_flac = |format: Option<Format>| matches!(format, Some(Format::Flac(_)));
        if header.segments.is_some() || header.signals.iter().any(|line| is_flac(line.format)) {
            return Ok(None);
        }
        let (mut files, mut warnings, mut num_frames, mut frame_bytes) = (Vec::new(), Vec::new(), header.num_frames, 0);
        for (path, group) in groups(header)? {
            let file = open_regular(path)?;
            let num_bytes = file.metadata().map_err(FileError::io(path, "read"))?.len() as usize;
            num_frames = Some(group.num_frames(num_bytes, num_frames, &mut warnings)?);
            files.push((file, group.starts()));
            frame_bytes += 4 * group.per_frame().unwrap_or(0);
        }
        let num_frames = num_frames.unwrap_or(0);
        let mut channels = Vec::new();
        for line in &header.signals {
            check_skew(line, num_frames, &header.file)?;
            let Some(format) = line.format else { return Ok(None) };
            channels.push(BlockChannel {
                name: line.name.clone(),
                unit: signal(line, format, Vec::new()).calibrated().0.into(),
                rate_hz: header.rate_hz * line.samples_per_frame as f64,
                num_samples: num_frames * line.samples_per_frame,
            });
        }
        let reader = Self {
            header: Header::parse(&read_regular(&header.file)?, &header.file)?,
            num_frames,
            frames_per_block: (max_bytes / frame_bytes.max(1) / FRAMES).max(1) * FRAMES,
            next: 0,
            files,
            sums: vec![(0, 0); channels.len()],
            warnings: Vec::new(),
        };
        Ok(Some((reader, channels, warnings)))
    }

    /// Whether the samples are those that the header promises.
    fn verify(&mut self) {
        for (line, &(first, sum)) in self.header.signals.iter().zip(&self.sums) {
            let contradiction = line.format.and_then(|format| line.contradiction(format, first, sum));
            let warning = contradiction.map(|contradiction| line.warning(contradiction, &self.header.file));
            self.warnings.extend(warning);
        }
    }
}

impl ReadBlock for Reader {
    fn next_block(&mut self) -> Result<Option<Vec<Vec<f32>>>, FileError> {
        let num_frames = self.frames_per_block.min(self.num_frames - self.next);
        if num_frames == 0 {
            self.verify();
            return Ok(None);
        }
        let mut channels = vec![Vec::new(); self.sums.len()];
        for ((path, group), (file, lasts)) in groups(&self.header)?.into_iter().zip(&mut self.files) {
            // Signals that stand too late in the file have their last samples in the next block.
            let skew = group.lines.iter().map(|(_, line)| line.skew).max().unwrap_or(0);
            let num_read = num_frames.saturating_add(skew).min(self.num_frames - self.next);
            let per_frame = group.per_frame().unwrap_or(0);
            let num_bytes = |num_frames: usize| group.format.num_bytes(num_frames * per_frame).unwrap_or(0);
            let start = group.first.offset + num_bytes(self.next);
            let mut bytes = vec![0; num_bytes(num_read)];
            file.seek(SeekFrom::Start(start as u64))
                .map_err(FileError::io(path, "read"))?;
            file.read_exact(&mut bytes).map_err(FileError::io(path, "read"))?;
            let decoded = group.format.decode(&bytes, num_read * per_frame);
            let (own, following) = decoded.split_at(num_frames * per_frame);
            for (turn, ((index, line), last)) in group.lines.iter().zip(lasts).enumerate() {
                let mut samples = group.turns(turn, own, last);
                if let Some((first, total)) = self.sums.get_mut(*index) {
                    if self.next == 0 {
                        *first = samples.first().copied().unwrap_or(0);
                    }
                    *total = total.wrapping_add(sum(&samples));
                }
                let num_samples = samples.len();
                samples.extend(group.turns(turn, following, &mut last.clone()));
                samples.drain(..(line.skew * line.samples_per_frame).min(samples.len()));
                samples.resize(num_samples, group.format.missing_code());
                if let Some(channel) = channels.get_mut(*index) {
                    *channel = signal(line, group.format, samples).calibrated().1;
                }
            }
        }
        self.next += num_frames;
        Ok(Some(channels))
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}
