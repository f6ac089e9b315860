//! Images as [`Contents`]: files with one or more pages, thermal images, films whose frames are files.

use std::path::{Path, PathBuf};

use ndarray::Array4;

use super::page::Page;
use super::raster::{self, wrong};
use super::tiff;
use crate::frames::FrameOrder;
use crate::{Contents, FileError, Images, Part, Warning, WarningCode};

/// Conversion of the samples of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// Unsigned samples are divided by the largest of their type; signed ones and fractions stay as they are.
    Share,
    /// Samples as they stand in the file.
    Raw,
    /// `slope x sample + offset` in degrees Celsius: the calibration of a thermal camera.
    Celsius {
        /// Kelvin per count.
        slope: f64,
        /// Degrees Celsius of count 0.
        offset: f64,
    },
}

/// Reads a PNG, JPEG or TIFF file, unsigned samples as shares of the largest.
///
/// # Errors
/// [`FileError`] for another format, a damaged or huge image, transparent pixels, and pages of different sizes.
pub fn read(bytes: &[u8], path: &Path) -> Result<Contents, FileError> {
    read_scaled(bytes, path, Scaling::Share)
}

/// As [`read`] with another scaling; the values of raw counts and temperatures are rounded to `f32` once.
///
/// # Errors
/// Errors of [`read`], and for counts and temperatures: JPEG and white-is-zero TIFF, which do not hold the counts, and a
/// temperature from several planes.
pub fn read_scaled(bytes: &[u8], path: &Path, scaling: Scaling) -> Result<Contents, FileError> {
    let mut contents = Contents::default();
    let pages = if tiff::is_tiff(bytes) {
        let tiff = tiff::decode(bytes, path)?;
        contents.format = format!("TIFF, compression {}", tiff.compression);
        if tiff.num_reduced > 0 {
            let text = format!("{} copies of lower resolution were left out", tiff.num_reduced);
            contents.warnings.push(Warning::new(WarningCode::LeftOut, text));
        }
        if tiff.white_is_zero && scaling != Scaling::Share {
            let hint = "save the image as black-is-zero";
            return Err(wrong(path)
                .found("white-is-zero")
                .expected("counts that grow with brightness")
                .hint(hint));
        }
        tiff.pages
    } else {
        let page = raster::decode(bytes, path)?;
        contents.format = if page.lossy { "JPEG" } else { "PNG" }.into();
        if page.lossy && scaling != Scaling::Share {
            let hint = "export the counts as 16-bit TIFF or PNG";
            return Err(wrong(path)
                .found("JPEG")
                .expected("counts that no lossy compression has changed")
                .hint(hint));
        }
        vec![page]
    };
    let mut stack = Stack::new(scaling);
    for page in &pages {
        stack.push(page, path)?;
    }
    if let Some(page) = pages.first() {
        contents.facts.push(("samples".into(), page.sample_type().into()));
        contents
            .facts
            .push(("size".into(), format!("{} x {} pixels", page.width, page.height)));
        contents.facts.push(("pages".into(), pages.len().to_string()));
    }
    contents.parts.push(Part::Images(stack.finish(path, None)?));
    Ok(contents)
}

/// Reads a film whose frames are files, in the order of the numbers in their names, see [`FrameOrder`]: a frame without a
/// file is NaN, and a warning tells how many are.
///
/// # Errors
/// Errors of [`read_scaled`]; no file; two files of one frame; a frame of another size or with other planes, or of several
/// pages where frames are missing; a rate that is not above zero.
pub fn read_sequence(
    files: &[(PathBuf, Vec<u8>)],
    rate_hz: Option<f64>,
    scaling: Scaling,
) -> Result<(Images, Vec<Warning>), FileError> {
    let first = files.first().map_or(Path::new("."), |(path, _)| path);
    if let Some(rate_hz) = rate_hz.filter(|rate_hz| !(rate_hz.is_finite() && *rate_hz > 0.0)) {
        return Err(wrong(first)
            .found(format!("{rate_hz} Hz"))
            .expected("frames per second above zero")
            .hint("correct `rate_hz`"));
    }
    let paths: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
    let order = FrameOrder::of(&paths, true)?;
    let mut in_order: Vec<(usize, &(PathBuf, Vec<u8>))> = order.frames.iter().copied().zip(files).collect();
    in_order.sort_by_key(|(frame, _)| *frame);
    let (mut stack, mut warnings, mut next) = (Stack::new(scaling), Vec::from_iter(order.warning), 0);
    for (frame, (path, bytes)) in in_order {
        let contents = read_scaled(bytes, path, scaling)?;
        warnings.extend(contents.warnings);
        stack.skip(frame - next);
        next = frame + 1;
        for part in contents.parts {
            if let Part::Images(images) = part {
                if images.values.dim().0 != 1 && order.num_frames > files.len() {
                    return Err(wrong(path)
                        .found(format!("{} pages", images.values.dim().0))
                        .expected("one image in each file where frames are missing between files")
                        .hint("read files of several pages alone"));
                }
                stack.append(images, path)?;
            }
        }
    }
    warnings.dedup();
    Ok((stack.finish(first, rate_hz)?, warnings))
}

/// Images of one size and with the same planes.
struct Stack {
    scaling: Scaling,
    planes: Vec<String>,
    height: usize,
    width: usize,
    num_images: usize,
    /// Whether values are shares, 0 to 1.
    shares: bool,
    values: Vec<f32>,
}

impl Stack {
    fn new(scaling: Scaling) -> Self {
        Self {
            scaling,
            planes: Vec::new(),
            height: 0,
            width: 0,
            num_images: 0,
            shares: false,
            values: Vec::new(),
        }
    }

    fn push(&mut self, page: &Page, path: &Path) -> Result<(), FileError> {
        if page.num_planes != 1 && matches!(self.scaling, Scaling::Celsius { .. }) {
            let hint = "a colour picture of temperatures is not a thermal image; export the counts as 16-bit TIFF";
            return Err(wrong(path)
                .found(format!("{} planes", page.num_planes))
                .expected("one plane of counts")
                .hint(hint));
        }
        self.check(page.plane_names(), page.height, page.width, path)?;
        let largest = page.largest();
        self.values.extend(match self.scaling {
            Scaling::Share => page.values(|raw| raw / largest),
            Scaling::Raw => page.values(|raw| raw),
            Scaling::Celsius { slope, offset } => page.values(|raw| slope * raw + offset),
        });
        self.num_images += 1;
        self.shares = self.scaling == Scaling::Share && largest > 1.0;
        Ok(())
    }

    /// Adds frames that are missing; the first frame is there.
    fn skip(&mut self, num_frames: usize) {
        let num_values = num_frames * self.planes.len() * self.height * self.width;
        self.values.resize(self.values.len() + num_values, f32::NAN);
        self.num_images += num_frames;
    }

    fn append(&mut self, images: Images, path: &Path) -> Result<(), FileError> {
        let (num_images, _, height, width) = images.values.dim();
        self.check(images.planes, height, width, path)?;
        self.values.extend(images.values);
        self.num_images += num_images;
        self.shares = images.display_range.is_some();
        Ok(())
    }

    fn check(&mut self, planes: Vec<String>, height: usize, width: usize, path: &Path) -> Result<(), FileError> {
        if self.num_images == 0 {
            (self.planes, self.height, self.width) = (planes, height, width);
        } else if (&self.planes, self.height, self.width) != (&planes, height, width) {
            let describe =
                |planes: &[String], height, width| format!("{width} x {height} pixels of {}", planes.join(", "));
            let expected = format!(
                "{}, as the image before",
                describe(&self.planes, self.height, self.width)
            );
            let hint = "images of one file or film share their size and colours; split them";
            return Err(wrong(path)
                .found(describe(&planes, height, width))
                .expected(expected)
                .hint(hint));
        }
        Ok(())
    }

    fn finish(self, path: &Path, rate_hz: Option<f64>) -> Result<Images, FileError> {
        let shape = (self.num_images, self.planes.len(), self.height, self.width);
        let nothing = || {
            wrong(path)
                .found("no image")
                .expected("one or more")
                .hint("correct the pattern in the card")
        };
        let values = Array4::from_shape_vec(shape, self.values)
            .ok()
            .filter(|values| !values.is_empty());
        Ok(Images {
            planes: self.planes,
            unit: if matches!(self.scaling, Scaling::Celsius { .. }) {
                "degC"
            } else {
                "1"
            }
            .into(),
            rate_hz,
            values: values.ok_or_else(nothing)?,
            num_volumes: 1,
            affine: None,
            display_range: self.shares.then_some([0.0, 1.0]),
        })
    }
}
