//! One file after the other, by its kind.

use std::collections::BTreeMap;
use std::path::Path;

use super::survey::{Entry, Kind, Survey, read, table};
use super::{AnnotationRule, Deidentifier, annotations, pictures, tiff};
use crate::base::FileError;
use recoup_formats::dicom::deidentify::Deidentification;
use recoup_formats::wfdb::read_annotations;
use recoup_formats::{Format, c3d, dicom, nifti, skeleton};

/// A file of the new folder, and what was done.
pub(super) struct Converted {
    pub bytes: Vec<u8>,
    pub format: &'static str,
    pub done: Vec<&'static str>,
}

const DAMAGED: &str = "the file is damaged; export it again, or leave it out";

impl Deidentifier {
    /// The file without what identifies; `names` are the new paths of all files.
    pub(super) fn convert(
        &self,
        folder: &Path,
        entry: &Entry,
        survey: &Survey,
        names: &BTreeMap<String, String>,
    ) -> Result<Converted, FileError> {
        let path = folder.join(&entry.path);
        let (bytes, zipped) = read(&path)?;
        let patient = entry.patient.as_deref().unwrap_or_default();
        let keep = self.rules.annotations == AnnotationRule::Keep;
        let damaged = |what: &str| {
            FileError::at(&path)
                .place(what)
                .found("what does not hold")
                .expected("a whole file")
                .hint(DAMAGED)
        };
        let marks = if keep {
            "texts of annotations kept"
        } else {
            "texts of annotations dropped"
        };
        // Texts that are kept are looked through for ids.
        let mut texts = Vec::new();
        let (bytes, format, done): (Vec<u8>, _, Vec<&'static str>) = match entry.kind {
            Kind::File(format @ (Format::Delimited | Format::Parquet)) => {
                let (table, has_header) = table(format, &bytes, &path)?;
                let out = self.table_among(&table, entry.patient.as_deref(), has_header, &survey.ids)?;
                (
                    out,
                    format.name(),
                    vec!["columns by the rules", "comments and lines before the table dropped"],
                )
            }
            Kind::File(Format::Dicom) => {
                let pseudonym = self.pseudonym(patient);
                let key = self.dicom_key();
                let how = Deidentification {
                    key: &key,
                    pseudonym: &pseudonym,
                    shift_days: Some(self.shift_days(patient)),
                };
                let out = dicom::deidentify::deidentify(&bytes, &path, how)?;
                (
                    out,
                    "DICOM",
                    vec!["PS3.15 Basic Profile", "dates shifted", "pixels not looked at"],
                )
            }
            Kind::File(Format::Edf) => {
                let mut out = bytes;
                let has_marks = self.edf_header(patient, &mut out, &path)?;
                annotations::clean_edf(&mut out, keep).ok_or_else(|| damaged("header"))?;
                let header_bytes = out.len().min(256 * (1 + num_signals(&out)));
                texts.push(out.get(..header_bytes).unwrap_or_default().to_vec());
                let mut done = vec!["patient and recording replaced", "dates shifted", "transducers dropped"];
                if has_marks {
                    done.push(marks);
                    if keep {
                        let found = recoup_formats::edf::read(&out, &path)?.annotations;
                        texts.extend(found.into_iter().map(|mark| mark.text.into_bytes()));
                    }
                }
                (out, "EDF", done)
            }
            Kind::File(Format::Wfdb) => {
                let out = self.wfdb_header(patient, &self.renamed_record(&bytes, entry, names, &path)?, &path)?;
                texts.push(out.clone());
                (
                    out,
                    "WFDB header",
                    vec!["comments, time and date dropped", "files renamed"],
                )
            }
            Kind::WfdbSignal => (
                without_tags(bytes).ok_or_else(|| damaged("FLAC"))?,
                "WFDB signal",
                vec!["copied"],
            ),
            Kind::WfdbAnnotations if keep => {
                let found = read_annotations(&bytes, &path)?.marks;
                texts.extend(found.into_iter().map(|mark| mark.text.into_bytes()));
                (bytes, "WFDB annotations", vec![marks])
            }
            Kind::WfdbAnnotations => {
                let out = annotations::drop_notes(&bytes).ok_or_else(|| damaged("notes"))?;
                (out, "WFDB annotations", vec![marks])
            }
            Kind::File(Format::C3d) => {
                let out = c3d::deidentify::deidentify(&bytes, &path, keep)?;
                let contents = c3d::read(&out, &path)?;
                texts.extend(contents.facts.into_iter().map(|(_, text)| text.into_bytes()));
                (
                    out,
                    "C3D",
                    vec![
                        "other parameters than those of points, channels and plates dropped",
                        marks,
                    ],
                )
            }
            Kind::File(Format::Nifti) => (
                nifti::deidentify::deidentify(&bytes, &path)?,
                "NIfTI",
                vec!["texts and extensions dropped"],
            ),
            Kind::NiftiData => {
                let (header, _) = read(&path.with_extension("hdr"))?;
                let out = nifti::deidentify::deidentify_data(&header, &bytes, &path)?;
                (out, "NIfTI data", vec!["values kept"])
            }
            Kind::File(Format::Image) => {
                let is_tiff = bytes.starts_with(b"II") || bytes.starts_with(b"MM");
                let out = if is_tiff {
                    tiff::clean(&bytes)
                } else {
                    pictures::clean(&bytes)
                };
                (
                    out.ok_or_else(|| damaged("image"))?,
                    "image",
                    vec!["metadata dropped", "pixels not looked at"],
                )
            }
            Kind::File(format @ (Format::OpenPose | Format::Keypoints)) => {
                let json = serde_json::from_slice(&bytes).map_err(|_| damaged("JSON"))?;
                if has_text(&json) {
                    let hint = "remove the texts; poses are numbers";
                    return Err(FileError::at(&path)
                        .place("JSON")
                        .found("a text")
                        .expected("numbers only")
                        .hint(hint));
                }
                texts.push(bytes.clone());
                (bytes, format.name(), vec!["copied"])
            }
            Kind::File(Format::Skeleton) => {
                skeleton::read(&bytes, &path)?;
                let is_number = |byte: &u8| byte.is_ascii_digit() || b" \t\r\n,.+-eENaAinfINF".contains(byte);
                if !bytes.iter().all(is_number) {
                    return Err(FileError::at(&path)
                        .place("text")
                        .found("letters")
                        .expected("numbers only")
                        .hint("remove them"));
                }
                (bytes, "skeletons", vec!["copied"])
            }
        };
        if texts
            .iter()
            .any(|text| survey.ids.stands_in(&String::from_utf8_lossy(text)))
        {
            let hint = "remove it from names of signals and marks, or drop annotations";
            return Err(FileError::at(&path)
                .place("what is kept")
                .found("the id of a patient")
                .expected("none")
                .hint(hint));
        }
        let bytes = if zipped {
            zip(&bytes).map_err(FileError::io(&path, "compress"))?
        } else {
            bytes
        };
        Ok(Converted { bytes, format, done })
    }

    pub(super) fn dicom_key(&self) -> [u8; 32] {
        self.digest("dicom", "")
    }

    /// A WFDB header with the new names of the record, its segments and signal files, and no more lines than announced.
    fn renamed_record(
        &self,
        bytes: &[u8],
        entry: &Entry,
        names: &BTreeMap<String, String>,
        path: &Path,
    ) -> Result<Vec<u8>, FileError> {
        let folder = entry
            .path
            .rfind('/')
            .map_or("", |at| entry.path.get(..=at).unwrap_or_default());
        let new_name = |file: &str| {
            let new = names.get(&format!("{folder}{file}"))?;
            new.rsplit('/').next().map(String::from)
        };
        let header = entry.path.get(folder.len()..).unwrap_or_default();
        let own = new_name(header).unwrap_or_default();
        let own = own.strip_suffix(".hea").unwrap_or(&own).to_string();
        let missing = || {
            let hint = "fetch the whole record";
            FileError::at(path)
                .place("header")
                .found("a file that is not in the folder")
                .expected("files beside the header")
                .hint(hint)
        };
        let mut out = Vec::new();
        let mut left: Option<usize> = None;
        let mut of_segments = false;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = line.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let cut = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
            let (first, rest) = text.split_at(cut);
            let first = String::from_utf8_lossy(first);
            let new = match &mut left {
                None => {
                    let segments = first.split_once('/').map(|(_, count)| count.to_string());
                    let second = String::from_utf8_lossy(rest)
                        .split_whitespace()
                        .next()
                        .map(String::from);
                    let count = segments
                        .as_ref()
                        .or(second.as_ref())
                        .and_then(|count| count.parse().ok());
                    left = Some(count.unwrap_or(0));
                    of_segments = segments.is_some();
                    segments.map_or(own.clone(), |count| format!("{own}/{count}"))
                }
                Some(0) => continue,
                Some(left) => {
                    *left -= 1;
                    match first.as_ref() {
                        "~" => "~".into(),
                        segment if of_segments => {
                            let new = new_name(&format!("{segment}.hea")).ok_or_else(missing)?;
                            new.strip_suffix(".hea").unwrap_or(&new).to_string()
                        }
                        file => new_name(file).ok_or_else(missing)?,
                    }
                }
            };
            out.extend(new.bytes());
            out.extend(rest);
            out.extend(line.get(line.trim_ascii_end().len()..).unwrap_or_default());
        }
        Ok(out)
    }
}

fn num_signals(edf: &[u8]) -> usize {
    let field = edf.get(252..256).and_then(|field| std::str::from_utf8(field).ok());
    field.and_then(|field| field.trim().parse().ok()).unwrap_or(0)
}

/// A FLAC file without the blocks that hold texts and pictures; other files as they are.
fn without_tags(bytes: Vec<u8>) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"fLaC") {
        return Some(bytes);
    }
    let mut out = b"fLaC".to_vec();
    let mut rest = bytes.get(4..)?;
    let mut last_at = 0;
    loop {
        let &[kind, a, b, c] = rest.first_chunk()?;
        let (block, after) = rest.split_at_checked(4 + u32::from_be_bytes([0, a, b, c]) as usize)?;
        // STREAMINFO and SEEKTABLE.
        if matches!(kind & 0x7f, 0 | 3) {
            last_at = out.len();
            out.push(kind & 0x7f);
            out.extend(block.get(1..)?);
        }
        rest = after;
        if kind & 0x80 != 0 {
            *out.get_mut(last_at)? |= 0x80;
            out.extend(rest);
            return Some(out);
        }
    }
}

fn has_text(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Array(items) => items.iter().any(has_text),
        serde_json::Value::Object(fields) => fields.values().any(has_text),
        _ => false,
    }
}

fn zip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
