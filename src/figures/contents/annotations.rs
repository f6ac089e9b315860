//! Marks in time above the traces, with as many labels as fit.

use std::collections::BTreeMap;

use super::super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, Rgb};
use super::super::shortened;
use super::span::Span;
use recoup_formats::Annotation;

const COLOR: Rgb = [213, 94, 0];
const LINE_COLOR: Rgb = [245, 205, 180];
const MAX_LABEL_CHARS: usize = 20;
const ROW_HEIGHT: f64 = 13.0;
const NUM_ROWS: usize = 2;
/// Marks that are nearer to each other, on average, have no lines through the traces.
const MIN_LINE_PIXELS: f64 = 12.0;

/// The annotations in a stretch of time.
pub(super) struct Marks<'a> {
    marks: Vec<&'a Annotation>,
    span: Span,
}

impl<'a> Marks<'a> {
    /// Two rows of labels, and the marks below them.
    pub(super) const HEIGHT: f64 = NUM_ROWS as f64 * ROW_HEIGHT + 14.0;

    pub(super) fn new(annotations: &'a [Annotation], span: Span) -> Option<Self> {
        let is_in = |mark: &&Annotation| {
            let end = mark.onset_secs + mark.duration_secs.unwrap_or(0.0);
            end >= span.start_secs && mark.onset_secs <= span.end_secs
        };
        let marks: Vec<&Annotation> = annotations.iter().filter(is_in).collect();
        (!marks.is_empty()).then_some(Self { marks, span })
    }

    /// `strip` is above the traces, `lanes` are the traces, `left` is where the heading stands.
    pub(super) fn draw(&self, canvas: &mut Canvas, strip: Area, lanes: Area, left: f64) {
        let x_of = |secs: f64| {
            let share = (secs - self.span.start_secs) / self.span.secs();
            strip.left + share.clamp(0.0, 1.0) * strip.width
        };
        let is_sparse = self.marks.len() as f64 * MIN_LINE_PIXELS <= strip.width;
        let tick = Area {
            left: 0.0,
            top: strip.bottom() - 11.0,
            width: 1.0,
            height: 7.0,
        };
        for mark in &self.marks {
            let (start, end) = (
                x_of(mark.onset_secs),
                x_of(mark.onset_secs + mark.duration_secs.filter(|secs| *secs > 0.0).unwrap_or(0.0)),
            );
            if is_sparse && mark.onset_secs >= self.span.start_secs {
                canvas.fill(
                    Area {
                        left: start,
                        ..Area { width: 1.0, ..lanes }
                    },
                    LINE_COLOR,
                );
            }
            canvas.fill(Area { left: start, ..tick }, COLOR);
            if end > start + 1.0 {
                canvas.fill(
                    Area {
                        left: start,
                        top: tick.top + 5.0,
                        width: end - start,
                        height: 2.0,
                    },
                    COLOR,
                );
            }
        }
        self.draw_labels(canvas, strip, x_of);
        canvas.text("annotations", (left, strip.top + 6.0), Align::Left, BODY, BLACK);
        canvas.text(
            &self.marks.len().to_string(),
            (left, strip.top + 20.0),
            Align::Left,
            BODY,
            GRAY,
        );
    }

    /// Labels of rare kinds find their place first; one that would touch another is left out. A kind that is too frequent
    /// for labels gets none, and is named at the right.
    fn draw_labels(&self, canvas: &mut Canvas, strip: Area, x_of: impl Fn(f64) -> f64) {
        let mut counts = BTreeMap::<&str, usize>::new();
        for mark in &self.marks {
            *counts.entry(mark.text.trim()).or_default() += 1;
        }
        let count = |text: &str| counts.get(text.trim()).copied().unwrap_or(0);
        let is_frequent = |count: usize| count as f64 * MIN_LINE_PIXELS > strip.width;
        let mut order: Vec<&&Annotation> = self.marks.iter().filter(|mark| !mark.text.trim().is_empty()).collect();
        order.retain(|mark| !is_frequent(count(&mark.text)));
        order.sort_by_key(|mark| count(&mark.text));
        let mut rows: [Vec<(f64, f64)>; NUM_ROWS] = Default::default();
        for mark in order {
            let text = shortened(mark.text.trim(), MAX_LABEL_CHARS);
            let half = BODY.width(&text) / 2.0;
            let highest = (strip.right() - half).max(strip.left + half);
            let middle = x_of(mark.onset_secs).clamp(strip.left + half, highest);
            let (low, high) = (middle - half - 4.0, middle + half + 4.0);
            let is_free = |row: &Vec<(f64, f64)>| row.iter().all(|(start, end)| high <= *start || low >= *end);
            // The lower row first: it is nearer to the marks.
            let Some(row) = (0..NUM_ROWS).rev().find(|&row| is_free(&rows[row])) else {
                continue;
            };
            rows[row].push((low, high));
            let y = strip.top + (row as f64 + 0.5) * ROW_HEIGHT;
            canvas.text(&text, (middle, y), Align::Center, BODY, COLOR);
        }
        let frequent = counts
            .iter()
            .filter(|(_, count)| is_frequent(**count))
            .map(|(text, _)| *text);
        let frequent: Vec<&str> = frequent.collect();
        if !frequent.is_empty() {
            let note = format!("not {}", frequent.join(", "));
            canvas.text(
                &shortened(&note, 12),
                (strip.right() + 6.0, strip.top + 6.0),
                Align::Left,
                BODY,
                GRAY,
            );
        }
    }
}
