//! Columns of tables as numbers.

use ndarray::Array2;

use super::reading::Reading;
use crate::dataset::card::ColumnRule;
use crate::dataset::error::DataError;
use recoup_formats::delimited::{DelimitedLayout, DelimitedRow, DelimitedTable};

/// Some columns of some rows as numbers, `[rows, channels]`, NaN where missing.
pub(super) fn columns<'t>(
    reading: &Reading,
    table: &'t DelimitedTable,
    layout: &DelimitedLayout,
    rows: impl ExactSizeIterator<Item = DelimitedRow<'t>>,
) -> Result<Array2<f32>, DataError> {
    let key = format!("modality.{}.channels", reading.rule.name);
    let columns = reading.rule.columns().iter();
    let indices = columns.map(|rule| Ok((rule, table.column(rule.in_file(), &key)?)));
    let indices = indices.collect::<Result<Vec<(&ColumnRule, usize)>, DataError>>()?;
    let mut values = Array2::zeros((rows.len(), indices.len()));
    for (row, mut row_values) in rows.zip(values.rows_mut()) {
        for ((rule, index), value) in indices.iter().zip(&mut row_values) {
            let field = row.field(*index);
            *value = if layout.is_missing(field) {
                f32::NAN
            } else {
                let number = rule.number(field, layout);
                number.map_err(|expected| reading.source.field_error(table, row, rule.in_file(), expected, layout))?
            };
        }
    }
    Ok(values)
}

impl ColumnRule {
    /// The number that a field stands for, or what was expected.
    fn number(&self, field: &str, layout: &DelimitedLayout) -> Result<f32, String> {
        let number = match &self.categories {
            Some(categories) => {
                let known = || format!("one of {:?}", categories.keys().collect::<Vec<_>>());
                *categories.get(field).ok_or_else(known)?
            }
            None => {
                let number = layout.number(field).filter(|number: &f32| number.is_finite());
                number.ok_or_else(|| match self.unit() {
                    "1" => "a number".to_string(),
                    unit => format!("a number in {unit}"),
                })?
            }
        };
        // As it was written: 0.1 is no multiple of 0.1 after rounding to `f32`.
        if let (Some(scale), Some(score)) = (self.scale, layout.number::<f64>(field)) {
            scale.check(score)?;
        }
        self.out_of_range(number).map_or(Ok(number), Err)
    }
}
