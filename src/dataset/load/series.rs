//! Tables with a row per event.

use super::columns::columns;
use super::reading::Reading;
use crate::dataset::card::SeriesRule;
use crate::dataset::error::DataError;
use crate::dataset::subjects::Recording;

/// The events of a file, in the order of its rows.
pub(super) fn series(reading: &Reading, keys: &SeriesRule, file: &str) -> Result<Recording, DataError> {
    let table = reading.source.table(file, &keys.layout)?;
    let time = table.column(&keys.time, &format!("modality.{}.time", reading.rule.name))?;
    let mut times = Vec::with_capacity(table.num_rows());
    for row in table.rows() {
        let field = row.field(time);
        let number: Option<f64> = keys.layout.number(field).filter(|secs: &f64| secs.is_finite());
        let secs = number.map(|number| number * keys.time_unit.secs());
        match secs.filter(|secs| times.last().is_none_or(|last| last <= secs)) {
            Some(secs) => times.push(secs),
            None => {
                let expected = format!("{}, none less than in the row before", keys.time_unit);
                return Err(reading
                    .source
                    .field_error(&table, row, &keys.time, expected, &keys.layout));
            }
        }
    }
    let values = columns(reading, &table, &keys.layout, table.rows())?;
    Ok(Recording {
        times_secs: Some(times),
        values,
    })
}
