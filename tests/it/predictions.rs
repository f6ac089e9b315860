//! `predictions.parquet`: bit-exact round trip, atomic replacement, errors on anything else.

use std::fs;

use recoup::cohort::split::Part;
use recoup::evaluation::Prediction;
use recoup::runs::predictions::{FILE_NAME, PredictionsError, StoredPredictions, read, write};

fn classes() -> Vec<String> {
    ["healthy", "Parkinson's, early", "ALS"].map(str::to_owned).to_vec()
}

/// Rows with texts, numbers and bit patterns that a careless writer would change.
fn rows(count: u32) -> Vec<Prediction> {
    let odd = [
        f32::MIN_POSITIVE / 4.0,
        -0.0,
        f32::INFINITY,
        f32::from_bits(0x7fc0_1234),
        f32::MAX,
        0.1,
    ];
    (0..count)
        .map(|index| Prediction {
            variant: if index % 2 == 0 {
                "cnn".into()
            } else {
                "Größe \"x\"\n".into()
            },
            repeat: index % 3,
            fold: u32::MAX - index % 5,
            seed: u64::MAX - u64::from(index),
            part: Part::ALL[index as usize % 3],
            subject: format!("s{}", index / 7),
            session: String::new(),
            window_start_secs: f64::from(index) / 3.0,
            target: index % 3,
            logits: (0..3)
                .map(|class| odd[(index + class) as usize % odd.len()] + (index / 6) as f32)
                .collect(),
        })
        .collect()
}

/// NaN payloads count too, so compare bits.
fn bits(rows: &[Prediction]) -> Vec<(Vec<u32>, u64)> {
    let of_row = |row: &Prediction| {
        (
            row.logits.iter().map(|logit| logit.to_bits()).collect(),
            row.window_start_secs.to_bits(),
        )
    };
    rows.iter().map(of_row).collect()
}

fn without_floats(rows: &[Prediction]) -> Vec<Prediction> {
    rows.iter()
        .cloned()
        .map(|row| Prediction {
            logits: Vec::new(),
            window_start_secs: 0.0,
            ..row
        })
        .collect()
}

#[test]
fn what_is_read_is_what_was_written_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    // The last count needs a second row group.
    for count in [0, 1, 23, 70_000] {
        let rows = rows(count);
        write(&path, &classes(), &rows).unwrap();
        let StoredPredictions {
            classes: names,
            rows: read,
        } = read(&path).unwrap();
        assert_eq!(names, classes());
        assert_eq!(bits(&read), bits(&rows));
        assert_eq!(without_floats(&read), without_floats(&rows));
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [FILE_NAME], "temporary files are gone");
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    write(&first, &classes(), &rows(50)).unwrap();
    write(&second, &classes(), &rows(50)).unwrap();
    assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
}

#[test]
fn every_truncation_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    write(&path, &classes(), &rows(40)).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read(&path).unwrap_err();
        assert!(
            matches!(error, PredictionsError::Damaged { .. }),
            "{length} bytes: {error}"
        );
        let message = error.to_string();
        let expected = format!(
            "{}: not a readable parquet file, truncated or damaged: ",
            path.display()
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}

/// A flipped bit is either reported or harmless (statistics, padding): it never changes a row unnoticed.
#[test]
fn no_flipped_bit_changes_a_row_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let rows = rows(40);
    write(&path, &classes(), &rows).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut reported = 0;
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1 << (byte % 8);
        fs::write(&path, &damaged).unwrap();
        match read(&path) {
            Err(_) => reported += 1,
            Ok(stored) => {
                assert_eq!(bits(&stored.rows), bits(&rows), "byte {byte}");
                assert_eq!(without_floats(&stored.rows), without_floats(&rows), "byte {byte}");
            }
        }
    }
    assert!(reported > whole.len() / 4, "{reported} of {}", whole.len());
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    write(&path, &classes(), &rows(5)).unwrap();
    let before = fs::read(&path).unwrap();

    let mut short = rows(5);
    short[3].logits.pop();
    let message = write(&path, &classes(), &short).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("{}: row 3 (subject `s0`) has 2 logits for 3 classes", path.display())
    );

    let mut outside = rows(5);
    outside[4].target = 3;
    let message = write(&path, &classes(), &outside).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "{}: row 4 (subject `s0`) has target 3, expected less than 3",
            path.display()
        )
    );

    let twice = ["a", "b", "a"].map(str::to_owned);
    let message = write(&path, &twice, &rows(5)).unwrap_err().to_string();
    assert_eq!(message, format!("{}: class `a` is declared twice", path.display()));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn missing_files_and_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere").join(FILE_NAME);
    for error in [
        read(&path).unwrap_err(),
        write(&path, &classes(), &rows(1)).unwrap_err(),
    ] {
        assert!(
            matches!(&error, PredictionsError::File(error) if error.path() == path),
            "{error}"
        );
    }
}

#[test]
fn garbage_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    for garbage in [
        &b""[..],
        b"PAR1",
        b"PAR1PAR1",
        b"PAR1\xff\xff\xff\x7fPAR1",
        b"subject,target\na,1\n",
    ] {
        fs::write(&path, garbage).unwrap();
        assert!(matches!(read(&path).unwrap_err(), PredictionsError::Damaged { .. }));
    }
}
