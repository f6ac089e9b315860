use indicatif::{ProgressBar, ProgressStyle};
use recoup::data::prepared::Prepared;
use recoup::experiment::plan::DataPaths;
use recoup::experiment::{ExperimentFile, feature_tables};
use recoup::features::set::{self, FeatureTable, Per};
use recoup::data::formats::parquet::{IdColumn, write_table};

use super::Usage;
use crate::cli::FeaturesArgs;

/// Writes the feature tables of an experiment, side by side.
pub fn run(args: FeaturesArgs, paths: &DataPaths) -> anyhow::Result<()> {
    let file = ExperimentFile::load(&args.experiment, &args.overrides.set)?;
    let prepared = paths.open(&file)?;
    let bar = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(ProgressStyle::with_template("features {bar:40} {pos}/{len} sessions, {eta} left")?);
    let (tables, windows) = feature_tables(&file, &prepared, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if let Some(name) = args.only.iter().find(|name| !tables.iter().any(|table| table.name == **name)) {
        let known: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        return Err(Usage(format!("--only {name}: the experiment has no such features; it has {}", known.join(", "))).into());
    }
    // Joined tables repeat what others have.
    let is_wanted = |table: &&FeatureTable| match args.only.is_empty() {
        true => file.config.features.get(&table.name).is_some_and(|config| config.join.is_empty()),
        false => args.only.contains(&table.name),
    };
    let chosen: Vec<&FeatureTable> = tables.iter().filter(is_wanted).collect();
    let table = set::join("features", &chosen, &windows);
    write_table(&args.out, &ids(&table, &prepared), &table.columns, table.values.view())?;
    let rows = if table.per == Per::Window { "windows" } else { "sessions" };
    let (height, width) = table.values.dim();
    super::print(&format!("{}: {height} {rows}, {width} features\n", args.out.display()))
}

/// What tells the rows apart.
fn ids(table: &FeatureTable, prepared: &Prepared) -> Vec<IdColumn> {
    let column = |name: &str, value: &dyn Fn(&set::RowKey) -> String| IdColumn {
        name: name.into(),
        values: table.rows.iter().map(value).collect(),
    };
    let subject = |row: &set::RowKey| &prepared.subjects()[row.subject as usize];
    let mut ids = vec![
        column("subject", &|row| subject(row).id.clone()),
        column("session", &|row| subject(row).sessions[row.session as usize].id.clone()),
    ];
    if table.per == Per::Window {
        ids.push(column("start_secs", &|row| row.start_secs.to_string()));
    }
    ids
}
