//! Lines and rows: short, long, blank, quoted, broken in two.

use super::{declared, fact, rows, shown, sniffed, warnings};

/// Case 06: rows 8 and 9 lack their last field.
fn ragged(separator: char) -> String {
    let row = |row: usize| match row {
        7 | 8 => format!("0.0{row},{}\n", 10 + row),
        _ => format!("0.{row:02},{},{}\n", 10 + row, 100 + row),
    };
    let text = "time,emg,force\n".to_string() + &(0..20).map(row).collect::<String>();
    text.replace(',', &separator.to_string())
}

#[test]
fn short_rows_stay_rows_and_lack_their_last_fields() {
    for separator in [',', ' ', ';', '\t'] {
        let (table, contents) = shown(ragged(separator));
        assert_eq!((table.num_rows(), table.columns.len()), (20, 3));
        assert_eq!(
            rows(&table)[6..10],
            ["0.06|16|106", "0.07|17|", "0.08|18|", "0.09|19|109"]
        );
        assert_eq!(
            warnings(&contents),
            ["2 of 20 rows have too few fields; the last ones are missing: lines 9, 10"]
        );
        let sniffed = sniffed(ragged(separator));
        assert_eq!(rows(&sniffed.table), rows(&table));
        assert!(sniffed.layout.fill_short_lines && !sniffed.layout.join_short_lines);
    }
}

/// Case 82: an id must not come into the field of another patient.
#[test]
fn ids_of_short_rows_are_never_joined_to_the_row_before() {
    let row = |row: usize| match row {
        7 | 8 => format!("P{row:02},{}\n", 10 + row),
        _ => format!("P{row:02},{},{}\n", 10 + row, 100 + row),
    };
    let text = "patient,emg,force\n".to_string() + &(0..20).map(row).collect::<String>();
    for table in [shown(&text).0, sniffed(&text).table] {
        assert_eq!(table.num_rows(), 20);
        assert_eq!(rows(&table)[7..9], ["P07|17|", "P08|18|"]);
    }
    // Even a card that says so joins no id to a number.
    let error = declared("join_short_lines = true", &text).unwrap_err();
    assert!(
        error.starts_with("t.csv: line 9: found 2 fields, expected 3 (patient, emg, force)"),
        "{error}"
    );
    let both = declared("join_short_lines = true\nfill_short_lines = true", &text).unwrap();
    assert_eq!(rows(&both)[7..9], ["P07|17|", "P08|18|"]);
}

#[test]
fn short_rows_behind_the_first_fifty_are_noticed_too() {
    let text: String = (0..500)
        .map(|row| {
            if row == 321 {
                "321,7\n".into()
            } else {
                format!("{row},7,9\n")
            }
        })
        .collect();
    let (table, contents) = shown(format!("t,a,b\n{text}"));
    assert_eq!((table.num_rows(), rows(&table)[321].as_str()), (500, "321|7|"));
    assert_eq!(
        warnings(&contents),
        ["1 of 500 rows have too few fields; the last ones are missing: line 323"]
    );
}

#[test]
fn lines_are_joined_where_neither_can_be_a_row() {
    // As in PhysioNet's gaitndd: the line of hunt20 breaks before its last value.
    let text = "id\tgroup\tage\tspeed\nals1\tals\t68\t1.3\nhunt20\thunt\tMISSING\n\t9\nals2\tals\t63\t1.05\n\
                als3\tals\t70\t0.9\nals4\tals\t36\t1.4\n";
    let sniffed = sniffed(text);
    assert!(sniffed.layout.join_short_lines && !sniffed.layout.fill_short_lines);
    assert_eq!(
        rows(&sniffed.table),
        [
            "als1|als|68|1.3",
            "hunt20|hunt|MISSING|9",
            "als2|als|63|1.05",
            "als3|als|70|0.9",
            "als4|als|36|1.4",
        ]
    );
    let lines: Vec<usize> = sniffed.table.rows().map(|row| row.line()).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7]);
    assert_eq!(
        declared(
            "separator = \"tab\"\njoin_short_lines = true\nmissing = [\"MISSING\"]",
            text
        )
        .map(|table| rows(&table)),
        Ok(rows(&sniffed.table))
    );
    // What `show` and `deidentify` read joins nothing.
    assert_eq!(rows(&shown(text).0)[1..3], ["hunt20|hunt|MISSING|", "|9||"]);
    // The counts must be complementary, and the order of time shows what is a row.
    for text in [
        "t,a,b,c\n0,1,1,1\n1,1\n2,1\n3,1,1,1\n4,1,1,1\n5,1,1,1\n",
        "t,a,b\n0,1,1\n1,1\n2,1\n3,1,1\n4,1,1\n5,1,1\n",
    ] {
        let error = declared("join_short_lines = true", text).unwrap_err();
        assert!(error.starts_with("t.csv: line 3: found 2 fields"), "{error}");
    }
}

#[test]
fn rows_that_are_too_long_or_too_short_for_a_card_are_errors_with_their_line() {
    let error = declared("", "a,b\n1,2\n1,2,3\n").unwrap_err();
    assert_eq!(
        error,
        "t.csv: line 3: found 3 fields, expected 2 (a, b)\nhint: check `separator`, `header` and the quotes of this line"
    );
    let error = declared("", "a,b\n\n1\n").unwrap_err();
    assert!(
        error.starts_with("t.csv: line 3: found 1 fields, expected 2 (a, b)\nhint: "),
        "{error}"
    );
    assert!(
        error.contains("fill_short_lines") && error.contains("join_short_lines"),
        "{error}"
    );
    assert_eq!(
        declared("fill_short_lines = true", "a,b\n1\n").map(|table| rows(&table)),
        Ok(vec!["1|".into()])
    );
    // Separators behind the last field hold nothing.
    assert_eq!(
        declared("", "a,b\n1,2,\n3,4,,\n").map(|table| rows(&table)),
        Ok(vec!["1|2".into(), "3|4".into()])
    );
    assert_eq!(
        declared("", "a,b,,\n1,2\n").map(|table| table.columns),
        Ok(vec!["a".into(), "b".into()])
    );
    let error = declared("", "a,b\n1,2\n\"3,4\n5,6\n").unwrap_err();
    assert!(
        error.starts_with("t.csv: line 3: found a quote without its end"),
        "{error}"
    );
}

/// Case 05.
#[test]
fn separators_and_line_ends_in_quotes_are_text() {
    let (table, _) = shown(
        "patient,ward,age\n\"P1\",\"North, 2nd floor\",61\n\"P2\",\"South, 1st floor\",55\n\"P3\",\"North, 1st floor\",70\n",
    );
    assert_eq!(table.columns, ["patient", "ward", "age"]);
    assert_eq!(
        rows(&table),
        [
            "P1|North, 2nd floor|61",
            "P2|South, 1st floor|55",
            "P3|North, 1st floor|70"
        ]
    );
    let (table, contents) =
        shown("time,emg\n\"0,000\",\"1,5\"\n\"0,001\",\"1,7\"\n\"0,002\",\"1,9\"\n\"0,003\",\"2,1\"\n");
    assert_eq!(rows(&table), ["0.000|1.5", "0.001|1.7", "0.002|1.9", "0.003|2.1"]);
    assert_eq!(fact(&contents, "decimal mark"), Some("comma"));
    let (table, _) = shown("id,note\n1,\"two\nlines\"\n2,\"a \"\"word\"\"\"\n3, \"x, y\"\n4,z\n");
    assert_eq!(rows(&table), ["1|two\nlines", "2|a \"word\"", "3|x, y", "4|z"]);
    assert_eq!(table.rows().map(|row| row.line()).collect::<Vec<_>>(), [2, 4, 5, 6]);
}

/// Case 04: the line is an instruction to Excel.
#[test]
fn the_line_sep_is_no_row() {
    for (separator, decimal) in [(';', ','), (',', '.'), ('\t', ',')] {
        for quoted in [false, true] {
            let mut text =
                "sep=;\ntime;emg\n0,000;1,5\n0,001;1,7\n0,002;1,9\n0,003;2,1\n".replace(',', &decimal.to_string());
            text = text.replace(';', &separator.to_string());
            if quoted {
                text = text.replacen(&format!("sep={separator}"), &format!("\"sep={separator}\""), 1);
            }
            let (table, _) = shown(&text);
            assert_eq!(table.columns, ["time", "emg"], "{text}");
            assert_eq!(
                rows(&table),
                ["0.000|1.5", "0.001|1.7", "0.002|1.9", "0.003|2.1"],
                "{text}"
            );
            assert_eq!(table.row(0).unwrap().line(), 3);
        }
    }
    let table = declared("separator = \"semicolon\"", "sep=;\na;b\n1;2\n").unwrap();
    assert_eq!((table.columns.len(), rows(&table)), (2, vec!["1|2".into()]));
}

/// Case 09.
#[test]
fn lines_end_in_any_way() {
    for end in ["\n", "\r\n", "\r", "\r\r\n"] {
        for separator in [",", " "] {
            let text = "time,emg\n0.000,1.5\n0.001,1.7\n0.002,1.9\n0.003,2.1\n";
            let (table, _) = shown(text.replace(',', separator).replace('\n', end));
            assert_eq!(table.columns, ["time", "emg"], "{end:?}");
            assert_eq!(rows(&table), ["0.000|1.5", "0.001|1.7", "0.002|1.9", "0.003|2.1"]);
            assert_eq!(table.row(3).unwrap().line(), 5);
        }
    }
    let (table, _) = shown("a,b\r\n1,2\n3,4\r5,6");
    assert_eq!(rows(&table), ["1|2", "3|4", "5|6"]);
}

/// Case 08.
#[test]
fn rows_of_separators_at_the_end_are_no_rows() {
    let text = "patient,age,outcome\nP1,61,yes\nP2,55,no\nP3,70,yes\n,,\n,,\n , ,\n\n";
    let (table, contents) = shown(text);
    assert_eq!(rows(&table), ["P1|61|yes", "P2|55|no", "P3|70|yes"]);
    assert_eq!(
        warnings(&contents),
        ["rows of separators only at the end are no rows: lines 7, 6, 5"]
    );
    assert_eq!(declared("", text).map(|table| table.num_rows()), Ok(3));
    // Between rows they are samples that are missing.
    assert_eq!(shown("t,a\n1,2\n,\n3,4\n").0.num_rows(), 3);
}

/// Case 92: `pandas.read_csv(skip_blank_lines=False)` has five rows, the third missing.
#[test]
fn a_blank_line_of_a_single_column_is_a_missing_sample() {
    for text in [
        "force\n1.0\n2.0\n\n4.0\n5.0\n",
        "force\n1.0\n2.0\n\"\"\n4.0\n5.0\n\n\n",
        "\u{feff}force\r\n1.0\r\n2.0\r\n\r\n4.0\r\n5.0",
    ] {
        let (table, _) = shown(text);
        assert_eq!(table.columns, ["force"]);
        assert_eq!(rows(&table), ["1.0", "2.0", "", "4.0", "5.0"], "{text:?}");
        assert_eq!(declared("", text).map(|table| rows(&table)), Ok(rows(&table)));
        assert_eq!(
            declared("separator = \"whitespace\"", text).map(|table| rows(&table)),
            Ok(rows(&table))
        );
    }
    let table = declared("header = [\"x\"]", "\n1\n\n\n").unwrap();
    assert_eq!(rows(&table), ["", "1"]);
    assert_eq!(table.rows().map(|row| row.line()).collect::<Vec<_>>(), [1, 2]);
    let (table, contents) = shown("1\n2\nNA\n4\n");
    assert_eq!(
        (table.columns.as_slice(), rows(&table).len()),
        (&["1".to_string()][..], 4)
    );
    assert_eq!(fact(&contents, "header"), Some("none"));
    // Commas may stand before decimals.
    let (table, _) = shown("Kraft\n1,5\n1,75\n2,0\n");
    assert_eq!(rows(&table), ["1.5", "1.75", "2.0"]);
    assert_eq!(table.columns, ["Kraft"]);
}

/// Case 12, and a header without a name for the names of rows, as R's `write.table` writes it.
#[test]
fn units_below_the_header_are_units() {
    let text = "Frame,Fx,Fy\n,N,N\n1,1.5,2.5\n2,1.7,2.7\n3,1.9,2.9\n4,2.1,3.1\n";
    let (table, contents) = shown(text);
    assert_eq!(table.columns, ["Frame", "Fx", "Fy"]);
    assert_eq!(table.units, ["", "N", "N"]);
    assert_eq!((rows(&table)[0].as_str(), table.num_rows()), ("1|1.5|2.5", 4));
    assert_eq!(fact(&contents, "row of units"), Some("below the header"));
    assert_eq!(rows(&declared("units_row = true", text).unwrap()), rows(&table));
    assert_eq!(
        sniffed("t;a\n[s];[mV]\n0,1;1,5\n0,2;1,6\n").table.units,
        ["[s]", "[mV]"]
    );
    // A missing value, a word in a column of words, a number.
    for text in ["a,b\nNA,1\n2,3\n4,5\n", "a,b\nx,y\nz,w\nx,y\n", "a,b\n1,2\n3,4\n5,6\n"] {
        assert!(shown(text).0.units.is_empty(), "{text}");
        assert_eq!(shown(text).0.num_rows(), 3);
    }
    let (table, _) = shown("\"age\" \"ward\"\n\"P1\" 61 \"north wing\"\n\"P2\" 55 \"south\"\n\"P3\" 50 \"south\"\n");
    assert_eq!(table.columns, ["column1", "age", "ward"]);
    assert_eq!(rows(&table), ["P1|61|north wing", "P2|55|south", "P3|50|south"]);
    let (table, _) = shown("t,a\n0,1,\n1,2,\n2,3,\n");
    assert_eq!((table.columns.len(), rows(&table)[2].as_str()), (2, "2|3"));
}
