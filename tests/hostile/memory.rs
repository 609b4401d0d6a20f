//! How much memory the server holds that is no file's, by its own `/metrics`.

use std::thread;
use std::time::{Duration, Instant};

use crate::server::{Server, request};

/// What may stay behind, in bytes, and how long it may take until only that is left.
const LEFT: u64 = 20 << 20;
const TIME: Duration = Duration::from_secs(30);

/// Bytes now.
pub fn anonymous(server: &Server) -> u64 {
    let page = request(server.admin, "GET", "/metrics", &[], b"").text();
    let line = page.lines().find_map(|line| line.strip_prefix("pumice_anonymous_memory_bytes "));
    line.unwrap().parse().unwrap()
}

/// Waits until the server holds hardly more than `before`.
pub fn is_back(server: &Server, before: u64) {
    let first = anonymous(server);
    println!("{before} bytes of memory before, {first} at the end");
    let deadline = Instant::now() + TIME;
    loop {
        let now = anonymous(server);
        if now <= before + LEFT {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{before} bytes before, {first} at the end, still {now}"
        );
        thread::sleep(Duration::from_millis(250));
    }
}
