//! Motion-energy image of one reach (after Bobick and Davis 2001): bright where the arm moved, brighter where it was fast.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use ndarray::Array2;

use crate::simulate::draws::Draws;

/// Lines and columns of the image.
pub(in crate::simulate) const SIDE: usize = 24;

/// Angle that the arm sweeps at v = 0, and how much more it is per unit.
const EXTENT_DEGREES: f64 = 95.0;
const DEGREES_PER_UNIT: f64 = 18.0;

/// `[1, SIDE * SIDE]`, line by line from the top, in multiples of 1/255 from 0 to 1. v is the angle that the arm sweeps.
pub(super) fn render(patient: &Draws, site: &Draws, v: f64) -> Array2<f32> {
    let reach = Reach::draw(patient, v);
    let brightness = 0.7 * (0.12 * patient.normal("brightness") + 0.1 * site.normal("brightness")).exp();
    let noise = patient.stream("pixel").noise();
    let pixels = (0..SIDE * SIDE).zip(noise).map(|(pixel, noise)| {
        let energy = reach.energy((pixel / SIDE) as f64, (pixel % SIDE) as f64);
        let value = (0.05 + brightness * energy + 0.025 * noise).clamp(0.0, 1.0);
        (255.0 * value).round() as f32 / 255.0
    });
    let pixels: Vec<f32> = pixels.collect();
    Array2::from_shape_fn((1, SIDE * SIDE), |(_, pixel)| pixels[pixel])
}

/// An arm that swings about the shoulder. Angles from straight down, over the front, upwards.
struct Reach {
    shoulder_line: f64,
    shoulder_column: f64,
    length: f64,
    /// Middle and half of the angle that it sweeps, in radians.
    middle: f64,
    half: f64,
}

impl Reach {
    fn draw(patient: &Draws, v: f64) -> Self {
        let shift = |purpose: &str| patient.normal(purpose).clamp(-2.0, 2.0);
        let start = (8.0 + 6.0 * shift("start")).to_radians();
        let half = (EXTENT_DEGREES + DEGREES_PER_UNIT * v).clamp(12.0, 200.0).to_radians() / 2.0;
        Self {
            shoulder_line: 12.0 + 0.4 * shift("shoulder line"),
            shoulder_column: 10.5 + 0.4 * shift("shoulder column"),
            length: 8.8 + 0.5 * shift("arm"),
            middle: start + half,
            half,
        }
    }

    /// Motion energy at a pixel, about 0 to 1.
    fn energy(&self, line: f64, column: f64) -> f64 {
        let (down, forward) = (line - self.shoulder_line, column - self.shoulder_column);
        let radius = down.hypot(forward);
        let angle = (forward.atan2(down) - self.middle + PI).rem_euclid(TAU) - PI;
        let soft = |pixels_inside: f64| 1.0 / (1.0 + (-pixels_inside / 0.35).exp());
        let within = soft(radius * (self.half - angle.abs())) * soft(self.length - radius);
        // Speed grows along the arm and is highest in the middle of the sweep; the hand is the widest part.
        let speed = radius / self.length * (0.65 + 0.35 * (FRAC_PI_2 * angle / self.half).cos().max(0.0));
        let hand = 0.4 * (-((radius - self.length + 1.0) / 1.2).powi(2)).exp();
        let trunk = 0.2 * (-(radius / 2.5).powi(2)).exp();
        trunk + within * (0.7 * speed + hand)
    }
}
