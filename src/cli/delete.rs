//! `pumice delete`: one record removed. On the main thread.

use clap::Args;

use super::output::{Done, block_on};
use super::put::{Terms, print_written};
use crate::args::Server;

/// Arguments of `pumice delete`.
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Partition key
    #[arg(allow_hyphen_values = true)]
    pk: String,
    /// Sort key
    #[arg(allow_hyphen_values = true)]
    sk: String,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    server: Server,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Deletes, and prints where the entry stands. What is not there is deleted already.
pub fn run(args: &DeleteArgs) -> Done {
    let client = args.server.client()?;
    let mut delete = client.delete(&args.pk, &args.sk);
    if let Some(condition) = &args.terms.condition {
        delete = delete.condition(condition);
    }
    if let Some(expect) = args.terms.expect {
        delete = delete.expect(expect);
    }
    if let Some(id) = args.terms.write_id {
        delete = delete.write_id(id);
    }
    let written = block_on(async { Ok(delete.await?) })?;
    print_written(args.json, &written)
}
