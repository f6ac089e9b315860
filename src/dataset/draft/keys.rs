//! Keys and values of a card as TOML.

use std::collections::{BTreeMap, BTreeSet};

use recoup_formats::delimited::{Decimal, DelimitedLayout, Header, Separator, Thousands, is_missing_code};
use recoup_formats::sniff::Sniffed;

/// What all modalities begin with.
pub(super) struct Head<'g> {
    pub(super) name: &'g str,
    pub(super) pattern: &'g str,
    pub(super) num_files: usize,
    /// Whether some sessions have no file.
    pub(super) optional: bool,
}

impl Head<'_> {
    /// Begins a modality of a kind.
    pub(super) fn begin(&self, text: &mut String, kind: &str) {
        let (files, name, pattern) = (self.num_files, quoted(self.name), quoted(self.pattern));
        text.push_str(&format!(
            "# {files} files. Guess: what the parts of their names are for.\n[[modality]]\nkind = \"{kind}\"\n\
             name = {name}\nfile = {pattern}\n"
        ));
        if self.optional {
            text.push_str("optional = true # some sessions have no file\n");
        }
    }

    /// The modality in questions.
    pub(super) fn key(&self) -> String {
        format!("modality.{}", self.name)
    }
}

pub(super) fn channel_list(channels: &[String]) -> String {
    let lines: String = channels
        .iter()
        .map(|channel| format!("    {{ {channel} }},\n"))
        .collect();
    format!("channels = [\n{lines}]\n")
}

/// What stands in brackets at the end of a column's name, as in `Force (N)`.
pub(super) fn unit_of(column: &str) -> &str {
    let inside = |open: char, close: char| {
        let (_, unit) = column.trim().strip_suffix(close)?.rsplit_once(open)?;
        Some(unit.trim()).filter(|unit| !unit.is_empty())
    };
    inside('(', ')').or(inside('[', ']')).unwrap_or("1")
}

/// The keys of a layout that differ from the defaults, as the table `place`.
pub(super) fn layout(text: &mut String, place: &str, sniffed: &Sniffed) {
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
        missing: _,
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
    let flags = [
        ("units_row", *units_row),
        ("join_short_lines", *join_short_lines),
        ("fill_short_lines", *fill_short_lines),
    ];
    keys.extend(
        flags
            .into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(key, _)| (key, "true".into())),
    );
    if *decimal == Decimal::Comma {
        keys.insert("decimal", quoted(","));
    }
    if let Some(thousands) = thousands {
        let mark = match thousands {
            Thousands::Comma => ",",
            Thousands::Point => ".",
            Thousands::Space => " ",
            Thousands::Apostrophe => "'",
        };
        keys.insert("thousands", quoted(mark));
    }
    let fields = sniffed.table.rows().flat_map(|row| row.fields());
    // Errors of spreadsheets are missing anyway.
    let is_code = |field: &&str| is_missing_code(field) && !sniffed.layout.is_missing(field);
    let missing: BTreeSet<&str> = fields.filter(is_code).collect();
    if !missing.is_empty() {
        keys.insert("missing", list(missing));
    }
    text.push_str(&format!("\n[{place}]\n"));
    keys.into_iter()
        .for_each(|(key, value)| text.push_str(&format!("{key} = {value}\n")));
}

/// Asks about what a table leaves open: commas before decimals or between thousands, lines that were joined or filled up.
pub(super) fn ask_about_layout(place: &str, file: &str, sniffed: &Sniffed, questions: &mut Vec<String>) {
    for warning in &sniffed.table.warnings {
        questions.push(format!("`{place}`: `{file}`: {}; is that right?", warning.text));
    }
    if let Some(warning) = sniffed.ambiguity() {
        questions.push(format!("`{place}`: `{file}`: {}; which?", warning.text));
    }
}

pub(super) fn list<'s>(texts: impl IntoIterator<Item = &'s str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// As a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}
