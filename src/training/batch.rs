//! Batches as index gathers from tables that sit on the device once.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::replica::Replica;
use crate::data::prepared::Prepared;
use crate::data::window::Window;
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
}

impl StreamSource {
    /// Rows of a sample: T.
    fn length(&self) -> usize {
        match self.shape {
            InputShape::Sequence { length, .. } => length,
            InputShape::Row { .. } | InputShape::Image { .. } => 1,
        }
    }
}

/// The cohort's raw tables on the device, one per stream, and the windows that index them.
///
/// Raw: every replica has its own scaler, applied after the gather, so one copy serves all.
#[derive(Clone, Debug)]
pub struct DeviceData {
    device: Device,
    sources: Vec<StreamSource>,
    tables: Vec<Table>,
    windows: Arc<[Window]>,
    num_classes: usize,
}

#[derive(Clone, Debug)]
struct Table {
    values: Tensor<2>,
    has_missing: bool,
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
                let width = prepared.modalities()[source.modality].num_columns();
                let rows = prepared.table(source.modality).chunks_exact(width);
                let num_rows = rows.len();
                let values: Vec<f32> = rows.flat_map(|row| source.columns.iter().map(|&column| row[column])).collect();
                let has_missing = values.iter().any(|value| !value.is_finite());
                let data = TensorData::new(values, [num_rows, source.columns.len()]);
                Table { values: Tensor::from_data(data, device), has_missing }
            })
            .collect();
        Self { device: device.clone(), sources, tables, windows, num_classes }
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
                    let values: Vec<f32> =
                        replicas.iter().flat_map(|replica| value(replica)).map(|v| v as f32).collect();
                    Tensor::from_data(TensorData::new(values, [replicas.len(), 1, 1, width]), &self.device)
                };
                DeviceScaler {
                    mean: tensor(&|replica| replica.scalers[stream].mean.clone()),
                    deviation: tensor(&|replica| replica.scalers[stream].deviation.clone()),
                }
            })
            .collect()
    }

    /// Gathers and scales a batch. `picks` are R x B windows, `None` pads a short batch: zeros with no weight.
    pub fn inputs(&self, picks: &[Vec<Option<u32>>], scalers: &[DeviceScaler]) -> Vec<StreamInput> {
        (0..self.sources.len()).map(|stream| self.stream_input(stream, picks, &scalers[stream])).collect()
    }

    fn stream_input(&self, stream: usize, picks: &[Vec<Option<u32>>], scaler: &DeviceScaler) -> StreamInput {
        let (source, table) = (&self.sources[stream], &self.tables[stream]);
        let (num_replicas, batch) = (picks.len(), picks.first().map_or(0, Vec::len));
        let (length, width) = (source.length(), source.columns.len());
        let mut indices = Vec::with_capacity(num_replicas * batch * length);
        let mut lengths = Vec::with_capacity(num_replicas * batch);
        for pick in picks.iter().flatten() {
            let range = pick.map(|window| self.windows[window as usize].rows[source.modality]);
            let (start, count) = range.map_or((0, 0), |range| (range.start, range.count as usize));
            let count = count.min(length);
            // Past its end a sample repeats its first row, masked below: an index is always in range.
            indices.extend((0..length).map(|row| (start + if row < count { row as u32 } else { 0 }) as i32));
            lengths.push(count);
        }
        let indices =
            Tensor::<1, Int>::from_data(TensorData::new(indices, [num_replicas * batch * length]), &self.device);
        let raw = table.values.clone().select(0, indices);
        let raw: Tensor<4> = raw.reshape([num_replicas, batch, length, width]);
        let mut rows = (raw - scaler.mean.clone()) / scaler.deviation.clone();
        if table.has_missing {
            let missing = rows.clone().is_finite().bool_not();
            rows = rows.mask_fill(missing, 0.0);
        }
        if source.scaling == Scaling::Window {
            rows = scale_windows(rows);
        }
        let ragged = lengths.iter().any(|&count| count < length);
        if ragged {
            rows = rows * self.row_mask(&lengths, [num_replicas, batch, length]);
        }
        let present: Vec<f32> = lengths.iter().map(|&count| f32::from(count > 0)).collect();
        let present = Tensor::from_data(TensorData::new(present, [num_replicas, batch, 1]), &self.device);
        let fixed = !matches!(source.shape, InputShape::Sequence { fixed: false, .. });
        StreamInput {
            rows,
            // A missing signal keeps its full length of zeros: the shape of the arithmetic does not depend on the data.
            lengths: (!fixed).then(|| lengths.into()),
            present,
        }
    }

    fn row_mask(&self, lengths: &[usize], [num_replicas, batch, length]: [usize; 3]) -> Tensor<4> {
        let mask: Vec<f32> =
            lengths.iter().flat_map(|&count| (0..length).map(move |row| f32::from(row < count))).collect();
        Tensor::from_data(TensorData::new(mask, [num_replicas, batch, length, 1]), &self.device)
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

    /// Sum of the class weights of one replica's step.
    pub fn total_weight(&self, picks: &[Option<u32>], replica: &Replica) -> f64 {
        let weight = |window: &u32| replica.hyper.class_weights[self.windows[*window as usize].class as usize];
        picks.iter().flatten().map(weight).sum()
    }
}

/// Brings each channel of each window `[R, B, T, C]` to mean 0 and deviation 1; a constant one becomes 0.
fn scale_windows(rows: Tensor<4>) -> Tensor<4> {
    let length = rows.dims()[2].max(1) as f64;
    let centred = rows.clone() - rows.sum_dim(2) / length;
    let deviation = (centred.clone().square().sum_dim(2) / length).sqrt();
    centred / deviation.clamp_min(1e-6)
}

/// A group's scalers of one stream: `[R, 1, 1, C]` each.
#[derive(Clone, Debug)]
pub struct DeviceScaler {
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
