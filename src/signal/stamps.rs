//! Time stamps as text, stamps that several rows share, and clocks that are set to another hour.

use chrono::{NaiveDate, NaiveTime};

const NANOS_PER_SEC: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SEC;
/// A step may differ by this many seconds from an hour where a clock is set forward or back.
const CLOCK_CHANGE_TOLERANCE_SECS: f64 = 2.0;
/// Rows by which stamps may drift from a constant rate over a recording.
const MAX_DRIFT_ROWS: f64 = 1.25;

/// The clock by which the rows of a recording are stamped.
///
/// ```
/// use recoup::signal::stamps::Clock;
///
/// let mut clock = Clock::default();
/// assert_eq!(clock.secs("2021-03-04 23:59:59.75"), Some(0.0));
/// assert_eq!(clock.secs("2021-03-05T00:00:00Z"), Some(0.25));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Clock {
    first: Option<i64>,
    last: i64,
    has_date: bool,
    num_midnights: i64,
}

impl Clock {
    /// Seconds from the first stamp to this one; midnight passes between times of day that are half a day back. `None` for a
    /// text that is neither an ISO 8601 date with a time nor the time of a day, and for one of these among the others.
    pub fn secs(&mut self, text: &str) -> Option<f64> {
        let (nanos, has_date) = parse(text.trim())?;
        let Some(first) = self.first else {
            (self.first, self.last, self.has_date) = (Some(nanos), nanos, has_date);
            return Some(0.0);
        };
        if has_date != self.has_date {
            return None;
        }
        let mut nanos = nanos + self.num_midnights * NANOS_PER_DAY;
        if !has_date && nanos < self.last - NANOS_PER_DAY / 2 {
            self.num_midnights += 1;
            nanos += NANOS_PER_DAY;
        }
        self.last = nanos;
        Some((nanos - first) as f64 / NANOS_PER_SEC as f64)
    }
}

/// Nanoseconds since 1970, or since midnight, and whether there is a date.
fn parse(text: &str) -> Option<(i64, bool)> {
    let cut = text
        .find(['T', ' '])
        .filter(|&cut| text.get(..cut).is_some_and(|date| !date.contains(':')));
    let Some(cut) = cut else {
        return Some((time_of_day(text)?, false));
    };
    let (day, rest) = (date(text.get(..cut)?)?, text.get(cut + 1..)?);
    let days = day.signed_duration_since(NaiveDate::default()).num_days();
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = (rest.get(..zone_at)?, rest.get(zone_at..)?);
    let nanos = days
        .checked_mul(NANOS_PER_DAY)?
        .checked_add(time_of_day(time.trim_end())?)?;
    Some((nanos.checked_sub(offset_secs(zone)? * NANOS_PER_SEC)?, true))
}

/// `2021-03-04`, `2021/03/04` or `04.03.2021`.
fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split(['-', '/', '.']).map(str::parse::<u32>);
    let [a, b, c] = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    let (year, day) = if text.contains('.') { (c, a) } else { (a, c) };
    let year = i32::try_from(year).ok().filter(|year| (1900..2200).contains(year))?;
    NaiveDate::from_ymd_opt(year, b, day).filter(|_| parts.next().is_none())
}

/// Nanoseconds of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`, with `AM` or `PM` behind it or not.
fn time_of_day(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let half = ["am", "pm"].into_iter().find(|half| lower.ends_with(half));
    let clock = text.get(..text.len() - half.map_or(0, str::len))?.trim_end();
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let number = |part: &str| {
        part.parse::<u32>()
            .ok()
            .filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let hour = match (half, number(hour)?) {
        (None, hour) => hour,
        (Some(half), hour @ 1..=12) => hour % 12 + if half == "pm" { 12 } else { 0 },
        (Some(_), _) => return None,
    };
    let (whole, fraction) = second.split_once(['.', ',']).unwrap_or((second, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.get(..fraction.len().min(9))?;
    let nanos = if digits.is_empty() {
        0
    } else {
        number(digits)? * 10u32.pow(9 - digits.len() as u32)
    };
    let time = NaiveTime::from_hms_nano_opt(hour, number(minute)?, number(whole)?, nanos)?;
    let seconds = time.signed_duration_since(NaiveTime::MIN).num_nanoseconds();
    seconds.filter(|_| parts.next().is_none())
}

/// Seconds by which a zone is before Greenwich: `Z`, `+01:00`, `-0530`, `+01` or nothing.
fn offset_secs(zone: &str) -> Option<i64> {
    let Some(digits) = zone.strip_prefix(['+', '-']) else {
        return ["", "Z"].contains(&zone).then_some(0);
    };
    let digits = digits.replace(':', "");
    let minutes = match digits.len() {
        2 => 60 * digits.parse::<i64>().ok()?,
        4 => 60 * digits.get(..2)?.parse::<i64>().ok()? + digits.get(2..)?.parse::<i64>().ok()?,
        _ => return None,
    };
    Some(if zone.starts_with('-') {
        -60 * minutes
    } else {
        60 * minutes
    })
}

/// The rate of rows that share stamps: those of one stamp lie evenly until the next, as where a clock shows whole seconds.
/// `stated_hz` is the rate where it is known. `None` where no two rows share a stamp, or too few stamps differ.
///
/// # Errors
/// The first row that is more than 1.25 rows off beyond the resolution of the stamps.
pub fn shared_stamps_rate(times: &[f64], stated_hz: Option<f64>) -> Result<Option<f64>, usize> {
    let steps = || times.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?));
    if !steps().any(|step| step == 0.0) {
        return Ok(None);
    }
    let resolution = steps().filter(|&step| step > 0.0).fold(f64::INFINITY, f64::min);
    // The first rows of stamps: between them, whole stamps are full.
    let mut changes = (1..).zip(steps()).filter(|(_, step)| *step > 0.0).map(|(row, _)| row);
    let (Some(first), Some(last)) = (changes.next(), changes.last()) else {
        return Ok(None);
    };
    let at = |row: usize| times.get(row).copied().unwrap_or_default();
    let num_rows = (last - first) as f64;
    let mean_hz = num_rows / (at(last) - at(first));
    let rate_hz = stated_hz.unwrap_or_else(|| {
        let by_period = 1e3 / (1e3 / mean_hz).round();
        let nearer = |a: f64, b: f64| {
            if (a - mean_hz).abs() <= (b - mean_hz).abs() {
                a
            } else {
                b
            }
        };
        let round = nearer(mean_hz.round(), by_period);
        // One row more or less between the first and the last stamp.
        let is_near = round > 0.0 && round.is_finite() && (round - mean_hz).abs() <= mean_hz / num_rows;
        if is_near { round } else { mean_hz }
    });
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (row, &time) in times.iter().enumerate() {
        let error = time - row as f64 / rate_hz;
        (low, high) = (low.min(error), high.max(error));
        if high - low > resolution + MAX_DRIFT_ROWS / rate_hz {
            return Err(row);
        }
    }
    Ok(Some(rate_hz))
}

/// Whether a step between two rows is that of a clock which is set forward or back by an hour.
pub fn is_clock_change(step_secs: f64) -> bool {
    (step_secs.abs() - 3600.0).abs() <= CLOCK_CHANGE_TOLERANCE_SECS
}
