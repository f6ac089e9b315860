//! `datasets/your-own-data.md`, word for word: what the commands print, and what the answers lead to.

use std::fs;
use std::path::Path;

use super::cli::{fail, succeed};

/// The document's study; the numbers are other draws, with the same median of the change.
fn study(raw: &Path) {
    let mut table = String::from("patient,centre,therapist,sex,age,score_week0,change_week12\n");
    for number in 1..=40usize {
        let (patient, change) = (format!("P{number:02}"), [4, 7, 10, 13][number % 4]);
        let age = if number == 9 {
            "NA".into()
        } else {
            (45 + number % 30).to_string()
        };
        table.push_str(&format!(
            "{patient},{},T{},{},{age},{},{change}\n",
            ["north", "south"][number % 2],
            number % 8 + 1,
            ["f", "m"][number / 2 % 2],
            10 + number % 30,
        ));
        let mut text = String::from("time (ms),biceps (mV),triceps (mV)\n");
        let rate_hz = f64::from(60 + 2 * change);
        // The recorder lost a row.
        for sample in (0..3000).filter(|sample| (number, *sample) != (7, 1499)) {
            let phase = std::f64::consts::TAU * rate_hz * f64::from(sample) / 1000.0;
            text.push_str(&format!("{sample},{:.4},{:.4}\n", phase.sin(), phase.cos()));
        }
        fs::create_dir_all(raw.join(&patient)).unwrap();
        fs::write(raw.join(&patient).join("emg.csv"), text).unwrap();
    }
    fs::write(raw.join("patients.csv"), table).unwrap();
}

/// The blocks of the document in a language, without the indentation of lists.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open: Option<(usize, bool)> = None;
    for line in document.lines() {
        match (open, line.trim_start().strip_prefix("```")) {
            (None, Some(name)) => {
                open = Some((line.len() - line.trim_start().len(), name == language));
                found.extend((name == language).then(String::new));
            }
            (Some(_), Some(_)) => open = None,
            (Some((indent, true)), None) => {
                let text = found.last_mut().unwrap();
                text.push_str(&format!("{}\n", line.get(indent..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    found
}

/// What the document shows below a command.
fn shown(document: &str, command: &str) -> String {
    let blocks = blocks(document, "console");
    let block = blocks
        .iter()
        .find_map(|block| block.strip_prefix(&format!("$ {command}\n")));
    block.unwrap_or_else(|| panic!("no block for `{command}`")).to_string()
}

/// Replaces the part of a text from `start` to the first `end` behind it.
fn exchange(text: &mut String, start: &str, end: &str, new: &str) {
    let from = text.find(start).unwrap_or_else(|| panic!("no `{start}` in\n{text}"));
    let length = text[from..]
        .find(end)
        .unwrap_or_else(|| panic!("no `{end}` in\n{text}"));
    text.replace_range(from..from + length, new);
}

#[test]
fn the_walk_through_ones_own_data_is_what_happens() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/your-own-data.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    study(&folder.path().join("datasets/arm/raw"));
    let printed = succeed(folder.path(), &["data", "new", "datasets/arm"]);
    assert_eq!(printed, shown(&document, "recoup data new datasets/arm"));

    let path = folder.path().join("datasets/arm/card.toml");
    let mut card = fs::read_to_string(&path).unwrap();
    let answers = blocks(&document, "toml");
    let (classes, label) = answers[0].split_once("\n\n").unwrap();
    exchange(&mut card, "classes = ", "\n\n", classes);
    exchange(&mut card, "[label]\n", "\n\n", label.trim_end());
    exchange(
        &mut card,
        "channels = [\n    { column = \"sex\"",
        "\n\n",
        answers[1].trim_end(),
    );
    exchange(&mut card, "rate_hz = 1000.0", "\n", "rate_hz = 250.0");
    fs::write(&path, &card).unwrap();
    let error = fail(folder.path(), &["data", "prepare", "arm"], 1);
    assert_eq!(
        error.replace(&format!("{}/", folder.path().display()), ""),
        shown(&document, "recoup data prepare arm")
    );

    fs::write(
        &path,
        card.replace("rate_hz = 250.0", "rate_hz = 250.0\nmax_gap_secs = 0.002"),
    )
    .unwrap();
    let printed = succeed(folder.path(), &["data", "prepare", "arm"]);
    assert!(printed.contains("40 subjects"), "{printed}");
    // Eight therapists in two centres: no fold separates patients of one.
    succeed(folder.path(), &["data", "audit", "datasets/arm/experiment.toml"]);
}
