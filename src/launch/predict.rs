//! From trained weights to rows of `predictions.parquet`.

use std::collections::BTreeMap;

use super::loaded::Loaded;
use crate::cohort::split::Part;
use crate::evaluation::Prediction;
use crate::experiment::{ExperimentPlan, PlannedReplica, Program};
use crate::models::matrix;
use crate::training::Replica;
use crate::training::step::{Group, Predicted};

/// Predictions of each finished replica's best weights on its three parts, by the replica's index.
pub(super) fn predict(loaded: &Loaded) -> BTreeMap<usize, [Predicted; 3]> {
    let Loaded {
        program,
        group_size,
        data,
        finished,
        ..
    } = loaded;
    let config = &program.config().training;
    let done: Vec<&PlannedReplica> = program
        .replicas()
        .iter()
        .filter(|planned| finished.contains_key(&planned.replica().name))
        .collect();
    let mut predicted = BTreeMap::new();
    for chunk in done.chunks(*group_size) {
        let replicas: Vec<&Replica> = chunk.iter().map(|planned| planned.replica()).collect();
        let group = Group::new(program.model(), data, replicas.clone(), config);
        let rows = |what: &str| {
            let row = |replica: &&Replica| finished[&replica.name].tensors.get(what).cloned().unwrap_or_default();
            matrix(replicas.iter().flat_map(row).collect(), replicas.len(), data.device())
        };
        let (weights, buffers) = (rows("best_weights"), rows("best_buffers"));
        let train: Vec<Vec<u32>> = replicas.iter().map(|replica| replica.train.concat()).collect();
        let parts: [Vec<&[u32]>; 3] = [
            train.iter().map(Vec::as_slice).collect(),
            replicas.iter().map(|replica| &replica.valid[..]).collect(),
            replicas.iter().map(|replica| &replica.test[..]).collect(),
        ];
        let [train, valid, test] = parts.map(|windows| group.predict(&weights, &buffers, &windows, config.batch_size));
        for (((planned, train), valid), test) in chunk.iter().zip(train).zip(valid).zip(test) {
            predicted.insert(planned.index(), [train, valid, test]);
        }
    }
    predicted
}

/// Rows of `predictions.parquet`; a replica with any logit that is not finite is left out.
pub(super) fn prediction_rows(plan: &ExperimentPlan, predicted: &BTreeMap<usize, [Predicted; 3]>) -> Vec<Prediction> {
    let mut rows = Vec::new();
    for program in plan.programs() {
        for planned in program.replicas() {
            let Some(parts) = predicted.get(&planned.index()) else {
                continue;
            };
            if parts
                .iter()
                .any(|part| part.logits.iter().any(|logit| !logit.is_finite()))
            {
                continue;
            }
            add_rows(plan, program, planned, parts, &mut rows);
        }
    }
    rows
}

fn add_rows(
    plan: &ExperimentPlan,
    program: &Program,
    planned: &PlannedReplica,
    parts: &[Predicted; 3],
    rows: &mut Vec<Prediction>,
) {
    let replica = planned.replica();
    let windows = [replica.train.concat(), replica.valid.clone(), replica.test.clone()];
    for ((part, windows), predicted) in Part::ALL.into_iter().zip(windows).zip(parts) {
        for (&window, logits) in windows.iter().zip(predicted.logits.chunks_exact(plan.classes().len())) {
            let window = &program.windows()[window as usize];
            let subject = &plan.prepared().subjects()[window.subject as usize];
            rows.push(Prediction {
                variant: planned.record_variant(),
                repeat: planned.key().repeat as u32,
                fold: planned.key().fold as u32,
                seed: planned.key().seed,
                part,
                subject: subject.id.clone(),
                session: subject.sessions[window.session as usize].id.clone(),
                window_start_secs: window.start_secs,
                target: window.class,
                logits: logits.to_vec(),
            });
        }
    }
}
