//! The table of an ablation: its numbers, its verdicts, its words.

use recoup::cohort::split::Part;
use recoup::evaluation::{Ablation, EvaluationOptions, Level, Metric, Prediction, Verdict, compare, evaluate};

/// Five folds of twelve subjects; `margin` is how far the logits of a variant speak for the right class.
fn predictions(variants: &[(&str, f32)]) -> Vec<Prediction> {
    let mut rows = Vec::new();
    for &(variant, margin) in variants {
        for subject in 0..60u32 {
            for fold in 0..5u32 {
                let target = subject % 2;
                // A fixed, uneven noise that is the same for all variants: they are paired.
                let noise = ((subject * 7919 + 13) % 101) as f32 / 25.0 - 2.0;
                let logit = margin * (2.0 * target as f32 - 1.0) + noise;
                rows.push(Prediction {
                    variant: variant.into(),
                    repeat: 0,
                    fold,
                    seed: 0,
                    part: if subject % 5 == fold { Part::Test } else { Part::Train },
                    subject: format!("s{subject:02}"),
                    session: "1".into(),
                    window_start_secs: 0.0,
                    target,
                    logits: vec![0.0, logit],
                });
            }
        }
    }
    rows
}

#[test]
fn an_ablation_is_the_comparisons_with_its_base() {
    let rows = predictions(&[("base", 2.0), ("blind", 0.0), ("same", 2.0), ("sharp", 9.0)]);
    let classes = ["no".to_owned(), "yes".to_owned()];
    let evaluation = evaluate(&rows, &classes, &EvaluationOptions::default()).unwrap();
    let of = |metric| {
        Ablation::new(
            &evaluation,
            "base",
            &["sharp", "blind", "same", "gone"],
            metric,
            Level::Subject,
        )
        .unwrap()
    };
    let ablation = of(Metric::Accuracy);
    let names: Vec<&str> = ablation.rows.iter().map(|row| row.comparison.a.as_str()).collect();
    assert_eq!(
        names,
        ["sharp", "blind", "same"],
        "in the order asked for, without those that have no predictions"
    );
    for row in &ablation.rows {
        let (variant, base) = (
            evaluation.variant(&row.comparison.a).unwrap(),
            evaluation.variant("base").unwrap(),
        );
        let alone = compare(variant, base, Metric::Accuracy, Level::Subject, 0.95).unwrap();
        assert_eq!(row.comparison.interval, alone.interval);
        assert_eq!(row.mean, variant.mean[&Level::Subject][&Metric::Accuracy].estimate);
        let (mean, base_mean, delta) = (
            row.mean.unwrap(),
            ablation.base_mean.unwrap(),
            alone.interval.estimate.unwrap(),
        );
        assert!((mean - base_mean - delta).abs() < 1e-12);
    }
    let verdicts = |ablation: &Ablation| ablation.rows.iter().map(|row| row.verdict).collect::<Vec<_>>();
    assert_eq!(verdicts(&ablation)[1..], [Verdict::Worse, Verdict::Inconclusive]);
    // A lower log-loss is better.
    let loss = of(Metric::LogLoss);
    assert!(loss.rows[0].comparison.interval.estimate.unwrap() < 0.0);
    assert_eq!(verdicts(&loss)[0], Verdict::Better);
    assert_eq!(verdicts(&loss)[1], Verdict::Worse);

    let text = ablation.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert!(
        lines[0].starts_with("variant") && lines[0].ends_with("verdict"),
        "{text}"
    );
    assert!(lines[2].starts_with("base "), "{text}");
    assert!(lines[4].starts_with("blind ") && lines[4].ends_with("worse"), "{text}");
    assert!(
        lines[5].starts_with("same ") && lines[5].ends_with("inconclusive"),
        "{text}"
    );
    assert!(
        lines[6].starts_with("Delta: variant minus base, paired over 5 folds") && text.contains("for 3 comparisons"),
        "{text}"
    );
    let markdown = ablation.markdown();
    assert!(markdown.starts_with("| variant | acc | delta |"), "{markdown}");
    assert_eq!(markdown.lines().filter(|line| line.starts_with('|')).count(), 6);
}

#[test]
fn other_windows_of_the_same_subjects_can_be_compared_by_subject_only() {
    let mut rows = predictions(&[("base", 2.0), ("long", 2.0)]);
    let extra: Vec<Prediction> = rows
        .iter()
        .filter(|row| row.variant == "base")
        .map(|row| Prediction {
            window_start_secs: 5.0,
            ..row.clone()
        })
        .collect();
    rows.extend(extra);
    let classes = ["no".to_owned(), "yes".to_owned()];
    let evaluation = evaluate(&rows, &classes, &EvaluationOptions::default()).unwrap();
    let compared = |level| Ablation::new(&evaluation, "base", &["long"], Metric::Accuracy, level);
    assert_eq!(
        compared(Level::Subject).unwrap().rows[0].comparison.interval.estimate,
        Some(0.0)
    );
    let message = compared(Level::Window).unwrap_err().to_string();
    assert!(message.contains("they are scored on 12 and 24 windows"), "{message}");
}
