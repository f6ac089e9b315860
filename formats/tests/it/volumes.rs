//! Frames of DICOM in space and time, and the character sets of its texts.

use std::path::{Path, PathBuf};

use ndarray::s;
use recoup_formats::dicom::{read, read_series};
use recoup_formats::{Contents, Images, Part, WarningCode};

fn element(tag: [u16; 2], vr: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = tag.iter().flat_map(|half| half.to_le_bytes()).collect();
    bytes.extend(vr.as_bytes());
    let value = [value, if value.len() % 2 == 1 { b" " } else { b"" }].concat();
    if ["OB", "OW", "SQ"].contains(&vr) {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

fn text(tag: [u16; 2], vr: &str, value: &str) -> Vec<u8> {
    element(tag, vr, value.as_bytes())
}

fn short(tag: [u16; 2], value: u16) -> Vec<u8> {
    element(tag, "US", &value.to_le_bytes())
}

fn sequence(tag: [u16; 2], items: &[Vec<u8>]) -> Vec<u8> {
    let item = |item: &Vec<u8>| [&[0xfe, 0xff, 0x00, 0xe0][..], &(item.len() as u32).to_le_bytes(), item].concat();
    element(tag, "SQ", &items.iter().flat_map(item).collect::<Vec<_>>())
}

fn file(elements: &[Vec<u8>]) -> Vec<u8> {
    let meta = text([0x0002, 0x0010], "UI", "1.2.840.10008.1.2.1\0");
    [vec![0; 128], b"DICM".to_vec(), meta, elements.concat()].concat()
}

/// A frame of an enhanced image: its height, the index of its time, the value of its one pixel.
type Frame = (Option<f64>, Option<u32>, u16);

fn enhanced(frames: &[Frame]) -> Vec<u8> {
    let groups = |&(height, time, _): &Frame| {
        let place = |height: f64| {
            sequence(
                [0x0020, 0x9113],
                &[text([0x0020, 0x0032], "DS", &format!("1\\2\\{height}"))],
            )
        };
        let time = time.map(|time| {
            sequence(
                [0x0020, 0x9111],
                &[element([0x0020, 0x9128], "UL", &time.to_le_bytes())],
            )
        });
        [time.unwrap_or_default(), height.map(place).unwrap_or_default()].concat()
    };
    let shared = [
        sequence([0x0020, 0x9116], &[text([0x0020, 0x0037], "DS", "1\\0\\0\\0\\1\\0")]),
        sequence([0x0028, 0x9110], &[text([0x0028, 0x0030], "DS", "0.5\\0.5")]),
    ];
    file(&[
        text([0x0008, 0x0060], "CS", "MR"),
        short([0x0028, 0x0002], 1),
        text([0x0028, 0x0004], "CS", "MONOCHROME2"),
        text([0x0028, 0x0008], "IS", &frames.len().to_string()),
        short([0x0028, 0x0010], 1),
        short([0x0028, 0x0011], 1),
        short([0x0028, 0x0100], 16),
        short([0x0028, 0x0101], 16),
        short([0x0028, 0x0102], 15),
        short([0x0028, 0x0103], 0),
        sequence([0x5200, 0x9229], &[shared.concat()]),
        sequence([0x5200, 0x9230], &frames.iter().map(groups).collect::<Vec<_>>()),
        element(
            [0x7fe0, 0x0010],
            "OW",
            &frames
                .iter()
                .flat_map(|frame| frame.2.to_le_bytes())
                .collect::<Vec<_>>(),
        ),
    ])
}

fn images(contents: &Contents) -> &Images {
    match contents.parts.as_slice() {
        [Part::Images(images)] => images,
        other => panic!("{other:?}"),
    }
}

fn pixels(contents: &Contents) -> Vec<f32> {
    images(contents).values.slice(s![.., 0, 0, 0]).to_vec()
}

fn codes(contents: &Contents) -> Vec<WarningCode> {
    contents.warnings.iter().map(|warning| warning.code).collect()
}

fn opened(frames: &[Frame]) -> Contents {
    read(&enhanced(frames), Path::new("a.dcm")).unwrap()
}

/// z = 6, 8, 10, 4, 2, 0 mm in the file, pixel = z / 2 + 1: slices 1 to 6, whatever their order in the file, and with the
/// affine of a file in order.
#[test]
fn frames_are_slices_in_the_order_of_their_positions() {
    let of = |heights: [f64; 6]| opened(&heights.map(|z| (Some(z), None, (z / 2.0) as u16 + 1)));
    let sorted = of([0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(pixels(&sorted), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let affine = [[-0.5, 0.0, 0.0, -1.0], [0.0, -0.5, 0.0, -2.0], [0.0, 0.0, 2.0, 0.0]];
    assert_eq!(images(&sorted).affine, Some(affine));
    for heights in [[6.0, 8.0, 10.0, 4.0, 2.0, 0.0], [10.0, 8.0, 6.0, 4.0, 2.0, 0.0]] {
        let contents = of(heights);
        assert_eq!(pixels(&contents), pixels(&sorted));
        assert_eq!(
            (images(&contents).affine, images(&contents).num_volumes),
            (Some(affine), 1)
        );
        assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
    }
}

#[test]
fn times_are_volumes_of_their_own() {
    // Slices by time in the file, then times by slice, both descending in space.
    let by_time = [
        (2.0, 1, 2),
        (0.0, 1, 1),
        (2.0, 2, 12),
        (0.0, 2, 11),
        (2.0, 3, 22),
        (0.0, 3, 21),
    ];
    let by_place = [
        (2.0, 1, 2),
        (2.0, 3, 22),
        (2.0, 2, 12),
        (0.0, 2, 11),
        (0.0, 1, 1),
        (0.0, 3, 21),
    ];
    for frames in [by_time, by_place] {
        let contents = opened(&frames.map(|(z, time, value)| (Some(z), Some(time), value)));
        assert_eq!(pixels(&contents), [1.0, 2.0, 11.0, 12.0, 21.0, 22.0]);
        assert_eq!(images(&contents).num_volumes, 3);
        assert_eq!(images(&contents).affine.unwrap()[2], [0.0, 0.0, 2.0, 0.0]);
        assert!(contents.warnings.is_empty(), "{:?}", contents.warnings);
    }
    // One frame is not there: nobody knows which volume is whole.
    let lost: Vec<Frame> = by_time[..5]
        .iter()
        .map(|&(z, time, value)| (Some(z), Some(time), value))
        .collect();
    let error = read(&enhanced(&lost), Path::new("a.dcm")).unwrap_err().to_string();
    assert!(
        error.contains("found 5 frames of several times at 2 places, expected a frame of every time at every place"),
        "{error}"
    );
    assert!(error.contains("hint: "), "{error}");
}

#[test]
fn an_order_that_nothing_tells_is_told() {
    let twice = opened(&[
        (Some(2.0), None, 2),
        (Some(0.0), None, 1),
        (Some(2.0), None, 12),
        (Some(0.0), None, 11),
    ]);
    assert_eq!(
        (pixels(&twice), images(&twice).num_volumes),
        (vec![1.0, 2.0, 11.0, 12.0], 2)
    );
    assert_eq!(codes(&twice), [WarningCode::UnorderedSlices]);
    let partly = opened(&[(Some(2.0), None, 2), (None, None, 1)]);
    assert_eq!(pixels(&partly), [2.0, 1.0]);
    assert_eq!(codes(&partly), [WarningCode::UnorderedSlices]);
    // Frames of no place at all are a film.
    let film = opened(&[(None, None, 2), (None, None, 1)]);
    assert_eq!((pixels(&film), codes(&film)), (vec![2.0, 1.0], vec![]));
}

#[test]
fn a_slice_that_is_missing_is_told() {
    let near = opened(&[0.0, 2.0, 4.0, 8.0, 10.0].map(|z| (Some(z), None, z as u16)));
    assert_eq!(codes(&near), [WarningCode::UnevenSlices]);
    assert!(
        near.warnings[0].text.contains("2.000 to 4.000 mm from one to the next"),
        "{}",
        near.warnings[0]
    );
    assert!(images(&near).affine.is_some());
    let far = opened(&[40.0, 0.0, 2.0, 4.0, 42.0].map(|z| (Some(z), None, z as u16)));
    assert_eq!(pixels(&far), [0.0, 2.0, 4.0, 40.0, 42.0]);
    assert_eq!(
        (codes(&far), images(&far).affine),
        (vec![WarningCode::UnevenSlices], None)
    );
}

/// A slice of a series: its height where it has one, its instance number, its pixel.
fn slice(height: Option<f64>, number: u16, value: u16) -> (PathBuf, Vec<u8>) {
    let place = height.map(|height| {
        [
            text([0x0020, 0x0032], "DS", &format!("0\\0\\{height}")),
            text([0x0020, 0x0037], "DS", "1\\0\\0\\0\\1\\0"),
        ]
        .concat()
    });
    let bytes = file(&[
        text([0x0008, 0x0060], "CS", "CT"),
        text([0x0020, 0x0013], "IS", &number.to_string()),
        place.unwrap_or_default(),
        short([0x0028, 0x0002], 1),
        text([0x0028, 0x0004], "CS", "MONOCHROME2"),
        short([0x0028, 0x0010], 1),
        short([0x0028, 0x0011], 1),
        text([0x0028, 0x0030], "DS", "1\\1"),
        short([0x0028, 0x0100], 16),
        short([0x0028, 0x0101], 16),
        short([0x0028, 0x0102], 15),
        short([0x0028, 0x0103], 0),
        element([0x7fe0, 0x0010], "OW", &value.to_le_bytes()),
    ]);
    (PathBuf::from(format!("{number}.dcm")), bytes)
}

/// A scanner may number its slices from head to foot.
#[test]
fn a_series_is_ordered_by_position_and_not_by_number() {
    let files = [slice(Some(0.0), 3, 1), slice(Some(5.0), 2, 2), slice(Some(10.0), 1, 3)];
    let contents = read_series(&files).unwrap();
    assert_eq!((pixels(&contents), codes(&contents)), (vec![1.0, 2.0, 3.0], vec![]));
    let unplaced = [slice(Some(0.0), 3, 1), slice(None, 2, 2), slice(Some(10.0), 1, 3)];
    let contents = read_series(&unplaced).unwrap();
    assert_eq!(
        (pixels(&contents), codes(&contents)),
        (vec![3.0, 2.0, 1.0], vec![WarningCode::UnorderedSlices])
    );
    let gap = [0.0, 5.0, 15.0, 20.0].map(|z| slice(Some(z), z as u16, z as u16));
    assert_eq!(codes(&read_series(&gap).unwrap()), [WarningCode::UnevenSlices]);
}

/// The maker's name in several character sets, as pydicom decodes it.
#[test]
fn texts_are_in_the_character_set_that_the_file_names() {
    let maker = |charset: Option<&str>, bytes: &[u8]| {
        let charset = charset.map(|charset| text([0x0008, 0x0005], "CS", charset));
        let (_, slice) = slice(None, 1, 1);
        let mut bytes = [charset.unwrap_or_default(), element([0x0008, 0x0070], "LO", bytes)].concat();
        bytes.extend(&slice[132 + 28..]);
        let file = [&slice[..132 + 28], &bytes].concat();
        let contents = read(&file, Path::new("a.dcm")).unwrap();
        contents
            .facts
            .into_iter()
            .find(|(name, _)| name == "manufacturer")
            .unwrap()
            .1
    };
    assert_eq!(maker(Some("ISO_IR 100"), b"M\xfcller"), "Müller");
    assert_eq!(maker(Some("ISO_IR 192"), "Müller".as_bytes()), "Müller");
    assert_eq!(maker(None, b"M\xfcller"), "Müller");
    assert_eq!(maker(None, "Müller".as_bytes()), "Müller");
    assert_eq!(maker(Some("ISO_IR 101"), b"Dvo\xf8\xe1k"), "Dvořák");
    assert_eq!(maker(Some("ISO_IR 144"), b"\xbb\xee\xda\xe1"), "Люкс");
    assert_eq!(maker(Some("ISO_IR 126"), b"\xc4\xe9\xef\xed"), "Διον");
    assert_eq!(maker(Some("GB18030"), b"\xcd\xf5"), "王");
    assert_eq!(maker(Some("\\ISO 2022 IR 87"), b"\x1b$B;3\x1b(B"), "山");
    assert_eq!(maker(Some("\\ISO 2022 IR 149"), b"\x1b$)C\xb1\xe8"), "김");
    // Bytes that are none of UTF-8 are not lost, nor do two become one.
    assert_eq!(
        [
            maker(Some("ISO_IR 192"), b"B\xe4r"),
            maker(Some("ISO_IR 192"), b"B\xf6r")
        ],
        ["Bär", "Bör"]
    );
}
