//! Scaling, imputation and encoding against scikit-learn.

use ndarray::{Array2, concatenate};
use recoup::features::transforms::{FitConfig, KnnWeights};
use serde_json::Value;

use super::{assert_close, fit, matrix, numbers};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../golden/table.json")).unwrap()
}

#[test]
fn scalers_and_imputers_equal_those_of_scikit_learn() {
    let golden = golden();
    let num_train = golden["num_train"].as_u64().unwrap() as usize;
    for case in golden["cases"].as_array().unwrap() {
        let (name, table) = (case["name"].as_str().unwrap(), matrix(&case["table"]));
        let (_, scaled) = fit(&[FitConfig::ZScore {}], &table, num_train);
        assert_close(&scaled, &matrix(&case["z_score"]), 1e-14, name);
        let (_, range) = fit(
            &[FitConfig::Range {
                low: -1.0,
                high: 2.0,
                clip: true,
            }],
            &table,
            num_train,
        );
        assert_close(&range, &matrix(&case["range"]), 1e-14, name);

        let (pipeline, mean) = fit(&[FitConfig::ImputeMean { indicators: true }], &table, num_train);
        let expected = concatenate![ndarray::Axis(1), matrix(&case["mean"]), matrix(&case["indicator"])];
        assert_eq!(mean, expected, "{name}: the mean is exact");
        assert_eq!(pipeline.columns()[5].name, "c0.missing");

        for knn in case["knn"].as_array().unwrap() {
            let weights = match knn["weights"].as_str().unwrap() {
                "uniform" => KnnWeights::Uniform,
                _ => KnnWeights::Distance,
            };
            let neighbors = knn["neighbors"].as_u64().unwrap() as usize;
            let step = FitConfig::ImputeKnn {
                neighbors,
                weights,
                indicators: false,
            };
            let (_, found) = fit(
                &[FitConfig::ZScore {}, step],
                &table.slice(ndarray::s![.., ..4]).to_owned(),
                num_train,
            );
            assert_close(
                &found,
                &matrix(&knn["values"]),
                1e-12,
                &format!("{name}, {neighbors} {weights:?}"),
            );
        }
    }
}

#[test]
fn a_column_without_training_values_becomes_zero_and_is_noted() {
    let case = &golden()["empty"];
    let (table, num_train) = (matrix(&case["table"]), case["num_train"].as_u64().unwrap() as usize);
    let knn = FitConfig::ImputeKnn {
        neighbors: 2,
        weights: KnnWeights::Uniform,
        indicators: false,
    };
    let (pipeline, found) = fit(&[knn], &table, num_train);
    assert_close(&found, &matrix(&case["knn"]), 1e-12, "knn");
    assert_eq!(
        pipeline.notes(),
        ["step 1 (impute-knn): `c1` has no training value; it becomes 0"]
    );
    let (pipeline, found) = fit(&[FitConfig::ImputeMean { indicators: false }], &table, num_train);
    assert!(found.column(1).iter().all(|&x| x == 0.0), "whatever other rows have");
    assert_eq!(
        pipeline.notes(),
        ["step 1 (impute-mean): `c1` has no training value; it becomes 0"]
    );
}

#[test]
fn encoders_equal_those_of_scikit_learn() {
    let case = &golden()["encoders"];
    let (table, known) = (matrix(&case["table"]), numbers(&case["known"]));
    let step = FitConfig::OneHot {
        columns: vec!["c0".into(), "c1".into()],
        categories: known.clone(),
    };
    let (pipeline, found) = fit(&[step], &table, 6);
    let hot = matrix(&case["one_hot"]);
    assert_eq!(found.slice(ndarray::s![.., ..6]), hot);
    assert_eq!(found.column(6), table.column(2));
    assert!(
        hot.rows().into_iter().any(|row| row.sum() < 2.0),
        "a value that is no category is all zeros"
    );
    let names: Vec<_> = pipeline.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["c0=1", "c0=2", "c0=4", "c1=1", "c1=2", "c1=4", "c2"]);

    let ordinal = |categories| FitConfig::Ordinal {
        columns: vec!["c2".into()],
        categories,
    };
    for (categories, key) in [(known, "declared"), (Vec::new(), "found")] {
        let (_, found) = fit(
            &[ordinal(categories)],
            &table,
            case["num_train"].as_u64().unwrap() as usize,
        );
        let expected = matrix(&case[key]);
        let found: Array2<f64> = found.slice(ndarray::s![.., 2..]).to_owned();
        assert_close(&found, &expected, 0.0, key);
        assert!(
            expected.iter().any(|x| x.is_nan()),
            "{key} covers a value that is no category"
        );
    }
}
