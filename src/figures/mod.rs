//! Figures as PNG pictures: for TensorBoard, for a report, for a terminal without a display server.
//!
//! Colours: series take the palette of Okabe and Ito (2008), which colour-blind readers can tell apart; matrices go from
//! white to dark blue; spectrograms from dark violet to yellow with even steps in lightness, as matplotlib's viridis.

mod axes;
mod canvas;
mod confusion;
mod contents;
mod curves;
mod error;
mod intervals;
mod spectrogram;

pub use confusion::confusion_matrix;
pub use contents::{RenderOptions, render};
pub use curves::curves;
pub use error::FigureError;
pub use intervals::{IntervalRow, intervals};
pub use spectrogram::Spectrogram;

use canvas::Rgb;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The PNG file.
    pub png: Vec<u8>,
}

/// Okabe and Ito, "Color Universal Design" (2008), without black and without yellow, which is hard to see on white.
const SERIES_COLORS: [Rgb; 6] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
];

/// `text` with at most `max_chars` characters; the middle goes first, because names often differ at their ends.
fn shortened(text: &str, max_chars: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= max_chars {
        return text.to_owned();
    }
    let num_kept = max_chars.saturating_sub(2);
    let (head, tail) = (num_kept.div_ceil(2), num_kept / 2);
    letters[..head]
        .iter()
        .chain(&['.', '.'])
        .chain(&letters[letters.len() - tail..])
        .collect()
}

/// Colour between evenly spaced `stops`, mixed linearly; `fraction` is clamped to `[0, 1]`.
fn interpolate(stops: &[Rgb], fraction: f64) -> Rgb {
    let position = fraction.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let index = (position as usize).min(stops.len() - 2);
    let share = position - index as f64;
    std::array::from_fn(|channel| {
        let (low, high) = (f64::from(stops[index][channel]), f64::from(stops[index + 1][channel]));
        (low + (high - low) * share).round() as u8
    })
}
