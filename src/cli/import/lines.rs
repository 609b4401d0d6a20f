//! Lines to batches: reads, parses and checks each line, and gives its record to the lane of its
//! key. On the reader's thread, which waits when the lanes are full.

use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use pumice_model::hash::murmur2;
use tokio::sync::mpsc::Sender;

use super::filling::Filling;
use super::lanes::Work;
use super::line::Line;
use super::progress::Progress;
use super::source::Source;
use super::tally::Tally;

/// Bytes of one line: a value at its limit with room for much whitespace.
const LINE_MAX: usize = 8 * 1_024 * 1_024;

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
        if seen.lines.is_multiple_of(1_000) {
            progress.read(taken.load(Ordering::Relaxed));
        }
        if too_long {
            seen.tally.fail(seen.lines, || format!("the line is longer than {LINE_MAX} bytes"));
        } else if !buffer.trim_ascii().is_empty() {
            match Line::parse(&buffer) {
                Ok(line) => {
                    let key = key(&line);
                    lane(lanes, key).push(seen.lines, key, &line);
                }
                Err(fault) => seen.tally.fail(seen.lines, || fault),
            }
        }
    }
    Ok(())
}

fn key(line: &Line<'_>) -> u64 {
    u64::from(murmur2(line.pk.as_bytes())) << 32 | u64::from(murmur2(line.sk.as_bytes()))
}

fn lane(lanes: &mut [Filling], key: u64) -> &mut Filling {
    let count = lanes.len() as u64;
    // Both halves count: a file is often sorted by pk, and a pk often has few sks.
    &mut lanes[((key ^ key >> 32) % count) as usize]
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
            "{\"pk\":\"a\",\"sk\":\"3\",\"data\":4}\n",
        );
        let (works, _) = works(text);
        let shape: Vec<Vec<u64>> = works
            .iter()
            .map(|work| match work {
                Work::Many(_, lines) => lines.clone(),
                Work::Singles(singles) => singles.iter().map(|single| single.line).collect(),
            })
            .collect();
        assert_eq!(shape, [vec![1], vec![2, 3], vec![4], vec![5], vec![6]]);
    }
}
