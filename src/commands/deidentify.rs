use recoup::base::FileError;
use recoup::deidentify::{Deidentifier, DeidentifyRules, deidentify_folder, key_from_file};

use super::Usage;
use crate::cli::DeidentifyArgs;

/// Writes a folder anew without what identifies patients.
pub fn run(args: &DeidentifyArgs) -> super::Result<()> {
    let text = std::fs::read_to_string(&args.rules).map_err(FileError::io(&args.rules, "read"))?;
    let rules: DeidentifyRules = toml::from_str(&text)
        .map_err(|error| Usage(format!("{}: {}", args.rules.display(), error.to_string().trim_end())))?;
    let wrong = |problem: String| Usage(format!("{}: {problem}", args.rules.display()));
    let deidentifier = Deidentifier::new(&key_from_file(&args.key_file)?, rules).map_err(wrong)?;
    let mapping = args.mapping.as_deref();
    let report = deidentify_folder(&args.folder, &args.out, &deidentifier, args.skip_unknown, mapping)?;
    for path in &report.skipped {
        eprintln!("left out: {}", path.display());
    }
    if args.json.json {
        return super::print_json(&report);
    }
    let (files, patients) = (report.files.len(), report.num_patients);
    super::print(&format!(
        "{}: {files} files of {patients} patients, {} left out\n",
        args.out.display(),
        report.num_skipped
    ))
}
