//! Force under each foot during walking.

use std::f64::consts::PI;

use ndarray::Array2;

use super::digitise;
use crate::simulate::draws::Draws;

/// Samples per second.
pub(in crate::simulate) const RATE_HZ: f64 = 100.0;
/// Steps of the converter per newton; a power of two, so that every value is exact in single precision.
pub(in crate::simulate) const GAIN_PER_N: f64 = 16.0;

/// Share of a stride that a foot is down, at v = 0, and how much more of it the right and less the left one is per unit.
const STANCE_SHARE: f64 = 0.64;
const ASYMMETRY: f64 = 0.03;

/// `[samples, 2]` in N, left and right. v is the asymmetry of the stance.
pub(super) fn render(patient: &Draws, site: &Draws, v: f64, secs: f64) -> Array2<f32> {
    let num_rows = (secs * RATE_HZ).round() as usize;
    let gait = Gait::draw(patient, site, v);
    let strides = gait.walk(patient, secs);
    let mut values = Array2::zeros((num_rows, 2));
    for foot in 0..2 {
        let noise = patient.stream("force noise").part(foot).noise();
        for (row, (value, noise)) in values.column_mut(foot).iter_mut().zip(noise).enumerate() {
            let time_secs = row as f64 / RATE_HZ;
            let next = strides.partition_point(|stride| stride.start_secs <= time_secs);
            // A foot's stance may reach into the next stride, so two strides can count.
            let near = &strides[next.saturating_sub(2)..next];
            let load: f64 = near.iter().map(|stride| gait.load(stride, time_secs, foot)).sum();
            *value = digitise(gait.newtons * load + 4.0 * noise, GAIN_PER_N);
        }
    }
    values
}

struct Stride {
    start_secs: f64,
    duration_secs: f64,
}

struct Gait {
    stride_secs: f64,
    stance_shares: [f64; 2],
    /// Weight of the body, as the site's sensor shows it.
    newtons: f64,
    /// Depth of the valley between the two humps.
    valley: f64,
    /// How much higher the heel's hump is than the toe's.
    tilt: f64,
}

impl Gait {
    fn draw(patient: &Draws, site: &Draws, v: f64) -> Self {
        let kilograms = (70.0 + 12.0 * patient.normal("weight")).clamp(40.0, 120.0);
        let gain = (0.05 * site.normal("force gain")).exp();
        Self {
            stride_secs: (1.25 + 0.12 * patient.normal("cadence")).clamp(0.9, 1.8),
            stance_shares: [-1.0, 1.0].map(|side| (STANCE_SHARE + side * ASYMMETRY * v).clamp(0.45, 0.85)),
            newtons: 9.81 * kilograms * gain,
            valley: (0.30 + 0.06 * patient.normal("valley")).clamp(0.1, 0.5),
            tilt: 0.06 * patient.normal("tilt"),
        }
    }

    /// Strides that fill the recording, the first begun before it.
    fn walk(&self, patient: &Draws, secs: f64) -> Vec<Stride> {
        let variations = patient.stream("stride");
        let mut strides = Vec::new();
        let mut start_secs = -self.stride_secs * (1.0 + patient.uniform("gait phase"));
        while start_secs < secs {
            let variation = 0.03 * variations.normal(strides.len() as u64).clamp(-3.0, 3.0);
            let duration_secs = self.stride_secs * (1.0 + variation);
            strides.push(Stride {
                start_secs,
                duration_secs,
            });
            start_secs += duration_secs;
        }
        strides
    }

    /// Body weights on a foot: three harmonics of half a sine make a hump for the heel and one for the toe. The right foot is half a stride late.
    fn load(&self, stride: &Stride, time_secs: f64, foot: usize) -> f64 {
        let down_secs = stride.start_secs + 0.5 * foot as f64 * stride.duration_secs;
        let phase = (time_secs - down_secs) / (self.stance_shares[foot] * stride.duration_secs);
        if !(0.0..1.0).contains(&phase) {
            return 0.0;
        }
        let (first, cos) = (PI * phase).sin_cos();
        let (second, third) = (2.0 * first * cos, first * (3.0 - 4.0 * first * first));
        1.15 * (first + self.tilt * second + self.valley * third).max(0.0)
    }
}
