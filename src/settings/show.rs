//! Settings that passed every check, and how `--check-config` shows them: as a TOML file that can
//! be given back, with the source of each value beside it. Lives on the starting thread; it must
//! never show a value other than the one that is used.

use std::fmt;

use super::sources::{Gathered, Source};
use super::table::{Half, Preset, Setting, TABLE};
use super::{Settings, values};

/// Settings without a fault, and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What the process starts with.
    pub settings: Settings,
    sources: Vec<Source>,
}

impl Resolved {
    pub(super) fn new(settings: Settings, said: &Gathered) -> Resolved {
        let told = |name| Some(said.source(name)).filter(|source| *source != Source::Default);
        let mut sources = Vec::with_capacity(TABLE.len());
        for setting in TABLE {
            // Either of these two decides both.
            let implied_by = match setting.name {
                "cores" => told("pin"),
                "pin" => told("cores"),
                _ => None,
            };
            sources.push(told(setting.name).or(implied_by).unwrap_or(Source::Default));
        }
        Resolved { settings, sources }
    }

    /// The value of a setting as TOML; nothing where the data directory decides.
    fn value(&self, name: &str) -> Option<String> {
        let Settings { cluster, process } = &self.settings;
        let text = match name {
            "namespace" => quoted(&cluster.namespace),
            "partitions" => cluster.partitions.to_string(),
            "hash" => quoted(cluster.hash),
            "data-dir" => quoted(process.data_dir.display()),
            "http" => quoted(process.http),
            "admin" => quoted(process.admin),
            "cores" => process.cores.len().to_string(),
            "pin" => quoted(values::show_cpus(&process.cores)),
            "shards" => process.shards?.to_string(),
            "map-size" => quoted(values::show_bytes(process.map_size)),
            "log-level" => quoted(process.log_level),
            "access-log" => process.access_log.to_string(),
            other => unreachable!("setting {other} of the table is not shown"),
        };
        Some(text)
    }

    fn line(&self, setting: &Setting, source: &Source) -> String {
        match (self.value(setting.name), setting.preset) {
            (Some(value), _) => format!("{:<10} = {value:<18} # {source}", setting.name),
            (None, Preset::Fixed(text) | Preset::Computed(text)) => {
                format!("# {:<29} # {source}: {text}", setting.name)
            }
        }
    }
}

fn quoted(value: impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (half, title) in [
            (Half::Cluster, "# cluster settings: all nodes must agree"),
            (Half::Process, "\n# process settings"),
        ] {
            writeln!(f, "{title}")?;
            let rows = TABLE.iter().zip(&self.sources);
            for (setting, source) in rows.filter(|(setting, _)| setting.half == half) {
                writeln!(f, "{}", self.line(setting, source))?;
            }
        }
        Ok(())
    }
}
