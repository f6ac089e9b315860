//! Two recordings of one session on clocks that were not started together: by how much one is later, from a signal that
//! both have seen, such as a clap, a step or a synchronisation pulse.

use realfft::RealFftPlanner;

use super::resample::Resampler;

/// How two recordings lie in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// An event at time `t` of the first recording happens at `t + lag_secs` of the second.
    pub lag_secs: f64,
    /// Normalised cross-correlation at the best whole lag, at most 1.
    pub correlation: f64,
    /// Correlation at the best lag over that of the next best maximum outside its lobe, from 1 up; infinite when there
    /// is no other above 0. Close to 1, another lag fits as well: the signal is periodic, or was not seen by both.
    pub confidence: f64,
}

/// The lag by which `y` is later than `x`, between `-max_lag_secs` and `max_lag_secs`.
///
/// `argmax_k r[k]` with `r[k] = sum_t x[t] y[t + k] / sqrt(sum x^2 sum y^2)` of the signals without their means, by
/// fast Fourier transform, and between the samples by the parabola through the maximum and its neighbours. Signals of
/// different rates are compared at the lower one, the other resampled through [`Resampler`]; what both have must lie
/// below half of it. The lobe of the maximum is where `r` stays above half of it.
///
/// # Errors
/// Reason why the lag cannot be found: a rate, lag or sample that is no number, rates in no ratio of whole numbers, a
/// signal that is constant, no positive correlation, or a correlation that still rises at the largest lag.
pub fn lag_secs(x: &[f32], x_rate: f64, y: &[f32], y_rate: f64, max_lag_secs: f64) -> Result<Alignment, String> {
    for (name, value) in [
        ("rate of the first signal", x_rate),
        ("rate of the second signal", y_rate),
    ] {
        if !(value.is_finite() && value > 0.0) {
            return Err(format!("{name}: found {value}, expected Hz above 0"));
        }
    }
    if !(max_lag_secs.is_finite() && max_lag_secs >= 0.0) {
        return Err(format!("largest lag: found {max_lag_secs}, expected seconds from 0 on"));
    }
    let rate = x_rate.min(y_rate);
    let x = centred("first", x, x_rate, rate)?;
    let y = centred("second", y, y_rate, rate)?;
    // No lag beyond the lengths has any overlap.
    let most = (max_lag_secs * rate).floor().min(x.len().max(y.len()) as f64) as usize;
    let r = correlation(&x, &y, most)?;
    let best = r.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
    let (best, &peak) = best
        .filter(|(_, peak)| **peak > 0.0)
        .ok_or("found no positive correlation of the two signals")?;
    let neighbours = best
        .checked_sub(1)
        .and_then(|before| r.get(before))
        .zip(r.get(best + 1));
    let Some((before, after)) = neighbours else {
        return Err(format!(
            "the correlation is largest at the largest lag, {max_lag_secs} s: allow a larger one"
        ));
    };
    let curvature = before - 2.0 * peak + after;
    let fraction = if curvature < 0.0 {
        0.5 * (before - after) / curvature
    } else {
        0.0
    };
    let second = second_maximum(&r, best);
    Ok(Alignment {
        lag_secs: (best as f64 - most as f64 + fraction) / rate,
        correlation: peak,
        confidence: if second > 0.0 { peak / second } else { f64::INFINITY },
    })
}

/// At the common rate, without mean, of energy 1.
fn centred(which: &str, samples: &[f32], from_hz: f64, to_hz: f64) -> Result<Vec<f64>, String> {
    if let Some(index) = samples.iter().position(|x| !x.is_finite()) {
        return Err(format!("{which} signal: sample {index} is missing or not finite"));
    }
    let resampler = Resampler::for_length(from_hz, to_hz, samples.len()).ok_or_else(|| {
        format!("found rates of {from_hz} and {to_hz} Hz, expected a ratio of whole numbers up to 10,000")
    })?;
    let samples: Vec<f64> = resampler.resample(samples).into_iter().map(f64::from).collect();
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let centred: Vec<f64> = samples.iter().map(|x| x - mean).collect();
    let energy = centred.iter().map(|x| x * x).sum::<f64>().sqrt();
    let is_constant = samples.iter().zip(samples.iter().skip(1)).all(|(a, b)| a == b);
    match is_constant || energy == 0.0 {
        true => Err(format!(
            "{which} signal: it is constant or empty, expected something to align by"
        )),
        false => Ok(centred.into_iter().map(|x| x / energy).collect()),
    }
}

/// `sum_t x[t] y[t + k]` for k from `-most` to `most`.
fn correlation(x: &[f64], y: &[f64], most: usize) -> Result<Vec<f64>, String> {
    // Long enough that no lag wraps around onto another.
    let length = (x.len().max(y.len()) + most + 1).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let transform = |samples: &[f64]| {
        let mut padded = samples.to_vec();
        padded.resize(length, 0.0);
        let mut spectrum = forward.make_output_vec();
        forward
            .process(&mut padded, &mut spectrum)
            .map(|()| spectrum)
            .map_err(|error| error.to_string())
    };
    let (mut product, second) = (transform(x)?, transform(y)?);
    product
        .iter_mut()
        .zip(&second)
        .for_each(|(x, y)| *x = x.conj() * y / length as f64);
    let mut r = inverse.make_output_vec();
    inverse
        .process(&mut product, &mut r)
        .map_err(|error| error.to_string())?;
    // Negative lags stand at the end.
    r.rotate_right(most);
    r.truncate(2 * most + 1);
    Ok(r)
}

/// The largest local maximum outside the lobe of the one at `best`.
fn second_maximum(r: &[f64], best: usize) -> f64 {
    let half = r.get(best).copied().unwrap_or(0.0) / 2.0;
    let left = r.iter().take(best).rposition(|x| *x <= half).unwrap_or(0);
    let right = r
        .iter()
        .skip(best)
        .position(|x| *x <= half)
        .map_or(r.len(), |steps| best + steps);
    let triples = r
        .windows(3)
        .zip(1..)
        .filter(|(_, index)| *index < left || *index > right);
    let maxima = triples.filter_map(|(three, _)| match three {
        [a, b, c] if a <= b && b >= c => Some(*b),
        _ => None,
    });
    maxima.fold(0.0, f64::max)
}
