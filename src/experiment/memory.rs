//! How much memory a group of replicas needs, and how many of them go together.

use crate::models::decoder::DecoderConfig;
use crate::models::encoder::EncoderConfig;
use crate::models::{InputShape, Layout, ModelConfig, StreamConfig};
use crate::training::TrainingConfig;

/// Copies of the weights that live at once: weights, two moments, best, gradient, and three of a step's results.
const WEIGHT_COPIES: usize = 8;

/// Tensors that the tape keeps per value a layer puts out: convolution, normalisation, activation, their gradients, and
/// the scratch of the layer in work.
const ACTIVATION_COPIES: usize = 6;

/// Estimated bytes of one replica in training. An upper estimate by shapes; nothing is measured.
pub fn bytes_per_replica(
    model: &ModelConfig,
    layout: &Layout,
    inputs: &[InputShape],
    training: &TrainingConfig,
) -> u64 {
    let stream = |(stream, &input): (&StreamConfig, &InputShape)| {
        let decoded = stream
            .decoder
            .as_ref()
            .map_or(0, |decoder| decoder_values(decoder, input));
        stream_values(&stream.encoder, input) + decoded
    };
    let per_sample: usize = model.stream.iter().zip(inputs).map(stream).sum();
    let values = WEIGHT_COPIES * layout.num_params() + ACTIVATION_COPIES * per_sample * training.batch_size;
    4 * values as u64
}

/// Values that a stream's encoder puts out for one sample, the gathered input included.
fn stream_values(encoder: &EncoderConfig, input: InputShape) -> usize {
    let (channels, positions) = extent(input);
    let convolutions = |cnn: &crate::models::cnn::CnnConfig, mut positions: usize| {
        let mut sum = 0;
        for block in &cnn.blocks {
            let (positions_in, stride) = (positions, block.stride.product());
            positions = positions_in.div_ceil(stride);
            sum += block.channels * positions;
        }
        (sum, positions)
    };
    // Gates, state and output of each step.
    let recurrence = |lstm: &crate::models::lstm::LstmConfig, steps: usize| {
        6 * lstm.hidden_size * steps * lstm.layers * if lstm.bidirectional { 2 } else { 1 }
    };
    let encoded = match encoder {
        EncoderConfig::Mlp { hidden_sizes, .. } => hidden_sizes.iter().sum(),
        EncoderConfig::Cnn(cnn) => convolutions(cnn, positions).0,
        EncoderConfig::Lstm(lstm) => recurrence(lstm, positions),
        EncoderConfig::CnnLstm { cnn, lstm } => {
            let (values, steps) = convolutions(cnn, positions);
            values + recurrence(lstm, steps)
        }
        EncoderConfig::Spectrogram(config) => {
            let plane = (config.num_fft / 2 + 1) * (positions / config.hop.max(1) + 1);
            channels * plane + convolutions(&config.cnn, plane).0
        }
    };
    channels * positions + encoded
}

/// Channels and positions of one sample.
fn extent(input: InputShape) -> (usize, usize) {
    match input {
        InputShape::Row { features } => (features, 1),
        InputShape::Sequence { channels, length, .. } => (channels, length),
        InputShape::Image {
            channels,
            height,
            width,
            count,
        } => (channels, count * height * width),
    }
}

/// Values that a decoder puts out for one sample. Each block of a CNN is taken to be as long as the sample.
fn decoder_values(decoder: &DecoderConfig, input: InputShape) -> usize {
    let (channels, positions) = extent(input);
    let hidden = match decoder {
        DecoderConfig::Mlp { hidden_sizes, .. } => hidden_sizes.iter().sum(),
        DecoderConfig::Cnn(cnn) => cnn.blocks.iter().map(|block| block.channels * positions).sum(),
        DecoderConfig::Lstm { hidden_size, layers } => 6 * hidden_size * layers * positions,
    };
    hidden + channels * positions
}

/// Replicas that fit half of the memory that is free now; the rest is for the data, the tape's peaks and the host.
/// `None` where the system does not say how much is free.
pub fn fitting_replicas(bytes_per_replica: u64) -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some((kib * 1024 / 2 / bytes_per_replica.max(1)).max(1) as usize)
}
