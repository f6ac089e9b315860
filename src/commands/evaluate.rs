use recoup::cohort::split::Part;
use recoup::evaluation::{
    Ablation, Evaluation, EvaluationOptions, Level, Metric, VariantEvaluation, compare, evaluate, table,
};
use recoup::experiment::BASE_VARIANT;
use recoup::launch::local::headline_metrics;
use recoup::runs::{RunDirectory, predictions};

use super::Usage;
use crate::cli::EvaluateArgs;

/// Derives metrics from stored predictions; nothing is trained or predicted.
pub fn run(args: EvaluateArgs) -> super::Result<()> {
    let part = args.part;
    let evaluation = evaluate_run(&RunDirectory::open(&args.run)?, part)?;
    let metrics = headline_metrics(evaluation.classes.len());
    if let Some(other) = &args.against {
        let other = evaluate_run(&RunDirectory::open(other)?, part)?;
        return print_comparison(&evaluation, &other, &metrics, args.json.json);
    }
    if args.json.json {
        return super::print_json(&evaluation);
    }
    super::print(&format!(
        "{}{part} subjects\n{}\n{part} windows\n{}",
        ablations(&evaluation)?,
        table(&evaluation, Level::Subject, &metrics),
        table(&evaluation, Level::Window, &metrics)
    ))
}

/// The variants of a run against its base; empty for a run without.
fn ablations(evaluation: &Evaluation) -> super::Result<String> {
    let names = evaluation.variants.iter().map(|variant| variant.variant.as_str());
    let variants: Vec<&str> = names.filter(|name| *name != BASE_VARIANT).collect();
    let ablations = Ablation::all(evaluation, BASE_VARIANT, &variants)?;
    Ok(ablations.iter().map(|ablation| format!("{ablation}\n")).collect())
}

/// Evaluation that stands for a run in a comparison with another: its base, or its only variant.
fn representative(evaluation: &Evaluation) -> Option<&VariantEvaluation> {
    evaluation.variant(BASE_VARIANT).or(evaluation.variants.first())
}

fn evaluate_run(run: &RunDirectory, part: Part) -> super::Result<Evaluation> {
    let stored = predictions::read(&run.predictions())?;
    let options = EvaluationOptions {
        part,
        ..EvaluationOptions::default()
    };
    Ok(evaluate(&stored.rows, &stored.classes, &options)?)
}

fn print_comparison(a: &Evaluation, b: &Evaluation, metrics: &[Metric], json: bool) -> super::Result<()> {
    let (Some(a), Some(b)) = (representative(a), representative(b)) else {
        return Err(Usage("a run without predictions cannot be compared".into()).into());
    };
    let mut comparisons = Vec::new();
    for &metric in metrics {
        comparisons.push(compare(a, b, metric, Level::Subject, 0.95)?);
    }
    if json {
        return super::print_json(&comparisons);
    }
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:+.3}"));
    let mut text = format!(
        "{:<22} {:>10} {:>10} {:>10} {:>8}\n",
        "test subjects", "difference", "low 95 %", "high 95 %", "p"
    );
    for comparison in &comparisons {
        let interval = &comparison.interval;
        text.push_str(&format!(
            "{:<22} {:>10} {:>10} {:>10} {:>8}\n",
            comparison.metric.name(),
            number(interval.estimate),
            number(interval.low),
            number(interval.high),
            comparison.p.map_or("-".into(), |p| format!("{p:.3}"))
        ));
    }
    super::print(&text)
}
