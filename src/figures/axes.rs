//! A plot area with ticks: where a value lies in pixels, and what the axes say.

use super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, LIGHT_GRAY};

/// Length of a tick mark, and its distance to the label.
const TICK_PIXELS: f64 = 4.0;

/// A linear axis.
#[derive(Clone)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Exactly from `low` to `high`, with about `num_ticks` ticks at multiples of 1, 2 or 5 times a power of ten.
    pub(super) fn new(low: f64, high: f64, num_ticks: usize) -> Self {
        // A single value gets room on both sides.
        let (low, high) = if high > low {
            (low, high)
        } else {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low - room, low + room)
        };
        let rough = (high - low) / num_ticks.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|digit| digit * power)
            .into_iter()
            .find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        // None where no multiple of the step lies between the ends.
        let num_values = if (last - first).is_finite() {
            (last - first + 1.0).max(0.0) as usize
        } else {
            0
        };
        let ticks = (0..num_values.min(2 * num_ticks + 1)).map(|index| (first + index as f64) * step);
        Self {
            low,
            high,
            ticks: ticks.map(|value| (value, tick_label(value, step))).collect(),
        }
    }

    /// From the smallest to the largest value with some room around; 0 to 1 without values.
    pub(super) fn around(values: impl Iterator<Item = f64>, room: f64, num_ticks: usize) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Self::new(0.0, 1.0, num_ticks);
        }
        let room = (high - low) * room;
        Self::new(low - room, high + room, num_ticks)
    }

    /// The axis with its low end where its high end was: lines of an image grow downwards.
    pub(super) fn turned(self) -> Self {
        Self {
            low: self.high,
            high: self.low,
            ..self
        }
    }

    /// At least two ticks, which a scale takes to be read, where there can be.
    pub(super) fn readable(self) -> Self {
        let more = (self.ticks.len()..8).map(|num_ticks| Self::new(self.low, self.high, num_ticks + 1));
        if self.ticks.len() > 1 {
            self
        } else {
            more.into_iter().find(|axis| axis.ticks.len() > 1).unwrap_or(self)
        }
    }

    pub(super) fn label_width(&self) -> f64 {
        BODY.widest(self.ticks.iter().map(|(_, label)| label))
    }

    /// 0 at the low end, 1 at the high end.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// As many decimals as tell ticks `step` apart from each other; powers of ten for very large and very small values.
fn tick_label(value: f64, step: f64) -> String {
    let step_power = (step * 1.0001).log10().floor() as i32;
    if value.abs() < step * 1e-6 {
        "0".to_owned()
    } else if value.abs() >= 1e6 || step < 1e-4 {
        let value_power = value.abs().log10().floor() as i32;
        format!("{value:.*e}", (value_power - step_power).clamp(0, 6) as usize)
    } else {
        format!("{value:.*}", (-step_power).max(0) as usize)
    }
}

/// The plot area of a figure with its two axes.
pub(super) struct Axes {
    pub(super) area: Area,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Axes {
    pub(super) fn x_pixel(&self, value: f64) -> f64 {
        self.area.left + self.x.fraction(value) * self.area.width
    }

    pub(super) fn y_pixel(&self, value: f64) -> f64 {
        self.area.bottom() - self.y.fraction(value) * self.area.height
    }

    pub(super) fn draw_x_grid(&self, canvas: &mut Canvas) {
        for (value, _) in &self.x.ticks {
            canvas.fill(
                Area {
                    left: self.x_pixel(*value),
                    width: 1.0,
                    ..self.area
                },
                LIGHT_GRAY,
            );
        }
    }

    pub(super) fn draw_y_grid(&self, canvas: &mut Canvas) {
        for (value, _) in &self.y.ticks {
            canvas.fill(
                Area {
                    top: self.y_pixel(*value),
                    height: 1.0,
                    ..self.area
                },
                LIGHT_GRAY,
            );
        }
    }

    /// Frame, tick marks and tick labels of both axes, and what the axes show.
    pub(super) fn draw(&self, canvas: &mut Canvas, x_label: &str, y_label: &str) {
        canvas.frame(self.area, GRAY);
        self.draw_x_ticks(canvas);
        let middle = self.area.left + self.area.width / 2.0;
        canvas.text(x_label, (middle, self.area.bottom() + 36.0), Align::Center, BODY, BLACK);
        self.draw_y_ticks(canvas, self.area.left - TICK_PIXELS, Align::Right);
        let label_x = self.area.left - 2.0 * TICK_PIXELS - self.y.label_width() - 14.0;
        canvas.text_upwards(
            y_label,
            (label_x, self.area.top + self.area.height / 2.0),
            Align::Center,
            BODY,
            BLACK,
        );
    }

    pub(super) fn draw_x_ticks(&self, canvas: &mut Canvas) {
        for (value, label) in &self.x.ticks {
            let x = self.x_pixel(*value);
            canvas.fill(
                Area {
                    left: x,
                    top: self.area.bottom(),
                    width: 1.0,
                    height: TICK_PIXELS,
                },
                GRAY,
            );
            canvas.text(label, (x, self.area.bottom() + 14.0), Align::Center, BODY, BLACK);
        }
    }

    /// `left` is where the marks begin; labels lie outside the marks, on the side that `align` leaves free.
    pub(super) fn draw_y_ticks(&self, canvas: &mut Canvas, left: f64, align: Align) {
        for (value, label) in &self.y.ticks {
            let y = self.y_pixel(*value);
            canvas.fill(
                Area {
                    left,
                    top: y,
                    width: TICK_PIXELS,
                    height: 1.0,
                },
                GRAY,
            );
            let label_x = match align {
                Align::Right => left - TICK_PIXELS,
                _ => left + 2.0 * TICK_PIXELS,
            };
            canvas.text(label, (label_x, y), align, BODY, BLACK);
        }
    }

    /// Room that the labels left of the area need.
    pub(super) fn left_margin(y: &Axis) -> f64 {
        y.label_width() + 2.0 * TICK_PIXELS + 28.0
    }
}
