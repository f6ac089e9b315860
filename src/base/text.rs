//! Names as people read and write them.

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
