//! Whatever stands in a file, reading it ends in a value or in an error, and soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use recoup::dataset::draft::draft;
use recoup_formats::delimited::DelimitedLayout;
use recoup_formats::image::{Color, read_image};
use recoup_formats::wfdb::read_record_with;

use super::cards::{Draws, Layout, card_text, dataset, load};
use super::fixtures;

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        (usize::from(self.next()) << 16 | usize::from(self.next()) << 8 | usize::from(self.next())) % end.max(1)
    }

    /// Some bytes changed, removed, doubled, or replaced by what readers stumble over.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        const WORDS: [&[u8]; 14] = [
            b"\xff\xff\xff\xff",
            b"\0",
            b"\"",
            b"\r",
            b"\n",
            b"nan",
            b"-1e999",
            b"99999999999999999999",
            b"{",
            b"*",
            b",,,",
            b";",
            b"\t",
            b"../",
        ];
        let mut bytes = bytes.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + self.below(40)).min(bytes.len());
            match self.next() % 5 {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                3 => drop(bytes.splice(
                    at..(at + 1).min(bytes.len()),
                    WORDS[usize::from(self.next()) % WORDS.len()].to_vec(),
                )),
                _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = self.next()),
            }
        }
        bytes
    }
}

/// A hundred times what anything takes alone, because other tests keep the threads busy.
fn soon<T>(what: &str, read: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = read();
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{what} took {:?}",
        start.elapsed()
    );
    value
}

#[test]
fn mutated_text_images_and_headers_never_panic() {
    let mut draws = Draws(3);
    let layouts: Vec<DelimitedLayout> = [
        "separator = \"comma\"\ncomment = \"#\"",
        "separator = \"whitespace\"\nheader = false\njoin_short_lines = true",
        "separator = \"semicolon\"\ndecimal = \",\"\nskip_lines = 1",
    ]
    .map(|text| toml::from_str(text).unwrap())
    .to_vec();
    let text = "# device\nt,left,\"right\"\n0.00,1.5,-3\n0.01,\"1,5\",\n\n0.02,,NaN\r\n".repeat(3);
    let mut read = 0;
    for round in 0..3000 {
        let bytes = draws.mutate(text.as_bytes());
        let layout = &layouts[round % layouts.len()];
        read += usize::from(soon("text", || layout.table(&bytes, Path::new("t"))).is_ok());
    }
    assert!(
        (100..2900).contains(&read),
        "{read} of 3000 were read: mutations neither all harmless nor all fatal"
    );
    let mut read = 0;
    for name in ["gray8.png", "rgb16.png", "palette.png", "rgb.jpg", "turned.jpg"] {
        let whole = fs::read(fixtures().join("images").join(name)).unwrap();
        for _ in 0..400 {
            let bytes = draws.mutate(&whole);
            let image = soon(name, || read_image(&bytes, Path::new(name), Color::Rgb));
            read += usize::from(image.is_ok_and(|image| image.values.iter().all(|value| (0.0..=1.0).contains(value))));
        }
    }
    assert!((20..1900).contains(&read), "{read} of 2000 were read");
    let header = fs::read(fixtures().join("formats/f16.hea")).unwrap();
    let signal = fs::read(fixtures().join("formats/f16.dat")).unwrap();
    for _ in 0..1500 {
        let (header, signal) = (draws.mutate(&header), draws.mutate(&signal));
        let result = soon("header", || {
            read_record_with(Path::new("f16.hea"), |path| {
                Ok(if path.ends_with("f16.hea") {
                    header.clone()
                } else {
                    signal.clone()
                })
            })
        });
        assert!(result.is_err() || header.len() < 2000);
    }
}

#[test]
fn mutated_cards_and_datasets_never_panic() {
    let mut draws = Draws(4);
    let folder = dataset(Layout::Folder);
    let card = folder.path().join("card.toml");
    for _ in 0..200 {
        fs::write(&card, draws.mutate(card_text(Layout::Folder).as_bytes())).unwrap();
        drop(soon("card", || load(folder.path())));
    }
    fs::write(&card, card_text(Layout::Folder)).unwrap();
    for path in ["raw/patients.csv", "raw/yes/P01/pre_emg.csv"] {
        let path = folder.path().join(path);
        let whole = fs::read(&path).unwrap();
        for _ in 0..50 {
            fs::write(&path, draws.mutate(&whole)).unwrap();
            drop(soon("dataset", || load(folder.path())));
            let draft = soon("draft", || draft(folder.path())).unwrap();
            recoup::dataset::card::Card::parse(draft.toml.clone(), &card)
                .unwrap_or_else(|error| panic!("{error}\n{}", draft.toml));
        }
        fs::write(&path, whole).unwrap();
    }
}
