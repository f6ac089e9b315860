//! Memory by the counting allocator, wide tables, and damaged ones.

use std::fmt::Write as _;
use std::path::Path;

use recoup_formats::delimited::{DelimitedLayout, contents};
use recoup_formats::sniff::sniff;
use recoup_formats::{DescribeOptions, describe, open};

use super::draws::Draws;
use super::{declared, shown};
use crate::allocation::peak;

/// Bytes that a table may take per byte of its text, beside the text.
const MAX_BYTES_PER_BYTE: usize = 6;
const MAX_BYTES: usize = 1 << 20;

#[test]
fn tables_take_six_bytes_of_memory_per_byte() {
    let mut numbers = String::from("t,a,b,c\n");
    (0..40_000).for_each(|row| writeln!(numbers, "{row},{}.5,{},-1e-3", row % 97, row % 7).unwrap());
    for (name, text) in [
        ("digits", "a,b\n".to_string() + &"1,2\n".repeat(500_000)),
        ("semicolons", "a;b\n".to_string() + &"1;2\n".repeat(500_000)),
        ("spaces", "a b\n".to_string() + &"1 2\n".repeat(500_000)),
        (
            "empty fields",
            "a,b,c,d\n1,1,1,1\n".to_string() + &",,,\n".repeat(500_000) + "1,1,1,1\n",
        ),
        ("one column", "a\n".to_string() + &"1\n".repeat(1_000_000)),
        ("blank lines", "a\n1\n2\n".to_string() + &"\n".repeat(1_000_000) + "3\n"),
        (
            "words",
            "a,b\n".to_string() + &(0..300_000).map(|row| format!("w{row},x\n")).collect::<String>(),
        ),
        ("numbers", numbers),
    ] {
        let bytes = text.as_bytes();
        let max_bytes = MAX_BYTES_PER_BYTE * bytes.len() + MAX_BYTES;
        let (table, taken) = peak(|| DelimitedLayout::default().table(bytes, Path::new("t.csv")));
        if !["semicolons", "spaces"].contains(&name) {
            assert!(table.unwrap().num_rows() > 30_000, "{name}");
        }
        assert!(taken <= max_bytes, "{name}: {taken} bytes for {}", bytes.len());
        // As `recoup data show` reads and describes it.
        let (description, taken) = peak(|| {
            describe(
                &contents(bytes, Path::new("t.csv")).unwrap(),
                DescribeOptions::default(),
            )
        });
        assert!(!description.parts.is_empty());
        assert!(
            taken <= max_bytes,
            "{name}, described: {taken} bytes for {}",
            bytes.len()
        );
    }
}

#[test]
fn rows_cannot_lack_more_fields_than_the_file_has_bytes() {
    let names: Vec<String> = (0..5_000).map(|index| index.to_string()).collect();
    let text = format!("{}\n{}", names.join(","), "1\n".repeat(20_000));
    let (error, taken) = peak(|| declared("fill_short_lines = true", &text).unwrap_err());
    assert!(error.contains("expected 5000"), "{error}");
    assert!(taken < 64 << 20, "{taken}");
}

/// A header of 28 KB, as of 5,000 columns, and one of 600 KB.
#[test]
fn headers_may_be_longer_than_the_first_sixteen_kilobytes() {
    for num_columns in [5_000, 100_000] {
        let row = |name: &dyn Fn(usize) -> String| (0..num_columns).map(name).collect::<Vec<_>>().join(",") + "\n";
        let mut text = row(&|column| format!("c{column}"));
        (0..3).for_each(|line| text += &row(&|column| (line * column % 7).to_string()));
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("wide.csv");
        std::fs::write(&path, &text).unwrap();
        let contents = open(&path).unwrap();
        let recoup_formats::Part::Table(table) = &contents.parts[0] else {
            panic!()
        };
        assert_eq!((table.columns.len(), table.num_rows()), (num_columns, 3));
    }
}

/// Rows that begin with a mark of comments but for the first, and the like, end soon and in little memory.
#[test]
fn odd_texts_take_no_more_than_others() {
    for unit in [
        "#\n",
        "#,\n",
        "\"\n",
        "\"a\",\n",
        ",\n",
        "1,2,3\n1,2\n",
        "\r",
        "# a,b\n1,2\n",
        " \n",
        "1\n\n",
        "-\n",
        "1,\"2\n\"\n",
    ] {
        let text = "a,b\n1,2\n3,4\n5,6\n7,8\n".to_string() + &unit.repeat(400_000);
        let (_, taken) = peak(|| sniff(text.as_bytes()).is_some());
        let max_bytes = 12 * text.len() + MAX_BYTES;
        assert!(taken <= max_bytes, "{unit:?}: {taken} bytes for {}", text.len());
    }
}

impl Draws {
    /// The bytes changed in one to four places.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        const WORDS: [&[u8]; 22] = [
            b"\0",
            b"\"",
            b"\"\"",
            b"\r",
            b"\n",
            b"\n\n",
            b",",
            b";",
            b"\t",
            b" ",
            b",,,",
            b"#",
            b"# ",
            b"#N/A",
            b"%",
            b"//",
            b"sep=;\n",
            b"\xff\xfe",
            b"\xfc",
            b"\xc3\xbc",
            b"1,234",
            b"1e999",
        ];
        let mut bytes = bytes.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                3 => drop(bytes.splice(
                    at..(at + self.below(2)).min(bytes.len()),
                    WORDS[self.below(WORDS.len())].to_vec(),
                )),
                _ => bytes
                    .get_mut(at)
                    .into_iter()
                    .for_each(|byte| *byte = self.below(256) as u8),
            }
        }
        bytes
    }
}

#[test]
fn a_hundred_thousand_damaged_tables_end_in_a_value_or_an_error() {
    let texts = [
        "# device 7\nt,left,\"right\"\n0.00,1.5,-3\n0.01,\"1,5\",\n\n0.02,,NaN\r\n0.03,1\n".to_string(),
        "sep=;\ntime;emg\n[s];[mV]\n0,000;1,5\n0,001;1,7\n0,002;#N/A\n".into(),
        "# time emg\n0.0 1.5\n0.1 1.7\n0.2\n0.3 2.1\n".into(),
        "force\n1.0\n2.0\n\n4.0\n".into(),
        "id\tage\n#1\t61\nP2\t12,345\n".into(),
    ];
    let utf16: Vec<u8> = texts[1].encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| text.clone().into_bytes())
        .chain([utf16])
        .collect();
    let layouts: Vec<DelimitedLayout> = [
        "comment = \"#\"",
        "separator = \"whitespace\"\nheader = false\njoin_short_lines = true",
        "separator = \"semicolon\"\ndecimal = \",\"\nskip_lines = 1\nunits_row = true",
        "header = \"comment\"\ncomment = \"#\"\nfill_short_lines = true\njoin_short_lines = true",
        "header = [\"x\", \"y\"]\nfill_short_lines = true\nthousands = \",\"",
    ]
    .iter()
    .map(|layout| toml::from_str(layout).unwrap())
    .collect();
    let mut draws = Draws(11);
    let (mut num_tables, mut num_sniffed) = (0, 0);
    for round in 0..100_000 {
        let bytes = draws.mutate(&files[round % files.len()]);
        let layout = &layouts[draws.below(layouts.len())];
        let (tables, taken) = peak(|| (layout.table(&bytes, Path::new("t")), contents(&bytes, Path::new("t"))));
        assert!(taken <= 256 * bytes.len() + MAX_BYTES, "{taken} bytes for {bytes:?}");
        if let Ok(table) = tables.0 {
            num_tables += 1;
            assert!(table.rows().all(|row| row.fields().count() == table.columns.len()));
            assert!(table.rows().is_sorted_by_key(|row| row.line()));
        }
        if let Ok(contents) = tables.1 {
            num_sniffed += 1;
            assert!(!contents.parts.is_empty());
        }
    }
    assert!((5_000..95_000).contains(&num_tables), "{num_tables} were read");
    assert!((20_000..99_000).contains(&num_sniffed), "{num_sniffed} were found out");
}

#[test]
fn a_table_is_the_same_whatever_its_number_of_rows() {
    let (few, _) = shown("t,a\n0,1\n1,2\n");
    let text: String = (0..10_000).map(|row| format!("{row},{}\n", row + 1)).collect();
    let (many, _) = shown(format!("t,a\n{text}"));
    assert_eq!(few.columns, many.columns);
    assert_eq!(many.row(9_999).unwrap().field(1), "10000");
    assert_eq!(many.row(9_999).unwrap().line(), 10_001);
    assert!(many.row(10_000).is_none());
}
