//! An RGB picture: anti-aliased lines and discs of our own, text from embedded-graphics' built-in fonts.

use super::Picture;
use crate::figures::FigureError;
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_8X13_BOLD, FONT_9X15_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Pixel, Point, RgbColor, Size};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use std::convert::Infallible;

pub(super) type Rgb = [u8; 3];

pub(super) const BLACK: Rgb = [20, 20, 20];
pub(super) const GRAY: Rgb = [110, 110, 110];
pub(super) const LIGHT_GRAY: Rgb = [226, 226, 226];
pub(super) const WHITE: Rgb = [255, 255, 255];

/// A monospaced font. Characters outside Latin-1 are drawn as "?".
#[derive(Clone, Copy)]
pub(super) struct Font(&'static MonoFont<'static>);

pub(super) const BODY: Font = Font(&FONT_7X13);
pub(super) const HEADING: Font = Font(&FONT_8X13_BOLD);
pub(super) const TITLE: Font = Font(&FONT_9X15_BOLD);

impl Font {
    pub(super) fn width(self, text: &str) -> f64 {
        (text.chars().count() as u32 * (self.0.character_size.width + self.0.character_spacing)) as f64
    }

    pub(super) fn widest<S: AsRef<str>>(self, texts: impl IntoIterator<Item = S>) -> f64 {
        texts
            .into_iter()
            .map(|text| self.width(text.as_ref()))
            .fold(0.0, f64::max)
    }
}

/// Where a text stands relative to its point; vertically its middle is at the point.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// Pixel rectangle; x grows to the right, y down.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The part of this area, in whole pixels, that lies within `reach` of the bounding box of `points`.
    fn around(self, points: &[(f64, f64)], reach: f64) -> Self {
        let span = |low: f64, high: f64, positions: &mut dyn Iterator<Item = f64>| {
            let (first, last) = positions.fold((high, low), |(first, last), at| (first.min(at), last.max(at)));
            let first = (first - reach).floor().max(low.floor());
            (first, ((last + reach).ceil().min(high.ceil()) - first).max(0.0))
        };
        let (left, width) = span(self.left, self.right(), &mut points.iter().map(|point| point.0));
        let (top, height) = span(self.top, self.bottom(), &mut points.iter().map(|point| point.1));
        Self {
            left,
            top,
            width,
            height,
        }
    }
}

pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let (width, height) = (width.ceil() as usize, height.ceil() as usize);
        Self {
            width,
            height,
            pixels: vec![255; width * height * 3],
        }
    }

    pub(super) fn into_picture(self) -> Result<Picture, FigureError> {
        let (width, height) = (self.width as u32, self.height as u32);
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&self.pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| {
                FigureError::new(
                    format!("cannot encode a PNG picture: {error}"),
                    "make the picture smaller",
                )
            })?;
        Ok(Picture { width, height, png })
    }

    /// Mixes `color` into one pixel; outside the picture nothing happens.
    fn blend(&mut self, x: i64, y: i64, color: Rgb, coverage: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height {
            return;
        }
        let offset = (y * self.width + x) * 3;
        for (old, new) in self.pixels[offset..offset + 3].iter_mut().zip(color) {
            *old = (f64::from(*old) + (f64::from(new) - f64::from(*old)) * coverage).round() as u8;
        }
    }

    pub(super) fn fill(&mut self, area: Area, color: Rgb) {
        for y in area.top.round() as i64..area.bottom().round() as i64 {
            for x in area.left.round() as i64..area.right().round() as i64 {
                self.blend(x, y, color, 1.0);
            }
        }
    }

    /// Fills `area` pixel by pixel; `color` gets (x, y) counted from its top left corner.
    pub(super) fn paint(&mut self, area: Area, color: impl Fn(usize, usize) -> Rgb) {
        let (left, top) = (area.left.round() as i64, area.top.round() as i64);
        for y in 0..area.height.round() as usize {
            for x in 0..area.width.round() as usize {
                self.blend(left + x as i64, top + y as i64, color(x, y), 1.0);
            }
        }
    }

    /// One pixel wide border just outside `area`.
    pub(super) fn frame(&mut self, area: Area, color: Rgb) {
        let Area {
            left,
            top,
            width,
            height,
        } = area;
        self.fill(
            Area {
                left: left - 1.0,
                top: top - 1.0,
                width: width + 2.0,
                height: 1.0,
            },
            color,
        );
        self.fill(
            Area {
                left: left - 1.0,
                top: area.bottom(),
                width: width + 2.0,
                height: 1.0,
            },
            color,
        );
        self.fill(
            Area {
                left: left - 1.0,
                top,
                width: 1.0,
                height,
            },
            color,
        );
        self.fill(
            Area {
                left: area.right(),
                top,
                width: 1.0,
                height,
            },
            color,
        );
    }

    /// Draws a polyline inside `clip`. All its segments share one coverage mask, so joints are not drawn twice.
    pub(super) fn polyline(&mut self, points: &[(f64, f64)], stroke_width: f64, color: Rgb, clip: Area) {
        let reach = stroke_width / 2.0 + 1.0;
        let clip = clip.around(points, reach);
        let (columns, rows) = (clip.width.ceil() as usize, clip.height.ceil() as usize);
        let mut coverage = vec![0.0_f64; columns * rows];
        // Pixels touched by [low, high], as a range of indices within `count` pixels.
        let span = |low: f64, high: f64, count: usize| {
            (low - reach).floor().clamp(0.0, count as f64) as usize
                ..(high + reach).ceil().clamp(0.0, count as f64) as usize
        };
        let local: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x - clip.left, y - clip.top)).collect();
        let ends = local.iter().zip(local.iter().skip(1).chain(local.last()));
        for (&start, &end) in ends {
            for row in span(start.1.min(end.1), start.1.max(end.1), rows) {
                for column in span(start.0.min(end.0), start.0.max(end.0), columns) {
                    let distance = distance_to_segment((column as f64 + 0.5, row as f64 + 0.5), start, end);
                    let covered = (stroke_width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                    let old = &mut coverage[row * columns + column];
                    *old = old.max(covered);
                }
            }
        }
        for (index, &covered) in coverage.iter().enumerate().filter(|(_, covered)| **covered > 0.0) {
            let (x, y) = (
                clip.left as i64 + (index % columns) as i64,
                clip.top as i64 + (index / columns) as i64,
            );
            self.blend(x, y, color, covered);
        }
    }

    pub(super) fn text(&mut self, text: &str, (x, y): (f64, f64), align: Align, font: Font, color: Rgb) {
        let Ok(_) = styled(text, (x, y), align, font, color).draw(self);
    }

    /// Text that reads from bottom to top; `align` is along its own direction.
    pub(super) fn text_upwards(&mut self, text: &str, (x, y): (f64, f64), align: Align, font: Font, color: Rgb) {
        let Ok(_) = styled(text, (-y, x), align, font, color).draw(&mut Upwards(self));
    }
}

type StyledText<'a> = Text<'a, MonoTextStyle<'static, Rgb888>>;

fn styled(text: &str, (x, y): (f64, f64), align: Align, font: Font, color: Rgb) -> StyledText<'_> {
    let alignment = match align {
        Align::Left => Alignment::Left,
        Align::Center => Alignment::Center,
        Align::Right => Alignment::Right,
    };
    let style = TextStyleBuilder::new()
        .alignment(alignment)
        .baseline(Baseline::Middle)
        .build();
    let color = Rgb888::new(color[0], color[1], color[2]);
    let position = Point::new(x.round() as i32, y.round() as i32);
    Text::with_text_style(text, position, MonoTextStyle::new(font.0, color), style)
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            self.blend(point.x.into(), point.y.into(), [color.r(), color.g(), color.b()], 1.0);
        }
        Ok(())
    }
}

/// The canvas turned by a quarter: its x axis points up.
struct Upwards<'a>(&'a mut Canvas);

impl OriginDimensions for Upwards<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.height as u32, self.0.width as u32)
    }
}

impl DrawTarget for Upwards<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        self.0.draw_iter(
            pixels
                .into_iter()
                .map(|Pixel(point, color)| Pixel(Point::new(point.y, -point.x), color)),
        )
    }
}

fn distance_to_segment(point: (f64, f64), start: (f64, f64), end: (f64, f64)) -> f64 {
    let (dx, dy) = (end.0 - start.0, end.1 - start.1);
    let (px, py) = (point.0 - start.0, point.1 - start.1);
    let length_squared = dx * dx + dy * dy;
    let along = if length_squared > 0.0 {
        ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (px - along * dx).hypot(py - along * dy)
}
