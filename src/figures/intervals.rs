//! Means with confidence intervals, one row each.

use super::axes::{Axes, Axis};
use super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, HEADING, TITLE};
use super::{Picture, SERIES_COLORS, shortened};
use crate::figures::FigureError;

const MAX_NAME_CHARS: usize = 36;
const MAX_ROWS: usize = 200;
const ROW_PIXELS: f64 = 24.0;
const REFERENCE_COLOR: [u8; 3] = [213, 94, 0];

/// One row of the plot.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalRow {
    /// Rows with the same group in succession stand under one heading; none if empty.
    pub group: String,
    /// Label of the row.
    pub name: String,
    /// The point.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Draws a point with its interval per row, the numbers beside it, and a vertical line at `reference`, such as the mean
/// of the baseline or a difference of 0. A row with a NaN or an infinity says "n/a".
///
/// # Errors
/// [`FigureError`] without rows, with more than 200, or if a row's mean lies outside its interval.
pub fn intervals(rows: &[IntervalRow], reference: f64, value_label: &str, title: &str) -> Result<Picture, FigureError> {
    check(rows, title)?;
    let ends = rows
        .iter()
        .filter(|row| is_drawable(row))
        .flat_map(|row| [row.low, row.high]);
    let x = Axis::around(ends.chain(reference.is_finite().then_some(reference)), 0.05, 7);
    let names: Vec<String> = rows.iter().map(|row| shortened(&row.name, MAX_NAME_CHARS)).collect();
    let numbers: Vec<String> = rows.iter().map(numbers).collect();
    let groups: Vec<String> = rows.iter().map(|row| shortened(&row.group, MAX_NAME_CHARS)).collect();
    // A heading takes a row of its own above the first row of its group.
    let has_heading =
        |index: usize| !groups[index].is_empty() && (index == 0 || rows[index - 1].group != rows[index].group);
    let num_lines = rows.len() + (0..rows.len()).filter(|&index| has_heading(index)).count();

    let indent = if groups.iter().all(String::is_empty) { 0.0 } else { 14.0 };
    let left = 16.0 + (indent + BODY.widest(&names)).max(HEADING.widest(&groups)) + 14.0;
    let top = if title.is_empty() { 16.0 } else { 44.0 };
    let area = Area {
        left,
        top,
        width: 420.0,
        height: ROW_PIXELS * num_lines as f64 + 6.0,
    };
    let width = (area.right() + 14.0 + BODY.widest(&numbers) + 16.0).max(TITLE.width(title) + 32.0);
    let mut canvas = Canvas::new(width, area.bottom() + 52.0);
    let axes = Axes {
        area,
        x,
        y: Axis::new(0.0, 1.0, 1),
    };

    canvas.text(title, (16.0, 22.0), Align::Left, TITLE, BLACK);
    draw_background(&mut canvas, &axes, reference, value_label);
    let mut line_y = area.top + 3.0 + ROW_PIXELS / 2.0;
    for (index, row) in rows.iter().enumerate() {
        if has_heading(index) {
            canvas.text(&groups[index], (16.0, line_y), Align::Left, HEADING, BLACK);
            line_y += ROW_PIXELS;
        }
        canvas.text(&names[index], (16.0 + indent, line_y), Align::Left, BODY, BLACK);
        canvas.text(&numbers[index], (area.right() + 14.0, line_y), Align::Left, BODY, BLACK);
        if is_drawable(row) {
            draw_interval(&mut canvas, &axes, row, line_y);
        }
        line_y += ROW_PIXELS;
    }
    canvas.into_picture()
}

fn check(rows: &[IntervalRow], title: &str) -> Result<(), FigureError> {
    if rows.is_empty() || rows.len() > MAX_ROWS {
        return Err(FigureError::new(
            format!("interval plot \"{title}\" has {} rows", rows.len()),
            "give 1 to 200 rows; split a larger comparison into several figures",
        ));
    }
    match rows
        .iter()
        .find(|row| is_drawable(row) && !(row.low <= row.mean && row.mean <= row.high))
    {
        None => Ok(()),
        Some(row) => Err(FigureError::new(
            format!(
                "row \"{}\" has mean {} outside its interval [{}, {}]",
                row.name, row.mean, row.low, row.high
            ),
            "give low <= mean <= high; a NaN for what is unknown",
        )),
    }
}

fn is_drawable(row: &IntervalRow) -> bool {
    [row.mean, row.low, row.high].iter().all(|value| value.abs() < 1e300)
}

fn numbers(row: &IntervalRow) -> String {
    if is_drawable(row) {
        format!("{:.3} [{:.3}, {:.3}]", row.mean, row.low, row.high)
    } else {
        "n/a".to_owned()
    }
}

fn draw_background(canvas: &mut Canvas, axes: &Axes, reference: f64, value_label: &str) {
    let area = axes.area;
    axes.draw_x_grid(canvas);
    canvas.frame(area, GRAY);
    axes.draw_x_ticks(canvas);
    canvas.text(
        value_label,
        (area.left + area.width / 2.0, area.bottom() + 36.0),
        Align::Center,
        BODY,
        BLACK,
    );
    if reference.is_finite() {
        let x = axes.x_pixel(reference);
        canvas.polyline(&[(x, area.top), (x, area.bottom())], 1.5, REFERENCE_COLOR, area);
    }
}

fn draw_interval(canvas: &mut Canvas, axes: &Axes, row: &IntervalRow, y: f64) {
    let color = SERIES_COLORS[0];
    let (low, high) = (axes.x_pixel(row.low), axes.x_pixel(row.high));
    canvas.polyline(&[(low, y), (high, y)], 2.0, color, axes.area);
    for end in [low, high] {
        canvas.polyline(&[(end, y - 5.0), (end, y + 5.0)], 2.0, color, axes.area);
    }
    canvas.polyline(&[(axes.x_pixel(row.mean), y)], 8.0, color, axes.area);
}
