use std::path::Path;

use recoup::figures::{RenderOptions, render};
use recoup_formats::{DescribeOptions, describe, open};

use super::Usage;
use crate::cli::ShowArgs;

/// Whether `name` is a file, a folder, or a WFDB record by its name without extension.
pub fn is_file(name: &str) -> bool {
    Path::new(name).exists() || Path::new(&format!("{name}.hea")).is_file()
}

/// Describes or draws a file.
pub fn run(args: &ShowArgs) -> super::Result<()> {
    let file = Path::new(&args.name);
    let contents = open(file)?;
    let Some(picture) = &args.out else {
        let description = describe(
            &contents,
            DescribeOptions {
                personal: args.personal,
            },
        );
        return if args.json.json {
            super::print_json(&description)
        } else {
            super::print(&description.to_string())
        };
    };
    if picture
        .extension()
        .is_none_or(|extension| !extension.eq_ignore_ascii_case("png"))
    {
        let message = format!(
            "{}: pictures are PNG\nhint: give a name that ends in .png",
            picture.display()
        );
        return Err(Usage(message).into());
    }
    let title = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let options = RenderOptions {
        title,
        channel: args.channel.clone(),
        start_secs: args.start,
        duration_secs: args.duration,
        width: args.width,
    };
    write(picture, &render(&contents, &options)?.png)
}

fn write(path: &Path, bytes: &[u8]) -> super::Result<()> {
    std::fs::write(path, bytes).map_err(recoup::base::FileError::io(path, "write"))?;
    super::print(&format!("{}\n", path.display()))
}
