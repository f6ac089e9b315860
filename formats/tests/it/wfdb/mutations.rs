//! Mutations of whole records, of FLAC and of annotations.

use std::path::Path;

use recoup_formats::wfdb::read_annotations;

use super::damage::folder;
use super::{Folder, read_from};
use crate::mutate::survives;

/// Files of a record one after the other, for mutations that reach all of them.
fn bundle(names: &[&str]) -> Vec<u8> {
    let folder = folder();
    let file = |name: &&str| [b"\n====", name.as_bytes(), b"\n", &folder[*name]].concat();
    names.iter().flat_map(file).collect()
}

fn unbundle(bytes: &[u8]) -> Folder {
    let mut folder = Folder::new();
    let mut rest = bytes;
    while let Some(start) = rest.windows(5).position(|window| window == b"\n====") {
        rest = &rest[start + 5..];
        let end = rest
            .windows(5)
            .position(|window| window == b"\n====")
            .unwrap_or(rest.len());
        let (name, file) = rest[..end].split_at(rest[..end].iter().position(|&byte| byte == b'\n').unwrap_or(end));
        folder.insert(
            String::from_utf8_lossy(name).into(),
            file.get(1..).unwrap_or_default().to_vec(),
        );
        rest = &rest[end..];
    }
    folder
}

fn accepts(name: &str, bytes: &[u8]) -> bool {
    match read_from(&unbundle(bytes), &format!("{name}.hea")) {
        Ok(contents) => contents.parts.len() == 1,
        Err(error) => {
            // All parts of a message are there: PATH: PLACE: found F, expected E, hint: H.
            let text = error.to_string();
            let parts = ["found ", ", expected ", "\nhint: "]
                .iter()
                .all(|part| text.contains(part));
            assert!(error.io_kind().is_some() || parts, "{text}");
            false
        }
    }
}

#[test]
fn mutated_records_survive() {
    let formats = ["8", "212", "310", "311", "24"].map(|format| {
        let name = format!("all_{format}");
        let bytes = bundle(&[&format!("{name}.hea"), &format!("{name}.dat")]);
        (name, bytes)
    });
    let frames = bundle(&["frames.hea", "frames.atr", "frames.dat"]);
    let fixed = bundle(&["fixed.hea", "fixed_1.hea", "fixed_2.hea", "fixed_1.dat", "fixed_2.dat"]);
    let variable = [
        "variable.hea",
        "variable_layout.hea",
        "variable_1.hea",
        "variable_2.hea",
        "variable_1.dat",
        "variable_2.dat",
    ];
    let mut samples = vec![
        ("frames", frames, 240),
        ("fixed", fixed, 300),
        ("variable", bundle(&variable), 400),
    ];
    samples.extend(formats.iter().map(|(name, bytes)| (name.as_str(), bytes.clone(), 90)));
    survives(&samples, 100_000, &[], accepts);
}

#[test]
fn mutated_flac_survives() {
    let flac = bundle(&["flacframes.hea", "flacframes_a.dat", "flacframes_b.dat"]);
    let deep = bundle(&["all_524.hea", "all_524.dat"]);
    let modes = bundle(&["flacmodes.hea", "flacmodes_a.dat", "flacmodes_b.dat"]);
    survives(
        &[
            ("flacframes", flac, 400),
            ("all_524", deep, 200),
            ("flacmodes", modes, 400),
        ],
        100_000,
        &[],
        accepts,
    );
}

#[test]
fn mutated_annotations_survive() {
    let samples = ["frames.atr", "frames.own"].map(|name| (name, folder()[name].clone(), 60));
    survives(&samples, 100_000, &[], |name, bytes| {
        let found = read_annotations(bytes, Path::new(name));
        found
            .map(|found| found.in_secs(250.0))
            .map_err(|error| assert!(error.to_string().starts_with(name)))
            .is_ok()
    });
}
