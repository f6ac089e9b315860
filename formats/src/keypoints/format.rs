//! Rows of the registry.

use std::path::Path;

use super::openpose::{Person, read_openpose};
use super::read;
use crate::FileError;
use crate::format::{Format, Head};
use crate::strip::{Deidentify, StripOptions, Stripped, Stripper, copied, damaged};

/// Output of OpenPose: JSON with the people of one frame.
pub static OPENPOSE: Format = Format {
    sniff: |head| is_json_with(head, &["\"people\""]),
    read_many: Some(read_openpose),
    deidentify: NUMBERS_ONLY,
    ..Format::new(
        "OpenPose (JSON)",
        "JSON of OpenPose (BODY_25, COCO), one file per frame (`.json`)",
        |input| read_openpose(&[(input.path.to_path_buf(), input.bytes.to_vec())], Person::default()),
    )
};

/// JSON with the keypoints of all frames.
pub static KEYPOINTS: Format = Format {
    sniff: |head| is_json_with(head, &["\"positions\"", "\"visibility\""]),
    deidentify: NUMBERS_ONLY,
    ..Format::new(
        "keypoints (JSON)",
        "JSON with all frames (`.json`): AlphaPose, BlazePose, OpenPose as KERAAL has them, MediaPipe's landmarks",
        |input| read(input.bytes, input.path),
    )
};

const NUMBERS_ONLY: Deidentify = Deidentify::ByFile(Stripper {
    needs_patient: false,
    identity: None,
    strip,
});

fn is_json_with(head: &Head, keys: &[&str]) -> bool {
    let text = head.text.unwrap_or_default().trim_start();
    text.starts_with(['{', '[']) && keys.iter().any(|key| text.contains(key))
}

/// A file without texts is copied.
fn strip(bytes: &[u8], path: &Path, _: &StripOptions) -> Result<Stripped, FileError> {
    let json = serde_json::from_slice(bytes).map_err(|_| damaged(path, "JSON"))?;
    if has_text(&json) {
        return Err(FileError::at(path)
            .place("JSON")
            .found("a text")
            .expected("numbers only")
            .hint("remove the texts; poses are numbers"));
    }
    Ok(copied(bytes, "poses"))
}

fn has_text(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Array(items) => items.iter().any(has_text),
        serde_json::Value::Object(fields) => fields.values().any(has_text),
        _ => false,
    }
}
