//! No test row is seen, the width is fixed, what is stored is what was fitted, and problems are named before fitting.

use ndarray::Array2;
use recoup::features::transforms::{FitConfig, KnnWeights, Pipeline, TrainRows, problems};

use super::{columns, fit_classes, fold_of, train_rows};

fn everything() -> Vec<FitConfig> {
    let text = r#"
        [[steps]]
        kind = "one-hot"
        columns = ["c4"]
        categories = [0, 1, 2]
        [[steps]]
        kind = "ordinal"
        columns = ["c5"]
        [[steps]]
        kind = "z-score"
        [[steps]]
        kind = "impute-knn"
        neighbors = 3
        weights = "distance"
        indicators = true
        [[steps]]
        kind = "impute-mean"
        [[steps]]
        kind = "range"
        clip = true
        [[steps]]
        kind = "lasso"
        alphas = 10
        folds = 3
        [[steps]]
        kind = "pca"
        components = 6
        variance = 0.9
    "#;
    #[derive(serde::Deserialize)]
    struct Steps {
        steps: Vec<FitConfig>,
    }
    toml::from_str::<Steps>(text).unwrap().steps
}

fn table() -> Array2<f64> {
    Array2::from_shape_fn((60, 6), |(row, column)| match (column, (row * 13 + column * 7) % 11) {
        (4, draw) => (draw % 3) as f64,
        (5, draw) => (draw % 4) as f64 * 10.0,
        (_, 0) => f64::NAN,
        (_, draw) => draw as f64 + (row * (column + 2) % 7) as f64 * 0.37,
    })
}

fn classes() -> Vec<usize> {
    (0..60).map(|row| row / 3 % 2).collect()
}

#[test]
fn other_test_rows_change_nothing_that_is_fitted() {
    let (table, classes) = (table(), classes());
    let (pipeline, out) = fit_classes(&everything(), &table, 42, &classes);
    let mut other = table.clone();
    other.slice_mut(ndarray::s![42.., ..]).mapv_inplace(|x| 1e6 - 3.0 * x);
    let swapped: Vec<usize> = classes
        .iter()
        .enumerate()
        .map(|(row, &class)| if row < 42 { class } else { 1 - class })
        .collect();
    let (again, again_out) = fit_classes(&everything(), &other, 42, &swapped);
    assert_eq!(pipeline, again);
    assert_eq!(out.slice(ndarray::s![..42, ..]), again_out.slice(ndarray::s![..42, ..]));
    // And a training row does change it.
    other[[1, 0]] += 1.0;
    assert_ne!(pipeline, fit_classes(&everything(), &other, 42, &swapped).0);
}

#[test]
fn rows_are_transformed_one_by_one_and_have_no_missing_value() {
    let (table, classes) = (table(), classes());
    let (pipeline, out) = fit_classes(&everything(), &table, 42, &classes);
    assert!(out.iter().all(|x| x.is_finite()));
    assert_eq!(out.ncols(), 6);
    for row in [0, 41, 59] {
        let alone = pipeline.transform(table.slice(ndarray::s![row..=row, ..])).unwrap();
        assert_eq!(alone.row(0), out.row(row));
    }
    let missing = Array2::from_elem((1, 6), f64::INFINITY);
    assert!(
        pipeline
            .transform(missing.view())
            .unwrap()
            .iter()
            .all(|x| x.is_finite()),
        "nothing is known of this row"
    );
    assert!(
        pipeline
            .transform(Array2::zeros((1, 5)).view())
            .unwrap_err()
            .contains("5 values, expected 6 columns")
    );
}

#[test]
fn the_width_is_the_same_whatever_the_training_rows_are() {
    let (table, classes) = (table(), classes());
    let widths: Vec<usize> = [9, 21, 60]
        .iter()
        .map(|&num_train| fit_classes(&everything(), &table, num_train, &classes).1.ncols())
        .collect();
    assert_eq!(widths, [6, 6, 6]);
}

#[test]
fn a_stored_pipeline_does_the_same_bit_for_bit() {
    let (table, classes) = (table(), classes());
    let (pipeline, out) = fit_classes(&everything(), &table, 42, &classes);
    let text = serde_json::to_string(&pipeline).unwrap();
    let stored: Pipeline = serde_json::from_str(&text).unwrap();
    assert_eq!(stored, pipeline);
    assert_eq!(stored.transform(table.view()).unwrap(), out);
    let broken = text.replacen("\"keep\":[", "\"keep\":[false,false,true,", 1);
    assert!(
        serde_json::from_str::<Pipeline>(&broken)
            .unwrap()
            .transform(table.view())
            .is_ok()
    );
    let steps = toml::to_string(&Steps { steps: everything() }).unwrap();
    assert_eq!(toml::from_str::<Steps>(&steps).unwrap().steps, everything());
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Steps {
    steps: Vec<FitConfig>,
}

#[test]
fn unknown_keys_and_impossible_steps_are_named() {
    for text in [
        "kind = \"z-score\"\nmean = 1",
        "kind = \"pca\"",
        "kind = \"impute-knn\"\nneighbours = 3",
        "kind = \"PCA\"",
    ] {
        assert!(toml::from_str::<FitConfig>(text).is_err(), "{text}");
    }
    let knn = |neighbors| FitConfig::ImputeKnn {
        neighbors,
        weights: KnnWeights::Uniform,
        indicators: false,
    };
    let impute = FitConfig::ImputeMean { indicators: true };
    let hot = |column: &str, categories: &[f64]| FitConfig::OneHot {
        columns: vec![column.into()],
        categories: categories.to_vec(),
    };
    let pca = |components, variance| FitConfig::Pca { components, variance };
    let ordinal = FitConfig::Ordinal {
        columns: vec!["c1".into()],
        categories: vec![1.0, 1.0],
    };
    let wrong = [
        (
            vec![knn(0)],
            "step 1 (impute-knn): `neighbors` is 0, expected at least 1",
        ),
        (
            vec![hot("sex", &[0.0])],
            "step 1 (one-hot): no column `sex`, expected one of c0, c1, c2",
        ),
        (
            vec![hot("c0", &[])],
            "step 1 (one-hot): `categories` is empty, expected the values of the columns",
        ),
        (
            vec![ordinal],
            "step 1 (ordinal): `categories` has 1 twice or as no finite number",
        ),
        (
            vec![pca(2, None)],
            "step 1 (pca): values may be missing here, expected an `impute-...` step before",
        ),
        (
            vec![impute.clone(), pca(0, None)],
            "step 2 (pca): `components` is 0, expected at least 1",
        ),
        (
            vec![impute.clone(), pca(1, Some(1.5))],
            "step 2 (pca): `variance` is 1.5, expected a share in (0, 1]",
        ),
        (
            vec![impute.clone(), impute.clone()],
            "step 2 (impute-mean): column `c0.missing` twice, expected different names",
        ),
        (
            vec![impute.clone(), FitConfig::Lasso { alphas: 10, folds: 1 }],
            "step 2 (lasso): `folds` is 1, expected at least 2",
        ),
        (
            vec![FitConfig::Range {
                low: 1.0,
                high: 0.0,
                clip: false,
            }],
            "step 1 (range): `low` is 1 and `high` 0, expected finite numbers in this order",
        ),
    ];
    for (config, expected) in wrong {
        assert_eq!(problems(&config, &columns(3)), [expected]);
    }
    assert!(problems(&[impute, pca(2, Some(0.9))], &columns(3)).is_empty());
}

#[test]
fn training_rows_come_from_the_fold_only() {
    let (fold, order) = fold_of(10, 20);
    let stranger = order[order.len() - 1];
    let values = Array2::from_shape_vec((3, 1), vec![1.0, 2.0, 3.0]).unwrap();
    let rows = |subjects: &[usize], classes: &[usize]| TrainRows::new(&fold, values.view(), subjects, classes);
    assert_eq!(rows(&[order[0], stranger, order[0]], &[0, 0, 0]).unwrap().num_rows(), 2);
    assert!(rows(&[stranger; 3], &[0; 3]).unwrap_err().contains("none of 3 rows"));
    assert!(
        rows(&[order[0]; 2], &[0; 3])
            .unwrap_err()
            .contains("3 rows with 2 subjects")
    );
    assert!(rows(&[999; 3], &[0; 3]).unwrap_err().contains("a row of subject 999"));
    let one_class = train_rows(&table(), 42, &[0; 60]);
    let steps = [
        FitConfig::ImputeMean { indicators: false },
        FitConfig::Lasso { alphas: 10, folds: 3 },
    ];
    assert!(
        Pipeline::fit(&steps, &columns(6), &one_class)
            .unwrap_err()
            .contains("one class")
    );
    assert!(
        Pipeline::fit(&steps, &columns(5), &one_class)
            .unwrap_err()
            .contains("expected 5 columns")
    );
}
