//! The spectrogram.

use super::axes::{Axes, Axis};
use super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, LIGHT_GRAY, Rgb, TITLE};
use super::{Picture, interpolate};
use crate::figures::FigureError;

/// Colours of matplotlib's viridis (Smith and van der Walt, 2015; CC0) at tenths of its range; between them, linear.
const VIRIDIS: [Rgb; 11] = [
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];

/// A time-frequency picture.
#[derive(Debug, Clone, Copy)]
pub struct Spectrogram<'a> {
    /// `[bins, frames]`, frames contiguous: amplitude, power or decibels. Non-finite values are drawn grey.
    pub values: &'a [f32],
    /// Frequency bins, from 0 to `nyquist_hz`.
    pub num_bins: usize,
    /// Time frames, from 0 to `duration_secs`.
    pub num_frames: usize,
    /// Length of the recording.
    pub duration_secs: f64,
    /// Frequency of the last bin.
    pub nyquist_hz: f64,
    /// Quantity that the colours show, with its unit: `"power [dB]"`.
    pub value_label: &'a str,
    /// Heading.
    pub title: &'a str,
}

impl Spectrogram<'_> {
    /// Draws it with axes in seconds and hertz and a colour scale. A pixel shows the mean of the values it covers.
    ///
    /// # Errors
    /// [`FigureError`] unless there are `num_bins * num_frames` values, at least one, and duration and frequency
    /// are positive.
    pub fn draw(&self) -> Result<Picture, FigureError> {
        self.check()?;
        let area_size = (720.0, 340.0);
        let colors = self.colors();
        let y = Axis::new(0.0, self.nyquist_hz, 7);
        let top = if self.title.is_empty() { 16.0 } else { 44.0 };
        let area = Area {
            left: Axes::left_margin(&y),
            top,
            width: area_size.0,
            height: area_size.1,
        };
        let axes = Axes {
            area,
            x: Axis::new(0.0, self.duration_secs, 9),
            y,
        };
        let width = (area.right() + scale_margin(&colors)).max(TITLE.width(self.title) + 32.0);
        let mut canvas = Canvas::new(width, area.bottom() + 52.0);
        canvas.text(self.title, (area.left, 22.0), Align::Left, TITLE, BLACK);
        self.paint(&mut canvas, area);
        self.draw_axes(&mut canvas, &axes, "time [s]");
        canvas.into_picture()
    }

    /// The axis of the colour scale.
    pub(super) fn colors(&self) -> Axis {
        let values = self
            .values
            .iter()
            .filter(|value| value.is_finite())
            .map(|&value| f64::from(value));
        Axis::around(values, 0.0, 6)
    }

    /// Fills an area with the colours of the values.
    pub(super) fn paint(&self, canvas: &mut Canvas, area: Area) {
        let colors = self.colors();
        canvas.paint(area, |x, y| {
            let frames = covered(x, area.width, self.num_frames);
            let bins = covered((area.height as usize - 1) - y, area.height, self.num_bins);
            match self.mean(bins, frames) {
                Some(value) => interpolate(&VIRIDIS, colors.fraction(value)),
                None => LIGHT_GRAY,
            }
        });
    }

    /// The frame, the axes and, at their right, the colour scale.
    pub(super) fn draw_axes(&self, canvas: &mut Canvas, axes: &Axes, x_label: &str) {
        axes.draw(canvas, x_label, "frequency [Hz]");
        draw_scale(canvas, axes.area, self.colors(), &VIRIDIS, self.value_label);
    }

    fn check(&self) -> Result<(), FigureError> {
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        let is_complete =
            self.num_bins.checked_mul(self.num_frames) == Some(self.values.len()) && !self.values.is_empty();
        if is_complete && is_positive(self.duration_secs) && is_positive(self.nyquist_hz) {
            return Ok(());
        }
        Err(FigureError::new(
            format!(
                "spectrogram \"{}\" has {} values for {} bins x {} frames, {} s, {} Hz",
                self.title,
                self.values.len(),
                self.num_bins,
                self.num_frames,
                self.duration_secs,
                self.nyquist_hz
            ),
            "give bins x frames values, at least one, and a positive duration and frequency",
        ))
    }

    /// Mean of the finite values in a block.
    fn mean(&self, bins: std::ops::Range<usize>, frames: std::ops::Range<usize>) -> Option<f64> {
        let rows = bins.map(|bin| &self.values[bin * self.num_frames..][frames.clone()]);
        let (sum, count) = rows
            .flatten()
            .filter(|value| value.is_finite())
            .fold((0.0, 0.0), |(sum, count), &value| (sum + f64::from(value), count + 1.0));
        (count > 0.0).then(|| sum / count)
    }
}

/// Room that a colour scale takes at the right of an area.
pub(super) fn scale_margin(colors: &Axis) -> f64 {
    20.0 + 14.0 + 12.0 + colors.label_width() + 14.0 + 16.0
}

/// A colour scale at the right of `area`, with what it shows.
pub(super) fn draw_scale(canvas: &mut Canvas, area: Area, colors: Axis, stops: &[Rgb], label: &str) {
    let scale_area = Area {
        left: area.right() + 20.0,
        width: 14.0,
        ..area
    };
    canvas.paint(scale_area, |_, y| {
        interpolate(stops, 1.0 - y as f64 / (scale_area.height - 1.0).max(1.0))
    });
    canvas.frame(scale_area, GRAY);
    let label_x = scale_area.right() + 12.0 + colors.label_width() + 14.0;
    let scale = Axes {
        area: scale_area,
        x: colors.clone(),
        y: colors,
    };
    scale.draw_y_ticks(canvas, scale_area.right() + 1.0, Align::Left);
    let middle = scale_area.top + scale_area.height / 2.0;
    canvas.text_upwards(label, (label_x, middle), Align::Center, BODY, BLACK);
}

/// Cells out of `num_cells` that pixel `pixel` out of `num_pixels` covers; at least one.
pub(super) fn covered(pixel: usize, num_pixels: f64, num_cells: usize) -> std::ops::Range<usize> {
    let edge = |pixel: usize| (pixel as f64 * num_cells as f64 / num_pixels) as usize;
    let first = edge(pixel).min(num_cells - 1);
    first..edge(pixel + 1).clamp(first + 1, num_cells)
}
