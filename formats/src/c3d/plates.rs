//! Force plates: from the channels of a plate to forces, moments and the centre of pressure in the laboratory.

use super::layout::finite;
use super::parameters::Parameters;
use crate::SignalChannel;

type Vector = [f64; 3];

/// One plate, as group `FORCE_PLATFORM` describes it.
struct Plate {
    kind: Kind,
    /// Indices of its channels.
    channels: Vec<usize>,
    /// From the plate's sensor to the middle of its surface; of piezoelectric plates the distances of the sensors and the
    /// depth of their plane.
    origin: Vector,
    /// The plate's axes x, y and z in the laboratory.
    axes: [Vector; 3],
    /// Middle of the surface in the laboratory.
    centre: Vector,
}

enum Kind {
    /// Type 2: three forces and three moments.
    SixAxis,
    /// Type 3: eight forces of four corners.
    EightForces,
    /// Type 4: type 2 after the 6 x 6 matrix, row by row.
    Calibrated(Box<[[f64; 6]; 6]>),
}

/// The channels `plateN.Fx` to `plateN.COPz` of every plate that can be computed, and why others cannot.
///
/// Types 2, 3 and 4 of the C3D user guide. Per sample, in the plate's axes: the force F, the moment about the middle of the
/// surface M = M_sensor + F x origin, and the centre of pressure (-My / Fz, Mx / Fz, 0); then all three are
/// turned into the laboratory, whose axes the corners give (x from corner 2 to 1, y from corner 4 to 1). The centre is NaN where Fz
/// is 0, and noise where it is small. The guide wants an origin with z < 0; where a file has z > 0 the whole vector
/// is turned round (types 2 and 4), or z alone (type 3, whose x and y are distances). `FORCE_PLATFORM:ZERO` is not applied.
pub(super) fn plates(
    parameters: &Parameters,
    analog: &[&[f64]],
    rate_hz: f64,
    length_unit: &str,
) -> (Vec<SignalChannel>, Vec<String>) {
    let (mut channels, mut warnings) = (Vec::new(), Vec::new());
    let group = Group::new(parameters);
    let force_unit = parameters
        .texts(GROUP, "UNITS")
        .into_iter()
        .find(|unit| !unit.is_empty());
    let force_unit = force_unit.unwrap_or_else(|| "N".into());
    let declared = parameters.count(GROUP, "USED").unwrap_or(0);
    // No plate shares a channel, so that a wrong number cannot ask for more than the file has.
    let num_plates = declared.min(analog.len() / 6);
    if num_plates < declared {
        let found = analog.len();
        warnings.push(format!(
            "{declared} force plates, but {found} analog channels; the first {num_plates} are tried"
        ));
    }
    for index in 0..num_plates {
        match group.plate(index, analog.len()) {
            Ok(plate) => {
                let units = [&force_unit, &format!("{force_unit}{length_unit}"), length_unit];
                channels.extend(plate.signals(index + 1, analog, rate_hz, units));
            }
            Err(problem) => warnings.push(format!("force plate {}: {problem}; it is left out", index + 1)),
        }
    }
    (channels, warnings)
}

const GROUP: &str = "FORCE_PLATFORM";

/// The values of all plates.
struct Group {
    types: Vec<f64>,
    channels: Vec<f64>,
    channels_per_plate: usize,
    origins: Vec<f64>,
    corners: Vec<f64>,
    matrices: Vec<f64>,
}

impl Group {
    fn new(parameters: &Parameters) -> Self {
        Self {
            types: parameters.unsigned(GROUP, "TYPE"),
            channels: parameters.unsigned(GROUP, "CHANNEL"),
            channels_per_plate: parameters
                .get(GROUP, "CHANNEL")
                .and_then(|p| p.dims.first().copied())
                .unwrap_or(0),
            origins: parameters.numbers(GROUP, "ORIGIN"),
            corners: parameters.numbers(GROUP, "CORNERS"),
            matrices: parameters.numbers(GROUP, "CAL_MATRIX"),
        }
    }

    fn plate(&self, index: usize, num_channels: usize) -> Result<Plate, String> {
        let kind = match self.types.get(index) {
            Some(2.0) => Kind::SixAxis,
            Some(3.0) => Kind::EightForces,
            Some(4.0) => {
                let values = slice(&self.matrices, index, 36).as_chunks::<6>().0;
                let columns: &[[f64; 6]; 6] = values.try_into().map_err(|_| "CAL_MATRIX has no 6 x 6 values for it")?;
                // The first axis of a parameter runs fastest, so that columns lie together.
                Kind::Calibrated(Box::new(std::array::from_fn(|row| columns.map(|column| column[row]))))
            }
            Some(other) => return Err(format!("type {other} is not computed, 2, 3 and 4 are")),
            None => return Err("it has no TYPE".into()),
        };
        let num_used = if matches!(kind, Kind::EightForces) { 8 } else { 6 };
        let numbers = slice(&self.channels, index, self.channels_per_plate)
            .get(..num_used)
            .unwrap_or_default();
        if numbers.is_empty()
            || numbers
                .iter()
                .any(|&number| !(1.0..=num_channels as f64).contains(&number))
        {
            return Err(format!(
                "CHANNEL is {numbers:?}, expected {num_used} numbers from 1 to {num_channels}"
            ));
        }
        let channels = numbers.iter().map(|&number| number as usize - 1).collect();
        let &[x, y, z] = slice(&self.origins, index, 3) else {
            return Err("it has no ORIGIN".into());
        };
        let origin = match kind {
            _ if z <= 0.0 => [x, y, z],
            Kind::EightForces => [x, y, -z],
            _ => [-x, -y, -z],
        };
        let corners = slice(&self.corners, index, 12).as_chunks::<3>().0;
        let &[first, second, third, fourth] = corners else {
            return Err("it has no CORNERS".into());
        };
        let x = minus(first, second);
        let z = cross(x, minus(first, fourth));
        let axes = [unit(x), unit(cross(z, x)), unit(z)];
        let centre = plus(plus(first, second), plus(third, fourth)).map(|sum| sum / 4.0);
        Ok(Plate {
            kind,
            channels,
            origin,
            axes,
            centre,
        })
    }
}

impl Plate {
    fn signals(&self, number: usize, analog: &[&[f64]], rate_hz: f64, units: [&str; 3]) -> Vec<SignalChannel> {
        let sources: Vec<&[f64]> = self
            .channels
            .iter()
            .filter_map(|&index| analog.get(index).copied())
            .collect();
        let num_samples = sources.first().map_or(0, |values| values.len());
        let mut values: [Vec<f32>; 9] = std::array::from_fn(|_| Vec::with_capacity(num_samples));
        for sample in 0..num_samples {
            let raw: Vec<f64> = sources.iter().map(|values| values[sample]).collect();
            let result = self.sample(&raw).into_iter().flatten();
            values
                .iter_mut()
                .zip(result)
                .for_each(|(channel, value)| channel.push(finite(value)));
        }
        let names = ["Fx", "Fy", "Fz", "Mx", "My", "Mz", "COPx", "COPy", "COPz"];
        let channel = |((index, name), values): ((usize, &str), Vec<f32>)| SignalChannel {
            name: format!("plate{number}.{name}"),
            unit: units[index / 3].to_string(),
            rate_hz,
            values,
        };
        names.into_iter().enumerate().zip(values).map(channel).collect()
    }

    /// Force, moment and centre of pressure in the laboratory.
    fn sample(&self, raw: &[f64]) -> [Vector; 3] {
        let (force, moment) = match (&self.kind, raw) {
            (Kind::SixAxis, &[fx, fy, fz, mx, my, mz]) => ([fx, fy, fz], [mx, my, mz]),
            (Kind::Calibrated(matrix), raw) => {
                let product = matrix.map(|row| row.iter().zip(raw).map(|(factor, value)| factor * value).sum());
                let [fx, fy, fz, mx, my, mz] = product;
                ([fx, fy, fz], [mx, my, mz])
            }
            (Kind::EightForces, &[x12, x34, y14, y23, z1, z2, z3, z4]) => {
                let [a, b, _] = self.origin;
                let mx = b * (z1 + z2 - z3 - z4);
                let my = a * (z2 + z3 - z1 - z4);
                let mz = b * (x34 - x12) + a * (y14 - y23);
                ([x12 + x34, y14 + y23, z1 + z2 + z3 + z4], [mx, my, mz])
            }
            _ => ([f64::NAN; 3], [f64::NAN; 3]),
        };
        let arm = match self.kind {
            Kind::EightForces => [0.0, 0.0, self.origin[2]],
            _ => self.origin,
        };
        let moment = plus(moment, cross(force, arm));
        let centre = [-moment[1] / force[2], moment[0] / force[2], 0.0];
        let centre = if force[2] == 0.0 {
            [f64::NAN; 3]
        } else {
            plus(self.turned(centre), self.centre)
        };
        [self.turned(force), self.turned(moment), centre]
    }

    /// From the plate's axes into the laboratory's.
    fn turned(&self, vector: Vector) -> Vector {
        let [x, y, z] = self.axes;
        std::array::from_fn(|axis| x[axis] * vector[0] + y[axis] * vector[1] + z[axis] * vector[2])
    }
}

/// Values `index * length` to `(index + 1) * length`; empty if there are not so many.
fn slice(values: &[f64], index: usize, length: usize) -> &[f64] {
    let start = index.checked_mul(length);
    start
        .and_then(|start| values.get(start..)?.get(..length))
        .unwrap_or_default()
}

fn plus(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn unit(vector: Vector) -> Vector {
    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
    vector.map(|x| x / norm)
}
