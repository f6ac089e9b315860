//! Places of datasets on disk.

use std::path::PathBuf;

/// Folders of datasets.
#[derive(Clone, Debug)]
pub struct DataPaths {
    /// Folder with one folder per dataset; prepared data goes to `<name>/prepared` in it.
    pub datasets: PathBuf,
}

impl DataPaths {
    /// `<datasets>/<name>/card.toml`.
    pub fn card(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("card.toml")
    }

    /// `<datasets>/<name>/raw`: files as published.
    pub fn raw(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("raw")
    }

    /// `<datasets>/<name>/prepared`: tables as training reads them.
    pub fn prepared(&self, name: &str) -> PathBuf {
        self.datasets.join(name).join("prepared")
    }
}
