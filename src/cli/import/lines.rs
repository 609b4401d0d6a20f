//! Lines to batches: reads, parses and checks each line, and gives its record to the lane of its
//! key. On the reader's thread, which waits when the lanes are full.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use pumice_client::Puts;
use pumice_model::hash::murmur2;
use pumice_model::json::compact_valid;
use pumice_model::limits::VALUE_MAX;
use pumice_model::mutation::{Malformed, check_keys};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;

use super::lanes::{Single, Work};
use super::progress::Progress;
use super::source::Source;
use super::tally::Tally;

/// Records of one request; a server takes 10,000.
const BATCH: usize = 1_000;
/// Bytes of one request's body after which it is sent; a server takes 16 MiB.
const BATCH_BYTES: usize = 4 * 1_024 * 1_024;
/// Records whose value is not an object are sent one a request, this many at once in a lane.
const SINGLES: usize = 64;
/// Bytes of one line: a value at its limit with room for much whitespace.
const LINE_MAX: usize = 8 * 1_024 * 1_024;

/// One line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<'l> {
    /// The partition key.
    #[serde(borrow)]
    pub pk: Cow<'l, str>,
    /// The sort key.
    #[serde(borrow)]
    pub sk: Cow<'l, str>,
    /// The value.
    #[serde(borrow)]
    pub data: &'l RawValue,
}

/// What the reader saw.
pub struct Seen {
    /// Lines, blank and skipped ones included.
    pub lines: u64,
    /// Lines that were not sent.
    pub tally: Tally,
    /// Why reading ended early.
    pub broken: Option<String>,
}

/// Reads the source to its end, or until `stop`.
pub fn read(
    source: Source,
    from_line: u64,
    queues: Vec<Sender<Work>>,
    stop: &AtomicBool,
    progress: &Progress,
) -> Seen {
    let mut lanes: Vec<_> = queues.into_iter().map(Filling::new).collect();
    let mut seen = Seen { lines: 0, tally: Tally::default(), broken: None };
    if let Err(fault) = walk(source, from_line, &mut lanes, stop, progress, &mut seen) {
        seen.broken = Some(format!("line {}: {fault}", seen.lines + 1));
    }
    lanes.iter_mut().for_each(Filling::flush);
    seen
}

fn walk(
    source: Source,
    from_line: u64,
    lanes: &mut [Filling],
    stop: &AtomicBool,
    progress: &Progress,
    seen: &mut Seen,
) -> io::Result<()> {
    let taken = source.taken();
    let mut text = source.text()?;
    let mut buffer = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        buffer.clear();
        let limit = LINE_MAX as u64 + 1;
        if text.by_ref().take(limit).read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        seen.lines += 1;
        let too_long = buffer.len() > LINE_MAX && buffer.last() != Some(&b'\n');
        if too_long {
            text.skip_until(b'\n')?;
        }
        if seen.lines < from_line {
            continue;
        }
        if seen.lines % 1_000 == 0 {
            progress.read(taken.load(Ordering::Relaxed));
        }
        if too_long {
            seen.tally.fail(seen.lines, || format!("the line is longer than {LINE_MAX} bytes"));
        } else if !buffer.trim_ascii().is_empty() {
            match parse(&buffer) {
                Ok(line) => lane(lanes, &line).push(seen.lines, &line),
                Err(fault) => seen.tally.fail(seen.lines, || fault),
            }
        }
    }
    Ok(())
}

/// One line, checked as far as that needs no server.
fn parse(bytes: &[u8]) -> Result<Line<'_>, String> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|fault| fault.to_string())?;
    check_keys(&line.pk, &line.sk).map_err(|fault| fault.to_string())?;
    let size = compact_valid(line.data.get()).map_err(|fault| fault.to_string())?.len();
    if size > VALUE_MAX {
        return Err(Malformed::DataSize(size).to_string());
    }
    Ok(line)
}

fn lane<'f>(lanes: &'f mut [Filling], line: &Line<'_>) -> &'f mut Filling {
    let hash = murmur2(line.pk.as_bytes()) ^ murmur2(line.sk.as_bytes()).rotate_left(16);
    let count = lanes.len();
    &mut lanes[hash as usize % count]
}

/// The batch of a lane that is being filled.
struct Filling {
    queue: Sender<Work>,
    puts: Puts,
    lines: Vec<u64>,
    singles: Vec<Single>,
    keys: HashSet<(String, String)>,
}

impl Filling {
    fn new(queue: Sender<Work>) -> Self {
        let (puts, lines) = (Puts::new(), Vec::new());
        Self { queue, puts, lines, singles: Vec::new(), keys: HashSet::new() }
    }

    fn push(&mut self, number: u64, line: &Line<'_>) {
        let many = Puts::takes(line.data);
        // What waits is of the other kind: it was earlier in the file, so it goes first.
        if many && !self.singles.is_empty() || !many && !self.puts.is_empty() {
            self.flush();
        }
        if many {
            self.puts.push_raw(&line.pk, &line.sk, line.data).expect("the value was checked");
            self.lines.push(number);
        } else {
            self.push_single(number, line);
        }
        let full = self.puts.len() >= BATCH || self.puts.bytes() >= BATCH_BYTES;
        if full || self.singles.len() >= SINGLES {
            self.flush();
        }
    }

    fn push_single(&mut self, number: u64, line: &Line<'_>) {
        let key = (line.pk.clone().into_owned(), line.sk.clone().into_owned());
        // Singles of one flush travel side by side, so a key may be there only once.
        if !self.keys.insert(key.clone()) {
            self.flush();
            self.keys.insert(key.clone());
        }
        let (pk, sk) = key;
        self.singles.push(Single { line: number, pk, sk, data: line.data.to_owned() });
    }

    fn flush(&mut self) {
        let work = if !self.puts.is_empty() {
            Work::Many(std::mem::take(&mut self.puts), std::mem::take(&mut self.lines))
        } else if !self.singles.is_empty() {
            self.keys.clear();
            Work::Singles(std::mem::take(&mut self.singles))
        } else {
            return;
        };
        // A lane takes all that comes until its queue is dropped, also after a stop.
        self.queue.blocking_send(work).expect("a lane outlives its queue");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn works(text: &'static str) -> (Vec<Work>, Seen) {
        let (queue, mut waiting) = mpsc::channel(1_000);
        let progress = Progress::new(None);
        let source = Source::bytes(text.as_bytes());
        let seen = read(source, 1, vec![queue], &AtomicBool::new(false), &progress);
        let mut works = Vec::new();
        while let Ok(work) = waiting.try_recv() {
            works.push(work);
        }
        (works, seen)
    }

    #[test]
    fn bad_lines_are_named_and_the_others_go_on() {
        let text = concat!(
            "{\"pk\":\"a\",\"sk\":\"1\",\"data\":{}}\n\n",
            "{\"pk\":\"\",\"sk\":\"1\",\"data\":{}}\r\n",
            "{\"pk\":\"a\",\"sk\":\"1\"}\nx\n",
            "{\"pk\":\"a\",\"sk\":\"1\",\"data\":{},\"ttl\":1}\n",
            "{\"pk\":\"a\",\"sk\":\"2\",\"data\":null}"
        );
        let (works, seen) = works(text);
        assert_eq!(seen.lines, 7);
        assert_eq!(seen.tally.failed, 4);
        let named: Vec<u64> = seen.tally.faults.keys().copied().collect();
        assert_eq!(named, [3, 4, 5, 6]);
        assert!(matches!(&works[..], [Work::Many(_, lines)] if *lines == [1, 7]));
    }

    #[test]
    fn the_order_of_a_key_is_kept() {
        let text = concat!(
            "{\"pk\":\"a\",\"sk\":\"1\",\"data\":{}}\n",
            "{\"pk\":\"a\",\"sk\":\"1\",\"data\":1}\n",
            "{\"pk\":\"a\",\"sk\":\"2\",\"data\":2}\n",
            "{\"pk\":\"a\",\"sk\":\"1\",\"data\":3}\n",
            "{\"pk\":\"a\",\"sk\":\"1\",\"data\":null}\n",
        );
        let (works, _) = works(text);
        let shape: Vec<Vec<u64>> = works
            .iter()
            .map(|work| match work {
                Work::Many(_, lines) => lines.clone(),
                Work::Singles(singles) => singles.iter().map(|single| single.line).collect(),
            })
            .collect();
        assert_eq!(shape, [vec![1], vec![2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn deep_and_large_values_are_failed_here() {
        let deep = format!("{{\"pk\":\"a\",\"sk\":\"\",\"data\":{}}}", "[".repeat(65) + &"]".repeat(65));
        assert!(parse(deep.as_bytes()).unwrap_err().contains("nested deeper"));
        let large = format!("{{\"pk\":\"a\",\"sk\":\"\",\"data\":\"{}\"}}", "x".repeat(VALUE_MAX));
        assert!(parse(large.as_bytes()).unwrap_err().contains("allowed are"));
        let spaced = format!("{{\"pk\":\"a\",\"sk\":\"\",\"data\":[{}]}}", " ".repeat(VALUE_MAX));
        assert!(parse(spaced.as_bytes()).is_ok());
    }
}
