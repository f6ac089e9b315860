//! How the loader of real datasets reads the files.

use std::fmt::Write;

use super::FileLayout::{Laboratory, Physionet};
use super::{FileLayout, laboratory};
use crate::dataset::subjects::{Channel, Cohort, ModalityKind, ModalitySpec};
use crate::simulate::recordings::CLINICAL;
use crate::simulate::{Outcome, SimulateConfig};

/// The text of the card.
pub(super) fn text(config: &SimulateConfig, cohort: &Cohort, layout: FileLayout) -> String {
    let label = match config.outcome {
        Outcome::Response => format!(
            "kind = \"threshold\"\ncolumn = \"fma_change\"\nat_least = {:?}\n",
            config.mcid
        ),
        Outcome::Anomaly => "kind = \"column\"\ncolumn = \"outcome\"\n".into(),
    };
    let mut text = format!(
        "name = {:?}\ntitle = \"Simulated rehabilitation cohort\"\nlicence = \"CC0-1.0\"\nclasses = {:?}\n\n\
         [subjects]\nkind = \"table\"\n\n[table]\nfile = \"patients.csv\"\nid = \"patient\"\nsite = \"site\"\n\n\
         [label]\n{label}",
        cohort.name, cohort.classes,
    );
    for spec in &cohort.modalities {
        let (kind, keys) = rule(spec, layout);
        let _ = write!(
            text,
            "\n[[modality]]\nkind = \"{kind}\"\nname = \"{}\"\n{keys}optional = true\n{}",
            spec.name,
            channels(spec)
        );
    }
    text
}

/// Kind of a modality's rule, and the lines that say where and what its files are.
fn rule(spec: &ModalitySpec, layout: FileLayout) -> (&'static str, String) {
    let name = &spec.name;
    match (spec.kind, layout) {
        (ModalityKind::Signal { rate_hz }, Physionet) => (
            "signal",
            format!("file = \"{name}/{{subject}}.hea\"\nrate_hz = {rate_hz:?}\n"),
        ),
        (ModalityKind::Signal { rate_hz }, Laboratory) => {
            let extension = laboratory::signal_extension(name);
            (
                "signal",
                format!("file = \"{name}/{{subject}}.{extension}\"\nrate_hz = {rate_hz:?}\n"),
            )
        }
        (ModalityKind::Image { height, width }, _) => {
            let extension = if layout == Physionet { "png" } else { "nii" };
            let file = format!("file = \"{name}/{{subject}}.{extension}\"");
            (
                "image",
                format!("{file}\ncolor = \"gray\"\nheight = {height}\nwidth = {width}\n"),
            )
        }
        (ModalityKind::Row | ModalityKind::Series, Physionet) => {
            ("table", format!("file = \"{name}.csv\"\nid = \"patient\"\n"))
        }
        (ModalityKind::Row | ModalityKind::Series, Laboratory) => {
            let layout = "layout = { missing = [\"NaN\"] }";
            (
                "table",
                format!("file = \"{name}.parquet\"\n{layout}\nid = \"patient\"\n"),
            )
        }
    }
}

fn channels(spec: &ModalitySpec) -> String {
    let line = |Channel { name, unit }: &Channel| match spec.kind {
        ModalityKind::Row => {
            format!(
                "    {{ column = \"{name}\", unit = \"{unit}\", range = {:?} }},\n",
                range_of(name)
            )
        }
        _ => format!("    {{ channel = \"{name}\", unit = \"{unit}\" }},\n"),
    };
    match spec.kind {
        ModalityKind::Image { .. } => String::new(),
        _ => format!(
            "channels = [\n{}]\n",
            spec.channels.iter().map(line).collect::<String>()
        ),
    }
}

/// Smallest and largest value of a column of the two tables.
fn range_of(column: &str) -> [f64; 2] {
    let clinical = CLINICAL
        .iter()
        .find(|(name, _, _)| *name == column)
        .map(|(_, _, range)| *range);
    clinical.unwrap_or(match column {
        "fma_gain" => [-66.0, 66.0],
        _ if column.starts_with("fma") => [0.0, 66.0],
        _ => [0.0, 100.0],
    })
}
