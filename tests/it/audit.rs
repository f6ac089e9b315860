//! The audit: each finding is made where it should be and not where it should not.

use recoup::cohort::audit::{Audit, AuditError, AuditReport, FindingKind, Severity, audit};
use recoup::cohort::split::{Group, InnerConfig, Part, ProtocolConfig, SplitConfig, Splits, SubjectInfo};

fn random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    *state >> 33
}

fn shuffle<T>(values: &mut [T], state: &mut u64) {
    (1..values.len())
        .rev()
        .for_each(|i| values.swap(i, random(state) as usize % (i + 1)));
}

fn subject(id: &str, class: usize, site: Option<&str>) -> SubjectInfo {
    SubjectInfo {
        id: id.into(),
        class,
        site: site.map(Into::into),
        group: None,
    }
}

/// Twenty subjects of each of two classes, ids and places in the file at random.
fn cohort(seed: u64) -> Vec<SubjectInfo> {
    let mut state = seed;
    let mut classes: Vec<usize> = (0..40).map(|i| i % 2).collect();
    shuffle(&mut classes, &mut state);
    let mut subjects: Vec<_> = (0..40)
        .map(|i| subject(&format!("s{i:02}"), classes[i], None))
        .collect();
    shuffle(&mut subjects, &mut state);
    subjects
}

fn splits(subjects: &[SubjectInfo]) -> Splits {
    Splits::make(&SplitConfig::default(), subjects, "d").unwrap()
}

fn wave(seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..32).map(|_| random(&mut state) as f32).collect()
}

fn report(subjects: &[SubjectInfo], recordings: &[(&str, &str, Vec<f32>)]) -> AuditReport {
    let recordings = recordings
        .iter()
        .map(|(subject, modality, values)| (*subject, *modality, values.as_slice()));
    audit(subjects, recordings, &splits(subjects)).unwrap()
}

fn found(report: &AuditReport, kind: FindingKind) -> Vec<(Severity, &str)> {
    let of_kind = report.findings.iter().filter(|finding| finding.kind == kind);
    of_kind
        .map(|finding| (finding.severity, finding.message.as_str()))
        .collect()
}

/// Every subject with its own recording.
fn complete(subjects: &[SubjectInfo]) -> Vec<(&str, &str, Vec<f32>)> {
    subjects
        .iter()
        .zip(0..)
        .map(|(info, seed)| (info.id.as_str(), "force", wave(seed)))
        .collect()
}

#[test]
fn a_clean_cohort_has_no_findings() {
    let subjects = cohort(1);
    let report = report(&subjects, &complete(&subjects));
    assert_eq!(report.findings, []);
    assert_eq!(report.worst(), None);
    assert_eq!(
        report.probes.iter().map(|probe| probe.name).collect::<Vec<_>>(),
        ["file order", "order of the ids"]
    );
    assert!(
        report
            .probes
            .iter()
            .all(|probe| probe.p_value > 0.01 && probe.chance == 0.5),
        "{report}"
    );
}

#[test]
fn duplicates_across_subjects_are_errors_if_tested_apart() {
    let subjects = cohort(1);
    let made = splits(&subjects);
    let [first, second] = [0, 1].map(|fold| made.splits()[fold].ids(Part::Test));
    for (a, b, severity, place) in [
        (
            &first[0],
            &second[0],
            Severity::Error,
            "one is tested and the other not in repeat 0 fold 0",
        ),
        (&first[0], &first[1], Severity::Warning, "never tested apart"),
    ] {
        let mut recordings = complete(&subjects);
        recordings.push((a, "force", wave(99)));
        recordings.push((b, "emg", wave(99)));
        // Twice in one subject, and short ones, are nobody else's.
        recordings.push((a, "force", wave(77)));
        recordings.push((a, "force", wave(77)));
        recordings.push((a, "age", vec![63.0]));
        recordings.push((b, "age", vec![63.0]));
        let names = if a < b {
            format!("{a}, {b}")
        } else {
            format!("{b}, {a}")
        };
        let message = format!(
            "subjects {names} have the same recording of force and emg, value by value ({place}); one of them is a \
             copy: remove it, or give both the id of one subject"
        );
        let report = report(&subjects, &recordings);
        assert_eq!(
            found(&report, FindingKind::DuplicateRecording),
            [(severity, message.as_str())]
        );
    }
}

#[test]
fn one_person_under_two_spellings_is_found() {
    let mut subjects = cohort(1);
    for (id, index) in [("P-1", 0), ("p01", 1), ("P10", 2), ("P100", 3), ("p1x", 4)] {
        subjects[index].id = id.into();
    }
    let report = report(&subjects, &[]);
    let similar = found(&report, FindingKind::SimilarName);
    let [(Severity::Warning, message)] = similar[..] else {
        panic!("{similar:?}")
    };
    assert!(
        message.starts_with("subjects P-1, p01 differ in spelling only"),
        "{message}"
    );
}

#[test]
fn sites_are_told() {
    let sites = ["north", "North ", "south"];
    let mut subjects = cohort(1);
    subjects
        .iter_mut()
        .zip(sites.iter().cycle())
        .for_each(|(info, site)| info.site = Some((*site).into()));
    let overlap = "sites North , north, south are in training and test; results do not tell of new sites \
                  (leave-one-group-out by site does)";
    let similar = "sites North , north differ in spelling only; is it one site?";
    let by_fold = report(&subjects, &[]);
    assert_eq!(found(&by_fold, FindingKind::SiteOverlap), [(Severity::Note, overlap)]);
    let protocol = ProtocolConfig::LeaveOneGroupOut { group: Group::Site };
    let by_site = Splits::make(
        &SplitConfig {
            protocol,
            ..SplitConfig::default()
        },
        &subjects,
        "d",
    )
    .unwrap();
    let by_site = audit(&subjects, [], &by_site).unwrap();
    assert_eq!(found(&by_site, FindingKind::SiteOverlap), []);
    for report in [by_fold, by_site] {
        assert_eq!(found(&report, FindingKind::SimilarName), [(Severity::Warning, similar)]);
        assert!(report.probes.iter().any(|probe| probe.name == "site"));
    }
}

#[test]
fn classes_that_a_part_lacks_are_found() {
    // Class 1 is at one site only.
    let place = |i: usize| (usize::from(i < 4), if i < 12 { "a" } else { "b" });
    let subjects: Vec<_> = (0..24)
        .map(|i| subject(&format!("s{i:02}"), place(i).0, Some(place(i).1)))
        .collect();
    let protocol = ProtocolConfig::LeaveOneGroupOut { group: Group::Site };
    let config = SplitConfig {
        protocol,
        inner: InnerConfig::default(),
        seed: 0,
    };
    let report = audit(&subjects, [], &Splits::make(&config, &subjects, "d").unwrap()).unwrap();
    let first = "(1 of 2 splits, first repeat 0 fold";
    let expected = [
        (
            Severity::Error,
            format!("class 1 lacks in the training part: it cannot be learnt {first} 0)"),
        ),
        (
            Severity::Warning,
            format!("class 1 lacks in the validation part: selection does not see it {first} 0)"),
        ),
        (
            Severity::Note,
            format!("class 1 lacks in the test part: metrics per class are undefined there {first} 1)"),
        ),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(severity, message)| (*severity, message.as_str()))
        .collect();
    assert_eq!(found(&report, FindingKind::MissingClass), expected);
    assert_eq!(report.worst(), Some(Severity::Error));

    let protocol = ProtocolConfig::LeaveOneGroupOut { group: Group::Subject };
    let config = SplitConfig {
        protocol,
        inner: InnerConfig::None {},
        seed: 0,
    };
    let report = audit(&subjects, [], &Splits::make(&config, &subjects, "d").unwrap()).unwrap();
    assert_eq!(found(&report, FindingKind::MissingClass), []);
}

#[test]
fn modalities_that_do_not_vary_are_found() {
    let subjects = cohort(1);
    let mut recordings = complete(&subjects);
    for info in &subjects {
        let id = info.id.as_str();
        recordings.push((id, "gain", vec![2.5]));
        recordings.push((id, "empty", vec![f32::NAN; 3]));
        recordings.push((id, "age", vec![id[1..].parse().unwrap()]));
        let off = ["s03", "s07"].contains(&id);
        recordings.push((
            id,
            "emg",
            if off {
                vec![0.0; 32]
            } else {
                wave(500 + id.len() as u64)
            },
        ));
    }
    // "emg" is the same wave for all but two: their copies are another finding.
    let report = report(&subjects, &recordings);
    let expected = [
        "modality emg does not vary within a recording of 2 of 40 subjects (s03, s07); was the sensor off?",
        "modality empty has no values at all; drop it",
        "modality gain is 2.5 in every recording; drop it",
    ];
    assert_eq!(
        found(&report, FindingKind::ConstantModality),
        expected.map(|message| (Severity::Warning, message))
    );
    let copies = found(&report, FindingKind::DuplicateRecording);
    assert!(
        copies.len() == 1
            && copies[0]
                .1
                .starts_with("subjects s00, s01, s02, s04, s05 and 33 more have the same")
    );
}

/// A cohort whose modality "gait" is missing in so many subjects of each class: absent, or with a gap.
fn with_missing(missing: [usize; 2]) -> AuditReport {
    let subjects = cohort(1);
    let mut left = missing;
    let mut recordings = Vec::new();
    for info in &subjects {
        match &mut left[info.class] {
            0 => recordings.push((info.id.as_str(), "gait", vec![1.0, 2.0])),
            count => {
                *count -= 1;
                if *count % 2 == 0 {
                    recordings.push((info.id.as_str(), "gait", vec![1.0, f32::NAN]));
                }
            }
        }
    }
    report(&subjects, &recordings)
}

#[test]
fn what_is_missing_by_class_is_found() {
    let strong = with_missing([9, 0]);
    let message = "modality gait is missing or incomplete by class: class 0: 9 of 20, class 1: 0 of 20 (p = 0.005)";
    assert_eq!(
        found(&strong, FindingKind::MissingByClass),
        [(Severity::Warning, message)]
    );
    // The probe makes use of it: 9 of 20 and 20 of 20 are right.
    let probe = strong
        .probes
        .iter()
        .find(|probe| probe.name == "missing modalities")
        .unwrap();
    assert!(
        (probe.balanced_accuracy - 29.0 / 40.0).abs() < 1e-12 && probe.p_value == 0.005,
        "{probe}"
    );
    assert_eq!(found(&strong, FindingKind::Probe).len(), 1);

    assert_eq!(found(&with_missing([4, 5]), FindingKind::MissingByClass), []);
    assert_eq!(found(&with_missing([0, 0]), FindingKind::MissingByClass), []);

    let weak = with_missing([0, 3]);
    let notes = found(&weak, FindingKind::MissingByClass);
    let [(Severity::Note, message)] = notes[..] else {
        panic!("{notes:?}")
    };
    let (counts, p_value) = message.strip_suffix(')').unwrap().split_once(" (p = ").unwrap();
    assert!(counts.ends_with("class 0: 0 of 20, class 1: 3 of 20"), "{counts}");
    // All three in one class, whichever: 2 C(20, 3) / C(40, 3); within three standard errors of 199 permutations.
    let exact: f64 = 2.0 * 1140.0 / 9880.0;
    let standard_error = (exact * (1.0 - exact) / 199.0).sqrt();
    let p_value: f64 = p_value.parse().unwrap();
    assert!((p_value - exact).abs() < 3.0 * standard_error, "{p_value} {exact}");
}

#[test]
fn files_in_order_of_class_are_found() {
    let mut subjects = cohort(1);
    subjects.sort_by_key(|info| info.class);
    let report = report(&subjects, &complete(&subjects));
    let probe = &report.probes[0];
    assert!(
        probe.name == "file order" && probe.balanced_accuracy >= 0.9 && probe.p_value == 0.005,
        "{report}"
    );
    let message = format!("the class can be told from {probe}; keep it from the model, or balance it");
    assert_eq!(
        found(&report, FindingKind::Probe),
        [(Severity::Warning, message.as_str())]
    );
}

#[test]
fn probes_hold_their_level_under_chance() {
    let (mut low, mut sum, mut count) = (0, 0.0, 0);
    for seed in 0..60 {
        for probe in report(&cohort(seed), &[]).probes {
            low += usize::from(probe.p_value <= 0.05);
            sum += probe.balanced_accuracy;
            count += 1;
        }
    }
    assert_eq!(count, 120);
    // Binomial(120, 0.05): mean 6, standard deviation 2.4. The mean accuracy has a standard error of about 0.08 / 11.
    assert!(low <= 13, "{low} of {count} p-values are 0.05 or less");
    assert!((sum / 120.0 - 0.5_f64).abs() < 0.03, "{}", sum / 120.0);
}

#[test]
fn strangers_are_refused() {
    let subjects = cohort(1);
    let made = splits(&subjects);
    let error = Audit::new(&subjects).add("nobody", "force", &[1.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "audit: modality force: subject nobody is not in the cohort"
    );
    let fewer: Vec<_> = subjects.iter().filter(|info| info.id != "s05").cloned().collect();
    let error = Audit::new(&fewer).finish(&made).unwrap_err();
    assert!(matches!(&error, AuditError::Cohort { subject, .. } if subject == "s05"));
    assert_eq!(
        error.to_string(),
        "audit: the splits were made for another cohort: subject s05 is in the splits but not in the cohort"
    );
}

#[test]
fn a_single_class_has_no_probes() {
    let subjects: Vec<_> = cohort(1).iter().map(|info| subject(&info.id, 0, None)).collect();
    let report = report(&subjects, &[(subjects[0].id.as_str(), "gait", vec![1.0])]);
    assert_eq!(
        (report.probes.len(), found(&report, FindingKind::MissingByClass).len()),
        (0, 0)
    );
}

#[test]
fn reports_are_read_by_people_and_machines() {
    let report = with_missing([9, 0]);
    let text = report.to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("audit: 0 errors, 3 warnings, 0 notes"));
    assert!(
        text.contains("\nwarning: modality gait is missing or incomplete by class"),
        "{text}"
    );
    assert!(
        text.ends_with("probe missing modalities: balanced accuracy 0.725 (chance 0.500, p = 0.005)"),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["severity"], "warning");
    assert!(
        json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["kind"] == "missing-by-class")
    );
    assert_eq!(json["probes"][2]["name"], "missing modalities");
    assert_eq!(json["probes"][2]["balanced_accuracy"], 0.725);
}
