//! Where and of what a comparison was made: machine, commit and command.

use std::env;
use std::fs;
use std::process::Command;

use super::{Args, Fallible};

/// The head of the report.
pub fn describe(args: &Args) -> Fallible<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let command: Vec<String> = env::args().skip(1).collect();
    Ok(format!(
        "# Comparison\n\n\
         * machine: {count} CPUs, {model}, Linux {}, load before: {}\n\
         * commit: {}\n\
         * command: `bench/compare {}`\n\
         * {} rounds of {} s, servers on CPU {}, the load generator on CPU {}; {} records of \
         200 bytes, uniform\n",
        kernel.trim(),
        load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        commit(),
        command.join(" "),
        args.rounds,
        args.seconds,
        args.server_cpu,
        args.client_cpu,
        args.records,
    ))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let clean =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|s| s.is_empty());
    if clean { head } else { format!("{head}, and changes that are not committed") }
}
