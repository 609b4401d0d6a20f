//! What one serving core counts. Written by that core alone, read by the admin thread.

use std::time::Duration;

use super::counter::{Counter, Gauge, Histogram};
use super::route::{Route, STATUSES, status_index};

/// The counts of one serving core.
#[derive(Debug, Default)]
pub struct CoreStats {
    requests: [[Counter; STATUSES.len()]; Route::ALL.len()],
    seconds: [Histogram; Route::ALL.len()],
    /// When the read transaction that is open now began, in ms since the epoch; 0 when none is.
    pub reading_since: Gauge,
    /// Requests whose outcome is awaited.
    pub tickets: Gauge,
}

impl CoreStats {
    /// Counts one answered request.
    pub fn answered(&self, route: Route, status: u16, took: Duration) {
        self.requests[route as usize][status_index(status)].add(1);
        self.seconds[route as usize].record_time(took);
    }

    /// Counts requests that were answered together, as many of each status as `counts` has.
    pub fn answered_together(&self, route: Route, counts: &[u64; STATUSES.len()], took: Duration) {
        for (counter, count) in self.requests[route as usize].iter().zip(counts) {
            if *count > 0 {
                counter.add(*count);
            }
        }
        self.seconds[route as usize].record_times(took, counts.iter().sum());
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
