//! `pumice drain`: has a node's peers take over what it serves, and waits until they have. On the
//! main thread; the node serves on, and stopping it is left to whoever runs it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use pumice_client::Client;
use pumice_model::wire::{ClusterBody, ErrorBody};
use tokio::time::sleep;

use super::output::{Done, Failure, block_on, print_json, print_line};
use crate::settings;

/// How often the node is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Arguments of `pumice drain`.
#[derive(Args, Debug)]
pub struct DrainArgs {
    /// Address of the node's admin port
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8191")]
    admin: String,
    /// How long to wait; the node goes on draining after it
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = settings::duration)]
    timeout: Duration,
    /// Print the last state as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Drains; the exit code is 1 when the time is up before others serve everything.
pub fn run(args: &DrainArgs) -> Done {
    let last = block_on(drain(args))?;
    let (all, served) = served(&last);
    if args.json {
        print_json(&last)?;
    } else if !last.may_leave {
        print_line(&format!("{}: {served} of {all} partitions are served by others", last.node))?;
    } else if served < all {
        let why = "no other node of its replica group is there to take the rest";
        print_line(&format!(
            "{}: {served} of {all} partitions are served by others; {why}",
            last.node
        ))?;
    } else {
        print_line(&format!("{}: others serve all of its {all} partitions: stop it", last.node))?;
    }
    Ok(if last.may_leave { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks, and waits; the last state.
async fn drain(args: &DrainArgs) -> Result<ClusterBody, Failure> {
    let client = Client::new(&args.admin)?;
    exchange(&client, Method::POST, "/v1/drain").await?;
    let began = Instant::now();
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} partitions served by others");
    bar.set_style(style.map_err(Failure::new)?);
    loop {
        let body = exchange(&client, Method::GET, "/v1/cluster").await?;
        let body: ClusterBody = serde_json::from_slice(&body)?;
        let (all, served) = served(&body);
        bar.set_length(all);
        bar.set_position(served);
        if body.may_leave || began.elapsed() > args.timeout {
            bar.finish_and_clear();
            return Ok(body);
        }
        sleep(LOOK).await;
    }
}

/// How many partitions the node serves, and how many of them others of its group serve too.
fn served(body: &ClusterBody) -> (u64, u64) {
    let group = |id: &str| {
        let member = body.members.iter().find(|member| member.id == id);
        member.filter(|member| member.alive).map(|member| (&member.replica_group, member.draining))
    };
    let mine = group(&body.node).map(|(group, _)| group);
    let (mut all, mut served) = (0, 0);
    for partition in &body.partitions {
        let serving = || partition.holders.iter().filter(|holder| holder.state == "serving");
        if !serving().any(|holder| holder.node == body.node) {
            continue;
        }
        all += 1;
        let others = serving().filter(|holder| holder.node != body.node);
        let takes = |(group, drains): (&String, bool)| Some(group) == mine && !drains;
        served += u64::from(others.filter_map(|holder| group(&holder.node)).any(takes));
    }
    (all, served)
}

async fn exchange(client: &Client, method: Method, path: &str) -> Result<Bytes, Failure> {
    let request = Request::builder().method(method).uri(path).body(Bytes::new());
    let request = request.map_err(Failure::new)?;
    let answer = client.exchange(request).await?;
    match answer.status() {
        StatusCode::OK | StatusCode::ACCEPTED => Ok(answer.into_body()),
        status => {
            let said = serde_json::from_slice::<ErrorBody>(answer.body());
            let said =
                said.map_or_else(|_| status.to_string(), |body| body.error.message.to_string());
            Err(Failure::new(said))
        }
    }
}
