//! The text of the card.

use super::content::{Content, TimeColumn};
use super::group::{Group, ask_about_names, ask_whose, lacking};
use super::index::FileIndex;
use super::keys::{ask_about_layout, channel_list, layout, list, quoted, unit_of};
use super::label::{Label, SITES, is_called, is_outcome, ties};
use super::tables::{FoundTable, Use};
use crate::dataset::card::TimeUnit;
use recoup_formats::delimited::Header;
use recoup_formats::image::Color;
use recoup_formats::sniff::Sniffed;

/// A draft of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The card; it parses, and loads once the questions are answered.
    pub toml: String,
    /// What was found, one sentence each.
    pub findings: Vec<String>,
    /// What could not be told, each with the key to edit.
    pub questions: Vec<String>,
}

pub(super) fn write(name: &str, index: FileIndex) -> Draft {
    let FileIndex {
        groups,
        tables,
        subjects,
        findings,
        questions: found,
    } = index;
    let mut questions = Vec::new();
    ask_whose(&groups, &mut questions);
    questions.extend(found);
    ask_about_names(&groups, &mut questions);
    let label = Label::guess(&groups, tables.first(), &subjects);
    label.ask(tables.first(), &mut questions);
    let kind = if groups.is_empty() && !tables.is_empty() {
        "table"
    } else {
        "files"
    };
    let mut text = format!(
        "# A draft: what is marked as a guess may be wrong. datasets/README.md explains the keys.\nname = {}\n\
         # Guess. The order is that of the indices; for two classes the second is the one to find.\nclasses = {}\n\n\
         [subjects]\nkind = \"{kind}\"\n\n",
        quoted(name),
        list(label.classes.iter().map(String::as_str))
    );
    let (table, others) = match tables.split_first() {
        Some((table, others)) => (Some(table), others),
        None => (None, &[][..]),
    };
    if let Some(table) = table {
        if groups.is_empty() {
            // Nothing else tells who is who.
            questions.insert(0, whose_rows(table));
        }
        table_rule(&mut text, table, &groups, &mut questions);
    }
    text.push_str(&label.toml());
    if let Some(table) = table {
        clinical(&mut text, table, &label, &mut questions);
    }
    own_tables(&mut text, others, &label, &groups, &mut questions);
    for (group, optional) in groups.iter().zip(lacking(&groups)) {
        modality(&mut text, group, optional, &mut questions);
    }
    if !text.contains("[[modality]]") {
        text.push_str(PLACEHOLDER);
        questions.push(
            "`modality`: no recordings, images or tables were recognised; describe them by hand, as datasets/README.md shows"
                .into(),
        );
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

fn whose_rows(table: &FoundTable) -> String {
    let id = table.id.map_or("", |id| table.column(id));
    format!(
        "`table.id`: whose is each row of `{}`? guess: column `{id}`, which has another value in each; so there are {} \
         subjects. If a person has several rows, these stand in training and in test, and results look far better than they \
         are: name the column of persons with `table.group`",
        table.file, table.num_subjects
    )
}

fn table_rule(text: &mut String, table: &FoundTable, groups: &[Group], questions: &mut Vec<String>) {
    text.push_str(&format!("[table]\nfile = {}\n", quoted(&table.file)));
    ids(text, table);
    let in_names = |group: &str| groups.iter().any(|known| known.roles.pattern.contains(group));
    let is_site = |column: &str| is_called(column, &SITES);
    let keys: [(&str, &dyn Fn(&str) -> bool, &str); 2] = [
        ("site", &is_site, "say where the subject was recorded"),
        (
            "group",
            &ties,
            "say what ties subjects together, such as the family or the patient, so that no split separates them",
        ),
    ];
    for (key, fits, what) in keys {
        let is_free = |index: &usize| Some(*index) != table.id && Some(*index) != table.session;
        let mut columns = (0..table.values.len()).filter(is_free).map(|index| table.column(index));
        if let Some(column) = columns
            .find(|column| fits(column))
            .filter(|_| !in_names(&format!("{{{key}}}")))
        {
            text.push_str(&format!("{key} = {} # guess\n", quoted(column)));
            questions.push(format!(
                "`table.{key}`: does column `{column}` {what}? if not, take the line out"
            ));
        }
    }
    layout(text, "table.layout", &table.sniffed);
    ask_about_layout("table.layout", &table.file, &table.sniffed, questions);
    text.push('\n');
    if table.is_ambiguous() {
        questions.push(format!(
            "`table.session`: subjects have several rows in `{}`; which column tells them apart? write `session = \"COLUMN\"`",
            table.file
        ));
    }
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
    if !table.lacking.is_empty() {
        text.push_str("optional = true # some subjects have no row\n");
    }
    text.push_str(&channel_list(&channels));
    text.push('\n');
    questions.push(
        "`modality.clinical.channels`: which columns were known before the outcome, and in which units are they? take the \
         others out"
            .into(),
    );
}

/// Tables beside the first one: a modality each, named as the file.
fn own_tables(text: &mut String, tables: &[FoundTable], label: &Label, groups: &[Group], questions: &mut Vec<String>) {
    let mut taken: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    taken.push("clinical".into());
    for table in tables {
        let channels = table_channels(table, label);
        if table.is_ambiguous() {
            questions.push(format!(
                "`{}` has several rows per subject and was left out; is it a table of scores by visit, for `kind = \"visits\"`?",
                table.file
            ));
            continue;
        }
        if channels.is_empty() {
            continue;
        }
        let stem = table
            .file
            .rsplit('/')
            .next()
            .and_then(|name| name.split('.').next())
            .unwrap_or_default();
        let mut name = stem.to_lowercase();
        while taken.contains(&name) {
            name.push_str("-table");
        }
        text.push_str(&format!(
            "# Guess: what was measured or entered because of the outcome is not an input; remove it.\n\
             [[modality]]\nkind = \"table\"\nname = {}\nfile = {}\n",
            quoted(&name),
            quoted(&table.file)
        ));
        ids(text, table);
        if !table.lacking.is_empty() {
            text.push_str("optional = true # some subjects have no row\n");
        }
        text.push_str(&channel_list(&channels));
        layout(text, "modality.layout", &table.sniffed);
        ask_about_layout(
            &format!("modality.{name}.layout"),
            &table.file,
            &table.sniffed,
            questions,
        );
        text.push('\n');
        questions.push(format!(
            "`modality.{name}.channels`: which columns of `{}` were known before the outcome, and in which units are they? \
             take the others out",
            table.file
        ));
        taken.push(name);
    }
}

fn table_channels(table: &FoundTable, label: &Label) -> Vec<String> {
    let mut channels = Vec::new();
    for (index, values) in table.values.iter().enumerate() {
        let column = table.column(index);
        let is_label = values.iter().eq(&label.classes) || label.column() == Some(column);
        if is_called(column, &SITES) || ties(column) || is_outcome(column) || is_label {
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
            unit(&table.sniffed, index)
        ));
    }
    channels
}

/// The unit of a column as TOML: from the row of units, or the column's name.
fn unit(sniffed: &Sniffed, index: usize) -> String {
    let name = sniffed.table.columns.get(index).map_or("", String::as_str);
    let below = sniffed
        .table
        .units
        .get(index)
        .map(|unit| unit.trim_matches(['(', ')', '[', ']']))
        .filter(|unit| !unit.is_empty());
    quoted(below.unwrap_or_else(|| unit_of(name)))
}

fn modality(text: &mut String, group: &Group, optional: bool, questions: &mut Vec<String>) {
    let head = group.head(optional);
    let key = head.key();
    match &group.content {
        Content::Wfdb {
            rate_hz,
            channels,
            calibrated,
        } => {
            head.begin(text, "signal");
            text.push_str(&format!("rate_hz = {rate_hz:?} # that of the first record\n"));
            let unit = |unit: &String| if *calibrated { quoted(unit) } else { "\"adu\"".into() };
            let channels: Vec<String> = channels
                .iter()
                .map(|(name, of)| format!("channel = {}, unit = {}", quoted(name), unit(of)))
                .collect();
            text.push_str(&channel_list(&channels));
            if !calibrated {
                questions.push(format!(
                    "`{key}.channels`: the records have no calibration; are digital values meant, as `unit = \"adu\"` says?"
                ));
            }
        }
        Content::Image {
            height,
            width,
            color,
            same_size,
        } => {
            head.begin(text, "image");
            let color = if *color == Color::Gray { "gray" } else { "rgb" };
            text.push_str(&format!("color = \"{color}\"\nheight = {height}\nwidth = {width}\n"));
            if !same_size {
                questions.push(format!(
                    "`{key}.height`, `{key}.width`: the images have several sizes and all become {height} x {width}, that of \
                     the first; which size is wanted?"
                ));
            }
        }
        Content::Text { sniffed, time } => {
            let is_signal = group.content.is_signal();
            head.begin(text, if is_signal { "signal" } else { "series" });
            time_keys(text, sniffed, time.as_ref(), is_signal, &key, questions);
            let channels = text_channels(sniffed, time.as_ref());
            text.push_str(&channel_list(&channels));
            questions.push(format!(
                "`{key}.channels`: which columns are inputs, and in which units are they? take the others out"
            ));
            layout(text, "modality.layout", sniffed);
            ask_about_layout(&format!("{key}.layout"), &group.roles.example.0, sniffed, questions);
        }
        Content::Opened(opened) => opened.modalities(text, &head, questions),
        Content::Damaged { problem } => {
            questions.push(format!(
                "`{key}`: {} files like `{}` were left out: {problem}",
                group.num_files, group.roles.pattern
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
            questions.push(format!(
                "`{key}.time_unit`: are the time stamps in {}? write \"s\", \"ms\" or \"us\"",
                time.unit
            ));
        }
    }
    match time.and_then(|time| time.rate_hz) {
        Some(rate_hz) => text.push_str(&format!("rate_hz = {rate_hz:?} # that of the first file\n")),
        None if signal => {
            text.push_str("file_rate_hz = 100.0 # a guess without any ground\nrate_hz = 100.0\n");
            questions.push(format!(
                "`{key}.file_rate_hz`: how many rows does a second have? the files do not tell, and 100 is no more than a number"
            ));
        }
        None => questions.push(format!(
            "`{key}.kind`: time stamps are irregular; if rows are samples rather than events, it is `signal` with `rate_hz` \
             and `max_gap_secs`"
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
        _ => format!("column = {}, unit = {}", quoted(name), unit(sniffed, index)),
    };
    let channels: Vec<String> = numbers.map(channel).collect();
    match channels.is_empty() {
        true => vec!["column = \"1\", unit = \"1\"".into()],
        false => channels,
    }
}
