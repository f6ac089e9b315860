//! The parameter section: named arrays in named groups.

use std::collections::BTreeMap;

use super::bytes::Order;
use crate::text::decode;

/// All parameters of a file, in its order.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<Parameter>);

/// One parameter.
#[derive(Debug)]
pub(super) struct Parameter {
    group: String,
    name: String,
    /// Lengths of the axes, the fastest first; of a text without the axis of its letters.
    pub(super) dims: Vec<usize>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Texts(Vec<String>),
    Bytes(Vec<u8>),
    Words(Vec<i16>),
    Floats(Vec<f32>),
}

/// A fault of a section: byte in it, what was found, what was expected.
pub(super) type Problem = (usize, String, &'static str);

impl Parameters {
    /// Reads a section, its four first bytes included. Each record has the length of its name (negative: locked), the number of
    /// its group (negative: it defines the group), the name, the distance to the next record, and for a parameter its
    /// type, axes and values. No record may reach into the next one.
    pub(super) fn parse(section: &[u8], order: Order) -> Result<Self, Problem> {
        let mut groups = BTreeMap::new();
        let mut records = Vec::new();
        let mut at = 4;
        while let Some(&[length, id, ref rest @ ..]) = section.get(at..).filter(|rest| rest.first() != Some(&0)) {
            let length = usize::from((length as i8).unsigned_abs());
            let cut = || {
                (
                    at,
                    "a record that is cut off".to_string(),
                    "a name and the distance to the next record",
                )
            };
            let (name, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
            let (&distance, body) = rest.split_first_chunk().ok_or_else(cut)?;
            // The distance counts from its own place; 0 marks the last record.
            let distance = order.word(distance) as u16;
            let fits = |distance: u16| usize::from(distance) <= body.len() + 2;
            // Software that turned files round forgot the distance of a record that it had moved to the end.
            let turned = !fits(distance) && fits(distance.swap_bytes());
            let distance = usize::from(if turned { distance.swap_bytes() } else { distance });
            let body = match distance {
                0 => body,
                1 => {
                    return Err((
                        at,
                        "a record that ends before it begins".into(),
                        "a distance of at least 2",
                    ));
                }
                _ => body.get(..distance - 2).ok_or_else(|| {
                    let found = format!(
                        "a record of {distance} bytes after its name, {} are left",
                        body.len() + 2
                    );
                    (at, found, "records inside the parameter section")
                })?,
            };
            let name = text(name).to_uppercase();
            if (id as i8) < 0 {
                groups.insert((id as i8).unsigned_abs(), name);
            } else {
                let (dims, values) = values(body, order).map_err(|found| (at, format!("{name}: {found}"), LAYOUT))?;
                records.push((id, name, dims, values));
            }
            if distance == 0 {
                break;
            }
            at += 2 + length + distance;
        }
        let parameter = |(id, name, dims, values): (u8, _, _, _)| {
            let group = groups.get(&id).cloned().unwrap_or_else(|| format!("GROUP {id}"));
            Parameter {
                group,
                name,
                dims,
                values,
            }
        };
        Ok(Self(records.into_iter().map(parameter).collect()))
    }

    /// The parameter `group:name`.
    pub(super) fn get(&self, group: &str, name: &str) -> Option<&Parameter> {
        self.0
            .iter()
            .find(|parameter| parameter.group == group && parameter.name == name)
    }

    /// The parameter and its continuations `name2`, `name3`, ..., as more than 255 entries need several.
    fn continued(&self, group: &str, name: &str) -> impl Iterator<Item = &Parameter> {
        let more = (2..=300).map_while(move |number| self.get(group, &format!("{name}{number}")));
        self.get(group, name).into_iter().chain(more)
    }

    /// Texts with their continuations; empty if there are none.
    pub(super) fn texts(&self, group: &str, name: &str) -> Vec<String> {
        let texts = |parameter: &Parameter| match &parameter.values {
            Values::Texts(texts) => texts.clone(),
            _ => Vec::new(),
        };
        self.continued(group, name).flat_map(texts).collect()
    }

    /// Numbers with their continuations; words are signed.
    pub(super) fn numbers(&self, group: &str, name: &str) -> Vec<f64> {
        self.continued(group, name)
            .flat_map(|parameter| parameter.numbers(false))
            .collect()
    }

    /// As [`Parameters::numbers`] with unsigned words.
    pub(super) fn unsigned(&self, group: &str, name: &str) -> Vec<f64> {
        self.continued(group, name)
            .flat_map(|parameter| parameter.numbers(true))
            .collect()
    }

    /// The first value as a number of things; words are unsigned.
    pub(super) fn count(&self, group: &str, name: &str) -> Option<usize> {
        let value = *self.get(group, name)?.numbers(true).first()?;
        (value >= 0.0 && value.fract() == 0.0 && value < 1e15).then_some(value as usize)
    }

    /// Names and values of all parameters; of long ones the beginning.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let fact = |parameter: &Parameter| {
            let shown = match &parameter.values {
                Values::Texts(texts) => shorten(texts.iter().map(String::as_str), texts.len(), ", "),
                Values::Bytes(values) => shorten(values.iter(), values.len(), " "),
                Values::Words(values) => shorten(values.iter(), values.len(), " "),
                Values::Floats(values) => shorten(values.iter(), values.len(), " "),
            };
            (format!("{}:{}", parameter.group, parameter.name), shown)
        };
        self.0.iter().map(fact).collect()
    }
}

impl Parameter {
    fn numbers(&self, unsigned: bool) -> Vec<f64> {
        match &self.values {
            Values::Texts(_) => Vec::new(),
            Values::Bytes(values) => values.iter().map(|&value| value.into()).collect(),
            Values::Words(values) if unsigned => values.iter().map(|&value| f64::from(value as u16)).collect(),
            Values::Words(values) => values.iter().map(|&value| value.into()).collect(),
            Values::Floats(values) => values.iter().map(|&value| value.into()).collect(),
        }
    }
}

const LAYOUT: &str = "a type (-1, 1, 2 or 4), the axes, and as many values as they say";

/// Axes and values of a parameter.
fn values(body: &[u8], order: Order) -> Result<(Vec<usize>, Values), String> {
    let Some((&[kind, num_axes], rest)) = body.split_first_chunk() else {
        return Err("no type".into());
    };
    let Some((axes, rest)) = rest.split_at_checked(num_axes.into()) else {
        return Err(format!("{num_axes} axes in {} bytes", rest.len()));
    };
    let mut dims: Vec<usize> = axes.iter().map(|&axis| axis.into()).collect();
    let size = match kind as i8 {
        -1 | 1 => 1,
        2 => 2,
        4 => 4,
        other => return Err(format!("type {other}")),
    };
    let num_bytes = dims
        .iter()
        .try_fold(size, |product: usize, &axis| product.checked_mul(axis));
    let Some(data) = num_bytes.and_then(|num_bytes| rest.get(..num_bytes)) else {
        return Err(format!("axes {dims:?} in {} bytes", rest.len()));
    };
    let values = match kind as i8 {
        -1 if dims.is_empty() => Values::Texts(vec![text(data)]),
        -1 => match dims.remove(0) {
            0 => Values::Texts(Vec::new()),
            width => Values::Texts(data.chunks_exact(width).map(text).collect()),
        },
        1 => Values::Bytes(data.to_vec()),
        2 => Values::Words(data.as_chunks().0.iter().map(|&word| order.word(word)).collect()),
        _ => Values::Floats(data.as_chunks().0.iter().map(|&float| order.float(float)).collect()),
    };
    Ok((dims, values))
}

/// Bytes as a name: UTF-8, or else windows-1252, without blanks and zeros around it.
pub(super) fn text(bytes: &[u8]) -> String {
    decode(bytes)
        .trim_matches(|letter: char| letter.is_whitespace() || letter == '\0')
        .to_string()
}

fn shorten(values: impl Iterator<Item = impl ToString>, count: usize, separator: &str) -> String {
    const MAX_SHOWN: usize = 12;
    let shown: Vec<String> = values.take(MAX_SHOWN).map(|value| value.to_string()).collect();
    let rest = if count > MAX_SHOWN {
        format!(" ... ({count} values)")
    } else {
        String::new()
    };
    shown.join(separator) + &rest
}
