//! How errors of files read.

use std::path::Path;

use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::{FileError, detect};

#[test]
fn a_message_has_path_place_found_expected_and_a_hint_on_its_own_line() {
    let error = FileError::at(Path::new("a/b.csv"))
        .place("line 2")
        .found("`x`")
        .expected("a number")
        .hint("correct it");
    assert_eq!(
        error.to_string(),
        "a/b.csv: line 2: found `x`, expected a number\nhint: correct it"
    );
    let missing = FileError::io(Path::new("none"), "read")(std::io::ErrorKind::NotFound.into());
    assert_eq!(missing.to_string(), "none: cannot read: entity not found");
    assert_eq!(missing.io_kind(), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn nothing_of_a_file_reaches_the_terminal_as_a_command() {
    let hostile = "\x1b[31m\x1b]0;title\x07\r\n\u{202e}";
    let error = FileError::at(Path::new(hostile))
        .place(hostile)
        .found(format!("`{hostile}`"))
        .expected(hostile)
        .hint(hostile);
    let text = error.to_string();
    let commands: Vec<char> = text.chars().filter(|letter| letter.is_control()).collect();
    assert_eq!(commands, ['\n'], "{text:?}");
    assert!(!text.contains('\u{202e}') && text.contains("\\u{1b}[31m"), "{text:?}");
    // Through a reader: a name of a column.
    let bytes = format!("{hostile}a,b\n1,2\n3\n");
    let error = DelimitedLayout::default()
        .table(bytes.as_bytes(), Path::new("t.csv"))
        .unwrap_err();
    assert!(!error.to_string().contains('\x1b'), "{error}");
}

#[test]
fn long_values_are_cut_and_all_the_rest_is_said() {
    let error = |found: String| {
        FileError::at(Path::new("a"))
            .place("line 1")
            .found(found)
            .expected("less")
            .hint("none")
            .to_string()
    };
    let value = "v".repeat(1_000_000);
    let text = error(format!("`{value}` in column `x`"));
    assert!(text.len() < 300, "{} bytes", text.len());
    assert!(text.contains("… (999920 more characters)` in column `x`"), "{text}");
    assert!(error(value).len() < 1000);
    let whole = "w".repeat(80);
    assert!(error(format!("`{whole}`")).contains(&format!("`{whole}`,")));
}

#[test]
fn an_unknown_file_is_shown_by_its_first_bytes_only() {
    let text = detect(&[0x1b; 16 << 10], Path::new("f")).unwrap_err().to_string();
    assert!(text.len() < 1000 && !text.contains('\x1b'), "{text:?}");
}
