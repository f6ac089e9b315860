//! Images in a grid, in grey or in colour.

use super::super::axes::{Axes, Axis};
use super::super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, HEADING, Rgb};
use super::super::interpolate;
use super::super::spectrogram::{covered, draw_scale};
use super::Panel;
use recoup_formats::Images;

/// Images of a sequence that are drawn, evenly spaced.
const MAX_IMAGES: usize = 12;
const MAX_HEIGHT: f64 = 520.0;
/// Values that are looked at to choose black and white.
const MAX_VALUES: usize = 1_000_000;
/// Shares of the values that are darker than black and lighter than white.
const CLIPPED: f64 = 0.005;
pub(super) const GRAYS: [Rgb; 2] = [[0, 0, 0], [255, 255, 255]];
/// Where an image has no value.
const MISSING: Rgb = [86, 180, 233];
/// For the colour scale.
pub(super) const RIGHT: f64 = 100.0;

/// How values become grey.
pub(super) struct Grays {
    pub(super) axis: Axis,
    pub(super) label: String,
}

impl Grays {
    /// From black to white as the file says, or else without the darkest and the lightest 0.5 % of the values.
    pub(super) fn new(images: &Images) -> Self {
        let unit = if images.unit == "1" {
            "value".into()
        } else {
            format!("value [{}]", images.unit)
        };
        if let Some([black, white]) = images.display_range.filter(|[black, white]| white > black) {
            return Self {
                axis: Axis::new(black.into(), white.into(), 6),
                label: unit,
            };
        }
        let step = images.values.len().div_ceil(MAX_VALUES).max(1);
        let mut values: Vec<f32> = images
            .values
            .iter()
            .step_by(step)
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| {
            values
                .get((share * (values.len().saturating_sub(1)) as f64).round() as usize)
                .copied()
        };
        let (low, high) = match (at(CLIPPED), at(1.0 - CLIPPED)) {
            (Some(low), Some(high)) if high > low => (low, high),
            // Almost all values are equal.
            _ => (at(0.0).unwrap_or(0.0), at(1.0).unwrap_or(1.0)),
        };
        Self {
            axis: Axis::new(low.into(), high.into(), 6),
            label: unit,
        }
    }

    pub(super) fn color(&self, value: f64) -> Rgb {
        interpolate(&GRAYS, self.axis.fraction(value))
    }

    pub(super) fn draw_scale(&self, canvas: &mut Canvas, area: Area) {
        draw_scale(canvas, area, self.axis.clone(), &GRAYS, &self.label);
    }
}

/// Mean of the finite values of `value(column, line)` in a block.
pub(super) fn mean(
    columns: std::ops::Range<usize>,
    lines: std::ops::Range<usize>,
    value: impl Fn(usize, usize) -> Option<f32>,
) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for line in lines {
        for column in columns.clone() {
            if let Some(value) = value(column, line).filter(|value| value.is_finite()) {
                (sum, count) = (sum + f64::from(value), count + 1.0);
            }
        }
    }
    (count > 0.0).then(|| sum / count)
}

/// Fills `area` with `num_columns` x `num_lines` pixels; those that share a pixel of the picture are averaged.
pub(super) fn paint(
    canvas: &mut Canvas,
    area: Area,
    (num_columns, num_lines): (usize, usize),
    grays: &Grays,
    value: impl Fn(usize, usize) -> Option<f32>,
) {
    canvas.paint(area, |x, y| {
        let columns = covered(x, area.width.round(), num_columns);
        mean(columns, covered(y, area.height.round(), num_lines), &value).map_or(MISSING, |value| grays.color(value))
    });
}

pub(super) struct Grid<'a> {
    images: &'a Images,
    shown: Vec<usize>,
    grays: Grays,
    num_columns: usize,
    /// Width and height of one image.
    size: (f64, f64),
}

impl<'a> Grid<'a> {
    /// `None` for images without a pixel.
    pub(super) fn new(images: &'a Images, width: f64) -> Option<Self> {
        let (num_images, num_planes, num_lines, num_pixels) = images.values.dim();
        if num_images == 0 || num_planes == 0 || num_lines == 0 || num_pixels == 0 {
            return None;
        }
        let num_shown = num_images.min(MAX_IMAGES);
        let last = (num_shown - 1).max(1);
        let shown: Vec<usize> = (0..num_shown).map(|index| index * (num_images - 1) / last).collect();
        let num_columns = match num_shown {
            1 => 1,
            2..=4 => 2,
            5..=9 => 3,
            _ => 4,
        };
        let cell = (width - RIGHT - 46.0) / num_columns as f64 - 10.0;
        let most = if num_columns == 1 { MAX_HEIGHT } else { MAX_HEIGHT / 1.5 };
        let scale = (cell / num_pixels as f64).min(most / num_lines as f64);
        // Long and thin images keep a pixel's width.
        let size = (
            (num_pixels as f64 * scale).max(1.0),
            (num_lines as f64 * scale).max(1.0),
        );
        Some(Self {
            images,
            shown,
            grays: Grays::new(images),
            num_columns,
            size,
        })
    }

    fn is_color(&self) -> bool {
        self.images
            .planes
            .iter()
            .map(String::as_str)
            .eq(["red", "green", "blue"])
    }

    fn row_height(&self) -> f64 {
        self.size.1 + if self.shown.len() > 1 { 26.0 } else { 0.0 }
    }

    fn draw_image(&self, canvas: &mut Canvas, area: Area, image: usize) {
        let (_, _, num_lines, num_columns) = self.images.values.dim();
        let value = |plane: usize| {
            move |column: usize, line: usize| self.images.values.get((image, plane, line, column)).copied()
        };
        if !self.is_color() {
            return paint(canvas, area, (num_columns, num_lines), &self.grays, value(0));
        }
        canvas.paint(area, |x, y| {
            let columns = covered(x, area.width.round(), num_columns);
            let lines = covered(y, area.height.round(), num_lines);
            std::array::from_fn(|plane| {
                let mean = mean(columns.clone(), lines.clone(), value(plane)).unwrap_or(0.0);
                (mean.clamp(0.0, 1.0) * 255.0).round() as u8
            })
        });
    }
}

impl Panel for Grid<'_> {
    fn height(&self) -> f64 {
        let rows = self.shown.len().div_ceil(self.num_columns) as f64;
        24.0 + rows * self.row_height() + 44.0
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let (num_images, num_planes, num_lines, num_pixels) = self.images.values.dim();
        let mut heading = match num_images {
            1 => format!("{num_pixels} x {num_lines} pixels"),
            _ => format!(
                "{} of {num_images} images, {num_pixels} x {num_lines} pixels",
                self.shown.len()
            ),
        };
        if !self.is_color() && num_planes > 1 {
            let name = self.images.planes.first().map_or("1", String::as_str);
            heading.push_str(&format!(", plane {name} of {num_planes}"));
        }
        canvas.text(&heading, (area.left, area.top + 8.0), Align::Left, HEADING, BLACK);
        let (width, height) = self.size;
        let (left, top) = (area.left + 46.0, area.top + 24.0);
        let mut all = Area {
            left,
            top,
            width,
            height,
        };
        for (index, &image) in self.shown.iter().enumerate() {
            let (column, row) = (index % self.num_columns, index / self.num_columns);
            let cell = Area {
                left: (left + column as f64 * (width + 10.0)).round(),
                top: (top + row as f64 * self.row_height()).round(),
                width,
                height,
            };
            self.draw_image(canvas, cell, image);
            canvas.frame(cell, GRAY);
            all = Area {
                width: all.width.max(cell.right() - left),
                height: all.height.max(cell.bottom() - top),
                ..all
            };
            if self.shown.len() > 1 {
                let name = match self.images.rate_hz {
                    Some(rate_hz) => format!("{} ({:.2} s)", image + 1, image as f64 / rate_hz),
                    None => (image + 1).to_string(),
                };
                canvas.text(
                    &name,
                    (cell.left + width / 2.0, cell.bottom() + 10.0),
                    Align::Center,
                    BODY,
                    BLACK,
                );
            }
        }
        if let &[_] = self.shown.as_slice() {
            let ticks = |pixels: f64| (pixels / 70.0).max(1.0) as usize;
            let x = Axis::new(0.0, num_pixels as f64, ticks(width));
            let y = Axis::new(0.0, num_lines as f64, ticks(height)).turned();
            Axes { area: all, x, y }.draw(canvas, "column", "line");
        }
        if !self.is_color() {
            let scale = Area {
                height: all.height.clamp(80.0, MAX_HEIGHT).min(self.height() - 30.0).max(20.0),
                ..all
            };
            self.grays.draw_scale(canvas, scale);
        }
    }
}
