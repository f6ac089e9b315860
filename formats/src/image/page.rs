//! A decoded picture: samples of one type, and how they lie.

use tiff::decoder::DecodingResult;

/// A picture with the samples of the file.
pub struct Page {
    pub height: usize,
    pub width: usize,
    pub num_planes: usize,
    /// Plane after plane; otherwise the samples of a pixel lie side by side.
    pub planar: bool,
    pub samples: DecodingResult,
    /// Whether samples were quantised by a lossy code, so that they are no counts of a sensor.
    pub lossy: bool,
}

impl Page {
    /// The sample as it stands in the file; pixels count line by line. NaN where there is none.
    pub fn raw(&self, pixel: usize, plane: usize) -> f64 {
        let index = if self.planar {
            plane * self.height * self.width + pixel
        } else {
            pixel * self.num_planes + plane
        };
        let value = match &self.samples {
            DecodingResult::U8(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::U16(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::U32(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::U64(samples) => samples.get(index).map(|&v| v as f64),
            DecodingResult::I8(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::I16(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::I32(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::I64(samples) => samples.get(index).map(|&v| v as f64),
            DecodingResult::F16(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::F32(samples) => samples.get(index).map(|&v| v.into()),
            DecodingResult::F64(samples) => samples.get(index).copied(),
        };
        value.unwrap_or(f64::NAN)
    }

    /// Divisor of unsigned samples; 1 for signed ones and for fractions, which stay as they are.
    pub fn largest(&self) -> f64 {
        match self.samples {
            DecodingResult::U8(_) => u8::MAX.into(),
            DecodingResult::U16(_) => u16::MAX.into(),
            DecodingResult::U32(_) => u32::MAX.into(),
            DecodingResult::U64(_) => u64::MAX as f64,
            _ => 1.0,
        }
    }

    /// The type of the samples, for people.
    pub fn sample_type(&self) -> &'static str {
        match self.samples {
            DecodingResult::U8(_) => "8-bit unsigned",
            DecodingResult::U16(_) => "16-bit unsigned",
            DecodingResult::U32(_) => "32-bit unsigned",
            DecodingResult::U64(_) => "64-bit unsigned",
            DecodingResult::I8(_) => "8-bit signed",
            DecodingResult::I16(_) => "16-bit signed",
            DecodingResult::I32(_) => "32-bit signed",
            DecodingResult::I64(_) => "64-bit signed",
            DecodingResult::F16(_) => "16-bit float",
            DecodingResult::F32(_) => "32-bit float",
            DecodingResult::F64(_) => "64-bit float",
        }
    }

    /// All values in the order plane, line, column.
    pub fn values(&self, convert: impl Fn(f64) -> f64) -> Vec<f32> {
        let pixels = 0..self.height * self.width;
        let plane = |plane| pixels.clone().map(move |pixel| (pixel, plane));
        (0..self.num_planes)
            .flat_map(plane)
            .map(|(pixel, plane)| convert(self.raw(pixel, plane)) as f32)
            .collect()
    }

    /// Names of the planes.
    pub fn plane_names(&self) -> Vec<String> {
        match self.num_planes {
            1 => vec!["gray".into()],
            3 => ["red", "green", "blue"].map(String::from).to_vec(),
            bands => (1..=bands).map(|band| format!("band-{band}")).collect(),
        }
    }
}
