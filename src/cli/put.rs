//! `pumice put`: one record written. On the main thread.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use pumice_client::{Expect, OutcomeKind, WriteId, Written};
use pumice_model::wire::{WriteBody, parse_etag};

use super::output::{Done, block_on, print_json, print_line};
use crate::args::Server;

/// Arguments of `pumice put`.
#[derive(Args, Debug)]
pub struct PutArgs {
    /// Partition key
    #[arg(allow_hyphen_values = true)]
    pk: String,
    /// Sort key
    #[arg(allow_hyphen_values = true)]
    sk: String,
    /// The value as JSON text; - reads it from stdin
    #[arg(allow_hyphen_values = true)]
    data: String,
    /// The record stops to exist after this many milliseconds
    #[arg(long, value_name = "MS")]
    ttl: Option<u64>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    server: Server,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What must hold for a write, and its name.
#[derive(Args, Debug)]
pub struct Terms {
    /// Condition over the stored record, such as 'data == null'
    #[arg(long = "if", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// What must be there: absent, exists, or the entity tag "P-O" of the stored record
    #[arg(long, value_name = "WHAT", value_parser = expectation)]
    pub expect: Option<Expect>,
    /// 32 hex digits that name this write, so that a repeat is not a second write
    #[arg(long, value_name = "HEX", value_parser = write_id)]
    pub write_id: Option<WriteId>,
}

/// Writes, and prints where the entry stands.
pub fn run(args: &PutArgs) -> Done {
    let client = args.server.client()?;
    let mut data = args.data.clone();
    if data == "-" {
        data.clear();
        std::io::stdin().read_to_string(&mut data)?;
    }
    let mut put = client.put_json(&args.pk, &args.sk, data);
    if let Some(ttl) = args.ttl {
        put = put.ttl(Duration::from_millis(ttl));
    }
    if let Some(condition) = &args.terms.condition {
        put = put.condition(condition);
    }
    if let Some(expect) = args.terms.expect {
        put = put.expect(expect);
    }
    if let Some(id) = args.terms.write_id {
        put = put.write_id(id);
    }
    let written = block_on(async { Ok(put.await?) })?;
    print_written(args.json, &written)
}

/// Prints a write that was not refused.
pub fn print_written(json: bool, written: &Written) -> Done {
    let (partition, offset) = (written.token.partition.0, written.token.offset.0);
    let outcome = written.outcome;
    if json {
        print_json(&WriteBody { outcome, partition, offset, reason: None })?;
    } else {
        let word = match outcome {
            OutcomeKind::Applied if written.created => "applied, created",
            OutcomeKind::Applied => "applied",
            _ => "logged",
        };
        print_line(&format!("{word}: partition {partition}, offset {offset}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn expectation(text: &str) -> Result<Expect, String> {
    match text {
        "absent" => Ok(Expect::Absent),
        "exists" => Ok(Expect::Exists),
        // A shell eats the quotes of an entity tag more often than not.
        tag => parse_etag(&format!("\"{}\"", tag.trim_matches('"')))
            .map(Expect::At)
            .map_err(|_| "give absent, exists or an entity tag such as 3-17".to_owned()),
    }
}

/// Reads `--write-id`.
pub fn write_id(text: &str) -> Result<WriteId, String> {
    WriteId::parse(text).ok_or_else(|| "give 32 hex digits".to_owned())
}
