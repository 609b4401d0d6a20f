//! `pumice serve`: settings in, a node out, and an exit code when it has stopped. On the main
//! thread, which only waits while the node runs.

use std::process::ExitCode;

use clap::ArgMatches;

use super::logging;
use crate::args::EXIT_USAGE;
use crate::node::{self, StartFault};
use crate::settings::{self, Surroundings};

/// Says why a node did not start.
pub fn failed(fault: &StartFault) -> ExitCode {
    eprintln!("pumice: {fault}");
    ExitCode::from(fault.exit_code())
}

/// Serves until a signal ends it.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let matches = matches.subcommand_matches("serve").expect("serve was parsed");
    let resolved = match settings::resolve(matches, &Surroundings::of_this_process()) {
        Ok(resolved) => resolved,
        Err(faults) => {
            faults.iter().for_each(|fault| eprintln!("pumice: {fault}"));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if matches.get_flag("check-config") {
        print!("{resolved}");
        return ExitCode::SUCCESS;
    }
    logging::start(resolved.settings.process.log_level);
    match node::start(resolved.settings) {
        Ok(running) => running.wait(),
        Err(fault) => failed(&fault),
    }
}
