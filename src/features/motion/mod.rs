//! Features of motion: joint angles, speed, smoothness and gait from the paths of markers, joints or keypoints.
//!
//! A modality of points reaches this module as a signal whose channels are called `NAME.x`, `NAME.y` and, if there are such,
//! `NAME.z` and `NAME.confidence`. Unlike those of other features, its windows may hold NaN: doubtful points are masked and short
//! gaps filled ([`Cleaning`]); a feature that needs a point which is still missing in one frame is NaN. Nothing is
//! filtered here: give paths that are low-passed already, for gait with zero lag, order 4, at 6 Hz.

mod clean;
mod gait;
mod image;
mod joints;
mod kinematics;

use ndarray::{Array1, Array3, ArrayView3, Axis as Dimension};
use serde::{Deserialize, Serialize};

pub use self::clean::{fill_gaps, mask_low_confidence, normalise};
pub use self::gait::{
    GaitEvents, GaitPoints, GaitTimes, asymmetry, direction_of_travel, gait_events, gait_times, walking_speed,
};
pub use self::image::MotionImage;
pub use self::joints::{Body, Cleaning, Joints};
pub use self::kinematics::{
    joint_angle, lengths, log_dimensionless_jerk, mean_squared_jerk, range_of_motion, velocity,
};
use crate::base::Problem;
use crate::dataset::subjects::Channel;
use crate::features::signals::{Column, Scratch, SignalFeature, SignalInfo};

/// One kind of motion feature, as it stands in an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MotionFeature {
    /// Mean, deviation (`ddof = 0`), smallest and largest angle of each joint.
    JointAngles {
        /// The joints.
        angles: Vec<JointAngle>,
        /// Before all else.
        #[serde(default)]
        cleaning: Cleaning,
    },
    /// Largest minus smallest angle of each joint.
    RangeOfMotion {
        /// The joints.
        angles: Vec<JointAngle>,
        /// Before all else.
        #[serde(default)]
        cleaning: Cleaning,
    },
    /// Mean and largest speed of each point.
    Speed {
        /// The points.
        points: Vec<String>,
        /// Frame of reference of the points, and the unit of length; without it, the file's.
        body: Option<Body>,
        /// Before all else.
        #[serde(default)]
        cleaning: Cleaning,
    },
    /// Mean squared jerk and log dimensionless jerk of each point.
    Jerk {
        /// The points.
        points: Vec<String>,
        /// Frame of reference of the points, and the unit of length; without it, the file's.
        body: Option<Body>,
        /// Before all else.
        #[serde(default)]
        cleaning: Cleaning,
    },
    /// Stride and step times, cadence, stance, speed and asymmetry of walking.
    Gait {
        /// The pelvis is the middle of these points.
        pelvis: Vec<String>,
        /// Heel of the left foot.
        left_heel: String,
        /// Toe of the left foot.
        left_toe: String,
        /// Heel of the right foot.
        right_heel: String,
        /// Toe of the right foot.
        right_toe: String,
        /// Where the person walks; without it, where the pelvis travels in the window. Needed on a treadmill.
        forward: Option<Direction>,
        /// The axis that does not count as travel; z by default, y in the plane.
        vertical: Option<Direction>,
        /// Before all else.
        #[serde(default)]
        cleaning: Cleaning,
    },
}

/// An angle with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointAngle {
    /// Prefix of its columns.
    pub name: String,
    /// The end of one side, the vertex, and the end of the other: hip, knee, ankle.
    pub points: [String; 3],
}

/// An axis of the coordinates and its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Growing x.
    #[serde(rename = "x")]
    X,
    /// Falling x.
    #[serde(rename = "-x")]
    MinusX,
    /// Growing y.
    #[serde(rename = "y")]
    Y,
    /// Falling y.
    #[serde(rename = "-y")]
    MinusY,
    /// Growing z.
    #[serde(rename = "z")]
    Z,
    /// Falling z.
    #[serde(rename = "-z")]
    MinusZ,
}

impl Direction {
    /// Index of the axis and sign.
    fn parts(self) -> (usize, f64) {
        match self {
            Self::X => (0, 1.0),
            Self::MinusX => (0, -1.0),
            Self::Y => (1, 1.0),
            Self::MinusY => (1, -1.0),
            Self::Z => (2, 1.0),
            Self::MinusZ => (2, -1.0),
        }
    }
}

impl MotionFeature {
    /// The feature for signals with these channels.
    ///
    /// # Errors
    /// The key or point that is wrong, and what was expected.
    pub fn extractor(&self, channels: &[Channel]) -> Result<MotionExtractor, Problem> {
        let (names, needed) = self.points();
        if names.is_empty() || needed.contains(&true) {
            return Err(Problem::new(self.list(), "at least one entry, and points in each list"));
        }
        let cleaning = self.cleaning();
        for (key, value) in [
            ("min_confidence", cleaning.min_confidence),
            ("max_gap_secs", cleaning.max_gap_secs),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Problem::new(format!("cleaning.{key}"), "a number that is not negative"));
            }
        }
        let joints = Joints::find(&names, channels)?;
        if let Self::Gait { forward, vertical, .. } = self {
            for (key, direction) in [("forward", forward), ("vertical", vertical)] {
                if direction.is_some_and(|direction| direction.parts().0 >= joints.num_axes()) {
                    return Err(Problem::new(
                        key,
                        format!("one of the {} axes of the points", joints.num_axes()),
                    ));
                }
            }
        }
        Ok(MotionExtractor {
            feature: self.clone(),
            joints,
        })
    }

    fn list(&self) -> &'static str {
        match self {
            Self::JointAngles { .. } | Self::RangeOfMotion { .. } => "angles",
            Self::Speed { .. } | Self::Jerk { .. } => "points",
            Self::Gait { .. } => "pelvis",
        }
    }

    fn cleaning(&self) -> &Cleaning {
        match self {
            Self::JointAngles { cleaning, .. }
            | Self::RangeOfMotion { cleaning, .. }
            | Self::Speed { cleaning, .. }
            | Self::Jerk { cleaning, .. }
            | Self::Gait { cleaning, .. } => cleaning,
        }
    }

    /// All points in the order of [`MotionExtractor`], and for each list of points that may not be empty whether it is.
    fn points(&self) -> (Vec<String>, Vec<bool>) {
        match self {
            Self::JointAngles { angles, .. } | Self::RangeOfMotion { angles, .. } => (
                angles.iter().flat_map(|angle| &angle.points).cloned().collect(),
                Vec::new(),
            ),
            Self::Speed { points, body, .. } | Self::Jerk { points, body, .. } => {
                let lists = body.iter().flat_map(|body| [&body.root, &body.top]);
                let empty = lists.clone().chain([points]).map(|list| list.is_empty()).collect();
                (points.iter().chain(lists.flatten()).cloned().collect(), empty)
            }
            Self::Gait {
                pelvis,
                left_heel,
                left_toe,
                right_heel,
                right_toe,
                ..
            } => {
                let feet = [left_heel, right_heel, left_toe, right_toe];
                (
                    feet.into_iter().chain(pelvis).cloned().collect(),
                    vec![pelvis.is_empty()],
                )
            }
        }
    }

    fn columns(&self, unit: &str) -> Vec<Column> {
        let column = |name: String, unit: &str| Column {
            name,
            unit: unit.into(),
        };
        // Coordinates relative to the body have no unit.
        let length = |body: &Option<Body>| {
            if body.is_some() {
                "1".to_string()
            } else {
                unit.to_string()
            }
        };
        match self {
            Self::JointAngles { angles, .. } => (angles.iter())
                .flat_map(|angle| {
                    let column = |what: &str| column(format!("{}.angle.{what}", angle.name), "deg");
                    ["mean", "deviation", "min", "max"].map(column)
                })
                .collect(),
            Self::RangeOfMotion { angles, .. } => angles
                .iter()
                .map(|angle| column(format!("{}.range-of-motion", angle.name), "deg"))
                .collect(),
            Self::Speed { points, body, .. } => {
                let unit = format!("{}/s", length(body));
                points
                    .iter()
                    .flat_map(|p| ["mean", "max"].map(|what| column(format!("{p}.speed.{what}"), &unit)))
                    .collect()
            }
            Self::Jerk { points, body, .. } => {
                let unit = match length(body).as_str() {
                    "1" => "1/s^6".into(),
                    unit => format!("{unit}^2/s^6"),
                };
                let pair = |point: &String| {
                    let log = column(format!("{point}.jerk.log-dimensionless"), "1");
                    [column(format!("{point}.jerk.mean-squared"), &unit), log]
                };
                points.iter().flat_map(pair).collect()
            }
            Self::Gait { .. } => {
                let pairs = [("stride-time", "s"), ("step-time", "s"), ("stance", "%")];
                let sides = |(what, unit)| ["left", "right"].map(|side| column(format!("gait.{side}.{what}"), unit));
                let rest = [
                    ("gait.cadence", "1/min"),
                    ("gait.speed", &format!("{unit}/s")),
                    ("gait.step-time.asymmetry", "1"),
                    ("gait.stance.asymmetry", "1"),
                ];
                pairs
                    .into_iter()
                    .flat_map(sides)
                    .chain(rest.map(|(name, unit)| column(name.into(), unit)))
                    .collect()
            }
        }
    }
}

/// A [`MotionFeature`] that knows where its points stand among the channels.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionExtractor {
    feature: MotionFeature,
    joints: Joints,
}

impl SignalFeature for MotionExtractor {
    fn columns(&self, _signal: &SignalInfo) -> Vec<Column> {
        self.feature.columns(self.joints.unit())
    }

    fn check(&self, signal: &SignalInfo) -> Result<(), Problem> {
        // The same points may stand elsewhere in another signal.
        match self.feature.extractor(signal.channels)? == *self {
            true => Ok(()),
            false => Err(Problem::new(
                self.feature.list(),
                "the channels that the extractor was made for",
            )),
        }
    }

    fn takes_missing(&self) -> bool {
        true
    }

    /// `window` may hold NaN.
    fn extract(&self, window: &[&[f64]], rate_hz: f64, _scratch: &mut Scratch, values: &mut Vec<f64>) {
        let mut positions = self.joints.positions(window, rate_hz, self.feature.cleaning());
        match &self.feature {
            MotionFeature::JointAngles { angles, .. } => {
                for index in 0..angles.len() {
                    let angle = joint_angle(positions.view(), [0, 1, 2].map(|point| 3 * index + point));
                    let mean = angle.iter().sum::<f64>() / angle.len() as f64;
                    let variance = angle.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / angle.len() as f64;
                    values.extend([mean, variance.sqrt()]);
                    values.extend(kinematics::extremes(&angle));
                }
            }
            MotionFeature::RangeOfMotion { angles, .. } => {
                let angle = |index| joint_angle(positions.view(), [0, 1, 2].map(|point| 3 * index + point));
                values.extend((0..angles.len()).map(|index| range_of_motion(&angle(index))));
            }
            MotionFeature::Speed { points, body, .. } => {
                relate(&mut positions, points.len(), body.as_ref());
                for point in 0..points.len() {
                    let speed = lengths(velocity(positions.index_axis(Dimension(1), point), rate_hz).view());
                    values.push(speed.iter().sum::<f64>() / speed.len() as f64);
                    values.push(kinematics::extremes(&speed)[1]);
                }
            }
            MotionFeature::Jerk { points, body, .. } => {
                relate(&mut positions, points.len(), body.as_ref());
                for point in 0..points.len() {
                    let path = positions.index_axis(Dimension(1), point);
                    values.extend([mean_squared_jerk(path, rate_hz), log_dimensionless_jerk(path, rate_hz)]);
                }
            }
            MotionFeature::Gait {
                pelvis,
                forward,
                vertical,
                ..
            } => {
                let points = GaitPoints {
                    heels: [0, 1],
                    toes: [2, 3],
                    pelvis: (4..4 + pelvis.len()).collect(),
                };
                values.extend(gait(positions.view(), rate_hz, &points, *forward, *vertical));
            }
        }
    }
}

/// Normalises by the points of the body, which follow the first `num_points`.
fn relate(positions: &mut Array3<f64>, num_points: usize, body: Option<&Body>) {
    if let Some(body) = body {
        let middle = num_points + body.root.len();
        let root: Vec<usize> = (num_points..middle).collect();
        let top: Vec<usize> = (middle..positions.dim().1).collect();
        normalise(positions.view_mut(), &root, &top);
    }
}

/// The values of [`MotionFeature::Gait`], in the order of its columns.
fn gait(
    positions: ArrayView3<f64>,
    rate_hz: f64,
    points: &GaitPoints,
    forward: Option<Direction>,
    vertical: Option<Direction>,
) -> [f64; 10] {
    let num_axes = positions.dim().2;
    let direction = match forward.map(Direction::parts) {
        Some((axis, sign)) => Some(Array1::from_shape_fn(
            num_axes,
            |index| if index == axis { sign } else { 0.0 },
        )),
        None => direction_of_travel(
            positions,
            points,
            vertical.map_or(num_axes - 1, |vertical| vertical.parts().0),
        ),
    };
    let Some(direction) = direction else {
        return [f64::NAN; 10];
    };
    let events = gait_events(positions, rate_hz, points, &direction);
    let times = gait_times(&events);
    let speed = walking_speed(positions, rate_hz, points, &events, &direction);
    let ([l1, r1], [l2, r2], [l3, r3]) = (times.stride_secs, times.step_secs, times.stance_percent);
    let asymmetries = [asymmetry(times.step_secs), asymmetry(times.stance_percent)];
    [
        l1,
        r1,
        l2,
        r2,
        l3,
        r3,
        times.cadence_per_min,
        speed,
        asymmetries[0],
        asymmetries[1],
    ]
}
