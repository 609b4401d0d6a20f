//! `pumice batch`: puts and deletes of one partition, all applied or none. On the main thread.

use std::fs;
use std::io::{self, Read};

use clap::Args;
use pumice_client::WriteId;
use pumice_model::wire::BatchRequest;

use super::output::{Done, Failure, block_on};
use super::put::{print_written, write_id};
use crate::args::Server;

/// Arguments of `pumice batch`.
#[derive(Args, Debug)]
pub struct BatchArgs {
    /// File with {"operations":[{"put":{..}},{"delete":{..}}]}; - reads it from stdin
    file: String,
    /// 32 hex digits that name this batch, so that a repeat is not a second write
    #[arg(long, value_name = "HEX", value_parser = write_id)]
    write_id: Option<WriteId>,
    #[command(flatten)]
    server: Server,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Sends the batch, and prints where its entry stands.
pub fn run(args: &BatchArgs) -> Done {
    let client = args.server.client()?;
    let text = read(&args.file)?;
    // Only for a message with line and column: the server gets the text as it is.
    serde_json::from_str::<BatchRequest>(&text)
        .map_err(|fault| Failure::new(format!("{}: {fault}", args.file)))?;
    let written = block_on(async { Ok(client.batch_json(text, args.write_id).await?) })?;
    print_written(args.json, &written)
}

fn read(file: &str) -> Result<String, Failure> {
    if file == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(file).map_err(|fault| Failure::new(format!("{file}: {fault}")))
}
