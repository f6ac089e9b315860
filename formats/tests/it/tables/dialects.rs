//! Tables of random fields, written in many dialects by the csv crate, read back equal.

use super::draws::Draws;
use super::{declared, rows, sniffed};

const COLUMNS: [&str; 5] = ["id", "time", "kraft", "größe", "notiz"];

#[derive(Debug)]
struct Dialect {
    separator: u8,
    quotes: csv::QuoteStyle,
    end: csv::Terminator,
    encoding: usize,
    decimal: &'static str,
    missing: &'static str,
}

impl Dialect {
    fn draw(draws: &mut Draws) -> Self {
        use csv::QuoteStyle::{Always, Necessary, NonNumeric};
        use csv::Terminator::{Any, CRLF};
        Self {
            separator: draws.pick(b",;\t"),
            quotes: draws.pick(&[Necessary, Always, NonNumeric]),
            end: draws.pick(&[CRLF, Any(b'\n'), Any(b'\r')]),
            encoding: draws.below(7),
            decimal: draws.pick(&[".", ","]),
            missing: draws.pick(&["", "NA", "NaN", "#N/A", ".", "null"]),
        }
    }

    /// As this dialect writes rows under a header.
    fn write(&self, records: &[[String; 5]]) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.separator)
            .quote_style(self.quotes)
            .terminator(self.end)
            .from_writer(Vec::new());
        writer.write_record(COLUMNS).unwrap();
        records.iter().for_each(|record| writer.write_record(record).unwrap());
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let units = |mark: bool| mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        match self.encoding {
            0 => text.into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 | 3 => units(self.encoding == 2).flat_map(u16::to_le_bytes).collect(),
            4 | 5 => units(self.encoding == 4).flat_map(u16::to_be_bytes).collect(),
            // Letters of Latin-1 have the same numbers in windows-1252.
            _ => text
                .chars()
                .map(|letter| u8::try_from(letter as u32).unwrap())
                .collect(),
        }
    }

    /// The card's layout.
    fn layout(&self) -> String {
        let separator = match self.separator {
            b',' => "comma",
            b';' => "semicolon",
            _ => "tab",
        };
        format!(
            "separator = \"{separator}\"\ndecimal = \"{}\"\nmissing = [\"NA\", \"NaN\", \".\", \"null\"]",
            self.decimal
        )
    }
}

fn word(draws: &mut Draws) -> String {
    let letters: Vec<char> = "abcxyzäöüß ,;\"'#%/.-5\n".chars().collect();
    let inside: String = (0..draws.below(9)).map(|_| draws.pick(&letters)).collect();
    // Neither a number nor a comment, whatever stands inside.
    format!("w{inside}z")
}

#[test]
fn tables_of_every_dialect_read_back_equal() {
    let mut draws = Draws(5);
    for round in 0..2_000 {
        let dialect = Dialect::draw(&mut draws);
        let mut numbers = [Vec::new(), Vec::new(), Vec::new()];
        let records: Vec<[String; 5]> = (0..5 + draws.below(70))
            .map(|index| {
                let mut number = |column: usize, value: usize, digits: usize| {
                    if column > 0 && draws.below(10) == 0 {
                        return dialect.missing.to_string();
                    }
                    let text = format!(
                        "{:.digits$}",
                        value as f64 / 10f64.powi(digits as i32) - if column > 0 { 50.0 } else { 0.0 }
                    );
                    numbers[column].push(text.parse::<f64>().unwrap());
                    text.replace('.', dialect.decimal)
                };
                let [time, force, size] = [
                    number(0, index, 3),
                    number(1, index * 7919 % 1000, 1),
                    number(2, index * 104_729 % 10_000, 2),
                ];
                [format!("P{index:03}"), time, force, size, word(&mut draws)]
            })
            .collect();
        let bytes = dialect.write(&records);
        let expected: Vec<String> = records.iter().map(|record| record.join("|")).collect();
        let found = declared(&dialect.layout(), &bytes).unwrap_or_else(|error| panic!("{round}, {dialect:?}: {error}"));
        assert_eq!(rows(&found), expected, "{round}, {dialect:?}");
        let sniffed = sniffed(&bytes);
        assert_eq!(sniffed.table.columns, COLUMNS, "{round}, {dialect:?}");
        assert_eq!(rows(&sniffed.table), expected, "{round}, {dialect:?}");
        for (column, numbers) in (1..).zip(numbers).filter(|(_, numbers)| !numbers.is_empty()) {
            assert_eq!(
                sniffed.numbers(column),
                Some(numbers),
                "{round}, column {column}, {dialect:?}"
            );
        }
    }
}
