//! The `loadgen` binary: parses, does, and exits with 0 when every answer was right, 1 when not, 64
//! when the arguments do not go together.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use pumice_loadgen::args::{Cli, Command};
use pumice_loadgen::run::{self, Fault};
use pumice_loadgen::{compare, knee};

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(fault) => {
            let _ = fault.print();
            return if fault.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second signal ends the process at once; the first ends the run with a report.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop));
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    let done = match &cli.command {
        Command::Run(args) => run::run(args, &stop),
        Command::Load(args) => run::load(args, &stop),
        Command::Knee(args) => knee::run(args, &stop),
        Command::Compare(args) => compare::run(args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Fault::Usage(fault)) => {
            eprintln!("loadgen: {fault}");
            ExitCode::from(USAGE)
        }
        Err(Fault::Failed(fault)) => {
            eprintln!("loadgen: {fault}");
            ExitCode::FAILURE
        }
    }
}
