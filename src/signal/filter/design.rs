//! Design of digital filters as second-order sections.

use std::f64::consts::PI;

use realfft::num_complex::Complex64;

use super::Sos;

/// Pass-band of a Butterworth filter, with its cut-offs in Hz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Passband {
    /// Below.
    Low(f64),
    /// Above.
    High(f64),
    /// Between.
    BandPass(f64, f64),
    /// Outside.
    BandStop(f64, f64),
}

/// Zeros, poles and gain; as many zeros as poles after the bilinear transform.
struct Zpk {
    zeros: Vec<Complex64>,
    poles: Vec<Complex64>,
    gain: f64,
}

impl Sos {
    /// A Butterworth filter: the analogue prototype, its frequencies prewarped, through the bilinear transform;
    /// `scipy.signal.butter(output="sos")` with the same sections in the same order (but that rounding decides where
    /// poles have the same radius, in a band centred on a quarter of the rate). Cut-offs lie between 0 and half the
    /// rate, the order is at least 1; other values give sections of NaN or none.
    pub fn butterworth(order: usize, passband: Passband, rate_hz: f64) -> Self {
        // SciPy's unit: a rate of 2, so that cut-offs are shares of the Nyquist frequency.
        let warped = |hz: f64| 4.0 * (PI * (hz / (rate_hz / 2.0)) / 2.0).tan();
        let poles: Vec<_> = (0..order)
            .map(|k| -Complex64::from_polar(1.0, PI * (1.0 - order as f64 + 2.0 * k as f64) / (2.0 * order as f64)))
            .map(|p| if p.im.abs() < 1e-15 { Complex64::from(p.re) } else { p })
            .collect();
        sections(bilinear(analogue(poles, passband, &warped)))
    }

    /// A notch of gain 0 at `frequency_hz` and of bandwidth `frequency_hz / quality` at -3 dB;
    /// `scipy.signal.iirnotch`.
    pub fn notch(frequency_hz: f64, quality: f64, rate_hz: f64) -> Self {
        let share = 2.0 * frequency_hz / rate_hz;
        let gain = 1.0 / (1.0 + (share / quality * PI / 2.0).tan());
        let cosine = (share * PI).cos();
        Self {
            sections: vec![[
                gain,
                gain * (-2.0 * cosine),
                gain,
                1.0,
                -2.0 * gain * cosine,
                2.0 * gain - 1.0,
            ]],
        }
    }
}

/// From the low-pass prototype with cut-off 1 to the wanted band.
fn analogue(prototype: Vec<Complex64>, passband: Passband, warped: &dyn Fn(f64) -> f64) -> Zpk {
    let degree = prototype.len();
    let power = |base: f64| base.powi(degree as i32);
    let split = |poles: Vec<Complex64>, centre: f64| {
        let root = |p: &Complex64| (p * p - centre * centre).sqrt();
        poles
            .iter()
            .map(|p| p + root(p))
            .chain(poles.iter().map(|p| p - root(p)))
            .collect()
    };
    // The product of the negated poles of the prototype, hence the gain of an inverted one, is 1.
    match passband {
        Passband::Low(hz) => {
            let cut = warped(hz);
            Zpk {
                zeros: vec![],
                poles: prototype.into_iter().map(|p| p * cut).collect(),
                gain: power(cut),
            }
        }
        Passband::High(hz) => {
            let cut = warped(hz);
            let poles = prototype.into_iter().map(|p| cut / p).collect();
            Zpk {
                zeros: vec![Complex64::ZERO; degree],
                poles,
                gain: 1.0,
            }
        }
        Passband::BandPass(low, high) => {
            let (low, high) = (warped(low), warped(high));
            let half = prototype.into_iter().map(|p| p * ((high - low) / 2.0)).collect();
            let poles = split(half, (low * high).sqrt());
            Zpk {
                zeros: vec![Complex64::ZERO; degree],
                poles,
                gain: power(high - low),
            }
        }
        Passband::BandStop(low, high) => {
            let (low, high) = (warped(low), warped(high));
            let centre = (low * high).sqrt();
            let half = prototype.into_iter().map(|p| (high - low) / 2.0 / p).collect();
            let pair = [Complex64::new(0.0, centre), Complex64::new(0.0, -centre)];
            Zpk {
                zeros: pair.repeat(degree),
                poles: split(half, centre),
                gain: 1.0,
            }
        }
    }
}

/// `z = (4 + s) / (4 - s)`; zeros at infinity go to the Nyquist frequency.
fn bilinear(
    Zpk {
        mut zeros,
        mut poles,
        gain,
    }: Zpk,
) -> Zpk {
    let scale =
        zeros.iter().map(|z| 4.0 - z).product::<Complex64>() / poles.iter().map(|p| 4.0 - p).product::<Complex64>();
    zeros
        .iter_mut()
        .chain(&mut poles)
        .for_each(|s| *s = (4.0 + *s) / (4.0 - *s));
    zeros.resize(poles.len(), Complex64::from(-1.0));
    Zpk {
        zeros,
        poles,
        gain: gain * scale.re,
    }
}

/// Pairs poles with the zeros closest to them, beginning with the pole closest to the unit circle, which comes last:
/// `scipy.signal.zpk2sos(pairing="nearest")`.
fn sections(zpk: Zpk) -> Sos {
    let half = |mut roots: Vec<Complex64>| {
        if roots.len() % 2 == 1 {
            roots.push(Complex64::ZERO);
        }
        roots.retain(|root| root.im >= 0.0);
        roots.sort_by(|a, b| {
            (a.im == 0.0)
                .cmp(&(b.im == 0.0))
                .then(a.re.total_cmp(&b.re))
                .then(a.im.total_cmp(&b.im))
        });
        roots
    };
    let (mut zeros, mut poles) = (half(zpk.zeros), half(zpk.poles));
    let any = |_: &Complex64| true;
    let real = |root: &Complex64| root.im == 0.0;
    let mut sections = Vec::new();
    while let Some(pole) = take(&mut poles, any, |p| (1.0 - p.norm()).abs()) {
        let near = |z: &Complex64| (z - pole).norm();
        let reals = |roots: &[Complex64]| roots.iter().filter(|root| real(root)).count();
        let partner = if real(&pole) {
            take(&mut poles, real, |p| (1.0 - p.norm()).abs())
        } else {
            Some(pole.conj())
        };
        let first = if partner.is_none() {
            take(&mut zeros, real, near)
        } else if !real(&pole) && poles.len() + 1 == zeros.len() && reals(&poles) == 1 && reals(&zeros) == 1 {
            // One real pole and one real zero are left over for each other.
            take(&mut zeros, |z| !real(z), near)
        } else {
            take(&mut zeros, any, near)
        };
        let second = match (first, partner) {
            (_, None) | (None, _) => None,
            (Some(zero), _) if !real(&zero) => Some(zero.conj()),
            _ => take(&mut zeros, real, near),
        };
        let [b0, b1, b2] = polynomial(first, second);
        let [a0, a1, a2] = polynomial(Some(pole), partner);
        sections.push([b0, b1, b2, a0, a1, a2]);
    }
    sections.reverse();
    if let Some([b0, b1, b2, ..]) = sections.first_mut() {
        [b0, b1, b2].into_iter().for_each(|b| *b *= zpk.gain);
    }
    Sos { sections }
}

/// Removes the root with the least `key` among those that `wanted` accepts.
fn take(
    roots: &mut Vec<Complex64>,
    wanted: impl Fn(&Complex64) -> bool,
    key: impl Fn(&Complex64) -> f64,
) -> Option<Complex64> {
    let candidates = roots.iter().enumerate().filter(|(_, root)| wanted(root));
    let (index, _) = candidates.min_by(|(_, a), (_, b)| key(a).total_cmp(&key(b)))?;
    Some(roots.remove(index))
}

/// `(z - first) (z - second)`, where a missing root is 0.
fn polynomial(first: Option<Complex64>, second: Option<Complex64>) -> [f64; 3] {
    let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    [1.0, -(first + second).re, (first * second).re]
}
