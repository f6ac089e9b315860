//! What readers share: kinds of warnings, spellings of units, rates.

use std::path::Path;

use recoup_formats::units::same_unit;
use recoup_formats::{Warning, WarningCode, rates_agree, refuse_unaccepted};

#[test]
fn kinds_of_warnings_have_stable_names() {
    for code in WarningCode::ALL {
        assert_eq!(code.name().parse(), Ok(code));
        assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
    }
    assert!("cut off".parse::<WarningCode>().is_err());
    let cut = [
        Warning::new(WarningCode::Gap, "no data for 1 s"),
        Warning::new(WarningCode::CutOff, "3 whole records of the 10"),
    ];
    let error = refuse_unaccepted(&cut, &[WarningCode::Gap], Path::new("a.edf")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.edf: content: found 3 whole records of the 10, expected a whole recording\nhint: fetch the file again, or \
         write `accept = [\"cut-off\"]` in the card to use it as it is"
    );
    refuse_unaccepted(&cut, &[WarningCode::CutOff], Path::new("a.edf")).unwrap();
    refuse_unaccepted(&cut[..1], &[], Path::new("a.edf")).unwrap();
}

#[test]
fn kinds_of_warnings_are_documented() {
    let documented = include_str!("../../../datasets/README.md");
    for code in WarningCode::ALL {
        assert!(documented.contains(&format!("| `{code}` | ")), "{code}");
    }
}

#[test]
fn spellings_of_one_unit_are_one_unit() {
    for [one, other] in [
        ["uV", "\u{b5}V"],
        ["uV", "\u{3bc}V"],
        ["\u{b5}V", "\u{3bc}V"],
        ["uV", " uV "],
        ["k\u{2126}", "kOhm"],
        ["\u{3a9}", "ohm"],
        ["\u{b0}C", "degC"],
    ] {
        assert!(same_unit(one, other) && same_unit(other, one), "{one} {other}");
    }
    for [one, other] in [["mV", "MV"], ["uV", "mV"], ["uV", "V"], ["m", "mm"], ["1", ""]] {
        assert!(!same_unit(one, other), "{one} {other}");
    }
}

/// 60000/1001 = 59.94005994 Hz: after 1000 s the header's 59.94 is 0.06 samples off, after 10000 s 0.6.
#[test]
fn rates_agree_while_they_drift_less_than_half_a_sample() {
    let ntsc = 60000.0 / 1001.0;
    assert!(rates_agree(59.94, ntsc, 59_940) && rates_agree(ntsc, 59.94, 59_940));
    assert!(!rates_agree(59.94, ntsc, 599_400) && !rates_agree(ntsc, 59.94, 599_400));
    assert!(rates_agree(100.001, 100.0, 6_000) && !rates_agree(100.001, 100.0, 60_000));
    assert!(rates_agree(100.0, 100.0, usize::MAX) && !rates_agree(100.0, 101.0, 100));
}
