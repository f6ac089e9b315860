//! A description as text: aligned columns, long lists cut with a count, at most 100 characters wide.

use std::fmt::{self, Write as _};

use super::{
    AnnotationsDescription, ChannelDescription, ColumnDescription, ColumnKind, Description, ImagesDescription, Missing,
    PartDescription, PointsDescription, Range,
};

/// Rows of a list that are shown.
const MAX_ROWS: usize = 40;
/// Kinds of annotations and of categories that are shown.
const MAX_KINDS: usize = 8;
const MAX_NAME_CHARS: usize = 28;
const MAX_CHANNEL_CHARS: usize = 20;
const MAX_VALUE_CHARS: usize = 72;

/// A number with four significant digits, all digits of larger ones; a power of ten from a million and below a
/// thousandth.
pub fn short_number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    if value.fract() == 0.0 && size < 1e9 {
        return format!("{value:.0}");
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let decimals = 3 - size.log10().floor() as i32;
    let text = format!("{value:.*}", decimals.max(0) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Seconds as people say them: `0.5 s`, `30 min 5.556 s`, `23 h 59 min 2 s`.
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs.abs() < 120.0 {
        return format!("{} s", short_number(secs));
    }
    let sign = if secs < 0.0 { "-" } else { "" };
    let millis = (secs.abs() * 1000.0).round();
    let (minutes, secs) = ((millis / 60_000.0).floor(), (millis % 60_000.0) / 1000.0);
    match (minutes / 60.0).floor() {
        0.0 => format!("{sign}{minutes:.0} min {} s", short_number(secs)),
        hours => format!("{sign}{hours:.0} h {:.0} min {:.0} s", minutes % 60.0, secs.floor()),
    }
}

/// The text, or its beginning and `..`; without control characters.
fn shortened(text: &str, max_chars: usize) -> String {
    let clean = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    if text.chars().count() <= max_chars {
        return clean.collect();
    }
    clean.take(max_chars.saturating_sub(2)).chain("..".chars()).collect()
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "-".into(),
        percent if percent < 0.1 => "< 0.1 %".into(),
        percent => format!("{percent:.1} %"),
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A table of cells below its heading; columns whose bit in `right` is set are aligned at their right side.
fn table(f: &mut fmt::Formatter<'_>, heading: &[&str], rows: &[Vec<String>], right: &[bool]) -> fmt::Result {
    let heading: Vec<String> = heading.iter().map(ToString::to_string).collect();
    let shown = || std::iter::once(&heading).chain(rows.iter().take(MAX_ROWS));
    let width = |column: usize| {
        shown()
            .map(|row| row.get(column).map_or(0, |cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    for row in shown() {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(&widths).zip(right) {
            match right {
                true => write!(line, "  {cell:>width$}")?,
                false => write!(line, "  {cell:<width$}")?,
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    match rows.len().saturating_sub(MAX_ROWS) {
        0 => Ok(()),
        more => writeln!(f, "  ... and {more} more"),
    }
}

fn range_cells(range: Option<Range>) -> [String; 3] {
    match range {
        None => ["-", "-", "-"].map(String::from),
        Some(Range { min, max, mean }) => [min, max, mean].map(short_number),
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", shortened(&self.format, 98))?;
        let width = self
            .facts
            .iter()
            .map(|(name, _)| name.chars().count().min(MAX_NAME_CHARS))
            .max()
            .unwrap_or(0);
        let indent = format!("\n  {:width$}  ", "");
        // Hidden values of one name in succession share a line.
        let same =
            |a: &(String, Option<String>), b: &(String, Option<String>)| a.0 == b.0 && a.1.is_none() && b.1.is_none();
        let groups: Vec<_> = self.facts.chunk_by(same).collect();
        for group in groups.iter().take(MAX_ROWS) {
            let Some((name, value)) = group.first() else { continue };
            let hidden = format!("({} hidden: may identify a person; --personal shows it)", group.len());
            let value = wrapped(value.as_ref().unwrap_or(&hidden), MAX_VALUE_CHARS.min(94 - width)).join(&indent);
            writeln!(f, "  {:width$}  {value}", shortened(name, MAX_NAME_CHARS))?;
        }
        if groups.len() > MAX_ROWS {
            writeln!(f, "  ... and {} more", groups.len() - MAX_ROWS)?;
        }
        for part in &self.parts {
            writeln!(f)?;
            match part {
                PartDescription::Signals { channels } => signals(f, channels)?,
                PartDescription::Points(points) => self::points(f, points)?,
                PartDescription::Images(images) => self::images(f, images)?,
                PartDescription::Table { num_rows, columns } => self::columns(f, *num_rows, columns)?,
            }
        }
        if self.parts.is_empty() {
            writeln!(f, "\nno data")?;
        }
        if let Some(annotations) = &self.annotations {
            writeln!(f)?;
            self::annotations(f, annotations)?;
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\nwarnings")?;
        }
        for warning in self.warnings.iter().take(MAX_ROWS) {
            writeln!(f, "  {}", wrapped(&warning.to_string(), 96).join("\n  "))?;
        }
        match self.warnings.len().saturating_sub(MAX_ROWS) {
            0 => Ok(()),
            more => writeln!(f, "  ... and {more} more"),
        }
    }
}

/// Lines of whole words; the rest is cut after four lines.
fn wrapped(text: &str, max_chars: usize) -> Vec<String> {
    const MAX_LINES: usize = 4;
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let word = shortened(word, max_chars);
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > max_chars {
            lines.push(std::mem::take(&mut line));
            if lines.len() == MAX_LINES {
                line.push_str("...");
                break;
            }
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

/// Signals in succession that share rate and length stand below one heading.
fn signals(f: &mut fmt::Formatter<'_>, channels: &[ChannelDescription]) -> fmt::Result {
    if channels.is_empty() {
        return writeln!(f, "no signals");
    }
    let is_like =
        |a: &ChannelDescription, b: &ChannelDescription| a.rate_hz == b.rate_hz && a.num_samples == b.num_samples;
    for group in channels.chunk_by(is_like) {
        let Some(first) = group.first() else { continue };
        writeln!(
            f,
            "{} at {} Hz, {}, {}",
            plural(group.len(), "signal", "signals"),
            short_number(first.rate_hz),
            plural(first.num_samples, "sample", "samples"),
            duration(first.duration_secs)
        )?;
        let row = |channel: &ChannelDescription| {
            let [min, max, mean] = range_cells(channel.range);
            let Missing { count, stretches, .. } = channel.missing;
            let share = percent(count as f64 / channel.num_samples.max(1) as f64);
            let [missing, stretches] = match count {
                0 => ["-", "-"].map(String::from),
                _ => [format!("{count} ({share})"), stretches.to_string()],
            };
            let (name, unit) = (shortened(&channel.name, MAX_CHANNEL_CHARS), shortened(&channel.unit, 8));
            vec![name, unit, min, max, mean, missing, stretches]
        };
        let rows: Vec<_> = group.iter().map(row).collect();
        let heading = ["channel", "unit", "min", "max", "mean", "missing", "stretches"];
        table(f, &heading, &rows, &[false, false, true, true, true, true, true])?;
    }
    Ok(())
}

fn rate(rate_hz: Option<f64>, count: usize) -> String {
    match rate_hz {
        Some(rate_hz) => format!(" at {} Hz, {}", short_number(rate_hz), duration(count as f64 / rate_hz)),
        None => String::new(),
    }
}

fn points(f: &mut fmt::Formatter<'_>, points: &PointsDescription) -> fmt::Result {
    let frames = plural(points.num_frames, "frame", "frames");
    let count = plural(points.points.len(), "point", "points");
    writeln!(
        f,
        "{count} in {} dimensions, {frames}{}",
        points.num_axes,
        rate(points.rate_hz, points.num_frames)
    )?;
    let mut rows = Vec::new();
    for (name, range) in ["x", "y", "z"].iter().zip(&points.ranges) {
        let [min, max, mean] = range_cells(*range);
        rows.push(vec![name.to_string(), points.unit.clone(), min, max, mean]);
    }
    if let Some(confidence) = points.confidence {
        let [min, max, mean] = range_cells(Some(confidence));
        rows.push(vec!["confidence".into(), String::new(), min, max, mean]);
    }
    table(
        f,
        &["axis", "unit", "min", "max", "mean"],
        &rows,
        &[false, false, true, true, true],
    )?;
    let row =
        |point: &super::PointDescription| vec![shortened(&point.name, MAX_NAME_CHARS), percent(point.missing_share)];
    let rows: Vec<_> = points.points.iter().map(row).collect();
    table(f, &["point", "missing"], &rows, &[false, true])
}

fn images(f: &mut fmt::Formatter<'_>, images: &ImagesDescription) -> fmt::Result {
    let (lines, columns) = (images.num_lines, images.num_columns);
    match images.num_volumes {
        _ if images.affine.is_none() => {
            let rate = rate(images.rate_hz, images.num_images);
            writeln!(
                f,
                "{} of {columns} x {lines} pixels{rate}",
                plural(images.num_images, "image", "images")
            )?;
        }
        volumes => {
            let slices = images.num_images / volumes.max(1);
            let rate = if volumes > 1 {
                rate(images.rate_hz, volumes)
            } else {
                String::new()
            };
            writeln!(
                f,
                "{} of {columns} x {lines} x {slices} voxels{rate}",
                plural(volumes, "volume", "volumes")
            )?;
        }
    }
    let mut fact = |name: &str, value: String| writeln!(f, "  {name:<12}  {value}");
    let planes = images
        .planes
        .iter()
        .take(MAX_KINDS)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = images.planes.len().saturating_sub(MAX_KINDS);
    fact(
        "planes",
        if more == 0 {
            planes
        } else {
            format!("{planes} and {more} more")
        },
    )?;
    let unit = if images.unit == "1" {
        String::new()
    } else {
        format!(" {}", images.unit)
    };
    match images.range {
        None => fact("values", "none is finite".into())?,
        Some(range) => {
            let [min, max, mean] = range_cells(Some(range));
            fact("values", format!("{min} to {max}{unit}, mean {mean}"))?;
        }
    }
    if images.num_missing > 0 {
        fact("missing", images.num_missing.to_string())?;
    }
    if let Some([black, white]) = images.display_range {
        fact(
            "shown",
            format!(
                "{} (black) to {}{unit} (white)",
                short_number(black.into()),
                short_number(white.into())
            ),
        )?;
    }
    if let Some(orientation) = &images.orientation {
        fact(
            "orientation",
            format!("{orientation} (columns, lines and slices go towards)"),
        )?;
    }
    if let Some(spacing) = images.spacing_mm {
        fact("spacing", format!("{} mm", spacing.map(short_number).join(" x ")))?;
    }
    let rows = images
        .affine
        .into_iter()
        .flatten()
        .map(|row| row.map(short_number).join("  "));
    for (index, row) in rows.enumerate() {
        fact(["to x [mm]", "to y [mm]", "to z [mm]"][index.min(2)], row)?;
    }
    Ok(())
}

fn columns(f: &mut fmt::Formatter<'_>, num_rows: usize, columns: &[ColumnDescription]) -> fmt::Result {
    let count = plural(columns.len(), "column", "columns");
    writeln!(f, "table of {} and {count}", plural(num_rows, "row", "rows"))?;
    let row = |column: &ColumnDescription| {
        let (kind, values) = kind(&column.kind);
        let missing = percent(column.num_missing as f64 / num_rows.max(1) as f64);
        vec![
            match &column.unit {
                Some(unit) => shortened(&format!("{} [{unit}]", column.name), MAX_NAME_CHARS),
                None => shortened(&column.name, MAX_NAME_CHARS),
            },
            kind.into(),
            missing,
            shortened(&values, 46),
        ]
    };
    let rows: Vec<_> = columns.iter().map(row).collect();
    table(
        f,
        &["column", "kind", "missing", "values"],
        &rows,
        &[false, false, true, false],
    )
}

/// The name of a kind, and its values in a few words.
fn kind(kind: &ColumnKind) -> (&'static str, String) {
    match kind {
        ColumnKind::Number { range } => {
            let [min, max, mean] = range_cells(*range);
            ("number", format!("{min} to {max}, mean {mean}"))
        }
        ColumnKind::Category { values } => ("category", counted(values)),
        ColumnKind::Date {
            range: Some((first, last)),
        } => ("date", format!("{first} to {last}")),
        ColumnKind::Date { range: None } => ("date", String::new()),
        ColumnKind::Text { num_distinct, examples } if examples.is_empty() => {
            ("text", format!("{num_distinct} different"))
        }
        ColumnKind::Text { num_distinct, examples } => {
            ("text", format!("{num_distinct} different: {}", examples.join(", ")))
        }
        ColumnKind::Hidden { num_distinct } => ("hidden", format!("{num_distinct} different; --personal shows them")),
        ColumnKind::Empty {} => ("empty", String::new()),
    }
}

fn counted(kinds: &[(String, usize)]) -> String {
    let shown = kinds
        .iter()
        .take(MAX_KINDS)
        .map(|(text, count)| format!("{} ({count})", shortened(text, 24)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match kinds.len().saturating_sub(MAX_KINDS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn annotations(f: &mut fmt::Formatter<'_>, annotations: &AnnotationsDescription) -> fmt::Result {
    let (first, last) = (duration(annotations.first_secs), duration(annotations.last_secs));
    writeln!(
        f,
        "{} from {first} to {last}",
        plural(annotations.count, "annotation", "annotations")
    )?;
    writeln!(f, "  {}", wrapped(&counted(&annotations.kinds), 96).join("\n  "))?;
    let row = |(onset, length, text): &(f64, Option<f64>, String)| {
        let length = length.map_or_else(String::new, |secs| format!("for {}", duration(secs)));
        vec![duration(*onset), length, shortened(text, 40)]
    };
    let rows: Vec<_> = annotations.first.iter().map(row).collect();
    table(f, &["first", "", ""], &rows, &[true, false, false])
}
