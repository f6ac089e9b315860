//! Text tables. Right values are those of pandas 3.1 with the arguments that the comment names, or of RFC 4180.

mod commas;
mod comments;
mod dialects;
mod draws;
mod encodings;
mod limits;
mod rows;

use std::path::Path;

use recoup_formats::delimited::{DelimitedLayout, DelimitedTable, contents};
use recoup_formats::sniff::{Sniffed, sniff};
use recoup_formats::{Contents, Part, detect};

/// The file as `recoup data show` reads it.
fn shown(bytes: impl AsRef<[u8]>) -> (DelimitedTable, Contents) {
    let (bytes, path) = (bytes.as_ref(), Path::new("t.csv"));
    assert_eq!(detect(bytes, path).unwrap().name, "delimited text");
    let contents = contents(bytes, path).unwrap();
    let [Part::Table(table)] = &contents.parts[..] else {
        panic!("{:?}", contents.parts)
    };
    (table.clone(), contents)
}

fn sniffed(bytes: impl AsRef<[u8]>) -> Sniffed {
    sniff(bytes.as_ref()).unwrap()
}

/// The file under a card's layout.
fn declared(layout: &str, bytes: impl AsRef<[u8]>) -> Result<DelimitedTable, String> {
    let layout: DelimitedLayout = toml::from_str(layout).unwrap();
    layout.check().unwrap();
    let table = layout.table(bytes.as_ref(), Path::new("t.csv"));
    table.map_err(|error| error.to_string())
}

/// The rows, fields separated by a bar.
fn rows(table: &DelimitedTable) -> Vec<String> {
    table
        .rows()
        .map(|row| row.fields().collect::<Vec<_>>().join("|"))
        .collect()
}

fn warnings(contents: &Contents) -> Vec<&str> {
    contents.warnings.iter().map(|warning| warning.text.as_str()).collect()
}

fn fact<'c>(contents: &'c Contents, name: &str) -> Option<&'c str> {
    let fact = contents.facts.iter().find(|(known, _)| known == name);
    fact.map(|(_, value)| value.as_str())
}
