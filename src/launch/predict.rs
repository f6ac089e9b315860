//! From trained weights to rows of `predictions.parquet`.

use std::collections::BTreeMap;

use super::local::{LocalOptions, variant};
use crate::data::split::Part;
use crate::evaluation::Prediction;
use crate::experiment::ExperimentPlan;
use crate::models::matrix;
use crate::training::checkpoint::ReplicaState;
use crate::training::step::{Group, Predicted};
use crate::training::{DeviceData, Replica};

/// Predictions of each finished replica's best weights on its three parts.
pub(super) fn predict(
    plan: &ExperimentPlan,
    data: &DeviceData,
    finished: &BTreeMap<String, ReplicaState>,
    options: &LocalOptions,
) -> BTreeMap<usize, [Predicted; 3]> {
    let group_size = options.group_size(plan);
    let done: Vec<usize> =
        (0..plan.replicas.len()).filter(|&at| finished.contains_key(&plan.replicas[at].replica.name)).collect();
    let mut predicted = BTreeMap::new();
    for chunk in done.chunks(group_size) {
        let replicas: Vec<&Replica> = chunk.iter().map(|&at| &plan.replicas[at].replica).collect();
        let group = Group::new(&plan.model, data, replicas.clone(), plan.config.training.precision);
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
        let [train, valid, test] =
            parts.map(|windows| group.predict(&weights, &buffers, &windows, plan.config.training.batch_size));
        for (((&at, train), valid), test) in chunk.iter().zip(train).zip(valid).zip(test) {
            predicted.insert(at, [train, valid, test]);
        }
    }
    predicted
}

/// Rows of `predictions.parquet`; a replica with any logit that is not finite is left out.
pub(super) fn prediction_rows(plan: &ExperimentPlan, predicted: &BTreeMap<usize, [Predicted; 3]>) -> Vec<Prediction> {
    let mut rows = Vec::new();
    for (&at, parts) in predicted {
        if parts.iter().any(|part| part.logits.iter().any(|logit| !logit.is_finite())) {
            continue;
        }
        let planned = &plan.replicas[at];
        let replica = &planned.replica;
        let windows = [replica.train.concat(), replica.valid.clone(), replica.test.clone()];
        for ((part, windows), predicted) in Part::ALL.into_iter().zip(windows).zip(parts) {
            for (&window, logits) in windows.iter().zip(predicted.logits.chunks_exact(plan.classes.len())) {
                let window = &plan.windows[window as usize];
                let subject = &plan.prepared.subjects()[window.subject as usize];
                rows.push(Prediction {
                    variant: variant(planned.inner),
                    repeat: planned.repeat as u32,
                    fold: planned.fold as u32,
                    seed: planned.seed,
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
    rows
}
