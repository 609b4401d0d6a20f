//! `pumice get`: one record. On the main thread.

use std::process::ExitCode;

use clap::Args;
use pumice_model::wire::{GotRecord, etag, parse_offsets};
use serde_json::value::RawValue;

use super::output::{Done, Failure, block_on, print_json, print_line};
use crate::args::Server;

/// Arguments of `pumice get`.
#[derive(Args, Debug)]
pub struct GetArgs {
    /// Partition key
    #[arg(allow_hyphen_values = true)]
    pk: String,
    /// Sort key
    #[arg(allow_hyphen_values = true)]
    sk: String,
    /// Wait until the server has applied these offsets
    #[arg(long, value_name = "P:O,..")]
    min_offsets: Option<String>,
    #[command(flatten)]
    server: Server,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Prints the value as it is stored; the exit code is 1 when there is none.
pub fn run(args: &GetArgs) -> Done {
    let mut client = args.server.client()?;
    for token in args.min_offsets.iter().flat_map(|text| text.split(',')) {
        for token in parse_offsets(token).map_err(Failure::new)? {
            client = client.at_least(token);
        }
    }
    let record = block_on(async { Ok(client.get(&args.pk, &args.sk).await?) })?;
    if args.json {
        let data = record.as_ref().map(|record| serde_json::from_str::<&RawValue>(&record.data));
        print_json(&GotRecord {
            pk: args.pk.as_str().into(),
            sk: args.sk.as_str().into(),
            found: record.is_some(),
            unavailable: false,
            data: data.transpose().map_err(Failure::new)?,
            etag: record.as_ref().map(|record| etag(record.token).into()),
        })?;
    } else if let Some(record) = &record {
        print_line(&record.data)?;
    } else {
        eprintln!("pumice: no record ({:?}, {:?})", args.pk, args.sk);
    }
    Ok(if record.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
