//! The binary: one allocator, one command line, one exit code.

use std::process::ExitCode;

use pumice::{args, cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::parse() {
        Ok((arguments, matches)) => cli::run(arguments, &matches),
        Err(code) => code,
    }
}
