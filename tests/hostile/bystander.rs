//! An honest client beside the attacks: it reads all the time, on a connection that it keeps and on
//! new ones, and notes how long its longest read took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::RECORD;
use crate::server::keepalive::Connection;

/// What the design promises to every read, whatever others do.
const ANSWER: Duration = Duration::from_secs(1);

/// Readers of one server.
pub struct Bystander {
    done: Arc<AtomicBool>,
    readers: Vec<JoinHandle<Seen>>,
}

struct Seen {
    reads: usize,
    longest: Duration,
}

impl Bystander {
    /// Starts to read, until asked how it was.
    pub fn watch(address: SocketAddr) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let readers = [true, false].map(|keeps| {
            let done = done.clone();
            thread::spawn(move || read_until(&done, address, keeps))
        });
        Self { done, readers: readers.into() }
    }

    /// Ends, and fails if a read took longer than promised.
    pub fn had_answers_in_time(self) {
        self.done.store(true, Ordering::Relaxed);
        for reader in self.readers {
            let Seen { reads, longest } = reader.join().unwrap();
            println!("{reads} reads, the longest took {longest:?}");
            assert!(longest < ANSWER, "one of {reads} reads took {longest:?}");
            assert!(reads > 20, "only {reads} reads in all that time");
        }
    }
}

fn read_until(done: &AtomicBool, address: SocketAddr, keeps: bool) -> Seen {
    let mut seen = Seen { reads: 0, longest: Duration::ZERO };
    let mut connection = Connection::open(address);
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        if !keeps {
            connection = Connection::open(address);
        }
        let reply = connection.request("GET", RECORD, &[], b"").unwrap();
        assert_eq!(reply.text(), "\"here\"");
        seen.longest = seen.longest.max(began.elapsed());
        seen.reads += 1;
        thread::sleep(Duration::from_millis(20));
    }
    seen
}
