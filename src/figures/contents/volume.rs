//! The three middle slices of a volume, turned so that the patient stands upright.

use super::super::axes::{Axes, Axis};
use super::super::canvas::{Align, Area, BLACK, Canvas, HEADING, Rgb, TITLE};
use super::Panel;
use super::images::{Grays, RIGHT, paint};
use recoup_formats::Images;
use recoup_formats::nifti::orientation;

/// Labels of the low and the high end of the scanner's axes: left, right, back (posterior), front, down (inferior), up.
const LETTERS: [[&str; 2]; 3] = [["L", "R"], ["P", "A"], ["I", "S"]];
const LETTER_COLOR: Rgb = [230, 159, 0];
const LEFT: f64 = 70.0;
const BETWEEN: f64 = 76.0;

pub(super) struct Volume<'a> {
    images: &'a Images,
    grays: Grays,
    /// Axis of the scanner that each of columns, lines and slices follows, and whether backwards.
    orientation: [(usize, bool); 3],
    affine: [[f64; 4]; 3],
    /// Pixels per millimetre.
    scale: f64,
}

/// Name, horizontal and vertical axis of the scanner, of each view.
const VIEWS: [(&str, usize, usize); 3] = [("sagittal", 1, 2), ("coronal", 0, 2), ("axial", 0, 1)];

impl<'a> Volume<'a> {
    /// `None` for images that are no volume: without an affine or with a single slice, line or column.
    pub(super) fn new(images: &'a Images, width: f64) -> Option<Self> {
        let affine = images.affine?;
        let orientation = orientation(&affine)?;
        let mut volume = Self {
            images,
            grays: Grays::new(images),
            orientation,
            affine,
            scale: 1.0,
        };
        if volume.sizes().iter().any(|size| *size < 2) {
            return None;
        }
        let across: f64 = VIEWS.iter().map(|(_, across, _)| volume.length_mm(*across)).sum();
        let highest = VIEWS.iter().map(|(_, _, up)| volume.length_mm(*up)).fold(0.0, f64::max);
        let room = width - LEFT - 2.0 * BETWEEN - RIGHT;
        volume.scale = (room / across).min(420.0 / highest);
        (volume.scale.is_finite() && volume.scale > 0.0).then_some(volume)
    }

    /// Columns, lines and slices.
    fn sizes(&self) -> [usize; 3] {
        let (num_images, _, num_lines, num_columns) = self.images.values.dim();
        [num_columns, num_lines, num_images / self.images.num_volumes.max(1)]
    }

    /// The voxel axis that lies along an axis of the scanner.
    fn voxel_axis(&self, axis: usize) -> usize {
        self.orientation.iter().position(|along| along.0 == axis).unwrap_or(0)
    }

    fn spacing_mm(&self, axis: usize) -> f64 {
        self.images
            .spacing_mm()
            .map_or(1.0, |spacing| spacing[self.voxel_axis(axis)])
    }

    fn length_mm(&self, axis: usize) -> f64 {
        self.spacing_mm(axis) * self.sizes()[self.voxel_axis(axis)] as f64
    }

    /// Where the volume's edges lie along an axis of the scanner, on the line through its middle.
    fn extent_mm(&self, axis: usize) -> (f64, f64) {
        let centre = self.sizes().map(|size| (size as f64 - 1.0) / 2.0);
        let [a, b, c, shift] = self.affine[axis];
        let middle = a * centre[0] + b * centre[1] + c * centre[2] + shift;
        let half = self.length_mm(axis) / 2.0;
        (middle - half, middle + half)
    }

    /// The first volume is drawn where there are several.
    fn which(&self) -> String {
        match self.images.num_volumes {
            0..=1 => String::new(),
            count => format!(" (volume 1 of {count})"),
        }
    }

    fn draw_view(&self, canvas: &mut Canvas, plot: Area, across: usize, up: usize) {
        let (horizontal, vertical) = (self.voxel_axis(across), self.voxel_axis(up));
        let sizes = self.sizes();
        let index = |axis: usize, step: usize| {
            if self.orientation[axis].1 {
                sizes[axis] - 1 - step
            } else {
                step
            }
        };
        let value = |column: usize, line: usize| {
            let mut voxel = sizes.map(|size| size / 2);
            voxel[horizontal] = index(horizontal, column);
            // Lines are counted from above, the scanner's axis from below.
            voxel[vertical] = index(vertical, sizes[vertical] - 1 - line);
            self.images.values.get((voxel[2], 0, voxel[1], voxel[0])).copied()
        };
        paint(canvas, plot, (sizes[horizontal], sizes[vertical]), &self.grays, value);
        let axis = |axis: usize, pixels: f64| {
            let (low, high) = self.extent_mm(axis);
            Axis::new(low, high, (pixels / 60.0).max(1.0) as usize).readable()
        };
        let axes = Axes {
            area: plot,
            x: axis(across, plot.width),
            y: axis(up, plot.height),
        };
        axes.draw(
            canvas,
            ["x [mm]", "y [mm]", "z [mm]"][across],
            ["x [mm]", "y [mm]", "z [mm]"][up],
        );
        let ([left, right], [low, high]) = (LETTERS[across], LETTERS[up]);
        let (x, y) = (plot.left + plot.width / 2.0, plot.top + plot.height / 2.0);
        canvas.text(left, (plot.left + 8.0, y), Align::Center, TITLE, LETTER_COLOR);
        canvas.text(right, (plot.right() - 8.0, y), Align::Center, TITLE, LETTER_COLOR);
        canvas.text(high, (x, plot.top + 10.0), Align::Center, TITLE, LETTER_COLOR);
        canvas.text(low, (x, plot.bottom() - 10.0), Align::Center, TITLE, LETTER_COLOR);
    }
}

impl Panel for Volume<'_> {
    fn height(&self) -> f64 {
        let highest = VIEWS.iter().map(|(_, _, up)| self.length_mm(*up)).fold(0.0, f64::max);
        24.0 + highest * self.scale + 44.0
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let mut left = area.left + LEFT;
        let mut last = area;
        for (name, across, up) in VIEWS {
            let (width, height) = (self.length_mm(across) * self.scale, self.length_mm(up) * self.scale);
            let plot = Area {
                left: left.round(),
                top: area.top + 24.0,
                width: width.round().max(1.0),
                height: height.round().max(1.0),
            };
            let heading = if name == "sagittal" {
                format!("{name}{}", self.which())
            } else {
                name.to_owned()
            };
            canvas.text(&heading, (plot.left, area.top + 10.0), Align::Left, HEADING, BLACK);
            self.draw_view(canvas, plot, across, up);
            left += width + BETWEEN;
            last = Area {
                height: last.height.max(plot.height),
                ..plot
            };
        }
        let height = self.height() - 24.0 - 44.0;
        self.grays.draw_scale(canvas, Area { height, ..last });
    }
}
