//! The owner's loop where the data directory is the log: it places what the cores submit.

use pumice_shards::Writer;

use super::{Owner, told};
use crate::clock;
use crate::log::embedded;
use crate::mesh::inbox::{Batch, Outlet};
use crate::mesh::ticket::{Answer, Ticket, Unmade};

impl Owner {
    /// Places and applies what `outlet` gives, until every inbox is gone.
    pub(super) fn own(mut self, outlet: &Outlet) -> Writer {
        let (mut logged, mut homes, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
        let mut litter = true;
        while let Some(batch) = self.next(outlet, &mut litter) {
            let (works, waiting) = batch.take(outlet);
            if self.abandoned() {
                continue;
            }
            if self.stats.broken_because().is_some() {
                let homes: Vec<Ticket> = works.iter().map(|work| work.home).collect();
                drop(waiting);
                let broken = Answer::Unmade(Unmade::Broken);
                self.home.send(homes.into_iter().map(|home| told(home, broken)));
                continue;
            }
            embedded::stamp(&self.writer, works, clock::now(), &mut logged, &mut homes);
            let applied = self.apply(&logged, &mut verdicts);
            drop(waiting);
            match applied {
                Ok(()) => {
                    let judged = homes.iter().zip(&verdicts);
                    self.home
                        .send(judged.map(|(home, verdict)| told(*home, Answer::Judged(*verdict))));
                }
                Err(unmade) => {
                    let answer = Answer::Unmade(unmade);
                    self.home.send(homes.iter().map(|home| told(*home, answer)));
                }
            }
        }
        self.writer
    }

    /// The next batch; while nothing waits, litter is swept.
    fn next(&mut self, outlet: &Outlet, litter: &mut bool) -> Option<Batch> {
        while *litter && !outlet.waits() {
            *litter = self.sweep();
        }
        outlet.gather()
    }
}
