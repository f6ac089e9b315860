//! The tensors and plugin metadata of text, images, histograms, PR curves and custom scalars.
//!
//! Each plugin of TensorBoard finds its data by the plugin name in the metadata of a tag and expects one tensor layout.
//! Source: tensorboard/plugins/*/metadata.py and summary_v2.py, tensorboard/compat/proto/{tensor,summary}.proto.

use super::super::TrackingError;
use super::super::protobuf::Message;
use super::ChartCategory;

const DT_FLOAT: u64 = 1;
const DT_DOUBLE: u64 = 2;
const DT_STRING: u64 = 7;

const DATA_CLASS_TENSOR: u64 = 2;
const DATA_CLASS_BLOB_SEQUENCE: u64 = 3;

/// Which plugin a tag belongs to.
pub(super) struct Plugin {
    name: &'static str,
    data_class: u64,
    content: Message,
}

impl Plugin {
    pub(super) fn text() -> Self {
        Self::new("text", DATA_CLASS_TENSOR, Message::new())
    }

    pub(super) fn images() -> Self {
        Self::new("images", DATA_CLASS_BLOB_SEQUENCE, Message::new())
    }

    pub(super) fn histograms() -> Self {
        Self::new("histograms", DATA_CLASS_TENSOR, Message::new())
    }

    pub(super) fn custom_scalars() -> Self {
        Self::new("custom_scalars", DATA_CLASS_TENSOR, Message::new())
    }

    pub(super) fn pr_curves(num_thresholds: usize) -> Self {
        Self::new(
            "pr_curves",
            DATA_CLASS_TENSOR,
            Message::new().varint(1, 0).varint(2, num_thresholds as u64),
        )
    }

    pub(super) fn hparams(content: Message) -> Self {
        Self::new("hparams", DATA_CLASS_TENSOR, content)
    }

    fn new(name: &'static str, data_class: u64, content: Message) -> Self {
        Self {
            name,
            data_class,
            content,
        }
    }

    /// `SummaryMetadata`.
    pub(super) fn metadata(&self) -> Message {
        let plugin_data = Message::new().bytes(1, self.name).message(2, &self.content);
        Message::new().message(1, &plugin_data).varint(4, self.data_class)
    }
}

/// `TensorProto` with its type and shape; the values follow.
fn tensor(data_type: u64, shape: &[usize]) -> Message {
    let dimensions = shape.iter().map(|&size| Message::new().varint(1, size as u64));
    Message::new()
        .varint(1, data_type)
        .message(2, &Message::new().repeated(2, dimensions))
}

/// `[0]`, for plugins whose data is all in the metadata.
pub(super) fn empty_tensor() -> Message {
    tensor(DT_FLOAT, &[0])
}

/// `[strings.len()]`.
pub(super) fn string_tensor(strings: &[&[u8]]) -> Message {
    strings
        .iter()
        .fold(tensor(DT_STRING, &[strings.len()]), |tensor, string| {
            tensor.bytes(8, string)
        })
}

/// `[]`.
pub(super) fn scalar_string_tensor(string: &[u8]) -> Message {
    tensor(DT_STRING, &[]).bytes(8, string)
}

/// One bar of a histogram: how many values lie in `[left, right)`, or in `[left, right]` for the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistogramBucket {
    /// Lower edge.
    pub left: f64,
    /// Upper edge.
    pub right: f64,
    /// Number of values.
    pub count: f64,
}

impl HistogramBucket {
    /// Counts the finite values in `num_buckets` buckets of equal width from the smallest to the largest.
    ///
    /// If all values are equal, all are counted in the last bucket and every bucket has width 0, as TensorBoard does it;
    /// without a finite value there is no bucket.
    pub fn count(values: &[f32], num_buckets: usize) -> Vec<Self> {
        let finite = || {
            values
                .iter()
                .filter(|value| value.is_finite())
                .map(|&value| f64::from(value))
        };
        let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high || num_buckets == 0 {
            return Vec::new();
        }
        let width = (high - low) / num_buckets as f64;
        let mut buckets: Vec<Self> = (0..num_buckets)
            .map(|index| Self {
                left: low + index as f64 * width,
                right: low + (index + 1) as f64 * width,
                count: 0.0,
            })
            .collect();
        if let Some(last) = buckets.last_mut() {
            last.right = high;
        }
        for value in finite() {
            let index = if width > 0.0 {
                ((value - low) / width) as usize
            } else {
                num_buckets
            };
            buckets[index.min(num_buckets - 1)].count += 1.0;
        }
        buckets
    }
}

/// `[buckets, 3]`: left, right, count.
pub(super) fn histogram_tensor(buckets: &[HistogramBucket]) -> Message {
    let rows: Vec<u8> = buckets
        .iter()
        .flat_map(|bucket| [bucket.left, bucket.right, bucket.count])
        .flat_map(f64::to_le_bytes)
        .collect();
    tensor(DT_DOUBLE, &[buckets.len(), 3]).bytes(4, rows)
}

/// `[6, num_thresholds]`: true positives, false positives, true negatives, false negatives, precision, recall.
pub(super) fn pr_curve_tensor(
    tag: &str,
    labels: &[bool],
    scores: &[f32],
    num_thresholds: usize,
) -> Result<Message, TrackingError> {
    let invalid = |what| {
        Err(TrackingError::invalid(
            what,
            "give one probability in [0, 1] per label and 2 or more thresholds",
        ))
    };
    if labels.len() != scores.len() {
        return invalid(format!(
            "PR curve \"{tag}\" has {} labels and {} scores",
            labels.len(),
            scores.len()
        ));
    }
    if num_thresholds < 2 {
        return invalid(format!("PR curve \"{tag}\" has {num_thresholds} thresholds"));
    }
    // Samples by the highest threshold they reach, then summed from the highest threshold down.
    let mut positives = vec![0.0_f64; num_thresholds];
    let mut negatives = vec![0.0_f64; num_thresholds];
    for (index, (&label, &score)) in labels.iter().zip(scores).enumerate() {
        if !(0.0..=1.0).contains(&score) {
            return invalid(format!("score {index} of PR curve \"{tag}\" is {score}"));
        }
        // In f32, as TensorBoard does it, so that a score of 0.7 reaches the threshold 7/10.
        let highest = ((score * (num_thresholds - 1) as f32) as usize).min(num_thresholds - 1);
        let counts = if label { &mut positives } else { &mut negatives };
        counts[highest] += 1.0;
    }
    for threshold in (0..num_thresholds - 1).rev() {
        positives[threshold] += positives[threshold + 1];
        negatives[threshold] += negatives[threshold + 1];
    }
    let (num_positives, num_negatives) = (positives[0], negatives[0]);
    let ratio = |part: f64, whole: f64| part / whole.max(1e-7);
    let counts = || positives.iter().copied().zip(negatives.iter().copied());
    let rows = positives
        .iter()
        .copied()
        .chain(negatives.iter().copied())
        .chain(negatives.iter().map(|count| num_negatives - count))
        .chain(positives.iter().map(|count| num_positives - count))
        .chain(counts().map(|(hits, false_alarms)| ratio(hits, hits + false_alarms)))
        .chain(positives.iter().map(|&hits| ratio(hits, num_positives)));
    let bytes: Vec<u8> = rows.flat_map(|value| (value as f32).to_le_bytes()).collect();
    Ok(tensor(DT_FLOAT, &[6, num_thresholds]).bytes(4, bytes))
}

/// The `Layout` message of the custom scalars plugin.
pub(super) fn custom_scalars_layout(categories: &[ChartCategory]) -> Message {
    let categories = categories.iter().map(|category| {
        let charts = category.charts.iter().map(|chart| {
            let lines = chart
                .tag_patterns
                .iter()
                .fold(Message::new(), |lines, pattern| lines.bytes(1, pattern));
            Message::new().bytes(1, &chart.title).message(2, &lines)
        });
        Message::new().bytes(1, &category.title).repeated(2, charts)
    });
    Message::new().varint(1, 0).repeated(2, categories)
}
