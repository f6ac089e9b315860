//! Modalities of files that have a reader of their own: EDF, C3D, NIfTI, DICOM, TIFF, poses.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::keys::{Head, channel_list, list, quoted};
use super::names::Frames;
use crate::dataset::error::DataError;
use recoup_formats::{Contents, Images, Part, Points, SignalChannel, open};

/// More kinds of annotations are free text.
const MAX_TEXTS: usize = 12;

/// What the first of some files that are alike holds.
pub(super) struct Opened {
    format: String,
    /// Name, unit and rate.
    signals: Vec<(String, String, f64)>,
    points: Option<FoundPoints>,
    images: Option<FoundImages>,
    texts: BTreeSet<String>,
}

struct FoundPoints {
    unit: String,
    rate_hz: Option<f64>,
    names: Vec<String>,
    num_axes: usize,
    num_frames: usize,
}

struct FoundImages {
    num_images: usize,
    planes: Vec<String>,
    height: usize,
    width: usize,
    unit: String,
    /// Whether the file tells where in the body the image lies, as a slice does.
    in_space: bool,
    /// Smallest and largest value, where they are no shares of the largest that pixels can have.
    range: Option<[f32; 2]>,
}

impl Opened {
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let Contents {
            format,
            parts,
            annotations,
            ..
        } = open(path)?;
        let signal = |channel: &SignalChannel| (channel.name.clone(), channel.unit.clone(), channel.rate_hz);
        let signals = parts.iter().flat_map(Part::signals).map(signal).collect();
        let (mut points, mut images) = (None, None);
        for part in &parts {
            match part {
                Part::Points(part) => points = points.or_else(|| Some(FoundPoints::of(part))),
                Part::Images(part) => images = images.or_else(|| Some(FoundImages::of(part))),
                _ => {}
            }
        }
        let texts = annotations
            .into_iter()
            .map(|mark| mark.text)
            .filter(|text| !text.is_empty())
            .collect();
        Ok(Self {
            format,
            signals,
            points,
            images,
            texts,
        })
    }

    /// Whether several files may be one recording: images, slices, frames of poses.
    pub(super) fn frames(&self) -> Frames {
        match (&self.points, &self.images) {
            (Some(points), _) if points.num_frames == 1 => Frames::Yes,
            (_, Some(images)) if images.num_images == 1 && images.in_space => Frames::Yes,
            (_, Some(images)) if images.num_images == 1 => Frames::Maybe,
            _ => Frames::No,
        }
    }

    /// Writes a modality for each kind of data.
    pub(super) fn modalities(&self, text: &mut String, head: &Head, questions: &mut Vec<String>) {
        let mut num_written = 0;
        let mut start = |text: &mut String, kind: &str| {
            let name = match num_written {
                0 => head.name.to_string(),
                _ => format!("{}-{kind}", head.name),
            };
            if num_written > 0 {
                text.push('\n');
            }
            num_written += 1;
            let head = Head { name: &name, ..*head };
            head.begin(text, kind);
            head.key()
        };
        if !self.signals.is_empty() {
            let key = start(text, "signal");
            self.signal(text, &key, questions);
        }
        if let Some(points) = &self.points {
            let key = start(text, "points");
            points.write(text, &key, questions);
        }
        if let Some(images) = &self.images {
            let key = start(text, "image");
            images.write(text, &key, questions);
        }
        match self.texts.len() {
            0 => {}
            1..=MAX_TEXTS => {
                let key = start(text, "annotations");
                let map = self.texts.iter().zip(1..).map(|(text, number): (_, i32)| format!("{} = {number}", quoted(text)));
                text.push_str(&format!("labels = {{ {} }}\n", map.collect::<Vec<_>>().join(", ")));
                questions.push(format!("`{key}.labels`: these are the annotations of the first file; which ones count?"));
            }
            count => questions.push(format!(
                "files like `{}` have {count} kinds of annotations, which were left out; the kind `annotations` reads some",
                head.pattern
            )),
        }
        if num_written == 0 {
            questions.push(format!("files like `{}` were left out: {self}", head.pattern));
        }
    }

    fn signal(&self, text: &mut String, key: &str, questions: &mut Vec<String>) {
        let rates = || self.signals.iter().map(|(_, _, rate_hz)| *rate_hz);
        let rate_hz = rates().fold(0.0, f64::max);
        text.push_str(&format!("rate_hz = {rate_hz:?} # that of the first file\n"));
        let is_one = |name: &String| self.signals.iter().filter(|(other, ..)| other == name).count() == 1;
        let (single, several): (Vec<_>, Vec<_>) = self.signals.iter().partition(|(name, ..)| is_one(name));
        let channel =
            |(name, unit, _): &&(String, String, f64)| format!("channel = {}, unit = {}", quoted(name), quoted(unit));
        text.push_str(&channel_list(&single.iter().map(channel).collect::<Vec<_>>()));
        questions.push(format!("`{key}.channels`: which channels are inputs?"));
        if rates().any(|other| other != rate_hz) {
            questions.push(format!(
                "`{key}.rate_hz`: the channels have several rates; this is the highest"
            ));
        }
        if !several.is_empty() {
            let names: BTreeSet<&str> = several.iter().map(|(name, ..)| name.as_str()).collect();
            questions.push(format!(
                "`{key}.channels`: {names:?} stand more than once in a file and were left out"
            ));
        }
    }
}

impl FoundPoints {
    fn of(points: &Points) -> Self {
        let Points {
            unit,
            rate_hz,
            names,
            positions,
            ..
        } = points;
        let (num_frames, _, num_axes) = positions.dim();
        Self {
            unit: unit.clone(),
            rate_hz: *rate_hz,
            names: names.clone(),
            num_axes,
            num_frames,
        }
    }

    fn write(&self, text: &mut String, key: &str, questions: &mut Vec<String>) {
        match self.rate_hz {
            Some(rate_hz) => text.push_str(&format!("rate_hz = {rate_hz:?} # that of the first file\n")),
            None => {
                text.push_str("file_rate_hz = 30.0 # a guess without any ground\nrate_hz = 30.0\n");
                questions.push(format!("`{key}.file_rate_hz`: how many frames does a second have?"));
            }
        }
        let axes = ["x", "y", "z"].into_iter().take(self.num_axes);
        let mut seen = BTreeSet::new();
        let names = self.names.iter().map(String::as_str).filter(|name| seen.insert(*name));
        let (names, axes) = (list(names), list(axes));
        text.push_str(&format!(
            "points = {names}\naxes = {axes}\nunit = {}\n",
            quoted(&self.unit)
        ));
        text.push_str("missing = \"mask\" # points that were not seen\n");
        questions.push(format!(
            "`{key}.points`: which points are inputs? `{key}.missing`: what about those not seen?"
        ));
    }
}

impl FoundImages {
    fn of(images: &Images) -> Self {
        let (num_images, _, height, width) = images.values.dim();
        let finite = || images.values.iter().copied().filter(|value| value.is_finite());
        let range = [
            finite().fold(f32::INFINITY, f32::min),
            finite().fold(f32::NEG_INFINITY, f32::max),
        ];
        Self {
            num_images,
            planes: images.planes.clone(),
            height,
            width,
            unit: images.unit.clone(),
            in_space: images.affine.is_some(),
            range: (images.display_range != Some([0.0, 1.0]) && range[0] < range[1]).then_some(range),
        }
    }

    fn write(&self, text: &mut String, key: &str, questions: &mut Vec<String>) {
        let color = if self.planes.len() == 3 { "rgb" } else { "gray" };
        text.push_str(&format!(
            "color = \"{color}\"\nheight = {}\nwidth = {}\n",
            self.height, self.width
        ));
        if let Some([low, high]) = self.range {
            text.push_str(&format!(
                "range = [{low:?}, {high:?}] # of the first file, in {}\n",
                self.unit
            ));
            questions.push(format!(
                "`{key}.range`: which values of {} are to become 0 and 1?",
                self.unit
            ));
        }
        questions.push(format!(
            "`{key}.height`, `{key}.width`: which size is wanted? `{key}.slices` keeps some images"
        ));
        if !matches!(self.planes.len(), 1 | 3) {
            questions.push(format!(
                "`{key}`: planes {:?} are no colours; export the one that is wanted",
                self.planes
            ));
        }
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format)?;
        let mut parts = Vec::new();
        if !self.signals.is_empty() {
            let names = self
                .signals
                .iter()
                .map(|(name, unit, rate_hz)| format!("{name} [{unit}] at {rate_hz} Hz"));
            parts.push(format!("signals {}", names.collect::<Vec<_>>().join(", ")));
        }
        if let Some(FoundPoints {
            unit,
            names,
            num_axes,
            num_frames,
            ..
        }) = &self.points
        {
            parts.push(format!(
                "{} points in {num_axes} axes [{unit}], {num_frames} frame(s)",
                names.len()
            ));
        }
        if let Some(FoundImages {
            num_images,
            planes,
            height,
            width,
            unit,
            ..
        }) = &self.images
        {
            let planes = planes.len();
            parts.push(format!(
                "{num_images} image(s), {planes} plane(s) of {height} lines and {width} columns [{unit}]"
            ));
        }
        if !self.texts.is_empty() {
            parts.push(format!("{} kinds of annotations", self.texts.len()));
        }
        match parts.is_empty() {
            true => f.write_str(": nothing that a card can take"),
            false => write!(f, ": {}", parts.join("; ")),
        }
    }
}
