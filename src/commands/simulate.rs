use std::path::Path;

use recoup::experiment::overrides;
use recoup::simulate::{FileLayout, SimulateConfig, write};
use serde::Deserialize as _;

use super::Usage;

/// Writes a simulated cohort to `out`.
pub fn run(out: &Path, layout: FileLayout, assignments: &[String]) -> super::Result<()> {
    let mut table = toml::Table::new();
    for assignment in assignments {
        overrides::apply(&mut table, assignment)?;
    }
    let config = SimulateConfig::deserialize(table).map_err(|error| Usage(error.to_string().trim_end().into()))?;
    let problems: Vec<String> = config
        .problems()
        .into_iter()
        .map(|problem| format!("--set {problem}"))
        .collect();
    if !problems.is_empty() {
        return Err(Usage(problems.join("\n")).into());
    }
    let card = write(&config, layout, out)?;
    super::print(&format!("{}\ncard: {}\n", config.best_auc(), card.display()))
}
