//! Dates as text: moved by whole days, in the format that they have.

use chrono::{NaiveDate, TimeDelta};

/// How the date part is written.
#[derive(Clone, Copy)]
enum Format {
    Iso,
    Dicom,
    German,
}

impl Format {
    fn pattern(self) -> &'static str {
        match self {
            Self::Iso => "%Y-%m-%d",
            Self::Dicom => "%Y%m%d",
            Self::German => "%d.%m.%Y",
        }
    }
}

/// The date part, its format, and the time part, which is kept as it is. `None` for what is no full date.
fn parse(text: &str) -> Option<(NaiveDate, Format, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (format, length) = match (digits, text.as_bytes().get(digits)) {
        (4, Some(b'-')) => (Format::Iso, 10),
        (2, Some(b'.')) => (Format::German, 10),
        (8 | 10 | 12 | 14, _) => (Format::Dicom, 8),
        _ => return None,
    };
    let (date, time) = (text.get(..length)?, text.get(length..)?);
    let date = NaiveDate::parse_from_str(date, format.pattern()).ok()?;
    let is_time = match (format, time) {
        (_, "") => true,
        (Format::Dicom, _) => is_dicom_time(time),
        // A space or T, then hours and minutes.
        (_, time) => time.strip_prefix(['T', ' ']).is_some_and(is_clock),
    };
    is_time.then_some((date, format, time))
}

/// `HH[MM[SS[.F]]][&ZZXX]`
fn is_dicom_time(time: &str) -> bool {
    let (clock, zone) = time.split_at(time.find(['+', '-']).unwrap_or(time.len()));
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let zone_fits = zone.is_empty() || (zone.len() == 5 && zone.get(1..).is_some_and(digits));
    matches!(whole.len(), 2 | 4 | 6) && digits(whole) && !fraction.is_empty() && digits(fraction) && zone_fits
}

/// `HH:MM[:SS[.F]][Z|+HH:MM|+HHMM]`
fn is_clock(time: &str) -> bool {
    let (clock, zone) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = clock.split(':');
    let two = |part: Option<&str>| part.is_some_and(|part| part.len() == 2 && digits(part));
    let begins = two(parts.next()) && two(parts.next());
    let seconds = parts.next().is_none_or(|seconds| {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        whole.len() == 2 && digits(whole) && digits(fraction)
    });
    let zone = zone.strip_prefix(['Z', '+', '-']).unwrap_or(zone);
    let zone_fits = zone.is_empty() || digits(&zone.replacen(':', "", 1));
    begins && seconds && parts.next().is_none() && zone_fits
}

/// The text with its date moved by `days`.
pub(super) fn shift(text: &str, days: i64) -> Option<String> {
    let (date, format, time) = parse(text.trim())?;
    let moved = move_date(date, days)?;
    Some(format!("{}{time}", moved.format(format.pattern())))
}

pub(super) fn move_date(date: NaiveDate, days: i64) -> Option<NaiveDate> {
    date.checked_add_signed(TimeDelta::try_days(days)?)
}

/// Whether a text begins as a date of someone alive today does, in one of the formats or in others with three numbers:
/// `3/4/2021`, `2021.3.4`.
pub(super) fn is_date(text: &str) -> bool {
    use chrono::Datelike as _;
    const YEARS: std::ops::Range<i32> = 1900..2100;
    if parse(text.trim()).is_some_and(|(date, ..)| YEARS.contains(&date.year())) {
        return true;
    }
    let numbers: Vec<&str> = text.trim().split(['-', '/', '.']).take(3).map(leading_digits).collect();
    let is_year = |number: &&str| number.len() == 4 && number.parse().is_ok_and(|year| YEARS.contains(&year));
    numbers.len() == 3 && numbers.iter().all(|number| (1..=4).contains(&number.len())) && numbers.iter().any(is_year)
}

fn leading_digits(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()
}

/// A name of a file or folder with the dates in it moved by `days`; `None` for a date that cannot be moved.
pub(super) fn shift_in_name(name: &str, days: Option<i64>) -> Option<String> {
    let mut out = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let follows = |length: usize| !rest.as_bytes().get(length).is_some_and(u8::is_ascii_digit);
        let separated = rest
            .get(..10)
            .filter(|_| follows(10))
            .map(|text| text.replace('_', "-"));
        let run = rest
            .get(..digits)
            .filter(|_| matches!(digits, 8 | 10 | 12 | 14))
            .map(String::from);
        let date = separated
            .filter(|_| matches!(digits, 2 | 4))
            .or(run)
            .filter(|text| parse(text).is_some());
        let taken = match date.filter(|text| is_date(text)) {
            Some(date) => {
                let moved = shift(&date, days?)?;
                let underscored = rest.get(..date.len()).is_some_and(|text| text.contains('_'));
                out.push_str(&if underscored { moved.replace('-', "_") } else { moved });
                date.len()
            }
            None => {
                let length = digits.max(first.len_utf8());
                out.push_str(rest.get(..length)?);
                length
            }
        };
        rest = rest.get(taken..)?;
    }
    Some(out)
}
