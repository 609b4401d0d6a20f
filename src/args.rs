//! The whole command line. Parsed once, on the main thread, before anything is opened; the
//! settings of `serve` are not judged here but with the environment and the settings file.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use pumice_client::{Builder, Client, Error};

use crate::cli::{
    batch, check, completions, delete, demo, doctor, drain, export, get, import, list, put,
    snapshot, status,
};
use crate::settings;

/// `sysexits.h` calls it EX_USAGE: the command line has to change.
pub const EXIT_USAGE: u8 = 64;

/// A thread-per-core, read-heavy storage server over an ordered log.
#[derive(Debug, Parser)]
#[command(name = "pumice", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a data directory
    #[command(after_help = SERVE_HELP)]
    Serve,
    /// Serve the bundled sample from a fresh directory, and show what can be asked
    Demo(demo::DemoArgs),
    /// Load records, one JSON object {"pk","sk","data"} a line
    Import(import::ImportArgs),
    /// Write every record, one JSON object {"pk","sk","data"} a line
    Export(export::ExportArgs),
    /// Read one record
    Get(get::GetArgs),
    /// Write one record
    Put(put::PutArgs),
    /// Remove one record
    Delete(delete::DeleteArgs),
    /// Read the records of one pk, by sk
    List(list::ListArgs),
    /// Apply puts and deletes of one partition, all or none
    Batch(batch::BatchArgs),
    /// Show the cores, shards and partitions of a server
    Status(status::StatusArgs),
    /// Have a node's peers take over what it serves, before it is stopped
    Drain(drain::DrainArgs),
    /// Take, list, prove, restore and remove snapshots
    Snapshot(snapshot::SnapshotArgs),
    /// Walk every table of a data directory that is not served, and prove that they agree
    Check(check::CheckArgs),
    /// Tell what of this machine would stop or slow a server, and the remedy
    Doctor(doctor::DoctorArgs),
    /// Print the completions for a shell
    Completions(completions::CompletionsArgs),
}

const SERVE_HELP: &str = "\
A flag wins over its PUMICE_* variable, which wins over the settings file.

Exit codes: 0 stopped by a signal, 64 a setting is wrong, 69 the log or the objects do not answer,
73 the data directory is taken, or it or the log belongs to another cluster, 77 the brokers turn
this node away, 78 the machine lacks something (see pumice doctor).";

/// The server that a command talks to.
#[derive(Args, Debug)]
pub struct Server {
    /// Address of the server's public port
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// Whom it is trusted by.
    #[command(flatten)]
    pub trust: Trust,
}

/// Whom a server at an https address is trusted by.
#[derive(Args, Debug)]
pub struct Trust {
    /// PEM file of the authorities that the server's certificate must come from [default: those
    /// of the web] [env: PUMICE_CA]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Trust {
    /// A client of the server at `url`, to be set up.
    pub fn builder(&self, url: &str) -> Builder {
        let variable = || env::var_os("PUMICE_CA").filter(|file| !file.is_empty());
        let builder = Client::builder(url);
        match self.ca.clone().or_else(|| variable().map(PathBuf::from)) {
            Some(file) => builder.ca(file),
            None => builder,
        }
    }
}

impl Server {
    /// A client of it.
    ///
    /// # Errors
    /// When its address or the file of authorities will not do.
    pub fn client(&self) -> Result<Client, Error> {
        self.trust.builder(&self.url).build()
    }
}

/// Where a server listens unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8190";

/// The command line with the settings of `serve` in it.
pub fn command() -> clap::Command {
    Arguments::command()
        .mut_subcommand("serve", |serve| serve.args(settings::flags()))
        .mut_subcommand("snapshot", snapshot::with_object_flags)
}

/// Reads this process's command line. On a wrong one, or where help was asked for, everything is
/// printed already and the exit code is handed back.
pub fn parse() -> Result<(Arguments, ArgMatches), ExitCode> {
    let read = command().try_get_matches().and_then(|matches| {
        let arguments = Arguments::from_arg_matches(&matches)?;
        Ok((arguments, matches))
    });
    read.map_err(|fault| {
        // Nothing can be done about a closed terminal.
        let _ = fault.print();
        match fault.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(EXIT_USAGE),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn serve_takes_settings_and_the_others_do_not() {
        assert!(command().try_get_matches_from(["pumice", "serve", "--cores", "1"]).is_ok());
        assert!(
            command().try_get_matches_from(["pumice", "get", "a", "b", "--cores", "1"]).is_err()
        );
    }

    #[test]
    fn keys_and_values_may_start_with_a_dash() {
        for line in [
            ["pumice", "get", "-1", "-x"].as_slice(),
            &["pumice", "put", "a", "-1", "-5"],
            &["pumice", "put", "a", "b", "-"],
            &["pumice", "delete", "--", "--url", "b"],
            &["pumice", "list", "-1"],
        ] {
            assert!(command().try_get_matches_from(line).is_ok(), "{line:?}");
        }
    }
}
