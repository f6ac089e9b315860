//! `--set key=value` on any key of an experiment.
//!
//! `key` is dotted; an element of an array of tables is named by its `name` or its position:
//! `model.stream.force.encoder.hidden_size`, `model.stream.0.channels`. The value is TOML, and a word that is no TOML is a
//! string: `training.optimizer.learning_rate=1e-3`, `seeds=[0, 1]`, `training.schedule.kind=constant`.

use toml::{Table, Value};

use super::ExperimentError;

/// Most parts of a key: tables are set, merged and dropped one within the other.
const MAX_PARTS: usize = 64;

/// Sets one key. Tables on the way are made where the experiment has none; the typed parse that follows refuses keys
/// that no experiment has.
pub fn apply(document: &mut Table, assignment: &str) -> Result<(), ExperimentError> {
    let fail = |problem: String| ExperimentError::Override {
        assignment: assignment.into(),
        problem,
    };
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| fail("expected key=value, e.g. --set training.epochs=20".into()))?;
    set_key(document, key.trim(), parse_value(value.trim())).map_err(fail)
}

/// Puts `value` at a dotted key.
///
/// # Errors
/// Reason why the key cannot be set.
pub(super) fn set_key(document: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err("a part of the key is empty".into());
    }
    if parts.len() > MAX_PARTS {
        return Err(format!(
            "the key has {} parts, at most {MAX_PARTS} are expected",
            parts.len()
        ));
    }
    let mut root = Value::Table(std::mem::take(document));
    let done = set(&mut root, &parts, value);
    if let Value::Table(table) = root {
        *document = table;
    }
    done
}

fn set(place: &mut Value, parts: &[&str], new: Value) -> Result<(), String> {
    let Some((part, rest)) = parts.split_first() else {
        *place = new;
        return Ok(());
    };
    match place {
        Value::Table(table) => {
            let next = table.entry(*part).or_insert_with(|| Value::Table(Table::new()));
            set(next, rest, new)
        }
        Value::Array(array) => match position(array.iter().map(name_of), part) {
            Some(at) => set(&mut array[at], rest, new),
            None => Err(format!("this list has no {part:?}; it has {}", names(array))),
        },
        value => Err(format!("{part:?} cannot be set in the value {value}")),
    }
}

fn parse_value(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok();
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.into()))
}

fn name_of(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// Where `part` points in a list, by the elements' `name` or by position.
pub(super) fn position<'a>(names: impl Iterator<Item = Option<&'a str>>, part: &str) -> Option<usize> {
    let names: Vec<_> = names.collect();
    let named = names.iter().position(|name| *name == Some(part));
    named.or_else(|| part.parse().ok().filter(|&at: &usize| at < names.len()))
}

fn names(array: &[Value]) -> String {
    let names: Vec<&str> = array.iter().filter_map(name_of).collect();
    if names.is_empty() {
        format!("elements 0 to {}", array.len().saturating_sub(1))
    } else {
        names.join(", ")
    }
}
