//! Spellings of units.

/// Whether two spellings mean one unit: the micro sign (U+00B5), the Greek letter mu (U+03BC) and `u` are one prefix, the
/// ohm sign, the Greek letter omega and `Ohm` one unit, the degree sign and `deg` another. Blanks around do not count; case
/// does, as in `mV` and `MV`.
pub fn same_unit(one: &str, other: &str) -> bool {
    one == other || plain(one) == plain(other)
}

fn plain(unit: &str) -> String {
    let mut plain = String::new();
    for letter in unit.trim().chars() {
        match letter {
            '\u{b5}' | '\u{3bc}' => plain.push('u'),
            '\u{2126}' | '\u{3a9}' => plain.push_str("Ohm"),
            '\u{b0}' | '\u{ba}' => plain.push_str("deg"),
            letter => plain.push(letter),
        }
    }
    plain.replace("ohm", "Ohm")
}
