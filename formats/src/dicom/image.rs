//! Images and volumes: pixels through the modality's table or slope into physical values, and where they lie.

use std::path::Path;

use ndarray::{Array4, Axis};

use super::dataset::{Dataset, Element, Tag, Value, integers};
use super::frame::{Frame, Moment, VALUE_TRANSFORMATION};
use super::geometry::{self, Plane, Volumes};
use super::pixels::{DAMAGED, Pixels};
use crate::{FileError, Images, Warning, WarningCode};

const IMAGE_TYPE: Tag = Tag(0x0008, 0x0008);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const FRAME_TIME_MS: Tag = Tag(0x0018, 0x1063);
const CINE_RATE: Tag = Tag(0x0018, 0x0040);
const WINDOW_CENTER: Tag = Tag(0x0028, 0x1050);
const WINDOW_WIDTH: Tag = Tag(0x0028, 0x1051);
const WINDOW_FUNCTION: Tag = Tag(0x0028, 0x1056);
const RESCALE_TYPE: Tag = Tag(0x0028, 0x1054);
const MODALITY_LUT: Tag = Tag(0x0028, 0x3000);
const LUT_DESCRIPTOR: Tag = Tag(0x0028, 0x3002);
const LUT_TYPE: Tag = Tag(0x0028, 0x3004);
const LUT_DATA: Tag = Tag(0x0028, 0x3006);
const PALETTES: [(Tag, Tag); 3] = [
    (Tag(0x0028, 0x1101), Tag(0x0028, 0x1201)),
    (Tag(0x0028, 0x1102), Tag(0x0028, 0x1202)),
    (Tag(0x0028, 0x1103), Tag(0x0028, 0x1203)),
];
const UNITS: Tag = Tag(0x0054, 0x1001);
const DOSE_UNITS: Tag = Tag(0x3004, 0x0002);
const DOSE_SCALING: Tag = Tag(0x3004, 0x000E);
const FRAME_VOI: Tag = Tag(0x0028, 0x9132);

/// A table from stored to physical values or to a colour.
struct Table {
    first: i64,
    values: Vec<i64>,
    /// The largest value that its entries can have.
    largest: f64,
}

impl Table {
    fn read(dataset: &Dataset, descriptor: Tag, data: Tag, signed: bool) -> Option<Self> {
        let element = dataset.get(descriptor)?;
        let Element {
            value: Value::Bytes(bytes),
            ..
        } = element
        else {
            return None;
        };
        let big_endian = dataset.encoding.big_endian;
        let descriptor: Vec<i64> = integers(bytes, 16, false, big_endian).collect();
        let &[count, first, bits] = descriptor.as_slice() else {
            return None;
        };
        let count = if count == 0 { 1 << 16 } else { count as usize };
        let first = if signed { i64::from(first as u16 as i16) } else { first };
        let data = dataset.bytes(data)?;
        // Entries of 8 bits lie two to a word or one to a word.
        let packed = bits <= 8 && data.len() < 2 * count;
        let width = if packed { 8 } else { 16 };
        let values: Vec<i64> = integers(data, width, false, big_endian).take(count).collect();
        let largest = f64::from((1u32 << bits.clamp(1, 16)) - 1);
        (!values.is_empty()).then_some(Self { first, values, largest })
    }

    fn value(&self, stored: i64) -> i64 {
        let index = (stored - self.first).clamp(0, self.values.len() as i64 - 1);
        self.values.get(index as usize).copied().unwrap_or_default()
    }
}

/// An image, and what must be said about it.
pub(super) struct Reading {
    pub images: Images,
    /// Place of each slice, where the file tells.
    pub planes: Vec<Option<Plane>>,
    pub warnings: Vec<Warning>,
}

pub(super) fn read(dataset: &Dataset, transfer_syntax: &str, path: &Path) -> Result<Reading, FileError> {
    let pixels = Pixels::describe(dataset, transfer_syntax, path)?;
    let mut warnings = Vec::new();
    let (planes, values) = match pixels.photometric.as_str() {
        "PALETTE COLOR" => (COLOURS, palette(dataset, &pixels, path)?),
        _ if pixels.samples == 3 => (COLOURS, colours(&pixels, path)?),
        "MONOCHROME1" | "MONOCHROME2" => (&["gray"][..], monochrome(dataset, &pixels)?),
        other => {
            let expected = "MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB or YBR";
            return Err(FileError::at(path)
                .place("PhotometricInterpretation")
                .found(other)
                .expected(expected)
                .hint(super::syntax::UNPACK));
        }
    };
    let shape = (pixels.num_frames, planes.len(), pixels.rows, pixels.columns);
    let values = Array4::from_shape_vec(shape, values).map_err(|error| {
        FileError::at(path)
            .place("PixelData")
            .found(error)
            .expected(format!("{shape:?} values"))
            .hint(DAMAGED)
    })?;
    let gray = planes.len() == 1;
    let is_mosaic = dataset
        .text(IMAGE_TYPE)
        .is_some_and(|kinds| kinds.split('\\').any(|kind| kind.trim() == "MOSAIC"));
    if is_mosaic {
        let text = "the slices lie side by side in one image (mosaic) and are not taken apart; no affine";
        warnings.push(Warning::new(WarningCode::NoVolume, text));
    }
    let plane = |index| {
        if is_mosaic {
            None
        } else {
            Plane::read(&Frame::new(dataset, index), dataset, index)
        }
    };
    let slices: Vec<Option<Plane>> = (0..pixels.num_frames).map(plane).collect();
    let (slices, values, num_volumes) = in_order(dataset, slices, values, path, &mut warnings)?;
    let of_one_volume = slices.get(..slices.len() / num_volumes).unwrap_or_default();
    let affine = geometry::affine(of_one_volume, &mut warnings);
    let frame_ms = dataset.number(FRAME_TIME_MS).filter(|&ms| ms > 0.0);
    let rate_hz = frame_ms
        .map(|ms| 1000.0 / ms)
        .or(dataset.number(CINE_RATE).filter(|&rate| rate > 0.0));
    let images = Images {
        planes: planes.iter().map(|plane| plane.to_string()).collect(),
        unit: if gray { unit(dataset) } else { "1".into() },
        // The time of a frame is that of a volume only where it has one slice.
        rate_hz: rate_hz.filter(|_| pixels.num_frames > 1 && (num_volumes == 1 || num_volumes == pixels.num_frames)),
        values,
        affine,
        num_volumes,
        display_range: if gray { display_range(dataset, &pixels) } else { None },
    };
    Ok(Reading {
        images,
        planes: slices,
        warnings,
    })
}

/// Planes and pixels in the order of space and time, and the number of volumes.
type Ordered = (Vec<Option<Plane>>, Array4<f32>, usize);

/// The frames of a file as volumes in the order of space and time, each frame with its place; and how many volumes they are.
fn in_order(
    dataset: &Dataset,
    slices: Vec<Option<Plane>>,
    values: Array4<f32>,
    path: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<Ordered, FileError> {
    let moments: Vec<Moment> = (0..slices.len())
        .map(|index| Frame::new(dataset, index).moment())
        .collect();
    let volumes = geometry::volumes(&slices, &moments).map_err(|found| {
        FileError::at(path)
            .place("frames")
            .found(found)
            .expected("a frame of every time at every place")
            .hint("frames are missing or belong to several scans; export each scan to a file of its own")
    })?;
    if slices.iter().any(Option::is_some) && slices.iter().any(Option::is_none) {
        let text = "not every frame tells its position: in the order of the file";
        warnings.push(Warning::new(WarningCode::UnorderedSlices, text));
    }
    let Some(Volumes {
        order,
        num_volumes,
        undecided,
    }) = volumes
    else {
        return Ok((slices, values, 1));
    };
    if undecided {
        let text = format!("{num_volumes} frames at each place and no time: in the order of the file");
        warnings.push(Warning::new(WarningCode::UnorderedSlices, text));
    }
    let sorted = order.iter().filter_map(|&index| slices.get(index).cloned()).collect();
    let is_sorted = order.iter().enumerate().all(|(at, &index)| at == index);
    let values = if is_sorted {
        values
    } else {
        values.select(Axis(0), &order)
    };
    Ok((sorted, values, num_volumes))
}

const COLOURS: &[&str] = &["red", "green", "blue"];

fn monochrome(dataset: &Dataset, pixels: &Pixels) -> Result<Vec<f32>, FileError> {
    let lut = dataset
        .items(MODALITY_LUT)
        .first()
        .and_then(|item| Table::read(item, LUT_DESCRIPTOR, LUT_DATA, pixels.signed));
    let dose = dataset.number(DOSE_SCALING).map(|scaling| [scaling, 0.0]);
    let mut values = Vec::new();
    for index in 0..pixels.num_frames {
        let [slope, intercept] = dose.or(Frame::new(dataset, index).rescale()).unwrap_or([1.0, 0.0]);
        let physical = |stored: i64| match &lut {
            Some(lut) => lut.value(stored) as f32,
            None => (slope * stored as f64 + intercept) as f32,
        };
        values.extend(pixels.frame(index)?.into_iter().map(physical));
    }
    Ok(values)
}

fn palette(dataset: &Dataset, pixels: &Pixels, path: &Path) -> Result<Vec<f32>, FileError> {
    let tables: Option<Vec<Table>> = PALETTES
        .iter()
        .map(|&(descriptor, data)| Table::read(dataset, descriptor, data, pixels.signed))
        .collect();
    let tables = tables.filter(|_| pixels.samples == 1).ok_or_else(|| {
        let expected = "the red, green and blue palette tables and one sample per pixel";
        FileError::at(path)
            .place("palette")
            .found("not all of it")
            .expected(expected)
            .hint(super::syntax::UNPACK)
    })?;
    let mut values = Vec::new();
    for index in 0..pixels.num_frames {
        let frame = pixels.frame(index)?;
        for table in &tables {
            values.extend(
                frame
                    .iter()
                    .map(|&stored| (table.value(stored) as f64 / table.largest) as f32),
            );
        }
    }
    Ok(values)
}

/// Shares of the largest value; YBR becomes RGB by ITU-R BT.601 in full range (PS3.3 C.7.6.3.1.2).
fn colours(pixels: &Pixels, path: &Path) -> Result<Vec<f32>, FileError> {
    let largest = ((1u64 << pixels.bits_stored) - 1) as f64;
    if !pixels.is_rgb() && !matches!(pixels.photometric.as_str(), "YBR_FULL" | "YBR_FULL_422") {
        let found = &pixels.photometric;
        return Err(FileError::at(path)
            .place("PhotometricInterpretation")
            .found(found)
            .expected("RGB, YBR_FULL or YBR_FULL_422")
            .hint(super::syntax::UNPACK));
    }
    let mut values = Vec::new();
    for index in 0..pixels.num_frames {
        let mut frame = pixels.frame(index)?;
        if !pixels.is_rgb() {
            let half = (1i64 << pixels.bits_stored) / 2;
            let (light, colour) = frame.split_at_mut(pixels.rows * pixels.columns);
            let (blue, red) = colour.split_at_mut(pixels.rows * pixels.columns);
            for ((y, cb), cr) in light.iter_mut().zip(blue).zip(red) {
                let (luma, b, r) = (*y as f64, (*cb - half) as f64, (*cr - half) as f64);
                let rgb = [
                    luma + 1.402 * r,
                    luma - (0.114 * 1.772 * b + 0.299 * 1.402 * r) / 0.587,
                    luma + 1.772 * b,
                ];
                [*y, *cb, *cr] = rgb.map(|value| value.round().clamp(0.0, largest) as i64);
            }
        }
        values.extend(frame.into_iter().map(|value| (value as f64 / largest) as f32));
    }
    Ok(values)
}

fn unit(dataset: &Dataset) -> String {
    if let Some(units) = dataset.text(DOSE_UNITS).filter(|_| dataset.get(DOSE_SCALING).is_some()) {
        return if units == "GY" { "Gy".into() } else { "1".into() };
    }
    let frame = Frame::new(dataset, 0);
    let lut_type = dataset.items(MODALITY_LUT).first().and_then(|item| item.text(LUT_TYPE));
    let named = lut_type
        .or_else(|| frame.text(VALUE_TRANSFORMATION, RESCALE_TYPE))
        .or_else(|| dataset.text(UNITS));
    match named.as_deref() {
        // Unspecified, and counts.
        Some("US" | "normalized" | "CNTS") => "1".into(),
        Some(unit) => unit.into(),
        None if dataset.text(MODALITY).as_deref() == Some("CT") && frame.rescale().is_some() => "HU".into(),
        None => "1".into(),
    }
}

/// Black and white of the first window (PS3.3 C.11.2.1.2); turned round for MONOCHROME1, whose low values are bright.
fn display_range(dataset: &Dataset, pixels: &Pixels) -> Option<[f32; 2]> {
    let frame = Frame::new(dataset, 0);
    let inverted = pixels.photometric == "MONOCHROME1";
    let window = frame
        .number(FRAME_VOI, WINDOW_CENTER)
        .zip(frame.number(FRAME_VOI, WINDOW_WIDTH));
    let [low, high] = match window.filter(|&(_, width)| width >= 1.0) {
        Some((center, width)) => match frame.text(FRAME_VOI, WINDOW_FUNCTION).as_deref() {
            None | Some("LINEAR") => [center - 0.5 - (width - 1.0) / 2.0, center - 0.5 + (width - 1.0) / 2.0],
            Some(_) => [center - width / 2.0, center + width / 2.0],
        },
        // Without a window only the polarity is told: the range of the stored values.
        None if inverted => {
            let values = (1u64 << pixels.bits_stored) as f64;
            let [slope, intercept] = frame.rescale().unwrap_or([1.0, 0.0]);
            let first = if pixels.signed { -values / 2.0 } else { 0.0 };
            [first, first + values - 1.0].map(|stored| slope * stored + intercept)
        }
        None => return None,
    };
    Some(if inverted {
        [high as f32, low as f32]
    } else {
        [low as f32, high as f32]
    })
}
