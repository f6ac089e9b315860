//! A small made-up cohort with every kind of modality: walkers of two classes.
//!
//! Every number is a function of (seed, purpose, subject, index), so the first subjects of a larger cohort are those of a
//! smaller one. The classes differ, to a degree set by `effect`, in the rhythm of the strides (signal and series), in the
//! age and gait speed (clinical table) and in the height of a bright spot (image). Values are missing at random,
//! independently of the class. It resembles no disease and supports no claim.

use std::f64::consts::TAU;

use ndarray::Array2;
use recoup::dataset::subjects::{Channel, Cohort, ModalityKind, ModalitySpec, Recording, Session, Subject};

const RATE_HZ: f64 = 100.0;
const IMAGE_SIDE: usize = 16;
const MISSING_SHARE: f64 = 0.1;

/// What to make up.
#[derive(Debug, Clone)]
pub struct Walkers {
    /// Number of subjects; classes alternate.
    pub num_subjects: usize,
    /// Another seed, another cohort.
    pub seed: u64,
    /// Distance between the classes in standard deviations of each planted trait; 0 plants nothing.
    pub effect: f64,
    /// Length of the signals.
    pub duration_secs: f64,
}

impl Default for Walkers {
    fn default() -> Self {
        Self {
            num_subjects: 60,
            seed: 0,
            effect: 1.0,
            duration_secs: 60.0,
        }
    }
}

impl Walkers {
    /// The cohort: modalities `force` (left and right foot, 100 Hz), `stride`, `clinical` and `motion` (one 16 x 16 image).
    pub fn generate(&self) -> Cohort {
        Cohort {
            name: "walkers".into(),
            classes: vec!["steady".into(), "unsteady".into()],
            modalities: vec![
                spec(
                    "force",
                    ModalityKind::Signal { rate_hz: RATE_HZ },
                    &[("left", "1"), ("right", "1")],
                ),
                spec(
                    "stride",
                    ModalityKind::Series,
                    &[("stride", "s"), ("swing", "s"), ("stance", "s")],
                ),
                spec(
                    "clinical",
                    ModalityKind::Row,
                    &[("age", "year"), ("gait_speed", "m/s"), ("sex", "1")],
                ),
                spec(
                    "motion",
                    ModalityKind::Image {
                        height: IMAGE_SIDE,
                        width: IMAGE_SIDE,
                    },
                    &[("energy", "1")],
                ),
            ],
            subjects: (0..self.num_subjects).map(|index| self.subject(index)).collect(),
        }
    }

    fn subject(&self, index: usize) -> Subject {
        let class = index % 2;
        let draws = Draws {
            seed: self.seed,
            subject: index as u64,
        };
        let shift = self.effect * class as f64;
        let strides = Stride::walk(&draws, shift, self.duration_secs);
        let id = format!("s{}", index + 1);
        Subject {
            id: id.clone(),
            site: Some(["north", "south", "west"][index / 2 % 3].into()),
            group: None,
            sessions: vec![Session {
                id,
                class,
                recordings: vec![
                    Some(force(&draws, &strides, self.duration_secs)),
                    Some(stride_table(&strides)),
                    Some(clinical(&draws, shift)),
                    Some(motion(&draws, shift)),
                ],
            }],
        }
    }
}

fn spec(name: &str, kind: ModalityKind, channels: &[(&str, &str)]) -> ModalitySpec {
    let channel = |&(name, unit): &(&str, &str)| Channel {
        name: name.into(),
        unit: unit.into(),
    };
    ModalitySpec {
        name: name.into(),
        kind,
        channels: channels.iter().map(channel).collect(),
    }
}

/// One stride of one subject: the left foot is down from `start_secs` for `stance_secs`; the right one half a stride later.
struct Stride {
    start_secs: f64,
    duration_secs: f64,
    stance_secs: f64,
}

impl Stride {
    /// Strides that fill the recording; `shift` moves the log of their variability.
    fn walk(draws: &Draws, shift: f64, duration_secs: f64) -> Vec<Self> {
        let mean_secs = 1.1 + 0.08 * draws.normal("cadence", 0);
        let variability = 0.03 * (0.35 * (draws.normal("variability", 0) + shift)).exp();
        let stance_share = 0.64 + 0.02 * draws.normal("stance", 0);
        let mut strides = Vec::new();
        let mut start_secs = -mean_secs * draws.uniform("phase", 0);
        while start_secs < duration_secs {
            let noise = draws.normal("stride", strides.len() as u64).clamp(-3.0, 3.0);
            let duration_secs = mean_secs * (1.0 + variability * noise);
            let stance_noise = 0.01 * draws.normal("stance", strides.len() as u64 + 1).clamp(-3.0, 3.0);
            let stance_secs = duration_secs * (stance_share + stance_noise);
            strides.push(Self {
                start_secs,
                duration_secs,
                stance_secs,
            });
            start_secs += duration_secs;
        }
        strides
    }

    /// Force under a foot that was put down `offset` of a stride after the start: two humps, heel and toe.
    fn force(&self, time_secs: f64, offset: f64) -> f64 {
        let phase = (time_secs - self.start_secs - offset * self.duration_secs) / self.stance_secs;
        if !(0.0..1.0).contains(&phase) {
            return 0.0;
        }
        (TAU * phase / 2.0).sin() + 0.35 * (3.0 * TAU * phase / 2.0).sin()
    }
}

fn force(draws: &Draws, strides: &[Stride], duration_secs: f64) -> Recording {
    let num_rows = (duration_secs * RATE_HZ).round().max(1.0) as usize;
    let values = Array2::from_shape_fn((num_rows, 2), |(row, foot)| {
        let time_secs = row as f64 / RATE_HZ;
        let offset = 0.5 * foot as f64;
        // A foot's stance may reach into the next stride, so two strides can count.
        let next = strides.partition_point(|stride| stride.start_secs <= time_secs);
        let near = strides.get(next.saturating_sub(2)..next).unwrap_or_default();
        let load: f64 = near.iter().map(|stride| stride.force(time_secs, offset)).sum();
        (load + 0.05 * draws.normal("noise", (2 * row + foot) as u64)) as f32
    });
    Recording {
        times_secs: None,
        values,
    }
}

fn stride_table(strides: &[Stride]) -> Recording {
    // A stride that began before the recording was not seen whole; a recording too short for any keeps the last.
    let whole = strides
        .iter()
        .position(|stride| stride.start_secs >= 0.0)
        .unwrap_or(strides.len().saturating_sub(1));
    let strides = strides.get(whole..).unwrap_or_default();
    let values = Array2::from_shape_fn((strides.len(), 3), |(row, column)| {
        let durations = strides
            .get(row)
            .map(|s| [s.duration_secs, s.duration_secs - s.stance_secs, s.stance_secs]);
        durations
            .and_then(|values| values.get(column).copied())
            .unwrap_or(f64::NAN) as f32
    });
    Recording {
        times_secs: Some(strides.iter().map(|stride| stride.start_secs.max(0.0)).collect()),
        values,
    }
}

fn clinical(draws: &Draws, shift: f64) -> Recording {
    let row = [
        60.0 + 10.0 * (draws.normal("age", 0) + 0.5 * shift),
        1.2 + 0.15 * (draws.normal("speed", 0) - 0.5 * shift),
        f64::from(draws.uniform("sex", 0) < 0.5),
    ];
    let values = Array2::from_shape_fn((1, row.len()), |(_, column)| {
        let missing = draws.uniform("missing", column as u64) < MISSING_SHARE;
        if missing {
            f32::NAN
        } else {
            row.get(column).copied().unwrap_or(f64::NAN) as f32
        }
    });
    Recording {
        times_secs: None,
        values,
    }
}

fn motion(draws: &Draws, shift: f64) -> Recording {
    let middle = IMAGE_SIDE as f64 / 2.0;
    let centre = (
        middle + 1.5 * (draws.normal("spot", 0) - shift),
        middle + 1.5 * draws.normal("spot", 1),
    );
    let values = Array2::from_shape_fn((1, IMAGE_SIDE * IMAGE_SIDE), |(_, pixel)| {
        let (line, column) = ((pixel / IMAGE_SIDE) as f64, (pixel % IMAGE_SIDE) as f64);
        let distance = (line - centre.0).powi(2) + (column - centre.1).powi(2);
        ((-distance / 8.0).exp() + 0.1 * draws.normal("pixel", pixel as u64)) as f32
    });
    Recording {
        times_secs: None,
        values,
    }
}

/// Random numbers as functions of their place.
struct Draws {
    seed: u64,
    subject: u64,
}

impl Draws {
    fn bits(&self, purpose: &str, index: u64) -> u64 {
        let name = purpose.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        [self.subject, name, index]
            .into_iter()
            .fold(mix(self.seed), |hash, word| mix(hash ^ mix(word)))
    }

    /// In (0, 1), both ends excluded.
    fn uniform(&self, purpose: &str, index: u64) -> f64 {
        ((self.bits(purpose, index) >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Standard normal, by Box and Muller from two uniform numbers.
    fn normal(&self, purpose: &str, index: u64) -> f64 {
        let radius = (-2.0 * self.uniform(purpose, 2 * index).ln()).sqrt();
        radius * (TAU * self.uniform(purpose, 2 * index + 1)).cos()
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014): a bijection that scatters neighbouring numbers.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
