//! Images against Pillow, and readers that meet damaged files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use recoup_formats::image::{Color, Image, image_size, read_image};
use serde::Deserialize;

use super::fixtures;

#[derive(Deserialize)]
struct Golden {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    image: Values,
    resized: Vec<Values>,
}

#[derive(Deserialize)]
struct Values {
    height: usize,
    width: usize,
    values: Vec<f64>,
}

fn read(name: &str, color: Color) -> Result<Image, String> {
    let bytes = fs::read(fixtures().join("images").join(name)).unwrap();
    read_image(&bytes, Path::new(name), color).map_err(|error| error.to_string())
}

fn assert_close(name: &str, image: &Image, expected: &Values, tolerance: f64) {
    assert_eq!((image.height, image.width), (expected.height, expected.width), "{name}");
    assert_eq!(image.values.len(), expected.values.len(), "{name}");
    for (found, expected) in image.values.iter().zip(&expected.values) {
        assert!(
            (f64::from(*found) - expected).abs() <= tolerance,
            "{name}: {found}, expected {expected}"
        );
    }
}

#[test]
fn images_read_and_resize_as_pillow_does_it() {
    let golden: Golden = serde_json::from_str(include_str!("../../../formats/tests/golden/images.json")).unwrap();
    assert_eq!(golden.cases.len(), 10);
    for (name, case) in &golden.cases {
        let planes = case.image.values.len() / (case.image.height * case.image.width);
        let color = if planes == 1 { Color::Gray } else { Color::Rgb };
        let image = read(name, color).unwrap();
        // PNG is exact but for the rounding to f32. JPEG leaves the last bit of its transform to the decoder.
        let tolerance = if name.ends_with("png") {
            3e-8
        } else {
            2.0 / 255.0 + 3e-8
        };
        assert_close(name, &image, &case.image, tolerance);
        for expected in &case.resized {
            let resized = image.resized(expected.height, expected.width);
            assert_close(name, &resized, expected, tolerance + 1.2e-7);
        }
        let bytes = fs::read(fixtures().join("images").join(name)).unwrap();
        let (height, width) = (case.image.height, case.image.width);
        let turned = if name == "turned.jpg" {
            (width, height)
        } else {
            (height, width)
        };
        assert_eq!(
            image_size(&bytes).map(|(height, width, _)| (height, width)),
            Some(turned),
            "{name}"
        );
    }
}

#[test]
fn colour_becomes_gray_by_luma_and_gray_becomes_three_planes() {
    let (colour, gray) = (
        read("rgb8.png", Color::Rgb).unwrap(),
        read("rgb8.png", Color::Gray).unwrap(),
    );
    let [red, green, blue] = [0, 1, 2].map(|plane| &colour.values[30 * plane..30 * (plane + 1)]);
    for (pixel, value) in gray.values.iter().enumerate() {
        let luma = 0.299 * red[pixel] + 0.587 * green[pixel] + 0.114 * blue[pixel];
        assert!((luma - value).abs() < 1.2e-7);
    }
    let (gray, planes) = (
        read("gray8.png", Color::Gray).unwrap(),
        read("gray8.png", Color::Rgb).unwrap(),
    );
    assert_eq!(
        planes.values,
        [gray.values.clone(), gray.values.clone(), gray.values.clone()].concat()
    );
    assert_eq!(gray.resized(7, 9), gray);
}

#[test]
fn image_errors_say_what_to_do() {
    assert_eq!(
        read("transparent.png", Color::Rgb).unwrap_err(),
        "transparent.png: image: found transparent pixels, expected an opaque image\nhint: put the image on a \
         background and save it without transparency"
    );
    let found = |bytes: &[u8]| read_image(bytes, Path::new("a"), Color::Gray).unwrap_err().to_string();
    let hint = "\nhint: convert the image, or correct the pattern in the card";
    assert_eq!(
        found(b"GIF89a..........."),
        format!("a: image: found Gif, expected PNG or JPEG{hint}")
    );
    assert_eq!(
        found(b"text"),
        format!("a: image: found neither, expected PNG or JPEG{hint}")
    );
    let whole = fs::read(fixtures().join("images/rgb8.png")).unwrap();
    let cut = found(&whole[..whole.len() / 2]);
    let [start, end] = [
        "a: image: found ",
        ", expected a whole image of at most 16384 x 16384 pixels\nhint: save the image again, or remove it",
    ];
    assert!(cut.starts_with(start) && cut.ends_with(end), "{cut}");
    // A header that promises 4 billion lines.
    let mut huge = whole.clone();
    huge[20..24].copy_from_slice(&[0xff; 4]);
    assert!(found(&huge).ends_with(end));
}
