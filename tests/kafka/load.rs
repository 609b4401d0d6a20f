//! Writers that put rising numbers on keys of their own, without a condition, and readers that see
//! none of them fall: the property that every fault of a broker must leave whole. A thread each.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::node::Node;

/// Between two requests of one of them: what all write must stay below what a mock keeps.
const PAUSE: Duration = Duration::from_millis(4);

/// What became of the numbers that one writer wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// They have to be there, or what came after them.
    pub acknowledged: BTreeSet<u64>,
    /// 503: certainly not appended.
    pub unappended: BTreeSet<u64>,
    /// 504: nobody knows.
    pub unknown: BTreeSet<u64>,
}

impl Written {
    /// Whether `last` can be what writer `name` left in its key.
    pub fn agrees(&self, name: usize, last: u64) {
        let acknowledged = self.acknowledged.last().copied().unwrap_or(0);
        assert!(last >= acknowledged, "writer {name}: {acknowledged} is lost, there is {last}");
        assert!(
            self.acknowledged.contains(&last) || self.unknown.contains(&last),
            "writer {name}: {last} was never written"
        );
    }
}

/// Lets so many writers write, and as many readers read, while `during` runs.
pub fn under_load(node: &Node, writers: usize, during: impl FnOnce()) -> Vec<Written> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        let writing: Vec<_> =
            (0..writers).map(|name| scope.spawn(move || write(name, node, over))).collect();
        let reading: Vec<_> =
            (0..writers).map(|name| scope.spawn(move || watch(name, node, over))).collect();
        // A panic in here must not leave the others running for ever.
        let end = End(over);
        during();
        drop(end);
        reading.into_iter().for_each(|reader| reader.join().unwrap());
        writing.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The number that stands in a writer's key.
pub fn read(name: usize, node: &Node) -> Option<u64> {
    let read = node.get(&format!("/v1/records/writer-{name}/n"), &[]);
    match read.status {
        200 => Some(read.text().parse().unwrap()),
        404 => None,
        other => panic!("status {other}: {read:?}"),
    }
}

/// Every second writer waits for the log only.
fn write(name: usize, node: &Node, over: &AtomicBool) -> Written {
    let mut written = Written::default();
    let wait = if name.is_multiple_of(2) { "applied" } else { "log" };
    for number in 1.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let put = node.put(&format!("writer-{name}/n?wait={wait}"), &[], &number.to_string());
        let of_status = match put.status {
            200 | 201 => &mut written.acknowledged,
            503 => &mut written.unappended,
            504 => &mut written.unknown,
            other => panic!("status {other}: {put:?}"),
        };
        of_status.insert(number);
        thread::sleep(PAUSE);
    }
    written
}

fn watch(name: usize, node: &Node, over: &AtomicBool) {
    let mut highest = 0;
    while !over.load(Ordering::SeqCst) {
        let now = read(name, node).unwrap_or(0);
        assert!(now >= highest, "writer {name}: {now} after {highest}");
        highest = now;
        thread::sleep(PAUSE);
    }
}
