//! Settings of a filter.

use serde::{Deserialize, Serialize};

use super::{Filter, Passband, Sos};
use crate::base::{Problem, Problems};

/// Highest order of a Butterworth filter: beyond, rounding of the poles shows.
const MAX_ORDER: usize = 12;

/// A filter of a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FilterConfig {
    /// Butterworth: gain `1 / sqrt(1 + (f / f_c)^(2 order))` before the bilinear transform, -3 dB at the cut-offs in
    /// one pass and -6 dB in the two of zero phase. Band-pass and band-stop have `2 order` poles, as SciPy counts.
    Butterworth {
        /// Pass-band.
        band: Band,
        /// Lower cut-off; of all bands but `low`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low_hz: Option<f64>,
        /// Upper cut-off; of all bands but `high`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high_hz: Option<f64>,
        /// Order of the low-pass it is made from, 1 to 12; default 4.
        #[serde(default = "order")]
        order: usize,
        /// Default: zero.
        #[serde(default)]
        phase: Phase,
    },
    /// Takes out one frequency and its multiples, each with the bandwidth `frequency / quality` at -3 dB
    /// (`scipy.signal.iirnotch`).
    Notch {
        /// The mains: 50 or 60.
        frequency_hz: f64,
        /// Frequency over bandwidth; default 30.
        #[serde(default = "quality")]
        quality: f64,
        /// Number of multiples taken out, the frequency itself being the first; default 1.
        #[serde(default = "harmonics")]
        harmonics: usize,
        /// Default: zero.
        #[serde(default)]
        phase: Phase,
    },
}

/// Pass-band of a Butterworth filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    /// Below `high_hz`.
    Low,
    /// Above `low_hz`.
    High,
    /// Between `low_hz` and `high_hz`.
    BandPass,
    /// All but what is between `low_hz` and `high_hz`.
    BandStop,
}

/// How a filter runs over a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Forward and backward: no delay, the squared gain (`scipy.signal.sosfiltfilt`).
    #[default]
    Zero,
    /// Forward only, as a device would.
    Causal,
}

fn order() -> usize {
    4
}

fn quality() -> f64 {
    30.0
}

fn harmonics() -> usize {
    1
}

impl FilterConfig {
    /// How the filter runs.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Butterworth { phase, .. } | Self::Notch { phase, .. } => *phase,
        }
    }

    /// Everything that keeps this filter from being built for a signal of `rate_hz`.
    pub fn problems(&self, rate_hz: f64) -> Problems {
        let nyquist = rate_hz / 2.0;
        let mut problems = Problems::default();
        let frequency = |problems: &mut Problems, key: &str, name: &str, hz: f64| {
            problems.require(hz > 0.0 && hz < nyquist, key, || {
                format!("must lie above 0 and below half the sampling rate, {nyquist} Hz, but {name} is {hz} Hz")
            });
        };
        match self {
            Self::Butterworth {
                band,
                low_hz,
                high_hz,
                order,
                ..
            } => {
                let needs = [
                    ("low_hz", *low_hz, *band != Band::Low),
                    ("high_hz", *high_hz, *band != Band::High),
                ];
                for (key, hz, _) in needs {
                    if let Some(hz) = hz {
                        frequency(&mut problems, key, "it", hz);
                    }
                }
                for (key, hz, needed) in needs {
                    problems.require(
                        hz.is_some() || !needed,
                        key,
                        || "is missing: this band has such a cut-off",
                    );
                    problems.require(
                        hz.is_none() || needed,
                        key,
                        || "must not stand here: `low` ends at high_hz, `high` begins at low_hz",
                    );
                }
                if let (Some(low), Some(high)) = (low_hz, high_hz) {
                    problems.require(low < high, "low_hz", || {
                        format!("must be less than high_hz, but is {low} and {high} Hz")
                    });
                }
                problems.require((1..=MAX_ORDER).contains(order), "order", || {
                    format!("must be 1 to {MAX_ORDER}, but is {order}")
                });
            }
            Self::Notch {
                frequency_hz,
                quality,
                harmonics,
                ..
            } => {
                problems.require(
                    *harmonics > 0,
                    "harmonics",
                    || "must be at least 1, the frequency itself",
                );
                if *harmonics <= 1 {
                    frequency(&mut problems, "frequency_hz", "it", *frequency_hz);
                } else {
                    let highest = frequency_hz * *harmonics as f64;
                    let name = format!("the multiple {harmonics} of {frequency_hz} Hz");
                    frequency(&mut problems, "harmonics", &name, highest);
                }
                problems.require(*quality > 0.0 && quality.is_finite(), "quality", || {
                    format!("must be above 0, but is {quality}")
                });
            }
        }
        problems
    }

    /// The filter for a signal of `rate_hz`.
    ///
    /// # Errors
    /// The first of [`Self::problems`].
    pub fn design(&self, rate_hz: f64) -> Result<Filter, Problem> {
        if let Some(problem) = self.problems(rate_hz).into_iter().next() {
            return Err(problem);
        }
        let sos = match *self {
            Self::Butterworth {
                band,
                low_hz,
                high_hz,
                order,
                ..
            } => {
                let (low, high) = (low_hz.unwrap_or(f64::NAN), high_hz.unwrap_or(f64::NAN));
                let passband = match band {
                    Band::Low => Passband::Low(high),
                    Band::High => Passband::High(low),
                    Band::BandPass => Passband::BandPass(low, high),
                    Band::BandStop => Passband::BandStop(low, high),
                };
                Sos::butterworth(order, passband, rate_hz)
            }
            Self::Notch {
                frequency_hz,
                quality,
                harmonics,
                ..
            } => {
                let multiple = |k| Sos::notch(frequency_hz * k as f64, quality, rate_hz).sections;
                Sos {
                    sections: (1..=harmonics).flat_map(multiple).collect(),
                }
            }
        };
        Ok(Filter {
            sos,
            phase: self.phase(),
        })
    }

    /// Samples after which the filter has forgotten a disturbance; see [`Sos::settling_samples`].
    ///
    /// # Errors
    /// The first of [`Self::problems`].
    pub fn settling_samples(&self, rate_hz: f64) -> Result<usize, Problem> {
        Ok(self.design(rate_hz)?.sos.settling_samples())
    }
}
