//! (pure) How soon other nodes answer this core: what only one of a hundred answers exceeds, over
//! the last few. One a core.

use std::cell::{Cell, RefCell};
use std::time::Duration;

/// Answers that count, and how many come between two looks at them.
const ANSWERS: usize = 256;
const BETWEEN: usize = 32;
/// No second node is asked sooner: a commit or a burst at the first takes as long.
const LEAST: Duration = Duration::from_millis(20);
/// And none later: what is longer than any round trip was a client's doing, or no fault of one
/// node.
const MOST: Duration = Duration::from_millis(500);

/// The times of the last answers.
#[derive(Debug)]
pub struct Pace {
    last: RefCell<Vec<Duration>>,
    count: Cell<usize>,
    late: Cell<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { last: RefCell::default(), count: Cell::new(0), late: Cell::new(LEAST) }
    }
}

impl Pace {
    /// An answer began after `time`.
    pub fn took(&self, time: Duration) {
        let count = self.count.replace(self.count.get() + 1);
        let mut last = self.last.borrow_mut();
        if last.len() < ANSWERS {
            last.push(time);
        } else {
            last[count % ANSWERS] = time;
        }
        if count % BETWEEN == BETWEEN - 1 {
            let mut sorted = last.clone();
            sorted.sort_unstable();
            self.late.set(sorted[(sorted.len() - 1) * 99 / 100].clamp(LEAST, MOST));
        }
    }

    /// When an answer is late, so that another node is asked as well.
    pub fn late(&self) -> Duration {
        self.late.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_what_one_of_a_hundred_exceeds() {
        let (pace, ms) = (Pace::default(), Duration::from_millis);
        assert_eq!(pace.late(), LEAST);
        (0..4 * ANSWERS).for_each(|_| pace.took(ms(1)));
        assert_eq!(pace.late(), LEAST);
        (0..ANSWERS).for_each(|nth| pace.took(ms(nth as u64)));
        assert!((ms(250)..=ms(254)).contains(&pace.late()), "{:?}", pace.late());
        (0..ANSWERS).for_each(|_| pace.took(ms(40)));
        assert_eq!(pace.late(), ms(40));
    }
}
