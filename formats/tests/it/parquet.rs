//! Parquet tables against pyarrow, feature tables back and forth, and broken bytes of both kinds of table.

use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::RowAccessor;
use ndarray::Array2;
use recoup_formats::FileError;
use recoup_formats::delimited::{DelimitedLayout, DelimitedTable};
use recoup_formats::{Part, parquet};

use crate::mutate::survives;

const FOLDER: &str = "tests/fixtures/data/parquet";

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(name)).unwrap()
}

fn read(name: &str) -> Result<DelimitedTable, FileError> {
    parquet::read(&bytes(name), Path::new(name))
}

fn column<'t>(table: &'t DelimitedTable, name: &str) -> Vec<&'t str> {
    let index = table.column(name, "test").unwrap();
    table.rows().map(|row| row.field(index)).collect()
}

#[test]
fn every_type_is_read_as_pyarrow_wrote_it() {
    let expected: serde_json::Value = serde_json::from_slice(&bytes("expected.json")).unwrap();
    let order: Vec<&str> = expected["order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    for name in ["types-v1-snappy", "types-v2-plain", "groups", "encodings", "int96"] {
        let table = read(&format!("{name}.parquet")).unwrap();
        if table.columns.len() > 5 {
            assert_eq!(table.columns, order, "{name}");
        }
        assert_eq!(
            table.rows().map(|row| row.line()).collect::<Vec<_>>(),
            [1, 2, 3, 4],
            "{name}"
        );
        for (key, found) in table.columns.iter().map(|key| (key, column(&table, key))) {
            let texts: Vec<_> = expected["columns"][key]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap())
                .collect();
            assert_eq!(found, texts, "{name}, column `{key}`");
        }
    }
    let contents = parquet::contents(&bytes("groups.parquet"), Path::new("groups.parquet")).unwrap();
    assert_eq!(contents.facts[0], ("rows".to_string(), "4".to_string()));
    assert!(contents.facts[1].1.starts_with("parquet-cpp"), "{:?}", contents.facts);
    assert!(matches!(&contents.parts[..], [Part::Table(table)] if table.num_rows() == 4));
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for (name, expected) in [
        (
            "zstd.parquet",
            "row group 1, column `patient`: found compression ZSTD, expected no compression or Snappy",
        ),
        ("gzip.parquet", "found compression GZIP, expected"),
        ("brotli.parquet", "found compression BROTLI, expected"),
        ("lz4.parquet", "found compression LZ4_RAW, expected"),
        (
            "list.parquet",
            "row group 1, column `list.list.element`: found a list or map, expected one value per row",
        ),
        ("bomb.parquet", "unpack to a thousand times the file"),
    ] {
        let message = read(name).unwrap_err().to_string();
        assert!(message.starts_with(name) && message.contains(expected), "{message}");
    }
    for wrong in [&b""[..], b"PAR1", b"PAR1PAR1", b"patient,age\na,1\n", &[0xff; 64]] {
        let error = parquet::read(wrong, Path::new("wrong")).unwrap_err().to_string();
        assert!(error.contains("wrong: footer: found"), "{error}");
    }
    // The schema of a footer that nests a group in a group in a group ...
    let mut footer = vec![0x15, 2, 0x19, 0xfc, 0xd0, 0x0f]; // version 1; 2000 elements
    (0..2000).for_each(|_| footer.extend([0x48, 1, b'a', 0x15, 2, 0])); // name `a`, 1 child
    let length = (footer.len() as u32).to_le_bytes();
    let file = [b"PAR1", &footer[..], &length, b"PAR1"].concat();
    let error = parquet::read(&file, Path::new("deep")).unwrap_err().to_string();
    assert!(error.contains("a schema nested 2000 deep"), "{error}");
}

#[test]
fn a_feature_table_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.parquet");
    let odd = [
        0.1,
        -0.0,
        f64::NAN,
        f64::from_bits(0x7ff8_0000_0000_0001),
        f64::INFINITY,
        5e-324,
        f64::MAX,
        1e16,
        1e-5,
    ];
    let rows = 70_000;
    let values = Array2::from_shape_fn((rows, 2), |(row, column)| odd[(row + column) % odd.len()]);
    let subjects: Vec<String> = (0..rows).map(|row| format!("s{}", row / 100)).collect();
    let columns = [("rms", "mV"), ("median_hz", "Hz")];
    parquet::write_table(&path, &[("subject", &subjects)], &columns, values.view()).unwrap();
    let file = std::fs::read(&path).unwrap();
    let contents = parquet::contents(&file, &path).unwrap();
    assert!(
        contents
            .facts
            .contains(&("recoup.units".into(), r#"{"median_hz":"Hz","rms":"mV"}"#.into()))
    );
    let [Part::Table(table)] = &contents.parts[..] else {
        panic!("one table")
    };
    assert_eq!(table.columns, ["subject", "rms", "median_hz"]);
    assert_eq!(column(table, "subject"), subjects);
    for (index, name) in ["rms", "median_hz"].into_iter().enumerate() {
        for (text, value) in column(table, name).into_iter().zip(values.column(index)) {
            let found: f64 = text.parse().unwrap();
            assert!(
                found.to_bits() == value.to_bits() || (found.is_nan() && value.is_nan()),
                "{text} for {value:e}"
            );
        }
    }
    // Text has one NaN; the file has all of them.
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    for (row, stored) in reader.get_row_iter(None).unwrap().enumerate() {
        let stored = stored.unwrap();
        let bits = [1, 2].map(|column| stored.get_double(column).unwrap().to_bits());
        assert_eq!(
            bits,
            [values[[row, 0]].to_bits(), values[[row, 1]].to_bits()],
            "row {row}"
        );
    }

    let before = std::fs::read(&path).unwrap();
    for (ids, columns) in [
        (&subjects[..5], &columns[..]),
        (&subjects[..], &columns[..1]),
        (&subjects[..], &[("subject", "1"), ("rms", "mV")][..]),
    ] {
        assert!(parquet::write_table(&path, &[("subject", ids)], columns, values.view()).is_err());
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    parquet::write_table(&path, &[("subject", &[])], &columns, Array2::zeros((0, 2)).view()).unwrap();
    assert!(parquet::read(&std::fs::read(&path).unwrap(), &path).unwrap().num_rows() == 0);
}

#[test]
fn a_hundred_thousand_damaged_parquet_files_are_survived() {
    let names = [
        "types-v1-snappy.parquet",
        "types-v2-plain.parquet",
        "encodings.parquet",
        "int96.parquet",
        "groups.parquet",
    ];
    let samples: Vec<_> = names.iter().map(|name| (*name, bytes(name), 1200)).collect();
    // The crate's panics are caught; their traces would fill the log.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let run = std::panic::catch_unwind(|| {
        survives(&samples, 100_000, &[], |name, bytes| {
            match parquet::read(bytes, Path::new(name)) {
                Ok(_) => true,
                Err(error) => {
                    assert!(error.to_string().contains(name));
                    false
                }
            }
        });
    });
    std::panic::set_hook(hook);
    run.unwrap();
}

#[test]
fn a_hundred_thousand_damaged_texts_are_survived() {
    let quoted =
        b"\xef\xbb\xbfid;\"a;b\";c\r\n1;\"x \"\"y\"\"\";2,5\r\n\r\n# note\r\n2;;NA\r\n3;\"two\r\nlines\";-1e3\r\n";
    let spaced = b"title\nid  a\tb\n 1 2 3\n4 5\n6\n7 8 9\n";
    let samples = [
        ("quoted.csv", quoted.repeat(8), 120),
        ("spaced.txt", spaced.repeat(8), 60),
        ("plain.csv", b"a,b,c\n1,2,3\n4,5,6\n".repeat(20), 30),
        ("tabs.tsv", b"a\tb\n\t2\n3\t\n".repeat(20), 30),
    ];
    let layouts = [
        "separator = \"semicolon\"\ncomment = \"#\"\ndecimal = \",\"",
        "separator = \"whitespace\"\nskip_lines = 1\njoin_short_lines = true",
        "header = false",
        "separator = \"tab\"\nheader = [\"x\", \"y\"]\nskip_lines = 1",
    ]
    .map(|text| toml::from_str::<DelimitedLayout>(text).unwrap());
    survives(&samples, 100_000, &[], |name, bytes| {
        let layout = &layouts[samples.iter().position(|sample| sample.0 == name).unwrap()];
        match layout.table(bytes, Path::new(name)) {
            Ok(table) => {
                assert!(table.rows().all(|row| row.fields().count() == table.columns.len()));
                true
            }
            Err(error) => {
                assert!(error.to_string().contains(name), "{error}");
                false
            }
        }
    });
}
