//! Comparison of an experiment's variants: tables, figure, records.

use super::error::LaunchError;
use crate::evaluation::{Ablation, Evaluation, EvaluationError};
use crate::experiment::{BASE_VARIANT, ExperimentPlan};
use crate::figures::{self, IntervalRow};
use crate::runs::RunDirectory;
use crate::tracking::RunTracker;

/// Every variant against the base on the test subjects. Inner folds of nested cross-validation have other names, so
/// there the base is absent and nothing is compared.
pub(super) fn ablations(plan: &ExperimentPlan, evaluation: &Evaluation) -> Result<Vec<Ablation>, EvaluationError> {
    let variants: Vec<&str> = plan
        .variants()
        .iter()
        .skip(1)
        .map(|variant| variant.name.as_str())
        .collect();
    Ablation::all(evaluation, BASE_VARIANT, &variants)
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

fn draw(plan: &ExperimentPlan, ablations: &[Ablation]) -> Result<figures::Picture, figures::FigureError> {
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
    let title = format!("{}: change against base, test subjects", plan.config().name);
    figures::intervals(&rows, 0.0, "difference, 95 % interval", &title)
}
