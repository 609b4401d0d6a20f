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
        help: "address of the public port, HTTP/1.1 and HTTP/2 cleartext; port 0 takes a free one",
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
];
