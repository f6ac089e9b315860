//! Drawings of the contents of files, looked at pixel by pixel.

mod bounds;
mod pictures;
mod signals;

use image::RgbImage;
use ndarray::{Array3, Array4};
use recoup::figures::{Picture, RenderOptions, render};
use recoup_formats::{Annotation, Contents, Images, Part, Points, SignalChannel};

const WHITE: [u8; 3] = [255; 3];
const FIRST_COLOR: [u8; 3] = [0, 114, 178];

fn decode(picture: &Picture) -> RgbImage {
    let decoded = image::load_from_memory(&picture.png).unwrap().to_rgb8();
    assert_eq!(decoded.dimensions(), (picture.width, picture.height));
    decoded
}

/// Draws, and checks that nothing touches the border, where it would be cut off.
fn draw(contents: &Contents, options: &RenderOptions) -> RgbImage {
    let image = decode(&render(contents, options).unwrap());
    let (width, height) = image.dimensions();
    for (x, y, pixel) in image.enumerate_pixels() {
        let is_border = x < 3 || y < 3 || x + 3 >= width || y + 3 >= height;
        assert!(
            !is_border || pixel.0 == WHITE,
            "ink at ({x}, {y}) of {width} x {height}"
        );
    }
    image
}

fn signal(name: &str, unit: &str, rate_hz: f64, values: Vec<f32>) -> SignalChannel {
    SignalChannel {
        name: name.into(),
        unit: unit.into(),
        rate_hz,
        values,
    }
}

fn contents(parts: Vec<Part>) -> Contents {
    Contents {
        format: "test".into(),
        parts,
        ..Contents::default()
    }
}

fn signals(channels: Vec<SignalChannel>) -> Contents {
    contents(vec![Part::Signals(channels)])
}

fn points(positions: Array3<f32>, unit: &str) -> Points {
    let names = (0..positions.dim().1).map(|index| format!("point {index}")).collect();
    Points {
        unit: unit.into(),
        rate_hz: Some(50.0),
        names,
        positions,
        confidence: None,
    }
}

fn images(planes: &[&str], values: Array4<f32>) -> Images {
    let planes = planes.iter().map(ToString::to_string).collect();
    Images {
        planes,
        unit: "1".into(),
        rate_hz: None,
        values,
        num_volumes: 1,
        affine: None,
        display_range: None,
    }
}

fn mark(onset_secs: f64, duration_secs: Option<f64>, text: &str) -> Annotation {
    Annotation {
        onset_secs,
        duration_secs,
        text: text.into(),
    }
}

/// Columns of pixels that have this colour, and the lines from its first to its last in each.
fn columns(image: &RgbImage, color: [u8; 3], rows: std::ops::Range<u32>) -> Vec<(u32, u32, u32)> {
    let mut found = Vec::new();
    for x in 0..image.width() {
        let mut ys = rows.clone().filter(|&y| image.get_pixel(x, y).0 == color);
        if let Some(first) = ys.next() {
            found.push((x, first, ys.next_back().unwrap_or(first)));
        }
    }
    found
}
