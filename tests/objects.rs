//! Object stores from outside: what every store promises, and what S3 does to those who believe
//! it. The S3 server is in this process; a fault is on purpose and counted.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "objects/contract.rs"]
mod contract;
#[path = "objects/script.rs"]
mod script;
#[path = "objects/settings.rs"]
mod settings;
#[path = "objects/uploads.rs"]
mod uploads;
#[path = "objects/wire.rs"]
mod wire;

mod s3;

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use pumice::objects::{Objects, Patience};
use pumice::settings::ObjectsSettings;

use crate::s3::S3Server;

const MIB: usize = 1 << 20;

/// Short pauses: a test waits for no cloud.
fn patience() -> Patience {
    let (pause, deadline) = (Duration::from_millis(1), Duration::from_secs(20));
    Patience { tries: 4, pause, deadline }
}

fn bucket(server: &S3Server) -> Objects {
    let settings = ObjectsSettings::S3(server.settings("backups/a"));
    Objects::open_with(&settings, patience()).unwrap()
}

/// Runs as on the side thread: a runtime of one thread, and futures that may move.
fn run<F: Future + Send>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Bytes that repeat nowhere soon.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn file(directory: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = directory.path().join("spool");
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    path
}
