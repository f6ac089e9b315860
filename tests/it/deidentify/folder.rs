//! A folder of every format, with identifiers planted in it, leaves none of them in the new folder, and all of its data.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use recoup::deidentify::{Deidentifier, FolderReport, deidentify_folder};
use recoup_formats::{Contents, Part, open};

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("formats/tests/fixtures/data")
}

const KEY: &[u8] = b"sixteen bytes or more of a key";
const RULES: &str = r#"
    prefix = "P-"
    pattern = "{patient}/..."
    patient = "mrn"
    [columns]
    mrn = "id"
    admitted = "date"
    scored = "date"
    age = "age"
    remarks = "drop"
    time = "keep"
    emg = "keep"
"#;
/// The patient's id, name and dates, a serial number, a UID.
const PLANTED: [&str; 8] = [
    "MRN-004711",
    "Meyer",
    "2021-03-04",
    "20210304",
    "04-MAR-1950",
    "SN99887",
    "1.2.276.0.7230010.77",
    "Charite",
];
const SECRET: &str = "Meyer MRN-004711 2021-03-04 SN99887 Charite";

fn deidentifier(key: &[u8], rules: &str) -> Deidentifier {
    Deidentifier::new(key, toml::from_str(rules).unwrap()).unwrap()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new()
        .filename("Meyer.nii")
        .write(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn with_text(mut bytes: Vec<u8>, at: usize, width: usize, text: &str) -> Vec<u8> {
    let field = text.bytes().chain(std::iter::repeat(b' ')).take(width);
    bytes[at..at + width]
        .iter_mut()
        .zip(field)
        .for_each(|(slot, byte)| *slot = byte);
    bytes
}

fn png() -> Vec<u8> {
    let bytes = fixture("images/rgb8.png");
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&body);
        [&(data.len() as u32).to_be_bytes()[..], &body, &sum.sum().to_be_bytes()].concat()
    };
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(SECRET.as_bytes()).unwrap();
    let ztxt = [b"Comment\0\0".to_vec(), packed.finish().unwrap()].concat();
    let texts = [
        chunk(b"tEXt", format!("Author\0{SECRET}").as_bytes()),
        chunk(b"zTXt", &ztxt),
    ]
    .concat();
    [&bytes[..33], &texts, &bytes[33..], SECRET.as_bytes()].concat()
}

fn jpeg(name: &str) -> Vec<u8> {
    let bytes = fixture(name);
    let segment =
        |marker: u8, text: &[u8]| [&[0xff, marker], &(text.len() as u16 + 2).to_be_bytes()[..], text].concat();
    let comment = segment(0xfe, SECRET.as_bytes());
    let xmp = segment(0xe1, format!("http://ns.adobe.com/xap/1.0/\0{SECRET}").as_bytes());
    [&bytes[..2], &comment, &xmp, &bytes[2..], SECRET.as_bytes()].concat()
}

/// The first directory again at the end, with an ImageDescription.
fn tiff(name: &str) -> Vec<u8> {
    let mut bytes = fixture(name);
    assert_eq!(&bytes[..4], b"II*\0");
    let at = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let entries = bytes[at + 2..at + 2 + 12 * count].to_vec();
    let text_at = bytes.len() as u32;
    bytes.extend(SECRET.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    let directory = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&directory.to_le_bytes());
    bytes.extend((count as u16 + 1).to_le_bytes());
    let mut entries: Vec<Vec<u8>> = entries.chunks_exact(12).map(<[u8]>::to_vec).collect();
    let text = [
        &[0x0e, 1, 2, 0],
        &(SECRET.len() as u32).to_le_bytes()[..],
        &text_at.to_le_bytes(),
    ]
    .concat();
    entries.push(text);
    entries.sort_by_key(|entry| u16::from_le_bytes([entry[0], entry[1]]));
    bytes.extend(entries.concat());
    bytes.extend([0; 4]);
    bytes
}

/// An EDF+ file with its annotations replaced by names.
fn edf() -> Vec<u8> {
    let bytes = fixture("edf/plus.edf");
    let bytes = with_text(bytes, 8, 80, "MRN-004711 M 04-MAR-1950 Hans_Meyer");
    let mut bytes = with_text(bytes, 88, 80, "Startdate 04-MAR-2021 SN99887 Dr_Meyer Charite");
    let signals: usize = std::str::from_utf8(&bytes[252..256]).unwrap().trim().parse().unwrap();
    for signal in 0..signals {
        bytes = with_text(bytes, 256 + 16 * signals + 80 * signal, 80, "electrode SN99887");
        bytes = with_text(bytes, 256 + 224 * signals + 32 * signal, 32, "Charite");
    }
    let at = bytes.windows(2).rposition(|pair| pair == b"\x14\0").unwrap();
    assert!(bytes[at + 2..at + 22].iter().all(|byte| *byte == 0), "there is room");
    bytes[at + 2..at + 18].copy_from_slice(b"+1\x14Meyer called\x14");
    [bytes, SECRET.as_bytes().to_vec()].concat()
}

/// Everything below one patient's folder, with names that identify.
fn plant(root: &Path) {
    let own = |name: &str| format!("MRN-004711/{name}");
    let put = |name: &str, bytes: &[u8]| put(root, name, bytes);
    put(
        "emr.csv",
        b"# Charite\nmrn,admitted,scored,age,remarks\nMRN-004711,2021-03-04,2021-03-18,95,Mr Meyer\nMRN-004712,2021-04-01,2021-04-02,50,-\n",
    );
    put(&own("emg_2021-03-04.csv"), b"time,emg\n0.0,1.5\n0.1,2.5\n0.2,-1.5\n");
    put(&own("MRN-004711_night.edf"), &edf());
    let signal = fixture("wfdb/frames.dat");
    let header = String::from_utf8(fixture("wfdb/frames.hea")).unwrap();
    let header = header.replace("frames", "mrn_004711_ecg") + &format!("# {SECRET}\n");
    put(&own("mrn_004711_ecg.hea"), header.as_bytes());
    put(&own("mrn_004711_ecg.dat"), &signal);
    let note = b"Meyer called!!\0\0";
    let mark = [&[10, 1 << 2, 14, 63 << 2][..], &note[..14], &[0, 0]].concat();
    put(&own("mrn_004711_ecg.atr"), &mark);
    put(&own("gait_Meyer.c3d"), &fixture("motion/eb015pi.c3d"));
    let nifti = fixture("nifti/f4le.nii");
    let nifti = with_text(with_text(nifti, 148, 80, SECRET), 14, 18, "MRN-004711");
    put(&own("brain.nii"), &nifti);
    put(&own("brain2.nii.gz"), &gzip(&nifti));
    put(
        &own("pair.hdr"),
        &with_text(fixture("nifti/pair.hdr"), 228, 24, "Meyer"),
    );
    put(&own("pair.img"), &fixture("nifti/pair.img"));
    put(&own("face.png"), &png());
    put(&own("a.jpg"), &jpeg("images/rgb.jpg"));
    put(&own("b.jpg"), &jpeg("images/turned.jpg"));
    for name in [
        "u16", "pages", "tiles", "deflate", "rgb-lzw", "planar", "big", "turned6",
    ] {
        let planted = name != "pages" && name != "big";
        let name = format!("tiff/{name}.tif");
        put(&own(&name), &if planted { tiff(&name) } else { fixture(&name) });
    }
    put(&own("op.json"), &fixture("motion/op.json"));
    put(&own("bp.json"), &fixture("motion/bp.json"));
    put(&own("kinect.txt"), &fixture("motion/kinect.txt"));
}

/// All files below a folder, by their path in it.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    let little: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = secret.encode_utf16().flat_map(u16::to_be_bytes).collect();
    [secret.as_bytes().to_vec(), little, big].iter().any(|secret| {
        bytes
            .windows(secret.len())
            .any(|window| window.eq_ignore_ascii_case(secret))
    })
}

fn assert_none(files: &BTreeMap<String, Vec<u8>>, secrets: &[&str]) {
    for (name, bytes) in files {
        let mut plain = Vec::new();
        let zipped = bytes.starts_with(&[0x1f, 0x8b]) && GzDecoder::new(&bytes[..]).read_to_end(&mut plain).is_ok();
        assert!(!zipped || !plain.is_empty());
        for secret in secrets {
            assert!(!holds(name.as_bytes(), secret), "`{secret}` in the name {name}");
            assert!(!holds(bytes, secret) && !holds(&plain, secret), "`{secret}` in {name}");
        }
    }
}

fn assert_same(before: &Contents, after: &Contents, name: &str) {
    assert_eq!(before.parts.len(), after.parts.len(), "{name}");
    let bits = |values: &mut dyn Iterator<Item = f32>| values.map(f32::to_bits).collect::<Vec<_>>();
    for (one, other) in before.parts.iter().zip(&after.parts) {
        match (one, other) {
            (Part::Signals(one), Part::Signals(other)) => {
                assert_eq!(one.len(), other.len(), "{name}");
                for (one, other) in one.iter().zip(other) {
                    assert_eq!(
                        (&one.name, &one.unit, one.rate_hz),
                        (&other.name, &other.unit, other.rate_hz)
                    );
                    assert_eq!(
                        bits(&mut one.values.iter().copied()),
                        bits(&mut other.values.iter().copied()),
                        "{name}"
                    );
                }
            }
            (Part::Points(one), Part::Points(other)) => {
                assert_eq!(
                    (&one.unit, one.rate_hz, &one.names),
                    (&other.unit, other.rate_hz, &other.names)
                );
                let (one, other) = (one.positions.iter().copied(), other.positions.iter().copied());
                assert_eq!(bits(&mut { one }), bits(&mut { other }), "{name}");
            }
            (Part::Images(one), Part::Images(other)) => {
                assert_eq!(
                    (&one.planes, one.values.dim(), one.affine),
                    (&other.planes, other.values.dim(), other.affine)
                );
                let (one, other) = (one.values.iter().copied(), other.values.iter().copied());
                assert_eq!(bits(&mut { one }), bits(&mut { other }), "{name}");
            }
            (Part::Table(_), Part::Table(_)) => {}
            _ => panic!("{name}: other parts"),
        }
    }
}

fn run(root: &Path, key: &[u8], rules: &str, out: &str) -> FolderReport {
    let one = deidentifier(key, rules);
    deidentify_folder(&root.join("in"), &root.join(out), &one, false, None).unwrap()
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn nothing_planted_is_left_and_all_data_are() {
    let (folder, input) = (temporary(), PathBuf::from("in"));
    let (root, input) = (folder.path(), folder.path().join(input));
    plant(&input);
    let before = files(&input);
    let report = run(root, KEY, RULES, "out");
    assert_eq!(files(&input), before, "the input is as it was");
    let after = files(&root.join("out"));
    assert_none(&after, &PLANTED);
    assert_eq!(
        (report.files.len(), report.num_patients, report.num_skipped),
        (before.len(), 2, 0)
    );
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.contains_key("deidentified.json"));
    for (old, new) in before.keys().zip(&report.files) {
        if old == "emr.csv" {
            continue;
        }
        let (one, other) = (
            open(&input.join(old)).unwrap(),
            open(&root.join("out").join(&new.file)).unwrap(),
        );
        assert_same(&one, &other, old);
    }
    let one = deidentifier(KEY, RULES);
    let (pseudonym, days) = (one.pseudonym("MRN-004711"), one.shift_days("MRN-004711"));
    assert!(
        report
            .files
            .iter()
            .filter(|file| file.file.starts_with(&format!("{pseudonym}/")))
            .count()
            > 20
    );
    assert!(
        after.contains_key(&format!("{pseudonym}/{pseudonym}_ecg.dat")),
        "{:?}",
        after.keys()
    );
    // The night began so many days after the admission, before and after.
    let day = |text: &str| chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
    let table = String::from_utf8(after["emr.csv"].clone()).unwrap();
    let row: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[0], row[3]), (pseudonym.as_str(), "90"));
    assert_eq!(day(row[1]) - day("2021-03-04"), chrono::TimeDelta::days(days));
    assert_eq!(day(row[2]) - day(row[1]), chrono::TimeDelta::days(14));
    let moved = (day("2021-03-04") + chrono::TimeDelta::days(days)).to_string();
    assert!(after.contains_key(&format!("{pseudonym}/emg_{moved}.csv")));
    let start = |path: &Path| {
        let facts = open(path).unwrap().facts;
        let start = facts.into_iter().find(|(name, _)| name == "start").unwrap().1;
        day(&start[..10])
    };
    let night = |out: &str| start(&root.join(out).join(format!("{pseudonym}/{pseudonym}_night.edf")));
    assert_eq!(
        night("out") - start(&input.join("MRN-004711/MRN-004711_night.edf")),
        chrono::TimeDelta::days(days)
    );

    run(root, KEY, RULES, "again");
    assert_eq!(files(&root.join("again")), after, "same key, same bytes");
    run(root, b"another key of 16 bytes and more", RULES, "other");
    let other = files(&root.join("other"));
    assert_none(&other, &PLANTED);
    assert!(other.keys().all(|name| !name.contains(&pseudonym)));
}

#[test]
fn annotations_are_kept_where_the_rules_say_so() {
    let folder = temporary();
    let root = folder.path();
    let input = root.join("in/1");
    fs::create_dir_all(&input).unwrap();
    for name in [
        "edf/plus.edf",
        "edf/gaps.edf",
        "wfdb/frames.hea",
        "wfdb/frames.dat",
        "wfdb/frames.atr",
    ] {
        fs::copy(fixtures().join(name), input.join(Path::new(name).file_name().unwrap())).unwrap();
    }
    fs::write(input.join("walk.c3d"), fixture("motion/written.c3d")).unwrap();
    run(root, KEY, "pattern = \"{patient}/...\"", "dropped");
    run(root, KEY, "pattern = \"{patient}/...\"\nannotations = \"keep\"", "kept");
    let pseudonym = deidentifier(KEY, "").pseudonym("1");
    for name in ["plus.edf", "gaps.edf", "frames.hea", "walk.c3d"] {
        let read = |out: &str| open(&root.join(out).join(&pseudonym).join(name)).unwrap();
        let (before, kept, dropped) = (open(&input.join(name)).unwrap(), read("kept"), read("dropped"));
        assert_eq!(before.annotations, kept.annotations, "{name}");
        assert_same(&before, &dropped, name);
        let texts: Vec<_> = dropped.annotations.iter().map(|mark| mark.text.as_str()).collect();
        match name {
            "frames.hea" => {
                assert!(
                    texts.iter().all(|text| !text.contains(' ')),
                    "mnemonics only: {texts:?}"
                );
                let onsets =
                    |contents: &Contents| contents.annotations.iter().map(|m| m.onset_secs).collect::<Vec<_>>();
                assert_eq!(onsets(&before), onsets(&dropped));
            }
            _ => assert!(texts.is_empty(), "{name}: {texts:?}"),
        }
    }
    assert!(!open(&input.join("plus.edf")).unwrap().annotations.is_empty());
}

#[test]
fn dicom_by_its_own_patient() {
    let folder = temporary();
    let root = folder.path();
    let bytes = fixture("dicom/patient.dcm");
    let identity = recoup_formats::dicom::deidentify::identity(&bytes, Path::new("a.dcm")).unwrap();
    let secrets: Vec<&str> = [identity.id.as_str()]
        .into_iter()
        .chain(identity.names[0].split('^').filter(|word| word.len() > 2))
        .chain(identity.uids.iter().map(String::as_str))
        .collect();
    assert!(secrets.len() >= 4, "{secrets:?}");
    let name = format!(
        "in/{}/{}/{}.dcm",
        identity.names[0].replace('^', "_"),
        identity.uids[1],
        identity.uids[0]
    );
    put(root, &name, &bytes);
    let report = run(root, KEY, "patient_from = \"header\"", "out");
    let after = files(&root.join("out"));
    assert_none(&after, &secrets);
    let pseudonym = deidentifier(KEY, "").pseudonym(&identity.id);
    assert!(report.files[0].file.starts_with(&pseudonym), "{}", report.files[0].file);
    assert_same(
        &open(&root.join(name)).unwrap(),
        &open(&root.join("out").join(&report.files[0].file)).unwrap(),
        "dcm",
    );
    // One patient has one pseudonym.
    put(root, "two/other/a.dcm", &bytes);
    let one = deidentifier(KEY, "pattern = \"{patient}/...\"");
    let error = deidentify_folder(&root.join("two"), &root.join("out2"), &one, false, None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("another patient than in the path"), "{error}");
}

#[test]
fn what_cannot_be_done_leaves_nothing() {
    let one = deidentifier(
        KEY,
        "pattern = \"{patient}/...\"\n[columns]\ntime = \"keep\"\nemg = \"keep\"",
    );
    type Files = [(&'static str, &'static [u8])];
    let cases: [(&str, &Files, &str); 9] = [
        (
            "unknown",
            &[("1/a.csv", b"time,emg\n0,1\n1,2\n"), ("1/b.mat", b"MATLAB 5.0 file")],
            "no reader knows",
        ),
        (
            "late",
            &[
                ("1/a.csv", b"time,emg\n0,1\n1,2\n"),
                ("1/z.png", b"\x89PNG\r\n\x1a\n\0\0"),
            ],
            "a whole file",
        ),
        (
            "column",
            &[("1/a.csv", b"time,name\n0,Meyer\n1,Meyer\n")],
            "a class for every column",
        ),
        ("patient", &[("a.json", b"[{\"people\":[]}]")], "no patient for a.json"),
        (
            "text",
            &[("1/a.json", b"{\"people\":[],\"name\":\"Meyer\"}")],
            "numbers only",
        ),
        (
            "date",
            &[("1/a.csv", b"time,emg\n0,1\n1,2020-01-01\n")],
            "no date in a column that is kept",
        ),
        (
            "record",
            &[("1/a.hea", b"a 1 100 4\n../b.dat 16 200\n")],
            "a file that is not in the folder",
        ),
        (
            "same",
            &[
                ("AB1234/a.json", b"{\"people\":[]}"),
                ("ab1234/a.json", b"{\"people\":[]}"),
            ],
            "",
        ),
        (
            "id",
            &[("AB1234/a.csv", b"time,emg\n0,1\n1,ab1234\n")],
            "no id in a column that is kept",
        ),
    ];
    for (case, content, expected) in cases {
        let folder = temporary();
        content
            .iter()
            .for_each(|(name, bytes)| put(&folder.path().join("in"), name, bytes));
        let done = deidentify_folder(&folder.path().join("in"), &folder.path().join("out"), &one, false, None);
        if case == "same" {
            // Two ids, two pseudonyms.
            assert_eq!(done.unwrap().num_patients, 2);
            continue;
        }
        let error = done.unwrap_err().to_string();
        assert!(error.contains(expected), "{case}: {error}");
        assert!(
            !error.contains("Meyer"),
            "{case}: messages do not repeat fields: {error}"
        );
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["in"], "{case}");
    }
    let folder = temporary();
    put(&folder.path().join("in"), "1/a.csv", b"time,emg\n0,1\n1,2\n");
    put(&folder.path().join("in"), "1/Meyer.pdf", b"%PDF-1.4 Meyer");
    let out = folder.path().join("out");
    let report = deidentify_folder(&folder.path().join("in"), &out, &one, true, None).unwrap();
    assert_eq!((report.num_skipped, report.files.len(), files(&out).len()), (1, 1, 2));
    assert_none(&files(&out), &["Meyer"]);
}

#[test]
fn places_that_would_do_harm_are_refused() {
    let one = deidentifier(
        KEY,
        "pattern = \"{patient}/...\"\n[columns]\ntime = \"keep\"\nemg = \"keep\"",
    );
    let folder = temporary();
    let root = folder.path();
    let input = root.join("in");
    put(&input, "1/a.csv", b"time,emg\n0,1\n1,2\n");
    put(root, "full/file", b"there");
    let error = |out: &Path, mapping: Option<&Path>| {
        deidentify_folder(&input, out, &one, false, mapping)
            .unwrap_err()
            .to_string()
    };
    for (out, expected) in [
        ("in/out", "a folder in the other one"),
        ("in", "a folder in the other one"),
        ("in/../in/1/x", "a folder in the other one"),
        ("full", "a folder with files"),
        ("full/file", "a file or link"),
        ("none/out", "cannot write to"),
        ("full/file/out", "cannot"),
    ] {
        assert!(
            error(&root.join(out), None).contains(expected),
            "{out}: {}",
            error(&root.join(out), None)
        );
    }
    #[cfg(target_os = "linux")]
    assert!(
        error(Path::new("/proc/out"), None).contains("cannot write to"),
        "a place that cannot be written to"
    );
    assert!(error(&root.join("out"), Some(&root.join("out/map.csv"))).contains("cannot"));
    assert!(error(&root.join("out"), Some(&input.join("map.csv"))).contains("a file in one of the folders"));
    assert!(error(&root.join("out"), Some(&root.join("full/file"))).contains("a file that is there"));
    assert!(!root.join("out").exists());
    let mapping = root.join("map.csv");
    fs::create_dir(root.join("out")).unwrap();
    deidentify_folder(&input, &root.join("out"), &one, false, Some(&mapping)).unwrap();
    let text = fs::read_to_string(&mapping).unwrap();
    assert_eq!(text, format!("patient,pseudonym\n1,{}\n", one.pseudonym("1")));
    assert!(!files(&root.join("out")).values().any(|bytes| holds(bytes, "pseudonym")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&mapping).unwrap().permissions().mode() & 0o777, 0o600);
        std::os::unix::fs::symlink(root.join("full/file"), input.join("1/link.csv")).unwrap();
        let error = error(&root.join("out2"), None);
        assert!(error.contains("a link or a device"), "{error}");
        assert!(!root.join("out2").exists());
    }
}
