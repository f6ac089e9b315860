//! What the variants of an experiment say about it: tables, figure, records.

use super::local::LaunchError;
use crate::evaluation::{ABLATION_METRICS, Ablation, Evaluation, EvaluationError, Level};
use crate::experiment::{BASE_VARIANT, ExperimentPlan};
use crate::runs::RunDirectory;
use crate::tracking::figure::{self, IntervalRow};
use crate::tracking::{RunTracker, TrackingError};

/// Every variant against the base on the test subjects; empty without variants.
pub(super) fn ablations(plan: &ExperimentPlan, evaluation: &Evaluation) -> Result<Vec<Ablation>, EvaluationError> {
    let is_nested = plan.replicas().any(|planned| planned.inner.is_some());
    let variants: Vec<&str> = plan.variants.iter().skip(1).map(|variant| variant.name.as_str()).collect();
    if variants.is_empty() || is_nested {
        return Ok(Vec::new());
    }
    ABLATION_METRICS
        .iter()
        .map(|&metric| Ablation::new(evaluation, BASE_VARIANT, &variants, metric, Level::Subject))
        .collect()
}

/// Writes `ablation.json`, `ablation.md`, a figure of the differences, and both to TensorBoard.
pub(super) fn record(
    plan: &ExperimentPlan,
    ablations: &[Ablation],
    directory: &RunDirectory,
    tracker: &mut RunTracker,
) -> Result<(), LaunchError> {
    if ablations.is_empty() {
        return Ok(());
    }
    crate::runs::write_json(&directory.ablation("json"), &ablations)?;
    let markdown: Vec<String> = ablations.iter().map(Ablation::markdown).collect();
    let markdown = markdown.join("\n");
    crate::runs::write_document(&directory.ablation("md"), markdown.as_bytes())?;
    let picture = draw(plan, ablations)?;
    crate::runs::write_document(&directory.figure("ablation"), &picture.png)?;
    let events = tracker.root_events()?;
    events.text("ablation", &markdown)?;
    events.image_png("ablation", 0, picture.width, picture.height, &picture.png)?;
    Ok(())
}

fn draw(plan: &ExperimentPlan, ablations: &[Ablation]) -> Result<figure::Picture, TrackingError> {
    let rows: Vec<IntervalRow> = ablations
        .iter()
        .flat_map(|ablation| {
            ablation.rows.iter().map(|row| {
                let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
                let interval = &row.comparison.interval;
                IntervalRow {
                    group: ablation.metric.heading().into(),
                    name: row.comparison.a.clone(),
                    mean: number(interval.estimate),
                    low: number(interval.low),
                    high: number(interval.high),
                }
            })
        })
        .collect();
    let title = format!("{}: change against base, test subjects", plan.config.name);
    figure::intervals(&rows, 0.0, "difference, 95 % interval", &title)
}
