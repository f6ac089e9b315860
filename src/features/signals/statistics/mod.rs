//! Statistics of a window, and rules that find faulty samples.

mod cleaning;

pub use cleaning::{CleaningRules, Fault};

use serde::{Deserialize, Serialize};

use super::emg::{line_length, rms};
use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo, squared};
use crate::signal::statistics::{mean_variance, quantile};
use crate::signal::sums::{sum, sum_pairs};

/// Statistics of the samples `x` of a window with the mean `m` and the moments `m_k = mean (x - m)^k`: `mean`;
/// `variance` and `sd` with the ddof given; `skewness` = `m_3 / m_2^1.5` and `kurtosis` = `m_4 / m_2^2 - 3`, both
/// without correction for bias; `min`, `max`, `peak_to_peak`, `median`, quantiles `q05` (linear between order
/// statistics, NumPy's default), `rms`, `line_length` = `sum |x[i+1] - x[i]|`; Hjorth's (1970) `mobility` =
/// `sqrt(var dx / var x)` and `complexity` = `mobility(dx) / mobility(x)` with the differences `dx` of neighbours and
/// ddof 0, `activity` being the variance; and autocorrelations `sum (x[i] - m) (x[i+k] - m) / sum (x - m)^2`. Of a
/// constant window what is divided by its variance is NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsConfig {
    /// 0: variance of the window itself; 1: estimate of that of its source. Default 0.
    #[serde(default)]
    pub ddof: usize,
    /// Default `[0.05, 0.25, 0.75, 0.95]`.
    #[serde(default = "quantiles")]
    pub quantiles: Vec<f64>,
    /// Delays of the autocorrelation, rounded to samples; default none.
    #[serde(default)]
    pub lags_secs: Vec<f64>,
}

fn quantiles() -> Vec<f64> {
    vec![0.05, 0.25, 0.75, 0.95]
}

/// Mean and central moments of order 2 to 4.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// `mean x`.
    pub mean: f64,
    /// `mean (x - m)^2`.
    pub second: f64,
    /// `mean (x - m)^3`.
    pub third: f64,
    /// `mean (x - m)^4`.
    pub fourth: f64,
}

impl Moments {
    /// In two passes.
    pub fn of(samples: &[f64]) -> Self {
        let count = samples.len() as f64;
        let mean = sum(samples, |x| x) / count;
        let second = sum(samples, |x| (x - mean).powi(2)) / count;
        let third = sum(samples, |x| (x - mean).powi(3)) / count;
        let fourth = sum(samples, |x| (x - mean).powi(4)) / count;
        Self {
            mean,
            second,
            third,
            fourth,
        }
    }

    /// `m_3 / m_2^1.5`.
    pub fn skewness(&self) -> f64 {
        self.third / self.spread().powf(1.5)
    }

    /// `m_4 / m_2^2 - 3`: 0 of a normal distribution.
    pub fn kurtosis(&self) -> f64 {
        self.fourth / self.spread().powi(2) - 3.0
    }

    fn spread(&self) -> f64 {
        spread(self.mean, self.second)
    }
}

/// The variance, NaN where it is but the rounding of the mean.
fn spread(mean: f64, variance: f64) -> f64 {
    if variance.sqrt() > 1e-14 * mean.abs() {
        variance
    } else {
        f64::NAN
    }
}

/// Puts the values of these places, ascending and each once, where sorting would put them, in a third of its time.
/// `offset` is the place of the first value.
fn order(values: &mut [i64], places: &[usize], offset: usize) {
    let (before, after) = places.split_at(places.len() / 2);
    let Some((&place, after)) = after.split_first().filter(|(place, _)| **place - offset < values.len()) else {
        return;
    };
    let (lower, _, upper) = values.select_nth_unstable(place - offset);
    order(lower, before, offset);
    order(upper, after, place + 1);
}

/// A number whose order is that of `f64::total_cmp`, so that it is computed once and not at every comparison; its own inverse.
fn key(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// `sum (x[i] - m) (x[i + lag] - m) / sum (x - m)^2`; NaN of a constant.
pub fn autocorrelation(samples: &[f64], lag: usize) -> f64 {
    let [mean, variance] = mean_variance(samples, 0);
    let product = sum_pairs(samples, samples.get(lag..).unwrap_or_default(), |a, b| {
        (a - mean) * (b - mean)
    });
    product / (spread(mean, variance) * samples.len() as f64)
}

/// Hjorth's mobility and complexity.
pub fn hjorth(samples: &[f64]) -> [f64; 2] {
    let differences = |x: &[f64]| -> Vec<f64> { x.iter().zip(x.iter().skip(1)).map(|(a, b)| b - a).collect() };
    let first = differences(samples);
    let [mean, variance] = mean_variance(samples, 0);
    let [[_, first], [_, second]] = [mean_variance(&first, 0), mean_variance(&differences(&first), 0)];
    let mobility = (first / spread(mean, variance)).sqrt();
    [mobility, (second / first).sqrt() / mobility]
}

impl StatisticsConfig {
    /// The places of `len` ordered values at which [`quantile`] looks.
    fn places(&self, len: usize) -> Vec<usize> {
        let shares = [0.0, 0.5, 1.0].iter().chain(&self.quantiles);
        let exact = shares.map(|share| share * len.saturating_sub(1) as f64);
        let mut places: Vec<usize> = exact
            .flat_map(|place| [place.floor() as usize, place.ceil() as usize])
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

impl SignalFeature for StatisticsConfig {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let mut columns = Vec::new();
        for channel in signal.channels {
            let mut column = |name: String, unit: &str| {
                columns.push(Column {
                    name: format!("{}.{name}", channel.name),
                    unit: unit.to_owned(),
                });
            };
            let unit = channel.unit.as_str();
            column("mean".into(), unit);
            column("variance".into(), &squared(unit));
            column("sd".into(), unit);
            column("skewness".into(), "1");
            column("kurtosis".into(), "1");
            for name in ["min", "max", "peak_to_peak", "median"] {
                column(name.into(), unit);
            }
            for share in &self.quantiles {
                column(quantile_name(*share), unit);
            }
            column("rms".into(), unit);
            column("line_length".into(), unit);
            column("mobility".into(), "1");
            column("complexity".into(), "1");
            for secs in &self.lags_secs {
                column(format!("autocorrelation_{secs}s"), "1");
            }
        }
        columns
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        let problem = |key: &str, message: String| Err(Problem::new(key, message));
        if self.ddof > 1 {
            return problem("ddof", format!("must be 0 or 1, but is {}", self.ddof));
        }
        if let Some(share) = self.quantiles.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return problem("quantiles", format!("must be shares from 0 to 1, but one is {share}"));
        }
        let window_secs = signal.num_samples as f64 / signal.rate_hz;
        if let Some(secs) = self.lags_secs.iter().find(|secs| !(0.0..window_secs).contains(*secs)) {
            return problem(
                "lags_secs",
                format!("must be less than the window's {window_secs} s, but one is {secs}"),
            );
        }
        if signal.num_samples < 3 {
            return problem("kind", "needs windows of at least 3 samples".into());
        }
        Ok(())
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, scratch: &mut Scratch, values: &mut Vec<f64>) {
        for &samples in window {
            let moments = Moments::of(samples);
            let count = samples.len() as f64;
            let variance = moments.second * count / (count - self.ddof as f64);
            values.extend([
                moments.mean,
                variance,
                variance.sqrt(),
                moments.skewness(),
                moments.kurtosis(),
            ]);
            let (keys, sorted) = (&mut scratch.keys, &mut scratch.sorted);
            keys.clear();
            keys.extend(samples.iter().map(|x| key(x.to_bits() as i64)));
            order(keys, &self.places(samples.len()), 0);
            sorted.clear();
            sorted.extend(keys.iter().map(|&bits| f64::from_bits(key(bits) as u64)));
            let [min, max, median] = [0.0, 1.0, 0.5].map(|share| quantile(sorted, share));
            values.extend([min, max, max - min, median]);
            values.extend(self.quantiles.iter().map(|&share| quantile(sorted, share)));
            values.extend([rms(samples), line_length(samples)]);
            values.extend(hjorth(samples));
            let lag = |secs: &f64| (secs * rate_hz).round() as usize;
            values.extend(self.lags_secs.iter().map(|secs| autocorrelation(samples, lag(secs))));
        }
    }
}

/// `q05` for 0.05, `q2.5` for 0.025.
fn quantile_name(share: f64) -> String {
    let percent = (share * 1e8).round() / 1e6;
    if percent.fract() == 0.0 {
        format!("q{percent:02}")
    } else {
        format!("q{percent}")
    }
}
