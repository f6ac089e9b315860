//! Groups: in no split are two subjects of one group in different parts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use recoup::cohort::split::{Group, InnerConfig, Part, ProtocolConfig, SplitConfig, Splits, SubjectInfo};

use super::{class_counts, error, k_fold, shuffled, spread};

/// 60 subjects of three classes in 24 families of one to four, and 12 subjects without a family. Families mix classes.
fn families() -> Vec<SubjectInfo> {
    let info = |i: usize, group| SubjectInfo {
        id: format!("s{i}"),
        class: i % 3,
        site: None,
        group,
    };
    let mut subjects = Vec::new();
    for family in 0..24 {
        for _ in 0..family % 4 + 1 {
            subjects.push(info(subjects.len(), Some(format!("f{family}"))));
        }
    }
    (0..12).for_each(|_| subjects.push(info(subjects.len(), None)));
    shuffled(subjects)
}

/// Families are not separated, every part has every class, and the parts divide the cohort.
fn audit(splits: &Splits, subjects: &[SubjectInfo]) {
    for split in splits.splits() {
        let mut parts = BTreeMap::new();
        for info in subjects {
            let part = split.part_of(&info.id).unwrap();
            if let Some(group) = &info.group {
                assert_eq!(*parts.entry(group).or_insert(part), part, "{split}: {}", info.id);
            }
        }
        assert_eq!(
            Part::ALL.map(|part| split.ids(part).len()).iter().sum::<usize>(),
            subjects.len()
        );
    }
}

#[test]
fn no_protocol_separates_a_family() {
    let subjects = families();
    let protocols = [
        ProtocolConfig::default(),
        ProtocolConfig::StratifiedGroupKFold { folds: 3, repeats: 4 },
        ProtocolConfig::HoldOut {
            test_fraction: 0.3,
            repeats: 6,
        },
        ProtocolConfig::LeaveOneGroupOut { group: Group::Subject },
    ];
    let inners = [
        InnerConfig::default(),
        InnerConfig::Folds { folds: 4, use_fold: 2 },
        InnerConfig::Nested { folds: 3 },
        InnerConfig::None {},
    ];
    for protocol in &protocols {
        for inner in &inners {
            for seed in 0..5 {
                let config = SplitConfig {
                    protocol: protocol.clone(),
                    inner: inner.clone(),
                    seed,
                };
                let splits = Splits::make(&config, &subjects, "d").unwrap();
                audit(&splits, &subjects);
                for split in splits.splits() {
                    assert!(
                        class_counts(&subjects, split.ids(Part::Train))[..3]
                            .iter()
                            .all(|&count| count > 0)
                    );
                    let valid = class_counts(&subjects, split.ids(Part::Valid));
                    assert!(
                        *inner == InnerConfig::None {} || valid[..3].iter().all(|&count| count > 0),
                        "{split}"
                    );
                }
            }
        }
    }
}

#[test]
fn folds_of_families_are_nearly_equal() {
    let subjects = families();
    for seed in 0..20 {
        let config = SplitConfig {
            seed,
            ..k_fold(5, 2, InnerConfig::None {})
        };
        let splits = Splits::make(&config, &subjects, "d").unwrap();
        for repeat in splits.splits().chunks(5) {
            assert!(spread(repeat.iter().map(|split| split.ids(Part::Test).len())) <= 3);
            let counts: Vec<_> = repeat
                .iter()
                .map(|split| class_counts(&subjects, split.ids(Part::Test)))
                .collect();
            // 24 of each class in 5 folds.
            assert!(
                (0..3).all(|class| spread(counts.iter().map(|fold| fold[class])) <= 2),
                "{counts:?}"
            );
        }
        let hold_out = ProtocolConfig::HoldOut {
            test_fraction: 0.25,
            repeats: 4,
        };
        let splits = Splits::make(
            &SplitConfig {
                protocol: hold_out,
                ..config
            },
            &subjects,
            "d",
        )
        .unwrap();
        assert!(
            splits
                .splits()
                .iter()
                .all(|split| (15..=21).contains(&split.ids(Part::Test).len()))
        );
    }
}

#[test]
fn other_seeds_and_repeats_are_other_draws() {
    let subjects = families();
    let tests: BTreeSet<_> = (0..4)
        .flat_map(|seed| {
            let config = SplitConfig {
                seed,
                ..k_fold(5, 2, InnerConfig::None {})
            };
            let splits = Splits::make(&config, &subjects, "d").unwrap();
            splits
                .splits()
                .chunks(5)
                .map(|repeat| repeat[0].ids(Part::Test).to_vec())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(tests.len(), 8);
}

#[test]
fn groups_of_one_change_nothing() {
    let alone: Vec<SubjectInfo> = families()
        .into_iter()
        .map(|info| SubjectInfo { group: None, ..info })
        .collect();
    let named: Vec<SubjectInfo> = alone
        .iter()
        .map(|info| SubjectInfo {
            group: Some(format!("of {}", info.id)),
            ..info.clone()
        })
        .collect();
    for inner in [InnerConfig::default(), InnerConfig::Nested { folds: 3 }] {
        let config = k_fold(5, 2, inner);
        let [a, b] = [&alone, &named].map(|subjects| Splits::make(&config, subjects, "d").unwrap());
        assert_eq!(a.splits(), b.splits());
        assert_ne!(a.hash(), b.hash(), "the cohort is part of the document");
    }
}

#[test]
fn one_group_is_left_out_at_a_time() {
    let subjects: Vec<SubjectInfo> = families().into_iter().filter(|info| info.group.is_some()).collect();
    let config = |group| SplitConfig {
        protocol: ProtocolConfig::LeaveOneGroupOut { group },
        inner: InnerConfig::None {},
        ..Default::default()
    };
    let by_group = Splits::make(&config(Group::Group), &subjects, "d").unwrap();
    assert_eq!(by_group.splits().len(), 24);
    for split in by_group.splits() {
        let of_test = |info: &&SubjectInfo| split.ids(Part::Test).contains(&info.id);
        let groups: BTreeSet<_> = subjects.iter().filter(of_test).map(|info| &info.group).collect();
        assert_eq!(groups.len(), 1);
    }
    // Leaving one subject out leaves out its family: else the family would tell.
    let by_subject = Splits::make(&config(Group::Subject), &subjects, "d").unwrap();
    assert_eq!(by_subject.splits(), by_group.splits());
    assert_eq!(
        Splits::make(&config(Group::Subject), &families(), "d")
            .unwrap()
            .splits()
            .len(),
        24 + 12
    );
}

#[test]
fn impossible_groups_say_why() {
    let family = |id: &str, class, group: Option<&str>| SubjectInfo {
        id: id.into(),
        class,
        site: Some(if id < "c" { "north" } else { "south" }.into()),
        group: group.map(Into::into),
    };
    let config = |protocol| SplitConfig {
        protocol,
        inner: InnerConfig::None {},
        seed: 0,
    };
    let by = |group| config(ProtocolConfig::LeaveOneGroupOut { group });
    let some = [
        family("a", 0, Some("f")),
        family("b", 0, Some("f")),
        family("c", 1, None),
        family("d", 1, None),
    ];
    assert_eq!(
        error(&by(Group::Group), &some),
        "split: subject c has no group; leave-one-group-out by group needs one for every subject"
    );
    assert_eq!(
        error(&k_fold(2, 1, InnerConfig::None {}), &some),
        "split: class 0 is in 1 of the 2 groups that it needs in the cohort, and groups are never separated; ask for \
         fewer folds, merge or drop the class"
    );
    let across = [
        family("a", 0, None),
        family("b", 0, Some("f")),
        family("c", 1, Some("f")),
        family("d", 1, None),
    ];
    assert_eq!(
        error(&by(Group::Site), &across),
        "split: group f is in the sites north (subject b) and south (subject c), which leave-one-group-out by site would \
         separate; leave out by group, or correct one of the two"
    );
    // Each class is in two groups, but the large groups of one class each come to lie in a fold each.
    let large = |id: &str, class, group| family(id, class, Some(group));
    let tangled = [
        large("a1", 0, "f"),
        large("a2", 0, "f"),
        large("a3", 0, "f"),
        large("b1", 1, "g"),
        large("b2", 1, "g"),
        large("b3", 1, "g"),
        large("c1", 0, "h"),
        large("c2", 1, "h"),
    ];
    assert_eq!(
        error(&k_fold(2, 1, InnerConfig::None {}), &tangled),
        "split: fold 1 of the cohort gets no subject of class 0, as groups are never separated (the largest: b1, b2, b3); \
         ask for fewer folds, another seed or another fraction"
    );
}

#[test]
fn a_frozen_file_with_a_separated_group_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.json");
    let subjects = families();
    let splits = Splits::make(&k_fold(5, 1, InnerConfig::None {}), &subjects, "d").unwrap();
    splits.freeze(&path).unwrap();
    assert_eq!(Splits::load(&path, &subjects, "d").unwrap(), splits);
    let mut moved = subjects.clone();
    moved[0].group = Some("f99".into());
    let message = Splits::load(&path, &moved, "d").unwrap_err().to_string();
    assert!(
        message.contains("group") && message.contains("and now has f99; start a new run"),
        "{message}"
    );
    // Giving two strangers one group is a forgery that the hash finds first.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"group\": \"f1\"", "\"group\": \"f2\"", 1)).unwrap();
    assert!(
        Splits::read(&path)
            .unwrap_err()
            .to_string()
            .contains("it was edited or damaged")
    );
}
