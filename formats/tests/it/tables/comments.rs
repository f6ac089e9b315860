//! Lines that begin with `#`, `%` or `//`: comments, headers, and rows.

use super::{declared, fact, rows, shown, sniffed, warnings};

/// Case 02: `pandas.read_csv` has eight rows.
#[test]
fn errors_of_spreadsheets_are_missing_values_and_no_comments() {
    let text = "force,emg\n1.0,0.5\n2.0,0.6\n#N/A,0.7\n4.0,0.8\n#DIV/0!,0.9\n6.0,1.0\n7.0,1.1\n8.0,1.2\n";
    for error in [
        "#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#n/a",
    ] {
        let text = text.replace("#N/A", error);
        let (table, contents) = shown(&text);
        assert_eq!(table.num_rows(), 8);
        assert_eq!(warnings(&contents), [""; 0]);
        let sniffed = sniffed(&text);
        assert_eq!(sniffed.layout.comment, None);
        assert_eq!(sniffed.numbers(0).unwrap(), [1.0, 2.0, 4.0, 6.0, 7.0, 8.0]);
        assert_eq!(declared("comment = \"#\"", &text).map(|table| table.num_rows()), Ok(8));
        assert!(sniffed.layout.is_missing(error));
    }
}

/// Case 03.
#[test]
fn ids_that_begin_with_a_mark_are_rows() {
    for mark in ["#", "%", "//"] {
        let text = format!("id,age,group\n{mark}1,61,a\n{mark}2,55,b\nP3,70,a\n{mark}4,66,b\nP5,59,a\n");
        let (table, contents) = shown(&text);
        assert_eq!(table.num_rows(), 5, "{text}");
        assert_eq!(table.row(1).unwrap().field(0), format!("{mark}2"));
        assert_eq!(fact(&contents, "lines left out"), None);
        // Without a header, too.
        let text: String = (0..5).map(|row| format!("{mark}{row},{}\n", 60 + row)).collect();
        assert_eq!(shown(&text).0.num_rows(), 5);
    }
    let (table, _) = shown("%MVC,time\n10,0.1\n20,0.2\n30,0.3\n");
    assert_eq!(table.columns, ["%MVC", "time"]);
    let (table, _) = shown("#steps,age\n10,1\n20,2\n");
    assert_eq!((table.columns[1].as_str(), table.num_rows()), ("age", 2));
}

#[test]
fn comments_stand_before_the_header_or_have_other_fields_and_are_counted() {
    let text = "# device 7\n# made on a Monday, by hand\ntime,emg\n0.0,1\n# paused\n0.1,2\n# again, after a break\n#N/A,3\n#0.3,4\n0.4,5\n";
    let (table, contents) = shown(text);
    assert_eq!(table.columns, ["time", "emg"]);
    assert_eq!(rows(&table), ["0.0|1", "0.1|2", "#N/A|3", "0.4|5"]);
    assert_eq!(fact(&contents, "lines left out"), Some("5 that begin with `#`"));
    assert_eq!(
        warnings(&contents),
        [
            "comments between the rows, which begin with `#`, are no rows: line 5",
            "comments between the rows, which begin with `#`, are no rows: lines 7, 9",
        ]
    );
    let table = declared("comment = \"#\"", text).unwrap();
    assert_eq!(rows(&table), ["0.0|1", "0.1|2", "#N/A|3", "0.4|5"]);
    // Far behind what is looked at first.
    let mut text: String = (0..400).map(|row| format!("{row},1\n")).collect();
    text.push_str("% the electrode fell off\n400,1\n");
    let (table, contents) = shown(format!("t,a\n{text}"));
    assert_eq!(table.num_rows(), 401);
    assert_eq!(
        warnings(&contents),
        ["comments between the rows, which begin with `%`, are no rows: line 402"]
    );
}

/// Case 11: `numpy.savetxt("signal.csv", values, delimiter=",", header="time,emg")`.
#[test]
fn a_comment_names_the_columns() {
    for text in [
        "# time,emg\n0.000,1.5\n0.001,1.7\n0.002,1.9\n",
        "# made by hand\n# time,emg\n0.000,1.5\n0.001,1.7\n0.002,1.9\n",
        "% time,emg\n0.000,1.5\n0.001,1.7\n0.002,1.9\n",
        "#time,emg\n0.000,1.5\n0.001,1.7\n0.002,1.9\n",
        "# time emg\n0.000 1.5\n0.001 1.7\n0.002 1.9\n",
    ] {
        let (table, _) = shown(text);
        assert_eq!(table.columns, ["time", "emg"], "{text}");
        assert_eq!(rows(&table), ["0.000|1.5", "0.001|1.7", "0.002|1.9"]);
    }
    let layout = "header = \"comment\"\ncomment = \"#\"";
    let table = declared(layout, "# x\n# a,b\n1,2\n").unwrap();
    assert_eq!(
        (table.columns.join(" "), table.row(0).unwrap().line()),
        ("a b".into(), 3)
    );
    let error = declared(layout, "1,2\n").unwrap_err();
    assert!(
        error.contains("a comment above the rows that names the columns"),
        "{error}"
    );
}
