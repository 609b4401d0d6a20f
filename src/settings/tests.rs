//! Precedence, faults and round trip of the settings, with an environment, a file and an affinity
//! mask of the test's own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io;

use clap::Command;

use super::table::TABLE;
use super::*;

/// Resolves `args` (without the program's name) on a machine that allows CPUs 0 to 3.
fn told(
    args: &str,
    env: &[(&str, &str)],
    read_file: impl Fn(&Path) -> io::Result<String> + 'static,
) -> Result<Resolved, Vec<String>> {
    let args = std::iter::once("serve").chain(args.split_whitespace());
    let matches = Command::new("serve").args(flags()).try_get_matches_from(args).unwrap();
    let around = Surroundings {
        env: env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        read_file: Box::new(read_file),
        cpus: vec![0, 1, 2, 3],
    };
    let texts = |faults: Vec<SettingFault>| faults.iter().map(SettingFault::to_string).collect();
    resolve(&matches, &around).map_err(texts)
}

fn flags_only(args: &str) -> Result<Settings, Vec<String>> {
    told(args, &[], no_file).map(|resolved| resolved.settings)
}

fn no_file(_: &Path) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::NotFound, "no such file"))
}

#[test]
fn nothing_said_gives_the_documented_defaults() {
    let settings = flags_only("").unwrap();
    assert_eq!(settings.cluster.namespace, "default");
    assert_eq!(settings.cluster.partitions, 64);
    assert_eq!(settings.cluster.hash, Hash::Murmur2);
    assert_eq!(settings.process.data_dir, Path::new("./data"));
    assert_eq!(settings.process.http.to_string(), "127.0.0.1:8190");
    assert_eq!(settings.process.admin.to_string(), "127.0.0.1:8191");
    assert_eq!(settings.process.cores, [0, 1, 2, 3]);
    assert_eq!(settings.process.shards, None);
    assert_eq!(settings.process.map_size, 1 << 40);
    assert_eq!(settings.process.log_level, LevelFilter::INFO);
    assert!(!settings.process.access_log);
}

#[test]
fn a_flag_beats_the_environment_beats_the_file() {
    let file =
        |_: &Path| Ok("partitions = 1\nshards = 2\nhash = \"xxh64\"\naccess-log = true".into());
    let env = [("PUMICE_CONFIG", "p.toml"), ("PUMICE_PARTITIONS", "3"), ("PUMICE_SHARDS", "4")];
    let resolved = told("--partitions 5 --access-log=false", &env, file).unwrap();
    assert_eq!(resolved.settings.cluster.partitions, 5);
    assert_eq!(resolved.settings.process.shards, Some(4));
    assert_eq!(resolved.settings.cluster.hash, Hash::Xxh64);
    assert!(!resolved.settings.process.access_log);

    let shown = resolved.to_string();
    for (name, source) in [
        ("partitions", "# flag"),
        ("shards", "# environment PUMICE_SHARDS"),
        ("hash", "# file p.toml"),
        ("http", "# default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.ends_with(source), "{line}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let resolved = told("", &[("PUMICE_PIN", ""), ("PUMICE_CONFIG", "")], no_file).unwrap();
    assert_eq!(resolved.settings.process.cores.len(), 4);
}

#[test]
fn every_fault_of_every_source_is_told_at_once() {
    let file = |_: &Path| Ok("shard = 4\nhash = \"md5\"\npin = [0, 1]\nweather = 1".into());
    let env = [("PUMICE_LOG_LEVEL", "loud"), ("PUMICE_DATADIR", "/d"), ("PUMICE_SOAK", "1")];
    let args = "--config c.toml --partitions 65537 --cores -1 --http localhost --namespace a/b";
    let faults = told(args, &env, file).unwrap_err();
    let places: Vec<_> = faults.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    let expected = [
        "pin in c.toml",
        "shard in c.toml",
        "weather in c.toml",
        "PUMICE_DATADIR",
        "--namespace",
        "--partitions",
        "hash in c.toml",
        "--http",
        "--cores",
        "PUMICE_LOG_LEVEL",
    ];
    assert_eq!(places, expected, "{faults:#?}");
    assert!(faults[1].ends_with("did you mean shards?"), "{}", faults[1]);
    assert!(faults[3].ends_with("did you mean PUMICE_DATA_DIR?"), "{}", faults[3]);
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = ["PUMICE_SOAK", "PUMICE_LOG", "PUMICE_PORT", "PUMICE_SERVICE_HOST", "PUMICE_"];
    let env: Vec<_> = others.iter().map(|&name| (name, "x")).collect();
    assert!(told("", &env, no_file).is_ok());
}

#[test]
fn a_config_file_that_cannot_be_used_is_a_fault_beside_the_others() {
    let faults = told("--config absent.toml --shards 0", &[], no_file).unwrap_err();
    assert_eq!(faults.len(), 2);
    assert!(faults[0].starts_with("--config: cannot read absent.toml"), "{}", faults[0]);

    let broken = |_: &Path| Ok("shards = 1\n\nhash = \n".into());
    let faults = told("--config b.toml", &[], broken).unwrap_err();
    assert!(faults[0].starts_with("b.toml line 3: "), "{}", faults[0]);
}

#[test]
fn pin_implies_cores_and_must_agree_with_it() {
    assert_eq!(flags_only("--pin 0,2-3").unwrap().process.cores, [0, 2, 3]);
    assert_eq!(flags_only("--pin 3,1 --cores 2").unwrap().process.cores, [3, 1]);
    assert_eq!(flags_only("--cores 2").unwrap().process.cores, [0, 1]);
    let shown = told("", &[("PUMICE_PIN", "1")], no_file).unwrap().to_string();
    let cores = shown.lines().find(|line| line.starts_with("cores")).unwrap();
    assert!(cores.ends_with("# environment PUMICE_PIN"), "{cores}");

    let faults = flags_only("--pin 2-5 --cores 3").unwrap_err();
    let expected = [
        "--pin: CPU 4,5 is not to be had; allowed here: 0,1,2,3",
        "--pin: names 4 CPUs but cores is 3; leave one out",
    ];
    assert_eq!(faults, expected);
    let faults = flags_only("--cores 5").unwrap_err();
    assert_eq!(faults, ["--cores: 5 is more than the 4 CPUs allowed here (0,1,2,3)"]);
}

#[test]
fn maps_must_fit_the_address_space_together() {
    assert_eq!(flags_only("--shards 256").unwrap().process.map_size, 256 << 30);
    assert!(flags_only("--shards 120 --map-size 1TiB").is_ok());
    let faults = flags_only("--shards 121 --map-size 1TiB").unwrap_err();
    assert_eq!(faults, ["--map-size: too large for 121 shards; 512GiB would do"]);
}

#[test]
fn the_two_ports_cannot_be_one() {
    assert!(flags_only("--http 0.0.0.0:80 --admin 127.0.0.1:80").is_err());
    assert!(flags_only("--http 127.0.0.1:80 --admin 127.0.0.2:80").is_ok());
    assert!(flags_only("--http 127.0.0.1:0 --admin 127.0.0.1:0").is_ok());
}

#[test]
fn what_check_config_prints_is_a_config_file() {
    let args = "--pin 1,3 --map-size 256MiB --access-log --hash xxh64 --data-dir a\"b";
    let resolved = told(args, &[], no_file).unwrap();
    let printed = resolved.to_string();
    let table: toml::Table = printed.parse().unwrap();
    assert_eq!(table.len(), TABLE.len() - 1, "all but shards, which the directory decides");

    let again = told("--config again.toml", &[], move |_| Ok(printed.clone()));
    assert_eq!(again.unwrap().settings, resolved.settings);
}

#[test]
fn the_table_and_the_flags_have_one_spelling() {
    for setting in TABLE {
        assert!(setting.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        assert!(!setting.help.ends_with('.'), "{}", setting.name);
    }
    Command::new("serve").args(flags()).debug_assert();
}
