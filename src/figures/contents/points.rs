//! Paths of points: seen along each axis, and each coordinate over time.

use ndarray::Axis as Dimension;

use super::super::axes::{Axes, Axis};
use super::super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, HEADING, Rgb};
use super::super::{SERIES_COLORS, shortened};
use super::signals::{grid, trace};
use super::span::Span;
use super::{Panel, RenderOptions};
use crate::figures::FigureError;
use recoup_formats::Points;

/// Points whose coordinates are drawn over time.
const MAX_LINES: usize = 6;
const MAX_NAME_CHARS: usize = 24;
const LANE_HEIGHT: f64 = 110.0;
/// Frames whose points are drawn as discs.
const NUM_POSES: usize = 3;
const PATH_COLOR: Rgb = [200, 205, 210];
const NAMES: [&str; 3] = ["x", "y", "z"];

/// Frames to draw, and the points that were asked for.
struct Chosen<'a> {
    points: &'a Points,
    /// Indices.
    shown: Vec<usize>,
    span: Span,
    rate_hz: f64,
}

pub(super) fn panels<'a>(
    points: &'a Points,
    options: &RenderOptions,
    panels: &mut Vec<Box<dyn Panel + 'a>>,
) -> Result<(), FigureError> {
    let (num_frames, num_points, num_axes) = points.positions.dim();
    if num_frames == 0 || num_points == 0 || !(2..=3).contains(&num_axes) {
        return Ok(());
    }
    let is_chosen = |&index: &usize| match &options.channel {
        None => true,
        Some(channel) => points.names.get(index) == Some(channel),
    };
    let shown: Vec<usize> = (0..num_points).filter(is_chosen).collect();
    if shown.is_empty() {
        return Ok(());
    }
    let rate_hz = points
        .rate_hz
        .filter(|rate_hz| rate_hz.is_finite() && *rate_hz > 0.0)
        .unwrap_or(1.0);
    let span = Span::new(num_frames as f64 / rate_hz, options)?;
    panels.push(Box::new(Views(Chosen {
        points,
        shown: shown.clone(),
        span,
        rate_hz,
    })));
    panels.push(Box::new(Coordinates(Chosen {
        points,
        shown,
        span,
        rate_hz,
    })));
    Ok(())
}

impl Chosen<'_> {
    fn name(&self, point: usize) -> String {
        let name = self.points.names.get(point).filter(|name| !name.is_empty());
        shortened(name.unwrap_or(&(point + 1).to_string()), MAX_NAME_CHARS)
    }

    fn axis_label(&self, axis: usize) -> String {
        let name = NAMES.get(axis).copied().unwrap_or_default();
        if self.points.unit == "1" {
            name.into()
        } else {
            format!("{name} [{}]", shortened(&self.points.unit, 8))
        }
    }

    fn coordinate(&self, point: usize, axis: usize) -> Vec<f32> {
        self.points
            .positions
            .index_axis(Dimension(2), axis)
            .index_axis(Dimension(1), point)
            .to_vec()
    }

    /// The coordinates in the span, with the index of the first frame.
    fn path(&self, point: usize, axis: usize) -> (usize, Vec<f32>) {
        let values = self.coordinate(point, axis);
        let (first, values) = self.span.cut(&values, self.rate_hz);
        (first, values.to_vec())
    }

    /// The frames of the span in which a point was seen.
    fn seen(&self) -> Vec<usize> {
        let paths: Vec<Vec<f32>> = self.shown.iter().map(|&point| self.path(point, 0).1).collect();
        let num_frames = paths.first().map_or(0, Vec::len);
        let is_seen = |frame: &usize| {
            paths
                .iter()
                .any(|path| path.get(*frame).is_some_and(|value| value.is_finite()))
        };
        (0..num_frames).filter(is_seen).collect()
    }

    fn range(&self, axis: usize) -> Option<(f64, f64)> {
        let mut range: Option<(f64, f64)> = None;
        for &point in &self.shown {
            for value in self
                .path(point, axis)
                .1
                .into_iter()
                .filter(|value| value.is_finite())
                .map(f64::from)
            {
                range = Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))));
            }
        }
        range
    }
}

/// The points from the front, from the side and from above, with one scale for all.
struct Views<'a>(Chosen<'a>);

impl Views<'_> {
    /// Horizontal and vertical axis of each view.
    fn planes(&self) -> &'static [(usize, usize)] {
        if self.0.points.positions.dim().2 == 2 {
            &[(0, 1)]
        } else {
            &[(0, 2), (1, 2), (0, 1)]
        }
    }

    fn draw_view(&self, canvas: &mut Canvas, axes: &Axes, (across, up): (usize, usize)) {
        let chosen = &self.0;
        let path = |point: usize| {
            let (_, xs) = chosen.path(point, across);
            let (_, ys) = chosen.path(point, up);
            let pairs = xs.into_iter().zip(ys);
            pairs
                .map(|(x, y)| (axes.x_pixel(x.into()), axes.y_pixel(y.into())))
                .collect::<Vec<_>>()
        };
        // More points than this on a path are not seen.
        const MAX_PATH: usize = 2000;
        let mut poses = vec![Vec::new(); NUM_POSES];
        let seen = chosen.seen();
        for &point in &chosen.shown {
            let path = path(point);
            let is_seen = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
            for (index, pose) in poses.iter_mut().enumerate() {
                let Some(frame) = seen.get(index * seen.len().saturating_sub(1) / (NUM_POSES - 1)) else {
                    continue;
                };
                pose.extend(path.get(*frame).copied().filter(is_seen));
            }
            let step = path.len().div_ceil(MAX_PATH).max(1);
            let path: Vec<(f64, f64)> = path.into_iter().step_by(step).collect();
            for part in path.split(|point| !is_seen(point)).filter(|part| part.len() > 1) {
                canvas.polyline(part, 1.0, PATH_COLOR, axes.area);
            }
        }
        for (pose, color) in poses.iter().zip(SERIES_COLORS) {
            for &point in pose {
                canvas.polyline(&[point], 4.5, color, axes.area);
            }
        }
    }
}

impl Panel for Views<'_> {
    fn height(&self) -> f64 {
        44.0 + 300.0 + 44.0
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let chosen = &self.0;
        let count = self.planes().len() as f64;
        let heading = format!(
            "paths of {} points; discs: first, middle and last frame",
            chosen.shown.len()
        );
        canvas.text(&heading, (area.left, area.top + 8.0), Align::Left, HEADING, BLACK);
        for (index, name) in ["first", "middle", "last"].iter().enumerate() {
            let left = area.left + index as f64 * 80.0;
            let clip = Area {
                left,
                top: area.top + 18.0,
                width: 12.0,
                height: 16.0,
            };
            canvas.polyline(&[(left + 6.0, area.top + 26.0)], 6.0, SERIES_COLORS[index], clip);
            canvas.text(name, (left + 14.0, area.top + 26.0), Align::Left, BODY, GRAY);
        }
        let cell = area.width / count.max(2.0);
        let (width, height) = (cell - 90.0, 300.0);
        let ranges: Vec<(f64, f64)> = (0..3)
            .map(|axis| {
                if axis < chosen.points.positions.dim().2 {
                    chosen.range(axis).unwrap_or((0.0, 1.0))
                } else {
                    (0.0, 1.0)
                }
            })
            .collect();
        // Units per pixel: the same along all axes of all views.
        let scale = self.planes().iter().flat_map(|&(across, up)| {
            let size = |axis: usize| ranges[axis].1 - ranges[axis].0;
            [size(across) / width, size(up) / height]
        });
        let scale = scale.fold(0.0, f64::max).max(f64::MIN_POSITIVE) * 1.1;
        let axis = |axis: usize, pixels: f64| {
            let middle = (ranges[axis].0 + ranges[axis].1) / 2.0;
            // All points in one place: any scale does.
            let half = if scale > 1e-300 { pixels * scale / 2.0 } else { 1.0 };
            Axis::new(middle - half, middle + half, (pixels / 60.0) as usize)
        };
        // Lines of a picture, in pixels or in shares of its size, are counted from above.
        let is_picture = ["px", "1"].contains(&chosen.points.unit.as_str());
        for (index, &(across, up)) in self.planes().iter().enumerate() {
            let plot = Area {
                left: area.left + index as f64 * cell + 76.0,
                top: area.top + 44.0,
                width,
                height,
            };
            let vertical = axis(up, height);
            let vertical = if is_picture { vertical.turned() } else { vertical };
            let axes = Axes {
                area: plot,
                x: axis(across, width),
                y: vertical,
            };
            grid(canvas, &axes);
            self.draw_view(canvas, &axes, (across, up));
            axes.draw(canvas, &chosen.axis_label(across), &chosen.axis_label(up));
        }
    }
}

/// Each coordinate of the first points over time.
struct Coordinates<'a>(Chosen<'a>);

impl Panel for Coordinates<'_> {
    fn height(&self) -> f64 {
        let num_axes = self.0.points.positions.dim().2;
        22.0 + num_axes as f64 * (LANE_HEIGHT + 7.0) + 44.0
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let chosen = &self.0;
        let names: Vec<String> = chosen
            .shown
            .iter()
            .take(MAX_LINES)
            .map(|&point| chosen.name(point))
            .collect();
        let right = 40.0 + BODY.widest(&names).max(BODY.width("and 999 more"));
        let plot = Area {
            left: area.left + 76.0,
            width: area.width - 76.0 - right,
            ..area
        };
        canvas.text("coordinates", (area.left, area.top + 8.0), Align::Left, HEADING, BLACK);
        let (x, label) = chosen.span.axis();
        let label = if chosen.points.rate_hz.is_some() {
            label
        } else {
            "frame"
        };
        let mut top = area.top + 22.0;
        for axis in 0..chosen.points.positions.dim().2 {
            let lane = Area {
                top,
                height: LANE_HEIGHT,
                ..plot
            };
            let paths: Vec<_> = chosen
                .shown
                .iter()
                .take(MAX_LINES)
                .map(|&point| chosen.path(point, axis))
                .collect();
            let finite = paths
                .iter()
                .flat_map(|(_, path)| path)
                .filter(|value| value.is_finite());
            let axes = Axes {
                area: lane,
                x: x.clone(),
                y: Axis::around(finite.map(|&value| value.into()), 0.06, 3).readable(),
            };
            grid(canvas, &axes);
            for ((first, path), color) in paths.iter().zip(SERIES_COLORS) {
                let x_of = |index: usize| {
                    let secs = (first + index) as f64 / chosen.rate_hz;
                    lane.left + (secs - chosen.span.start_secs) / chosen.span.secs() * lane.width
                };
                trace(canvas, &axes, path, x_of, color);
            }
            canvas.frame(lane, GRAY);
            axes.draw_y_ticks(canvas, lane.left - 4.0, Align::Right);
            canvas.text_upwards(
                &chosen.axis_label(axis),
                (area.left + 6.0, lane.top + lane.height / 2.0),
                Align::Center,
                BODY,
                BLACK,
            );
            if axis + 1 == chosen.points.positions.dim().2 {
                axes.draw_x_ticks(canvas);
                canvas.text(
                    label,
                    (lane.left + lane.width / 2.0, lane.bottom() + 34.0),
                    Align::Center,
                    BODY,
                    BLACK,
                );
            }
            top += LANE_HEIGHT + 7.0;
        }
        for (index, (name, color)) in names.iter().zip(SERIES_COLORS).enumerate() {
            let y = area.top + 32.0 + index as f64 * 18.0;
            let clip = Area {
                left: plot.right() + 10.0,
                top: y - 8.0,
                width: 20.0,
                height: 16.0,
            };
            canvas.polyline(&[(clip.left, y), (clip.right(), y)], 2.0, color, clip);
            canvas.text(name, (clip.right() + 6.0, y), Align::Left, BODY, BLACK);
        }
        if chosen.shown.len() > MAX_LINES {
            let y = area.top + 32.0 + MAX_LINES as f64 * 18.0;
            let note = format!("and {} more", chosen.shown.len() - MAX_LINES);
            canvas.text(&note, (plot.right() + 36.0, y), Align::Left, BODY, GRAY);
        }
    }
}
