//! Files as laboratories and hospitals export them: C3D with analog channels, EDF+, NIfTI-1 and Parquet. All of them keep the bits
//! of the values.

use std::path::Path;

use ndarray::{Array2, Array3, ArrayView1};

use super::{create, each_recording, recording, save, sessions};
use crate::base::FileError;
use crate::dataset::subjects::{Channel, Cohort, ModalityKind, ModalitySpec};
use crate::simulate::recordings::FORCE_GAIN;
use recoup_formats::c3d::write_c3d;
use recoup_formats::edf::{EdfRecording, EdfSignal, write_edf};
use recoup_formats::nifti::write_nifti;
use recoup_formats::parquet::write_table;
use recoup_formats::{Points, SignalChannel};

/// Analog samples per frame of a C3D file, where the length of the recording is a multiple of it.
const SAMPLES_PER_FRAME: usize = 5;
/// Force of the two digital values of [`FORCE_DIGITAL`]; the field of the header has eight characters.
const FORCE_NEWTONS: [f64; 2] = [-2047.0, 2048.0];
/// A step is 1/16 N and 0 N is -1, so that the largest recorded force, 2047.9375 N, lies within the range. The smallest
/// recorded force is noise about 0.
const FORCE_DIGITAL: [i16; 2] = [-32753, 32767];

/// All recordings of a modality.
pub(super) fn write(cohort: &Cohort, modality: usize, spec: &ModalitySpec, raw: &Path) -> Result<(), FileError> {
    let folder = raw.join(&spec.name);
    match spec.kind {
        ModalityKind::Row | ModalityKind::Series => {
            create(raw)?;
            write_rows(
                cohort,
                modality,
                &spec.channels,
                &raw.join(format!("{}.parquet", spec.name)),
            )
        }
        ModalityKind::Signal { rate_hz } => each_recording(cohort, modality, |id, values| {
            let path = folder.join(format!("{id}.{}", signal_extension(&spec.name)));
            let bytes = match signal_extension(&spec.name) {
                "c3d" => analog(&spec.channels, rate_hz, values, &path)?,
                _ => force(id, &spec.channels, rate_hz, values, &path)?,
            };
            save(&path, &bytes)
        }),
        ModalityKind::Image { height, width } => each_recording(cohort, modality, |id, values| {
            let path = folder.join(format!("{id}.nii"));
            save(&path, &volume(values.row(0), [height, width], &path)?)
        }),
    }
}

/// Muscles are recorded by the system of motion capture, forces by a device of their own.
pub(super) fn signal_extension(modality: &str) -> &'static str {
    if modality == "emg" { "c3d" } else { "edf" }
}

/// A C3D file without markers.
fn analog(channels: &[Channel], rate_hz: f64, values: &Array2<f32>, path: &Path) -> Result<Vec<u8>, FileError> {
    let samples_per_frame = if values.nrows().is_multiple_of(SAMPLES_PER_FRAME) {
        SAMPLES_PER_FRAME
    } else {
        1
    };
    let points = Points {
        unit: "mm".into(),
        rate_hz: Some(rate_hz / samples_per_frame as f64),
        names: Vec::new(),
        positions: Array3::zeros((values.nrows() / samples_per_frame, 0, 3)),
        confidence: None,
    };
    let signal = |(channel, values): (&Channel, ArrayView1<f32>)| {
        let (name, unit) = (channel.name.clone(), channel.unit.clone());
        SignalChannel {
            name,
            unit,
            rate_hz,
            values: values.to_vec(),
        }
    };
    let signals: Vec<_> = channels.iter().zip(values.columns()).map(signal).collect();
    write_c3d(&points, &signals, path)
}

/// An EDF+ file whose steps are those of the recording.
fn force(
    id: &str,
    channels: &[Channel],
    rate_hz: f64,
    values: &Array2<f32>,
    path: &Path,
) -> Result<Vec<u8>, FileError> {
    let zero = FORCE_NEWTONS[1] * FORCE_GAIN - f64::from(FORCE_DIGITAL[1]);
    let signal = |(channel, values): (&Channel, ArrayView1<f32>)| EdfSignal {
        name: channel.name.clone(),
        unit: channel.unit.clone(),
        rate_hz,
        physical_range: FORCE_NEWTONS,
        digital_range: FORCE_DIGITAL,
        // The recordings are multiples of 1 / gain within 16 bits.
        digital: values
            .iter()
            .map(|&value| (f64::from(value) * FORCE_GAIN - zero) as i16)
            .collect(),
    };
    let signals = channels.iter().zip(values.columns()).map(signal).collect();
    let recording = EdfRecording {
        subject: id.into(),
        signals,
        ..EdfRecording::default()
    };
    write_edf(&recording, path)
}

/// A volume of one slice; a pixel has no size of its own and counts as a millimetre.
fn volume(pixels: ArrayView1<f32>, [height, width]: [usize; 2], path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |problem: String| FileError::io(path, "write")(std::io::Error::other(problem));
    let values = pixels
        .into_shape_with_order((1, 1, height, width))
        .map_err(|error| failed(error.to_string()))?;
    let affine = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    write_nifti(values, &affine, None).map_err(failed)
}

/// One row per session that has the modality; NaN is a missing value.
fn write_rows(cohort: &Cohort, modality: usize, channels: &[Channel], path: &Path) -> Result<(), FileError> {
    let rows = || sessions(cohort).filter_map(|session| Some((session, recording(session, modality)?)));
    let ids: Vec<String> = rows().map(|(session, _)| session.id.clone()).collect();
    let values = rows()
        .flat_map(|(_, recording)| recording.values.iter().map(|&value| f64::from(value)))
        .collect();
    let values = Array2::from_shape_vec((ids.len(), channels.len()), values)
        .map_err(|error| FileError::io(path, "write")(std::io::Error::other(error)))?;
    let columns: Vec<_> = channels
        .iter()
        .map(|channel| (channel.name.as_str(), channel.unit.as_str()))
        .collect();
    write_table(path, &[("patient", &ids)], &columns, values.view())
}
