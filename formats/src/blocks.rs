//! Signals of a recording that is longer than memory, block by block.

use crate::{Contents, FileError, SignalChannel, Warning};

/// A channel that is read in blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockChannel {
    /// Name in the file, trimmed.
    pub name: String,
    /// Unit of the values; `1` for numbers without one.
    pub unit: String,
    /// Samples per second.
    pub rate_hz: f64,
    /// Samples of the whole recording.
    pub num_samples: usize,
}

impl BlockChannel {
    pub(crate) fn with(self, values: Vec<f32>) -> SignalChannel {
        SignalChannel {
            name: self.name,
            unit: self.unit,
            rate_hz: self.rate_hz,
            values,
        }
    }
}

/// Reads the next samples of all channels.
pub(crate) trait ReadBlock {
    fn next_block(&mut self) -> Result<Option<Vec<Vec<f32>>>, FileError>;

    /// Warnings since the last call.
    fn take_warnings(&mut self) -> Vec<Warning>;
}

/// The signals of a file in blocks: an iterator whose items hold, for each channel, the samples that follow those of the
/// item before. Together they are the values of [`crate::open()`], bit by bit. The first error ends it.
pub struct SignalBlocks {
    /// Everything in the file but its signals. Warnings that the samples give, such as a wrong checksum, are here after the last
    /// block.
    pub contents: Contents,
    /// The channels, in the order of the file.
    pub channels: Vec<BlockChannel>,
    reader: Option<Box<dyn ReadBlock + Send>>,
}

impl SignalBlocks {
    pub(crate) fn new(contents: Contents, channels: Vec<BlockChannel>, reader: Box<dyn ReadBlock + Send>) -> Self {
        Self {
            contents,
            channels,
            reader: Some(reader),
        }
    }
}

impl Iterator for SignalBlocks {
    type Item = Result<Vec<Vec<f32>>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let block = reader.next_block();
        self.contents.warnings.append(&mut reader.take_warnings());
        if !matches!(block, Ok(Some(_))) {
            self.reader = None;
        }
        block.transpose()
    }
}
