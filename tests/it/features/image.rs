//! Features of images against numpy and SciPy, and against what was planted.

use ndarray::{Array4, Axis, s};
use recoup::features::image::{ImageFeature, ImageInfo, asymmetry, histogram, motion_energy, sobel_magnitude};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    shape: [usize; 3],
    values: Vec<f32>,
    range: [f64; 2],
    threshold: f64,
    images: Vec<Image>,
    energy: Vec<f64>,
    motion_energy: Vec<f64>,
    asymmetry: Option<Vec<f64>>,
    region: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Image {
    histogram: Vec<f64>,
    entropy_10: f64,
    sobel: Vec<f64>,
    magnitude: Vec<f64>,
}

/// Relative to the numbers that were computed with: `scale` is the largest of them.
fn assert_close(name: &str, found: &[f64], expected: &[f64], scale: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-12 * scale.max(1.0),
            "{name}: {found}, expected {expected}"
        );
    }
}

fn feature(text: &str) -> ImageFeature {
    toml::from_str(text).unwrap()
}

fn extract(feature: &ImageFeature, images: &Array4<f32>) -> Vec<f64> {
    let mut values = Vec::new();
    feature.extract(images.view(), &mut values);
    values
}

fn average<const N: usize>(rows: &[Vec<f64>]) -> [f64; N] {
    std::array::from_fn(|column| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64)
}

#[test]
fn image_features_equal_those_of_numpy_and_scipy() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/image_features.json")).unwrap();
    assert_eq!(golden.cases.len(), 6);
    for case in &golden.cases {
        let [num_images, height, width] = case.shape;
        let film = Array4::from_shape_vec((num_images, 1, height, width), case.values.clone()).unwrap();
        let scale = case
            .values
            .iter()
            .fold(0f64, |scale, value| scale.max(value.abs().into()));
        let name = case.name.as_str();
        for (index, expected) in case.images.iter().enumerate() {
            let image = film.slice(s![index, 0, .., ..]);
            assert_close(
                name,
                &histogram(image, 256, case.range).to_array(),
                &expected.histogram,
                scale,
            );
            assert_close(
                name,
                &[histogram(image, 10, case.range).entropy],
                &[expected.entropy_10],
                1.0,
            );
            let magnitude = sobel_magnitude(image);
            assert_close(name, magnitude.as_slice().unwrap(), &expected.magnitude, 8.0 * scale);
        }
        assert_close(name, &motion_energy(film.index_axis(Axis(1), 0)), &case.energy, scale);

        let [low, high] = case.range;
        let threshold = case.threshold;
        let of =
            |pick: fn(&Image) -> &Vec<f64>| case.images.iter().map(|image| pick(image).clone()).collect::<Vec<_>>();
        let found = extract(
            &feature(&format!("kind = \"histogram\"\nrange = [{low:?}, {high:?}]")),
            &film,
        );
        assert_close(name, &found, &average::<5>(&of(|image| &image.histogram)), scale);
        let found = extract(&feature(&format!("kind = \"sobel\"\nthreshold = {threshold:?}")), &film);
        assert_close(name, &found, &average::<4>(&of(|image| &image.sobel)), 8.0 * scale);
        assert_close(
            name,
            &extract(&ImageFeature::MotionEnergy {}, &film),
            &case.motion_energy,
            scale,
        );
        if let Some(expected) = &case.asymmetry {
            assert_close(name, &extract(&ImageFeature::Asymmetry {}, &film), expected, scale);
        }
        if let Some(expected) = &case.region {
            let region = feature("kind = \"region\"\nname = \"knee\"\nlines = [2, 6]\ncolumns = [1, 5]");
            assert_close(name, &extract(&region, &film), expected, scale);
        }
    }
}

#[test]
fn a_constant_image_gives_zeros() {
    // 0.1 has no exact binary form: a mean of it can be off by a rounding.
    let images = Array4::from_elem((3, 2, 7, 9), 0.1f32);
    let value = f64::from(0.1f32);
    let histogram = extract(&feature("kind = \"histogram\""), &images);
    for plane in histogram.chunks(5) {
        assert!((plane[0] - value).abs() < 1e-15);
        assert_eq!(plane[1..], [0.0; 4]);
    }
    assert_eq!(
        extract(&feature("kind = \"sobel\"\nthreshold = 0.0"), &images),
        [0.0; 8]
    );
    assert_eq!(extract(&ImageFeature::MotionEnergy {}, &images), [0.0; 6]);
    assert_eq!(extract(&ImageFeature::Asymmetry {}, &images), [0.0; 4]);
}

/// A bright square of 6 x 6 that moves by 2 pixels leaves 2 x 6 pixels and enters as many.
#[test]
fn a_shifted_square_has_the_planted_motion_energy() {
    let mut film = Array4::<f32>::zeros((4, 1, 20, 30));
    for (frame, left) in [3usize, 5, 5, 9].into_iter().enumerate() {
        film.slice_mut(s![frame, 0, 7..13, left..left + 6]).fill(0.75);
    }
    let energy = motion_energy(film.index_axis(Axis(1), 0));
    let planted = [2.0, 0.0, 4.0].map(|shift| 2.0 * shift * 6.0 * 0.75 / 600.0);
    assert_eq!(energy, planted);
    let [mean, max, sd] = extract(&ImageFeature::MotionEnergy {}, &film).try_into().unwrap();
    assert!((mean - 0.03).abs() < 1e-15 && max == planted[2]);
    // 0.03, 0 and 0.06 about 0.03.
    assert!((sd - 0.03 * (2.0f64 / 3.0).sqrt()).abs() < 1e-15);
}

#[test]
fn a_mirrored_image_has_no_asymmetry_and_a_warmer_side_has_its_difference() {
    for width in [8usize, 9] {
        let mut image =
            ndarray::Array2::from_shape_fn((5, width), |(y, x)| 30.0 + (x.min(width - 1 - x) * 3 + y) as f32);
        assert_eq!(asymmetry(image.view()), [0.0, 0.0]);
        image.slice_mut(s![.., ..width / 2]).mapv_inplace(|value| value + 1.5);
        assert_eq!(asymmetry(image.view()), [1.5, 1.5]);
        image.invert_axis(Axis(1));
        assert_eq!(asymmetry(image.view()), [1.5, -1.5]);
    }
}

/// A ramp of 2 per column has a gradient of 8 x 2 inside and half of it at the edge, where the ramp is reflected.
#[test]
fn sobel_of_a_ramp_is_its_slope_and_turns_with_the_image() {
    let ramp = ndarray::Array2::from_shape_fn((6, 7), |(_, x)| 2.0 * x as f32);
    let magnitude = sobel_magnitude(ramp.view());
    assert!(magnitude.slice(s![.., 1..6]).iter().all(|&value| value == 16.0));
    assert!(
        magnitude
            .slice(s![.., 0])
            .iter()
            .chain(magnitude.slice(s![.., 6]))
            .all(|&value| value == 8.0)
    );
    assert_eq!(sobel_magnitude(ramp.t()), magnitude.t());
    let uneven = ndarray::Array2::from_shape_fn((6, 7), |(y, x)| ((x * x + 3 * y * y * x) % 11) as f32);
    assert_eq!(sobel_magnitude(uneven.t()), sobel_magnitude(uneven.view()).t());
    let share = extract(
        &feature("kind = \"sobel\"\nthreshold = 8.0"),
        &ramp.insert_axis(Axis(0)).insert_axis(Axis(0)),
    )[3];
    assert_eq!(share, 5.0 / 7.0);
}

#[test]
fn all_grays_once_have_eight_bits_of_entropy() {
    let image = ndarray::Array2::from_shape_fn((16, 16), |(y, x)| (16 * y + x) as f32);
    assert_eq!(histogram(image.view(), 256, [0.0, 255.0]).entropy, 8.0);
    assert_eq!(histogram(image.view(), 2, [0.0, 255.0]).entropy, 1.0);
    // Beyond the range, all fall into one bin.
    assert_eq!(histogram(image.view(), 256, [300.0, 400.0]).entropy, 0.0);
}

#[test]
fn configurations_name_their_columns_and_their_mistakes() {
    let planes = ["red".to_owned(), "green".to_owned()];
    let info = ImageInfo {
        planes: &planes,
        unit: "degC",
        num_images: 1,
        height: 10,
        width: 12,
    };
    let names = |feature: &ImageFeature| {
        feature
            .columns(&info)
            .into_iter()
            .map(|column| format!("{} {}", column.name, column.unit))
            .collect::<Vec<_>>()
    };
    let region = feature("kind = \"region\"\nname = \"knee\"\nlines = [2, 6]\ncolumns = [1, 12]");
    assert_eq!(
        names(&region),
        [
            "red-knee-mean degC",
            "red-knee-max degC",
            "green-knee-mean degC",
            "green-knee-max degC"
        ]
    );
    assert_eq!(
        names(&feature("kind = \"histogram\""))[..5],
        [
            "red-histogram-mean degC",
            "red-histogram-sd degC",
            "red-histogram-skewness 1",
            "red-histogram-kurtosis 1",
            "red-histogram-entropy bit"
        ]
    );
    let images = Array4::<f32>::zeros((2, 2, 10, 12));
    for text in [
        "kind = \"histogram\"",
        "kind = \"sobel\"\nthreshold = 1.0",
        "kind = \"motion-energy\"",
        "kind = \"asymmetry\"",
    ] {
        let feature = feature(text);
        assert_eq!(extract(&feature, &images).len(), names(&feature).len(), "{text}");
        assert_eq!(feature, toml::from_str(&toml::to_string(&feature).unwrap()).unwrap());
    }
    assert_eq!(region.check(&info), Ok(()));
    for (text, key) in [
        ("kind = \"histogram\"\nbins = 0", "bins"),
        ("kind = \"histogram\"\nrange = [1.0, 1.0]", "range"),
        ("kind = \"histogram\"\nrange = [0.0, inf]", "range"),
        ("kind = \"sobel\"\nthreshold = nan", "threshold"),
        ("kind = \"motion-energy\"", "kind"),
        (
            "kind = \"region\"\nname = \"knee\"\nlines = [6, 6]\ncolumns = [1, 5]",
            "lines",
        ),
        (
            "kind = \"region\"\nname = \"knee\"\nlines = [2, 6]\ncolumns = [1, 13]",
            "columns",
        ),
        (
            "kind = \"region\"\nname = \"sobel\"\nlines = [2, 6]\ncolumns = [1, 5]",
            "name",
        ),
    ] {
        assert_eq!(feature(text).check(&info).unwrap_err().key, key, "{text}");
    }
    for text in [
        "kind = \"asymmetry\"\nside = \"left\"",
        "kind = \"region\"\nname = \"a\"\nlines = [0, 1]\ncolumns = [0, 1]\nx = 1",
    ] {
        assert!(
            toml::from_str::<ImageFeature>(text)
                .unwrap_err()
                .to_string()
                .contains("unknown field"),
            "{text}"
        );
    }
    // One image does not move.
    assert!(
        extract(&ImageFeature::MotionEnergy {}, &Array4::zeros((1, 1, 4, 4)))
            .iter()
            .all(|value| value.is_nan())
    );
}
