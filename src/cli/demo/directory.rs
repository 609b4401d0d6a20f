//! The data directory of a demo: fresh, its own, and gone when the demo ends. On the main thread.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, process};

use crate::cli::output::Failure;

/// A directory that is removed when this is dropped.
pub struct Directory(PathBuf);

impl Directory {
    /// Makes it among the temporary files, for this user only.
    pub fn new() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("pumice-demo-{}", process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|fault| Failure::new(format!("{}: {fault}", path.display())))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_dir_all(&self.0) {
            eprintln!("pumice: {} is left behind: {fault}", self.0.display());
        }
    }
}
