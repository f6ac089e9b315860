//! Sources of a model's streams in the data.

use super::config::ExperimentConfig;
use super::view::View;
use crate::base::Problems;
use crate::cohort::window::Window;
use crate::dataset::subjects::{ModalityKind, ModalitySpec};
use crate::models::{InputShape, Scaling};
use crate::training::StreamSource;

/// Sources of all streams, or the reasons why a stream has none.
pub(super) fn sources(config: &ExperimentConfig, view: &View, problems: &mut Problems) -> Vec<StreamSource> {
    let (prepared, windows) = (&view.prepared, &view.windows);
    let mut sources = Vec::new();
    for stream in &config.model.stream {
        let key = |field: &str| format!("model.stream.{}.{field}", stream.name);
        if !stream
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            || stream.name.is_empty()
        {
            problems.add(key("name"), "expected letters, digits, - and _");
        }
        let Some(modality) = prepared.modality(&stream.modality) else {
            let names: Vec<&str> = prepared.modalities().iter().map(|spec| spec.name.as_str()).collect();
            let message = format!(
                "the data has no modality {:?}; it has {}",
                stream.modality,
                names.join(", ")
            );
            problems.add(key("modality"), message);
            continue;
        };
        let spec = &prepared.modalities()[modality];
        let mut check_scaling = |is_signal: bool| {
            let message = || "only a signal at a constant rate can be scaled by its window";
            problems.require(is_signal || stream.scaling != Scaling::Window, &key("scaling"), message);
        };
        if let Some(columns) = view.fitted_columns(modality) {
            check_scaling(false);
            if stream.channels.is_some() {
                let message = "the columns that a fit puts out cannot be chosen: choose what goes in, in `[features]`";
                problems.add(key("channels"), message);
            }
            let shape = InputShape::Row {
                features: columns.len(),
            };
            let columns = (0..columns.len()).collect();
            sources.push(StreamSource {
                modality,
                columns,
                shape,
                scaling: stream.scaling,
                fitted: true,
            });
            continue;
        }
        match columns(spec, stream.channels.as_deref()) {
            Ok(columns) => {
                let shape = input_shape(spec, columns.len(), modality, windows);
                check_scaling(matches!(shape, InputShape::Sequence { fixed: true, .. }));
                sources.push(StreamSource {
                    modality,
                    columns,
                    shape,
                    scaling: stream.scaling,
                    fitted: false,
                });
            }
            Err(message) => problems.add(key("channels"), message),
        }
    }
    sources
}

fn columns(spec: &ModalitySpec, channels: Option<&[String]>) -> Result<Vec<usize>, String> {
    let Some(channels) = channels else {
        return Ok((0..spec.num_columns()).collect());
    };
    if matches!(spec.kind, ModalityKind::Image { .. }) {
        return Err("channels of an image cannot be chosen".into());
    }
    if channels.is_empty() {
        return Err("is empty: leave it out to read all channels".into());
    }
    let names = || {
        spec.channels
            .iter()
            .map(|channel| channel.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let position = |name: &String| {
        let at = spec.channels.iter().position(|channel| channel.name == *name);
        at.ok_or_else(|| format!("modality {:?} has no channel {name:?}; it has {}", spec.name, names()))
    };
    channels.iter().map(position).collect()
}

fn input_shape(spec: &ModalitySpec, channels: usize, modality: usize, windows: &[Window]) -> InputShape {
    let counts = || {
        windows
            .iter()
            .map(|window| window.rows[modality].count as usize)
            .filter(|&count| count > 0)
    };
    let length = counts().max().unwrap_or(0);
    match spec.kind {
        ModalityKind::Row => InputShape::Row { features: channels },
        ModalityKind::Image { height, width } => InputShape::Image {
            channels: spec.channels.len(),
            height,
            width,
            count: length.max(1),
        },
        ModalityKind::Signal { .. } => InputShape::Sequence {
            channels,
            length,
            fixed: counts().all(|count| count == length),
        },
        ModalityKind::Series => InputShape::Sequence {
            channels,
            length,
            fixed: false,
        },
    }
}
