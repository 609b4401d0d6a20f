//! `pumice demo`: a server on a fresh directory in this process, the bundled sample in it, proof
//! that all of it is there, and requests to try. The main thread drives; the server has its own.

mod directory;
mod tour;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use indicatif::HumanCount;
use pumice_client::Client;
use tracing::level_filters::LevelFilter;

use super::import::{Line, Source, load};
use super::output::{Failure, block_on, finish, print_line};
use super::{logging, serve};
use crate::settings::{self, Settings, Surroundings};
use crate::{args, node};
use directory::Directory;

/// Records that are read back in one request.
const READ_BACK: usize = 1_000;
const SAMPLE: &[u8] = include_bytes!("../sample/cities.ndjson.gz");

/// Arguments of `pumice demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Address of the public port
    #[arg(long, value_name = "IP:PORT", default_value = settings::preset("http"))]
    http: SocketAddr,
    /// Address of the admin port
    #[arg(long, value_name = "IP:PORT", default_value = settings::preset("admin"))]
    admin: SocketAddr,
    /// Serving cores [default: the number of CPUs the process may run on]
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Stop once everything was shown
    #[arg(long)]
    once: bool,
}

/// Runs the demo; nothing of it is left when it ends.
pub fn run(args: &DemoArgs) -> ExitCode {
    finish(false, demo(args))
}

fn demo(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let directory = Directory::new()?;
    let settings = settings(args, directory.path())?;
    let cores = settings.process.cores.len();
    logging::start(LevelFilter::WARN);
    let running = match node::start(settings) {
        Ok(running) => running,
        Err(fault) => return Ok(serve::failed(&fault)),
    };
    let url = format!("http://{}", running.http());
    let place = directory.path().display();
    let shown = print_line(&format!("Serving {url} on {cores} cores, data in {place}\n"))
        .and_then(|()| block_on(show(&url)));
    if let Err(fault) = shown {
        running.stop();
        return Err(fault);
    }
    if args.once {
        return Ok(running.stop());
    }
    let admin = running.admin();
    print_line(&format!("Also: pumice status --admin http://{admin}, http://{admin}/metrics"))?;
    print_line(&format!("Serving until Ctrl-C; then {place} is removed."))?;
    Ok(running.wait())
}

/// What `serve` would make of the same flags, so that the demo has no settings of its own.
fn settings(args: &DemoArgs, directory: &Path) -> Result<Settings, Failure> {
    let mut line: Vec<String> = vec!["pumice".into(), "serve".into()];
    let mut flag = |name: &str, value: String| line.push(format!("--{name}={value}"));
    flag("data-dir", directory.display().to_string());
    flag("http", args.http.to_string());
    flag("admin", args.admin.to_string());
    if let Some(cores) = args.cores {
        flag("cores", cores.to_string());
    }
    // Nothing else is told from outside: a demo is the same for everybody.
    let around = Surroundings { env: Default::default(), ..Surroundings::of_this_process() };
    let matches = args::command().try_get_matches_from(line).map_err(Failure::new)?;
    let serve = matches.subcommand_matches("serve").expect("it is the command");
    let resolved = settings::resolve(serve, &around).map_err(|faults| {
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Failure::new(texts.join("; "))
    })?;
    Ok(resolved.settings)
}

async fn show(url: &str) -> Result<(), Failure> {
    let client = Client::new(url)?;
    print_line("Importing the bundled sample: places of the world from GeoNames, CC BY 4.0.")?;
    let summary = load(&client, Source::bytes(SAMPLE), 1).await?;
    if !summary.complete() {
        return Err(Failure::new(summary.fault_lines().join("\n")));
    }
    print_line(&summary.to_string())?;
    let same = read_back(&client).await?;
    if same != summary.applied() {
        let applied = summary.applied();
        return Err(Failure::new(format!("{applied} records applied, {same} read back the same")));
    }
    let same = HumanCount(same);
    print_line(&format!("{same} records read back, byte for byte the same\n"))?;
    tour::show(&client, url).await
}

/// Reads every record of the sample back and counts those that are as they were sent.
async fn read_back(client: &Client) -> Result<u64, Failure> {
    let text = io::read_to_string(Source::bytes(SAMPLE).text()?)?;
    let lines: Vec<Line<'_>> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut same = 0;
    for lines in lines.chunks(READ_BACK) {
        let keys: Vec<_> = lines.iter().map(|line| (&line.pk, &line.sk)).collect();
        let records = client.get_many(&keys).await?;
        for (line, record) in lines.iter().zip(records) {
            same += u64::from(record.is_some_and(|record| record.data == line.data.get()));
        }
    }
    Ok(same)
}
