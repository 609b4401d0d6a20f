//! `pumice snapshot`: takes, lists, proves, restores and removes snapshots. On the main thread,
//! with a runtime of its own; `create` asks a running node, the others go to the object store.

mod create;
mod list;
mod prune;
mod restore;
mod verify;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Done, Failure, finish};
use crate::args::EXIT_USAGE;
use crate::objects::Objects;
use crate::settings::{self, ObjectsSettings, SettingFault, Surroundings};
use crate::snapshot::catalog::Whose;

/// Arguments of `pumice snapshot`.
#[derive(Args, Debug)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Have a running node take a snapshot of every partition, and wait for it
    Create(create::CreateArgs),
    /// Show what is in the object store
    List(list::ListArgs),
    /// Read snapshots whole, and prove every checksum and state hash
    Verify(verify::VerifyArgs),
    /// Restore partitions of a data directory that is not served
    Restore(restore::RestoreArgs),
    /// Remove snapshots that need not be kept
    Prune(prune::PruneArgs),
}

/// Whose snapshots a command means, where no data directory says it.
#[derive(Args, Debug)]
struct Namespace {
    /// The namespace [default: default] [env: PUMICE_NAMESPACE]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

/// Everything of a namespace, whatever its partitions and hash.
fn whose(namespace: String) -> Whose {
    Whose { namespace, layout: None }
}

/// Adds the settings of the object store to the commands that go there.
pub fn with_object_flags(command: Command) -> Command {
    let going = ["list", "verify", "restore", "prune"];
    going.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| command.args(settings::object_flags()))
    })
}

/// Runs one of them.
pub fn run(args: &SnapshotArgs, matches: &ArgMatches) -> ExitCode {
    let matches = matches.subcommand_matches("snapshot").and_then(ArgMatches::subcommand);
    let (_, matches) = matches.expect("the command was parsed");
    match &args.what {
        What::Create(args) => finish(args.json, create::run(args)),
        What::List(args) => with_namespace(args.json, matches, |objects, namespace| {
            list::run(args, objects, whose(namespace))
        }),
        What::Verify(args) => with_namespace(args.json, matches, |objects, namespace| {
            verify::run(args, objects, whose(namespace))
        }),
        What::Restore(args) => {
            with_objects(args.json, matches, |objects| restore::run(args, objects))
        }
        What::Prune(args) => with_namespace(args.json, matches, |objects, namespace| {
            prune::run(args, objects, whose(namespace))
        }),
    }
}

/// [`with_objects`] for what is about one namespace, which flags, environment and file can name.
fn with_namespace(
    json: bool,
    matches: &ArgMatches,
    run: impl FnOnce(&ObjectsSettings, String) -> Done,
) -> ExitCode {
    match settings::resolve_namespace(matches, &Surroundings::of_this_process()) {
        Ok(namespace) => with_objects(json, matches, |objects| run(objects, namespace)),
        Err(faults) => refuse(&faults),
    }
}

/// Runs what goes to the object store, or tells everything that is wrong with its settings.
fn with_objects(
    json: bool,
    matches: &ArgMatches,
    run: impl FnOnce(&ObjectsSettings) -> Done,
) -> ExitCode {
    match settings::resolve_objects(matches, &Surroundings::of_this_process()) {
        Ok(objects) => finish(json, run(&objects)),
        Err(faults) => refuse(&faults),
    }
}

fn refuse(faults: &[SettingFault]) -> ExitCode {
    faults.iter().for_each(|fault| eprintln!("pumice: {fault}"));
    ExitCode::from(EXIT_USAGE)
}

fn open(settings: &ObjectsSettings) -> Result<Objects, Failure> {
    Objects::open(settings).map_err(Failure::new)
}

/// A bar over something countable, on stderr and only where that is a terminal.
fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}");
    bar.set_style(style.expect("the template is right").progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
