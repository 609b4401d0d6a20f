//! The commands. Each runs on the main thread; those that talk to a server have a runtime of their
//! own on it, and none of them touches a served data directory.

pub mod batch;
pub mod check;
pub mod completions;
pub mod delete;
pub mod demo;
pub mod doctor;
pub mod drain;
pub mod export;
pub mod get;
pub mod import;
pub mod list;
mod logging;
mod output;
pub mod put;
mod serve;
pub mod snapshot;
pub mod status;

use std::process::ExitCode;

use clap::ArgMatches;

use crate::args::{Arguments, Command};

/// Runs a command; its exit code is 0 only if it did all of what was asked.
pub fn run(arguments: Arguments, matches: &ArgMatches) -> ExitCode {
    match arguments.command {
        Command::Serve => serve::run(matches),
        Command::Demo(args) => demo::run(&args),
        Command::Import(args) => output::finish(args.json, import::run(&args)),
        Command::Export(args) => output::finish(args.json, export::run(&args)),
        Command::Get(args) => output::finish(args.json, get::run(&args)),
        Command::Put(args) => output::finish(args.json, put::run(&args)),
        Command::Delete(args) => output::finish(args.json, delete::run(&args)),
        Command::List(args) => output::finish(args.json, list::run(&args)),
        Command::Batch(args) => output::finish(args.json, batch::run(&args)),
        Command::Status(args) => output::finish(args.json, status::run(&args)),
        Command::Drain(args) => output::finish(args.json, drain::run(&args)),
        Command::Snapshot(args) => snapshot::run(&args, matches),
        Command::Check(args) => output::finish(args.json, check::run(&args)),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => output::finish(false, completions::run(&args)),
    }
}
