//! The line plot.

use super::axes::{Axes, Axis};
use super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, Rgb, TITLE};
use super::{Picture, SERIES_COLORS, shortened};
use crate::figures::FigureError;

const MAX_NAME_CHARS: usize = 28;
const LEGEND_ROW_PIXELS: f64 = 18.0;

/// Draws one line per (name, points) with a legend beside the plot.
///
/// A point with a NaN or an infinity breaks its line. From the seventh series on colours repeat with dashes; series that
/// find no place in the legend are counted there.
///
/// # Errors
/// Only if the picture cannot be encoded.
pub fn curves(
    series: &[(String, Vec<(f64, f64)>)],
    x_label: &str,
    y_label: &str,
    title: &str,
) -> Result<Picture, FigureError> {
    let points = || {
        series
            .iter()
            .flat_map(|(_, points)| points)
            .copied()
            .filter(is_drawable)
    };
    let y = Axis::around(points().map(|(_, y)| y), 0.05, 6);
    let top = if title.is_empty() { 16.0 } else { 44.0 };
    let area = Area {
        left: Axes::left_margin(&y),
        top,
        width: 600.0,
        height: 360.0,
    };
    let axes = Axes {
        area,
        x: Axis::around(points().map(|(x, _)| x), 0.0, 8),
        y,
    };

    let names: Vec<String> = series.iter().map(|(name, _)| shortened(name, MAX_NAME_CHARS)).collect();
    let legend_width = if names.is_empty() {
        0.0
    } else {
        46.0 + BODY.widest(&names).max(BODY.width("and 999 more"))
    };
    let width = (area.right() + legend_width + 24.0).max(TITLE.width(title) + 32.0);
    let mut canvas = Canvas::new(width, area.bottom() + 52.0);
    canvas.text(title, (area.left, 22.0), Align::Left, TITLE, BLACK);
    axes.draw_x_grid(&mut canvas);
    axes.draw_y_grid(&mut canvas);
    for (index, (_, points)) in series.iter().enumerate() {
        for part in points
            .split(|point| !is_drawable(point))
            .filter(|part| !part.is_empty())
        {
            let pixels: Vec<(f64, f64)> = part.iter().map(|&(x, y)| (axes.x_pixel(x), axes.y_pixel(y))).collect();
            draw_line(&mut canvas, &pixels, index, area);
        }
    }
    axes.draw(&mut canvas, x_label, y_label);
    draw_legend(&mut canvas, &names, area);
    canvas.into_picture()
}

/// Beyond this the width of the axis itself would overflow.
fn is_drawable(&(x, y): &(f64, f64)) -> bool {
    x.abs() < 1e300 && y.abs() < 1e300
}

fn draw_line(canvas: &mut Canvas, pixels: &[(f64, f64)], series: usize, clip: Area) {
    let color: Rgb = SERIES_COLORS[series % SERIES_COLORS.len()];
    let dash_pixels = match series / SERIES_COLORS.len() {
        0 => f64::INFINITY,
        1 => 8.0,
        _ => 3.0,
    };
    match pixels {
        [point] => canvas.polyline(&[*point], 5.0, color, clip),
        _ => {
            for dash in dashes(pixels, dash_pixels) {
                canvas.polyline(&dash, 1.8, color, clip);
            }
        }
    }
}

/// Cuts a line into strokes of `dash_pixels` with gaps as long.
fn dashes(points: &[(f64, f64)], dash_pixels: f64) -> Vec<Vec<(f64, f64)>> {
    if dash_pixels.is_infinite() {
        return vec![points.to_vec()];
    }
    let mut strokes = Vec::new();
    let mut stroke: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let mut is_gap = false;
    let mut left_over = dash_pixels;
    for pair in points.windows(2) {
        let ((x, y), end) = (pair[0], pair[1]);
        let length = (end.0 - x).hypot(end.1 - y);
        let mut done = 0.0;
        while length - done > left_over {
            done += left_over;
            left_over = dash_pixels;
            let cut = (x + (end.0 - x) * done / length, y + (end.1 - y) * done / length);
            if !is_gap {
                stroke.push(cut);
                strokes.push(std::mem::take(&mut stroke));
            }
            is_gap = !is_gap;
            stroke = vec![cut];
        }
        left_over -= length - done;
        stroke.push(end);
    }
    if !is_gap {
        strokes.push(stroke);
    }
    strokes
}

fn draw_legend(canvas: &mut Canvas, names: &[String], area: Area) {
    let left = area.right() + 16.0;
    let num_rows = (area.height / LEGEND_ROW_PIXELS) as usize;
    let num_shown = if names.len() > num_rows {
        num_rows - 1
    } else {
        names.len()
    };
    let row_y = |row: usize| area.top + (row as f64 + 0.5) * LEGEND_ROW_PIXELS;
    for (row, name) in names.iter().take(num_shown).enumerate() {
        let y = row_y(row);
        let clip = Area {
            left,
            top: y.floor() - 8.0,
            width: 24.0,
            height: 16.0,
        };
        draw_line(canvas, &[(left + 1.0, y), (left + 23.0, y)], row, clip);
        canvas.text(name, (left + 30.0, y), Align::Left, BODY, BLACK);
    }
    if num_shown < names.len() {
        let rest = format!("and {} more", names.len() - num_shown);
        canvas.text(&rest, (left + 30.0, row_y(num_shown)), Align::Left, BODY, GRAY);
    }
}
