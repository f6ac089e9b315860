use burn::tensor::{Device, Tensor, TensorData};

/// Classes of a batch as a loss reads them.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Smoothed one-hot labels `[R, B, K]`: `1 - smoothing` for the class and `smoothing / K` for each, as PyTorch's
    /// `label_smoothing`; 0 for padding.
    pub one_hot: Tensor<3>,
    /// Weights of the samples, `[R, B, 1]`; 0 for padding.
    pub weights: Tensor<3>,
    /// `[R, B]`: 0 for padding, else 1.
    pub sample_mask: Tensor<2>,
}

/// Labels of one replica's batch.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    /// Class of each sample; `None` for padding.
    pub classes: Vec<Option<usize>>,
    /// Share of the label that is spread over all classes.
    pub smoothing: f64,
    /// Weight of each of K classes.
    pub class_weights: &'a [f64],
    /// Sum of the weights of the samples of the whole step.
    pub total_weight: f64,
}

impl Targets {
    /// Targets of a batch, one of `labels` per replica; the weights of a replica's whole step sum to 1.
    pub fn new(labels: &[Labels], num_classes: usize, device: &Device) -> Self {
        let (num_replicas, batch) = (labels.len(), labels.first().map_or(0, |labels| labels.classes.len()));
        let mut one_hot = vec![0.0f32; num_replicas * batch * num_classes];
        let mut weights = vec![0.0f32; num_replicas * batch];
        let mut mask = vec![0.0f32; num_replicas * batch];
        for (r, labels) in labels.iter().enumerate() {
            let smoothing = labels.smoothing as f32;
            for (b, class) in labels.classes.iter().enumerate() {
                let &Some(class) = class else { continue };
                let sample = r * batch + b;
                let target = &mut one_hot[sample * num_classes..(sample + 1) * num_classes];
                target.fill(smoothing / num_classes as f32);
                target[class] += 1.0 - smoothing;
                mask[sample] = 1.0;
                weights[sample] = (labels.class_weights[class] / labels.total_weight) as f32;
            }
        }
        let tensor = |values: Vec<f32>, width| {
            Tensor::<3>::from_data(TensorData::new(values, [num_replicas, batch, width]), device)
        };
        Self {
            one_hot: tensor(one_hot, num_classes),
            weights: tensor(weights, 1),
            sample_mask: Tensor::from_data(TensorData::new(mask, [num_replicas, batch]), device),
        }
    }

    /// The same targets for a forward pass whose parameters are on the tape.
    pub fn on_tape(self) -> Self {
        Self {
            one_hot: self.one_hot.autodiff(),
            weights: self.weights.autodiff(),
            sample_mask: self.sample_mask,
        }
    }
}
