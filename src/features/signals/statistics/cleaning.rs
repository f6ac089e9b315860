//! Rules that find faulty samples of a recording.

use serde::{Deserialize, Serialize};

use crate::base::Problem;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};

/// Rules for faulty samples. As a feature: the share of each window's samples with each fault that is looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleaningRules {
    /// Flat line: at least this long the same value (an electrode is off); a fault of every sample of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flat_secs: Option<f64>,
    /// Range of the device, `[lowest, highest]` in the signal's unit: clipped is a sample that is at least as
    /// low or as high and has a neighbour on the same side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_range: Option<[f64; 2]>,
    /// Possible range, `[lowest, highest]` in the signal's unit: a sample beyond is out of range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_range: Option<[f64; 2]>,
    /// Length of the packets of the device: a stretch at least this long that repeats the stretch of this length before
    /// it value for value was sent twice. A flat line is not a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_secs: Option<f64>,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No change for too long.
    Flat,
    /// At an end of the device's range.
    Clipped,
    /// Not possible.
    OutOfRange,
    /// Sent twice.
    Duplicate,
}

impl Fault {
    fn column(self) -> &'static str {
        match self {
            Self::Flat => "flat_share",
            Self::Clipped => "clipped_share",
            Self::OutOfRange => "out_of_range_share",
            Self::Duplicate => "duplicate_share",
        }
    }
}

impl CleaningRules {
    /// Faults that are looked for.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + use<> {
        let rules = [
            (self.flat_secs.is_some(), Fault::Flat),
            (self.device_range.is_some(), Fault::Clipped),
            (self.valid_range.is_some(), Fault::OutOfRange),
            (self.packet_secs.is_some(), Fault::Duplicate),
        ];
        rules.into_iter().filter_map(|(wanted, fault)| wanted.then_some(fault))
    }

    /// Calls `found` with each stretch of samples that has the fault; NaN has no fault.
    fn find(&self, fault: Fault, samples: &[f64], rate_hz: f64, found: &mut dyn FnMut(std::ops::Range<usize>)) {
        let num = |secs: f64| ((secs * rate_hz).round() as usize).max(1);
        match (fault, self) {
            (
                Fault::Flat,
                Self {
                    flat_secs: Some(secs), ..
                },
            ) => {
                let mut start = 0;
                for stretch in samples.chunk_by(|a, b| a == b) {
                    if stretch.len() >= num(*secs).max(2) {
                        found(start..start + stretch.len());
                    }
                    start += stretch.len();
                }
            }
            (
                Fault::Clipped,
                Self {
                    device_range: Some([low, high]),
                    ..
                },
            ) => {
                let mut start = 0;
                let side = |x: &f64| (*x <= *low, *x >= *high);
                for stretch in samples.chunk_by(|a, b| side(a) == side(b)) {
                    if stretch.len() >= 2 && stretch.first().is_some_and(|x| side(x) != (false, false)) {
                        found(start..start + stretch.len());
                    }
                    start += stretch.len();
                }
            }
            (
                Fault::OutOfRange,
                Self {
                    valid_range: Some([low, high]),
                    ..
                },
            ) => {
                let beyond = samples.iter().enumerate().filter(|(_, x)| **x < *low || **x > *high);
                beyond.for_each(|(index, _)| found(index..index + 1));
            }
            (
                Fault::Duplicate,
                Self {
                    packet_secs: Some(secs),
                    ..
                },
            ) => {
                let packet = num(*secs);
                let repeats = |index: &usize| {
                    samples
                        .get(*index)
                        .zip(samples.get(index.wrapping_sub(packet)))
                        .is_some_and(|(a, b)| a == b)
                };
                let mut index = packet;
                while index < samples.len() {
                    let end = (index..samples.len())
                        .find(|index| !repeats(index))
                        .unwrap_or(samples.len());
                    let stretch = &samples[index..end];
                    if stretch.len() >= packet && stretch.windows(2).any(|pair| pair[0] != pair[1]) {
                        found(index..end);
                    }
                    index = end + 1;
                }
            }
            _ => {}
        }
    }

    /// Sets every faulty sample to NaN and returns how many were, whatever number of faults each had.
    pub fn mask(&self, samples: &mut [f64], rate_hz: f64) -> usize {
        let mut faulty = Vec::new();
        for fault in self.faults() {
            self.find(fault, samples, rate_hz, &mut |stretch| faulty.push(stretch));
        }
        let mut count = 0;
        for sample in faulty.into_iter().flatten() {
            if let Some(sample) = samples.get_mut(sample).filter(|sample| !sample.is_nan()) {
                *sample = f64::NAN;
                count += 1;
            }
        }
        count
    }

    /// The share of the samples with the fault.
    pub fn share(&self, fault: Fault, samples: &[f64], rate_hz: f64) -> f64 {
        let mut count = 0;
        self.find(fault, samples, rate_hz, &mut |stretch| count += stretch.len());
        count as f64 / samples.len() as f64
    }
}

impl SignalFeature for CleaningRules {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let names = |channel: &crate::dataset::subjects::Channel| {
            let channel = channel.name.clone();
            self.faults().map(move |fault| Column {
                name: format!("{channel}.{}", fault.column()),
                unit: "1".into(),
            })
        };
        signal.channels.iter().flat_map(names).collect()
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        let window_secs = signal.num_samples as f64 / signal.rate_hz;
        for (key, secs, share) in [
            ("flat_secs", self.flat_secs, 1.0),
            ("packet_secs", self.packet_secs, 0.5),
        ] {
            let most = window_secs * share;
            if let Some(secs) = secs.filter(|secs| !(*secs > 0.0 && *secs <= most)) {
                return Err(Problem::new(
                    key,
                    format!("must be above 0 and at most {most} s to be seen in a window, but is {secs}"),
                ));
            }
        }
        for (key, range) in [("device_range", self.device_range), ("valid_range", self.valid_range)] {
            if let Some([low, high]) = range.filter(|[low, high]| low >= high || low.is_nan() || high.is_nan()) {
                return Err(Problem::new(
                    key,
                    format!("must be [lowest, highest], but is [{low}, {high}]"),
                ));
            }
        }
        if self.faults().next().is_none() {
            return Err(Problem::new(
                "kind",
                "needs a rule: flat_secs, device_range, valid_range or packet_secs",
            ));
        }
        Ok(())
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, _scratch: &mut Scratch, values: &mut Vec<f64>) {
        for samples in window {
            values.extend(self.faults().map(|fault| self.share(fault, samples, rate_hz)));
        }
    }
}
