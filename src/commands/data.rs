use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use recoup::cohort::audit::{Audit, Severity, folders_of_one_class};
use recoup::cohort::prepared::Prepared;
use recoup::cohort::split::SubjectInfo;
use recoup::dataset::card::Card;
use recoup::dataset::fetch::{
    AcceptedHash, FetchPlan, FileSpec, HttpOptions, Progress, Source, fetch, fetch_hash_list,
};
use recoup::dataset::{DataPaths, SessionReader};
use recoup::experiment::config::DataSource;
use recoup::experiment::{ExperimentFile, ExperimentPlan};
use recoup::runs::write_document;
use serde_json::json;

use super::Usage;
use crate::cli::{DataCommand, ShowArgs};

/// Carries out a `data` command.
pub fn run(command: DataCommand, paths: &DataPaths) -> super::Result<()> {
    match command {
        DataCommand::List(json) => list(paths, json.json),
        DataCommand::Show(args) => match paths.card(&args.name).is_file() || !super::show_file::is_file(&args.name) {
            true => show(&card(paths, &args.name)?, paths, &args),
            false => super::show_file::run(&args),
        },
        DataCommand::Deidentify(args) => super::deidentify::run(&args),
        DataCommand::Fetch { name, from, base_url } => fetch_dataset(&card(paths, &name)?, paths, from, base_url),
        DataCommand::Prepare { name } => {
            let card = card(paths, &name)?;
            let bar = super::preparation_bar(false);
            let progress = |done, all| super::advance(&bar, done, all);
            let prepared = Prepared::from_card_with(&card, &paths.raw(&name), &paths.prepared(&name), &progress);
            bar.finish_and_clear();
            let prepared = prepared?;
            super::warn_of(&prepared);
            super::print(&describe(&prepared))
        }
        DataCommand::Simulate { out, layout, set } => super::simulate::run(&out, layout, &set),
        DataCommand::New { folder } => super::new::run(&folder),
        DataCommand::Audit {
            experiment,
            overrides,
            json,
        } => audit(&experiment, &overrides.set, paths, json.json),
    }
}

fn names(paths: &DataPaths) -> Vec<String> {
    let entries = std::fs::read_dir(&paths.datasets).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| paths.card(name).is_file())
        .collect();
    names.sort();
    names
}

fn card(paths: &DataPaths, name: &str) -> super::Result<Card> {
    if !paths.card(name).is_file() {
        let known = names(paths);
        let message = format!(
            "no dataset {name:?}: {} does not exist\nhint: there is {}",
            paths.card(name).display(),
            if known.is_empty() {
                "none; see --datasets".into()
            } else {
                known.join(", ")
            }
        );
        return Err(Usage(message).into());
    }
    Ok(Card::load(&paths.card(name))?)
}

fn list(paths: &DataPaths, json: bool) -> super::Result<()> {
    let mut rows = Vec::new();
    for name in names(paths) {
        let card = card(paths, &name)?;
        let here = paths.raw(&name).is_dir();
        rows.push((card, here));
    }
    if json {
        let list: Vec<_> = rows
            .iter()
            .map(|(card, here)| json!({"name": card.name, "title": card.title, "licence": card.licence, "files_here": here}))
            .collect();
        return super::print_json(&list);
    }
    let line = |(card, here): &(Card, bool)| {
        format!(
            "{:<12} {:<10} {}\n",
            card.name,
            if *here { "here" } else { "not here" },
            card.title
        )
    };
    super::print(&rows.iter().map(line).collect::<String>())
}

fn show(card: &Card, paths: &DataPaths, args: &ShowArgs) -> super::Result<()> {
    if args.out.is_some() {
        let message = format!(
            "--out: {} is a dataset, and pictures are of files\nhint: name one of its files",
            args.name
        );
        return Err(Usage(message).into());
    }
    let modalities: Vec<(String, usize)> = card
        .modalities
        .iter()
        .map(|rule| (rule.name.clone(), rule.spec().channels.len()))
        .collect();
    if args.json.json {
        return super::print_json(&json!({
            "name": card.name, "title": card.title, "licence": card.licence, "citation": card.citation, "url": card.url,
            "classes": card.classes, "raw": paths.raw(&card.name), "files_here": paths.raw(&card.name).is_dir(),
            "modalities": modalities.iter().map(|(name, channels)| json!({"name": name, "num_channels": channels})).collect::<Vec<_>>(),
        }));
    }
    let mut text = format!("{}\n", if card.title.is_empty() { &card.name } else { &card.title });
    for (heading, value) in [
        ("url", &card.url),
        ("licence", &card.licence),
        ("classes", &card.classes.join(", ")),
    ] {
        if !value.is_empty() {
            text.push_str(&format!("{heading:<8} {value}\n"));
        }
    }
    for (name, channels) in modalities {
        text.push_str(&format!("modality {name}: {channels} channels\n"));
    }
    for work in &card.citation {
        text.push_str(&format!("cite     {work}\n"));
    }
    let raw = paths.raw(&card.name);
    let state = if raw.is_dir() {
        "here"
    } else {
        "not here: recoup data fetch"
    };
    text.push_str(&format!("files    {} ({state})\n", raw.display()));
    super::print(&text)
}

fn fetch_dataset(card: &Card, paths: &DataPaths, from: Option<PathBuf>, base_url: Option<String>) -> super::Result<()> {
    let source = from.map_or_else(|| Source::Http(HttpOptions::default()), Source::LocalDir);
    let base_url = base_url.unwrap_or_else(|| card.base_url.clone());
    let raw = paths.raw(&card.name);
    let Some(list) = &card.hashes else {
        let message = format!(
            "{}: the card names no list of hashes, so nothing can be fetched safely",
            card.path.display()
        );
        return Err(Usage(message).into());
    };
    match &card.hashes_sha256 {
        Some(hash) => {
            let files = vec![FileSpec::new(list, hash)];
            fetch(
                &FetchPlan {
                    base_url: base_url.clone(),
                    files,
                    to: raw.clone(),
                },
                &source,
                |_| (),
            )?;
        }
        None => write_document(&raw.join(list), fetch_hash_list(&base_url, list, &source)?.as_bytes())?,
    }
    let mut files = Vec::new();
    for (path, hashes) in card.declared_hashes(&raw)? {
        let reason = |hash: &str| {
            let accept = card
                .accept
                .iter()
                .find(|accept| accept.file == path && accept.sha256.eq_ignore_ascii_case(hash));
            accept.map(|accept| accept.reason.clone())
        };
        let sha256 = hashes
            .into_iter()
            .map(|sha256| AcceptedHash {
                reason: reason(&sha256),
                sha256,
            })
            .collect();
        files.push(FileSpec {
            path,
            sha256,
            size: None,
        });
    }
    let bar = progress_bar(files.len() as u64);
    let plan = FetchPlan {
        base_url,
        files,
        to: raw.clone(),
    };
    let report = fetch(&plan, &source, |event| match event {
        Progress::File { path, index, .. } => {
            bar.set_position(index as u64);
            bar.set_message(path.to_owned());
        }
        Progress::Retry { problem, attempt, .. } => bar.println(format!("{problem}; attempt {attempt}")),
        Progress::Bytes { .. } | Progress::Restart => {}
    })?;
    bar.finish_and_clear();
    super::print(&format!("{report}\n{}: {}\n", card.name, raw.display()))
}

fn progress_bar(files: u64) -> ProgressBar {
    let bar = ProgressBar::new(files);
    // The template is a constant that parses; a bar in indicatif's own style would do as well.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} files {msg}") {
        bar.set_style(style);
    }
    bar
}

fn describe(prepared: &Prepared) -> String {
    let mut text = format!(
        "{}: {} subjects, classes {}, content {}\n",
        prepared.name(),
        prepared.subjects().len(),
        prepared.classes().join(", "),
        prepared.content_hash()
    );
    for (index, modality) in prepared.modalities().iter().enumerate() {
        let channels: Vec<String> = modality
            .channels
            .iter()
            .map(|channel| format!("{} [{}]", channel.name, channel.unit))
            .collect();
        text.push_str(&format!(
            "{}: {} rows of {}\n",
            modality.name,
            prepared.num_rows(index),
            channels.join(", ")
        ));
    }
    text
}

fn audit(experiment: &Path, overrides: &[String], paths: &DataPaths, json: bool) -> super::Result<()> {
    let mut file = ExperimentFile::load(experiment, overrides)?;
    // Whatever a model starts from and variants change, the data and the splits are the same.
    file.config.training.init_from = None;
    file.config.variants.clear();
    let plan = ExperimentPlan::new(&file, super::open_data(&file, paths, true)?, Path::new(""), &|_, _| {})?;
    // In the order of the files, because one probe asks whether that order tells the class.
    let prepared = plan.base().prepared();
    let subjects: Vec<SubjectInfo> = prepared
        .subjects()
        .iter()
        .filter_map(|subject| {
            plan.splits()
                .subjects()
                .iter()
                .find(|info| info.id == subject.id)
                .cloned()
        })
        .collect();
    let mut audit = Audit::new(&subjects);
    for subject in prepared
        .subjects()
        .iter()
        .filter(|subject| subjects.iter().any(|info| info.id == subject.id))
    {
        for session in &subject.sessions {
            for source in plan.base().sources() {
                let spec = &prepared.modalities()[source.modality];
                let Some(values) = prepared.values(source.modality, session.rows[source.modality]) else {
                    continue;
                };
                // What goes into a fit, where there is one: what comes out differs between folds.
                let columns = if source.fitted {
                    (0..spec.num_columns()).collect()
                } else {
                    source.columns.clone()
                };
                for column in columns {
                    let name = match spec.channels.get(column) {
                        Some(channel) => format!("{}.{}", spec.name, channel.name),
                        None => format!("{}.{column}", spec.name),
                    };
                    let channel: Vec<f32> = values.chunks_exact(spec.num_columns()).map(|row| row[column]).collect();
                    audit.add(&subject.id, &name, &channel)?;
                }
            }
        }
    }
    let mut report = audit.finish(plan.splits())?;
    if let DataSource::Dataset(dataset) = &file.config.data.source {
        let (card, raw) = (card(paths, &dataset.name)?, paths.raw(&dataset.name));
        // Prepared data may be all that is here.
        if raw.is_dir() {
            report.add(folders_of_one_class(
                &SessionReader::open(&card, &raw)?.subjects_by_folder(),
            ));
        }
    }
    if json {
        super::print_json(&report)?
    } else {
        super::print(&format!("{report}\n"))?
    }
    if report.worst() == Some(Severity::Error) {
        let message = format!("{}: the audit found errors: results would be wrong", plan.config().name);
        return Err(super::Findings(message).into());
    }
    Ok(())
}
