//! Which runtime a core runs on: glommio, or tokio as the control of every measurement and where
//! io_uring is forbidden. Chosen once, on the starting thread; a core's thread keeps to its one.

use std::cell::Cell;
use std::fmt;

use super::probe::{Missing, probe, raise_open_files};

thread_local! {
    static HERE: Cell<Option<Runtime>> = const { Cell::new(None) };
}

/// What runs the tasks of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// glommio's task queue, with sockets and sleep of our own. It needs io_uring.
    Glommio,
    /// tokio's current-thread runtime, as it comes.
    Tokio,
}

impl Runtime {
    /// The `wanted` one, or where none is, glommio if this machine lets it run and else tokio, with
    /// one line in the log that says why. Raises the soft limits that a server comes to.
    ///
    /// # Errors
    /// What glommio lacks, if it is wanted.
    pub fn choose(wanted: Option<Runtime>) -> Result<Runtime, Missing> {
        raise_open_files();
        match wanted {
            Some(Runtime::Tokio) => Ok(Runtime::Tokio),
            Some(Runtime::Glommio) => probe().map(|()| Runtime::Glommio),
            None => Ok(probe().map_or_else(
                |missing| {
                    tracing::warn!("serving on tokio, since glommio cannot run: {missing}");
                    Runtime::Tokio
                },
                |()| Runtime::Glommio,
            )),
        }
    }

    /// The one of this core.
    pub(super) fn here() -> Runtime {
        HERE.get().expect("tasks, sockets and timers are used on a core")
    }

    /// Makes this thread a core of it.
    pub(super) fn settle(self) {
        HERE.set(Some(self));
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runtime::Glommio => "glommio",
            Runtime::Tokio => "tokio",
        })
    }
}

/// Runs `test` on every runtime that this machine has.
#[cfg(test)]
pub(crate) fn on_each(test: impl Fn(Runtime)) {
    match probe() {
        Ok(()) => test(Runtime::Glommio),
        Err(missing) => println!("skipped on glommio: {missing}"),
    }
    test(Runtime::Tokio);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_wanted_runtime_is_had_or_refused_and_never_another() {
        assert_eq!(Runtime::choose(Some(Runtime::Tokio)), Ok(Runtime::Tokio));
        match probe() {
            Ok(()) => {
                assert_eq!(Runtime::choose(Some(Runtime::Glommio)), Ok(Runtime::Glommio));
                assert_eq!(Runtime::choose(None), Ok(Runtime::Glommio));
            }
            Err(missing) => {
                assert_eq!(Runtime::choose(Some(Runtime::Glommio)), Err(missing));
                assert_eq!(Runtime::choose(None), Ok(Runtime::Tokio));
            }
        }
    }

    #[test]
    fn a_core_knows_its_runtime() {
        on_each(|runtime| {
            let core = runtime.spawn("core-here", None, || async { Runtime::here() });
            assert_eq!(core.unwrap().join(), Ok(runtime));
        });
    }
}
