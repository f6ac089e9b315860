//! The contents of any file: `recoup data show`.
//!
//! Panels stand below each other: traces with the marks in time above them and a spectrogram below them, all on one time
//! axis; paths of points; images or the three middle slices of a volume; histograms of a table. What is drawn takes
//! memory by the size of the picture, whatever the length of the recording.

mod annotations;
mod images;
mod points;
mod signals;
mod span;
mod spectrum;
mod table;
mod volume;

use super::canvas::{Align, Area, BLACK, BODY, Canvas, GRAY, TITLE};
use super::{Picture, shortened};
use crate::figures::FigureError;
use recoup_formats::{Contents, Part};

/// Picture of the first parts that can be drawn.
const MAX_PARTS: usize = 6;
const MARGIN: f64 = 16.0;
const TITLE_HEIGHT: f64 = 40.0;
const NOTE_HEIGHT: f64 = 18.0;
/// Between panels.
const GAP: f64 = 22.0;

/// Choice and size of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderOptions {
    /// Heading, such as the name of the file.
    pub title: String,
    /// Name of the signal, point or column to draw alone; of the first signal without one there is a spectrogram.
    pub channel: Option<String>,
    /// Where to begin on the file's clock.
    pub start_secs: f64,
    /// How much to draw; to the end without it.
    pub duration_secs: Option<f64>,
    /// Pixels, 480 to 4000.
    pub width: u32,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            title: String::new(),
            channel: None,
            start_secs: 0.0,
            duration_secs: None,
            width: 1000,
        }
    }
}

/// A part of the picture, drawn into an area of the height that it asked for.
trait Panel {
    fn height(&self) -> f64;
    fn draw(&self, canvas: &mut Canvas, area: Area);
}

/// Draws what a reader found.
///
/// # Errors
/// [`FigureError`] for options that cannot be, among them a channel that the file does not have and a stretch
/// of time outside of it.
pub fn render(contents: &Contents, options: &RenderOptions) -> Result<Picture, FigureError> {
    check(contents, options)?;
    let width = f64::from(options.width);
    let mut panels: Vec<Box<dyn Panel + '_>> = Vec::new();
    let mut notes = Vec::new();
    for part in contents.parts.iter().take(MAX_PARTS) {
        match part {
            Part::Signals(channels) => signals::panels(channels, &contents.annotations, options, &mut panels)?,
            Part::Points(points) => points::panels(points, options, &mut panels)?,
            Part::Images(images) => match volume::Volume::new(images, width - 2.0 * MARGIN) {
                Some(volume) => panels.push(Box::new(volume)),
                None => panels.extend(images::Grid::new(images, width - 2.0 * MARGIN).map(|grid| Box::new(grid) as _)),
            },
            Part::Table(table) => {
                let histograms = table::Histograms::new(table, options, width - 2.0 * MARGIN);
                panels.extend(histograms.map(|histograms| Box::new(histograms) as _));
            }
        }
    }
    if contents.parts.len() > MAX_PARTS {
        notes.push(format!("and {} more parts", contents.parts.len() - MAX_PARTS));
    }
    if panels.is_empty() {
        notes.push("nothing in this file can be drawn".into());
    }

    let height = panels.iter().map(|panel| panel.height() + GAP).sum::<f64>();
    let mut canvas = Canvas::new(width, TITLE_HEIGHT + height + NOTE_HEIGHT * notes.len() as f64 + 8.0);
    let max_chars = ((width - 2.0 * MARGIN) / TITLE.width("m")) as usize;
    let title = match options.title.as_str() {
        "" => contents.format.clone(),
        title => format!("{title}: {}", contents.format),
    };
    canvas.text(&shortened(&title, max_chars), (MARGIN, 20.0), Align::Left, TITLE, BLACK);
    let mut top = TITLE_HEIGHT;
    for panel in &panels {
        panel.draw(
            &mut canvas,
            Area {
                left: MARGIN,
                top,
                width: width - 2.0 * MARGIN,
                height: panel.height(),
            },
        );
        top += panel.height() + GAP;
    }
    for note in notes {
        canvas.text(&note, (MARGIN, top + NOTE_HEIGHT / 2.0), Align::Left, BODY, GRAY);
        top += NOTE_HEIGHT;
    }
    canvas.into_picture()
}

fn check(contents: &Contents, options: &RenderOptions) -> Result<(), FigureError> {
    if !(480..=4000).contains(&options.width) {
        let what = format!("a picture of {} pixels", options.width);
        return Err(FigureError::new(what, "give a width of 480 to 4000 pixels"));
    }
    let is_time = |secs: f64| secs.is_finite() && secs >= 0.0;
    if !is_time(options.start_secs) || options.duration_secs.is_some_and(|secs| !is_time(secs) || secs == 0.0) {
        let what = format!(
            "a stretch from {} s of {:?} s",
            options.start_secs, options.duration_secs
        );
        return Err(FigureError::new(
            what,
            "give a start of 0 or more and a positive duration, in seconds",
        ));
    }
    let Some(channel) = &options.channel else { return Ok(()) };
    let names: Vec<&String> = contents.parts.iter().flat_map(names).collect();
    if names.contains(&channel) {
        return Ok(());
    }
    const SHOWN: usize = 20;
    let some: Vec<&str> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let list = if more == 0 {
        some.join(", ")
    } else {
        format!("{} and {more} more", some.join(", "))
    };
    Err(FigureError::new(
        format!("no channel `{channel}`: there is {list}"),
        "give one of these names",
    ))
}

fn names(part: &Part) -> Vec<&String> {
    match part {
        Part::Signals(channels) => channels.iter().map(|channel| &channel.name).collect(),
        Part::Points(points) => points.names.iter().collect(),
        Part::Images(_) => Vec::new(),
        Part::Table(table) => table.columns.iter().collect(),
    }
}

/// The unit in which a stretch of time is told, and its seconds.
fn time_unit(span_secs: f64) -> (&'static str, f64) {
    match span_secs {
        span if span >= 3.0 * 3600.0 => ("time [h]", 3600.0),
        span if span >= 300.0 => ("time [min]", 60.0),
        _ => ("time [s]", 1.0),
    }
}
