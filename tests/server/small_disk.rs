//! A small disk that can be filled: a tmpfs, mounted where only a test and its server see it. The
//! test runs once more in a child that has mount points of its own.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const MOUNTED: &str = "FULL_DISK_TEST_AT";
const MOUNT: &str = "mount -t tmpfs -o size=24m none \"$0\"";

/// Where the small disk is, in the child; `None` in the parent, after the child has passed, or
/// after `skipped` was told why there can be none.
pub fn mounted(test: &str, skipped: impl FnOnce(&str)) -> Option<PathBuf> {
    if let Some(at) = env::var_os(MOUNTED) {
        return Some(at.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let shell = |flags: &str, script: &str| {
        let mut command = Command::new("unshare");
        command.args([flags, "sh", "-c", script]).arg(dir.path()).env(MOUNTED, dir.path());
        command.arg(env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
        command.output()
    };
    let may = |flags: &&str| shell(flags, MOUNT).is_ok_and(|output| output.status.success());
    let Some(flags) = ["-m", "-rm"].into_iter().find(may) else {
        skipped("this process may not mount a tmpfs, with or without a user namespace");
        return None;
    };
    let output = shell(flags, &format!("{MOUNT} && exec \"$@\"")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
    None
}
