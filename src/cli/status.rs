//! `pumice status`: what a server says of its cores, shards and partitions, and of the cluster that
//! it is in. On the main thread.

mod cluster;

use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use indicatif::{BinaryBytes, HumanCount};
use pumice_client::{Client, Serving, StatusBody, Timestamp};
use pumice_model::wire::ClusterBody;
use serde::Serialize;

use super::output::{Done, Failure, block_on, print_json, print_line};

/// Arguments of `pumice status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Address of the server's admin port
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8191")]
    admin: String,
    /// Also one line a partition
    #[arg(long)]
    partitions: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Prints the status; the exit code is 1 when the server is not ready.
pub fn run(args: &StatusArgs) -> Done {
    let client = Client::new(&args.admin)?;
    let (status, cluster) =
        block_on(async { Ok((client.status().await?, cluster(&client).await?)) })?;
    if args.json {
        print_json(&Whole { status: &status, cluster: cluster.as_ref() })?;
    } else {
        print_line(&summary(&status))?;
        if let Some(cluster) = &cluster {
            print_line(&cluster::draw(cluster))?;
        }
        if args.partitions {
            print_line(&partitions(&status))?;
        }
    }
    Ok(if status.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    status: &'a StatusBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a ClusterBody>,
}

/// The cluster that the server is in; nothing where it is alone, or has not heard of others yet.
async fn cluster(client: &Client) -> Result<Option<ClusterBody>, Failure> {
    let request = Request::get("/v1/cluster").body(Bytes::new()).map_err(Failure::new)?;
    let answer = client.exchange(request).await?;
    match answer.status() {
        StatusCode::OK => Ok(Some(serde_json::from_slice(answer.body())?)),
        _ => Ok(None),
    }
}

fn summary(status: &StatusBody<'_>) -> String {
    let rows: u64 = status.partitions.iter().map(|partition| partition.rows).sum();
    let ready = if status.ready { "ready" } else { "not ready" };
    let cpus: Vec<_> = status.cores.iter().map(|core| core.cpu.to_string()).collect();
    let mut text = format!(
        "pumice {} on {}, {ready}\n\
         namespace  {} ({} partitions by {}, {} here)\n\
         rows       {}\n\
         cpus       {}",
        status.version,
        status.runtime,
        status.namespace,
        status.partitions_total,
        status.hash,
        status.partitions.len(),
        HumanCount(rows),
        cpus.join(", "),
    );
    text.push_str("\n\nshard  state    entries       queue  used");
    for shard in &status.shards {
        text.push_str(&format!(
            "\n{:>5}  {:<7}  {:<12}  {:>5}  {} of {}",
            shard.shard,
            word(shard.state),
            HumanCount(shard.entries).to_string(),
            shard.queue,
            BinaryBytes(shard.used_bytes),
            BinaryBytes(shard.map_bytes),
        ));
        text.extend(shard.reason.iter().map(|reason| format!("\n       {reason}")));
    }
    text
}

fn partitions(status: &StatusBody<'_>) -> String {
    let mut text = String::from(
        "\npartition  shard  state    offset        rows          log time                  hash",
    );
    for partition in &status.partitions {
        let offset = partition.offset.map_or("-".to_owned(), |offset| offset.to_string());
        let time = i64::try_from(partition.log_time_ms).unwrap_or(i64::MAX);
        text.push_str(&format!(
            "\n{:>9}  {:>5}  {:<7}  {offset:<12}  {:<12}  {}  {}",
            partition.partition,
            partition.shard,
            word(partition.state),
            partition.rows,
            Timestamp(time),
            partition.hash,
        ));
    }
    text
}

fn word(state: Serving) -> &'static str {
    match state {
        Serving::Serving => "serving",
        Serving::Full => "full",
        Serving::Broken => "broken",
    }
}
