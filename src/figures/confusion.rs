//! The confusion matrix.

use super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, HEADING, LIGHT_GRAY, Rgb, TITLE, WHITE};
use super::{Picture, interpolate, shortened};
use crate::figures::FigureError;

const MAX_CLASSES: usize = 40;
const MAX_NAME_CHARS: usize = 24;
const WHITE_TO_BLUE: [Rgb; 4] = [[250, 252, 255], [158, 202, 225], [49, 130, 189], [8, 48, 107]];

/// Draws `counts[true class][predicted class]`, each with its share of its row, which is also the colour.
///
/// # Errors
/// [`FigureError`] unless `counts` has one row and one column per class and there are 1 to 40 classes.
pub fn confusion_matrix(classes: &[String], counts: &[Vec<u64>], title: &str) -> Result<Picture, FigureError> {
    let num_classes = classes.len();
    if num_classes == 0
        || num_classes > MAX_CLASSES
        || counts.len() != num_classes
        || counts.iter().any(|row| row.len() != num_classes)
    {
        return Err(FigureError::new(
            format!(
                "confusion matrix \"{title}\" has {num_classes} classes and {} rows of counts",
                counts.len()
            ),
            "give one row and one column per class, for 1 to 40 classes",
        ));
    }
    let names: Vec<String> = classes.iter().map(|name| shortened(name, MAX_NAME_CHARS)).collect();
    let name_width = BODY.widest(&names);
    let cell_width = (HEADING.widest(counts.iter().flatten().map(u64::to_string)) + 14.0).max(62.0);
    let cell_height = 48.0;
    let has_upright_names = name_width > cell_width - 8.0;
    let names_height = if has_upright_names { name_width } else { 14.0 };

    let left = 34.0 + name_width + 10.0;
    let top = if title.is_empty() { 14.0 } else { 44.0 };
    let grid = Area {
        left,
        top,
        width: cell_width * num_classes as f64,
        height: cell_height * num_classes as f64,
    };
    let width = (grid.right() + 16.0).max(TITLE.width(title) + 32.0);
    let mut canvas = Canvas::new(width, grid.bottom() + names_height + 40.0);
    canvas.text(title, (16.0, 22.0), Align::Left, TITLE, BLACK);
    canvas.text_upwards(
        "true",
        (18.0, grid.top + grid.height / 2.0),
        Align::Center,
        HEADING,
        GRAY,
    );
    let predicted_y = grid.bottom() + names_height + 24.0;
    canvas.text(
        "predicted",
        (grid.left + grid.width / 2.0, predicted_y),
        Align::Center,
        HEADING,
        GRAY,
    );

    for (index, name) in names.iter().enumerate() {
        let middle_y = grid.top + (index as f64 + 0.5) * cell_height;
        canvas.text(name, (grid.left - 8.0, middle_y), Align::Right, BODY, BLACK);
        let middle_x = grid.left + (index as f64 + 0.5) * cell_width;
        if has_upright_names {
            canvas.text_upwards(name, (middle_x, grid.bottom() + 8.0), Align::Right, BODY, BLACK);
        } else {
            canvas.text(name, (middle_x, grid.bottom() + 14.0), Align::Center, BODY, BLACK);
        }
    }
    for (row, row_counts) in counts.iter().enumerate() {
        let row_total: f64 = row_counts.iter().map(|&count| count as f64).sum();
        for (column, &count) in row_counts.iter().enumerate() {
            let cell = Area {
                left: grid.left + column as f64 * cell_width,
                top: grid.top + row as f64 * cell_height,
                width: cell_width,
                height: cell_height,
            };
            draw_cell(&mut canvas, cell, count, row_total);
        }
    }
    canvas.frame(grid, GRAY);
    canvas.into_picture()
}

fn draw_cell(canvas: &mut Canvas, cell: Area, count: u64, row_total: f64) {
    let share = if row_total > 0.0 { count as f64 / row_total } else { 0.0 };
    let ink = if share > 0.5 { WHITE } else { BLACK };
    let middle = cell.left + cell.width / 2.0;
    canvas.fill(cell, interpolate(&WHITE_TO_BLUE, share));
    canvas.frame(
        Area {
            left: cell.left + 1.0,
            top: cell.top + 1.0,
            width: cell.width - 1.0,
            height: cell.height - 1.0,
        },
        LIGHT_GRAY,
    );
    let percent = if row_total > 0.0 {
        format!("{:.1}%", 100.0 * share)
    } else {
        "-".to_owned()
    };
    canvas.text(
        &count.to_string(),
        (middle, cell.top + 16.0),
        Align::Center,
        HEADING,
        ink,
    );
    canvas.text(&percent, (middle, cell.top + 33.0), Align::Center, BODY, ink);
}
