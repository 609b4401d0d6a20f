//! A report of a run that never was, for the tests of what is made from reports.

use super::{Report, Settings};
use crate::drive::Outcome;
use crate::mix::Op;
use crate::random::Random;
use crate::record::{Interval, SECOND};
use crate::target::Http;

/// A report of a run that never was, for tests.
pub(crate) fn sample(seconds: usize) -> Report {
    let mut random = Random::new(1);
    let mut outcome = Outcome { wall: seconds.max(1) as u64 * SECOND, ..Outcome::default() };
    for second in 0..seconds {
        let mut interval = Interval { second: second as u64, ..Interval::default() };
        for op in [Op::Read, Op::Put] {
            let count = interval.ops.entry(op).or_default();
            for _ in 0..500 {
                let spread = 1 << (10 + random.below(14));
                let time = 200_000 + random.below(spread);
                count.latency.saturating_record(time);
                count.service.saturating_record(time / 2);
                count.records += 1;
            }
        }
        outcome.total.add(&interval);
        outcome.seconds.push(interval);
    }
    outcome.busy = vec![0.5];
    let settings = Settings {
        target: "http://127.0.0.1:8190".into(),
        http: Http::Two,
        connections: 8,
        streams: 100,
        threads: 1,
        rate: Some(1_000.0),
        poisson: false,
        warm_up_s: 2.0,
        mix: "read=50,put=50".into(),
        keys: "uniform".into(),
        records: 1_000_000,
        per_pk: 1,
        value_size: 200,
        batch: 100,
        miss: 0.0,
        verify: true,
        seed: 1,
    };
    let duration = outcome.wall;
    Report::new(settings, "", &outcome, duration)
}
