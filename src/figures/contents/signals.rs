//! Signals as traces below each other, on one time axis.

use super::super::axes::{Axes, Axis};
use super::super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, LIGHT_GRAY, Rgb};
use super::super::{SERIES_COLORS, shortened};
use super::annotations::Marks;
use super::span::Span;
use super::spectrum::Spectrum;
use super::{Panel, RenderOptions};
use crate::figures::FigureError;
use recoup_formats::{Annotation, SignalChannel};

const MAX_LANES: usize = 16;
const MAX_NAME_CHARS: usize = 14;
const LANE_GAP: f64 = 7.0;
/// Below the lanes, for the time axis.
const AXIS_HEIGHT: f64 = 44.0;
/// At the right, for the colour scale of the spectrogram below.
const RIGHT: f64 = 96.0;

/// Room that names and tick labels need at the left of an area.
fn left_margin(names: &[String], lanes: &[Axis], has_marks: bool) -> f64 {
    let ticks = lanes.iter().map(Axis::label_width).fold(BODY.width("-0.5"), f64::max);
    // The spectrogram says `frequency` there.
    let least = if has_marks { "annotations" } else { "wide" };
    BODY.widest(names).max(BODY.width(least)) + 12.0 + ticks + 10.0
}

struct Lane<'a> {
    name: String,
    unit: String,
    channel: &'a SignalChannel,
    y: Axis,
}

struct Traces<'a> {
    lanes: Vec<Lane<'a>>,
    num_more: usize,
    span: Span,
    marks: Option<Marks<'a>>,
    left: f64,
}

/// The traces of all signals or of the one that was asked for, and a spectrogram.
pub(super) fn panels<'a>(
    channels: &'a [SignalChannel],
    annotations: &'a [Annotation],
    options: &RenderOptions,
    panels: &mut Vec<Box<dyn Panel + 'a>>,
) -> Result<(), FigureError> {
    let is_chosen = |channel: &&SignalChannel| options.channel.as_ref().is_none_or(|name| *name == channel.name);
    let chosen: Vec<&SignalChannel> = channels
        .iter()
        .filter(is_chosen)
        .filter(|channel| channel.rate_hz.is_finite() && channel.rate_hz > 0.0)
        .collect();
    let secs = |channel: &&SignalChannel| channel.values.len() as f64 / channel.rate_hz;
    let total_secs = chosen.iter().map(secs).fold(0.0, f64::max);
    if total_secs == 0.0 {
        return Ok(());
    }
    let span = Span::new(total_secs, options)?;
    let lane = |channel: &&'a SignalChannel| {
        let (_, values) = span.cut(&channel.values, channel.rate_hz);
        let finite = values
            .iter()
            .filter(|value| value.is_finite())
            .map(|&value| f64::from(value));
        Lane {
            name: shortened(&channel.name, MAX_NAME_CHARS),
            unit: if channel.unit == "1" {
                String::new()
            } else {
                shortened(&format!("[{}]", channel.unit), MAX_NAME_CHARS)
            },
            y: Axis::around(finite, 0.06, 3).readable(),
            channel,
        }
    };
    let lanes: Vec<Lane> = chosen.iter().take(MAX_LANES).map(lane).collect();
    let names: Vec<String> = lanes
        .iter()
        .flat_map(|lane| [lane.name.clone(), lane.unit.clone()])
        .collect();
    let marks = Marks::new(annotations, span);
    let left = left_margin(
        &names,
        &lanes.iter().map(|lane| lane.y.clone()).collect::<Vec<_>>(),
        marks.is_some(),
    );
    panels.push(Box::new(Traces {
        num_more: chosen.len() - lanes.len(),
        lanes,
        span,
        marks,
        left,
    }));
    let spectrum = chosen
        .first()
        .and_then(|channel| Spectrum::new(channel, span, left, RIGHT));
    panels.extend(spectrum.map(|spectrum| Box::new(spectrum) as _));
    Ok(())
}

impl Traces<'_> {
    fn lane_height(&self) -> f64 {
        match self.lanes.len() {
            0..=1 => 220.0,
            2 => 150.0,
            3..=4 => 110.0,
            5..=8 => 80.0,
            _ => 58.0,
        }
    }

    fn note_height(&self) -> f64 {
        if self.num_more > 0 { 18.0 } else { 0.0 }
    }
}

impl Panel for Traces<'_> {
    fn height(&self) -> f64 {
        let marks = self.marks.as_ref().map_or(0.0, |_| Marks::HEIGHT);
        marks + self.lanes.len() as f64 * (self.lane_height() + LANE_GAP) + AXIS_HEIGHT + self.note_height()
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let plot = Area {
            left: area.left + self.left,
            width: area.width - self.left - RIGHT,
            ..area
        };
        let (x, label) = self.span.axis();
        let mut top = area.top + self.marks.as_ref().map_or(0.0, |_| Marks::HEIGHT);
        let lanes_top = top;
        let mut last = plot;
        for lane in &self.lanes {
            last = Area {
                top,
                height: self.lane_height(),
                ..plot
            };
            let axes = Axes {
                area: last,
                x: x.clone(),
                y: lane.y.clone(),
            };
            axes.draw_x_grid(canvas);
            axes.draw_y_grid(canvas);
            top += self.lane_height() + LANE_GAP;
        }
        if let Some(marks) = &self.marks {
            let lanes = Area {
                top: lanes_top,
                height: last.bottom() - lanes_top,
                ..plot
            };
            marks.draw(
                canvas,
                Area {
                    height: Marks::HEIGHT,
                    ..plot
                },
                lanes,
                area.left,
            );
        }
        top = lanes_top;
        for (index, lane) in self.lanes.iter().enumerate() {
            let axes = Axes {
                area: Area { top, ..last },
                x: x.clone(),
                y: lane.y.clone(),
            };
            draw_lane(
                canvas,
                &axes,
                lane,
                self.span,
                SERIES_COLORS[index % SERIES_COLORS.len()],
                area.left,
            );
            if index + 1 == self.lanes.len() {
                axes.draw_x_ticks(canvas);
                let middle = plot.left + plot.width / 2.0;
                canvas.text(label, (middle, axes.area.bottom() + 34.0), Align::Center, BODY, BLACK);
            }
            top += self.lane_height() + LANE_GAP;
        }
        if self.num_more > 0 {
            let note = format!("and {} more signals", self.num_more);
            canvas.text(
                &note,
                (area.left, area.bottom() - self.note_height() / 2.0),
                Align::Left,
                BODY,
                GRAY,
            );
        }
    }
}

fn draw_lane(canvas: &mut Canvas, axes: &Axes, lane: &Lane, span: Span, color: Rgb, left: f64) {
    let area = axes.area;
    canvas.frame(area, GRAY);
    axes.draw_y_ticks(canvas, area.left - 4.0, Align::Right);
    let middle = area.top + area.height / 2.0;
    let (name_y, unit_y) = if lane.unit.is_empty() {
        (middle, middle)
    } else {
        (middle - 7.0, middle + 7.0)
    };
    canvas.text(&lane.name, (left, name_y), Align::Left, BODY, BLACK);
    canvas.text(&lane.unit, (left, unit_y), Align::Left, BODY, GRAY);
    let (first, values) = span.cut(&lane.channel.values, lane.channel.rate_hz);
    if !values.iter().any(|value| value.is_finite()) {
        let note = if values.is_empty() { "ends before" } else { "no value" };
        canvas.text(note, (area.left + area.width / 2.0, middle), Align::Center, BODY, GRAY);
        return;
    }
    let x_of = |index: usize| {
        let secs = (first + index) as f64 / lane.channel.rate_hz;
        area.left + (secs - span.start_secs) / span.secs() * area.width
    };
    trace(canvas, axes, values, x_of, color);
}

/// Draws samples; `x_of` tells the pixel of each. Where more than two of them share a column of pixels, it is filled from
/// the lowest to the highest, so that no spike is lost. What is not finite is left blank.
pub(super) fn trace(canvas: &mut Canvas, axes: &Axes, values: &[f32], x_of: impl Fn(usize) -> f64, color: Rgb) {
    let area = axes.area;
    let pixels_per_sample = x_of(1) - x_of(0);
    if pixels_per_sample > 0.5 {
        let points: Vec<(f64, f64)> = values
            .iter()
            .enumerate()
            .map(|(index, &value)| (x_of(index), axes.y_pixel(value.into())))
            .collect();
        for part in points
            .split(|point| !point.1.is_finite())
            .filter(|part| !part.is_empty())
        {
            canvas.polyline(part, if part.len() == 1 { 3.5 } else { 1.3 }, color, area);
        }
        return;
    }
    let num_columns = area.width.round() as usize;
    let mut columns: Vec<Option<(f32, f32)>> = vec![None; num_columns];
    for (index, &value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let column = x_of(index) - area.left;
        // A sample beside the area, and rounding at its right edge.
        if column < -0.5 || column > area.width + 0.5 {
            continue;
        }
        let column = (column.max(0.0) as usize).min(num_columns.saturating_sub(1));
        if let Some(range) = columns.get_mut(column) {
            *range = Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))));
        }
    }
    let mut previous: Option<(f32, f32)> = None;
    for (column, range) in columns.into_iter().enumerate() {
        if let Some((mut low, mut high)) = range {
            if let Some((before_low, before_high)) = previous {
                (low, high) = (low.min(before_high), high.max(before_low));
            }
            let (top, bottom) = (axes.y_pixel(high.into()), axes.y_pixel(low.into()));
            let bar = Area {
                left: area.left.round() + column as f64,
                top: top - 0.5,
                width: 1.0,
                height: bottom - top + 1.0,
            };
            canvas.fill(bar, color);
        }
        previous = range;
    }
}

/// Light lines behind a plot.
pub(super) fn grid(canvas: &mut Canvas, axes: &Axes) {
    canvas.frame(axes.area, LIGHT_GRAY);
    axes.draw_x_grid(canvas);
    axes.draw_y_grid(canvas);
}
