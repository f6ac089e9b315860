//! WFDB records, PNG images and CSV tables.

use std::fmt::Write;
use std::path::Path;

use ndarray::{ArrayView1, ArrayView2};

use super::{create, each_recording, recording, save, sessions};
use crate::base::FileError;
use crate::dataset::subjects::{Cohort, ModalityKind, ModalitySpec};
use crate::simulate::recordings::{EMG_GAIN, FORCE_GAIN};

/// All recordings of a modality.
pub(super) fn write(cohort: &Cohort, modality: usize, spec: &ModalitySpec, raw: &Path) -> Result<(), FileError> {
    let folder = raw.join(&spec.name);
    match spec.kind {
        ModalityKind::Row | ModalityKind::Series => save(
            &raw.join(format!("{}.csv", spec.name)),
            table(cohort, modality).as_bytes(),
        ),
        ModalityKind::Signal { rate_hz } => each_recording(cohort, modality, |id, values| {
            write_wfdb(&folder, id, spec, rate_hz, values.view())
        }),
        ModalityKind::Image { height, width } => {
            create(&folder)?;
            each_recording(cohort, modality, |id, values| {
                write_png(&folder.join(format!("{id}.png")), values.row(0), [height, width])
            })
        }
    }
}

/// A WFDB record of format 16: little-endian samples of all signals in turn; see `header(5)` and `signal(5)`.
fn write_wfdb(
    folder: &Path,
    name: &str,
    spec: &ModalitySpec,
    rate_hz: f64,
    values: ArrayView2<f32>,
) -> Result<(), FileError> {
    let gain = if spec.name == "emg" { EMG_GAIN } else { FORCE_GAIN };
    // The recordings are multiples of 1 / gain within 16 bits.
    let samples = values.map(|&value| (f64::from(value) * gain) as i16);
    let mut header = format!("{name} {} {rate_hz} {}\n", spec.channels.len(), samples.nrows());
    for (channel, signal) in spec.channels.iter().zip(samples.columns()) {
        let initial = signal.first().copied().unwrap_or(0);
        let checksum = signal.iter().fold(0i16, |sum, &sample| sum.wrapping_add(sample));
        let calibration = format!("{gain}/{}", channel.unit);
        let _ = writeln!(
            header,
            "{name}.dat 16 {calibration} 16 0 {initial} {checksum} 0 {}",
            channel.name
        );
    }
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    save(&folder.join(format!("{name}.dat")), &bytes)?;
    save(&folder.join(format!("{name}.hea")), header.as_bytes())
}

fn write_png(path: &Path, pixels: ArrayView1<f32>, [height, width]: [usize; 2]) -> Result<(), FileError> {
    let bytes: Vec<u8> = pixels.iter().map(|&value| (255.0 * value).round() as u8).collect();
    let saved = image::save_buffer(path, &bytes, width as u32, height as u32, image::ExtendedColorType::L8);
    saved.map_err(|error| FileError::io(path, "write")(std::io::Error::other(error)))
}

/// One line per session that has the modality; an empty field is a missing value.
fn table(cohort: &Cohort, modality: usize) -> String {
    let channels = cohort
        .modalities
        .get(modality)
        .map(|spec| spec.channels.as_slice())
        .unwrap_or_default();
    let header = std::iter::once("patient").chain(channels.iter().map(|channel| channel.name.as_str()));
    let mut text = header.collect::<Vec<_>>().join(",") + "\n";
    for session in sessions(cohort) {
        let Some(recording) = recording(session, modality) else {
            continue;
        };
        text.push_str(&session.id);
        for value in &recording.values {
            let _ = if value.is_nan() {
                write!(text, ",")
            } else {
                write!(text, ",{value}")
            };
        }
        text.push('\n');
    }
    text
}
