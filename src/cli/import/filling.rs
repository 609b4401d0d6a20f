//! The batches of one lane that are being filled. On the reader's thread, which waits here when the
//! lane is behind; records with one key must leave in the order of the file.

use std::collections::HashSet;
use std::mem::take;

use pumice_client::Puts;
use tokio::sync::mpsc::Sender;

use super::lanes::{Single, Work};
use super::line::Line;

/// Records of one request; a server takes 10,000.
const BATCH: usize = 1_000;
/// Bytes of one request's body after which it is sent; a server takes 16 MiB.
const BATCH_BYTES: usize = 4 * 1_024 * 1_024;
/// Records whose value is not an object are sent one a request, this many at once in a lane.
const SINGLES: usize = 64;

/// What waits to become work for a lane.
pub struct Filling {
    queue: Sender<Work>,
    puts: Puts,
    lines: Vec<u64>,
    put_keys: HashSet<u64>,
    singles: Vec<Single>,
    single_keys: HashSet<u64>,
}

impl Filling {
    /// Nothing yet, for the lane behind this queue.
    pub fn new(queue: Sender<Work>) -> Self {
        Self {
            queue,
            puts: Puts::new(),
            lines: Vec::new(),
            put_keys: HashSet::new(),
            singles: Vec::new(),
            single_keys: HashSet::new(),
        }
    }

    /// Adds a record. `key` is a hash of its key: two keys with one hash only flush early.
    pub fn push(&mut self, number: u64, key: u64, line: &Line<'_>) {
        // Singles travel side by side, and the two kinds one after the other, in any order: what
        // has this key already has to go first.
        if self.single_keys.contains(&key) {
            self.flush_singles();
        }
        if Puts::takes(line.data) {
            self.puts.push_raw(&line.pk, &line.sk, line.data).expect("the value was checked");
            self.lines.push(number);
            self.put_keys.insert(key);
        } else {
            if self.put_keys.contains(&key) {
                self.flush_puts();
            }
            let (pk, sk) = (line.pk.clone().into_owned(), line.sk.clone().into_owned());
            self.singles.push(Single { line: number, pk, sk, data: line.data.to_owned() });
            self.single_keys.insert(key);
        }
        if self.puts.len() >= BATCH || self.puts.bytes() >= BATCH_BYTES {
            self.flush_puts();
        }
        if self.singles.len() >= SINGLES {
            self.flush_singles();
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        self.flush_puts();
        self.flush_singles();
    }

    fn flush_puts(&mut self) {
        self.put_keys.clear();
        if !self.puts.is_empty() {
            let work = Work::Many(take(&mut self.puts), take(&mut self.lines));
            self.send(work);
        }
    }

    fn flush_singles(&mut self) {
        self.single_keys.clear();
        if !self.singles.is_empty() {
            let work = Work::Singles(take(&mut self.singles));
            self.send(work);
        }
    }

    fn send(&self, work: Work) {
        // A lane takes all that comes until its queue is dropped, also after a stop.
        self.queue.blocking_send(work).expect("a lane outlives its queue");
    }
}
