//! The fitted pipeline of tables against scikit-learn, and against laws that need no reference.

use ndarray::Array2;
use recoup::cohort::split::{ProtocolConfig, Split, SplitConfig, Splits, SubjectInfo, TrainFold};
use recoup::features::signals::Column;
use recoup::features::transforms::{FitConfig, Pipeline, TrainRows};
use serde_json::Value;

mod golden;
mod laws;
mod reduction;

/// `[rows, columns]`; null is NaN.
fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap();
    let width = rows.first().map_or(0, |row| row.as_array().unwrap().len());
    let values = rows
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|x| x.as_f64().unwrap_or(f64::NAN));
    Array2::from_shape_vec((rows.len(), width), values.collect()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Equal up to `tolerance` of the larger of 1 and the expected value; NaN only where NaN is expected.
fn assert_close(found: &Array2<f64>, expected: &Array2<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    for ((place, found), expected) in found.indexed_iter().zip(expected) {
        let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
        assert!(
            close || (found.is_nan() && expected.is_nan()),
            "{what} at {place:?}: {found:e}, expected {expected:e}"
        );
    }
}

fn columns(count: usize) -> Vec<Column> {
    (0..count)
        .map(|index| Column {
            name: format!("c{index}"),
            unit: "mm".into(),
        })
        .collect()
}

/// A split whose training subjects are `train` of `total`, and the position of each in the cohort. Which subject is
/// where is the split's draw, so rows are given to subjects afterwards.
fn fold_of(train: usize, total: usize) -> (TrainFold, Vec<usize>) {
    // Leave one site out: site `b` is the test part, and validation takes one of the rest.
    let site = |index: usize| Some(if index <= train { "a" } else { "b" }.to_string());
    let subject = |index: usize| SubjectInfo {
        id: format!("s{index:03}"),
        class: index % 2,
        site: site(index),
        group: None,
    };
    let subjects: Vec<SubjectInfo> = (0..total.max(train + 2)).map(subject).collect();
    let config: SplitConfig = SplitConfig {
        protocol: ProtocolConfig::LeaveOneGroupOut {
            group: recoup::cohort::split::Group::Site,
        },
        ..SplitConfig::default()
    };
    let splits = Splits::make(&config, &subjects, "data").unwrap();
    let largest = |split: &&Split| split.train_fold(&subjects).unwrap().indices().len();
    let fold = splits
        .splits()
        .iter()
        .max_by_key(largest)
        .unwrap()
        .train_fold(&subjects)
        .unwrap();
    let others = (0..subjects.len()).filter(|index| !fold.indices().contains(index));
    let order = fold.indices().iter().copied().chain(others).collect();
    (fold, order)
}

/// Fits on the first `num_train` rows, each of one subject, and transforms all of them.
fn fit(config: &[FitConfig], table: &Array2<f64>, num_train: usize) -> (Pipeline, Array2<f64>) {
    let classes: Vec<usize> = (0..table.nrows()).map(|row| row % 2).collect();
    fit_classes(config, table, num_train, &classes)
}

fn fit_classes(
    config: &[FitConfig],
    table: &Array2<f64>,
    num_train: usize,
    classes: &[usize],
) -> (Pipeline, Array2<f64>) {
    let train = train_rows(table, num_train, classes);
    assert_eq!(train.num_rows(), num_train);
    let pipeline = Pipeline::fit(config, &columns(table.ncols()), &train).unwrap();
    let out = pipeline.transform(table.view()).unwrap();
    assert_eq!(out.ncols(), pipeline.columns().len());
    (pipeline, out)
}

/// The first `num_train` rows belong to training subjects, three rows each.
fn train_rows(table: &Array2<f64>, num_train: usize, classes: &[usize]) -> TrainRows {
    let (fold, order) = fold_of(60, 100);
    let num_subjects = num_train.div_ceil(3);
    assert!(num_subjects <= fold.indices().len());
    let strangers = &order[fold.indices().len()..];
    let subject = |row: usize| {
        if row < num_train {
            order[row / 3]
        } else {
            strangers[row % strangers.len()]
        }
    };
    let subjects: Vec<usize> = (0..table.nrows()).map(subject).collect();
    TrainRows::new(&fold, table.view(), &subjects, classes).unwrap()
}
