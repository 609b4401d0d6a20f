//! The table of settings: flags, environment names, TOML keys, `--check-config` and the check of
//! OPERATIONS.md all come from here. Lives on the starting thread; it must never hold a setting
//! that `resolve` does not read.

/// Which settings must agree between the nodes of one cluster, and which may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Fingerprinted and recorded in the data directory; a node that disagrees refuses to start.
    Cluster,
    /// Free to differ between processes and from one start to the next.
    Process,
}

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// A text that is parsed like any other source's.
    Fixed(&'static str),
    /// Worked out from the machine or from other settings; the words say how.
    Computed(&'static str),
}

/// One setting of `pumice serve`. Its flag is `--name` and its TOML key is `name`.
#[derive(Debug)]
pub struct Setting {
    /// In kebab case.
    pub name: &'static str,
    /// What stands when no source gives a value.
    pub preset: Preset,
    /// What a value looks like, as a usage line shows it.
    pub shape: &'static str,
    /// One sentence, lower case, no full stop.
    pub help: &'static str,
    /// Which half it belongs to.
    pub half: Half,
}

impl Setting {
    /// The environment variable: `data-dir` is `PUMICE_DATA_DIR`.
    pub fn env_name(&self) -> String {
        format!("PUMICE_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// The fixed preset of a setting, for commands that look where `serve` would.
///
/// # Panics
///
/// When there is no such setting or its preset is computed.
pub fn preset(name: &str) -> &'static str {
    let setting = TABLE.iter().find(|setting| setting.name == name);
    match setting.map(|setting| setting.preset) {
        Some(Preset::Fixed(text)) => text,
        _ => panic!("setting {name} has no fixed preset"),
    }
}

/// The settings that say where snapshots live, for commands that need no others.
pub fn of_objects() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(|setting| setting.name == "objects" || setting.name.starts_with("s3-"))
}

/// Every setting, in the order in which they are shown.
pub const TABLE: &[Setting] = &[
    Setting {
        name: "namespace",
        preset: Preset::Fixed("default"),
        shape: "NAME",
        help: "name of the data set: 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'",
        half: Half::Cluster,
    },
    Setting {
        name: "partitions",
        preset: Preset::Fixed("64"),
        shape: "N",
        help: "number of partitions of the namespace, fixed when the data directory is made",
        half: Half::Cluster,
    },
    Setting {
        name: "hash",
        preset: Preset::Fixed("murmur2"),
        shape: "murmur2|xxh64",
        help: "hash that takes a pk to its partition",
        half: Half::Cluster,
    },
    Setting {
        name: "data-dir",
        preset: Preset::Fixed("./data"),
        shape: "DIR",
        help: "where the shards live; made when absent, used by one process at a time",
        half: Half::Process,
    },
    Setting {
        name: "http",
        preset: Preset::Fixed("127.0.0.1:8190"),
        shape: "IP:PORT",
        help: "address of the public port, HTTP/1.1 and HTTP/2; port 0 takes a free one",
        half: Half::Process,
    },
    Setting {
        name: "admin",
        preset: Preset::Fixed("127.0.0.1:8191"),
        shape: "IP:PORT",
        help: "address of the admin port; port 0 takes a free one",
        half: Half::Process,
    },
    Setting {
        name: "tls-cert",
        preset: Preset::Computed("none: cleartext alone"),
        shape: "FILE",
        help: "PEM of the certificate that TLS on the public port is spoken with, and of those \
               between it and an authority; needs --tls-key",
        half: Half::Process,
    },
    Setting {
        name: "tls-key",
        preset: Preset::Computed("none"),
        shape: "FILE",
        help: "PEM of the private key of --tls-cert",
        half: Half::Process,
    },
    Setting {
        name: "peer-ca",
        preset: Preset::Computed("none: peers are asked for no certificate"),
        shape: "FILE",
        help: "PEM of the authorities that a peer's certificate must come from, if it shows one",
        half: Half::Process,
    },
    Setting {
        name: "tls-only",
        preset: Preset::Fixed("false"),
        shape: "true|false",
        help: "refuse cleartext on the public port",
        half: Half::Process,
    },
    Setting {
        name: "cores",
        preset: Preset::Computed("the number of CPUs the process may run on"),
        shape: "N",
        help: "number of serving cores, each an executor pinned to one CPU",
        half: Half::Process,
    },
    Setting {
        name: "pin",
        preset: Preset::Computed("the first CPUs the process may run on"),
        shape: "CPUS",
        help: "CPUs of the serving cores, as 0,2-3; implies --cores",
        half: Half::Process,
    },
    Setting {
        name: "runtime",
        preset: Preset::Fixed("auto"),
        shape: "auto|glommio|tokio",
        help: "what runs the cores; auto takes glommio where io_uring is allowed, else tokio",
        half: Half::Process,
    },
    Setting {
        name: "shards",
        preset: Preset::Computed("max(4, cores) for a new data directory"),
        shape: "N",
        help: "number of LMDB environments, fixed when the data directory is made",
        half: Half::Process,
    },
    Setting {
        name: "map-size",
        preset: Preset::Computed("1TiB, halved until every shard's map fits the address space"),
        shape: "BYTES",
        help: "largest size of one shard, sparse: bytes, or with KiB, MiB, GiB, TiB",
        half: Half::Process,
    },
    Setting {
        name: "log-level",
        preset: Preset::Fixed("info"),
        shape: "off|error|warn|info|debug|trace",
        help: "least grave level that is logged",
        half: Half::Process,
    },
    Setting {
        name: "access-log",
        preset: Preset::Fixed("false"),
        shape: "true|false",
        help: "log one line a request",
        half: Half::Process,
    },
    Setting {
        name: "log",
        preset: Preset::Fixed("embedded"),
        shape: "embedded|kafka",
        help: "what gives entries their order: the data directory itself, or topics of Kafka",
        half: Half::Process,
    },
    Setting {
        name: "kafka-brokers",
        preset: Preset::Computed("none; --log kafka needs it"),
        shape: "HOST:PORT,..",
        help: "brokers to begin with; the others are learnt from them",
        half: Half::Process,
    },
    Setting {
        name: "kafka-tls",
        preset: Preset::Computed("false, or true with --kafka-tls-ca"),
        shape: "true|false",
        help: "TLS to the brokers",
        half: Half::Process,
    },
    Setting {
        name: "kafka-tls-ca",
        preset: Preset::Computed("none: the authorities that browsers trust"),
        shape: "FILE",
        help: "PEM file of the authorities that the brokers' certificates are trusted by",
        half: Half::Process,
    },
    Setting {
        name: "kafka-sasl",
        preset: Preset::Computed("none"),
        shape: "plain|scram-sha-256|scram-sha-512",
        help: "how this node proves its name to the brokers",
        half: Half::Process,
    },
    Setting {
        name: "kafka-user",
        preset: Preset::Computed("none; --kafka-sasl needs it"),
        shape: "NAME",
        help: "this node's name to the brokers",
        half: Half::Process,
    },
    Setting {
        name: "kafka-password",
        preset: Preset::Computed("none"),
        shape: "TEXT",
        help: "password of --kafka-user; seen by whoever may list processes, so rather a \
               variable or a file",
        half: Half::Process,
    },
    Setting {
        name: "kafka-password-file",
        preset: Preset::Computed("none"),
        shape: "FILE",
        help: "file that holds the password of --kafka-user; a line feed at its end is not \
               part of it",
        half: Half::Process,
    },
    Setting {
        name: "kafka-topic",
        preset: Preset::Computed("pumice_{namespace}_mutations"),
        shape: "TOPIC",
        help: "topic of the entries, with as many partitions as the namespace; made when absent",
        half: Half::Process,
    },
    Setting {
        name: "kafka-partitions-topic",
        preset: Preset::Computed("pumice_{namespace}_partitions"),
        shape: "TOPIC",
        help: "topic of one partition that records how many the namespace has; made when absent",
        half: Half::Process,
    },
    Setting {
        name: "kafka-compression",
        preset: Preset::Fixed("lz4"),
        shape: "none|gzip|lz4|snappy",
        help: "compression of what this node produces",
        half: Half::Process,
    },
    Setting {
        name: "kafka-replication",
        preset: Preset::Fixed("-1"),
        shape: "N",
        help: "replicas of the topics that this node makes; -1 leaves it to the broker",
        half: Half::Process,
    },
    Setting {
        name: "require-log",
        preset: Preset::Fixed("false"),
        shape: "true|false",
        help: "refuse to start without a broker even where the data directory has data",
        half: Half::Process,
    },
    Setting {
        name: "objects",
        preset: Preset::Computed("none: no snapshots"),
        shape: "s3://BUCKET/PREFIX|dir:PATH",
        help: "where snapshots live",
        half: Half::Process,
    },
    Setting {
        name: "s3-endpoint",
        preset: Preset::Computed("that of AWS for --s3-region"),
        shape: "URL",
        help: "server that speaks S3, as http://127.0.0.1:9000",
        half: Half::Process,
    },
    Setting {
        name: "s3-region",
        preset: Preset::Computed("AWS_REGION, else AWS_DEFAULT_REGION, else us-east-1"),
        shape: "NAME",
        help: "region that requests are signed for",
        half: Half::Process,
    },
    Setting {
        name: "s3-path-style",
        preset: Preset::Computed("false, or true with --s3-endpoint"),
        shape: "true|false",
        help: "name the bucket in the path of a URL, not in its host",
        half: Half::Process,
    },
    Setting {
        name: "s3-access-key",
        preset: Preset::Computed("where AWS's own tools look"),
        shape: "NAME",
        help: "access key; needs --s3-secret-key",
        half: Half::Process,
    },
    Setting {
        name: "s3-secret-key",
        preset: Preset::Computed("where AWS's own tools look"),
        shape: "TEXT",
        help: "secret of --s3-access-key; seen by whoever may list processes, so rather a variable",
        half: Half::Process,
    },
    Setting {
        name: "snapshot-interval",
        preset: Preset::Fixed("6h"),
        shape: "DURATION|off",
        help: "pause between two rounds of snapshots, as 30s, 15m, 6h, 7d; off takes them on \
               demand only",
        half: Half::Process,
    },
    Setting {
        name: "snapshot-keep",
        preset: Preset::Fixed("3"),
        shape: "N",
        help: "newest snapshots of each partition that stay whatever their age",
        half: Half::Process,
    },
    Setting {
        name: "snapshot-keep-for",
        preset: Preset::Fixed("7d"),
        shape: "DURATION",
        help: "age up to which older snapshots stay besides",
        half: Half::Process,
    },
    Setting {
        name: "snapshot-spool",
        preset: Preset::Computed("spool in the data directory"),
        shape: "DIR",
        help: "where a snapshot is written before it is uploaded",
        half: Half::Process,
    },
    Setting {
        name: "gossip",
        preset: Preset::Computed("none: the node is alone and holds everything"),
        shape: "IP:PORT",
        help: "UDP address at which this node hears its peers; port 0 takes a free one; needs \
               --log kafka",
        half: Half::Process,
    },
    Setting {
        name: "seeds",
        preset: Preset::Computed("none: a first node, which others name"),
        shape: "HOST:PORT,..",
        help: "--gossip addresses of peers to begin with; may name this node too",
        half: Half::Process,
    },
    Setting {
        name: "node-id",
        preset: Preset::Computed("made of the advertised address"),
        shape: "NAME",
        help: "name of this node among its peers: 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'",
        half: Half::Process,
    },
    Setting {
        name: "region",
        preset: Preset::Fixed("default"),
        shape: "NAME",
        help: "where this node stands; reads go to their own region first",
        half: Half::Process,
    },
    Setting {
        name: "replica-group",
        preset: Preset::Fixed("default"),
        shape: "NAME",
        help: "copy of everything that this node is a part of; each group holds every partition",
        half: Half::Process,
    },
    Setting {
        name: "advertise",
        preset: Preset::Computed("the address of --http"),
        shape: "HOST:PORT",
        help: "where peers and clients reach the public port of this node",
        half: Half::Process,
    },
    Setting {
        name: "cluster-secret-file",
        preset: Preset::Computed("none: everybody's gossip is heard"),
        shape: "FILE",
        help: "file that holds the secret of the cluster, at least 16 bytes; a line feed at its \
               end is not part of it",
        half: Half::Process,
    },
    Setting {
        name: "handover",
        preset: Preset::Fixed("auto"),
        shape: "snapshot|stream|auto",
        help: "where a partition that this node takes over comes from: the objects, a node that \
               holds it, or whichever is nearer; what is left is the log's replay",
        half: Half::Process,
    },
];
