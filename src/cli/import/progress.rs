//! The progress bar of an import, on stderr and only where that is a terminal. Written to from the
//! reader's thread and the lanes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use pumice_client::Error;

/// How far an import is.
pub struct Progress {
    bar: ProgressBar,
    applied: AtomicU64,
    started: Instant,
}

impl Progress {
    /// A bar over the bytes of the source, or a spinner where they are not known.
    pub fn new(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), "{bar:30} {percent:>3}%  {msg}"),
            None => (ProgressBar::new_spinner(), "{spinner}  {msg}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is right");
        bar.set_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, applied: AtomicU64::new(0), started: Instant::now() }
    }

    /// So many bytes of the source were read.
    pub fn read(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// So many more records are in the store.
    pub fn applied(&self, more: u64) {
        let applied = self.applied.fetch_add(more, Ordering::Relaxed) + more;
        if self.bar.is_hidden() {
            return;
        }
        let rate = applied as f64 / self.started.elapsed().as_secs_f64().max(1e-6);
        let (applied, rate) = (HumanCount(applied), HumanCount(rate as u64));
        self.bar.set_message(format!("{applied} records, {rate}/s"));
    }

    /// The server takes nothing at the moment.
    pub fn waiting(&self, fault: &Error) {
        self.bar.set_message(format!("waiting: {fault}"));
    }

    /// Takes the bar away; what remains is said by the summary.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
