//! Precedence, faults and round trip of the settings, with an environment, a file and an affinity
//! mask of the test's own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io;
use std::time::Duration;

use clap::Command;

use super::table::TABLE;
use super::*;

mod gossip;

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
    assert_eq!(settings.process.runtime, RuntimeSetting::Auto);
    assert_eq!(settings.process.shards, None);
    assert_eq!(settings.process.map_size, 1 << 40);
    assert_eq!(settings.process.log_level, LevelFilter::INFO);
    assert!(!settings.process.access_log);
    assert_eq!(settings.process.log, LogSettings::Embedded);
    assert_eq!(settings.process.objects, None);
    let snapshots = SnapshotSettings {
        interval: Some(Duration::from_secs(6 * 3_600)),
        keep: 3,
        keep_for: Duration::from_secs(7 * 86_400),
        spool_dir: "./data/spool".into(),
    };
    assert_eq!(settings.process.snapshots, snapshots);
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
    let others =
        ["PUMICE_SOAK", "PUMICE_TEST_KAFKA", "PUMICE_PORT", "PUMICE_SERVICE_HOST", "PUMICE_"];
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
fn a_certificate_and_its_key_go_together() {
    assert_eq!(flags_only("").unwrap().process.tls, None);
    let tls = flags_only("--tls-cert c.pem --tls-key k.pem --peer-ca p.pem --tls-only");
    let expected = TlsSettings {
        cert: "c.pem".into(),
        key: "k.pem".into(),
        peer_ca: Some("p.pem".into()),
        only: true,
    };
    assert_eq!(tls.unwrap().process.tls, Some(expected));
    let faults = flags_only("--tls-key k.pem").unwrap_err();
    assert_eq!(faults, ["--tls-cert: --tls-key is given, and they go together"]);
    let faults = flags_only("--peer-ca p.pem --tls-only").unwrap_err();
    let without = "means nothing without --tls-cert; give that or leave it out";
    assert_eq!(faults, ["--peer-ca", "--tls-only"].map(|place| format!("{place}: {without}")));
    assert!(flags_only("--tls-only=false").is_ok());
}

const KAFKA: &str = "--log kafka --kafka-brokers b:1";

fn kafka_of(args: &str) -> Result<KafkaSettings, Vec<String>> {
    flags_only(&format!("{KAFKA} {args}")).map(|settings| match settings.process.log {
        LogSettings::Kafka(kafka) => *kafka,
        LogSettings::Embedded => panic!("embedded"),
    })
}

fn objects_of(args: &str) -> Result<Option<ObjectsSettings>, Vec<String>> {
    flags_only(args).map(|settings| settings.process.objects)
}

#[test]
fn kafka_needs_brokers_and_nothing_else() {
    let kafka = kafka_of("--namespace a.b").unwrap();
    let expected = KafkaSettings {
        brokers: vec!["b:1".into()],
        tls: None,
        sasl: None,
        mutations_topic: "pumice_a.b_mutations".into(),
        partitions_topic: "pumice_a.b_partitions".into(),
        compression: KafkaCompression::Lz4,
        replication: -1,
        required: false,
    };
    assert_eq!(kafka, expected);
    let faults = flags_only("--log kafka").unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("--kafka-brokers: "), "{}", faults[0]);
    assert!(kafka_of("--require-log").unwrap().required);
    assert!(!kafka_of("--require-log=false").unwrap().required);
}

#[test]
fn a_setting_of_kafka_without_kafka_is_a_fault() {
    let env = [("PUMICE_KAFKA_TLS", "true")];
    let faults = told("--kafka-brokers b:1 --require-log", &env, no_file).unwrap_err();
    let without = "means nothing without --log kafka; give that or leave it out";
    let expected = ["--kafka-brokers", "PUMICE_KAFKA_TLS", "--require-log"];
    assert_eq!(faults, expected.map(|place| format!("{place}: {without}")));
    assert!(told("--log kafka", &[("PUMICE_KAFKA_BROKERS", "b:1")], no_file).is_ok());
}

#[test]
fn every_fault_of_kafka_is_told_at_once() {
    let args = "--log kafak --kafka-brokers b --kafka-sasl md5 --kafka-topic t \
                --kafka-partitions-topic t --kafka-compression zstd --kafka-replication 0 \
                --kafka-tls=false --kafka-tls-ca c --objects s3:// --s3-secret-key s";
    let faults = flags_only(args).unwrap_err();
    let places: Vec<_> = faults.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    let expected = [
        "--log",
        "--kafka-brokers",
        "--kafka-tls",
        "--kafka-sasl",
        "--kafka-user",
        "--kafka-password-file",
        "--kafka-partitions-topic",
        "--kafka-compression",
        "--kafka-replication",
        "--objects",
        "--s3-access-key",
    ];
    assert_eq!(places, expected, "{faults:#?}");
    let same = kafka_of("--kafka-topic pumice_default_partitions").unwrap_err();
    assert!(same[0].starts_with("--kafka-partitions-topic: "), "{}", same[0]);
}

#[test]
fn a_ca_file_implies_tls() {
    assert_eq!(kafka_of("--kafka-tls").unwrap().tls, Some(KafkaTls { ca: None }));
    for args in ["--kafka-tls-ca c.pem", "--kafka-tls --kafka-tls-ca c.pem"] {
        assert_eq!(kafka_of(args).unwrap().tls, Some(KafkaTls { ca: Some("c.pem".into()) }));
    }
}

#[test]
fn a_password_comes_from_one_place_and_is_never_shown() {
    let sasl =
        |resolved: Result<Resolved, Vec<String>>| match resolved.unwrap().settings.process.log {
            LogSettings::Kafka(kafka) => kafka.sasl.unwrap(),
            LogSettings::Embedded => panic!("embedded"),
        };
    let args = format!("{KAFKA} --kafka-sasl scram-sha-512 --kafka-user u");
    let given = told(&args, &[("PUMICE_KAFKA_PASSWORD", "hunter2")], no_file);
    for shown in [given.as_ref().unwrap().to_string(), format!("{given:?}")] {
        assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
    }
    let given = sasl(given);
    assert_eq!((given.mechanism, given.user.as_str()), (SaslMechanism::ScramSha512, "u"));
    assert_eq!(given.password.reveal(), "hunter2");

    for text in ["hunter2", "hunter2\n", "hunter2\r\n"] {
        let file = move |path: &Path| {
            assert_eq!(path, Path::new("p"));
            Ok(text.to_owned())
        };
        let resolved = told(&format!("{args} --kafka-password-file p"), &[], file).unwrap();
        let shown = resolved.to_string();
        assert!(shown.contains("kafka-password-file    = \"p\""), "{shown}");
        assert_eq!(sasl(Ok(resolved)).password.reveal(), "hunter2");
    }

    for (more, place) in [
        ("--kafka-password-file p", "--kafka-password-file: cannot read p"),
        ("--kafka-password a --kafka-password-file p", "--kafka-password-file: "),
        ("--kafka-password=", "--kafka-password: is empty"),
        ("", "--kafka-password-file: "),
    ] {
        let faults = told(&format!("{args} {more}"), &[], no_file).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(place), "{}", faults[0]);
    }
    assert_eq!(kafka_of("--kafka-user u --kafka-password p").unwrap_err().len(), 2);
}

#[test]
fn objects_are_a_directory_or_a_bucket() {
    assert_eq!(objects_of("--objects dir:a/b"), Ok(Some(ObjectsSettings::Directory("a/b".into()))));
    let mut expected = S3Settings {
        bucket: "bucket".into(),
        prefix: "p/q".into(),
        endpoint: None,
        region: "us-east-1".into(),
        path_style: false,
        credentials: None,
    };
    assert_eq!(
        objects_of("--objects s3://bucket/p/q/"),
        Ok(Some(ObjectsSettings::S3(expected.clone())))
    );
    expected.endpoint = Some("http://m:9000".into());
    expected.path_style = true;
    expected.region = "r-1".into();
    let secret_key = Secret::new("s");
    expected.credentials = Some(S3Credentials { access_key: "a".into(), secret_key });
    let args = "--objects s3://bucket/p/q --s3-endpoint http://m:9000 --s3-region r-1 \
                --s3-access-key a --s3-secret-key s";
    assert_eq!(objects_of(args), Ok(Some(ObjectsSettings::S3(expected.clone()))));
    expected.path_style = false;
    let args = format!("{args} --s3-path-style=false");
    assert_eq!(objects_of(&args), Ok(Some(ObjectsSettings::S3(expected))));
    for place in ["", "--objects dir:d"] {
        let faults = objects_of(&format!("{place} --s3-endpoint http://m")).unwrap_err();
        assert!(faults[0].starts_with("--s3-endpoint: means nothing without"), "{}", faults[0]);
    }
}

#[test]
fn the_region_falls_back_to_the_variables_of_aws() {
    let env =
        [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-west-3"), ("PUMICE_OBJECTS", "s3://b-1")];
    for (args, line) in [
        ("", "\"eu-west-3\"                      # environment AWS_DEFAULT_REGION"),
        ("--s3-region r", "\"r\"                              # flag"),
    ] {
        let shown = told(args, &env, no_file).unwrap().to_string();
        assert!(shown.contains(line), "{shown}");
    }
    // Not a setting of somebody who has no bucket.
    assert!(told("", &[("AWS_REGION", "x y")], no_file).is_ok());
    let faults = told("--objects s3://b-1", &[("AWS_REGION", "x y")], no_file).unwrap_err();
    assert!(faults[0].starts_with("AWS_REGION: "), "{}", faults[0]);
}

#[test]
fn the_snapshot_commands_read_the_same_settings() {
    let asked = |args: &str, env: &[(&str, &str)]| {
        let args = std::iter::once("list").chain(args.split_whitespace());
        let matches = Command::new("list").args(object_flags()).try_get_matches_from(args).unwrap();
        let around = Surroundings {
            env: env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            read_file: Box::new(|_| Ok("namespace = \"n\"\nobjects = \"dir:f\"".into())),
            cpus: vec![0],
        };
        resolve_objects(&matches, &around)
    };
    let directory = |path: &str| Ok(ObjectsSettings::Directory(path.into()));
    assert_eq!(asked("--objects dir:a", &[("PUMICE_OBJECTS", "dir:e")]), directory("a"));
    assert_eq!(asked("--config c", &[("PUMICE_OBJECTS", "dir:e")]), directory("e"));
    assert_eq!(asked("--config c", &[]), directory("f"));
    assert_eq!(asked("", &[("PUMICE_CONFIG", "c")]), directory("f"));
    let faults = asked("", &[]).unwrap_err();
    assert_eq!((faults.len(), faults[0].place.as_str()), (1, "--objects"));
    let faults = asked("--objects s3://b --s3-access-key a", &[]).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn what_check_config_prints_is_a_config_file() {
    let own = "--pin 1,3 --map-size 256MiB --access-log --hash xxh64 --data-dir a\"b";
    let kafka = "--log kafka --kafka-brokers a:1,b:2 --kafka-tls-ca c --kafka-replication 3 \
                 --kafka-compression gzip --require-log --namespace n";
    let sasl = "--kafka-sasl plain --kafka-user u --kafka-password-file p";
    let bucket = "--objects s3://bucket/x --s3-endpoint http://m --snapshot-interval 90s";
    let directory = "--objects dir:d --snapshot-interval off --snapshot-keep-for 0s";
    let gossip = "--gossip 127.0.0.1:8192 --seeds a:1,b:2 --node-id a --region eu \
                  --replica-group b --advertise c:3 --cluster-secret-file p";
    let with_kafka = [format!("{sasl} {bucket}"), directory.to_owned(), gossip.to_owned()];
    let with_kafka = with_kafka.map(|more| format!("{kafka} {more}"));
    for args in with_kafka.into_iter().chain([own.to_owned()]) {
        let password = |_: &Path| Ok("hunter2 hunter2 hunter2".to_owned());
        let resolved = told(&args, &[], password).unwrap();
        let printed = resolved.to_string();
        let again = told("--config again.toml", &[], move |path| {
            let is_password = path == Path::new("p");
            let password = "hunter2 hunter2 hunter2".to_owned();
            Ok(if is_password { password } else { printed.clone() })
        });
        assert_eq!(again.unwrap().settings, resolved.settings, "{args}");
    }
}

#[test]
fn check_config_has_a_line_for_every_setting() {
    let secrets = "--kafka-sasl plain --kafka-user u --kafka-password hunter2 \
                   --objects s3://bucket --s3-access-key a --s3-secret-key hunter3";
    for args in [String::new(), format!("{KAFKA} {secrets}")] {
        let shown = told(&args, &[], no_file).unwrap().to_string();
        for setting in TABLE {
            let line = shown.lines().filter(|line| {
                line.trim_start_matches("# ").split_whitespace().next() == Some(setting.name)
            });
            assert_eq!(line.count(), 1, "{}: {shown}", setting.name);
        }
        assert!(!shown.contains("hunter"), "{shown}");
        shown.parse::<toml::Table>().unwrap();
    }
}

#[test]
fn the_table_and_the_flags_have_one_spelling() {
    for setting in TABLE {
        assert!(
            setting.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
        assert!(!setting.help.ends_with('.'), "{}", setting.name);
    }
    Command::new("serve").args(flags()).debug_assert();
}
