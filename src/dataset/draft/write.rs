//! The text of the card.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{Content, TimeColumn};
use super::label::{Label, LabelSource, SITES, TIES, is_called, is_outcome};
use super::tables::{FoundTable, Use};
use super::{Draft, Group, Survey};
use crate::dataset::card::TimeUnit;
use recoup_formats::delimited::{Decimal, DelimitedLayout, Header, Separator, Thousands, is_missing_code};
use recoup_formats::image::Color;
use recoup_formats::sniff::Sniffed;

pub(super) fn write(name: &str, survey: Survey) -> Draft {
    let Survey {
        groups,
        mut tables,
        subjects,
        findings,
        mut questions,
    } = survey;
    let label = Label::guess(&groups, tables.first(), &subjects);
    label.ask(&mut questions);
    let mut text = format!(
        "# A draft: what is marked as a guess may be wrong. datasets/README.md explains the keys.\nname = {}\n\
         # Guess. The order is that of the indices; for two classes the second is the one to find.\nclasses = {}\n\n",
        quoted(name),
        list(label.classes.iter().map(String::as_str))
    );
    let kind = if groups.is_empty() && !tables.is_empty() {
        "table"
    } else {
        "files"
    };
    text.push_str(&format!("[subjects]\nkind = \"{kind}\"\n\n"));
    if !tables.is_empty() {
        let table = tables.remove(0);
        table_rule(&mut text, &table, &mut questions);
        if table.is_ambiguous() {
            questions.push(format!(
                "`table.session`: subjects have several rows in `{}`; which column tells them apart?",
                table.file
            ));
        }
        text.push_str(&label.toml());
        clinical(&mut text, &table, &label, &mut questions);
    } else {
        text.push_str(&label.toml());
    }
    let (visits, tables): (Vec<_>, Vec<_>) = tables.into_iter().partition(FoundTable::is_ambiguous);
    for table in visits {
        questions.push(format!(
            "`{}` has several rows per subject and was left out; is it a table of scores by visit, for `kind = \"visits\"`?",
            table.file
        ));
    }
    for (number, table) in tables.iter().enumerate() {
        own_table(&mut text, table, number, &label, &mut questions);
    }
    let optional = lacking(&groups);
    for (group, optional) in groups.iter().zip(optional) {
        modality(&mut text, group, optional, &mut questions);
    }
    if !text.contains("[[modality]]") {
        text.push_str(PLACEHOLDER);
        questions.push("`modality`: no recordings, images or tables were recognised; describe them".into());
    }
    Draft {
        toml: text,
        findings,
        questions,
    }
}

const PLACEHOLDER: &str = "# Nothing was recognised: this modality only shows the form.
[[modality]]
kind = \"signal\"
name = \"signal\"
file = \"{subject}.csv\"
file_rate_hz = 100.0
rate_hz = 100.0
channels = [{ column = \"CHANNEL\", unit = \"1\" }]
";

fn table_rule(text: &mut String, table: &FoundTable, questions: &mut Vec<String>) {
    text.push_str(&format!("[table]\nfile = {}\n", quoted(&table.file)));
    ids(text, table);
    for (key, words) in [("site", &SITES[..]), ("group", &TIES[..])] {
        if let Some(column) = table
            .sniffed
            .table
            .columns
            .iter()
            .find(|column| is_called(column, words))
        {
            text.push_str(&format!("{key} = {} # guess\n", quoted(column)));
            let what = if key == "site" {
                "where the subject was recorded"
            } else {
                "what ties subjects together"
            };
            questions.push(format!("`table.{key}`: does column `{column}` say {what}?"));
        }
    }
    layout(text, "table.layout", &table.file, &table.sniffed, questions);
    text.push('\n');
}

fn ids(text: &mut String, table: &FoundTable) {
    text.push_str(&format!(
        "id = {} # guess\n",
        quoted(table.id.map_or("", |id| table.column(id)))
    ));
    if let Some(session) = table.session {
        text.push_str(&format!("session = {} # guess\n", quoted(table.column(session))));
    }
}

fn clinical(text: &mut String, table: &FoundTable, label: &Label, questions: &mut Vec<String>) {
    let channels = table_channels(table, label);
    if channels.is_empty() {
        return;
    }
    text.push_str("# Guess: what was measured or entered because of the outcome is not an input; remove it.\n");
    text.push_str("[[modality]]\nkind = \"table\"\nname = \"clinical\"\n");
    if !table.covers_all {
        text.push_str("optional = true # some subjects have no row\n");
    }
    text.push_str(&channel_list(&channels));
    text.push('\n');
    questions.push(
        "`modality.clinical.channels`: which columns were known before the outcome, and in which units are they?"
            .into(),
    );
}

fn own_table(text: &mut String, table: &FoundTable, number: usize, label: &Label, questions: &mut Vec<String>) {
    let channels = table_channels(table, label);
    if channels.is_empty() {
        return;
    }
    let name = format!("table-{}", number + 2);
    text.push_str(&format!(
        "[[modality]]\nkind = \"table\"\nname = \"{name}\"\nfile = {}\n",
        quoted(&table.file)
    ));
    ids(text, table);
    if !table.covers_all {
        text.push_str("optional = true # some subjects have no row\n");
    }
    text.push_str(&channel_list(&channels));
    layout(text, "modality.layout", &table.file, &table.sniffed, questions);
    text.push('\n');
}

fn table_channels(table: &FoundTable, label: &Label) -> Vec<String> {
    let mut channels = Vec::new();
    for index in 0..table.values.len() {
        let column = table.column(index);
        let same = table
            .values
            .get(index)
            .is_some_and(|values| values.iter().eq(&label.classes));
        let place = is_called(column, &SITES) || is_called(column, &TIES);
        if place || is_outcome(column) || same || matches!(&label.source, LabelSource::Column(label) if label == column)
        {
            continue;
        }
        let categories = match table.use_of(index) {
            Use::Nothing => continue,
            Use::Numbers => String::new(),
            Use::Words(words) => {
                let map = words
                    .iter()
                    .zip(0..)
                    .map(|(word, number): (_, i32)| format!("{} = {number}.0", quoted(word)));
                format!(", categories = {{ {} }}", map.collect::<Vec<_>>().join(", "))
            }
        };
        channels.push(format!(
            "column = {}, unit = {}{categories}",
            quoted(column),
            quoted(unit_of(column))
        ));
    }
    channels
}

pub(super) fn channel_list(channels: &[String]) -> String {
    let lines: String = channels
        .iter()
        .map(|channel| format!("    {{ {channel} }},\n"))
        .collect();
    format!("channels = [\n{lines}]\n")
}

/// Whether some session lacks a file of each group.
fn lacking(groups: &[Group]) -> Vec<bool> {
    let everybody: BTreeSet<_> = groups.iter().flat_map(|group| &group.roles.subjects).collect();
    let sessions: BTreeSet<_> = groups.iter().flat_map(|group| &group.roles.pairs).collect();
    let complete = |group: &Group| match group.roles.sessions.is_empty() {
        true => group.roles.subjects.len() == everybody.len(),
        false => group.roles.pairs.len() == sessions.len(),
    };
    groups.iter().map(|group| !complete(group)).collect()
}

fn modality(text: &mut String, group: &Group, optional: bool, questions: &mut Vec<String>) {
    let Group {
        name,
        roles,
        content,
        num_files,
    } = group;
    let key = format!("modality.{name}");
    let mut start = |kind: &str, file_key: &str, pattern: &str| {
        text.push_str(&format!(
            "# {num_files} files. Guess: what the parts of their names are for.\n[[modality]]\nkind = \"{kind}\"\n\
             name = {}\n{file_key} = {}\n",
            quoted(name),
            quoted(pattern)
        ));
        if optional {
            text.push_str("optional = true # some sessions have no file\n");
        }
    };
    match content {
        Content::Wfdb {
            rate_hz,
            channels,
            calibrated,
        } => {
            start("signal", "file", &roles.pattern);
            text.push_str(&format!("rate_hz = {rate_hz:?} # that of the first record\n"));
            let unit = |unit: &String| if *calibrated { quoted(unit) } else { "\"adu\"".into() };
            let channels: Vec<String> = channels
                .iter()
                .map(|(name, of)| format!("channel = {}, unit = {}", quoted(name), unit(of)))
                .collect();
            text.push_str(&channel_list(&channels));
            if !calibrated {
                questions.push(format!(
                    "`{key}.channels`: the records have no calibration; are digital values (`adu`) meant?"
                ));
            }
        }
        Content::Image {
            height,
            width,
            color,
            same_size,
        } => {
            start("image", "file", &roles.pattern);
            let color = if *color == Color::Gray { "gray" } else { "rgb" };
            text.push_str(&format!("color = \"{color}\"\nheight = {height}\nwidth = {width}\n"));
            if !same_size {
                questions.push(format!(
                    "`{key}.height`, `{key}.width`: the images have several sizes; which one is wanted?"
                ));
            }
        }
        Content::Text { sniffed, time } => {
            let signal = content.is_signal();
            start(if signal { "signal" } else { "series" }, "file", &roles.pattern);
            time_keys(text, sniffed, time.as_ref(), signal, &key, questions);
            let channels = text_channels(sniffed, time.as_ref());
            text.push_str(&channel_list(&channels));
            questions.push(format!(
                "`{key}.channels`: which columns are inputs, and in which units are they?"
            ));
            layout(text, "modality.layout", &roles.pattern, sniffed, questions);
        }
        Content::Opened(opened) => opened.modalities(text, group, optional, questions),
        Content::Damaged { problem } => {
            questions.push(format!(
                "{num_files} files like `{}` were left out: {problem}",
                roles.pattern
            ));
        }
    }
    text.push('\n');
}

fn time_keys(
    text: &mut String,
    sniffed: &Sniffed,
    time: Option<&TimeColumn>,
    signal: bool,
    key: &str,
    questions: &mut Vec<String>,
) {
    let column = |time: &TimeColumn| quoted(sniffed.table.columns.get(time.index).map_or("", String::as_str));
    if let Some(time) = time {
        let unit = match time.unit {
            TimeUnit::Seconds => "s",
            TimeUnit::Milliseconds => "ms",
            TimeUnit::Microseconds => "us",
            TimeUnit::Sample => "sample",
        };
        text.push_str(&format!(
            "time = {} # guess\ntime_unit = \"{unit}\" # guess\n",
            column(time)
        ));
        if time.unit != TimeUnit::Sample {
            questions.push(format!("`{key}.time_unit`: are the time stamps in {}?", time.unit));
        }
    }
    match time.and_then(|time| time.rate_hz) {
        Some(rate_hz) => text.push_str(&format!("rate_hz = {rate_hz:?} # that of the first file\n")),
        None if signal => {
            text.push_str("file_rate_hz = 100.0 # a guess without any ground\nrate_hz = 100.0\n");
            questions.push(format!("`{key}.file_rate_hz`: how many rows does a second have?"));
        }
        None => questions.push(format!(
            "`{key}.kind`: time stamps are irregular; if rows are samples rather than events, it is `signal` with `rate_hz` and `max_gap_secs`"
        )),
    }
}

fn text_channels(sniffed: &Sniffed, time: Option<&TimeColumn>) -> Vec<String> {
    let columns = sniffed
        .table
        .columns
        .iter()
        .enumerate()
        .filter(|(index, _)| time.is_none_or(|time| time.index != *index));
    let numbers = columns.filter(|(index, _)| sniffed.numbers(*index).is_some());
    let channel = |(index, name): (usize, &String)| match sniffed.layout.header {
        Header::Numbers => format!("column = {0}, name = \"channel{name}\", unit = \"1\"", quoted(name)),
        _ => {
            let below = sniffed.table.units.get(index).filter(|unit| !unit.is_empty());
            let unit = below.map_or(unit_of(name), String::as_str);
            format!("column = {}, unit = {}", quoted(name), quoted(unit))
        }
    };
    let channels: Vec<String> = numbers.map(channel).collect();
    match channels.is_empty() {
        true => vec!["column = \"1\", unit = \"1\"".into()],
        false => channels,
    }
}

/// What stands in brackets at the end of a column's name, as in `Force (N)`.
fn unit_of(column: &str) -> &str {
    let inside = |open: char, close: char| {
        let (_, unit) = column.trim().strip_suffix(close)?.rsplit_once(open)?;
        Some(unit.trim()).filter(|unit| !unit.is_empty())
    };
    inside('(', ')').or(inside('[', ']')).unwrap_or("1")
}

/// The keys of a layout that differ from the defaults, and the questions that the table leaves.
fn layout(text: &mut String, table: &str, file: &str, sniffed: &Sniffed, questions: &mut Vec<String>) {
    let DelimitedLayout {
        separator,
        header,
        units_row,
        skip_lines,
        comment,
        join_short_lines,
        fill_short_lines,
        decimal,
        thousands,
        ..
    } = &sniffed.layout;
    let mut keys = BTreeMap::new();
    let separator = match separator {
        Separator::Comma => "comma",
        Separator::Semicolon => "semicolon",
        Separator::Tab => "tab",
        Separator::Whitespace => "whitespace",
    };
    keys.insert("separator", quoted(separator));
    keys.insert(
        "header",
        match header {
            Header::FirstLine => "true".into(),
            Header::Numbers => "false".into(),
            Header::Comment => quoted("comment"),
            Header::Names(names) => list(names.iter().map(String::as_str)),
        },
    );
    if *skip_lines > 0 {
        keys.insert("skip_lines", skip_lines.to_string());
    }
    if let Some(comment) = comment {
        keys.insert("comment", quoted(comment));
    }
    for (key, is_set) in [
        ("units_row", units_row),
        ("join_short_lines", join_short_lines),
        ("fill_short_lines", fill_short_lines),
    ] {
        if *is_set {
            keys.insert(key, "true".into());
        }
    }
    if *decimal == Decimal::Comma {
        keys.insert("decimal", quoted(","));
    }
    if *thousands == Some(Thousands::Comma) {
        keys.insert("thousands", quoted(","));
    }
    let fields = sniffed.table.rows().flat_map(|row| row.fields());
    // Errors of spreadsheets are missing anyway.
    let missing: BTreeSet<&str> = fields
        .filter(|field| is_missing_code(field) && !sniffed.layout.is_missing(field))
        .collect();
    if !missing.is_empty() {
        keys.insert("missing", list(missing));
    }
    for warning in &sniffed.table.warnings {
        questions.push(format!("`{table}`: `{file}`: {}; is that right?", warning.text));
    }
    if let Some(warning) = sniffed.ambiguity() {
        questions.push(format!("`{table}`: `{file}`: {}; which?", warning.text));
    }
    text.push_str(&format!("\n[{table}]\n"));
    keys.into_iter()
        .for_each(|(key, value)| text.push_str(&format!("{key} = {value}\n")));
}

pub(super) fn list<'s>(texts: impl IntoIterator<Item = &'s str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// As a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}
