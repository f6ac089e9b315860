//! Tables of an evaluation, as plain text of at most 100 columns and as Markdown.

use std::collections::BTreeMap;

use super::evaluate::{Evaluation, Level, VariantEvaluation};
use super::intervals::{Interval, Method};
use super::metrics::Metric;

/// Metrics per block of a plain text table: 25 columns of labels and counts, and 9 per metric, stay below 100.
const METRICS_PER_BLOCK: usize = 8;

/// One row per (repeat, fold, seed), then the mean and its interval; one block per variant and eight metrics.
///
/// `-` stands for a value that is undefined or that the level was not evaluated for.
pub fn table(evaluation: &Evaluation, level: Level, metrics: &[Metric]) -> String {
    let blocks = evaluation.variants.iter().flat_map(|variant| {
        metrics.chunks(METRICS_PER_BLOCK).map(move |metrics| {
            let body = plain(&grid(variant, level, metrics));
            format!(
                "{} | {}\n{body}{}\n",
                variant.variant,
                level_title(level),
                footnote(variant, level, metrics)
            )
        })
    });
    blocks.collect::<Vec<_>>().join("\n")
}

/// The same rows as [`table`], all metrics side by side, as GitHub-flavoured Markdown.
pub fn markdown(evaluation: &Evaluation, level: Level, metrics: &[Metric]) -> String {
    let blocks = evaluation.variants.iter().map(|variant| {
        let rows = grid(variant, level, metrics);
        let rule = format!("|:---|{}\n", "---:|".repeat(metrics.len() + 1));
        let lines = rows
            .iter()
            .map(|row| format!("| {} |\n", row.join(" | ").replace("  ", " ")));
        let mut lines: Vec<String> = lines.collect();
        lines.insert(1.min(lines.len()), rule);
        format!(
            "**{}**, {}\n\n{}\n{}\n",
            variant.variant.replace('|', "\\|"),
            level_title(level),
            lines.concat(),
            footnote(variant, level, metrics)
        )
    });
    blocks.collect::<Vec<_>>().join("\n")
}

fn level_title(level: Level) -> &'static str {
    match level {
        Level::Window => "every window counts once",
        Level::Subject => "every subject counts once",
    }
}

/// Heading, one row per model, mean, low, high. First column the label, second the number of items.
fn grid(variant: &VariantEvaluation, level: Level, metrics: &[Metric]) -> Vec<Vec<String>> {
    let mut heading = vec!["fold".to_owned(), "items".to_owned()];
    heading.extend(metrics.iter().map(|metric| metric.heading().to_owned()));
    let mut rows = vec![heading];
    for fold in &variant.folds {
        let items = if level == Level::Window {
            fold.num_windows
        } else {
            fold.subjects.len()
        };
        let mut row = vec![
            format!("r{} f{} s{}", fold.repeat, fold.fold, fold.seed),
            items.to_string(),
        ];
        row.extend(
            metrics
                .iter()
                .map(|&metric| cell(fold.metrics.get(&level).and_then(|set| set.get(metric)))),
        );
        rows.push(row);
    }
    let intervals: Vec<Option<&Interval>> = metrics
        .iter()
        .map(|metric| variant.mean.get(&level)?.get(metric))
        .collect();
    let coverage = intervals.iter().flatten().next().map_or(0.0, |interval| interval.level);
    type Value = fn(&Interval) -> Option<f64>;
    let summary: [(String, Value); 3] = [
        ("mean".to_owned(), |interval| interval.estimate),
        (format!("low {} %", 100.0 * coverage), |interval| interval.low),
        (format!("high {} %", 100.0 * coverage), |interval| interval.high),
    ];
    for (label, value) in summary {
        let mut row = vec![label, String::new()];
        row.extend(intervals.iter().map(|interval| cell(interval.and_then(value))));
        rows.push(row);
    }
    rows
}

fn cell(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

/// Columns aligned, first to the left and the others to the right, a rule below the heading and above the summary.
fn plain(rows: &[Vec<String>]) -> String {
    let num_columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|text| text.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..num_columns).map(|column| width(column).unwrap_or(0)).collect();
    let rule = "-".repeat(widths.iter().map(|width| width + 1).sum::<usize>().saturating_sub(1));
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index == 1 || index + 3 == rows.len() {
            text.push_str(&rule);
            text.push('\n');
        }
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (text, &width))| match column {
                0 => format!("{text:<width$}"),
                _ => format!("{text:>width$}"),
            });
        text.push_str(cells.collect::<Vec<_>>().join(" ").trim_end());
        text.push('\n');
    }
    text
}

/// How the interval was made, and which metrics rest on fewer folds than there are.
fn footnote(variant: &VariantEvaluation, level: Level, metrics: &[Metric]) -> String {
    let mean = variant.mean.get(&level);
    let intervals: BTreeMap<Metric, &Interval> = metrics
        .iter()
        .filter_map(|metric| Some((*metric, mean?.get(metric)?)))
        .collect();
    let Some(most) = intervals.values().max_by_key(|interval| interval.num_items) else {
        return "Not evaluated at this level.".to_owned();
    };
    let mut text = match (most.method, variant.test_to_train) {
        (Method::CorrectedT, _) if most.num_items < 2 => "One fold and one seed: no interval.".to_owned(),
        (Method::CorrectedT, Some(ratio)) => format!(
            "Corrected t interval over {} folds, n_test/n_train = {ratio:.3}; seeds averaged within a fold.",
            most.num_items
        ),
        (Method::CorrectedT, None) => "No interval: the number of subjects trained on is not known.".to_owned(),
        _ => format!("t interval over {} seeds of one fold.", most.num_items),
    };
    for (metric, interval) in intervals
        .iter()
        .filter(|(_, interval)| interval.num_items < most.num_items)
    {
        text.push_str(&format!(
            "\n{}: defined in {} of {}.",
            metric.heading(),
            interval.num_items,
            most.num_items
        ));
    }
    text
}
