//! Runs Pumice and every reference server that is installed, one at a time on the same core, in
//! interleaved rounds, and prints medians and ratios. `bench/compare` builds and starts it; it
//! drives with the `loadgen` beside it, and must never call a round good in which a peer failed.

mod alone;
mod counts;
mod machine;
mod peer;
mod process;
mod round;
mod scenario;
mod table;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;

use alone::Alone;
use peer::{Peer, Running};
use round::Sample;
use scenario::Scenario;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Pumice beside h2o, nginx, nghttpd and hyper on tokio: one serving core, one client core.
#[derive(Debug, Parser)]
struct Args {
    /// Rounds; the figures are medians of them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that each peer is driven in a round.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Records of 200 bytes that Pumice has.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// The CPU that servers are pinned to, all their threads.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// The CPU of the load generator.
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
    /// Only these scenarios, by their names.
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<String>,
    /// Only these peers, by their names.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Where the report, and the load generator's own of each round, are left.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where this build's binaries are.
    #[arg(long, default_value = "target/release")]
    binaries: PathBuf,
}

/// All that a comparison works with.
struct Comparison {
    args: Args,
    /// Data and settings of the peers.
    work: tempfile::TempDir,
}

fn main() -> Fallible<()> {
    let args = Args::parse();
    if let Some(out) = &args.out {
        fs::create_dir_all(out)?;
    }
    let comparison = Comparison { args, work: tempfile::tempdir()? };
    let report = comparison.run()?;
    println!("{report}");
    if let Some(out) = &comparison.args.out {
        fs::write(out.join("compare.md"), &report)?;
    }
    Ok(())
}

impl Comparison {
    fn run(&self) -> Fallible<String> {
        let mut report = machine::describe(&self.args)?;
        let mut peers = Vec::new();
        for peer in Peer::ALL {
            if !self.args.peers.is_empty() && !self.args.peers.iter().any(|p| p == peer.name()) {
                continue;
            }
            match peer.version(self) {
                Some(version) => {
                    report.push_str(&format!("* {}: {version}\n", peer.name()));
                    peers.push((peer, peer.start(self)?));
                }
                None => report.push_str(&format!("* {}: not installed, left out\n", peer.name())),
            }
        }
        for scenario in &scenario::ALL {
            let wanted = &self.args.scenarios;
            if wanted.is_empty() || wanted.iter().any(|name| name == scenario.name) {
                report.push_str(&self.scenario(scenario, &peers)?);
            }
        }
        Ok(report)
    }

    /// The rounds of one scenario; peers take turns, so that what the machine does meanwhile
    /// meets all of them.
    fn scenario(&self, scenario: &Scenario, peers: &[(Peer, Running)]) -> Fallible<String> {
        let able: Vec<_> = peers.iter().filter(|(peer, _)| scenario.fits(*peer)).collect();
        let mut samples: Vec<(Peer, Vec<Sample>)> =
            able.iter().map(|(peer, _)| (*peer, Vec::new())).collect();
        let with_records = able.iter().find(|_| scenario.batch).map(|(peer, _)| *peer);
        let mut alone = with_records.map(|peer| Alone::open(self, peer)).transpose()?;
        let mut paces = Vec::new();
        for number in 0..self.args.rounds {
            for (at, (peer, running)) in able.iter().enumerate() {
                let sample = round::closed(self, scenario, *peer, running, number)?;
                eprintln!("{} {} round {}: {sample}", scenario.name, peer.name(), number + 1);
                samples[at].1.push(sample);
            }
            if let Some(alone) = &mut alone {
                let pace = alone.round(self.args.seconds)?;
                eprintln!("{} without a network, round {}: {pace}", scenario.name, number + 1);
                paces.push(pace);
            }
        }
        let rate = round::common_rate(&samples);
        for number in 0..self.args.rounds {
            for (at, (peer, running)) in able.iter().enumerate() {
                let open = round::open(self, scenario, *peer, running, number, rate)?;
                samples[at].1[number].open = Some(open);
            }
        }
        let mut counts = Vec::new();
        for (peer, running) in &able {
            counts.push(counts::of(self, scenario, *peer, running)?);
        }
        Ok(table::of(scenario, &samples, &counts, rate) + &table::alone(&samples, &paces))
    }
}
