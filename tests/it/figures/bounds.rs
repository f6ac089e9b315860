//! The smallest, the largest and the emptiest contents.

use ndarray::{Array3, Array4};
use recoup_formats::Part;
use recoup_formats::delimited::DelimitedLayout;

use super::*;
use crate::allocation;

#[test]
fn what_has_no_values_is_drawn_without_any() {
    let none = RenderOptions::default();
    draw(&contents(vec![]), &none);
    draw(&signals(vec![]), &none);
    draw(&signals(vec![signal("a", "mV", 100.0, vec![])]), &none);
    draw(
        &signals(vec![
            signal("a", "mV", 0.0, vec![1.0]),
            signal("b", "mV", f64::NAN, vec![1.0]),
        ]),
        &none,
    );
    draw(&signals(vec![signal("a", "mV", 100.0, vec![f32::NAN; 5000])]), &none);
    draw(
        &signals(vec![
            signal("a", "mV", 100.0, vec![1.0; 5000]),
            signal("b", "1", 1.0, vec![]),
        ]),
        &none,
    );
    for num_axes in [2, 3] {
        draw(
            &contents(vec![Part::Points(points(Array3::zeros((0, 3, num_axes)), "mm"))]),
            &none,
        );
        draw(
            &contents(vec![Part::Points(points(Array3::zeros((5, 0, num_axes)), "mm"))]),
            &none,
        );
        draw(
            &contents(vec![Part::Points(points(
                Array3::from_elem((5, 3, num_axes), f32::NAN),
                "mm",
            ))]),
            &none,
        );
        draw(
            &contents(vec![Part::Points(points(Array3::zeros((1, 1, num_axes)), "px"))]),
            &none,
        );
    }
    for shape in [
        (0, 1, 5, 5),
        (1, 0, 5, 5),
        (1, 1, 0, 5),
        (1, 1, 5, 0),
        (1, 1, 1, 1),
        (3, 1, 1, 5000),
        (1, 1, 5000, 1),
    ] {
        let mut found = images(&["gray"], Array4::from_elem(shape, f32::NAN));
        draw(&contents(vec![Part::Images(found.clone())]), &none);
        found.affine = Some([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
        draw(&contents(vec![Part::Images(found.clone())]), &none);
        found.affine = Some([[0.0; 4]; 3]);
        draw(&contents(vec![Part::Images(found.clone())]), &none);
        found.affine = Some([[f64::NAN; 4]; 3]);
        draw(&contents(vec![Part::Images(found)]), &none);
    }
    for text in [
        "a,b\n",
        "a,b\nx,y\n",
        "a,b\n1,nan\n",
        "a,b\n1e300,1\n-1e300,1\n",
        "a,b\n,\n",
    ] {
        let table = DelimitedLayout::default()
            .table(text.as_bytes(), "t.csv".as_ref())
            .unwrap();
        draw(&contents(vec![Part::Table(table)]), &none);
    }
}

#[test]
fn one_sample_and_ten_million_take_memory_by_the_picture() {
    let one = signals(vec![signal("a", "mV", 100.0, vec![3.5])]);
    draw(&one, &RenderOptions::default());
    let many: Vec<f32> = (0..10_000_000).map(|index| ((index % 977) as f32).sin()).collect();
    let many = signals(vec![signal("a", "mV", 2000.0, many)]);
    let (picture, bytes) = allocation::peak(|| render(&many, &RenderOptions::default()).unwrap());
    assert!(bytes < 64 << 20, "{bytes} bytes of memory");
    decode(&picture);
}

#[test]
fn many_channels_and_long_names_fit() {
    let name = |index: usize| format!("a channel with a very long name, number {index}");
    let wave = |index: usize| {
        (0..3000)
            .map(|sample| (sample as f32 * 0.01).sin() * 10.0_f32.powi(index as i32 - 10))
            .collect()
    };
    let channels: Vec<_> = (0..40)
        .map(|index| signal(&name(index), "a very long unit", 30.0, wave(index)))
        .collect();
    let mut many = signals(channels);
    many.annotations = (0..50)
        .map(|index| mark(f64::from(index) * 2.0, Some(1.0), "one of many long annotations"))
        .collect();
    for width in [480, 1000, 3000] {
        draw(
            &many,
            &RenderOptions {
                title: "long".repeat(100),
                width,
                ..RenderOptions::default()
            },
        );
    }
}
