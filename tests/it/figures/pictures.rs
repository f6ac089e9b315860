//! Images, volumes, points and tables.

use ndarray::{Array3, Array4};
use recoup_formats::Part;
use recoup_formats::delimited::DelimitedLayout;

use super::*;

#[test]
fn the_middle_slices_of_a_volume_stand_upright_whatever_its_axes() {
    // Bright where the patient's left, front and top is; voxels of 2 mm.
    let size = 20;
    let volume = |flip: [bool; 3]| {
        let index = |axis: usize, step: usize| if flip[axis] { size - 1 - step } else { step };
        let values = Array4::from_shape_fn((size, 1, size, size), |(slice, _, line, column)| {
            let (x, y, z) = (index(0, column), index(1, line), index(2, slice));
            y as f32 * 2.0 - x as f32 + z as f32 * 4.0
        });
        let mut found = images(&["gray"], values);
        let step = |axis: usize| if flip[axis] { -2.0 } else { 2.0 };
        let start = |axis: usize| if flip[axis] { 19.0 } else { -19.0 };
        found.affine = Some([
            [step(0), 0.0, 0.0, start(0)],
            [0.0, step(1), 0.0, start(1)],
            [0.0, 0.0, step(2), start(2)],
        ]);
        found.unit = "HU".into();
        found
    };
    let options = RenderOptions::default();
    let upright = draw(&contents(vec![Part::Images(volume([false; 3]))]), &options);
    for flip in [[true, false, false], [false, true, false], [true, true, true]] {
        assert_eq!(volume(flip).spacing_mm(), Some([2.0; 3]));
        let turned = draw(&contents(vec![Part::Images(volume(flip))]), &options);
        // An even number of slices has two in the middle: the flipped volume shows the other one.
        let differs = |(one, other): (&u8, &u8)| one.abs_diff(*other) > 40;
        let count = upright
            .as_raw()
            .iter()
            .zip(turned.as_raw())
            .filter(|pair| differs(*pair))
            .count();
        assert!(count < 200, "{flip:?}: {count} bytes differ");
    }
    // Axial, the third view: the left is brighter than the right, the front (above) than the back.
    let gray = |x: u32, y: u32| upright.get_pixel(x, y).0[0];
    let (left, right, top, bottom) = frame_of_last_view(&upright);
    let (middle_x, middle_y) = ((left + right) / 2 + 20, (top + bottom) / 2 + 20);
    assert!(gray(left + 25, middle_y) > gray(right - 25, middle_y));
    assert!(gray(middle_x, top + 25) > gray(middle_x, bottom - 25));
}

/// Left, right, top and bottom of the rightmost of the three views, by its grey frame.
fn frame_of_last_view(image: &image::RgbImage) -> (u32, u32, u32, u32) {
    let frame = [110, 110, 110];
    let is_line = |x: u32| {
        (0..image.height())
            .filter(|&y| image.get_pixel(x, y).0 == frame)
            .count()
            > 100
    };
    let lines: Vec<u32> = (0..image.width()).filter(|&x| is_line(x)).collect();
    // The last two belong to the colour scale.
    let [.., left, right, _, _] = lines[..] else {
        panic!("{lines:?}")
    };
    let ys: Vec<u32> = (0..image.height())
        .filter(|&y| image.get_pixel(left, y).0 == frame)
        .collect();
    (left, right, ys[0], *ys.last().unwrap())
}

#[test]
fn an_image_keeps_its_colours_and_its_sides() {
    let values = Array4::from_shape_fn((1, 3, 10, 30), |(_, plane, line, column)| {
        let [red, green, blue] = [column < 10, line < 5, column >= 20].map(|on| if on { 1.0 } else { 0.0 });
        [red, green, blue][plane]
    });
    let found = images(&["red", "green", "blue"], values);
    let image = draw(&contents(vec![Part::Images(found)]), &RenderOptions::default());
    let (left, top, width) = (62, 64, 1000 - 2 * 16 - 100 - 46 - 10);
    let at = |x: f64, y: f64| {
        image
            .get_pixel(
                left + (x * f64::from(width)) as u32,
                top + (y * f64::from(width) / 3.0) as u32,
            )
            .0
    };
    assert_eq!(at(0.1, 0.25), [255, 255, 0]);
    assert_eq!(at(0.5, 0.25), [0, 255, 0]);
    assert_eq!(at(0.9, 0.75), [0, 0, 255]);
    assert_eq!(at(0.1, 0.75), [255, 0, 0]);
    assert_eq!(at(0.5, 0.75), [0, 0, 0]);
}

#[test]
fn points_have_one_scale_along_all_axes() {
    // A square seen from above, 1 m by 1 m.
    let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    let positions = Array3::from_shape_fn((10, 4, 2), |(_, point, axis)| corners[point][axis]);
    let image = draw(
        &contents(vec![Part::Points(points(positions, "m"))]),
        &RenderOptions::default(),
    );
    // The last of the three poses lies on top.
    let discs = columns(&image, [0, 158, 115], 80..390);
    let (first, last) = (discs.first().unwrap(), discs.last().unwrap());
    let highest = discs.iter().map(|found| found.1).min().unwrap();
    let lowest = discs.iter().map(|found| found.2).max().unwrap();
    assert!((last.0 - first.0).abs_diff(lowest - highest) <= 2, "{discs:?}");
    assert!(lowest - highest > 150, "the square fills the view");
}

#[test]
fn a_histogram_has_bars_as_high_as_its_counts() {
    let mut text = String::from("score,name\n");
    for (value, count) in [(0, 10), (1, 40), (2, 20)] {
        for _ in 0..count {
            text.push_str(&format!("{value},x{value}\n"));
        }
    }
    let table = DelimitedLayout::default()
        .table(text.as_bytes(), "t.csv".as_ref())
        .unwrap();
    let image = draw(&contents(vec![Part::Table(table)]), &RenderOptions::default());
    let bars = columns(&image, FIRST_COLOR, 76..187);
    let height = |share: f64| {
        let (_, top, bottom) = bars[(share * bars.len() as f64) as usize];
        f64::from(bottom - top + 1)
    };
    let (low, high, middle) = (height(0.16), height(0.5), height(0.83));
    assert!(
        (high / low - 4.0).abs() < 0.25 && (high / middle - 2.0).abs() < 0.1,
        "{low}, {high}, {middle}"
    );
}

#[test]
fn poses_in_pictures_stand_on_their_feet() {
    // The second point lies below the first: its line has the higher number.
    let positions = Array3::from_shape_fn((10, 2, 2), |(_, point, axis)| {
        [[100.0, 50.0], [110.0, 400.0]][point][axis]
    });
    let mut positions = positions;
    positions.slice_mut(ndarray::s![9, .., ..]).fill(f32::NAN);
    for (unit, foot_is_below) in [("px", true), ("mm", false)] {
        let image = draw(
            &contents(vec![Part::Points(points(positions.clone(), unit))]),
            &RenderOptions::default(),
        );
        // The last pose that was seen, not the last frame.
        let discs = columns(&image, [0, 158, 115], 80..390);
        let (head, foot) = (discs.first().unwrap(), discs.last().unwrap());
        assert_eq!(foot.1 > head.1 + 100, foot_is_below, "{unit}: {discs:?}");
    }
}
