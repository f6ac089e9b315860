//! Names as people read and write them.

use std::path::Path;

use recoup_formats::nearest::nearest;

/// A name as people read it: case, blanks, punctuation and leading zeros of numbers do not distinguish two of them.
pub(crate) fn spelling(name: &str) -> String {
    let mut plain = String::new();
    for letter in name
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
    {
        let mut before = plain.chars().rev();
        // A zero goes if a digit follows it and none precedes it.
        if letter.is_ascii_digit() && before.next() == Some('0') && !before.next().is_some_and(|c| c.is_ascii_digit()) {
            plain.pop();
        }
        plain.push(letter);
    }
    plain
}

/// `path` as a word of a shell's command line: in single quotes where a shell would take it apart.
pub fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// For a parser's message "unknown field `x`, expected one of `y`, `z`" the closest of what it expected.
pub(crate) fn closest_expected(message: &str) -> Option<&str> {
    let (_, names) = message.split_once("unknown ")?;
    let mut quoted = names.lines().next()?.split('`').skip(1).step_by(2);
    nearest(quoted.next()?, quoted)
}
