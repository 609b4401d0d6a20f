//! Medians and ratios as a Markdown table.

use super::alone::{BATCH, Pace};
use super::counts::Counts;
use super::peer::Peer;
use super::round::Sample;
use super::scenario::Scenario;

/// The middle one, of an odd number of figures; of an even one the mean of the two.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => all[n / 2],
        n => f64::midpoint(all[n / 2 - 1], all[n / 2]),
    }
}

/// One scenario. The ratios are medians of the rounds' own ratios of Pumice to the peer, so that
/// what was slow about a whole round is in neither.
pub fn of(
    scenario: &Scenario,
    samples: &[(Peer, Vec<Sample>)],
    counts: &[Counts],
    rate: f64,
) -> String {
    let mut out = format!(
        "\n## {} ({})\n\nLatencies at {rate:.0} requests a second for each, from when a request \
         was due.\n\n\
         | server | req/s | us CPU a request | pumice's CPU to it (least, most) \
         | pumice's req/s to it | p50 us | p99 us | p99.9 us | system calls | allocations |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        scenario.name, scenario.about
    );
    let ours = &samples[0].1;
    for ((peer, theirs), counts) in samples.iter().zip(counts) {
        let of = |pick: fn(&Sample) -> f64| median(theirs.iter().map(pick));
        let ratios = |pick: fn(&Sample) -> f64| {
            let pairs = ours.iter().zip(theirs);
            pairs.map(move |(our, their)| pick(our) / pick(their)).collect::<Vec<_>>()
        };
        let latency = |pick: fn(&super::round::Latency) -> f64| {
            median(theirs.iter().filter_map(|sample| sample.open.as_ref().map(pick)))
        };
        let cpu = ratios(|sample| sample.cpu);
        let (least, most) =
            cpu.iter().fold((f64::MAX, f64::MIN), |(a, b), &ratio| (a.min(ratio), b.max(ratio)));
        let counted = |count: Option<f64>| {
            count.map_or_else(|| "not counted".to_owned(), |count| format!("{count:.3}"))
        };
        out.push_str(&format!(
            "| {} | {:.0} | {:.2} | {:.2} ({least:.2}, {most:.2}) | {:.2} \
             | {:.0} | {:.0} | {:.0} | {} | {} |\n",
            peer.name(),
            of(|sample| sample.rate),
            of(|sample| sample.cpu),
            median(cpu.iter().copied()),
            median(ratios(|sample| sample.rate).into_iter()),
            latency(|latency| latency.p50),
            latency(|latency| latency.p99),
            latency(|latency| latency.p999),
            counted(counts.syscalls),
            counted(counts.allocations),
        ));
    }
    out
}

/// The batches of one scenario beside the same without a network; nothing where there are none.
pub fn alone(samples: &[(Peer, Vec<Sample>)], paces: &[Pace]) -> String {
    if paces.is_empty() {
        return String::new();
    }
    let keys = |rate: f64| rate * BATCH as f64;
    let mut out = format!(
        "\nThe same shards without a network, JSON and HTTP: {:.0} keys/s, {:.3} us CPU a key.\n\n\
         | server | keys/s | us CPU a key | keys/s to it (least, most) | CPU without to with |\n\
         |---|--:|--:|--:|--:|\n",
        keys(median(paces.iter().map(|pace| pace.rate))),
        median(paces.iter().map(|pace| pace.cpu)) / BATCH as f64,
    );
    for (peer, samples) in samples {
        let pairs = || samples.iter().zip(paces);
        let rates: Vec<f64> = pairs().map(|(sample, pace)| sample.rate / pace.rate).collect();
        out.push_str(&format!(
            "| {} | {:.0} | {:.3} | {:.2} ({:.2}, {:.2}) | {:.2} |\n",
            peer.name(),
            keys(median(samples.iter().map(|sample| sample.rate))),
            median(samples.iter().map(|sample| sample.cpu)) / BATCH as f64,
            median(rates.iter().copied()),
            rates.iter().copied().fold(f64::MAX, f64::min),
            rates.iter().copied().fold(f64::MIN, f64::max),
            median(pairs().map(|(sample, pace)| pace.cpu / sample.cpu)),
        ));
    }
    out
}
