//! Splits: against scikit-learn and a second implementation, their invariants, the frozen file and its errors.

use std::{collections::BTreeSet, fs, path::Path};

use recoup::cohort::split::{
    Group, InnerConfig, Part, ProtocolConfig, SplitConfig, SplitError, Splits, SubjectInfo, majority_class,
};
use serde::Deserialize;

mod groups;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    cohort: String,
    subjects: Vec<SubjectInfo>,
    sklearn_counts: Vec<Vec<usize>>,
    documents: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    config: SplitConfig,
    hash: String,
    test: Vec<Vec<String>>,
    valid: Vec<Vec<String>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/split.json")).unwrap()
}

fn subject(id: &str, class: usize, site: Option<&str>) -> SubjectInfo {
    SubjectInfo {
        id: id.into(),
        class,
        site: site.map(Into::into),
        group: None,
    }
}

/// The class sizes of the gait cohort, with three sites.
fn gait() -> Vec<SubjectInfo> {
    let groups = [("control", 16), ("hunt", 20), ("park", 15), ("als", 13)];
    let numbered = groups.iter().enumerate().flat_map(|(class, &(name, size))| {
        (1..=size).map(move |i| subject(&format!("{name}{i}"), class, Some(["north", "south", "west"][i % 3])))
    });
    numbered.collect()
}

/// Fisher-Yates over a linear congruential generator.
fn shuffled(mut subjects: Vec<SubjectInfo>) -> Vec<SubjectInfo> {
    let mut state = 1_u64;
    for i in (1..subjects.len()).rev() {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        subjects.swap(i, (state >> 33) as usize % (i + 1));
    }
    subjects
}

fn k_fold(folds: usize, repeats: usize, inner: InnerConfig) -> SplitConfig {
    SplitConfig {
        protocol: ProtocolConfig::StratifiedGroupKFold { folds, repeats },
        inner,
        seed: 7,
    }
}

fn class_counts(subjects: &[SubjectInfo], ids: &[String]) -> Vec<usize> {
    let mut counts = vec![0; 4];
    subjects
        .iter()
        .filter(|info| ids.contains(&info.id))
        .for_each(|info| counts[info.class] += 1);
    counts
}

fn spread(counts: impl Iterator<Item = usize> + Clone) -> usize {
    counts.clone().max().unwrap() - counts.min().unwrap()
}

fn error(config: &SplitConfig, subjects: &[SubjectInfo]) -> String {
    Splits::make(config, subjects, "d").unwrap_err().to_string()
}

#[test]
fn equals_the_second_implementation() {
    for case in golden().cases {
        for document in &case.documents {
            let splits = Splits::make(&document.config, &shuffled(case.subjects.clone()), "0123abcd").unwrap();
            let part = |part| {
                splits
                    .splits()
                    .iter()
                    .map(|split| split.ids(part).to_vec())
                    .collect::<Vec<_>>()
            };
            assert_eq!(part(Part::Test), document.test, "{}", case.cohort);
            assert_eq!(part(Part::Valid), document.valid, "{}", case.cohort);
            assert_eq!(splits.hash(), document.hash, "{}", case.cohort);
        }
    }
}

#[test]
fn folds_are_as_balanced_as_those_of_scikit_learn() {
    for case in golden().cases {
        let splits = Splits::make(&k_fold(5, 3, InnerConfig::None {}), &case.subjects, "d").unwrap();
        let worst = |counts: &[Vec<usize>]| {
            (0..counts[0].len())
                .map(|class| spread(counts.iter().map(move |fold| fold[class])))
                .max()
                .unwrap()
        };
        for repeat in splits.splits().chunks(5) {
            let counts: Vec<_> = repeat
                .iter()
                .map(|s| class_counts(&case.subjects, s.ids(Part::Test)))
                .collect();
            assert!(worst(&counts) <= 1, "{}: {counts:?}", case.cohort);
            assert!(
                worst(&counts) <= worst(&case.sklearn_counts),
                "{}: {counts:?}",
                case.cohort
            );
            assert!(spread(repeat.iter().map(|split| split.ids(Part::Test).len())) <= 1);
        }
    }
    let splits = Splits::make(&k_fold(5, 1, InnerConfig::None {}), &gait(), "d").unwrap();
    let sizes: Vec<_> = splits
        .splits()
        .iter()
        .map(|split| split.ids(Part::Test).len())
        .collect();
    assert_eq!(sizes, [13, 13, 13, 13, 12]);
}

#[test]
fn every_protocol_divides_the_cohort() {
    let protocols = [
        ProtocolConfig::default(),
        ProtocolConfig::LeaveOneGroupOut { group: Group::Subject },
        ProtocolConfig::LeaveOneGroupOut { group: Group::Site },
        ProtocolConfig::HoldOut {
            test_fraction: 0.3,
            repeats: 4,
        },
    ];
    let inners = [
        InnerConfig::default(),
        InnerConfig::Folds { folds: 4, use_fold: 2 },
        InnerConfig::Nested { folds: 3 },
        InnerConfig::None {},
    ];
    let subjects = gait();
    let all: BTreeSet<_> = subjects.iter().map(|info| &info.id).collect();
    for protocol in &protocols {
        for inner in &inners {
            let config = SplitConfig {
                protocol: protocol.clone(),
                inner: inner.clone(),
                seed: 3,
            };
            let splits = Splits::make(&config, &subjects, "d").unwrap();
            for split in splits.splits() {
                let parts = Part::ALL.map(|part| split.ids(part));
                assert_eq!(parts.iter().map(|ids| ids.len()).sum::<usize>(), all.len());
                assert_eq!(parts.iter().flat_map(|ids| ids.iter()).collect::<BTreeSet<_>>(), all);
                assert!(!split.ids(Part::Train).is_empty() && !split.ids(Part::Test).is_empty());
                assert_eq!(split.ids(Part::Valid).is_empty(), *inner == InnerConfig::None {});
                assert!(parts.iter().all(|ids| ids.is_sorted()));
            }
            let outer = match protocol {
                ProtocolConfig::StratifiedGroupKFold { .. } => 5,
                ProtocolConfig::LeaveOneGroupOut { group: Group::Subject } => 64,
                ProtocolConfig::LeaveOneGroupOut {
                    group: Group::Site | Group::Group,
                } => 3,
                ProtocolConfig::HoldOut { .. } => 4,
            };
            let per_fold = if *inner == (InnerConfig::Nested { folds: 3 }) {
                3
            } else {
                1
            };
            assert_eq!(splits.splits().len(), outer * per_fold);
        }
    }
}

#[test]
fn sites_stay_together() {
    let config = SplitConfig {
        protocol: ProtocolConfig::LeaveOneGroupOut { group: Group::Site },
        ..Default::default()
    };
    let subjects = gait();
    for (split, site) in Splits::make(&config, &subjects, "d")
        .unwrap()
        .splits()
        .iter()
        .zip(["north", "south", "west"])
    {
        let expected = subjects
            .iter()
            .filter(|info| info.site.as_deref() == Some(site))
            .map(|info| &info.id);
        assert_eq!(
            split.ids(Part::Test).iter().collect::<BTreeSet<_>>(),
            expected.collect()
        );
    }
}

#[test]
fn nested_folds_validate_every_training_subject_once() {
    let splits = Splits::make(&k_fold(5, 1, InnerConfig::Nested { folds: 3 }), &gait(), "d").unwrap();
    for outer in splits.splits().chunks(3) {
        assert_eq!(
            outer.iter().map(|split| split.inner()).collect::<Vec<_>>(),
            [Some(0), Some(1), Some(2)]
        );
        assert!(
            outer
                .iter()
                .all(|split| split.ids(Part::Test) == outer[0].ids(Part::Test))
        );
        let mut valid: Vec<_> = outer.iter().flat_map(|split| split.ids(Part::Valid)).cloned().collect();
        valid.sort();
        let refit = outer[1].refit();
        assert_eq!(valid, refit.ids(Part::Train));
        assert_eq!((refit.ids(Part::Valid).len(), refit.inner()), (0, None));
        assert_eq!(refit.ids(Part::Test), outer[1].ids(Part::Test));
    }
    let third = Splits::make(
        &k_fold(5, 1, InnerConfig::Folds { folds: 3, use_fold: 2 }),
        &gait(),
        "d",
    )
    .unwrap();
    assert!(
        third
            .splits()
            .iter()
            .zip(splits.splits().iter().skip(2).step_by(3))
            .all(|(one, of)| one == of)
    );
}

#[test]
fn draws_depend_on_seed_and_repeat_and_on_nothing_else() {
    let config = k_fold(5, 2, InnerConfig::default());
    let splits = Splits::make(&config, &gait(), "d").unwrap();
    assert_eq!(splits, Splits::make(&config, &shuffled(gait()), "d").unwrap());
    let tests = |splits: &Splits| {
        splits
            .splits()
            .iter()
            .map(|s| s.ids(Part::Test).to_vec())
            .collect::<Vec<_>>()
    };
    assert_ne!(tests(&splits)[..5], tests(&splits)[5..]);
    let other = Splits::make(
        &SplitConfig {
            seed: 8,
            ..config.clone()
        },
        &gait(),
        "d",
    )
    .unwrap();
    assert_ne!(tests(&splits), tests(&other));
    // The outer draw does not know of the inner one.
    let inner = Splits::make(
        &SplitConfig {
            inner: InnerConfig::None {},
            ..config
        },
        &gait(),
        "d",
    )
    .unwrap();
    assert_eq!(tests(&splits), tests(&inner));
}

#[test]
fn every_subject_is_as_likely_to_be_tested() {
    let config = |seed| SplitConfig {
        protocol: ProtocolConfig::HoldOut {
            test_fraction: 0.25,
            repeats: 400,
        },
        inner: InnerConfig::None {},
        seed,
    };
    let subjects: Vec<_> = (0..40).map(|i| subject(&format!("s{i}"), i % 2, None)).collect();
    let splits = Splits::make(&config(1), &subjects, "d").unwrap();
    for info in &subjects {
        let tested = splits
            .splits()
            .iter()
            .filter(|split| split.part_of(&info.id) == Some(Part::Test))
            .count();
        // Binomial(400, 1/4): mean 100, standard deviation 8.7; four of them for forty subjects.
        assert!((65..=135).contains(&tested), "{} tested {tested} times", info.id);
    }
}

#[test]
fn positions_follow_the_callers_list() {
    let subjects = shuffled(gait());
    let splits = Splits::make(&SplitConfig::default(), &subjects, "d").unwrap();
    let split = &splits.splits()[1];
    let fold = split.train_fold(&subjects).unwrap();
    let names: Vec<_> = fold.indices().iter().map(|&i| subjects[i].id.clone()).collect();
    assert_eq!((names.as_slice(), fold.num_subjects()), (split.ids(Part::Train), 64));
    assert!(
        split
            .positions(Part::Test, &subjects)
            .unwrap()
            .iter()
            .all(|i| !fold.indices().contains(i))
    );
    let missing = &split.ids(Part::Train)[0];
    let fewer: Vec<_> = subjects.into_iter().filter(|info| info.id != *missing).collect();
    assert_eq!(
        split.train_fold(&fewer).unwrap_err().to_string(),
        format!(
            "split repeat 0 fold 1: train subject {missing} is not in the list of subjects; was the split made for \
             another cohort?"
        )
    );
}

#[test]
fn majority_takes_the_smallest_of_equals() {
    assert_eq!(majority_class(&[]), None);
    assert_eq!(majority_class(&[2, 0, 2]), Some(2));
    assert_eq!(majority_class(&[3, 1, 1, 3, 0]), Some(1));
}

#[test]
fn settings_are_read_from_toml() {
    let read = |text: &str| toml::from_str::<SplitConfig>(text).map_err(|error| error.to_string());
    assert_eq!(read("").unwrap(), SplitConfig::default());
    let config = read(
        "seed = 3\nprotocol = { kind = \"leave-one-group-out\", group = \"site\" }\n\
         inner = { kind = \"folds\", folds = 3, use = 1 }",
    );
    let protocol = ProtocolConfig::LeaveOneGroupOut { group: Group::Site };
    assert_eq!(
        config.unwrap(),
        SplitConfig {
            protocol,
            inner: InnerConfig::Folds { folds: 3, use_fold: 1 },
            seed: 3
        }
    );
    for (text, part) in [
        (
            "protocol = { kind = \"stratified-group-k-fold\", fold = 5 }",
            "unknown field `fold`",
        ),
        ("inner = { kind = \"none\", folds = 5 }", "unknown field `folds`"),
        ("sed = 1", "unknown field `sed`"),
        ("protocol = { kind = \"k-fold\" }", "unknown variant `k-fold`"),
    ] {
        let message = read(text).unwrap_err();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn impossible_requests_say_why() {
    let make = |protocol, inner| SplitConfig {
        protocol,
        inner,
        seed: 0,
    };
    let folds = |folds| ProtocolConfig::StratifiedGroupKFold { folds, repeats: 1 };
    let none = InnerConfig::None {};
    let few: Vec<_> = (0..12)
        .map(|i| subject(&format!("s{i:02}"), usize::from(i < 3), None))
        .collect();
    let hint = "ask for fewer folds, merge or drop the class";
    assert_eq!(
        error(&make(folds(5), none.clone()), &few),
        format!("split: class 1 has 3 of the 5 subjects that it needs (s00, s01, s02) in the cohort; {hint}")
    );
    let message = error(&make(folds(3), InnerConfig::Folds { folds: 4, use_fold: 0 }), &few);
    let expected = "in the subjects not tested in repeat 0 (inner/0); ask for fewer folds";
    assert!(
        message.starts_with("split: class 1 has 2 of the 4 subjects"),
        "{message}"
    );
    assert!(message.contains(expected), "{message}");
    assert_eq!(
        error(&make(folds(1), none.clone()), &few),
        "split: protocol.folds = 1: expected at least 2"
    );
    assert_eq!(
        error(
            &make(
                ProtocolConfig::HoldOut {
                    test_fraction: 1.0,
                    repeats: 1
                },
                none.clone()
            ),
            &few
        ),
        "split: protocol.test_fraction = 1: expected a share between 0 and 1, both excluded"
    );
    assert_eq!(
        error(&make(folds(2), InnerConfig::Folds { folds: 4, use_fold: 4 }), &few),
        "split: inner.use = 4: expected a fold from 0 to 3"
    );
    let nan = ProtocolConfig::HoldOut {
        test_fraction: f64::NAN,
        repeats: 1,
    };
    assert!(error(&make(nan, none.clone()), &few).starts_with("split: protocol.test_fraction = NaN: expected"));
    let by_site = make(ProtocolConfig::LeaveOneGroupOut { group: Group::Site }, none.clone());
    assert_eq!(
        error(&by_site, &few),
        "split: subject s00 has no site; leave-one-group-out by site needs one for every subject"
    );
    assert_eq!(
        error(&by_site, &[subject("a", 0, Some("x")), subject("b", 1, Some("x"))]),
        "split: leave-one-group-out needs two groups at least, and x is the only one"
    );
    let config = make(folds(2), none);
    assert_eq!(
        error(&config, &[]),
        "split: the cohort has no subjects; check the filters of the cohort"
    );
    assert_eq!(
        error(&config, &[subject("", 0, None)]),
        "split: a subject has an empty id; every subject needs its own"
    );
    assert_eq!(
        error(
            &config,
            &[subject("b", 0, None), subject("a", 0, None), subject("b", 1, None)]
        ),
        "split: subject b is listed twice; merge the entries, their sessions belong to one subject"
    );
}

fn frozen(folder: &Path) -> (std::path::PathBuf, Splits) {
    let splits = Splits::make(&k_fold(5, 1, InnerConfig::default()), &gait(), "d1").unwrap();
    let path = folder.join("split.json");
    splits.freeze(&path).unwrap();
    (path, splits)
}

#[test]
fn frozen_splits_come_back_and_are_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, splits) = frozen(folder.path());
    assert_eq!(Splits::load(&path, &shuffled(gait()), "d1").unwrap(), splits);
    let bytes = fs::read(&path).unwrap();
    splits.freeze(&path).unwrap();
    let other = Splits::make(&SplitConfig::default(), &gait(), "d1").unwrap();
    assert_eq!(
        other.freeze(&path).unwrap_err().to_string(),
        format!(
            "{}: holds other splits (hash {}, new {}) and is never replaced; start a new run",
            path.display(),
            splits.hash(),
            other.hash()
        )
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
    let lost = folder.path().join("no/split.json");
    assert!(matches!(splits.freeze(&lost), Err(SplitError::File(_))));
}

#[test]
fn frozen_files_are_readable_by_the_group() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&frozen(folder.path()).0), mode(&plain));
    }
}

#[test]
fn another_cohort_is_refused_by_its_first_subject() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = frozen(folder.path());
    let load = |subjects: &[SubjectInfo], hash| Splits::load(&path, subjects, hash).unwrap_err().to_string();
    let changed = |change: &dyn Fn(&mut Vec<SubjectInfo>)| {
        let mut subjects = gait();
        change(&mut subjects);
        load(&subjects, "d1")
    };
    let message = |what: &str| {
        format!(
            "{}: made for another cohort: subject {what}; start a new run",
            path.display()
        )
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<SubjectInfo>);
    let cases: [(Change<'_>, &str); 6] = [
        (
            &|s| s.retain(|info| info.id != "hunt3"),
            "hunt3 is in the splits but not in the cohort",
        ),
        (
            &|s| s.retain(|info| info.id != "park9"),
            "park9 is in the splits but not in the cohort",
        ),
        (
            &|s| s.push(subject("zoe", 0, None)),
            "zoe is in the cohort but not in the splits",
        ),
        (
            &|s| s[0].id = "control0".into(),
            "control0 is in the cohort but not in the splits",
        ),
        (&|s| s[16].class = 0, "hunt1 had class 1 and now has 0"),
        (&|s| s[16].site = None, "hunt1 had site south and now has unknown"),
    ];
    for (change, expected) in cases {
        assert_eq!(changed(change), message(expected));
    }
    let data = format!(
        "{}: made for data with hash d1, the data have d2; start a new run",
        path.display()
    );
    assert_eq!(load(&gait(), "d2"), data);
}

/// Replaces `from` by `to` in the file; `seal` also states the new content's hash, as a forger would.
fn tamper(path: &Path, from: &str, to: &str, seal: bool) -> String {
    use sha2::{Digest, Sha256};
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    let mut text = text.replacen(from, to, 1);
    if seal {
        // White space outside strings is all that differs, and no string of the file has any.
        let content: String = text.split_once("\"content\":").unwrap().1.split_whitespace().collect();
        let hash: String = Sha256::digest(&content[..content.len() - 1])
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let old = text.split('"').nth(3).unwrap().to_owned();
        text = text.replacen(&old, &hash, 1);
    }
    fs::write(path, text).unwrap();
    let message = Splits::read(path).unwrap_err().to_string();
    message.replace(&path.display().to_string(), "split.json")
}

#[test]
fn damage_and_forgery_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let edited = |from: &str, to: &str, seal| {
        let _ = fs::remove_file(folder.path().join("split.json"));
        let (path, splits) = frozen(folder.path());
        (tamper(&path, from, to, seal), splits)
    };
    let (message, splits) = edited("\"seed\": 7", "\"seed\": 8", false);
    let stated = format!(
        "the file states {}: it was edited or damaged after it was frozen",
        splits.hash()
    );
    assert!(
        message.starts_with("split.json: the content has SHA-256 ") && message.contains(&stated),
        "{message}"
    );
    let (message, _) = edited("\"seed\": 7", "\"sed\": 7", false);
    assert!(
        message.starts_with("split.json: not a split document: unknown field `sed`"),
        "{message}"
    );
    assert!(message.contains("line "), "{message}");
    let (message, _) = edited("\"format\": 1", "\"format\": 2", false);
    assert_eq!(message, "split.json: split format 2, this version reads 1");

    // With the right hash, the divisions themselves are checked.
    let first = |part| splits.splits()[0].ids(part)[0].clone();
    let list = |part: &str, id: String| format!("\"{part}\": [\n          \"{id}\"");
    let (test, train) = (first(Part::Test), first(Part::Train));
    let (message, _) = edited(&list("test", test.clone()), &list("test", train.clone()), true);
    assert_eq!(
        message,
        format!("split repeat 0 fold 0: subject {train} is in train and in test; make the splits anew")
    );
    let (message, _) = edited(&list("test", test.clone()), &list("test", "a".into()), true);
    assert_eq!(
        message,
        format!("split repeat 0 fold 0: subject {test} is in no part; make the splits anew")
    );
    let (message, _) = edited("\"fold\": 1", "\"fold\": 0", true);
    assert_eq!(
        message,
        "split repeat 0 fold 0: the splits do not ascend; make the splits anew"
    );
    let pair = |a: &String, b: &String| format!("\"{a}\",\n          \"{b}\"");
    let ids = splits.splits()[0].ids(Part::Train);
    let (message, _) = edited(&pair(&ids[0], &ids[1]), &pair(&ids[1], &ids[0]), true);
    assert_eq!(
        message,
        "split repeat 0 fold 0: the ids of each part do not ascend; make the splits anew"
    );
}

#[test]
fn a_subject_tested_twice_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let protocol = ProtocolConfig::LeaveOneGroupOut { group: Group::Subject };
    let config = SplitConfig {
        protocol,
        inner: InnerConfig::None {},
        seed: 0,
    };
    let path = folder.path().join("split.json");
    let subjects = ["a", "b", "c"].map(|id| subject(id, 0, None));
    Splits::make(&config, &subjects, "d").unwrap().freeze(&path).unwrap();
    let line = "\n          ";
    let from = format!("[{line}\"b\",{line}\"c\"\n        ],\n        \"valid\": [],\n        \"test\": [{line}\"a\"");
    let to = format!("[{line}\"a\",{line}\"c\"\n        ],\n        \"valid\": [],\n        \"test\": [{line}\"b\"");
    let message = tamper(&path, &from, &to, true);
    assert_eq!(
        message,
        "split repeat 0 fold 1: subject b is tested in fold 0 too; make the splits anew"
    );
}
