//! Records for the HPARAMS page: the hyperparameters of each run, how it ended, and the columns of the table.
//!
//! Source: tensorboard/plugins/hparams/{api,plugin_data,hparams_util}.proto. The table needs at least one hyperparameter
//! and one metric; a metric shows the last value of its scalar.

use super::super::TrackingError;
use super::super::protobuf::Message;

/// Value of one hyperparameter.
#[derive(Debug, Clone, PartialEq)]
pub enum HparamValue {
    /// Any number; integers become f64.
    Number(f64),
    /// A name, such as an enum variant.
    Text(String),
    /// A switch.
    Bool(bool),
}

impl From<f64> for HparamValue {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for HparamValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<bool> for HparamValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// How a run ended, as TensorBoard knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// It did all it was asked to do.
    Success,
    /// It failed and will not be tried again.
    Failure,
}

/// The table of the HPARAMS page.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentSummary {
    /// Name of the experiment.
    pub name: String,
    /// Question, in markdown.
    pub description: String,
    /// The hyperparameters of every variant. Names, kinds, ranges and which of them differ are derived from these.
    pub variants: Vec<Vec<(String, HparamValue)>>,
    /// The metric columns.
    pub metrics: Vec<MetricInfo>,
}

/// One metric column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricInfo {
    /// Tag of the scalar.
    pub tag: String,
    /// Directory of the run that logs it, relative to the run with the hyperparameters; empty for that run itself.
    pub group: String,
    /// Heading; the tag if empty.
    pub display_name: String,
    /// The part of the data it was computed on.
    pub dataset: DatasetRole,
}

/// The part of the data that a metric was computed on, as far as TensorBoard distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetRole {
    /// Anything else, such as the test set.
    Other,
    /// The training set.
    Train,
    /// The validation set.
    Valid,
}

/// `HParamsPluginData` holding one of its three payloads. TensorBoard reads version 0 only.
fn plugin_data(payload_field: u32, payload: &Message) -> Message {
    Message::new().varint(1, 0).message(payload_field, payload)
}

pub(super) fn session_start(hparams: &[(String, HparamValue)], group_name: &str, start_time_secs: f64) -> Message {
    let entries = hparams
        .iter()
        .map(|(name, value)| Message::new().bytes(1, name).message(2, &any_value(value)));
    plugin_data(
        3,
        &Message::new()
            .repeated(1, entries)
            .bytes(4, group_name)
            .double(5, start_time_secs),
    )
}

pub(super) fn session_end(status: SessionStatus, end_time_secs: f64) -> Message {
    let status = match status {
        SessionStatus::Success => 1,
        SessionStatus::Failure => 2,
    };
    plugin_data(4, &Message::new().varint(1, status).double(2, end_time_secs))
}

pub(super) fn experiment(experiment: &ExperimentSummary, created_secs: f64) -> Result<Message, TrackingError> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in experiment.variants.iter().flatten() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() || experiment.metrics.is_empty() {
        return Err(TrackingError::invalid(
            format!(
                "experiment \"{}\" has {} hyperparameters and {} metrics to compare",
                experiment.name,
                names.len(),
                experiment.metrics.len()
            ),
            "TensorBoard shows an empty HPARAMS page unless there is at least one of each",
        ));
    }
    let columns: Vec<Message> = names
        .into_iter()
        .map(|name| hparam_info(name, &experiment.variants))
        .collect::<Result<_, _>>()?;
    let summary = Message::new()
        .bytes(1, &experiment.description)
        .double(3, created_secs)
        .repeated(4, columns)
        .repeated(5, experiment.metrics.iter().map(metric_info))
        .bytes(6, &experiment.name);
    Ok(plugin_data(2, &summary))
}

/// `HParamInfo`: kind, values and whether they differ. The server does not work out `differs` itself.
fn hparam_info(name: &str, variants: &[Vec<(String, HparamValue)>]) -> Result<Message, TrackingError> {
    let find = |variant: &'_ [(String, HparamValue)]| {
        variant
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let values: Vec<Option<HparamValue>> = variants.iter().map(|variant| find(variant)).collect();
    let differs = values.windows(2).any(|pair| pair[0] != pair[1]);
    let mut present: Vec<HparamValue> = Vec::new();
    for value in values.into_iter().flatten() {
        if !present.contains(&value) {
            present.push(value);
        }
    }
    if present.windows(2).any(|pair| kind(&pair[0]) != kind(&pair[1])) {
        return Err(TrackingError::invalid(
            format!("hyperparameter \"{name}\" is of different kinds in different variants: {present:?}"),
            "leave an absent value out instead of writing \"none\"; TensorBoard would turn the whole column into text",
        ));
    }
    let info = Message::new()
        .bytes(1, name)
        .varint(4, present.first().map_or(0, kind))
        .varint(7, u64::from(differs));
    Ok(match number_range(&present) {
        Some((low, high)) => info.message(6, &Message::new().double(1, low).double(2, high)),
        None => info.message(5, &Message::new().repeated(1, present.iter().map(any_value))),
    })
}

/// Smallest and largest, if the values are numbers.
fn number_range(values: &[HparamValue]) -> Option<(f64, f64)> {
    values
        .iter()
        .try_fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| match value {
            HparamValue::Number(number) => Some((low.min(*number), high.max(*number))),
            _ => None,
        })
}

/// `DataType`.
fn kind(value: &HparamValue) -> u64 {
    match value {
        HparamValue::Text(_) => 1,
        HparamValue::Bool(_) => 2,
        HparamValue::Number(_) => 3,
    }
}

/// `google.protobuf.Value`.
fn any_value(value: &HparamValue) -> Message {
    match value {
        HparamValue::Number(number) => Message::new().double(2, *number),
        HparamValue::Text(text) => Message::new().bytes(3, text),
        HparamValue::Bool(switch) => Message::new().varint(4, u64::from(*switch)),
    }
}

fn metric_info(metric: &MetricInfo) -> Message {
    let name = Message::new().bytes(1, &metric.group).bytes(2, &metric.tag);
    let dataset = match metric.dataset {
        DatasetRole::Other => 0,
        DatasetRole::Train => 1,
        DatasetRole::Valid => 2,
    };
    Message::new()
        .message(1, &name)
        .bytes(3, &metric.display_name)
        .varint(5, dataset)
}
