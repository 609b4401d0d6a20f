//! The places that `pumice serve` would take: a directory, its disk, two ports. Runs on the main
//! thread. It must leave nothing behind: no directory is made and no port is kept.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statfs, statvfs};

use super::{Row, fail, ok, warn};

/// Below this somebody should look at what fills the disk.
const DISK_ENOUGH: u64 = 10 << 30;
/// Below this the first import may fill it.
const DISK_LEAST: u64 = 256 << 20;

/// The directory, or the nearest one above it that exists.
fn existing(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let found = absolute.ancestors().find(|dir| dir.is_dir()).map(Path::to_owned);
    found.unwrap_or_else(|| PathBuf::from("/"))
}

pub fn filesystem(data_dir: &Path) -> Row {
    let dir = existing(data_dir);
    let shown = dir.display();
    if access(&dir, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let remedy = "give this user the right to write there, or another --data-dir";
        return fail("filesystem", format!("{shown} is not writable"), remedy);
    }
    match statfs(&dir) {
        // The number is 32 bits wide; some architectures keep it in a signed word.
        Ok(stat) => kind_of_filesystem(stat.f_type as u32, &dir),
        Err(error) => fail("filesystem", format!("{shown}: {error}"), "give another --data-dir"),
    }
}

/// `magic` as in statfs(2).
fn kind_of_filesystem(magic: u32, dir: &Path) -> Row {
    let on = |name: &str| format!("{} is on {name}", dir.display());
    let network = "LMDB needs memory maps and locks of one machine: use a local disk";
    let volatile = "what is committed here does not outlive a restart: use a disk";
    match magic {
        0x6969 => fail("filesystem", on("NFS"), network),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => fail("filesystem", on("SMB"), network),
        0x0102_1997 => fail("filesystem", on("9p"), network),
        0x00c3_6400 => fail("filesystem", on("Ceph"), network),
        0x0bd0_0bd0 => fail("filesystem", on("Lustre"), network),
        0x0102_1994 | 0x8584_58f6 => warn("filesystem", on("tmpfs"), volatile),
        0x794c_7630 => warn("filesystem", on("overlayfs"), "mount a volume for --data-dir"),
        0x6573_5546 => warn("filesystem", on("FUSE"), "see that it honours fsync and memory maps"),
        0xef53 => ok("filesystem", on("ext4")),
        0x5846_5342 => ok("filesystem", on("XFS")),
        0x9123_683e => ok("filesystem", on("Btrfs")),
        0x2fc1_2fc1 => ok("filesystem", on("ZFS")),
        other => ok("filesystem", on(&format!("a filesystem of type {other:#x}"))),
    }
}

pub fn disk(data_dir: &Path) -> Row {
    match statvfs(existing(data_dir)) {
        Ok(stat) => free_space(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(error) => fail("disk space", error.to_string(), "give another --data-dir"),
    }
}

fn free_space(free: u64) -> Row {
    let found = format!("{} MiB free", free >> 20);
    let remedy = "a full shard refuses writes until there is room: free some, or add to the disk";
    match free {
        free if free >= DISK_ENOUGH => ok("disk space", found),
        free if free >= DISK_LEAST => warn("disk space", found, remedy),
        _ => fail("disk space", found, remedy),
    }
}

pub fn port(check: &'static str, address: SocketAddr) -> Row {
    match TcpListener::bind(address) {
        Ok(_) => ok(check, format!("{address} is free")),
        // On a machine that serves already this is as it should be.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let remedy = "unless a pumice serves there already, give another port";
            warn(check, format!("{address} is taken"), remedy)
        }
        Err(error) => fail(check, format!("{address}: {error}"), "give another address"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::super::Status;
    use super::*;

    #[test]
    fn each_place_can_be_less_than_ok() {
        let kind = |magic| kind_of_filesystem(magic, Path::new("/d")).status;
        assert_eq!(kind(0xef53), Status::Ok);
        assert_eq!(kind(0x0102_1994), Status::Warn);
        assert_eq!(kind(0x6969), Status::Fail);
        assert_eq!(free_space(1 << 40).status, Status::Ok);
        assert_eq!(free_space(1 << 30).status, Status::Warn);
        assert_eq!(free_space(1 << 20).status, Status::Fail);

        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(port("http port", taken.local_addr().unwrap()).status, Status::Warn);
    }

    #[test]
    fn an_absent_directory_is_looked_for_and_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let absent = parent.path().join("a/b");
        assert_eq!(existing(&absent), parent.path());
        disk(&absent);
        filesystem(&absent);
        assert!(!parent.path().join("a").exists());
    }
}
