//! `pumice snapshot create`: starts a round on a running node and follows it to its end. On the
//! main thread; it must never call a round well of which it did not see the end.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use indicatif::{BinaryBytes, ProgressBar};
use pumice_client::Client;
use pumice_model::wire::{ErrorBody, SnapshotRound, SnapshotStarted};
use serde::de::DeserializeOwned;

use super::super::output::{Done, Failure, block_on, print_json, print_line};
use super::bar;

const ROUTE: &str = "/v1/snapshots";
/// Between two looks at the round.
const LOOK: Duration = Duration::from_millis(250);

/// Arguments of `pumice snapshot create`.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Address of the node's admin port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8191")]
    admin: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The exit code is 0 only when the manifest of every partition is written.
pub fn run(args: &CreateArgs) -> Done {
    let url = if args.admin.contains("://") {
        args.admin.clone()
    } else {
        format!("http://{}", args.admin)
    };
    let client = Client::new(&url)?;
    let bar = bar(0);
    let round = block_on(async {
        let id = begin(&client, &bar).await?;
        follow(&client, id, &bar).await
    });
    bar.finish_and_clear();
    let round = round?;
    if args.json {
        print_json(&round)?;
    } else {
        for failed in &round.failed {
            print_line(&format!("partition {}: {}", failed.partition, failed.reason))?;
        }
        print_line(&format!(
            "{} of {} partitions, {}",
            round.done,
            round.total,
            BinaryBytes(round.bytes)
        ))?;
    }
    Ok(if round.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts a round, after the end of one that runs already.
async fn begin(client: &Client, bar: &ProgressBar) -> Result<u64, Failure> {
    loop {
        let post = Request::post(ROUTE).body(Bytes::new()).expect("the route is right");
        let answer = client.exchange(post).await?;
        match answer.status() {
            StatusCode::ACCEPTED => return Ok(read::<SnapshotStarted>(answer.body())?.id),
            StatusCode::CONFLICT => {
                bar.set_message("waiting for the end of another round");
                let round = look(client).await?;
                follow(client, round.id, bar).await?;
            }
            _ => return Err(refused(answer.body())),
        }
    }
}

/// Looks at a round until it has ended.
async fn follow(client: &Client, id: u64, bar: &ProgressBar) -> Result<SnapshotRound, Failure> {
    loop {
        let round = look(client).await?;
        if round.id != id {
            let now = round.id;
            return Err(Failure::new(format!(
                "nobody knows how round {id} ended: the node is at round {now}; try again"
            )));
        }
        if !round.running {
            return Ok(round);
        }
        bar.set_length(round.total);
        bar.set_position(round.done + round.failed.len() as u64);
        bar.set_message(format!("{} partitions, {}", round.done, BinaryBytes(round.bytes)));
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(client: &Client) -> Result<SnapshotRound, Failure> {
    let get = Request::get(ROUTE).body(Bytes::new()).expect("the route is right");
    let answer = client.exchange(get).await?;
    if answer.status() != StatusCode::OK {
        return Err(refused(answer.body()));
    }
    read(answer.body())
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|fault| Failure::new(format!("this is no admin port of Pumice: {fault}")))
}

fn refused(body: &Bytes) -> Failure {
    match serde_json::from_slice::<ErrorBody<'_>>(body) {
        Ok(body) => Failure::new(body.error.message),
        Err(_) => Failure::new("this is no admin port of Pumice"),
    }
}
