//! One table from the features of several modalities.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};

use crate::features::signals::Column;

/// The features of one modality.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// Name of the modality.
    pub name: &'a str,
    /// Patient and time of each row.
    pub keys: &'a [(String, String)],
    /// The columns.
    pub columns: &'a [Column],
    /// `[rows, columns]`.
    pub values: ArrayView2<'a, f64>,
}

/// Blocks side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// Patient and time of each row, ascending, each once.
    pub keys: Vec<(String, String)>,
    /// The columns of all blocks, called `modality.column`.
    pub columns: Vec<Column>,
    /// `[rows, columns]`; NaN where a block has no such row.
    pub values: Array2<f64>,
    /// `[rows, blocks]`: whether the block has the row.
    pub present: Array2<bool>,
}

/// Joins blocks by patient and time, keeping the rows that any of them has (a full outer join).
///
/// # Errors
/// Where a block has a row twice, its lengths contradict each other, or two blocks have one name.
pub fn join(blocks: &[Block]) -> Result<Joined, String> {
    let mut rows = BTreeMap::new();
    for (index, block) in blocks.iter().enumerate() {
        if block.values.dim() != (block.keys.len(), block.columns.len()) {
            let (keys, columns) = (block.keys.len(), block.columns.len());
            return Err(format!(
                "`{}`: {keys} rows and {columns} columns of {:?} values",
                block.name,
                block.values.dim()
            ));
        }
        if blocks.iter().take(index).any(|other| other.name == block.name) {
            return Err(format!("`{}` twice, expected different names", block.name));
        }
        rows.extend(block.keys.iter().map(|key| (key, 0)));
    }
    rows.values_mut().enumerate().for_each(|(index, row)| *row = index);
    let width = blocks.iter().map(|block| block.columns.len()).sum();
    let mut values = Array2::from_elem((rows.len(), width), f64::NAN);
    let mut present = Array2::from_elem((rows.len(), blocks.len()), false);
    let mut start = 0;
    for (index, block) in blocks.iter().enumerate() {
        for (key, from) in block.keys.iter().zip(block.values.rows()) {
            let Some(&row) = rows.get(key) else { continue };
            if std::mem::replace(&mut present[[row, index]], true) {
                return Err(format!(
                    "`{}`: patient `{}` at `{}` twice, expected one row",
                    block.name, key.0, key.1
                ));
            }
            let slots = values.row_mut(row).into_iter().skip(start);
            slots.zip(from).for_each(|(slot, value)| *slot = *value);
        }
        start += block.columns.len();
    }
    let named = |block: &Block| -> Vec<Column> {
        let name = |column: &Column| Column {
            name: format!("{}.{}", block.name, column.name),
            unit: column.unit.clone(),
        };
        block.columns.iter().map(name).collect()
    };
    let columns = blocks.iter().flat_map(named).collect();
    Ok(Joined {
        keys: rows.into_keys().cloned().collect(),
        columns,
        values,
        present,
    })
}
