//! Exact counts, and the first lines that were not applied with what became of them. Each lane has
//! its own; they are added up at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use indicatif::HumanCount;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// Lines that are named; the others are counted.
const NAMED: usize = 20;

/// Counts of one lane, or of all.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records in the store.
    pub applied: u64,
    /// Records that the server judged and did not apply.
    pub refused: u64,
    /// Lines that were wrong, not sent, or whose outcome is not known.
    pub failed: u64,
    /// The first refused and failed lines.
    pub faults: BTreeMap<u64, String>,
    /// The first line that may be sent again.
    first_unsent: Option<u64>,
}

impl Tally {
    /// Counts a refused line.
    pub fn refuse(&mut self, line: u64, reason: String) {
        self.refused += 1;
        self.name(line, || format!("refused: {reason}"));
    }

    /// Counts a line that can never be applied; the text is only made when it will be shown.
    pub fn fail(&mut self, line: u64, text: impl FnOnce() -> String) {
        self.failed += 1;
        self.name(line, || format!("failed: {}", text()));
    }

    /// Counts a line that was not sent, or whose outcome is not known: a put, so it can be sent
    /// again.
    pub fn miss(&mut self, line: u64, text: impl FnOnce() -> String) {
        self.first_unsent = Some(self.first_unsent.map_or(line, |first| first.min(line)));
        self.fail(line, text);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: Tally) {
        self.applied += other.applied;
        self.refused += other.refused;
        self.failed += other.failed;
        self.first_unsent = self.first_unsent.into_iter().chain(other.first_unsent).min();
        for (line, text) in other.faults {
            self.name(line, || text);
        }
    }

    fn name(&mut self, line: u64, text: impl FnOnce() -> String) {
        let full = self.faults.len() == NAMED;
        if full && self.faults.last_key_value().is_some_and(|(last, _)| line > *last) {
            return;
        }
        self.faults.insert(line, text());
        if self.faults.len() > NAMED {
            self.faults.pop_last();
        }
    }
}

/// What an import did.
#[derive(Debug)]
pub struct Summary {
    tally: Tally,
    lines: u64,
    broken: Option<String>,
    elapsed: Duration,
}

impl Summary {
    pub(super) fn new(tally: Tally, lines: u64, broken: Option<String>, elapsed: Duration) -> Self {
        Self { tally, lines, broken, elapsed }
    }

    /// Whether the whole source was read and every record applied.
    pub fn complete(&self) -> bool {
        self.tally.refused == 0 && self.tally.failed == 0 && self.broken.is_none()
    }

    /// Records that are in the store.
    pub fn applied(&self) -> u64 {
        self.tally.applied
    }

    /// The lines that were not applied, as far as they are named, and how to go on.
    pub fn fault_lines(&self) -> Vec<String> {
        let named = self.tally.faults.iter();
        let mut texts: Vec<_> = named.map(|(line, text)| format!("line {line} {text}")).collect();
        let more = self.tally.refused + self.tally.failed - self.tally.faults.len() as u64;
        if more > 0 {
            texts.push(format!("and {} more lines", HumanCount(more)));
        }
        texts.extend(self.broken.iter().map(|fault| format!("the source broke off at {fault}")));
        if let Some(line) = self.tally.first_unsent {
            texts.push(format!("once the server takes writes, go on with --from-line {line}"));
        }
        texts
    }

    fn per_second(&self) -> u64 {
        (self.tally.applied as f64 / self.elapsed.as_secs_f64().max(1e-6)) as u64
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { applied, refused, failed, .. } = &self.tally;
        write!(
            f,
            "{} applied, {} refused, {} failed: {} lines in {:.1} s, {} records/s",
            HumanCount(*applied),
            HumanCount(*refused),
            HumanCount(*failed),
            HumanCount(self.lines),
            self.elapsed.as_secs_f64(),
            HumanCount(self.per_second()),
        )
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fault<'t> {
            line: u64,
            message: &'t str,
        }
        let named = self.tally.faults.iter();
        let faults: Vec<_> =
            named.map(|(line, text)| Fault { line: *line, message: text }).collect();
        let mut body = serializer.serialize_struct("Summary", 9)?;
        body.serialize_field("complete", &self.complete())?;
        body.serialize_field("lines", &self.lines)?;
        body.serialize_field("applied", &self.tally.applied)?;
        body.serialize_field("refused", &self.tally.refused)?;
        body.serialize_field("failed", &self.tally.failed)?;
        body.serialize_field("seconds", &self.elapsed.as_secs_f64())?;
        body.serialize_field("records_per_second", &self.per_second())?;
        body.serialize_field("faults", &faults)?;
        body.serialize_field("broken", &self.broken)?;
        body.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_named_whatever_the_order() {
        let mut all = Tally::default();
        for lane in 0..3 {
            let mut tally = Tally::default();
            for line in (1..=100).rev().filter(|line| line % 3 == lane) {
                if line % 2 == 0 {
                    tally.miss(line, || "x".into());
                } else {
                    tally.refuse(line, "y".into());
                }
            }
            all.merge(tally);
        }
        assert_eq!((all.refused, all.failed), (50, 50));
        let named: Vec<u64> = all.faults.keys().copied().collect();
        assert_eq!(named, (1..=20).collect::<Vec<u64>>());
        assert_eq!(all.first_unsent, Some(2));

        let summary = Summary::new(all, 100, None, Duration::from_secs(1));
        let texts = summary.fault_lines();
        assert_eq!(texts[0], "line 1 refused: y");
        assert_eq!(texts[20], "and 80 more lines");
        assert!(!summary.complete());
    }
}
