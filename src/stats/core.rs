//! What one serving core counts. Written by that core alone, read by the admin thread.

use std::time::Duration;

use super::counter::{Counter, Gauge, Histogram};
use super::route::{Route, STATUSES, status_index};

/// The counts of one serving core.
#[derive(Debug, Default)]
pub struct CoreStats {
    requests: [[Counter; STATUSES.len()]; Route::ALL.len()],
    seconds: [Histogram; Route::ALL.len()],
    /// Answers of each route that nobody was sent, and that were not taken off the count yet.
    unsent: [[Gauge; STATUSES.len()]; Route::ALL.len()],
    /// When the read transaction that is open now began, in ms since the epoch; 0 when none is.
    pub reading_since: Gauge,
    /// Requests whose outcome is awaited.
    pub tickets: Gauge,
    /// Requests for what other nodes hold.
    pub elsewhere: ElsewhereStats,
}

/// What became of requests for what other nodes hold.
#[derive(Debug, Default)]
pub struct ElsewhereStats {
    /// Those that another node answered.
    pub answered: Counter,
    /// Times that a node was asked in vain, so that the next was asked, or nobody was left.
    pub failed: Counter,
    /// Times that a node was late, so that the next was asked as well.
    pub late: Counter,
    /// Times that a node was asked for many reads at once.
    pub together: Counter,
}

impl CoreStats {
    /// Counts one answered request.
    pub fn answered(&self, route: Route, status: u16, took: Duration) {
        self.requests[route as usize][status_index(status)].add(1);
        self.seconds[route as usize].record_time(took);
    }

    /// Counts requests that were answered together, as many of each status as `counts` has, less
    /// those that were thrown away.
    pub fn answered_together(&self, route: Route, counts: &[u64; STATUSES.len()], took: Duration) {
        let mut all = 0;
        let unsent = &self.unsent[route as usize];
        for ((counter, unsent), count) in
            self.requests[route as usize].iter().zip(unsent).zip(counts)
        {
            if *count > 0 {
                let repeated = unsent.get().min(*count);
                unsent.fall(repeated);
                counter.add(count - repeated);
                all += count - repeated;
            }
        }
        self.seconds[route as usize].record_times(took, all);
    }

    /// An answer was thrown away, and is made anew for whoever asked: one of its status is not
    /// counted.
    pub fn thrown_away(&self, route: Route, status: u16) {
        self.unsent[route as usize][status_index(status)].rise(1);
    }

    /// Answers of `route` by [`STATUSES`] index.
    pub fn requests(&self, route: Route) -> &[Counter; STATUSES.len()] {
        &self.requests[route as usize]
    }

    /// Requests answered, of all routes.
    pub fn answers(&self) -> u64 {
        self.requests.iter().flatten().map(Counter::get).sum()
    }

    /// Time from the request's head to the answer's head, by route.
    pub fn seconds(&self, route: Route) -> &Histogram {
        &self.seconds[route as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counter::BUCKETS;

    #[test]
    fn an_answer_that_is_made_twice_is_counted_once() {
        let stats = CoreStats::default();
        let counts = |found: u64, missing: u64| {
            let mut counts = [0; STATUSES.len()];
            (counts[status_index(200)], counts[status_index(404)]) = (found, missing);
            counts
        };
        let told = || {
            let requests = stats.requests(Route::Get);
            [200, 404].map(|status| requests[status_index(status)].get())
        };
        stats.answered_together(Route::Get, &counts(3, 1), Duration::ZERO);
        assert_eq!(told(), [3, 1]);
        stats.thrown_away(Route::Get, 200);
        stats.thrown_away(Route::Get, 200);
        stats.answered_together(Route::Get, &counts(1, 1), Duration::ZERO);
        assert_eq!(told(), [3, 2]);
        stats.answered_together(Route::Get, &counts(2, 0), Duration::ZERO);
        assert_eq!(told(), [4, 2]);
        let mut buckets = [0; BUCKETS];
        stats.seconds(Route::Get).collect(&mut buckets);
        assert_eq!(buckets.iter().sum::<u64>(), 6);
    }
}
