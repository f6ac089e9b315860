//! Every mistake in a card or a file has its message.

use std::fs;

use super::super::{edit, message};
use super::{Layout, dataset, load, save};

/// What happens to the file or the card, and the whole message.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    expected: &'static str,
}

const fn mistake(file: &'static str, from: &'static str, to: &'static str, expected: &'static str) -> Mistake {
    Mistake {
        file,
        from,
        to,
        expected,
    }
}

fn check(mistakes: &[Mistake], layout: Layout) {
    let mut wrong = Vec::new();
    for Mistake {
        file,
        from,
        to,
        expected,
    } in mistakes
    {
        let folder = dataset(layout);
        let path = folder.path().join(file);
        match *to {
            "(remove)" => fs::remove_file(&path).unwrap(),
            "(copy)" => save(&folder.path().join(from), &fs::read(&path).unwrap()),
            to => edit(&path, from, to),
        }
        let found = match load(folder.path()) {
            Ok(_) => "a cohort".into(),
            Err(error) => message(Err::<(), _>(error), folder.path()),
        };
        if found != *expected {
            wrong.push(format!("{file}: {from} -> {to}\nFOUND {found}\nWANTED {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn mistakes_with_files_by_label() {
    check(
        &[
            mistake(
                "card.toml",
                "name = \"own\"",
                "nam = \"own\"",
                "card.toml: line 1: unknown field `nam`, expected one of `name`, `title`, `licence`, `citation`, `url`, `base_url`, `files`, `hashes`, `hashes_sha256`, `accept`, `classes`, `subjects`, `table`, `label`, `modality`\nhint: did you mean `name`?",
            ),
            mistake(
                "card.toml",
                "[[modality]]\nkind = \"image\"",
                "[[modality]]\nkind = \"images\"",
                "card.toml: line 29: unknown kind `images`, expected one of `signal`, `series`, `table`, `image`, `points`, `annotations`, `visits`\nhint: did you mean `image`?",
            ),
            mistake(
                "card.toml",
                "height = 4",
                "hight = 4",
                "card.toml: line 34: unknown field `hight`, expected one of `name`, `kind`, `file`, `optional`, `accept`, `color`, `height`, `width`, `scale`, `range`, `slices`\nhint: did you mean `height`?",
            ),
            mistake(
                "card.toml",
                "\"non-responder\", \"responder\"]",
                "\"responder\"]",
                "card.toml: classes: 1 classes, expected at least two\nhint: name what is to be told apart, in the order of the indices",
            ),
            mistake(
                "card.toml",
                "{subject}/{session}_emg",
                "{subjct}/{session}_emg",
                "card.toml: modality.emg.file: unknown group `{subjct}`\nhint: did you mean `{subject}`?",
            ),
            mistake(
                "card.toml",
                "{subject}/{session}_emg",
                "{subject}{session}_emg",
                "card.toml: modality.emg.file: two groups side by side in `{label}/{subject}{session}_emg.csv`\nhint: write what stands between them, such as `{subject}_{session}`",
            ),
            mistake(
                "card.toml",
                "{label}/{subject}/{session}_emg",
                "/{label}/{subject}/{session}_emg",
                "card.toml: modality.emg.file: `/{label}/{subject}/{session}_emg.csv` is not a path below the raw folder\nhint: paths are relative to the raw folder, with `/` between folders, such as `{subject}/emg.csv`",
            ),
            mistake(
                "card.toml",
                "{subject}/{session}_emg",
                "{subject/{session}_emg",
                "card.toml: modality.emg.file: a brace without its partner in `{label}/{subject/{session}_emg.csv`\nhint: groups are written `{subject}`",
            ),
            mistake(
                "card.toml",
                "\"{label}/{subject}/{session}_emg",
                "\"{label}/*/{session}_emg",
                "card.toml: modality.emg.file: no `{subject}` in it\nhint: write `{subject}` where the id stands; a table of all subjects is `kind = \"table\"`",
            ),
            mistake(
                "card.toml",
                "{subject}/{session}_emg.csv",
                "{subject}/{session}_emg.tsv",
                "card.toml: modality.emg.file: no file matches `{label}/{subject}/{session}_emg.tsv` for subject `P01`, session `post`\nhint: add the file, correct the pattern, or write `optional = true` if sessions may lack this modality",
            ),
            mistake(
                "card.toml",
                "time = \"Time (s)\"",
                "time = \"time\"",
                "raw/yes/P01/post_emg.csv: header: found Time (s), Left, Right, expected one column `time` (`modality.emg.time` in the card)\nhint: did you mean `Time (s)`?",
            ),
            mistake(
                "card.toml",
                "time = \"Time (s)\"\n",
                "time = \"Time (s)\"\ntime_unit = \"sample\"\n",
                "card.toml: modality.emg.time_unit: `sample` without `file_rate_hz`\nhint: state how many samples a second has",
            ),
            mistake(
                "card.toml",
                "time = \"Time (s)\"\n",
                "",
                "card.toml: modality.emg.file_rate_hz: missing, and `time` as well, so that nothing tells the rate of the file\nhint: state the rate, or name the column of time stamps",
            ),
            mistake(
                "card.toml",
                "time = \"Time (s)\"\n",
                "time = \"Time (s)\"\ntime_unit = \"ms\"\n",
                "raw/yes/P01/post_emg.csv: column `Time (s)`: found 100000.000 rows per second in the mean, expected a rate within a factor of 100 of rate_hz = 50\nhint: correct `time_unit` in the card, or state `file_rate_hz`",
            ),
            mistake(
                "card.toml",
                "time = \"Time (s)\"\n",
                "time = \"Time (s)\"\nfile_rate_hz = 90.0\n",
                "raw/yes/P01/post_emg.csv: line 6, column `Time (s)`: found 0.030000 s after the first row, expected 0.033333 s, as the rate is 90 Hz\nhint: rows are lost or irregular: allow straight lines between time stamps with `max_gap_secs`, or correct `time_unit` or `file_rate_hz`, in the card",
            ),
            mistake(
                "card.toml",
                "column = \"Left\"",
                "column = \"left\"",
                "raw/yes/P01/post_emg.csv: header: found Time (s), Left, Right, expected one column `left` (`modality.emg.channels` in the card)\nhint: did you mean `Left`?",
            ),
            mistake(
                "card.toml",
                "column = \"Left\"",
                "column = \"EMG\"",
                "raw/yes/P01/post_emg.csv: header: found Time (s), Left, Right, expected one column `EMG` (`modality.emg.channels` in the card)\nhint: there is `Time (s)`, `Left`, `Right`",
            ),
            mistake(
                "card.toml",
                "file = \"patients.csv\"",
                "file = \"patient.csv\"",
                "card.toml: table.file: there is no file `patient.csv` below raw\nhint: did you mean `patients.csv`?",
            ),
            mistake(
                "card.toml",
                "id = \"Subject\"",
                "id = \"ID\"",
                "raw/patients.csv: header: found Subject, Visit, Age, Sex, Site, Family, Outcome, expected one column `ID` (`table.id` in the card)\nhint: there is `Subject`, `Visit`, `Age`, `Sex`, `Site`, `Family`, `Outcome`",
            ),
            mistake(
                "card.toml",
                "session = \"Visit\"\n",
                "",
                "raw/patients.csv: line 3: found a second row for subject `P01`, expected one, and line 2 is it\nhint: remove one of the two rows, or name the column that tells the sessions apart: `session`",
            ),
            mistake(
                "card.toml",
                "column = \"Age\", unit = \"year\"",
                "column = \"Outcome\", unit = \"1\"",
                "raw/patients.csv: line 3, column `Outcome`: found `yes`, expected a number\nhint: correct the column's unit, categories or missing codes in the card",
            ),
            mistake(
                "card.toml",
                "range = [18.0, 100.0]",
                "range = [60.0, 100.0]",
                "raw/patients.csv: line 4, column `Age`: found `51`, expected 60 to 100 year\nhint: correct the column's unit, categories or missing codes in the card",
            ),
            mistake(
                "card.toml",
                "comment = \"#\"",
                "comment = \"#\"\nheader = 3",
                "card.toml: line 18: `header` is true (the first line names the columns), false (they are called 1, 2, ...), \"comment\" (the last line of comments names them) or a list of names\nhint: datasets/README.md lists the keys of a card",
            ),
            mistake(
                "card.toml",
                "comment = \"#\"",
                "",
                "raw/yes/P01/post_emg.csv: line 2: found 3 fields, expected 1 (# device 7)\nhint: check `separator`, `header` and the quotes of this line",
            ),
            mistake(
                "card.toml",
                "yes = \"responder\"",
                "yes = \"respnder\"",
                "card.toml: label.classes.yes: unknown class `respnder`, expected one of [\"non-responder\", \"responder\"]\nhint: add it to `classes` or correct it",
            ),
            mistake(
                "card.toml",
                "yes = \"responder\" }",
                "maybe = \"responder\" }",
                "card.toml: label: no class for subject `P01`, session `post` from `yes` (yes/P01/post_emg.csv)\nhint: the card knows [\"maybe\", \"no\"]",
            ),
            mistake(
                "card.toml",
                "kind = \"file\"",
                "kind = \"column\"\ncolumn = \"Outcome\"",
                "card.toml: modality.emg.file: `{label}` is for `label.kind = \"file\"` only\nhint: write `*` for what does not matter",
            ),
            mistake(
                "card.toml",
                "site = \"Site\"",
                "site = \"Site\"\n[table.layout]\nmissing = [\"north\"]\n[unknown]",
                "card.toml: line 14: unknown field `unknown`, expected one of `name`, `title`, `licence`, `citation`, `url`, `base_url`, `files`, `hashes`, `hashes_sha256`, `accept`, `classes`, `subjects`, `table`, `label`, `modality`\nhint: datasets/README.md lists the keys of a card",
            ),
            mistake(
                "card.toml",
                "height = 4",
                "height = 0",
                "card.toml: modality.scan.height: 0, expected 1 to 4096\nhint: pixels after resizing",
            ),
            mistake(
                "raw/yes/P01/pre_emg.csv",
                "",
                "(remove)",
                "card.toml: modality.emg.file: no file matches `{label}/{subject}/{session}_emg.csv` for subject `P01`, session `pre`\nhint: add the file, correct the pattern, or write `optional = true` if sessions may lack this modality",
            ),
            mistake(
                "raw/yes/P01/pre_emg.csv",
                "raw/no/P01/pre_emg.csv",
                "(copy)",
                "raw/yes/P01/pre_emg.csv: name: found a second file of modality `emg` for subject `P01`, session `pre`, expected one, and `no/P01/pre_emg.csv` is it\nhint: remove one, or tell them apart by `{session}` in the pattern",
            ),
            mistake(
                "raw/yes/P01/pre_scan_2.png",
                "raw/no/P01/pre_scan_3.png",
                "(copy)",
                "raw/no/P01/pre_scan_3.png: name: found label `no` for subject `P01`, session `pre`, expected `yes`, as the name of `yes/P01/pre_emg.csv` says\nhint: move or rename one of the two files",
            ),
            mistake(
                "raw/yes/P01/pre_emg.csv",
                "0.53,",
                "0.5x,",
                "raw/yes/P01/pre_emg.csv: line 6, column `Time (s)`: found `0.5x`, expected seconds, more than in the row before\nhint: correct the column's unit, categories or missing codes in the card",
            ),
            mistake(
                "raw/yes/P01/pre_emg.csv",
                "0.53,",
                "0.535,",
                "raw/yes/P01/pre_emg.csv: line 6, column `Time (s)`: found 0.035000 s after the first row, expected 0.030000 s, as the rate is 100 Hz\nhint: rows are lost or irregular: allow straight lines between time stamps with `max_gap_secs`, or correct `time_unit` or `file_rate_hz`, in the card",
            ),
            mistake(
                "raw/yes/P01/pre_emg.csv",
                "0.53,",
                "0.53,NaN,",
                "raw/yes/P01/pre_emg.csv: line 6: found 4 fields, expected 3 (Time (s), Left, Right)\nhint: check `separator`, `header` and the quotes of this line",
            ),
            mistake(
                "raw/yes/P01/pre_emg.csv",
                "\n0.53,",
                "\n0.531,NaN\n0.53,",
                "raw/yes/P01/pre_emg.csv: line 6: found 2 fields, expected 3 (Time (s), Left, Right)\nhint: check `separator` and `header` in the card's layout; write `fill_short_lines = true` where rows lack their last fields, or `join_short_lines = true` where they go on in the next line",
            ),
            mistake(
                "raw/patients.csv",
                "P01,pre",
                "P99,pre",
                "raw/patients.csv: column `Subject`: found no row for subject `P01`, session `pre`, expected one\nhint: the subject has rows for other sessions; are the sessions spelled alike?",
            ),
            mistake(
                "raw/patients.csv",
                "P01,pre",
                "P01,post",
                "raw/patients.csv: line 3: found a second row for subject `P01`, session `post`, expected one, and line 2 is it\nhint: remove one of the two rows",
            ),
            mistake(
                "raw/patients.csv",
                "P02,post",
                "P02,POST",
                "raw/patients.csv: column `Subject`: found no row for subject `P02`, session `post`, expected one\nhint: the subject has rows for other sessions; are the sessions spelled alike?",
            ),
            mistake(
                "raw/patients.csv",
                "P01,pre,63",
                "P01,pre,NaN",
                "raw/patients.csv: line 2, column `Age`: found `NaN`, expected a number in year\nhint: if it stands for a missing value, write `missing = [\"NaN\"]` into the layout in the card",
            ),
            mistake(
                "raw/patients.csv",
                ",m,north",
                ",m,south",
                "raw/patients.csv: line 7, column `Site`: found `north` for subject `P03`, expected `south`, as in line 6\nhint: a subject has one site",
            ),
            mistake(
                "raw/patients.csv",
                ",m,north",
                ",d,north",
                "raw/patients.csv: line 6, column `Sex`: found `d`, expected one of [\"f\", \"m\"]\nhint: correct the column's unit, categories or missing codes in the card",
            ),
        ],
        Layout::Folder,
    );
}

#[test]
fn mistakes_with_a_table_of_sessions() {
    check(
        &[
            mistake(
                "card.toml",
                "file_rate_hz = 100.0\n",
                "file_rate_hz = 100.0\nmax_gap_secs = 0.1\n",
                "card.toml: modality.emg.max_gap_secs: set, but no column of time stamps is\nhint: name the column: `time = \"...\"`",
            ),
            mistake(
                "card.toml",
                "column = \"Outcome\"",
                "column = \"Outcom\"",
                "raw/patients.csv: header: found Subject, Visit, Age, Sex, Site, Family, Outcome, expected one column `Outcom` (`label.column` in the card)\nhint: did you mean `Outcome`?",
            ),
            mistake(
                "card.toml",
                "separator = \"tab\"",
                "separator = \"comma\"",
                "raw/P01/post/emg.tsv: header: found `Left\\tRight`, expected one column `Left` (`modality.emg.channels` in the card)\nhint: the header is a single field; check `separator` in the card's layout",
            ),
            mistake(
                "card.toml",
                "kind = \"table\"\n",
                "kind = \"list\"\nids = [\"P01\", \"P20\"]\n",
                "card.toml: subjects: subject `P20` has no row in patients.csv, which names the sessions\nhint: add rows for it, or take it off the list",
            ),
            mistake(
                "card.toml",
                "kind = \"table\"\n",
                "kind = \"list\"\nids = []\n",
                "card.toml: subjects: no ids\nhint: list them under `ids`",
            ),
            mistake(
                "card.toml",
                "file = \"{subject}/{session}/emg.tsv\"",
                "file = \"{subject}/{session}/{site}.tsv\"",
                "card.toml: modality.emg.file: `{site}`, and column `Site` under `table.site` as well\nhint: take it from one of the two; write `*` for what does not matter",
            ),
            mistake(
                "raw/P03/pre/emg.tsv",
                "\t",
                "\t\t",
                "raw/P03/pre/emg.tsv: line 2: found 2 fields, expected 3 (Left, , Right)\nhint: check `separator` and `header` in the card's layout; write `fill_short_lines = true` where rows lack their last fields, or `join_short_lines = true` where they go on in the next line",
            ),
            mistake(
                "raw/P03/pre/emg.tsv",
                "Right",
                "Left",
                "raw/P03/pre/emg.tsv: header: found it twice, expected one column `Left` (`modality.emg.channels` in the card)\nhint: name the columns yourself: `header = [...]` and `skip_lines = 1` in the card's layout",
            ),
            mistake(
                "raw/patients.csv",
                ",no\n",
                ",unknown\n",
                "card.toml: label: no class for subject `P02`, session `pre` from `unknown` in column `Outcome` (patients.csv, line 4)\nhint: the card knows [\"no\", \"yes\"]",
            ),
        ],
        Layout::Table,
    );
}

#[test]
fn mistakes_without_a_header() {
    check(
        &[
            mistake(
                "card.toml",
                "decimal = \",\"",
                "",
                "raw/emg/P01_post_yes.txt: line 1, column `2`: found `-0,5546875`, expected a number in mV\nhint: if it is a number with a decimal comma, write `decimal = \",\"` into the layout in the card",
            ),
            mistake(
                "card.toml",
                "column = \"2\"",
                "column = \"Left\"",
                "card.toml: modality.emg.channels: unknown column `Left`, expected a number\nhint: with `header = false` the columns are called \"1\", \"2\" and so on; `name` names the channel",
            ),
            mistake(
                "card.toml",
                "column = \"3\"",
                "column = \"4\"",
                "raw/emg/P01_post_yes.txt: header: found 1, 2, 3, expected one column `4` (`modality.emg.channels` in the card)\nhint: there is `1`, `2`, `3`",
            ),
            mistake(
                "card.toml",
                "emg/{subject}_{session}_{label}.txt",
                "emg/{subject}_*_{label}.txt",
                "raw/emg/P01_pre_yes.txt: name: found a second file of modality `emg` for subject `P01`, session `post`, expected one, and `emg/P01_post_yes.txt` is it\nhint: remove one, or tell them apart by `{session}` in the pattern",
            ),
            mistake(
                "raw/emg/P01_pre_yes.txt",
                "30;",
                "33;",
                "raw/emg/P01_pre_yes.txt: line 4, column `1`: found 0.033000 s after the first row, expected 0.030000 s, as the rate is 100 Hz\nhint: rows are lost or irregular: allow straight lines between time stamps with `max_gap_secs`, or correct `time_unit` or `file_rate_hz`, in the card",
            ),
        ],
        Layout::FileName,
    );
}
