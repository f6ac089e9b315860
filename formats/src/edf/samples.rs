//! Samples of records as physical values.

use super::header::Signal;
use crate::{Warning, WarningCode};

/// How the digital values of a signal become physical ones.
pub(super) struct Scale {
    gain: f64,
    offset: f64,
    pub unit: String,
}

impl Scale {
    pub fn new(signal: &Signal, warnings: &mut Vec<Warning>) -> Self {
        let [digital_min, digital_max] = signal.digital;
        let [physical_min, physical_max] = signal.physical;
        let gain = (physical_max - physical_min) / (digital_max - digital_min);
        let scaled = digital_max > digital_min && gain.is_finite() && gain != 0.0;
        if !scaled {
            let text = format!(
                "signal `{}` stays digital: its physical range is {physical_min} to {physical_max}, its digital range \
                 {digital_min} to {digital_max}",
                signal.name
            );
            warnings.push(Warning::new(WarningCode::Uncalibrated, text));
        }
        Self {
            gain: if scaled { gain } else { 1.0 },
            offset: if scaled { physical_max / gain - digital_max } else { 0.0 },
            unit: if scaled && !signal.unit.is_empty() {
                signal.unit.clone()
            } else {
                "1".into()
            },
        }
    }

    /// Appends the samples of one record: three bytes each in BDF, two in EDF, the lowest first.
    pub fn append(&self, bytes: &[u8], bdf: bool, values: &mut Vec<f32>) {
        if bdf {
            let words = bytes.as_chunks().0.iter();
            let digital = words.map(|&[low, middle, high]| i32::from_le_bytes([0, low, middle, high]) >> 8);
            values.extend(digital.map(|digital| self.physical(digital)));
        } else {
            let words = bytes.as_chunks().0.iter();
            values.extend(words.map(|&word| self.physical(i16::from_le_bytes(word).into())));
        }
    }

    fn physical(&self, digital: i32) -> f32 {
        (self.gain * (self.offset + f64::from(digital))) as f32
    }
}
