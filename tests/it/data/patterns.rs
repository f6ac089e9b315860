//! Patterns of file names: what they match, and that no name makes one of them slow.

use std::time::{Duration, Instant};

use recoup::dataset::card::{FilePattern, PathGroup, PathGroups};

/// The texts of `{subject}` and `{session}` in a path that fits; a pattern that is refused is an error.
fn groups(pattern: &str, path: &str) -> Result<Option<(String, String)>, String> {
    let pattern = FilePattern::parse(pattern).map_err(|(problem, _)| problem)?;
    let found = pattern.matches(path, &PathGroups::default());
    let text = |found: &PathGroups, group| found.get(group).unwrap_or_default().to_string();
    Ok(found.map(|found| (text(&found, PathGroup::Subject), text(&found, PathGroup::Session))))
}

#[test]
fn groups_match_as_little_as_possible_and_the_same_text_twice() {
    for (pattern, path, expected) in [
        (
            "{label}/{subject}/{session}_emg.csv",
            "yes/P01/pre_emg.csv",
            Some(("P01", "pre")),
        ),
        ("{subject}_{session}.csv", "a_b_c.csv", Some(("a", "b_c"))),
        ("{subject}.csv", "a.csv.csv", Some(("a.csv", ""))),
        ("{subject}.csv", "\u{fc}\u{308}.csv", Some(("\u{fc}\u{308}", ""))),
        ("*_{subject}_*.x", "\u{e9}_\u{fc}_p_q.x", Some(("\u{fc}", ""))),
        ("{subject}", "P 01.png", Some(("P 01.png", ""))),
        ("{subject}.csv", ".csv", None),
        ("{subject}/*.csv", "P01/a/b.csv", None),
        ("{subject}_*", "P_", None),
        // What stands twice is the same text, and is found wherever it has to begin and end.
        ("{subject}/{subject}.csv", "P01/P01.csv", Some(("P01", ""))),
        ("{subject}/{subject}.csv", "P01/P02.csv", None),
        (
            "{subject}_{session}/{subject}_{session}_x.csv",
            "a_b_c/a_b_c_x.csv",
            Some(("a", "b_c")),
        ),
        ("{subject}_{session}/{subject}.csv", "a_b_c/a_b.csv", Some(("a_b", "c"))),
        ("*a{subject}/{subject}.csv", "xaya1/1.csv", Some(("1", ""))),
        ("{subject}_{subject}.csv", "a_b_a_b.csv", Some(("a_b", ""))),
    ] {
        let expected = expected.map(|(subject, session)| (subject.to_string(), session.to_string()));
        assert_eq!(groups(pattern, path), Ok(expected), "{pattern} on {path}");
    }
}

#[test]
fn known_ids_are_the_only_ones() {
    let pattern = FilePattern::parse("{subject}_{session}.csv").unwrap();
    let known = PathGroups::known([(PathGroup::Subject, "S1_b")]);
    let found = pattern.matches("S1_b_pre.csv", &known).unwrap();
    assert_eq!(found.get(PathGroup::Session), Some("pre"));
    assert!(pattern.matches("S1_c_pre.csv", &known).is_none());
}

/// Names and patterns that took seconds to minutes when every group was tried at every place.
#[test]
fn no_name_makes_a_pattern_slow() {
    let letters = |count: usize| "a".repeat(count);
    let start = Instant::now();
    let name = format!("s{}", letters(240));
    for pattern in [
        "{subject}a*a*a*b",
        "{subject}a*a*a*a*a*a*a*a*a*b",
        "*a*a*a*a{subject}a*a*a*b",
    ] {
        assert_eq!(groups(pattern, &name), Ok(None), "{pattern}");
    }
    let long = format!("{0}/{0}/{0}", letters(1300));
    assert_eq!(groups("{subject}a*a*/*a*a*/{session}a*a*b", &long), Ok(None));
    let twice = format!("{0}/{0}b", letters(200));
    assert_eq!(groups("{subject}a{session}a*/{subject}a{session}b", &twice), Ok(None));
    assert_eq!(
        groups("{subject}a{session}/{subject}a*b", &twice).map(|found| found.is_some()),
        Ok(true)
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let problem = groups("*a{subject}a*a{session}a*/{subject}a{session}", &twice).unwrap_err();
    assert!(problem.ends_with("can be read in too many ways"), "{problem}");
    let problem = groups(&format!("{{subject}}{}", letters(5000)), "a").unwrap_err();
    assert_eq!(problem, "a pattern of 5009 bytes");
}
