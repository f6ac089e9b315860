//! Decimal commas, thousands, and what people write for "missing".

use recoup_formats::delimited::{Decimal, DelimitedLayout, Thousands, is_missing_code};

use super::{fact, rows, shown, sniffed, warnings};

/// Case 07.
#[test]
fn a_comma_before_three_digits_throughout_is_a_question() {
    let text = "patient\tsteps\tage\nP1\t12,345\t61\nP2\t8,012\t55\nP3\t10,250\t70\nP4\t9,870\t66\n";
    let (table, contents) = shown(text);
    assert_eq!(rows(&table)[0], "P1|12,345|61");
    assert_eq!(
        warnings(&contents),
        [
            "every comma has three digits behind it in `steps`: `12,345` is 12345 (`thousands = \",\"` in a card's layout) or \
          12.345 (`decimal = \",\"`); until then the fields are text"
        ]
    );
    let sniffed = sniffed(text);
    assert_eq!((sniffed.ambiguous.as_slice(), sniffed.numbers(1)), (&[1][..], None));
    let number = |layout: &str, field: &str| toml::from_str::<DelimitedLayout>(layout).unwrap().number::<f64>(field);
    assert_eq!(number("thousands = \",\"", "12,345"), Some(12345.0));
    assert_eq!(number("decimal = \",\"", "12,345"), Some(12.345));
    // With quotes in a CSV, and next to a number with a point.
    for text in ["a,b\n\"12,345\",1\n\"8,012\",2\n", "a;b\n12,345;1.5\n8,012;2.5\n"] {
        assert!(!shown(text).1.warnings.is_empty(), "{text}");
        assert_eq!(shown(text).0.row(0).unwrap().field(0), "12,345");
    }
}

#[test]
fn commas_that_can_be_one_thing_only_are_that() {
    let marks = |text: &str| {
        let layout = sniffed(text).layout;
        (layout.decimal, layout.thousands)
    };
    assert_eq!(marks("a;b\n12,345;1,5\n8,012;2\n"), (Decimal::Comma, None));
    assert_eq!(marks("a;b\n0,345;1\n8,012;2\n"), (Decimal::Comma, None));
    assert_eq!(marks("a;b\n1,5e-3;1\n2,5E+01;2\n"), (Decimal::Comma, None));
    assert_eq!(
        marks("a;b\n1,234,567;1\n8,012;2\n"),
        (Decimal::Point, Some(Thousands::Comma))
    );
    assert_eq!(
        marks("a;b\n12,345.6;1\n8,012;2\n"),
        (Decimal::Point, Some(Thousands::Comma))
    );
    // Lists, and marks that contradict each other.
    assert_eq!(marks("a;b\n1,2,3;1\n2,3;2\n"), (Decimal::Point, None));
    assert_eq!(marks("a;b\n1,5;1.5\n2,5;2.5\n"), (Decimal::Point, None));
    let (table, contents) = shown("a\tb\n1,234,567\t1.5\n8,012\t2\n");
    assert_eq!(rows(&table), ["1234567|1.5", "8012|2"]);
    assert_eq!(fact(&contents, "thousands mark"), Some("comma"));
}

#[test]
fn numbers_of_a_layout_have_their_marks_at_their_places_only() {
    let number = |layout: &str, field: &str| toml::from_str::<DelimitedLayout>(layout).unwrap().number::<f64>(field);
    for (layout, field, value) in [
        ("decimal = \",\"", "1,5", Some(1.5)),
        ("decimal = \",\"", "-1,5e-3", Some(-1.5e-3)),
        ("decimal = \",\"", "1,5E+03", Some(1500.0)),
        ("decimal = \",\"", "7", Some(7.0)),
        ("decimal = \",\"", "7e2", Some(700.0)),
        ("decimal = \",\"", "1.5", None),
        ("decimal = \",\"", "1,5,5", None),
        ("decimal = \",\"\nthousands = \".\"", "1.234.567,8", Some(1234567.8)),
        ("decimal = \",\"\nthousands = \".\"", "1.23", None),
        ("decimal = \",\"\nthousands = \".\"", "0,25", Some(0.25)),
        ("decimal = \",\"\nthousands = \" \"", "12\u{a0}345,5", Some(12345.5)),
        ("decimal = \",\"\nthousands = \" \"", "12\u{202f}345", Some(12345.0)),
        ("thousands = \"'\"", "12'345.5", Some(12345.5)),
        ("thousands = \"'\"", "12\u{2019}345", Some(12345.0)),
        ("thousands = \",\"", "-1,234.5e2", Some(-123450.0)),
        ("thousands = \",\"", "1234", Some(1234.0)),
        ("thousands = \",\"", "1,23", None),
        ("thousands = \",\"", "0,123", None),
        ("thousands = \",\"", "1,234,56", None),
        ("thousands = \",\"", ",123", None),
        ("thousands = \",\"", "1234,567", None),
        ("thousands = \",\"", "0.123", Some(0.123)),
    ] {
        assert_eq!(number(layout, field), value, "{layout}: {field}");
    }
    for wrong in ["decimal = \",\"\nthousands = \",\"", "thousands = \".\""] {
        let layout: DelimitedLayout = toml::from_str(wrong).unwrap();
        assert!(layout.check().unwrap_err().contains("same mark"));
    }
}

/// Default `na_values` of `pandas.read_csv`, and those of R, MATLAB, SAS and spreadsheets.
#[test]
fn what_programs_write_for_missing_is_known() {
    let codes = [
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
        ".",
        "-",
        "?",
        "missing",
        "-nan(ind)",
    ];
    for code in codes {
        assert!(is_missing_code(code), "{code}");
        let sniffed = sniffed(format!("a,b\n1,2\n{code},3\n4,5\n"));
        assert_eq!(sniffed.numbers(0), Some(vec![1.0, 4.0]), "{code}");
    }
    for value in ["", "0", "NAN1", "no", "x", "#1", "--1"] {
        assert!(!is_missing_code(value), "{value}");
    }
}
