use std::io::Error;
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array2, Axis, concatenate};
use recoup::cohort::prepared::Prepared;
use recoup::dataset::DataPaths;
use recoup::experiment::{ExperimentFile, feature_tables};
use recoup::features::tables::{self, FeatureTable, Per, RowKey};
use recoup::runs::write_document;
use recoup_formats::parquet::write_table;

use super::Usage;
use crate::cli::FeaturesArgs;

/// Writes the feature tables of an experiment, side by side.
pub fn run(args: FeaturesArgs, paths: &DataPaths) -> super::Result<()> {
    let file = ExperimentFile::load(&args.experiment, &args.overrides.set)?;
    let prepared = super::open_data(&file, paths, args.quiet)?;
    let bar = if args.quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
    };
    let style = ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} sessions, {eta} left");
    bar.set_style(style.map_err(Error::other)?);
    bar.set_prefix("features");
    let start = Instant::now();
    let (tables, windows) = feature_tables(&file, &prepared, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    let secs = start.elapsed().as_secs_f64();
    bar.finish_and_clear();
    if let Some(name) = args
        .only
        .iter()
        .find(|name| !tables.iter().any(|table| table.name == **name))
    {
        let known: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let message = format!(
            "--only {name}: the experiment has no such features; it has {}",
            known.join(", ")
        );
        return Err(Usage(message).into());
    }
    // Joined tables repeat what others have, and pixels are no table.
    let is_wanted = |table: &&FeatureTable| match args.only.is_empty() {
        true => {
            file.config
                .features
                .get(&table.name)
                .is_some_and(|config| config.join.is_empty())
                && table.image_size.is_none()
        }
        false => args.only.contains(&table.name),
    };
    let chosen: Vec<&FeatureTable> = tables.iter().filter(is_wanted).collect();
    let table = tables::join("features", &chosen, &windows);
    write(&args.out, &table, &prepared)?;
    let rows = if table.per == Per::Window {
        "windows"
    } else {
        "sessions"
    };
    let (height, width) = table.values.dim();
    super::print(&format!(
        "{}: {height} {rows}, {width} features, computed in {secs:.2} s\n",
        args.out.display()
    ))
}

/// Subject, session and, for windows, their start, then the features.
fn write(path: &Path, table: &FeatureTable, prepared: &Prepared) -> super::Result<()> {
    let subject = |row: &RowKey| &prepared.subjects()[row.subject as usize];
    let subjects: Vec<String> = table.rows.iter().map(|row| subject(row).id.clone()).collect();
    let sessions: Vec<String> = table
        .rows
        .iter()
        .map(|row| subject(row).sessions[row.session as usize].id.clone())
        .collect();
    let mut columns: Vec<(&str, &str)> = table
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.unit.as_str()))
        .collect();
    let mut values = table.values.clone();
    if table.per == Per::Window {
        columns.insert(0, ("start_secs", "s"));
        let starts = Array2::from_shape_fn((table.rows.len(), 1), |(row, _)| table.rows[row].start_secs);
        values = concatenate(Axis(1), &[starts.view(), values.view()]).map_err(Error::other)?;
    }
    let ids: [(&str, &[String]); 2] = [("subject", &subjects), ("session", &sessions)];
    if path.extension().is_none_or(|extension| extension != "csv") {
        return Ok(write_table(path, &ids, &columns, values.view())?);
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(
        ids.iter()
            .map(|(name, _)| *name)
            .chain(columns.iter().map(|(name, _)| *name)),
    )
    .map_err(Error::other)?;
    for (row, (subject, session)) in values.outer_iter().zip(subjects.iter().zip(&sessions)) {
        let number = |value: &f64| {
            if value.is_nan() {
                String::new()
            } else {
                value.to_string()
            }
        };
        csv.write_record(
            [subject.clone(), session.clone()]
                .into_iter()
                .chain(row.iter().map(number)),
        )
        .map_err(Error::other)?;
    }
    let bytes = csv.into_inner().map_err(|error| error.into_error())?;
    Ok(write_document(path, &bytes)?)
}
