//! Batches as index gathers from tables that sit on the device once.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use super::replica::Replica;
use crate::cohort::prepared::{Prepared, RowRange};
use crate::cohort::window::Window;
use crate::features::transforms::Scaler;
use crate::models::{InputShape, Scaling, StreamInput};

/// One stream's part of the cohort.
#[derive(Clone, Debug)]
pub struct StreamSource {
    /// Index of the modality in [`Prepared::modalities`].
    pub modality: usize,
    /// Columns of the modality's table that the stream reads.
    pub columns: Vec<usize>,
    /// What the encoder sees; `length` is that of the longest window.
    pub shape: InputShape,
    /// What its values are scaled by.
    pub scaling: Scaling,
    /// Whether each replica has a table of its own, as fitted on its training subjects.
    pub fitted: bool,
}

impl StreamSource {
    /// Rows of a sample: T.
    fn length(&self) -> usize {
        match self.shape {
            InputShape::Sequence { length, .. } => length,
            InputShape::Image { count, .. } => count,
            InputShape::Row { .. } => 1,
        }
    }
}

/// The cohort's raw tables on the device, one per stream, and the windows that index them.
///
/// Raw: every replica has its own scaler, applied after the gather, so one copy serves all. Tables that each replica
/// has of its own come with the scalers.
#[derive(Clone, Debug)]
pub struct DeviceData {
    device: Device,
    sources: Vec<StreamSource>,
    /// `None` where each replica has a table of its own.
    tables: Vec<Option<Table>>,
    windows: Arc<[Window]>,
    num_classes: usize,
}

// One value per stream: its size costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
enum Table {
    /// Where the device is the host: one pass gathers and scales there, and a dozen tensor operations over a batch of
    /// long signals would cost more than the model.
    Host(Arc<[f32]>),
    /// Anywhere else.
    Device { values: Tensor<2>, has_missing: bool },
}

impl Table {
    /// `values` are `[rows, width]`.
    fn new(values: Arc<[f32]>, width: usize, device: &Device) -> Self {
        if is_host(device) {
            return Self::Host(values);
        }
        let has_missing = values.iter().any(|value| !value.is_finite());
        let data = TensorData::new(values.to_vec(), [values.len() / width, width]);
        Self::Device {
            values: Tensor::from_data(data, device),
            has_missing,
        }
    }
}

impl DeviceData {
    /// Uploads what the streams read. `windows` carry the classes of the task, below `num_classes`.
    pub fn new(
        prepared: &Prepared,
        sources: Vec<StreamSource>,
        windows: Arc<[Window]>,
        num_classes: usize,
        device: &Device,
    ) -> Self {
        let tables = sources
            .iter()
            .map(|source| {
                if source.fitted {
                    return None;
                }
                let width = prepared.modalities()[source.modality].num_columns();
                let rows = prepared.table(source.modality).chunks_exact(width);
                let values: Vec<f32> = rows
                    .flat_map(|row| source.columns.iter().map(|&column| row[column]))
                    .collect();
                Some(Table::new(values.into(), source.columns.len(), device))
            })
            .collect();
        Self {
            device: device.clone(),
            sources,
            tables,
            windows,
            num_classes,
        }
    }

    /// The windows.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The scalers of a group of replicas, on the device.
    pub fn scalers(&self, replicas: &[&Replica]) -> Vec<DeviceScaler> {
        (0..self.sources.len())
            .map(|stream| {
                let width = self.sources[stream].columns.len();
                let tensor = |value: &dyn Fn(&Replica) -> Vec<f64>| {
                    let values: Vec<f32> = replicas
                        .iter()
                        .flat_map(|replica| value(replica))
                        .map(|v| v as f32)
                        .collect();
                    Tensor::from_data(TensorData::new(values, [replicas.len(), 1, 1, width]), &self.device)
                };
                let pairs = |scaler: &Scaler| {
                    let pairs = scaler.mean.iter().zip(&scaler.deviation);
                    pairs
                        .map(|(&mean, &deviation)| (mean as f32, deviation as f32))
                        .collect()
                };
                let fitted: Vec<f32> = replicas
                    .iter()
                    .filter_map(|replica| replica.fitted[stream].as_deref())
                    .flatten()
                    .copied()
                    .collect();
                let num_rows = fitted.len() / (replicas.len() * width).max(1);
                DeviceScaler {
                    table: self.sources[stream]
                        .fitted
                        .then(|| Table::new(fitted.into(), width, &self.device)),
                    table_rows: num_rows as u32,
                    host: replicas.iter().map(|replica| pairs(&replica.scalers[stream])).collect(),
                    mean: tensor(&|replica| replica.scalers[stream].mean.clone()),
                    deviation: tensor(&|replica| replica.scalers[stream].deviation.clone()),
                }
            })
            .collect()
    }

    /// Gathers and scales a batch. `picks` are R x B windows, `None` pads a short batch: zeros with no weight.
    pub fn inputs(&self, picks: &[Vec<Option<u32>>], scalers: &[DeviceScaler]) -> Vec<StreamInput> {
        (0..self.sources.len())
            .map(|stream| self.stream_input(stream, picks, &scalers[stream]))
            .collect()
    }

    fn stream_input(&self, stream: usize, picks: &[Vec<Option<u32>>], scaler: &DeviceScaler) -> StreamInput {
        let source = &self.sources[stream];
        let table = scaler.table.as_ref().or(self.tables[stream].as_ref());
        let table = table.expect("a stream has one table, or one for each replica");
        let (num_replicas, batch) = (picks.len(), picks.first().map_or(0, Vec::len));
        let length = source.length();
        let range = |replica: u32, pick: &Option<u32>| {
            let range = pick
                .map(|window| self.windows[window as usize].rows[source.modality])
                .unwrap_or_default();
            RowRange {
                start: range.start + replica * scaler.table_rows,
                count: range.count.min(length as u32),
            }
        };
        let ranges: Vec<RowRange> = (0..)
            .zip(picks)
            .flat_map(|(replica, picks)| picks.iter().map(move |pick| range(replica, pick)))
            .collect();
        let shape = [num_replicas, batch, length];
        let rows = match table {
            Table::Host(values) => self.gather_on_host(values, source, &ranges, scaler, shape),
            Table::Device { values, has_missing } => {
                let rows = self.gather_on_device(values, source, &ranges, scaler, shape);
                self.clean_on_device(rows, *has_missing, source.scaling, &ranges)
            }
        };
        let present: Vec<f32> = ranges.iter().map(|range| f32::from(range.count > 0)).collect();
        let present = Tensor::from_data(TensorData::new(present, [num_replicas, batch, 1]), &self.device);
        let fixed = match source.shape {
            InputShape::Sequence { fixed, .. } => fixed,
            InputShape::Image { count, .. } => count <= 1,
            InputShape::Row { .. } => true,
        };
        // A missing signal keeps its full length of zeros: the shape of the arithmetic does not depend on the data.
        let lengths = (!fixed).then(|| ranges.iter().map(|range| range.count as usize).collect());
        StreamInput { rows, lengths, present }
    }

    /// `[R, B, T, C]` by tensor operations, scaled by the training subjects. Past its end a sample repeats its first row.
    fn gather_on_device(
        &self,
        values: &Tensor<2>,
        source: &StreamSource,
        ranges: &[RowRange],
        scaler: &DeviceScaler,
        [num_replicas, batch, length]: [usize; 3],
    ) -> Tensor<4> {
        let index = |range: &RowRange, row: u32| (range.start + if row < range.count { row } else { 0 }) as i32;
        let indices: Vec<i32> = ranges
            .iter()
            .flat_map(|range| (0..length as u32).map(move |row| index(range, row)))
            .collect();
        let count = indices.len();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [count]), &self.device);
        let raw: Tensor<4> =
            values
                .clone()
                .select(0, indices)
                .reshape([num_replicas, batch, length, source.columns.len()]);
        (raw - scaler.mean.clone()) / scaler.deviation.clone()
    }

    /// Zeros for missing values and past each sample's end; between the two, scaling by the window.
    fn clean_on_device(
        &self,
        mut rows: Tensor<4>,
        has_missing: bool,
        scaling: Scaling,
        ranges: &[RowRange],
    ) -> Tensor<4> {
        let [num_replicas, batch, length, _] = rows.dims();
        if has_missing {
            let missing = rows.clone().is_finite().bool_not();
            rows = rows.mask_fill(missing, 0.0);
        }
        if scaling == Scaling::Window {
            rows = scale_windows(rows);
        }
        if ranges.iter().any(|range| (range.count as usize) < length) {
            let valid = |&RowRange { count, .. }: &RowRange| (0..length as u32).map(move |row| f32::from(row < count));
            let mask: Vec<f32> = ranges.iter().flat_map(valid).collect();
            let mask = TensorData::new(mask, [num_replicas, batch, length, 1]);
            rows = rows * Tensor::from_data(mask, &self.device);
        }
        rows
    }

    /// The same in one pass over host memory, one task per sample. Written channel by channel, as convolutions and
    /// spectrograms read it; the result is a view with the axes of [`gather_on_device`](Self::gather_on_device).
    fn gather_on_host(
        &self,
        values: &[f32],
        source: &StreamSource,
        ranges: &[RowRange],
        scaler: &DeviceScaler,
        [num_replicas, batch, length]: [usize; 3],
    ) -> Tensor<4> {
        let width = source.columns.len();
        let mut planes = vec![0.0f32; num_replicas * batch * width * length];
        if !planes.is_empty() {
            planes
                .par_chunks_mut(width * length)
                .enumerate()
                .for_each(|(sample, planes)| {
                    let (range, scale) = (ranges[sample], &scaler.host[sample / batch]);
                    let start = range.start as usize * width;
                    let rows = &values[start..start + range.count as usize * width];
                    for (channel, plane) in planes.chunks_exact_mut(length).enumerate() {
                        let (mean, deviation) = scale[channel];
                        for (value, row) in plane.iter_mut().zip(rows.chunks_exact(width)) {
                            let scaled = (row[channel] - mean) / deviation;
                            *value = if scaled.is_finite() { scaled } else { 0.0 };
                        }
                        if source.scaling == Scaling::Window {
                            scale_plane(&mut plane[..range.count as usize]);
                        }
                    }
                });
        }
        let data = TensorData::new(planes, [num_replicas, batch, width, length]);
        Tensor::<4>::from_data(data, &self.device).swap_dims(2, 3)
    }

    /// Smoothed one-hot targets `[R, B, K]` and weights `[R, B, 1]`, scaled so that the weights of a replica's whole
    /// step (`totals`) sum to 1. Weight 0 for padding.
    pub fn targets(&self, picks: &[Vec<Option<u32>>], replicas: &[&Replica], totals: &[f64]) -> Targets {
        let classes = self.num_classes;
        let (num_replicas, batch) = (picks.len(), picks.first().map_or(0, Vec::len));
        let mut one_hot = vec![0.0f32; num_replicas * batch * classes];
        let mut weights = vec![0.0f32; num_replicas * batch];
        let mut mask = vec![0.0f32; num_replicas * batch];
        for (r, (row, replica)) in picks.iter().zip(replicas).enumerate() {
            let smoothing = replica.hyper.label_smoothing as f32;
            for (b, pick) in row.iter().enumerate() {
                let Some(window) = pick else { continue };
                let class = self.windows[*window as usize].class as usize;
                let sample = r * batch + b;
                let target = &mut one_hot[sample * classes..(sample + 1) * classes];
                target.fill(smoothing / classes as f32);
                target[class] += 1.0 - smoothing;
                mask[sample] = 1.0;
                weights[sample] = (replica.hyper.class_weights[class] / totals[r]) as f32;
            }
        }
        let shape = |values: Vec<f32>, width| {
            Tensor::<3>::from_data(TensorData::new(values, [num_replicas, batch, width]), &self.device)
        };
        Targets {
            one_hot: shape(one_hot, classes),
            weights: shape(weights, 1),
            sample_mask: Tensor::from_data(TensorData::new(mask, [num_replicas, batch]), &self.device),
        }
    }

    /// Sum of the class weights of one replica's batch, each sample times its amount in the batch (1 without mixup).
    pub fn total_weight(&self, picks: &[Option<u32>], replica: &Replica, amount: impl Fn(usize) -> f64) -> f64 {
        let weight = |window: u32| replica.hyper.class_weights[self.windows[window as usize].class as usize];
        picks
            .iter()
            .enumerate()
            .filter_map(|(at, pick)| Some(amount(at) * weight((*pick)?)))
            .sum()
    }
}

/// Brings each channel of each window `[R, B, T, C]` to mean 0 and deviation 1; a constant one becomes 0.
fn scale_windows(rows: Tensor<4>) -> Tensor<4> {
    let length = rows.dims()[2].max(1) as f64;
    let centred = rows.clone() - rows.sum_dim(2) / length;
    let deviation = (centred.clone().square().sum_dim(2) / length).sqrt();
    centred / deviation.clamp_min(1e-6)
}

/// [`scale_windows`] of one channel of one window.
fn scale_plane(plane: &mut [f32]) {
    let count = plane.len().max(1) as f32;
    let mean = plane.iter().sum::<f32>() / count;
    plane.iter_mut().for_each(|value| *value -= mean);
    let deviation = (plane.iter().map(|value| value * value).sum::<f32>() / count)
        .sqrt()
        .max(1e-6);
    plane.iter_mut().for_each(|value| *value /= deviation);
}

/// Whether tensors of the device lie in host memory.
fn is_host(device: &Device) -> bool {
    #[cfg(feature = "cpu")]
    return *device == Device::flex();
    #[cfg(not(feature = "cpu"))]
    return false;
}

/// A group's scalers of one stream: `[R, 1, 1, C]` each.
#[derive(Clone, Debug)]
pub struct DeviceScaler {
    /// The tables that the replicas have of their own, one below the other.
    table: Option<Table>,
    /// Rows of one of them; 0 where all replicas read one table.
    table_rows: u32,
    /// Mean and deviation by replica and channel.
    host: Vec<Vec<(f32, f32)>>,
    mean: Tensor<4>,
    deviation: Tensor<4>,
}

/// What a loss is computed against.
#[derive(Clone, Debug)]
pub struct Targets {
    /// `[R, B, K]`.
    pub one_hot: Tensor<3>,
    /// `[R, B, 1]`.
    pub weights: Tensor<3>,
    /// `[R, B]`: 0 for padding.
    pub sample_mask: Tensor<2>,
}
