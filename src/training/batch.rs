//! Batches as index gathers from tables that sit on the device once.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use super::losses::{Labels, Targets};
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
    /// Shape that the encoder sees; `length` is that of the longest window.
    pub shape: InputShape,
    /// Scaling of its values.
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
                    let pairs = scaler.mean.iter().zip(&scaler.std);
                    pairs.map(|(&mean, &std)| (mean as f32, std as f32)).collect()
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
                    std: tensor(&|replica| replica.scalers[stream].std.clone()),
                }
            })
            .collect()
    }

    /// Gathers and scales a batch. `window_indices` are R x B windows, `None` pads a short batch: zeros with no weight.
    pub fn inputs(&self, window_indices: &[Vec<Option<u32>>], scalers: &[DeviceScaler]) -> Vec<StreamInput> {
        (0..self.sources.len())
            .map(|stream| self.stream_input(stream, window_indices, &scalers[stream]))
            .collect()
    }

    fn stream_input(&self, stream: usize, window_indices: &[Vec<Option<u32>>], scaler: &DeviceScaler) -> StreamInput {
        let source = &self.sources[stream];
        let table = scaler.table.as_ref().or(self.tables[stream].as_ref());
        let table = table.expect("a stream has one table, or one for each replica");
        let (num_replicas, batch) = (window_indices.len(), window_indices.first().map_or(0, Vec::len));
        let length = source.length();
        let range = |replica: u32, index: &Option<u32>| {
            let range = index
                .map(|window| self.windows[window as usize].rows[source.modality])
                .unwrap_or_default();
            RowRange {
                start: range.start + replica * scaler.table_rows,
                count: range.count.min(length as u32),
            }
        };
        let ranges: Vec<RowRange> = (0..)
            .zip(window_indices)
            .flat_map(|(replica, indices)| indices.iter().map(move |index| range(replica, index)))
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
        (raw - scaler.mean.clone()) / scaler.std.clone()
    }

    /// Scaling by the window, where it is asked for, of the values that are there, and 0 for all others: missing ones
    /// and rows past a sample's end.
    fn clean_on_device(
        &self,
        mut rows: Tensor<4>,
        has_missing: bool,
        scaling: Scaling,
        ranges: &[RowRange],
    ) -> Tensor<4> {
        let [num_replicas, batch, length, _] = rows.dims();
        let mut absent = has_missing.then(|| rows.clone().is_finite().bool_not());
        if ranges.iter().any(|range| (range.count as usize) < length) {
            let past = |&RowRange { count, .. }: &RowRange| (0..length as u32).map(move |row| row >= count);
            let past: Vec<bool> = ranges.iter().flat_map(past).collect();
            let past = TensorData::new(past, [num_replicas, batch, length, 1]);
            let past = Tensor::<4, Bool>::from_data(past, &self.device).expand(rows.dims());
            absent = Some(match absent {
                Some(missing) => missing.bool_or(past),
                None => past,
            });
        }
        if let Some(absent) = &absent {
            rows = rows.mask_fill(absent.clone(), 0.0);
        }
        match scaling {
            Scaling::Train => rows,
            Scaling::Window => scale_windows(rows, absent),
        }
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
                        let (mean, std) = scale[channel];
                        let plane = &mut plane[..range.count as usize];
                        for (value, row) in plane.iter_mut().zip(rows.chunks_exact(width)) {
                            *value = (row[channel] - mean) / std;
                        }
                        if source.scaling == Scaling::Window {
                            scale_plane(plane);
                        }
                        plane
                            .iter_mut()
                            .filter(|value| !value.is_finite())
                            .for_each(|value| *value = 0.0);
                    }
                });
        }
        let data = TensorData::new(planes, [num_replicas, batch, width, length]);
        Tensor::<4>::from_data(data, &self.device).swap_dims(2, 3)
    }

    /// Classes and weights of a batch, scaled so that the weights of a replica's whole step (`totals`) sum to 1.
    pub fn targets(&self, window_indices: &[Vec<Option<u32>>], replicas: &[&Replica], totals: &[f64]) -> Targets {
        let class = |index: &Option<u32>| index.map(|window| self.windows[window as usize].class as usize);
        let labels: Vec<Labels> = window_indices
            .iter()
            .zip(replicas)
            .zip(totals)
            .map(|((indices, replica), &total_weight)| Labels {
                classes: indices.iter().map(class).collect(),
                smoothing: replica.hyper.label_smoothing,
                class_weights: &replica.hyper.class_weights,
                total_weight,
            })
            .collect();
        Targets::new(&labels, self.num_classes, &self.device)
    }

    /// Sum of the class weights of one replica's batch, each sample times its amount in the batch (1 without mixup).
    pub fn total_weight(
        &self,
        window_indices: &[Option<u32>],
        replica: &Replica,
        amount: impl Fn(usize) -> f64,
    ) -> f64 {
        let weight = |window: u32| replica.hyper.class_weights[self.windows[window as usize].class as usize];
        window_indices
            .iter()
            .enumerate()
            .filter_map(|(at, pick)| Some(amount(at) * weight((*pick)?)))
            .sum()
    }
}

/// Share of its largest value below which the range of a window's channel is the rounding of f32, 8 units in the last
/// place: the channel is constant. A bound of the range alone would not do, since scaling by the training subjects leaves
/// a sensor of small gain with small values that mean as much as large ones.
const CONSTANT_RANGE: f32 = 1e-6;

/// Brings each channel of each window `[R, B, T, C]` to mean 0 and standard deviation 1 over the values that are not
/// `absent`, which are and stay 0; a constant channel becomes 0.
fn scale_windows(rows: Tensor<4>, absent: Option<Tensor<4, Bool>>) -> Tensor<4> {
    let [num_replicas, batch, length, width] = rows.dims();
    let filled = |rows: &Tensor<4>, value: f32| match &absent {
        Some(absent) => rows.clone().mask_fill(absent.clone(), value),
        None => rows.clone(),
    };
    let count = match &absent {
        Some(absent) => absent.clone().bool_not().float().sum_dim(2).clamp_min(1.0),
        None => Tensor::full([num_replicas, batch, 1, width], length.max(1) as f32, &rows.device()),
    };
    let largest = filled(&rows, f32::NEG_INFINITY).max_dim(2);
    let smallest = filled(&rows, f32::INFINITY).min_dim(2);
    let size = largest.clone().abs().max_pair(smallest.clone().abs());
    // Without a value the range is infinite below 0.
    let is_constant = (largest - smallest).lower_equal(size * CONSTANT_RANGE);

    let centred = filled(&(rows.clone() - rows.sum_dim(2) / count.clone()), 0.0);
    let std = (centred.clone().square().sum_dim(2) / count).sqrt();
    let shape = centred.dims();
    let is_constant = is_constant.bool_or(std.clone().equal_elem(0.0));
    (centred / std).mask_fill(is_constant.expand(shape), 0.0)
}

/// [`scale_windows`] of one channel of one window, whose absent values are not finite and stay so.
fn scale_plane(plane: &mut [f32]) {
    let is_present = |value: &&mut f32| value.is_finite();
    let (mut sum, mut count, mut smallest, mut largest) = (0.0f32, 0u32, f32::INFINITY, f32::NEG_INFINITY);
    for value in plane.iter_mut().filter(is_present) {
        sum += *value;
        count += 1;
        (smallest, largest) = (smallest.min(*value), largest.max(*value));
    }
    let mean = sum / count as f32;
    let mut squares = 0.0f32;
    for value in plane.iter_mut().filter(is_present) {
        *value -= mean;
        squares += *value * *value;
    }
    let std = (squares / count as f32).sqrt();
    let is_constant = largest - smallest <= CONSTANT_RANGE * largest.abs().max(smallest.abs()) || std == 0.0;
    for value in plane.iter_mut().filter(is_present) {
        *value = if is_constant { 0.0 } else { *value / std };
    }
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
    /// The tables that the replicas have of their own, stacked along the rows.
    table: Option<Table>,
    /// Rows of one of them; 0 where all replicas read one table.
    table_rows: u32,
    /// Mean and standard deviation by replica and channel.
    host: Vec<Vec<(f32, f32)>>,
    mean: Tensor<4>,
    std: Tensor<4>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f32 = f32::NAN;

    /// Planes of one window as the host scales them.
    fn on_host(planes: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let scaled = |plane: &Vec<f32>| {
            let mut plane = plane.clone();
            scale_plane(&mut plane);
            plane
                .into_iter()
                .map(|value| if value.is_finite() { value } else { 0.0 })
                .collect()
        };
        planes.iter().map(scaled).collect()
    }

    /// The same as tensor operations scale them.
    fn on_device(planes: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let (width, length) = (planes.len(), planes[0].len());
        let data = TensorData::new(planes.concat(), [1, 1, width, length]);
        let rows = Tensor::<4>::from_data(data, &Device::default()).swap_dims(2, 3);
        let absent = rows.clone().is_finite().bool_not();
        let rows = rows.mask_fill(absent.clone(), 0.0);
        let scaled = scale_windows(rows, Some(absent)).swap_dims(2, 3);
        let values: Vec<f32> = scaled.try_into_vec_as().unwrap();
        values.chunks_exact(length).map(<[f32]>::to_vec).collect()
    }

    /// `numpy.nanmean` and `numpy.nanstd`, and 0 for what is missing.
    fn expected(plane: &[f32]) -> Vec<f32> {
        let present: Vec<f64> = plane
            .iter()
            .filter(|value| value.is_finite())
            .map(|&value| value.into())
            .collect();
        let count = present.len() as f64;
        let mean = present.iter().sum::<f64>() / count;
        let std = (present.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let scaled = |&value: &f32| match value.is_finite() {
            true => ((f64::from(value) - mean) / std) as f32,
            false => 0.0,
        };
        plane.iter().map(scaled).collect()
    }

    #[test]
    fn missing_samples_take_no_part_in_the_scaling_of_their_window() {
        let wave = |offset: f32, gain: f32| -> Vec<f32> {
            (0..40).map(|at| offset + gain * (0.7 * at as f32).sin()).collect()
        };
        let mut planes = vec![wave(0.0, 1.0), wave(30.0, 2.0), wave(-5.0, 1e-3), wave(0.0, 1e-9)];
        planes[1][5..25].fill(NAN);
        planes[2][0] = f32::INFINITY;
        planes[3][39] = NAN;
        for found in [on_host(&planes), on_device(&planes)] {
            for (plane, found) in planes.iter().zip(found) {
                for (at, (found, expected)) in found.iter().zip(expected(plane)).enumerate() {
                    assert!(
                        (found - expected).abs() < 1e-3,
                        "{at}: {found}, expected {expected} of {plane:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn constant_and_empty_channels_become_zero() {
        let mut gap = vec![0.1; 40];
        gap[3..30].fill(NAN);
        let planes = vec![vec![1234.567; 40], gap, vec![NAN; 40], vec![0.0; 40], vec![1e-12; 40]];
        for found in [on_host(&planes), on_device(&planes)] {
            assert!(found.concat().iter().all(|&value| value == 0.0), "{found:?}");
        }
    }
}
