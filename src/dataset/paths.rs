//! Places of datasets on disk.

use std::path::PathBuf;

/// Folders of datasets.
#[derive(Clone, Debug)]
pub struct DataPaths {
    /// Folder with one folder per dataset.
    pub datasets: PathBuf,
    /// Folder for prepared data, one folder per dataset; without one they go to the datasets, which must then be writable.
    pub prepared: Option<PathBuf>,
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

    /// `<prepared>/<name>`, or else `<datasets>/<name>/prepared`: tables as training reads them.
    pub fn prepared(&self, name: &str) -> PathBuf {
        match &self.prepared {
            Some(prepared) => prepared.join(name),
            None => self.datasets.join(name).join("prepared"),
        }
    }
}
