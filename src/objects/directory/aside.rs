//! Files that become objects in one step. The blocking pool of the objects side thread; a power cut
//! must leave the old object or the new one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a directory may vanish before a file is in it.
const GONE_MAX: u32 = 100;

/// A file that is not an object yet. Gone with the value, unless it was placed.
pub struct Aside {
    /// Open for writing.
    pub file: File,
    path: PathBuf,
    placed: bool,
}

impl Aside {
    /// In the directory of `target`, where a rename is one step; the leading dot says that it is no
    /// object, and no key has one.
    pub fn beside(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let parent = target.parent().unwrap_or(target);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let mut gone = 0;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!(".{name}.{}.{count}.part", std::process::id()));
            let made = make_directories(parent).and_then(|()| File::create_new(&path));
            match made {
                Ok(file) => return Ok(Self { file, path, placed: false }),
                // Another machine may have the same number for a process.
                Err(there) if there.kind() == ErrorKind::AlreadyExists => {}
                // Whoever deleted the last object of a directory removed it meanwhile.
                Err(lost) if lost.kind() == ErrorKind::NotFound && gone < GONE_MAX => gone += 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Puts the file at `from` here in one step, in place of what was written; false when it must
    /// be copied, since it lies on another file system.
    pub fn take(&mut self, from: &Path) -> io::Result<bool> {
        if fs::rename(from, &self.path).is_err() {
            return Ok(false);
        }
        self.file = File::open(&self.path)?;
        Ok(true)
    }

    pub fn place(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.placed = true;
        sync_directory_of(target)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `create_dir_all` that survives a power cut.
fn make_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directories(parent)?;
    }
    match fs::create_dir(path) {
        Err(there) if there.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| sync_directory_of(path)),
    }
}

/// Removes the directory of what was deleted, if it was the last, and those above that are empty
/// then, but not `root`; survives a power cut.
pub fn tidy_above(deleted: &Path, root: &Path) -> io::Result<()> {
    let mut last = deleted;
    while let Some(parent) = last.parent().filter(|parent| *parent != root) {
        if fs::remove_dir(parent).is_err() {
            break;
        }
        last = parent;
    }
    sync_directory_of(last)
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
