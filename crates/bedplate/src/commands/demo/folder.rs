//! A project that lasts as long as the demo.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use bedplate_core::ids::{SystemIds, text};

use crate::exit::Failure;

/// Removed when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new folder that nobody else may look into, with a `bedplate.toml`.
    pub(super) fn with(config: &str) -> Result<Self, Failure> {
        let name = text(&*SystemIds::shared(), b"abcdefghijklmnopqrstuvwxyz0123456789", 16);
        let path = std::env::temp_dir().join(format!("bedplate-demo-{name}"));
        let failed = |e: std::io::Error| Failure::usage(format!("`{}` cannot be made: {e}", path.display()));
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        let folder = Self(path.clone());
        fs::write(path.join("bedplate.toml"), config).map_err(failed)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
