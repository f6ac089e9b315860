//! Who got better: a change of at least the minimal clinically important difference.

use serde::{Deserialize, Serialize};

use super::scales::Scale;
use super::visits::Trajectory;

/// The smallest change that counts, as a number of points or by the name of a published one ([`Scale::mcids`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Threshold {
    /// Points of the scale.
    Points(f64),
    /// Name of a published difference.
    Published(String),
}

/// Who counts as a responder, such as `{ item = "FMA-UE", mcid = "arya-2011-high" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponderConfig {
    /// The item that decides.
    pub item: String,
    /// The smallest change that counts.
    pub mcid: Threshold,
    /// Week of the first of the two scores.
    #[serde(default)]
    pub from_week: f64,
    /// Week of the second.
    #[serde(default = "last_week")]
    pub to_week: f64,
}

fn last_week() -> f64 {
    12.0
}

impl Threshold {
    /// The number of points.
    ///
    /// # Errors
    /// For a number that is not positive, and a name that the scale does not have.
    pub fn points(&self, scale: Scale) -> Result<f64, String> {
        match self {
            Self::Points(points) if *points > 0.0 && points.is_finite() => Ok(*points),
            Self::Points(points) => Err(format!("`mcid` is {points}, expected a positive number")),
            Self::Published(name) => {
                let published = scale.mcids().iter().find(|mcid| mcid.name == name);
                let names = || {
                    scale
                        .mcids()
                        .iter()
                        .map(|mcid| mcid.name)
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                published.map(|mcid| mcid.value).ok_or_else(|| {
                    format!(
                        "`mcid` is `{name}`, expected a number or one of [{}] for {scale:?}",
                        names()
                    )
                })
            }
        }
    }
}

impl ResponderConfig {
    /// Whether the patient improved by the threshold or more; `None` where a score is missing.
    ///
    /// # Errors
    /// See [`Threshold::points`].
    pub fn label(&self, trajectory: &Trajectory) -> Result<Option<bool>, String> {
        let points = self.mcid.points(trajectory.scale)?;
        Ok(improved(trajectory, self.from_week, self.to_week, points))
    }
}

/// A change of exactly the threshold counts, also where the difference of two decimal fractions is off by rounding.
fn improved(trajectory: &Trajectory, from: f64, to: f64, points: f64) -> Option<bool> {
    const ROUNDING: f64 = 1e-9;
    let delta = trajectory.delta(from, to);
    let gain = if trajectory.scale.higher_is_better() {
        delta
    } else {
        -delta
    };
    gain.is_finite().then_some(gain >= points - ROUNDING)
}
