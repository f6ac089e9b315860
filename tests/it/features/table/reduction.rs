//! PCA and LASSO against scikit-learn, orthonormality, the trace and the conditions of optimality.

use ndarray::{Array1, Array2};
use recoup::features::transforms::{Design, FitConfig, Pca, Step, alpha_grid, cross_validation_errors};
use serde_json::Value;

use super::{assert_close, fit_classes, matrix, numbers};

fn row(values: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((1, values.len()), values.to_vec()).unwrap()
}

#[test]
fn components_equal_those_of_scikit_learn_up_to_sign() {
    let golden: Value = serde_json::from_str(include_str!("../../../golden/pca.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let (name, table) = (case["name"].as_str().unwrap(), matrix(&case["table"]));
        let rank = case["rank"].as_u64().unwrap() as usize;
        let pca = Pca::fit(table.view(), 100, None).unwrap();
        assert_eq!((pca.width, pca.components.len()), (table.ncols(), rank), "{name}");
        let (components, scores) = (matrix(&case["components"]), matrix(&case["scores"]));
        let found_scores = pca.transform(&table);
        for k in 0..rank {
            let found = Array1::from_vec(pca.components[k].clone());
            let sign = found.dot(&components.row(k)).signum();
            assert_close(
                &row(&(&found * sign).to_vec()),
                &row(&components.row(k).to_vec()),
                1e-10,
                name,
            );
            let largest = found
                .iter()
                .fold(0.0_f64, |a, &b| if b.abs() > a.abs() { b } else { a });
            assert!(largest > 0.0, "{name}: the sign is fixed");
            let scale = scores.column(k).iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            let (a, b) = (
                found_scores.column(k).to_owned() * sign / scale,
                scores.column(k).to_owned() / scale,
            );
            assert_close(&row(&a.to_vec()), &row(&b.to_vec()), 1e-10, name);
            for other in &pca.components {
                let product = found.dot(&Array1::from_vec(other.clone()));
                let expected = f64::from(u8::from(*other == found.to_vec()));
                assert!((product - expected).abs() < 1e-13, "{name}: orthonormal");
            }
        }
        assert!(
            found_scores
                .columns()
                .into_iter()
                .skip(rank)
                .all(|column| column.iter().all(|&x| x == 0.0)),
            "{name}"
        );
        let variance = numbers(&case["variance"]);
        let relative: Vec<f64> = pca
            .explained_variance
            .iter()
            .zip(&variance)
            .map(|(a, b)| a / b)
            .collect();
        assert_close(&row(&relative), &Array2::ones((1, rank)), 1e-10, name);
        assert_close(
            &row(&pca.explained_variance_ratio),
            &row(&numbers(&case["ratio"])),
            1e-10,
            name,
        );
        let trace: f64 = table.var_axis(ndarray::Axis(0), 1.0).sum();
        assert!(
            (pca.explained_variance.iter().sum::<f64>() / trace - 1.0).abs() < 1e-12,
            "{name}: trace"
        );
        let share = Pca::fit(table.view(), 100, Some(0.8)).unwrap();
        assert_eq!(
            share.components.len() as u64,
            case["num_for_80_percent"].as_u64().unwrap(),
            "{name}"
        );
        assert_eq!(share.width, table.ncols(), "{name}");
        assert_eq!(
            Pca::fit(table.view(), 2, Some(0.999)).unwrap().components.len(),
            2,
            "{name}"
        );
    }
}

#[test]
fn what_has_no_component_is_zero_or_refused() {
    let constant = Array2::from_elem((5, 3), 0.1);
    let pca = Pca::fit(constant.view(), 2, None).unwrap();
    assert_eq!(pca.components.len(), 0);
    assert_eq!(pca.transform(&constant), Array2::<f64>::zeros((5, 2)));
    assert!(
        Pca::fit(Array2::zeros((1, 3)).view(), 2, None)
            .unwrap_err()
            .contains("1 training rows")
    );
    let huge = Array2::from_shape_fn((4, 2), |(row, _)| if row == 0 { 1e300 } else { 0.0 });
    assert!(Pca::fit(huge.view(), 2, None).is_err());
    let missing = Array2::from_shape_fn((4, 2), |(row, _)| if row == 0 { f64::NAN } else { row as f64 });
    assert!(Pca::fit(missing.view(), 2, None).unwrap_err().contains("missing"));
}

/// The worst violation of the conditions, computed from the data and not from moments, as a share of the largest
/// penalty.
fn violation(table: &Array2<f64>, target: &Array1<f64>, b: &Array1<f64>, intercept: f64, alpha: f64) -> f64 {
    let residual = target - &(table.dot(b) + intercept);
    let mean = table.mean_axis(ndarray::Axis(0)).unwrap();
    let gradient = (table - &mean).t().dot(&residual) / target.len() as f64;
    let miss = gradient.iter().zip(b).map(|(g, &b)| match b {
        0.0 => (g.abs() - alpha).max(0.0),
        b => (g - alpha * b.signum()).abs(),
    });
    miss.fold(0.0, f64::max)
}

#[test]
fn lasso_path_and_its_cross_validation_equal_those_of_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../../golden/lasso.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let (name, table) = (case["name"].as_str().unwrap(), matrix(&case["table"]));
        let target = Array1::from_vec(numbers(&case["target"]));
        let design = Design::new(table.view());
        let points = case["path"].as_array().unwrap();
        let alphas: Vec<f64> = points.iter().map(|point| point["alpha"].as_f64().unwrap()).collect();
        let path = design.path(&target, &alphas);
        assert_eq!(path.num_unsettled, 0, "{name}");
        for (index, point) in points.iter().enumerate() {
            let what = format!("{name}, penalty {}", alphas[index]);
            let b = path.coefficients.row(index).to_owned();
            assert_close(&row(&b.to_vec()), &row(&numbers(&point["coefficients"])), 1e-8, &what);
            let expected = point["intercept"].as_f64().unwrap();
            assert_close(&row(&[path.intercepts[index]]), &row(&[expected]), 1e-8, &what);
            let law = target.mean().unwrap() - table.mean_axis(ndarray::Axis(0)).unwrap().dot(&b);
            assert_close(&row(&[path.intercepts[index]]), &row(&[law]), 1e-12, &what);
            let worst = violation(&table, &target, &b, path.intercepts[index], alphas[index]);
            assert!(worst < 1e-10 * alphas[0], "{what}: optimality missed by {worst:e}");
        }
        let grid = alpha_grid(&design, &target, 20);
        assert_close(&row(&grid), &row(&numbers(&case["alphas"])), 1e-12, name);
        let folds: Vec<usize> = numbers(&case["folds"]).into_iter().map(|fold| fold as usize).collect();
        let errors = cross_validation_errors(table.view(), &[target], std::slice::from_ref(&grid), &folds);
        assert_close(&row(&errors[0]), &row(&numbers(&case["errors"])), 1e-8, name);
        let best = errors[0]
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .unwrap()
            .0;
        assert!(
            (grid[best] / case["alpha"].as_f64().unwrap() - 1.0).abs() < 1e-12,
            "{name}"
        );
    }
}

#[test]
fn duplicated_columns_still_meet_the_conditions() {
    let table = Array2::from_shape_fn((30, 6), |(row, column)| {
        ((row * 7 + column % 3 * 11) % 13) as f64 + 50.0
    });
    let target: Array1<f64> = (0..30)
        .map(|row| table[[row, 0]] * 2.0 - table[[row, 1]] + (row % 4) as f64)
        .collect();
    let design = Design::new(table.view());
    let grid = alpha_grid(&design, &target, 30);
    let path = design.path(&target, &grid);
    assert_eq!(path.num_unsettled, 0);
    for ((b, &intercept), &alpha) in path.coefficients.rows().into_iter().zip(&path.intercepts).zip(&grid) {
        assert!(violation(&table, &target, &b.to_owned(), intercept, alpha) < 1e-10 * grid[0]);
    }
}

/// Columns 0 and 3 carry the class, the others are noise.
#[test]
fn the_planted_columns_are_selected_and_the_width_stays() {
    let noise =
        |row: usize, column: usize| (((row * 31 + column * 17 + row * row * 7) % 101) as f64 / 50.0 - 1.0) * 0.3;
    let classes: Vec<usize> = (0..90).map(|row| row / 3 % 3).collect();
    let table = Array2::from_shape_fn((90, 8), |(row, column)| {
        let signal = match (column, classes[row]) {
            (0, 0) | (3, 2) => 2.0,
            _ => 0.0,
        };
        signal + noise(row, column)
    });
    let steps = [
        FitConfig::ImputeMean { indicators: false },
        FitConfig::ZScore {},
        FitConfig::Lasso { alphas: 40, folds: 5 },
    ];
    let (pipeline, out) = fit_classes(&steps, &table, 90, &classes);
    let Step::Lasso { keep, models } = &pipeline.steps()[2] else {
        panic!("the third step is LASSO")
    };
    assert!(keep[0] && keep[3], "{keep:?}");
    assert_eq!(models.iter().map(|model| model.class).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(out.dim(), (90, 8));
    for (column, &keep) in keep.iter().enumerate() {
        assert_eq!(out.column(column).iter().any(|&x| x != 0.0), keep, "column {column}");
    }
    let strongest = models[0].coefficients.iter().map(|b| b.abs()).fold(0.0, f64::max);
    assert_eq!(models[0].coefficients[0], strongest);

    let two: Vec<usize> = classes.iter().map(|&class| class.min(1)).collect();
    let (pipeline, _) = fit_classes(&steps, &table, 90, &two);
    let Step::Lasso { models, .. } = &pipeline.steps()[2] else {
        panic!("the third step is LASSO")
    };
    assert_eq!(models.len(), 1, "two classes need one model");
}
