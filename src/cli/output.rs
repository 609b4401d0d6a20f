//! How a command ends: a failure goes to stderr as one line, with `--json` also to stdout as one
//! object, and becomes an exit code. On the main thread; it must never print half a result.

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use pumice_client::{Error, Token};
use serde::Serialize;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    kind: &'static str,
    message: String,
    token: Option<Token>,
    // The reader of our output went away: nobody is left to be told.
    silent: bool,
}

/// What a command that ran to its end hands back.
pub type Done = Result<ExitCode, Failure>;

#[derive(Serialize)]
struct FailureBody<'f> {
    error: FailureDetail<'f>,
}

#[derive(Serialize)]
struct FailureDetail<'f> {
    kind: &'f str,
    message: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl Failure {
    /// A failure of this side.
    pub fn new(message: impl ToString) -> Self {
        Self { kind: "failed", message: message.to_string(), token: None, silent: false }
    }
}

impl From<Error> for Failure {
    fn from(fault: Error) -> Self {
        let (kind, token) = match &fault {
            Error::Refused { token, .. } => ("refused", *token),
            Error::Unavailable { reached, .. } => ("unavailable", *reached),
            Error::Unknown { token, .. } => ("unknown", *token),
            Error::Invalid { .. } => ("invalid", None),
            _ => ("protocol", None),
        };
        Self { kind, message: fault.to_string(), token, silent: false }
    }
}

impl From<io::Error> for Failure {
    fn from(fault: io::Error) -> Self {
        let silent = fault.kind() == io::ErrorKind::BrokenPipe;
        Self { silent, ..Self::new(fault) }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(fault: serde_json::Error) -> Self {
        Self::new(fault)
    }
}

/// Runs the network half of a command on a runtime of this thread.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Turns what came of a command into its exit code.
pub fn finish(json: bool, done: Done) -> ExitCode {
    let failure = match done {
        Ok(code) => return code,
        Err(failure) => failure,
    };
    if !failure.silent {
        eprintln!("pumice: {}", failure.message);
    }
    if json && !failure.silent {
        let error = FailureDetail {
            kind: failure.kind,
            message: &failure.message,
            partition: failure.token.map(|token| token.partition.0),
            offset: failure.token.map(|token| token.offset.0),
        };
        // A closed stdout changes nothing about the exit code.
        let _ = print_json(&FailureBody { error });
    }
    ExitCode::FAILURE
}

/// One JSON value and a line feed on stdout.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(io::stdout().write_all(&line)?)
}

/// One line of text on stdout. Unlike `println!`, no panic when nobody reads.
pub fn print_line(line: &str) -> Result<(), Failure> {
    Ok(io::stdout().write_all(format!("{line}\n").as_bytes())?)
}
