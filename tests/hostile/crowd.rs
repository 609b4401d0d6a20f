//! Ten thousand clients that keep a connection and say nothing more.

use std::net::SocketAddr;
use std::process::Command;

use crate::RECORD;
use crate::server::keepalive::Connection;

/// Clients.
const CROWD: usize = 10_000;

/// Files that the rest of the tests and of the server need.
const OTHERS: usize = 1_000;

/// Opens them all, each with one answered request, and asks some of them again.
pub fn idle(address: SocketAddr) {
    let crowd = CROWD.min(files().saturating_sub(OTHERS));
    if crowd < CROWD {
        println!(
            "only {crowd} idle connections of {CROWD}: the hard limit of open files is too low"
        );
    }
    let mut kept: Vec<Connection> = Vec::with_capacity(crowd);
    for _ in 0..crowd {
        let mut connection = Connection::open(address);
        assert_eq!(connection.request("GET", RECORD, &[], b"").unwrap().status, 200);
        kept.push(connection);
    }
    for connection in kept.iter_mut().step_by(97) {
        assert_eq!(connection.request("GET", RECORD, &[], b"").unwrap().status, 200);
    }
}

/// Raises the limit of open files of this process, and so of servers that it starts, as far as it
/// may go; tells how far that is.
pub fn files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut columns =
        line.split_whitespace().skip(3).map(|text| text.parse().unwrap_or(usize::MAX));
    let (soft, hard) = (columns.next().unwrap(), columns.next().unwrap());
    let pid = std::process::id().to_string();
    let nofile = format!("--nofile={hard}:{hard}");
    let raised = soft >= CROWD + OTHERS
        || Command::new("prlimit")
            .args(["--pid", &pid, &nofile])
            .status()
            .is_ok_and(|s| s.success());
    if raised { hard } else { soft }
}
