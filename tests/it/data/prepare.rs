//! Preparation of files as they are: long recordings in blocks, warnings that are kept, odd rates and units, forged tables.

use std::fs;
use std::path::Path;

use recoup::cohort::audit::{FindingKind, folders_of_one_class};
use recoup::cohort::prepared::Prepared;
use recoup::dataset::load::SessionReader;
use recoup::dataset::{Card, DataError, load_cohort};
use recoup::signal::resample::{MissingStream, ResampleStream, Resampler, interpolate_missing};
use recoup_formats::edf::{EdfRecording, EdfSignal, write_edf};
use sha2::{Digest, Sha256};

use super::cards::Draws;

const CARD: &str = "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"id-prefix\"\n\
                    classes = { a = \"no\", b = \"yes\" }\n";

fn save(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn edf(rate_hz: f64, unit: &str, digital: Vec<i16>) -> Vec<u8> {
    let signal = EdfSignal {
        name: "x".into(),
        unit: unit.into(),
        rate_hz,
        physical_range: [-10.0, 10.0],
        digital_range: [-32768, 32767],
        digital,
    };
    let recording = EdfRecording {
        signals: vec![signal],
        ..Default::default()
    };
    write_edf(&recording, Path::new("x.edf")).unwrap()
}

fn noise(num_samples: usize) -> Vec<i16> {
    let mut draws = Draws(5);
    (0..num_samples)
        .map(|_| i16::from(draws.next()) * 100 - 12_800)
        .collect()
}

fn signal(keys: &str) -> String {
    format!(
        "{CARD}[[modality]]\nkind = \"signal\"\nname = \"x\"\nfile = \"{{subject}}.edf\"\n\
         channels = [{{ channel = \"x\", unit = \"uV\" }}]\n{keys}\n"
    )
}

fn card(text: &str) -> Result<Card, DataError> {
    Card::parse(text.into(), Path::new("card.toml"))
}

fn prepare(text: &str, folder: &Path) -> Result<Prepared, String> {
    let prepared =
        card(text).and_then(|card| Prepared::from_card(&card, &folder.join("raw"), &folder.join("prepared")));
    prepared.map_err(|error| error.to_string().replace(&format!("{}/", folder.display()), ""))
}

#[test]
fn blocks_are_resampled_as_the_whole_is() {
    let samples: Vec<f32> = noise(2_000).into_iter().map(f32::from).collect();
    let mut holes = samples.clone();
    for hole in [0..3, 500..501, 900..1_400, 1_990..2_000] {
        holes[hole].fill(f32::NAN);
    }
    for (from_hz, to_hz) in [
        (300.0, 100.0),
        (100.0, 300.0),
        (32.0, 100.0),
        (59.94, 60.0),
        (250.0, 250.0),
        (1000.0, 7.0),
    ] {
        for samples in [&samples, &holes] {
            let resampler = Resampler::for_length(from_hz, to_hz, samples.len()).unwrap();
            let whole = resampler.resample(samples);
            for size in [1, 7, 640, 5_000] {
                let (mut stream, mut outputs) = (ResampleStream::new(resampler.clone()), Vec::new());
                samples.chunks(size).for_each(|block| stream.push(block, &mut outputs));
                stream.finish(&mut outputs);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert!(
                    bits(&outputs) == bits(&whole),
                    "{from_hz} to {to_hz} Hz in blocks of {size}"
                );
            }
        }
    }
    let mut whole = holes.clone();
    assert!(interpolate_missing(&mut whole));
    for size in [1, 100, 5_000] {
        let (mut stream, mut filled) = (MissingStream::default(), Vec::new());
        holes.chunks(size).for_each(|block| stream.push(block, &mut filled));
        assert!(stream.finish(&mut filled));
        assert_eq!(filled, whole);
    }
}

/// A file of more than 4 MiB is read in blocks; the tables are those of the cohort in memory, byte by byte.
#[test]
fn long_recordings_in_blocks_are_those_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["a1", "b1", "b2"] {
        let num_samples = if id == "b1" { 1_000 } else { 2_500_000 };
        save(
            &folder.path().join(format!("raw/{id}.edf")),
            &edf(1000.0, "uV", noise(num_samples)),
        );
    }
    let text = signal("rate_hz = 100.0");
    let cohort = load_cohort(&card(&text).unwrap(), &folder.path().join("raw")).unwrap();
    let whole = Prepared::build(&cohort, &folder.path().join("whole")).unwrap();
    let prepared = prepare(&text, folder.path()).unwrap();
    assert_eq!(prepared.num_rows(0), 250_000 + 100 + 250_000);
    assert_eq!(prepared.content_hash(), whole.content_hash());
}

#[test]
fn a_cut_off_file_is_an_error_unless_accepted_and_then_told() {
    let folder = tempfile::tempdir().unwrap();
    let whole = edf(100.0, "uV", noise(1_000));
    save(&folder.path().join("raw/a1.edf"), &whole);
    save(&folder.path().join("raw/b1.edf"), &whole[..whole.len() - 1080]);
    let error = prepare(&signal("rate_hz = 100.0"), folder.path()).unwrap_err();
    assert!(error.starts_with("raw/b1.edf: content: found "), "{error}");
    assert!(
        error.contains("`accept = [\"cut-off\"]`") || error.contains("accept = [\"cut-off\"]"),
        "{error}"
    );
    let accepted = signal("rate_hz = 100.0\naccept = [\"cut-off\"]");
    for _ in 0..2 {
        // Built, then opened.
        let prepared = prepare(&accepted, folder.path()).unwrap();
        let [warning] = prepared.warnings() else {
            panic!("{:?}", prepared.warnings())
        };
        assert!(
            warning.starts_with("cut-off: 1 file of modality `x`: b1.edf: "),
            "{warning}"
        );
        assert_eq!(prepared.file_warnings()[0].file, "b1.edf");
    }
    let error = prepare(&signal("rate_hz = 100.0\naccept = [\"cutoff\"]"), folder.path()).unwrap_err();
    assert!(
        error.contains("unknown warning `cutoff`, expected one of `cut-off`, `checksum`, "),
        "{error}"
    );
}

#[test]
fn odd_rates_and_spellings_of_a_unit_come_together() {
    let folder = tempfile::tempdir().unwrap();
    // Records of one second hold a whole number of samples, so a rate of EDF is one of these.
    for (id, rate_hz, letter) in [("a1", 100.0, b'u'), ("a2", 600.0, 0xb5), ("b1", 128.0, b'u')] {
        let mut bytes = edf(rate_hz, "uV", noise(10 * rate_hz as usize));
        // The micro sign of Latin-1, which is no ASCII and stands in real headers.
        let unit = bytes.windows(3).position(|window| window == b"uV ").unwrap();
        bytes[unit] = letter;
        save(&folder.path().join(format!("raw/{id}.edf")), &bytes);
    }
    for rate_hz in [100.0, 59.94, 600.615, 150.001] {
        let prepared = prepare(&signal(&format!("rate_hz = {rate_hz:?}")), folder.path()).unwrap();
        for subject in prepared.subjects() {
            let rows = f64::from(subject.sessions[0].rows[0].count);
            assert!(
                (rows - 10.0 * rate_hz).abs() <= 1.5,
                "{}: {rows} rows at {rate_hz} Hz",
                subject.id
            );
        }
    }
    let error = prepare(&signal("rate_hz = 100.0").replace("\"uV\"", "\"mV\""), folder.path()).unwrap_err();
    let expected = "card.toml: modality.x.channels: unit of channel `x` is `mV`, a1.edf says `uV`\n\
                    hint: write `unit = \"uV\"`; units are not converted";
    assert_eq!(error, expected);
    assert!(prepare(&signal("rate_hz = 100.0\nfile_rate_hz = 101.0"), folder.path()).is_err());
    for (source_hz, target_hz) in [
        (100.001, 100.0),
        (59.939998626708984, 60.0),
        (600.615, 600.0),
        (150.001, 150.0),
    ] {
        let resampler = Resampler::for_length(source_hz, target_hz, 6_000).unwrap();
        let expected = 6_000.0 * target_hz / source_hz;
        assert!(
            (resampler.resample(&[0.0; 6_000]).len() as f64 - expected).abs() < 1.25,
            "{source_hz} Hz"
        );
    }
    assert!(Resampler::for_length(1.0, 1e5, 10).is_none());
}

#[test]
fn kinds_that_were_given_up_say_what_to_write() {
    for (kind, hint) in [
        ("wfdb", "write `kind = \"signal\"` with `file = \"RECORD.hea\"`"),
        ("delimited-signal", "write `kind = \"signal\"`"),
        ("delimited", "write `kind = \"series\"`"),
        ("clinical-table", "write `kind = \"table\"`"),
    ] {
        let error =
            card(&signal("rate_hz = 1.0").replace("kind = \"signal\"", &format!("kind = \"{kind}\""))).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(&format!("unknown kind `{kind}`, expected one of `signal`, ")),
            "{error}"
        );
        assert!(error.contains(&format!("hint: {hint}")), "{error}");
    }
}

/// The folder with a changed index and hashes that fit it.
fn forge(dir: &Path, from: &str, to: &str) {
    let path = dir.join("index.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    let text = text.replacen(from, to, 1);
    fs::write(&path, &text).unwrap();
    let hex = |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
    let sums = fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    let line = |line: &str| match line.ends_with("index.json") {
        true => format!("{}  index.json\n", hex(text.as_bytes())),
        false => format!("{line}\n"),
    };
    fs::write(dir.join("SHA256SUMS"), sums.lines().map(line).collect::<String>()).unwrap();
}

#[test]
fn forged_tables_are_refused() {
    for (from, to, expected) in [
        ("\"class\":1", "\"class\":9", "class 9, expected less than 2"),
        ("\"count\":100", "\"count\":101", "of `x`, which has"),
        ("\"start\":0", "\"start\":4294967295", "of `x`, which has"),
        ("\"num_rows\":[200]", "\"num_rows\":[100]", "of `x`, which has"),
        (
            "\"num_rows\":[200]",
            "\"num_rows\":[201]",
            "size: found 800 bytes, expected 804",
        ),
        (
            "\"num_rows\":[200]",
            "\"num_rows\":[200,1]",
            "num_rows: found 2 numbers, expected 1",
        ),
        (
            "\"rows\":[{\"start\":0,\"count\":100}]",
            "\"rows\":[]",
            "0 ranges, expected 1",
        ),
        ("\"id\":\"b1\"", "\"id\":\"a1\"", "expected unique ids in natural order"),
        ("\"rate_hz\":10.0", "\"rate_hz\":0.0", "rate_hz is 0"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for id in ["a1", "b1"] {
            save(
                &folder.path().join(format!("raw/{id}.edf")),
                &edf(10.0, "uV", noise(100)),
            );
        }
        prepare(&signal("rate_hz = 10.0"), folder.path()).unwrap();
        let dir = fs::read_dir(folder.path().join("prepared"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        forge(&dir, from, to);
        let error = Prepared::open(&dir).unwrap_err().to_string();
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("SHA256SUMS"), "00  ../secret\n").unwrap();
    let error = Prepared::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("line 1: found `00  ../secret`, expected a file of a prepared folder"),
        "{error}"
    );
}

#[test]
fn labels_that_cannot_be_learnt_or_scored_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["yes/a1_v1", "no/a1_v2", "yes/a2_v1"] {
        save(&folder.path().join(format!("raw/{name}.csv")), b"x\n1\n2\n");
    }
    let text = "name = \"t\"\nclasses = [\"no\", \"yes\", \"maybe\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"file\"\n\
                [[modality]]\nkind = \"signal\"\nname = \"x\"\nfile = \"{label}/{subject}_{session}.csv\"\nrate_hz = 1.0\n\
                file_rate_hz = 1.0\nlayout = {}\nchannels = [{ channel = \"x\", unit = \"1\" }]\n";
    let prepared = prepare(text, folder.path()).unwrap();
    let [empty, mixed] = prepared.warnings() else {
        panic!("{:?}", prepared.warnings())
    };
    assert!(empty.starts_with("no session is of class `maybe`"), "{empty}");
    assert!(
        mixed.starts_with("1 of 2 subjects have sessions of several classes (a1)"),
        "{mixed}"
    );
}

#[test]
fn the_audit_asks_whether_a_folder_is_the_person() {
    let found = |pattern: &str| {
        let folder = tempfile::tempdir().unwrap();
        for (person, label) in [("P1", "yes"), ("P2", "no"), ("P3", "yes"), ("P4", "no")] {
            for number in 0..3 {
                let path = format!("raw/{label}/{person}/rec_{person}{number}.csv");
                save(&folder.path().join(path), b"x\n1\n");
            }
        }
        let text = format!(
            "name = \"t\"\nclasses = [\"no\", \"yes\"]\n[subjects]\nkind = \"files\"\n[label]\nkind = \"file\"\n[[modality]]\n\
             kind = \"signal\"\nname = \"x\"\nfile = \"{pattern}\"\nrate_hz = 1.0\nfile_rate_hz = 1.0\nlayout = {{}}\n\
             channels = [{{ channel = \"x\", unit = \"1\" }}]\n"
        );
        let (card, raw) = (card(&text).unwrap(), folder.path().join("raw"));
        folders_of_one_class(&SessionReader::open(&card, &raw).unwrap().subjects_by_folder())
    };
    let finding = found("{label}/*/rec_{subject}.csv").unwrap();
    assert_eq!(finding.kind, FindingKind::FolderOfOneClass);
    assert!(
        finding
            .message
            .contains("each of 4 folders (`no/P2`: P20, P21, P22, ...)"),
        "{}",
        finding.message
    );
    assert_eq!(found("{label}/{group}/rec_{subject}.csv"), None);
    assert_eq!(found("{label}/{subject}/rec_{session}.csv"), None);
}
