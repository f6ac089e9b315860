//! Kinds of features, by the modality that they are computed from.

use ndarray::ArrayView4;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::base::Problem;
use crate::dataset::subjects::{Channel, ModalityKind, ModalitySpec};
use crate::features::image::{ImageFeature, ImageInfo};
use crate::features::motion::{Joints, MotionFeature, MotionImage};
use crate::features::signals::eeg::Eeg;
use crate::features::signals::emg::EmgConfig;
use crate::features::signals::heart::{Hrv, Ppg};
use crate::features::signals::spectrum::{StftConfig, WelchConfig};
use crate::features::signals::statistics::{CleaningRules, StatisticsConfig};
use crate::features::signals::stride::{GaitForce, SeriesFeature};
use crate::features::signals::wavelet::WaveletConfig;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};

/// One entry of `compute`, such as `{ kind = "wavelet", wavelet = "db4", level = 4 }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ComputeConfig {
    /// Feature of a signal.
    Signal(SignalKind),
    /// Feature of a signal whose channels are coordinates of points.
    Motion(MotionFeature),
    /// Feature of a series.
    Series(SeriesFeature),
    /// Feature of images.
    Image(ImageFeature),
}

/// Features of signals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SignalKind {
    /// Mean, spread, extremes, shape, Hjorth parameters.
    Statistics(StatisticsConfig),
    /// Shares of samples that are flat, clipped or out of range.
    Cleaning(CleaningRules),
    /// Power spectrum by Welch's method and its bands.
    Welch(WelchConfig),
    /// Log power of bands in a short-time Fourier transform.
    Stft(StftConfig),
    /// Energy and entropy by band of a discrete wavelet transform.
    Wavelet(WaveletConfig),
    /// Amplitude, crossings, onset and spectrum of an electromyogram.
    Emg(EmgConfig),
    /// Heart rate and its variability, from an electrocardiogram.
    Hrv(Hrv),
    /// Pulse and oxygen saturation, from two photoplethysmograms.
    Ppg(Ppg),
    /// Band powers, ratios and symmetry of an electroencephalogram.
    Eeg(Eeg),
    /// Strides, from the force under each foot.
    GaitForce(GaitForce),
    /// The window as an image of points by frames, for a convolutional network.
    MotionImage(MotionImage),
}

const SIGNAL_KINDS: [&str; 11] = [
    "statistics",
    "cleaning",
    "welch",
    "stft",
    "wavelet",
    "emg",
    "hrv",
    "ppg",
    "eeg",
    "gait-force",
    "motion-image",
];
const MOTION_KINDS: [&str; 5] = ["joint-angles", "range-of-motion", "speed", "jerk", "gait"];
const SERIES_KINDS: [&str; 1] = ["stride-statistics"];
const IMAGE_KINDS: [&str; 5] = ["histogram", "sobel", "motion-energy", "asymmetry", "region"];

impl<'de> Deserialize<'de> for ComputeConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(deserializer)?;
        let kind = table
            .get("kind")
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
            .to_string();
        let kind = kind.as_str();
        let read = match kind {
            _ if SIGNAL_KINDS.contains(&kind) => SignalKind::deserialize(table).map(Self::Signal),
            _ if MOTION_KINDS.contains(&kind) => MotionFeature::deserialize(table).map(Self::Motion),
            _ if SERIES_KINDS.contains(&kind) => SeriesFeature::deserialize(table).map(Self::Series),
            _ if IMAGE_KINDS.contains(&kind) => ImageFeature::deserialize(table).map(Self::Image),
            _ => {
                let all = [&SIGNAL_KINDS[..], &MOTION_KINDS, &SERIES_KINDS, &IMAGE_KINDS].concat();
                return Err(D::Error::custom(format!(
                    "unknown kind `{kind}`, expected one of {}",
                    all.join(", ")
                )));
            }
        };
        read.map_err(|error| D::Error::custom(format!("kind = \"{kind}\": {}", error.to_string().trim_end())))
    }
}

impl ComputeConfig {
    /// Whether it can be computed of modalities of this kind.
    pub(super) fn fits(&self, kind: ModalityKind) -> bool {
        matches!(
            (self, kind),
            (Self::Signal(_) | Self::Motion(_), ModalityKind::Signal { .. })
                | (Self::Series(_), ModalityKind::Series)
                | (Self::Image(_), ModalityKind::Image { .. })
        )
    }

    /// Extractor for these channels.
    pub(super) fn extractor(&self, channels: &[Channel]) -> Result<Extractor, Problem> {
        Ok(match self {
            Self::Motion(motion) => Extractor::Signal(Box::new(motion.extractor(channels)?)),
            Self::Series(series) => Extractor::Series(series.clone()),
            Self::Image(image) => Extractor::Image(image.clone()),
            Self::Signal(kind) => Extractor::Signal(match kind.clone() {
                SignalKind::Statistics(config) => Box::new(config),
                SignalKind::Cleaning(config) => Box::new(config),
                SignalKind::Welch(config) => Box::new(config),
                SignalKind::Stft(config) => Box::new(config),
                SignalKind::Wavelet(config) => Box::new(config),
                SignalKind::Emg(config) => Box::new(config),
                SignalKind::Hrv(config) => Box::new(config),
                SignalKind::Ppg(config) => Box::new(config),
                SignalKind::Eeg(config) => Box::new(config),
                SignalKind::GaitForce(config) => Box::new(config),
                SignalKind::MotionImage(image) => Box::new(MotionPixels {
                    joints: image.find(channels)?,
                    image,
                }),
            }),
        })
    }

    /// Planes, height and width where what is computed is an image.
    pub(super) fn image_size(&self) -> Option<[usize; 2]> {
        match self {
            Self::Signal(SignalKind::MotionImage(image)) => Some([image.height, image.width]),
            _ => None,
        }
    }
}

/// Extractor of the features of one modality.
pub(super) enum Extractor {
    Signal(Box<dyn SignalFeature>),
    Series(SeriesFeature),
    Image(ImageFeature),
}

impl Extractor {
    /// The columns, if all can be computed of `channels` with windows of at least `shortest` rows.
    pub(super) fn columns(
        &self,
        spec: &ModalitySpec,
        channels: &[Channel],
        shortest: usize,
    ) -> Result<Vec<Column>, Problem> {
        match (self, spec.kind) {
            (Self::Signal(feature), ModalityKind::Signal { rate_hz }) => {
                let info = SignalInfo {
                    channels,
                    rate_hz,
                    num_samples: shortest,
                };
                feature.check(&info)?;
                Ok(feature.columns(&info))
            }
            (Self::Image(feature), ModalityKind::Image { height, width }) => {
                let planes: Vec<String> = channels.iter().map(|channel| channel.name.clone()).collect();
                let unit = channels.first().map_or("1", |channel| &channel.unit);
                let info = ImageInfo {
                    planes: &planes,
                    unit,
                    num_images: shortest,
                    height,
                    width,
                };
                feature.check(&info)?;
                Ok(feature.columns(&info))
            }
            (Self::Series(feature), _) => {
                feature.check(channels)?;
                Ok(feature.columns(channels))
            }
            // The kinds were compared before.
            _ => Ok(Vec::new()),
        }
    }

    pub(super) fn signal(&self) -> Option<&dyn SignalFeature> {
        match self {
            Self::Signal(feature) => Some(feature.as_ref()),
            _ => None,
        }
    }

    pub(super) fn of_series(&self, channels: &[Channel], columns: &[&[f64]], values: &mut Vec<f64>) {
        if let Self::Series(feature) = self {
            feature.extract(channels, columns, values);
        }
    }

    pub(super) fn of_images(&self, images: ArrayView4<f32>, values: &mut Vec<f64>) {
        if let Self::Image(feature) = self {
            feature.extract(images, values);
        }
    }
}

/// A motion image, pixel by pixel.
struct MotionPixels {
    image: MotionImage,
    joints: Joints,
}

impl SignalFeature for MotionPixels {
    fn columns(&self, signal: &SignalInfo) -> Vec<Column> {
        let num_axes = signal.channels.len().min(3);
        let probe = self
            .image
            .draw(&self.joints, &vec![&[0.0][..]; signal.channels.len()], signal.rate_hz);
        let pixel = |plane: &str, at: usize| Column {
            name: format!("{plane}.{}.{}", at / self.image.width, at % self.image.width),
            unit: "1".into(),
        };
        let pixels = self.image.height * self.image.width;
        let planes = probe.planes.iter().take(num_axes);
        planes
            .flat_map(|plane| (0..pixels).map(move |at| pixel(plane, at)))
            .collect()
    }

    fn check(&self, _signal: &SignalInfo) -> Result<(), Problem> {
        Ok(())
    }

    fn takes_missing(&self) -> bool {
        true
    }

    fn extract(&self, window: &[&[f64]], rate_hz: f64, _scratch: &mut Scratch, values: &mut Vec<f64>) {
        values.extend(
            self.image
                .draw(&self.joints, window, rate_hz)
                .values
                .iter()
                .map(|&value| f64::from(value)),
        );
    }
}
