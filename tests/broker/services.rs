//! The real services: those that the environment names, shared by all tests, or a pair of a test's
//! own that it may kill. A service that is wanted and does not answer fails the test.

use std::env;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::kafka::node::Place;
use crate::server::repository;

/// A broker and an S3 server.
pub struct Services {
    /// `host:port` of the broker.
    pub kafka: String,
    s3: String,
    bucket: String,
    /// What `up` has said of the listener with TLS and SASL; nothing where the pair is shared.
    pub secure: Secure,
    /// Where a pair of our own lies, which ends with the value.
    own: Option<TempDir>,
}

/// How the broker is reached with TLS and a name.
#[derive(Default)]
pub struct Secure {
    /// Its `host:port` there.
    pub kafka: String,
    /// The file of its certificate.
    pub ca: String,
    /// The file of the password that `pumice` and `stranger` have.
    pub password_file: String,
}

/// Whether the tests of a real broker are to run.
pub fn wanted() -> bool {
    env::var_os("PUMICE_TEST_SERVICES").is_some_and(|value| value == "1")
}

impl Services {
    /// Those of the environment; `None` where none are wanted.
    pub fn shared() -> Option<Self> {
        wanted().then(|| {
            let of = |name: &str| {
                env::var(name).unwrap_or_else(|_| panic!("PUMICE_TEST_SERVICES without {name}"))
            };
            Self {
                kafka: of("PUMICE_TEST_KAFKA"),
                s3: of("PUMICE_TEST_S3"),
                bucket: of("PUMICE_TEST_BUCKET"),
                secure: Secure::default(),
                own: None,
            }
        })
    }

    /// A pair that no other test knows, for tests that kill it.
    pub fn own() -> Option<Self> {
        if !wanted() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut services = Self {
            kafka: String::new(),
            s3: String::new(),
            bucket: "pumice".to_owned(),
            secure: Secure::default(),
            own: Some(dir),
        };
        let said = services.run(&["up"], "");
        let value = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("no {name} in {said}")).to_owned()
        };
        (services.kafka, services.s3) = (value("kafka"), value("s3"));
        services.secure = Secure {
            kafka: value("kafka-secure"),
            ca: value("kafka-ca"),
            password_file: value("kafka-password-file"),
        };
        Some(services)
    }

    /// A namespace of this test and this run alone.
    pub fn place(&self, test: &str, partitions: u32) -> Place {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let name = format!("{test}-{}-{}", std::process::id(), since.as_micros());
        Place::new(&self.kafka, &name, partitions)
    }

    /// The flags for snapshots of the namespace `name`.
    pub fn objects(&self, name: &str) -> [String; 4] {
        let url = format!("s3://{}/tests/{name}", self.bucket);
        ["--objects".to_owned(), url, "--s3-endpoint".to_owned(), self.s3.clone()]
    }

    /// Runs one of Kafka's own tools against the broker.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        self.tool_fed(class, arguments, "")
    }

    /// The same with a standard input.
    pub fn tool_fed(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let class = format!("org.apache.kafka.tools.{class}");
        let broker = ["kafka-tool", &class, "--bootstrap-server", &self.kafka];
        self.run(&[&broker, arguments].concat(), input)
    }

    /// Makes a topic.
    pub fn make(&self, topic: &str, partitions: u32, configs: &[&str]) {
        let partitions = partitions.to_string();
        let mut arguments = vec!["--create", "--topic", topic, "--partitions", &partitions];
        configs.iter().for_each(|config| arguments.extend(["--config", config]));
        self.tool("TopicCommand", &arguments);
    }

    /// Has the broker forget all records of a topic below these offsets, by partition.
    pub fn forget(&self, topic: &str, below: &[(usize, i64)]) {
        let one = |(partition, offset): &(usize, i64)| {
            format!(r#"{{"topic":"{topic}","partition":{partition},"offset":{offset}}}"#)
        };
        let all: Vec<String> = below.iter().map(one).collect();
        let json = format!(r#"{{"partitions":[{}],"version":1}}"#, all.join(","));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), json).unwrap();
        let path = file.path().to_str().unwrap();
        let said = self.tool("DeleteRecordsCommand", &["--offset-json-file", path]);
        assert!(said.contains("low_watermark"), "{said}");
    }

    /// `kafka-kill`, `kafka-start`, `kafka-pause` or `kafka-resume` of a pair of our own.
    pub fn broker(&self, what: &str) {
        assert!(self.own.is_some(), "the shared broker is not ours to {what}");
        self.run(&[&format!("kafka-{what}")], "");
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output(arguments, input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "services.sh {arguments:?}: {out}{err}");
        out
    }

    fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(repository("docker/services.sh"));
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(dir) = &self.own {
            command.env("PUMICE_SERVICES_DIR", dir.path());
        }
        let mut child = command.spawn().unwrap();
        // Who reads no input has ended by now, and its status says how.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if self.own.is_some() {
            // A broker that is paused would not end.
            for last in ["kafka-resume", "kafka-kill", "down"] {
                self.output(&[last], "");
            }
        }
    }
}
