//! Values as text.

use std::fmt::{Debug, Display};

use chrono::{DateTime, NaiveTime, TimeDelta};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::file::metadata::ColumnChunkMetaData;

/// Meaning of the numbers or bytes of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Plain,
    Unsigned,
    /// Digits after the point.
    Decimal(usize),
    Date,
    /// Nanoseconds per unit.
    Time(i64),
    /// Nanoseconds per unit, and whether it is UTC.
    Timestamp(i64, bool),
    Uuid,
    Half,
}

fn nanoseconds(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    }
}

impl Kind {
    pub(super) fn of(chunk: &ColumnChunkMetaData) -> Self {
        let column = chunk.column_descr();
        let decimal = |scale| usize::try_from(scale).map_or(Self::Plain, Self::Decimal);
        match column.logical_type_ref() {
            Some(LogicalType::Integer(int)) if !int.is_signed => return Self::Unsigned,
            Some(LogicalType::Decimal(of)) => return decimal(of.scale),
            Some(LogicalType::Date) => return Self::Date,
            Some(LogicalType::Time(of)) => return Self::Time(nanoseconds(&of.unit)),
            Some(LogicalType::Timestamp(of)) => {
                return Self::Timestamp(nanoseconds(&of.unit), of.is_adjusted_to_u_t_c);
            }
            Some(LogicalType::Uuid) => return Self::Uuid,
            Some(LogicalType::Float16) => return Self::Half,
            _ => {}
        }
        match column.converted_type() {
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64 => {
                Self::Unsigned
            }
            ConvertedType::DECIMAL => decimal(column.type_scale()),
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIME_MILLIS => Self::Time(1_000_000),
            ConvertedType::TIME_MICROS => Self::Time(1_000),
            // The older types are UTC by definition.
            ConvertedType::TIMESTAMP_MILLIS => Self::Timestamp(1_000_000, true),
            ConvertedType::TIMESTAMP_MICROS => Self::Timestamp(1_000, true),
            _ => Self::Plain,
        }
    }

    /// A number of `bits` bits; `None` for a time that no calendar has.
    pub(super) fn integer(&self, value: i64, bits: u32) -> Option<String> {
        match *self {
            Self::Unsigned if bits == 32 => Some((value as u32).to_string()),
            Self::Unsigned => Some(value.cast_unsigned().to_string()),
            Self::Decimal(digits) => decimal(value.into(), digits),
            Self::Date => {
                let day = DateTime::from_timestamp(value.checked_mul(86_400)?, 0)?;
                Some(day.format("%Y-%m-%d").to_string())
            }
            Self::Time(unit) => {
                let total = value.checked_mul(unit)?;
                let (seconds, rest) = (total.div_euclid(1_000_000_000), total.rem_euclid(1_000_000_000));
                let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(seconds).ok()?, rest as u32)?;
                Some(time.format("%H:%M:%S%.f").to_string())
            }
            Self::Timestamp(unit, utc) => {
                let per_second = 1_000_000_000 / unit;
                timestamp(value.div_euclid(per_second), value.rem_euclid(per_second) * unit, utc)
            }
            Self::Plain | Self::Uuid | Self::Half => Some(value.to_string()),
        }
    }

    /// Bytes; `None` for a decimal beyond 38 digits.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Option<String> {
        match (self, bytes) {
            (&Self::Decimal(digits), _) => decimal(big_endian(bytes)?, digits),
            (Self::Half, &[low, high]) => Some(float(half(u16::from_le_bytes([low, high])))),
            (Self::Uuid, _) if bytes.len() == 16 => {
                let text = hexadecimal(bytes);
                let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
                Some(
                    cuts.into_iter()
                        .filter_map(|cut| text.get(cut))
                        .collect::<Vec<_>>()
                        .join("-"),
                )
            }
            _ => Some(std::str::from_utf8(bytes).map_or_else(|_| hexadecimal(bytes), String::from)),
        }
    }
}

/// The shortest text that parses back to the same number: `1`, `0.1`, `1e300`.
pub(super) fn float<T: Display + Debug + Copy + Into<f64>>(value: T) -> String {
    let size: f64 = value.into().abs();
    match size == 0.0 || (1e-5..1e16).contains(&size) {
        true => format!("{value}"),
        false => format!("{value:?}"),
    }
}

/// Nanoseconds of the day and the Julian day number, as old writers stored times.
pub(super) fn int96(parts: &[u32]) -> Option<String> {
    let &[low, high, day] = parts else { return None };
    let nanoseconds = i64::try_from(u64::from(high) << 32 | u64::from(low)).ok()?;
    let days = i64::from(day) - 2_440_588; // of 1 January 1970
    timestamp(
        days * 86_400 + nanoseconds / 1_000_000_000,
        nanoseconds % 1_000_000_000,
        false,
    )
}

fn timestamp(seconds: i64, nanoseconds: i64, utc: bool) -> Option<String> {
    let start = DateTime::from_timestamp(seconds, 0)?;
    let time = start.checked_add_signed(TimeDelta::nanoseconds(nanoseconds))?;
    Some(
        time.format(if utc {
            "%Y-%m-%dT%H:%M:%S%.fZ"
        } else {
            "%Y-%m-%dT%H:%M:%S%.f"
        })
        .to_string(),
    )
}

fn decimal(value: i128, digits: usize) -> Option<String> {
    const MAX_DIGITS: usize = 38;
    if digits > MAX_DIGITS {
        return None;
    }
    let sign = if value < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", value.unsigned_abs(), width = digits + 1);
    let (whole, rest) = all.split_at(all.len() - digits);
    Some(format!("{sign}{whole}{}{rest}", if digits > 0 { "." } else { "" }))
}

/// Two's complement.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let fill = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut all = [fill; 16];
    let start = all.len().checked_sub(bytes.len())?;
    all.get_mut(start..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}
