//! De-identified tables and headers have nothing left that identifies, and keep what research needs.

mod folder;

use std::path::Path;

use recoup::deidentify::{Deidentifier, DeidentifyRules, key_from_file};
use recoup_formats::delimited::{DelimitedLayout, DelimitedTable};
use recoup_formats::parquet;
use recoup_formats::strip::StripOptions;
use recoup_formats::{FileError, edf, wfdb};

use crate::mutate::survives;

const KEY: &[u8] = b"sixteen bytes or more of a key";

const RULES: &str = r#"
    prefix = "P-"
    patient = "mrn"
    missing = ["NA"]
    [columns]
    mrn = "id"
    visit_id = "id"
    admitted = "date"
    scored = "date"
    age = "age"
    barthel = "keep"
    remarks = "drop"
"#;

fn with_key(key: &[u8]) -> Deidentifier {
    Deidentifier::new(key, toml::from_str(RULES).unwrap()).unwrap()
}

fn table(text: &str) -> DelimitedTable {
    DelimitedLayout::default()
        .table(text.as_bytes(), Path::new("emr.csv"))
        .unwrap()
}

const TABLE: &str = "\
mrn,visit_id,admitted,scored,age,barthel,remarks
MRN-004711,V100001,2021-03-04,2021-03-18T10:30:00+01:00,67,45,Mr Meyer called
MRN-004711,V100002,04.03.2021,20210401,67,60,\"daughter, Ms Meyer\"
MRN-004712,V100003,2022-12-31 23:59,20230114120000.5+0100,93.5,NA,
MRN-004713,,,2023-01-01,90,100,\"see MRN-004711\"
";

fn fields(csv: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(csv).unwrap();
    text.lines()
        .map(|line| line.split(',').map(String::from).collect())
        .collect()
}

fn day(text: &str) -> chrono::NaiveDate {
    let (pattern, length) = match text.as_bytes() {
        [_, _, b'.', ..] => ("%d.%m.%Y", 10),
        [_, _, _, _, b'-', ..] => ("%Y-%m-%d", 10),
        _ => ("%Y%m%d", 8),
    };
    chrono::NaiveDate::parse_from_str(&text[..length], pattern).unwrap()
}

#[test]
fn nothing_that_identifies_is_left_and_intervals_are_kept() {
    let out = with_key(KEY).table(&table(TABLE)).unwrap();
    let text = String::from_utf8(out.clone()).unwrap();
    for secret in [
        "MRN",
        "0047",
        "V1000",
        "2021-03-04",
        "04.03.2021",
        "20210401",
        "2022-12-31",
        "2021-03-18",
        "2023011",
        "Meyer",
        "93",
        "remarks",
        "2023-01-01",
    ] {
        assert!(!text.contains(secret), "`{secret}` is in\n{text}");
    }
    let rows = fields(&out);
    assert_eq!(rows[0], ["mrn", "visit_id", "admitted", "scored", "age", "barthel"]);
    assert_eq!(rows[1][0], rows[2][0]);
    assert_ne!(rows[1][0], rows[3][0]);
    assert_ne!(rows[1][1], rows[2][1]);
    assert!(rows[1][0].len() == 2 + 16 && rows[1][0].starts_with("P-"));
    let days = |row: usize| (day(&rows[row][3]) - day(&rows[row][2])).num_days();
    assert_eq!([days(1), days(2), days(3)], [14, 28, 14]);
    assert_eq!(day(&rows[1][2]), day(&rows[2][2]), "one patient, one shift");
    assert!(
        rows[1][3].ends_with("T10:30:00+01:00")
            && rows[3][3].ends_with("120000.5+0100")
            && rows[3][2].ends_with(" 23:59")
    );
    let ages: Vec<_> = rows[1..].iter().map(|row| row[4].as_str()).collect();
    assert_eq!(ages, ["67", "67", "90", "90"]);
    assert_eq!(
        (rows[4][1].as_str(), rows[4][2].as_str(), rows[3][5].as_str()),
        ("", "", "NA")
    );
}

#[test]
fn pseudonyms_are_those_of_the_key() {
    let (one, other) = (with_key(KEY), with_key(b"another key of 16 bytes and more"));
    assert_eq!(one.pseudonym("MRN-004711"), with_key(KEY).pseudonym(" MRN-004711 "));
    assert_ne!(one.pseudonym("MRN-004711"), other.pseudonym("MRN-004711"));
    assert_ne!(
        fields(&one.table(&table(TABLE)).unwrap())[1][0],
        fields(&other.table(&table(TABLE)).unwrap())[1][0]
    );
    // HMAC-SHA-256 of `id` 0 `MRN-004711`, first ten bytes in base 32, by Python's hmac and base64.
    assert_eq!(one.pseudonym("MRN-004711"), "P-jon4v7bk6agiodwq");
    let shifts: Vec<i64> = (0..20_000)
        .map(|patient| one.shift_days(&format!("p{patient}")))
        .collect();
    assert!(shifts.iter().all(|days| *days != 0 && days.abs() <= 365));
    assert_eq!(
        shifts.iter().collect::<std::collections::BTreeSet<_>>().len(),
        730,
        "every shift is drawn"
    );
    assert!(!format!("{one:?}").contains("sixteen") && !format!("{one:?}").contains("115, 105"));
}

#[test]
fn what_is_not_classified_or_does_not_fit_is_an_error() {
    let one = with_key(KEY);
    let error = |text: &str| one.table(&table(text)).unwrap_err().to_string();
    let message = error("mrn,phone,barthel,street\na,b,5,c\n");
    assert!(
        message.contains("emr.csv: header: found columns `phone`, `street`, expected a class for every column"),
        "{message}"
    );
    for (text, expected) in [
        (
            "mrn,admitted\nMRN-1,March 2021\n",
            "line 2, column `admitted`: found a field of 10 characters, expected a full date",
        ),
        ("mrn,admitted\nMRN-1,2021-02-30\n", "expected a full date"),
        ("mrn,admitted\nMRN-1,2021\n", "expected a full date"),
        ("mrn,admitted\n,2021-02-03\n", "expected a patient in this row"),
        ("mrn,age\nMRN-1,old\n", "expected an age in years"),
        (
            "mrn,barthel\nMRN-1,2021-02-03\n",
            "expected no date in a column that is kept",
        ),
        (
            "mrn,barthel\nMRN-1,3/4/2021\n",
            "expected no date in a column that is kept",
        ),
        (
            "mrn,barthel\nMRN-1,2021.3.4 10:00\n",
            "expected no date in a column that is kept",
        ),
        (
            "mrn,barthel\nMRN-1,20210203\n",
            "expected no date in a column that is kept",
        ),
        (
            "mrn,barthel\nMRN-004711,see MRN004712\nMRN004712,5\n",
            "expected no id in a column that is kept",
        ),
        (
            "mrn,barthel\nMRN-004711,MRN-004711\n",
            "expected no id in a column that is kept",
        ),
        ("age,barthel\n5,5\n", "expected one column `mrn`"),
    ] {
        assert!(error(text).contains(expected), "{}", error(text));
        assert!(!error(text).contains("2021-02-03"), "messages do not repeat fields");
    }
    assert!(
        Deidentifier::new(b"short", toml::from_str(RULES).unwrap())
            .unwrap_err()
            .contains("5 bytes, expected at least 16")
    );
    let rules: DeidentifyRules = toml::from_str("patient = \"x\"\n[columns]\nx = \"keep\"").unwrap();
    assert!(
        Deidentifier::new(KEY, rules)
            .unwrap_err()
            .contains("`x`, expected a column of class `id`")
    );
    assert!(toml::from_str::<DeidentifyRules>("patient = \"x\"\n[columns]\nx = \"hide\"").is_err());
}

#[test]
fn keys_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, [KEY, b"\r\n"].concat()).unwrap();
    assert_eq!(key_from_file(&path).unwrap(), KEY);
    assert!(key_from_file(&folder.path().join("none")).is_err());
}

#[test]
fn parquet_is_deidentified_as_text_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emr.parquet");
    let ids = ["MRN-004711".to_string(), "MRN-004712".to_string()];
    let dates = ["2021-03-04".to_string(), "2021-03-05".to_string()];
    let values = ndarray::array![[45.0], [f64::NAN]];
    parquet::write_table(
        &path,
        &[("mrn", &ids), ("admitted", &dates)],
        &[("barthel", "1")],
        values.view(),
    )
    .unwrap();
    let read = parquet::read(&std::fs::read(&path).unwrap(), &path).unwrap();
    let text = table("mrn,admitted,barthel\nMRN-004711,2021-03-04,45\nMRN-004712,2021-03-05,NaN\n");
    assert_eq!(with_key(KEY).table(&read).unwrap(), with_key(KEY).table(&text).unwrap());
}

/// The header of a record as its format strips it, files keeping their names.
fn wfdb_header(one: &Deidentifier, patient: &str, bytes: &[u8], path: &Path) -> Result<Vec<u8>, FileError> {
    let options = StripOptions {
        key: KEY,
        pseudonym: &one.pseudonym(patient),
        shift_days: one.shift_days(patient),
        names_patient: &|text| text.contains(patient),
        keep_annotations: false,
        new_name: &|file| Some(file.into()),
        read_file: &|path| std::fs::read(path).map_err(FileError::io(path, "read")),
    };
    wfdb::strip::strip(bytes, path, &options).map(|stripped| stripped.bytes)
}

fn edf_header(one: &Deidentifier, patient: &str, bytes: &mut [u8], path: &Path) -> Result<bool, FileError> {
    edf::strip::clean_header(bytes, path, &one.pseudonym(patient), one.shift_days(patient))
}

#[test]
fn a_wfdb_header_loses_comments_and_times_only() {
    let one = with_key(KEY);
    let header = b"# Meyer\r\nr001 2 360 650000 10:30:00 04/03/2021\r\nr001.dat 212 200 11 1024 995 -22131 0 MLII\r\n\
        r001.dat 212 200 11 1024 1011 20052 0 V5\r\n#<age>: 67 <sex>: M\r\n";
    let expected = b"r001 2 360 650000\r\nr001.dat 212 200 11 1024 995 -22131 0 MLII\r\n\
        r001.dat 212 200 11 1024 1011 20052 0 V5\r\n";
    assert_eq!(
        wfdb_header(&one, "MRN-004711", header, Path::new("r001.hea")).unwrap(),
        expected
    );
    let plain = b"r001   1  360  10 \nr001.dat 16";
    assert_eq!(
        wfdb_header(&one, "MRN-004711", plain, Path::new("r001.hea")).unwrap(),
        plain
    );
    let named = b"MRN-004711_1 1 360 10\nMRN-004711_1.dat 16\n";
    let error = wfdb_header(&one, "MRN-004711", named, Path::new("r001.hea"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("found the patient's id") && error.contains("rename the record"),
        "{error}"
    );
    assert!(wfdb_header(&one, "MRN-004711", b"# only\n", Path::new("r001.hea")).is_err());
}

fn edf(kind: &str, label: &str) -> Vec<u8> {
    let field = |text: &str, width: usize| format!("{text:<width$}").into_bytes();
    let mut bytes = field("0", 8);
    bytes.extend(field("MRN-004711 M 04-MAR-1950 Hans_Meyer", 80));
    bytes.extend(field("Startdate 02-JAN-2021 PSG-1234 Dr_Who Machine", 80));
    bytes.extend(field("02.01.21", 8));
    bytes.extend(field("22.15.00", 8));
    bytes.extend(field("512", 8));
    bytes.extend(field(kind, 44));
    [("10", 8), ("1", 8), ("1", 4)]
        .iter()
        .for_each(|(text, width)| bytes.extend(field(text, *width)));
    bytes.extend(field(label, 16));
    bytes.extend(vec![b' '; 240]);
    bytes.extend((0..200u8).collect::<Vec<_>>());
    bytes
}

#[test]
fn an_edf_header_loses_patient_and_date_only() {
    let one = with_key(KEY);
    for (kind, label, has_annotations) in [
        ("EDF+C", "EDF Annotations", true),
        ("EDF+C", "EEG Fpz-Cz", false),
        ("", "EEG Fpz-Cz", false),
    ] {
        let before = edf(kind, label);
        let mut after = before.clone();
        assert_eq!(
            edf_header(&one, "MRN-004711", &mut after, Path::new("a.edf")).unwrap(),
            has_annotations
        );
        assert_eq!(
            (&before[..8], &before[176..]),
            (&after[..8], &after[176..]),
            "all else stays"
        );
        let header = String::from_utf8(after[..256].to_vec()).unwrap();
        for secret in [
            "MRN",
            "4711",
            "Meyer",
            "1950",
            "02.01.21",
            "02-JAN-2021",
            "PSG-1234",
            "Who",
        ] {
            assert!(!header.contains(secret), "`{secret}` is in {header}");
        }
        let moved = chrono::NaiveDate::from_ymd_opt(2021, 1, 2).unwrap()
            + chrono::TimeDelta::days(one.shift_days("MRN-004711"));
        assert_eq!(&header[168..176], moved.format("%d.%m.%y").to_string());
        assert!(header[8..].starts_with(&one.pseudonym("MRN-004711")));
        let recording = format!(
            "Startdate {} X X X",
            moved.format("%d-%b-%Y").to_string().to_uppercase()
        );
        assert_eq!(header[88..168].trim(), if kind.is_empty() { "" } else { &recording });
    }
    let mut wrong = edf("", "EEG");
    wrong[168..176].copy_from_slice(b"99.99.99");
    let before = wrong.clone();
    assert!(
        edf_header(&one, "MRN-004711", &mut wrong, Path::new("a.edf"))
            .unwrap_err()
            .to_string()
            .contains("byte 168")
    );
    assert_eq!(wrong, before);
    assert!(edf_header(&one, "MRN-004711", &mut before[..100].to_vec(), Path::new("a.edf")).is_err());
}

#[test]
fn a_hundred_thousand_damaged_headers_and_tables_are_survived() {
    let one = with_key(KEY);
    let wfdb =
        b"r001 2 360 650000 10:30:00 04/03/2021\r\nr001.dat 212 200 11 1024 995 -22131 0 MLII\n#<age>: 67\n".to_vec();
    let samples = [
        ("a.edf", edf("EDF+C", "EDF Annotations"), 300),
        ("r001.hea", wfdb, 60),
        ("emr.csv", TABLE.as_bytes().to_vec(), 60),
    ];
    survives(&samples, 100_000, &[], |name, bytes| match name {
        "a.edf" => {
            let mut after = bytes.to_vec();
            let done = edf_header(&one, "MRN-004711", &mut after, Path::new(name)).is_ok();
            assert_eq!(after.len(), bytes.len());
            assert!(done || after == bytes);
            done
        }
        "r001.hea" => wfdb_header(&one, "MRN-004711", bytes, Path::new(name)).is_ok(),
        _ => {
            let table = DelimitedLayout::default().table(bytes, Path::new(name));
            table.is_ok_and(|table| one.table(&table).is_ok())
        }
    });
}
