//! The binary from outside: what its help says, and how it exits.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::{Command, Output};

fn loadgen(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(line.split_whitespace()).output().unwrap()
}

fn help(line: &str) -> String {
    let out = loadgen(line);
    assert!(out.status.success(), "{line}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn help_lists_everything_with_units() {
    let all = help("--help");
    for command in ["run", "load", "knee", "compare"] {
        assert!(all.contains(&format!("\n  {command} ")), "{command}: {all}");
    }
    let run = help("run --help");
    for (option, unit) in [
        ("--rate", "PER_SECOND"),
        ("--duration", "TIME"),
        ("--warm-up", "TIME"),
        ("--timeout", "TIME"),
        ("--requests", "COUNT"),
        ("--value-size", "BYTES"),
        ("--miss", "SHARE"),
        ("--pipeline", "DEPTH"),
        ("--cpus", "LIST"),
        ("--html", "FILE"),
    ] {
        assert!(run.contains(&format!("{option} <{unit}>")), "{option}: {run}");
    }
    for option in ["--closed", "--poisson", "--verify", "--spin", "--insecure", "--mix", "--keys"] {
        assert!(run.contains(option), "{option}: {run}");
    }
    assert!(help("knee --help").contains("--p99 <TIME>"));
    assert!(help("compare --help").contains("--fail-if-worse"));
}

#[test]
fn what_does_not_go_together_exits_with_64_and_says_why() {
    for (line, why) in [
        ("run", "--rate"),
        ("run --rate 1k --closed", "cannot be used"),
        ("run --closed --value-size 10", "49"),
        ("run --closed --url http://127.0.0.1:1/ --mix a", "--url"),
        ("run --closed --target https://127.0.0.1:1", "--ca"),
        ("run --closed -c 1 -t 2", "connections"),
        ("run --closed --mix reed", "reed"),
        ("run --closed --keys zipf", "zipf"),
        ("run --rate 0", "number above 0"),
        ("knee --from 2k --to 1k", "--from"),
    ] {
        let out = loadgen(line);
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(64), "{line}: {said}");
        assert!(said.contains(why), "{line}: {said}");
    }
    assert_eq!(loadgen("compare /nowhere/a.json /nowhere/b.json").status.code(), Some(1));
}
