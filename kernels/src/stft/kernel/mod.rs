//! The kernels: frames to spectra, and gradients back.

mod analysis;
mod arguments;
mod frames;
mod synthesis;
mod transform;

pub use analysis::stft_analysis;
pub use arguments::{StftSizesLaunch, SynthesisInputsLaunch, TablesLaunch};
pub use synthesis::stft_synthesis;

/// Radices that have a stage.
pub(super) const RADICES: [usize; 15] = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 20];

/// Everything that a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blueprint {
    pub(super) n_fft: usize,
    pub(super) hop: usize,
    pub(super) pad: usize,
    pub(super) reflect: bool,
    /// Whether two neighbouring samples make one point.
    pub(super) packs_pairs: bool,
    /// See `Fourier`.
    pub(super) num_points: usize,
    pub(super) padded_len: usize,
    pub(super) bluestein: bool,
    pub(super) radices: [usize; 16],
    pub(super) stages: usize,
    /// Frames side by side.
    pub(super) frames_per_cube: usize,
    pub(super) units: usize,
    /// 0 for no trend, 1 for the mean, 2 for the line.
    pub(super) detrend: usize,
    pub(super) complex: bool,
    pub(super) magnitude: bool,
    pub(super) logarithm: bool,
    /// Filters; 0: bins are returned.
    pub(super) filters: usize,
    /// Samples of the gradient of the signal that a cube owns.
    pub(super) owned: usize,
}

impl Blueprint {
    pub(super) fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Distance of two points in shared memory.
    pub(super) fn pitch(&self) -> usize {
        self.frames_per_cube + 1
    }

    /// Units of the same lane.
    pub(super) fn groups(&self) -> usize {
        self.units / self.frames_per_cube
    }

    /// Points of a block before stage `index`.
    fn block(&self, index: usize) -> usize {
        self.padded_len / self.radices[..index].iter().product::<usize>()
    }

    // Where the tables begin, one behind the other: twiddles, window, untangling twiddles,
    // Bluestein's two; then filters, whose places say where.
    pub(super) fn window_table(&self) -> usize {
        2 * self.padded_len
    }

    pub(super) fn unpack_table(&self) -> usize {
        self.window_table() + self.n_fft
    }

    pub(super) fn wave_table(&self) -> usize {
        self.unpack_table() + 2 * (self.num_points + 1)
    }

    pub(super) fn spectrum_table(&self) -> usize {
        self.wave_table() + if self.bluestein { 2 * self.num_points } else { 0 }
    }

    /// Samples of all frames of a cube, where hops overlap; rows of one hop, of odd length.
    pub(super) fn staged(&self) -> usize {
        if self.hop < self.n_fft {
            (self.frames_per_cube + self.n_fft.div_ceil(self.hop)) * (self.hop | 1)
        } else {
            1
        }
    }

    /// Numbers of each bin and lane, where there are filters.
    pub(super) fn powers(&self) -> usize {
        if self.filters > 0 {
            self.bins() * self.frames_per_cube
        } else {
            1
        }
    }

    /// Numbers of each filter and lane.
    pub(super) fn slopes(&self) -> usize {
        (self.filters * self.frames_per_cube).max(1)
    }

    pub(super) fn partials(&self) -> usize {
        if self.detrend > 0 { self.units } else { 1 }
    }

    /// Shared memory of the larger kernel, in bytes.
    pub(super) fn shared_bytes(&self) -> usize {
        let points = 2 * self.padded_len * self.pitch();
        4 * (points + self.staged() + self.powers() + self.slopes() + self.partials() + self.owned)
    }
}
