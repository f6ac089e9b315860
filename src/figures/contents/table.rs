//! Histograms of the numeric columns of a table.

use super::super::axes::{Axes, Axis};
use super::super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, HEADING};
use super::super::{SERIES_COLORS, shortened};
use super::{Panel, RenderOptions};
use recoup_formats::delimited::DelimitedTable;
use recoup_formats::describe::column_numbers;

const MAX_HISTOGRAMS: usize = 12;
const ROW_HEIGHT: f64 = 190.0;
const PLOT_HEIGHT: f64 = 110.0;
const MAX_BINS: usize = 30;

pub(super) struct Histograms {
    histograms: Vec<Histogram>,
    num_more: usize,
    num_columns: usize,
}

struct Histogram {
    name: String,
    num_values: usize,
    missing_share: f64,
    low: f64,
    high: f64,
    counts: Vec<usize>,
    /// One bin per whole number.
    whole: bool,
}

impl Histograms {
    /// `None` without a numeric column.
    pub(super) fn new(table: &DelimitedTable, options: &RenderOptions, width: f64) -> Option<Self> {
        let is_chosen = |index: &usize| match &options.channel {
            None => true,
            Some(channel) => table.columns.get(*index) == Some(channel),
        };
        let columns = (0..table.columns.len()).filter(is_chosen);
        let mut histograms = columns.filter_map(|index| {
            let (numbers, missing_share) = column_numbers(table, index)?;
            Some(Histogram::new(
                table.columns.get(index).map_or("", String::as_str),
                &numbers,
                missing_share,
            ))
        });
        let shown: Vec<Histogram> = histograms.by_ref().take(MAX_HISTOGRAMS).collect();
        let num_more = histograms.count();
        let num_columns = ((width / 230.0) as usize).clamp(1, shown.len().max(1));
        (!shown.is_empty()).then_some(Self {
            histograms: shown,
            num_more,
            num_columns,
        })
    }
}

impl Histogram {
    /// As many bins as the root of the number of values, or one for each of a few whole numbers.
    fn new(name: &str, numbers: &[f64], missing_share: f64) -> Self {
        let (low, high) = numbers
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &number| {
                (low.min(number), high.max(number))
            });
        let whole = numbers.iter().all(|number| number.fract() == 0.0) && high - low < MAX_BINS as f64;
        let (low, high, num_bins) = match whole {
            true => (low - 0.5, high + 0.5, (high - low) as usize + 1),
            false if high > low => (
                low,
                high,
                ((numbers.len() as f64).sqrt().ceil() as usize).clamp(5, MAX_BINS),
            ),
            false => (low - low.abs() * 0.1, high + high.abs() * 0.1, 1),
        };
        let mut counts = vec![0; num_bins];
        for number in numbers {
            let bin = ((number - low) / (high - low) * num_bins as f64) as usize;
            if let Some(count) = counts.get_mut(bin.min(num_bins - 1)) {
                *count += 1;
            }
        }
        Self {
            name: name.to_owned(),
            num_values: numbers.len(),
            missing_share,
            low,
            high,
            counts,
            whole,
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let plot = Area {
            left: area.left + 52.0,
            top: area.top + 36.0,
            width: area.width - 66.0,
            height: PLOT_HEIGHT,
        };
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        // Whole numbers have no ticks between them.
        let num_ticks = if self.whole {
            (self.high - self.low - 1.0).clamp(1.0, 4.0) as usize
        } else {
            4
        };
        let x = Axis::new(self.low, self.high, num_ticks);
        let x = if self.whole { x } else { x.readable() };
        let axes = Axes {
            area: plot,
            x,
            y: Axis::new(0.0, most * 1.05, 3).readable(),
        };
        let max_chars = (plot.width / HEADING.width("m")) as usize;
        canvas.text(
            &shortened(&self.name, max_chars),
            (plot.left, area.top + 8.0),
            Align::Left,
            HEADING,
            BLACK,
        );
        let missing = match self.missing_share * 100.0 {
            0.0 => "none missing".into(),
            percent if percent < 0.1 => "< 0.1 % missing".into(),
            percent => format!("{percent:.1} % missing"),
        };
        canvas.text(
            &format!("{} values, {missing}", self.num_values),
            (plot.left, area.top + 24.0),
            Align::Left,
            BODY,
            GRAY,
        );
        axes.draw_y_grid(canvas);
        let width = plot.width / self.counts.len() as f64;
        for (bin, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let top = axes.y_pixel(count as f64).min(plot.bottom() - 1.0);
            let left = (plot.left + bin as f64 * width).round();
            let right = (plot.left + (bin as f64 + 1.0) * width).round();
            let gap = if width > 4.0 { 1.0 } else { 0.0 };
            let bar = Area {
                left,
                top,
                width: (right - left - gap).max(1.0),
                height: plot.bottom() - top,
            };
            canvas.fill(bar, SERIES_COLORS[0]);
        }
        canvas.frame(plot, GRAY);
        axes.draw_x_ticks(canvas);
        axes.draw_y_ticks(canvas, plot.left - 4.0, Align::Right);
    }
}

impl Panel for Histograms {
    fn height(&self) -> f64 {
        let rows = self.histograms.len().div_ceil(self.num_columns) as f64;
        rows * ROW_HEIGHT + if self.num_more > 0 { 18.0 } else { 0.0 }
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let width = area.width / self.num_columns as f64;
        for (index, histogram) in self.histograms.iter().enumerate() {
            let (column, row) = (index % self.num_columns, index / self.num_columns);
            let cell = Area {
                left: area.left + column as f64 * width,
                top: area.top + row as f64 * ROW_HEIGHT,
                width,
                height: ROW_HEIGHT,
            };
            histogram.draw(canvas, cell);
        }
        if self.num_more > 0 {
            let note = format!("and {} more numeric columns", self.num_more);
            canvas.text(&note, (area.left, area.bottom() - 9.0), Align::Left, BODY, GRAY);
        }
    }
}
