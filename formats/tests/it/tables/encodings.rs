//! UTF-8, UTF-16, windows-1252, and what is none of them.

use std::path::Path;

use recoup_formats::delimited::contents;
use recoup_formats::detect;
use recoup_formats::sniff::sniff_head;

use super::{declared, fact, rows, shown};

/// Case 01: `pandas.read_csv(sep=";", decimal=",", encoding="cp1252")`.
#[test]
fn windows_1252_is_read_and_said() {
    let bytes = b"K\xfcrzel;Gr\xf6\xdfe_cm;Schmerz\nM\xfcller01;171,5;3\nM\xf6ller01;182,0;5\nPeter02;165,5;2\n";
    let (table, contents) = shown(bytes);
    assert_eq!(table.columns, ["Kürzel", "Größe_cm", "Schmerz"]);
    assert_eq!(
        rows(&table),
        ["Müller01|171.5|3", "Möller01|182.0|5", "Peter02|165.5|2"]
    );
    assert_eq!(fact(&contents, "encoding"), Some("windows-1252"));
    let table = declared("separator = \"semicolon\"", bytes).unwrap();
    assert_eq!(rows(&table)[0], "Müller01|171,5|3");
    let table = declared("", b"a,b\n\x80,\x96\n").unwrap();
    assert_eq!(rows(&table), ["€|–"]);
}

/// Case 10, in both byte orders, with and without a mark.
#[test]
fn utf_16_is_read_and_said() {
    let text = "time;emg\n0,000;1,5\n0,001;1,7\nü;€\n";
    for low_first in [true, false] {
        for mark in [true, false] {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> = units
                .flat_map(|unit: u16| {
                    if low_first {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect();
            let (table, contents) = shown(&bytes);
            assert_eq!(table.columns, ["time", "emg"]);
            assert_eq!(rows(&table), ["0,000|1,5", "0,001|1,7", "ü|€"]);
            let order = if low_first {
                "UTF-16, low byte first"
            } else {
                "UTF-16, high byte first"
            };
            assert_eq!(fact(&contents, "encoding"), Some(order));
            assert_eq!(
                declared("separator = \"semicolon\"", &bytes).map(|table| rows(&table)),
                Ok(rows(&table))
            );
            assert_eq!(sniff_head(&bytes[..bytes.len() - 3], true).unwrap().table.num_rows(), 2);
        }
    }
    let (table, contents) = shown("\u{feff}a,b\n1,2\n");
    assert_eq!(
        (table.columns.as_slice(), fact(&contents, "encoding")),
        (&["a".to_string(), "b".into()][..], None)
    );
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    let error = |bytes: &[u8]| {
        let errors = [
            declared("", bytes).unwrap_err(),
            contents(bytes, Path::new("t.csv")).unwrap_err().to_string(),
        ];
        assert_eq!(errors[0], errors[1]);
        errors[0].clone()
    };
    assert_eq!(
        error(b"a,b\n1,2\n3,\x81\n"),
        "t.csv: line 3: found byte 81 (hexadecimal), expected text in UTF-8, UTF-16 or windows-1252\nhint: save the file as text \
         (CSV) in UTF-8"
    );
    // A part in UTF-8 and a part in windows-1252: which one a letter is cannot be known.
    let mixed = b"a,b\nM\xc3\xbcller,1\r\nM\xf6ller,2\n";
    assert!(
        error(mixed)
            .starts_with("t.csv: line 3: found byte f6 (hexadecimal), which is no UTF-8, beside letters in UTF-8")
    );
    assert_eq!(detect(mixed, Path::new("t.csv")).unwrap_err().to_string(), error(mixed));
    assert!(error(b"a,b\n1,2\n3,\0\n").starts_with("t.csv: line 3: found a NUL, which no text has"));
    assert!(error(b"\xff\xfea\0,\0b\0\n\0\x00\xd8,\0").starts_with("t.csv: line 2: found half a letter of UTF-16"));
}
