//! Scales against their forms, visits against pandas, slopes against NumPy.

use std::path::{Path, PathBuf};

use recoup::clinical::{ResponderConfig, Scale, Trajectory, VisitsConfig};
use recoup_formats::delimited::{DelimitedLayout, DelimitedTable};
use serde_json::Value;

fn table(text: &str) -> DelimitedTable {
    DelimitedLayout::default()
        .table(text.as_bytes(), Path::new("visits.csv"))
        .unwrap()
}

fn visits(text: &str) -> VisitsConfig {
    toml::from_str(text).unwrap()
}

fn close(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap_or(f64::NAN);
    let fits = (found - expected).abs() <= tolerance * expected.abs().max(1.0) || (found.is_nan() && expected.is_nan());
    assert!(fits, "{what}: {found}, expected {expected}");
}

#[test]
fn scales_add_up() {
    for scale in Scale::ALL {
        let parts = scale.parts();
        let (least, most) = scale.range();
        if !parts.is_empty() {
            let total = |of: fn(&recoup::clinical::ScalePart) -> f64| parts.iter().map(of).sum::<f64>();
            assert_eq!(
                (total(|part| part.least), total(|part| part.most)),
                (least, most),
                "{scale:?}"
            );
            let all: Vec<_> = parts.iter().map(|part| (part.name, part.most)).collect();
            assert_eq!(scale.total(&all), Ok(most), "{scale:?}");
            assert!(
                scale.total(&all[1..]).is_err() && scale.total(&[&all[..], &all[..1]].concat()).is_err(),
                "{scale:?}"
            );
        }
        assert!(scale.check(least).is_ok() && scale.check(least - 1.0).is_err() && scale.check(f64::NAN).is_err());
        assert_eq!(scale.check(most).is_ok(), most.is_finite(), "{scale:?}");
        assert!(scale.check(most + 1.0).is_err(), "{scale:?}");
        for mcid in scale.mcids() {
            assert!(
                mcid.value > 0.0 && mcid.value < most - least && !mcid.source.is_empty(),
                "{scale:?} {}",
                mcid.name
            );
        }
        let name = serde_json::to_string(&scale).unwrap();
        assert_eq!(serde_json::from_str::<Scale>(&name).unwrap(), scale);
    }
    assert_eq!(Scale::FuglMeyer.range().1, 226.0);
    assert_eq!(Scale::FuglMeyerMotor.range().1, 66.0 + 34.0);
    assert_eq!(Scale::Barthel.check(52.0), Err("0 to 100 in steps of 5".into()));
    assert_eq!(Scale::Walk10M.check(-0.1), Err("a finite number from 0".into()));
}

#[test]
fn visits_and_slopes_equal_those_of_pandas_and_numpy() {
    let golden: Value = serde_json::from_str(include_str!("../golden/clinical.json")).unwrap();
    let rows = golden["rows"].as_array().unwrap().iter().map(|row| {
        let fields = row
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field.as_str().map_or(field.to_string(), String::from));
        fields.collect::<Vec<_>>().join(",")
    });
    let text = format!("who,when,start,what,score\n{}\n", rows.collect::<Vec<_>>().join("\n"));
    let config = visits(
        "patient = \"who\"\ndate = \"when\"\nstart = \"start\"\nitem = \"what\"\nvalue = \"score\"\n\
         [items]\n\"FMA-UE\" = \"fugl-meyer-upper\"",
    );
    let found = config.trajectories(&table(&text), &DelimitedLayout::default()).unwrap();
    let expected = golden["visits"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for expected in expected {
        let patient = expected["patient"].as_str().unwrap();
        let found = found.iter().find(|found| found.patient == patient).unwrap();
        for (week, (score, expected)) in found
            .scores
            .iter()
            .zip(expected["scores"].as_array().unwrap())
            .enumerate()
        {
            close(*score, expected, 0.0, &format!("{patient}, visit {week}"));
        }
        close(found.delta(0.0, 12.0), &expected["delta"], 0.0, patient);
        close(found.slope_per_week(), &expected["slope"], 1e-12, patient);
    }
}

#[test]
fn ties_tolerance_carrying_forward_and_follow_up() {
    let text = "patient,week,item,value\na,1,BI,20\na,3,BI,40\na,10.9,BI,60\na,11.1,BI,65\nb,0,other,7\na,17.3,BI,90\n\
        a,9,BI,\n";
    let config = visits("week = \"week\"\nweeks = [0, 2, 4, 6, 8, 10, 12]\nmonths = [1, 2]\n[items]\nBI = \"barthel\"");
    let layout = DelimitedLayout::default();
    let found = config.trajectories(&table(text), &layout).unwrap();
    assert_eq!(found.len(), 1, "items without a scale are left out");
    assert_eq!(found[0].weeks.len(), 9);
    assert!((found[0].weeks[7] - (12.0 + 30.4375 / 7.0)).abs() < 1e-12);
    let nan = f64::NAN;
    let expected = [20.0, 20.0, 40.0, nan, nan, 60.0, 65.0, 90.0, nan];
    let same = |found: &[f64], expected: &[f64]| {
        found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
    };
    assert!(same(&found[0].scores, &expected), "{:?}", found[0].scores);
    let carried = VisitsConfig {
        carry_forward: true,
        ..config.clone()
    };
    let found = carried.trajectories(&table(text), &layout).unwrap();
    assert!(same(
        &found[0].scores,
        &[20.0, 20.0, 40.0, 40.0, 40.0, 60.0, 65.0, 90.0, 90.0]
    ));
    // Without a start, a patient's first date is week 0 of all items.
    let dated = visits("date = \"week\"\nweeks = [0, 1]\n[items]\nBI = \"barthel\"\nmRS = \"modified-rankin\"");
    let text =
        "patient,week,item,value\na,2021-12-27,BI,20\na,2022-01-03,mRS,4\nb,2021-12-20,mRS,\nb,2021-12-28,mRS,3\n";
    let found = dated.trajectories(&table(text), &layout).unwrap();
    assert!(same(&found[1].scores, &[4.0, 4.0]) && found[1].item == "mRS");
    assert!(same(&found[2].scores, &[nan, 3.0]), "a visit without score is a visit");
    let strict = VisitsConfig {
        tolerance_days: 6.0,
        ..dated
    };
    assert!(same(
        &strict.trajectories(&table(text), &layout).unwrap()[1].scores,
        &[nan, 4.0]
    ));
}

#[test]
fn wrong_scores_name_patient_visit_item_value_and_range() {
    let config = visits("week = \"week\"\n[items]\nBI = \"barthel\"");
    let read = |row: &str| {
        let text = format!("patient,week,item,value\na,0,BI,20\n{row}\n");
        config
            .trajectories(&table(&text), &DelimitedLayout::default())
            .unwrap_err()
            .to_string()
    };
    for (row, expected) in [
        (
            "p7,4,BI,105",
            "visits.csv: line 3: patient `p7`, visit `4`, item `BI`: found 105, expected 0 to 100 in steps of 5",
        ),
        ("p7,4,BI,x", "found `x`, expected a number"),
        ("p7,soon,BI,10", "found time `soon`, expected a number of weeks"),
        ("a,0,BI,25", "found 25, expected one score at a time, not 20 as well"),
    ] {
        assert!(read(row).contains(expected), "{}", read(row));
    }
    for (text, expected) in [
        (
            "date = \"d\"\nweek = \"w\"\n[items]\nBI = \"barthel\"",
            "one of `date` and `week`",
        ),
        (
            "week = \"w\"\nstart = \"s\"\n[items]\nBI = \"barthel\"",
            "goes with `date`",
        ),
        ("week = \"w\"\n[items]", "`items` is empty"),
        (
            "week = \"w\"\nweeks = [2, 0]\n[items]\nBI = \"barthel\"",
            "expected to ascend",
        ),
        (
            "week = \"w\"\ntolerance_days = -1\n[items]\nBI = \"barthel\"",
            "`tolerance_days` is -1",
        ),
    ] {
        assert!(visits(text).check().unwrap_err().contains(expected), "{text}");
    }
}

fn trajectory(scale: Scale, from: f64, to: f64) -> Trajectory {
    Trajectory {
        patient: "a".into(),
        item: "x".into(),
        scale,
        weeks: vec![0.0, 12.0],
        scores: vec![from, to],
    }
}

#[test]
fn a_change_of_exactly_the_mcid_counts() {
    let config = |mcid: &str| toml::from_str::<ResponderConfig>(&format!("item = \"x\"\nmcid = {mcid}")).unwrap();
    let label = |mcid: &str, trajectory: &Trajectory| config(mcid).label(trajectory);
    let arm = |to| trajectory(Scale::FuglMeyerUpper, 20.0, to);
    assert_eq!(label("\"arya-2011-high\"", &arm(30.0)), Ok(Some(true)));
    assert_eq!(label("\"arya-2011-high\"", &arm(29.0)), Ok(Some(false)));
    assert_eq!(label("9.5", &arm(f64::NAN)), Ok(None));
    // 0.62 - 0.51 is a little less than 0.11 in binary fractions.
    assert_eq!(
        label("\"year-1\"", &trajectory(Scale::Eq5dIndex, 0.51, 0.62)),
        Ok(Some(true))
    );
    assert_eq!(
        label("1", &trajectory(Scale::ModifiedRankin, 4.0, 3.0)),
        Ok(Some(true)),
        "lower is better"
    );
    assert_eq!(
        label("1", &trajectory(Scale::ModifiedRankin, 3.0, 4.0)),
        Ok(Some(false))
    );
    assert!(
        label("\"hsieh-2007\"", &arm(30.0))
            .unwrap_err()
            .contains("arya-2011-low, arya-2011-high")
    );
    assert!(
        label("0", &arm(30.0))
            .unwrap_err()
            .contains("expected a positive number")
    );
}

/// The public tables of the samples folder, where it is there.
#[test]
fn public_clinical_tables_are_read() {
    let Some(folder) = std::env::var_os("RECOUP_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: RECOUP_TEST_DATA is not set");
        return;
    };
    let folder = folder.join("clinical_tabular");
    let read = |name: &str, layout: &str| {
        let layout: DelimitedLayout = toml::from_str(layout).unwrap();
        layout
            .table(&std::fs::read(folder.join(name)).unwrap(), Path::new(name))
            .unwrap()
    };
    let heart = read("processed.cleveland.data", "missing = [\"?\"]");
    assert_eq!((heart.num_rows(), heart.columns.len()), (303, 14));
    assert_eq!(
        heart
            .rows()
            .flat_map(|row| row.fields())
            .filter(|field| *field == "?")
            .count(),
        6
    );
    let cancer = read("sklearn_breast_cancer.csv", "header = false\nskip_lines = 1");
    assert_eq!((cancer.num_rows(), cancer.columns.len()), (569, 31));
    let voice = read("parkinsons_updrs.data", "");
    assert_eq!((voice.num_rows(), voice.columns.len()), (5875, 22));
    let numbers = voice
        .rows()
        .flat_map(|row| row.fields())
        .all(|field| field.parse::<f64>().is_ok());
    assert!(numbers, "every field is a number");
}
