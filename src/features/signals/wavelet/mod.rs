//! The discrete wavelet transform, as PyWavelets defines it, and features of its bands.
//!
//! Own code because the crate there is (`omni-wave`) computes another transform than PyWavelets under the same names.

mod buffers;
mod features;
mod taps;
mod transform;

pub use buffers::Buffers;
pub use features::WaveletConfig;
pub use transform::{dwt, dwt_max_level};

use serde::{Deserialize, Serialize};

/// An orthogonal wavelet: `db1` to `db20` (Daubechies; `haar` is `db1`), `sym2` to `sym20` (symlets), `coif1` to
/// `coif5`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(into = "String")]
pub struct Wavelet {
    family: &'static str,
    order: usize,
    /// Low-pass of the reconstruction.
    taps: &'static [f64],
}

impl Wavelet {
    /// The wavelet of this name.
    pub fn named(name: &str) -> Option<Self> {
        if name == "haar" {
            return Self::named("db1");
        }
        let families: [(&'static str, usize, &[&'static [f64]]); 3] = [
            ("db", 1, &taps::DAUBECHIES),
            ("sym", 2, &taps::SYMLETS),
            ("coif", 1, &taps::COIFLETS),
        ];
        families.into_iter().find_map(|(family, first, filters)| {
            let order: usize = name.strip_prefix(family)?.parse().ok()?;
            let taps = filters.get(order.checked_sub(first)?)?;
            Some(Self { family, order, taps })
        })
    }

    /// Low-pass filter of the reconstruction, `h`; of even length.
    pub fn reconstruction_low(&self) -> &'static [f64] {
        self.taps
    }

    /// High-pass filter of the reconstruction, `g[n] = (-1)^n h[L - 1 - n]`. Those of the decomposition are both
    /// reversed.
    pub fn reconstruction_high(&self) -> impl Iterator<Item = f64> {
        self.taps
            .iter()
            .rev()
            .enumerate()
            .map(|(n, h)| if n % 2 == 0 { *h } else { -h })
    }
}

// Not derived: serde would borrow the static fields from the text.
impl<'de> Deserialize<'de> for Wavelet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let message = || format!("`{name}` is not a wavelet: expected db1-db20, sym2-sym20 or coif1-coif5");
        Self::named(&name).ok_or_else(|| serde::de::Error::custom(message()))
    }
}

impl From<Wavelet> for String {
    fn from(wavelet: Wavelet) -> Self {
        format!("{}{}", wavelet.family, wavelet.order)
    }
}

/// Extension of a signal `x[0], ..., x[n - 1]` beyond its ends, repeated as far as needed; the modes of PyWavelets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Zeros.
    Zero,
    /// The end's value.
    Constant,
    /// A mirror before the first sample: `x[1] x[0] | x[0] x[1]`.
    #[default]
    Symmetric,
    /// The other end: `x[n-2] x[n-1] | x[0] x[1]`.
    Periodic,
    /// The straight line through the two samples at the end.
    Smooth,
    /// As periodic after the last sample of an odd signal was doubled, but only as many coefficients as samples: the
    /// transform is orthogonal.
    Periodization,
    /// A mirror on the first sample: `x[2] x[1] | x[0] x[1]`.
    Reflect,
    /// `-x[1] -x[0] | x[0] x[1]`.
    Antisymmetric,
    /// A turn about the first sample by half a circle: `2 x[0] - x[1] | x[0] x[1]`.
    Antireflect,
}
