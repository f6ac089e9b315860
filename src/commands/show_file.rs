use std::path::{Path, PathBuf};

use recoup::data::formats::{DescribeOptions, describe, open};
use recoup::tracking::figure::{RenderOptions, render};

use super::Usage;

/// What `data show` does with a file.
pub struct ShowFile {
    /// The file, a WFDB record without extension, or a folder of images.
    pub file: PathBuf,
    /// Print JSON.
    pub json: bool,
    /// Show what may identify a person.
    pub personal: bool,
    /// Write a picture here, instead of the description.
    pub picture: Option<PathBuf>,
    /// Draw this signal, point or column alone.
    pub channel: Option<String>,
    /// Draw from here.
    pub start_secs: f64,
    /// Draw no more than this.
    pub duration_secs: Option<f64>,
    /// Width of the picture in pixels.
    pub width: u32,
}

/// Describes or draws a file.
pub fn run(args: &ShowFile) -> anyhow::Result<()> {
    let contents = open(&args.file)?;
    let Some(picture) = &args.picture else {
        let description = describe(&contents, DescribeOptions { personal: args.personal });
        return if args.json { super::print_json(&description) } else { super::print(&description.to_string()) };
    };
    if picture.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
        let message = format!("{}: pictures are PNG\nhint: give a name that ends in .png", picture.display());
        return Err(Usage(message).into());
    }
    let title = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let options = RenderOptions {
        title,
        channel: args.channel.clone(),
        start_secs: args.start_secs,
        duration_secs: args.duration_secs,
        width: args.width,
    };
    write(picture, &render(&contents, &options)?.png)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).map_err(recoup::data::DataError::io(path, "write"))?;
    super::print(&format!("{}\n", path.display()))
}
