//! Memory of the wavelet transform.

/// Buffers that are kept between windows.
#[derive(Default)]
pub struct Buffers {
    pub(super) extended: Vec<f64>,
    pub(super) input: Vec<f64>,
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
}
