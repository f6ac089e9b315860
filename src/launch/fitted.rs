//! `fitted.json`: everything that was fitted on training subjects, once per variant and split.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::experiment::{ExperimentPlan, PlannedReplica, Program};
use crate::features::transforms::Pipeline;
use crate::features::transforms::Scaler;

/// Fits of one variant on one split.
#[derive(Serialize)]
struct Record<'a> {
    variant: String,
    repeat: usize,
    fold: usize,
    inner: Option<usize>,
    streams: BTreeMap<&'a str, StreamRecord<'a>>,
}

#[derive(Serialize)]
struct StreamRecord<'a> {
    /// The transforms of the stream's features, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<&'a Pipeline>,
    /// Scaling that comes last.
    scaler: &'a Scaler,
}

/// Records of all variants and splits; seeds share their fits.
pub(super) fn records(plan: &ExperimentPlan) -> impl Serialize {
    let of_program = |program| move |planned| record(program, planned);
    let first = |planned: &&PlannedReplica| plan.config().seeds.first() == Some(&planned.key().seed);
    let programs = plan.programs().iter();
    programs
        .flat_map(|program| program.replicas().iter().filter(first).map(of_program(program)))
        .collect::<Vec<_>>()
}

fn record<'a>(program: &'a Program, planned: &'a PlannedReplica) -> Record<'a> {
    let fitted = planned.transforms().iter().zip(&planned.replica().scalers);
    let streams = program
        .config()
        .model
        .stream
        .iter()
        .zip(fitted)
        .map(|(stream, (fitted, scaler))| {
            let pipeline = fitted.as_ref().map(|fitted| &fitted.pipeline);
            (stream.name.as_str(), StreamRecord { pipeline, scaler })
        });
    Record {
        variant: planned.variant().into(),
        repeat: planned.key().repeat,
        fold: planned.key().fold,
        inner: planned.key().inner,
        streams: streams.collect(),
    }
}
