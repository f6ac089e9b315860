//! Descriptions of the single frames of a file. PS3.3 C.7.6.16.

use super::dataset::{Dataset, Tag};

const FRAME_CONTENT: Tag = Tag(0x0020, 0x9111);
const TEMPORAL_INDEX: Tag = Tag(0x0020, 0x9128);
const TEMPORAL_POSITION: Tag = Tag(0x0020, 0x9310);
const TEMPORAL_OFFSET: Tag = Tag(0x0020, 0x930D);
const TEMPORAL_IDENTIFIER: Tag = Tag(0x0020, 0x0100);
const DIMENSION_INDICES: Tag = Tag(0x0020, 0x9157);
const SHARED_GROUPS: Tag = Tag(0x5200, 0x9229);
const FRAME_GROUPS: Tag = Tag(0x5200, 0x9230);
const RESCALE_INTERCEPT: Tag = Tag(0x0028, 0x1052);
const RESCALE_SLOPE: Tag = Tag(0x0028, 0x1053);
pub(super) const VALUE_TRANSFORMATION: Tag = Tag(0x0028, 0x9145);

/// When a frame was taken, as far as the file tells: the index of its time, and its offset and other indices, which tell apart
/// what lies at one place.
#[derive(Debug, Clone, Default, PartialEq, PartialOrd)]
pub(super) struct Moment {
    pub time: Option<f64>,
    pub indices: Vec<f64>,
}

/// The description of one frame: its own group, the one that all share, the file.
pub(super) struct Frame<'a, 'b> {
    dataset: &'a Dataset<'b>,
    index: usize,
}

impl<'a, 'b> Frame<'a, 'b> {
    pub fn new(dataset: &'a Dataset<'b>, index: usize) -> Self {
        Self { dataset, index }
    }

    /// Where to look for the attributes of a functional group.
    pub fn places(&self, group: Tag) -> impl Iterator<Item = &'a Dataset<'b>> {
        let own = self.dataset.items(FRAME_GROUPS).get(self.index);
        let shared = self.dataset.items(SHARED_GROUPS).first();
        let items = own
            .into_iter()
            .chain(shared)
            .filter_map(move |groups| groups.items(group).first());
        items.chain([self.dataset])
    }

    pub fn number(&self, group: Tag, tag: Tag) -> Option<f64> {
        self.places(group).find_map(|place| place.number(tag))
    }

    pub fn text(&self, group: Tag, tag: Tag) -> Option<String> {
        self.places(group).find_map(|place| place.text(tag))
    }

    /// When the frame was taken.
    pub fn moment(&self) -> Moment {
        // Slices of one time may be some milliseconds apart: an offset orders frames, and does not name a volume.
        let offset = self.number(TEMPORAL_POSITION, TEMPORAL_OFFSET);
        let indices = self.places(FRAME_CONTENT).map(|place| place.numbers(DIMENSION_INDICES));
        let indices = indices
            .into_iter()
            .find(|indices| !indices.is_empty())
            .unwrap_or_default();
        Moment {
            time: self
                .number(FRAME_CONTENT, TEMPORAL_INDEX)
                .or_else(|| self.number(TEMPORAL_POSITION, TEMPORAL_IDENTIFIER)),
            indices: offset.into_iter().chain(indices).collect(),
        }
    }

    /// `physical = slope * stored + intercept`.
    pub fn rescale(&self) -> Option<[f64; 2]> {
        let slope = self.number(VALUE_TRANSFORMATION, RESCALE_SLOPE)?;
        Some([
            slope,
            self.number(VALUE_TRANSFORMATION, RESCALE_INTERCEPT).unwrap_or(0.0),
        ])
    }
}
