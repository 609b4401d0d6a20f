//! `pumice list`: the records of one pk. On the main thread.

use std::process::ExitCode;

use clap::Args;
use pumice_client::Listed;
use pumice_model::wire::{ListedRecord, etag};

use super::output::{Done, Failure, block_on, print_json, print_line};
use crate::args::Server;

/// Arguments of `pumice list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Partition key
    #[arg(allow_hyphen_values = true)]
    pk: String,
    /// Only sort keys that start with this
    #[arg(long, value_name = "SK", allow_hyphen_values = true)]
    prefix: Option<String>,
    /// Only sort keys greater than this
    #[arg(long, value_name = "SK", allow_hyphen_values = true)]
    after: Option<String>,
    /// Only sort keys smaller than this
    #[arg(long, value_name = "SK", allow_hyphen_values = true)]
    before: Option<String>,
    /// At most this many records
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Greatest sort key first
    #[arg(long)]
    reverse: bool,
    #[command(flatten)]
    server: Server,
    /// Print one JSON object a record
    #[arg(long)]
    pub json: bool,
}

/// Prints one line a record: sk and value, separated by a tab.
pub fn run(args: &ListArgs) -> Done {
    let client = args.server.client()?;
    let mut list = client.list(&args.pk);
    if let Some(prefix) = &args.prefix {
        list = list.prefix(prefix);
    }
    if let Some(after) = &args.after {
        list = list.after(after);
    }
    if let Some(before) = &args.before {
        list = list.before(before);
    }
    if let Some(limit) = args.limit {
        list = list.limit(limit);
    }
    if args.reverse {
        list = list.reverse();
    }
    block_on(async {
        while let Some(row) = list.next().await? {
            if args.json {
                print_row(&row)?;
            } else {
                print_line(&format!("{}\t{}", row.record.sk, row.record.data))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print_row(row: &Listed) -> Result<(), Failure> {
    print_json(&ListedRecord {
        pk: row.record.pk.as_str().into(),
        sk: row.record.sk.as_str().into(),
        data: serde_json::from_str(&row.record.data)?,
        etag: etag(row.record.token).into(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        expires_at: row.expires_at,
    })
}
