//! The files of the repository, as git lists them, or as a walk finds them where there is no git.
//! It must never miss a file that is about to be committed: untracked ones count.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scan::blank;

/// One text file. A Rust file's `code` is its text with comments and literals blanked.
pub struct File {
    /// From the repository's root, with `/`.
    pub path: String,
    pub text: String,
    pub code: String,
}

impl File {
    pub fn new(path: &str, text: &str) -> File {
        let code = if path.ends_with(".rs") { blank(text, true) } else { String::new() };
        File { path: path.to_owned(), text: text.to_owned(), code }
    }
}

/// All text files, ordered by path.
pub struct Tree {
    pub root: PathBuf,
    pub files: Vec<File>,
}

impl Tree {
    pub fn read() -> Tree {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut paths = listed_by_git(&root).unwrap_or_else(|| {
            let mut paths = Vec::new();
            walk(&root, "", &mut paths);
            paths
        });
        paths.sort();
        // Not UTF-8 means not text; gone means deleted and not yet committed.
        let read =
            |path: &String| Some(File::new(path, &fs::read_to_string(root.join(path)).ok()?));
        let files: Vec<_> = paths.iter().filter_map(read).collect();
        assert!(files.len() > 20, "only {} files found under {}", files.len(), root.display());
        Tree { root, files }
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub fn find(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub fn get(&self, path: &str) -> &File {
        self.find(path).unwrap_or_else(|| panic!("{path} is missing"))
    }
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let out = git.output().ok().filter(|out| out.status.success())?;
    let list = String::from_utf8(out.stdout).ok()?;
    let paths: Vec<_> = list.split_terminator('\0').map(str::to_owned).collect();
    // An export inside some other repository that ignores it.
    (!paths.is_empty()).then_some(paths)
}

fn walk(root: &Path, dir: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(dir)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            if ![".git", "target", "data"].contains(&name.as_str()) {
                walk(root, &path, paths);
            }
        } else {
            paths.push(path);
        }
    }
}

/// Past the test harness, which keeps a passing test's `println!` to itself.
pub fn tell(line: &str) {
    let mut stderr = io::stderr();
    stderr.write_all(line.as_bytes()).and_then(|()| stderr.write_all(b"\n")).unwrap();
}

#[test]
fn a_walk_finds_what_git_lists() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut walked = Vec::new();
    walk(&root, "", &mut walked);
    assert!(walked.iter().any(|path| path == "tests/tidy/tree.rs"));
    assert!(!walked.iter().any(|path| path.starts_with("target/")));
    match listed_by_git(&root) {
        Some(listed) => assert!(listed.iter().any(|path| path == "tests/tidy/tree.rs")),
        None => tell("skipped: no git here, the tree is walked instead"),
    }
}
