//! Where there is nothing to find, nothing is found, and the intervals say so as often as they promise.

use burn::tensor::Device;
use recoup::cohort::prepared::Prepared;
use recoup::evaluation::{Evaluation, Interval, Level, Metric};
use recoup::experiment::{ExperimentFile, ExperimentPlan};
use recoup::launch::signals::StopFlag;
use recoup::launch::{LocalOptions, run};
use recoup::runs::RunDirectory;
use recoup::simulate::SimulateConfig;

/// Two rows per patient: cheap enough for a hundred cohorts.
const CHEAP: &str = r#"
name = "chance"
[data]
source = { kind = "simulated", num_subjects = 60, emg_secs = 0.5, force_secs = 0.5 }
[split]
protocol = { kind = "stratified-group-k-fold", folds = 5 }
[model]
embedding_size = 4
[[model.stream]]
name = "clinical"
modality = "clinical"
encoder = { kind = "mlp", hidden_sizes = [4] }
[[model.stream]]
name = "scales"
modality = "scales"
encoder = { kind = "mlp", hidden_sizes = [4] }
[training]
epochs = 4
batch_size = 16
optimizer = { kind = "adamw", learning_rate = 0.01 }
[tracking]
histograms = false
"#;

fn evaluation(assignments: &[String]) -> Evaluation {
    let folder = tempfile::tempdir().unwrap();
    let file = ExperimentFile::parse("chance.toml".as_ref(), CHEAP, assignments).unwrap();
    let recoup::experiment::config::DataSource::Simulated(cohort) = &file.config.data.source else {
        unreachable!()
    };
    let cohort: &SimulateConfig = cohort;
    let prepared = Prepared::build(&cohort.generate(), &folder.path().join("prepared")).unwrap();
    let plan = ExperimentPlan::new(&file, prepared, std::path::Path::new("checkpoints"), &|_, _| {}).unwrap();
    let directory = RunDirectory::create(folder.path(), plan.hash(), std::time::SystemTime::now()).unwrap();
    let options = LocalOptions {
        quiet: true,
        ..LocalOptions::default()
    };
    run(&plan, &Device::flex(), &directory, &options, &StopFlag::default())
        .unwrap()
        .evaluation
}

fn auc(assignments: &[String]) -> Interval {
    let evaluation = evaluation(assignments);
    evaluation.variant("base").unwrap().mean[&Level::Subject][&Metric::AucRoc]
}

#[test]
fn with_no_effect_the_interval_covers_one_half_about_as_often_as_it_says() {
    let covered = (0..100)
        .filter(|seed| {
            let interval = auc(&["data.source.effect=0.0".into(), format!("data.source.seed={seed}")]);
            interval.low.unwrap() <= 0.5 && 0.5 <= interval.high.unwrap()
        })
        .count();
    println!("{covered} of 100 intervals of 95 % cover 0.5");
    // 95 expected of 100, with a standard deviation of 2.2; the interval is a conservative one.
    assert!(
        covered >= 89,
        "{covered} of 100 cohorts without an effect have 0.5 in the interval"
    );
}

#[test]
fn with_an_effect_it_is_found_and_with_permuted_labels_it_is_gone() {
    let found = auc(&["data.source.num_subjects=300".into(), "training.epochs=40".into()]);
    assert!(found.low.unwrap() > 0.5, "{found:?}");
    let estimates: Vec<f64> = (0..10)
        .map(|seed| auc(&[format!("task.permute_labels={seed}")]).estimate.unwrap())
        .collect();
    let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
    // 60 test subjects, 30 of each class: the standard error of an AUC at chance is sqrt(61 / (12 * 30 * 30)) = 0.075 for
    // one deal of the labels, 0.024 for the mean of ten; three of them.
    assert!(
        (mean - 0.5).abs() < 0.072,
        "mean AUC {mean} with permuted labels: {estimates:?}"
    );
}
