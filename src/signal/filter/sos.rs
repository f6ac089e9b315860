//! A cascade of second-order sections and how it runs over samples.

use realfft::num_complex::Complex64;

/// Share of a disturbance that is left after [`Sos::settling_samples`].
const SETTLED: f64 = 1e-12;

/// Sections `[b0, b1, b2, 1, a1, a2]`: `H(z) = prod (b0 + b1 / z + b2 / z^2) / (1 + a1 / z + a2 / z^2)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sos {
    /// In the order in which they run.
    pub sections: Vec<[f64; 6]>,
}

impl Sos {
    /// State of each section (transposed direct form II) after endlessly many samples of these values, one per channel
    /// (`scipy.signal.sosfilt_zi` times the value). In closed form, which is exact to the last bits; SciPy solves a
    /// system that loses digits with the cut-off: 1e-9 for a high-pass of 0.05 Hz at 1000 Hz, and its zero-phase result
    /// is off by as much of a constant offset.
    fn steady<const LANES: usize>(&self, values: [f64; LANES]) -> Vec<[[f64; LANES]; 2]> {
        let mut scale = 1.0;
        let state = |&[b0, b1, b2, _, a1, a2]: &[f64; 6]| {
            let step = (b0 + b1 + b2) / (1.0 + a1 + a2);
            // What a steady output y = step x leaves: z0 = y - b0 x, z1 = b2 x - a2 y.
            let unit = [scale * (step - b0), scale * (b2 - a2 * step)];
            scale *= step;
            unit.map(|unit| values.map(|value| unit * value))
        };
        self.sections.iter().map(state).collect()
    }

    /// Filters forward, from the steady state of the first sample: `scipy.signal.sosfilt` with `sosfilt_zi` times it.
    pub fn causal(&self, samples: &mut [f64]) {
        self.causal_lanes(&mut [samples]);
    }

    /// Filters forward and backward, without delay: `scipy.signal.sosfiltfilt` with its defaults, an odd extension of
    /// [`Self::pad_len`] samples at both ends and the steady state to begin with. `false`, and nothing done, for a
    /// signal of at most that length.
    pub fn zero_phase(&self, samples: &mut [f64]) -> bool {
        self.zero_phase_lanes(&mut [samples])
    }

    pub(super) fn causal_lanes<const LANES: usize>(&self, channels: &mut [&mut [f64]; LANES]) {
        let mut buffer = interleave(channels, 0);
        let Some(&first) = buffer.first() else { return };
        run(&self.sections, &mut self.steady(first), &mut buffer, false);
        separate(&buffer, channels);
    }

    pub(super) fn zero_phase_lanes<const LANES: usize>(&self, channels: &mut [&mut [f64]; LANES]) -> bool {
        let pad = self.pad_len();
        if channels.iter().any(|channel| channel.len() <= pad) {
            return false;
        }
        let mut buffer = interleave(channels, pad);
        if let Some(&first) = buffer.first() {
            run(&self.sections, &mut self.steady(first), &mut buffer, false);
        }
        if let Some(&last) = buffer.last() {
            run(&self.sections, &mut self.steady(last), &mut buffer, true);
        }
        separate(&buffer[pad..], channels);
        true
    }

    /// Samples that [`Self::zero_phase`] adds at each end: three times the taps of the cascade.
    pub fn pad_len(&self) -> usize {
        let absent = |index: usize| self.sections.iter().filter(|section| section[index] == 0.0).count();
        3 * (2 * self.sections.len() + 1 - absent(2).min(absent(5)))
    }

    /// Complex gain at a frequency.
    pub fn response(&self, frequency_hz: f64, rate_hz: f64) -> Complex64 {
        let delay = Complex64::from_polar(1.0, -std::f64::consts::TAU * frequency_hz / rate_hz);
        let quadratic = |c0: f64, c1: f64, c2: f64| c0 + delay * (c1 + delay * c2);
        self.sections
            .iter()
            .map(|&[b0, b1, b2, a0, a1, a2]| quadratic(b0, b1, b2) / quadratic(a0, a1, a2))
            .product()
    }

    /// Distance of the pole that is farthest from the origin; the filter is stable below 1.
    pub fn pole_radius(&self) -> f64 {
        let radius = |&[.., a1, a2]: &[f64; 6]| {
            let discriminant = a1 * a1 / 4.0 - a2;
            if discriminant < 0.0 {
                a2.sqrt()
            } else {
                a1.abs() / 2.0 + discriminant.sqrt()
            }
        };
        self.sections.iter().map(radius).fold(0.0, f64::max)
    }

    /// Samples in which a disturbance decays to 1e-12: `n` of `radius^n = exp(-2 sections) 1e-12`, the factor because
    /// poles of almost the same radius add up before they decay.
    pub fn settling_samples(&self) -> usize {
        let radius = self.pole_radius();
        if !(f64::MIN_POSITIVE..1.0).contains(&radius) {
            return 0;
        }
        let time = -1.0 / radius.ln();
        ((SETTLED.ln().abs() + 2.0 * self.sections.len() as f64) * time).ceil() as usize
    }
}

/// The samples of all channels at a time beside each other, with odd extensions of `pad` samples.
fn interleave<const LANES: usize>(channels: &[&mut [f64]; LANES], pad: usize) -> Vec<[f64; LANES]> {
    let len = channels[0].len();
    let mut buffer = vec![[0.0; LANES]; len + 2 * pad];
    for (lane, channel) in channels.iter().enumerate() {
        for (slot, &x) in buffer[pad..].iter_mut().zip(channel.iter()) {
            slot[lane] = x;
        }
        let (Some(&first), Some(&last)) = (channel.first(), channel.last()) else {
            continue;
        };
        let before = buffer[..pad].iter_mut().rev();
        before
            .zip(&channel[1..])
            .for_each(|(slot, &x)| slot[lane] = 2.0 * first - x);
        let after = buffer[pad + len..].iter_mut();
        after
            .zip(channel.iter().rev().skip(1))
            .for_each(|(slot, &x)| slot[lane] = 2.0 * last - x);
    }
    buffer
}

fn separate<const LANES: usize>(buffer: &[[f64; LANES]], channels: &mut [&mut [f64]; LANES]) {
    for (lane, channel) in channels.iter_mut().enumerate() {
        channel.iter_mut().zip(buffer).for_each(|(x, slot)| *x = slot[lane]);
    }
}

/// Runs the cascade in groups of sections whose number the compiler knows, twice as fast: their states stay in
/// registers.
fn run<const LANES: usize>(
    sections: &[[f64; 6]],
    states: &mut [[[f64; LANES]; 2]],
    samples: &mut [[f64; LANES]],
    backward: bool,
) {
    let mut start = 0;
    while start < sections.len() {
        let (sections, states) = (&sections[start..], &mut states[start..]);
        start += match sections.len() {
            1 => pass::<LANES, 1>(sections, states, samples, backward),
            3 => pass::<LANES, 3>(sections, states, samples, backward),
            2 => pass::<LANES, 2>(sections, states, samples, backward),
            _ => pass::<LANES, 4>(sections, states, samples, backward),
        };
    }
}

/// The first `NUM` sections, which are there.
fn pass<const LANES: usize, const NUM: usize>(
    sections: &[[f64; 6]],
    states: &mut [[[f64; LANES]; 2]],
    samples: &mut [[f64; LANES]],
    backward: bool,
) -> usize {
    let (Some(sections), Some(states)) = (sections.first_chunk::<NUM>(), states.first_chunk_mut::<NUM>()) else {
        return sections.len();
    };
    let mut local = *states;
    let mut step = |sample: &mut [f64; LANES]| {
        let mut values = *sample;
        for (&[b0, b1, b2, _, a1, a2], [z0, z1]) in sections.iter().zip(&mut local) {
            for lane in 0..LANES {
                let x = values[lane];
                // SciPy's order of operations, and so its bits.
                let y = b0 * x + z0[lane];
                z0[lane] = b1 * x - a1 * y + z1[lane];
                z1[lane] = b2 * x - a2 * y;
                values[lane] = y;
            }
        }
        *sample = values;
    };
    if backward {
        samples.iter_mut().rev().for_each(&mut step)
    } else {
        samples.iter_mut().for_each(&mut step)
    }
    *states = local;
    NUM
}
