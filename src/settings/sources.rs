//! Gathers the text of every setting from flags, environment, file and preset, in that order of
//! precedence, and collects every fault on the way. Lives on the starting thread; it must never
//! stop at the first fault, and opens nothing but the `--config` file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use clap::ArgMatches;

use super::nearest::nearest;
use super::table::{Preset, Setting, TABLE};
use super::{Secret, SettingFault, Surroundings, values};

/// Who gave a setting its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `--name` on the command line.
    Flag,
    /// The environment variable of this name.
    Environment(String),
    /// The TOML file of this path.
    File(String),
    /// Nobody.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag => f.write_str("flag"),
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::File(path) => write!(f, "file {path}"),
            Source::Default => f.write_str("default"),
        }
    }
}

/// A setting's text and who gave it; no text where the preset is computed.
struct Given {
    text: Option<String>,
    source: Source,
}

/// What every source said, by setting name, and what was wrong.
pub struct Gathered {
    given: BTreeMap<&'static str, Given>,
    pub faults: Vec<SettingFault>,
}

impl Gathered {
    /// Of `settings`, each of which `matches` must know as a flag.
    pub fn new(
        settings: impl Iterator<Item = &'static Setting>,
        matches: &ArgMatches,
        around: &Surroundings,
    ) -> Gathered {
        let mut faults = Vec::new();
        let env = |name: &str| around.variable(name);
        let config = matches.get_one::<String>("config").or_else(|| env("PUMICE_CONFIG"));
        let mut file =
            config.map(|path| read_config(path, around, &mut faults)).unwrap_or_default();

        let mut given = BTreeMap::new();
        for setting in settings {
            let env_name = setting.env_name();
            let in_file = file.remove(setting.name);
            let (text, source) = if let Some(text) = matches.get_one::<String>(setting.name) {
                (Some(text.clone()), Source::Flag)
            } else if let Some(text) = env(&env_name) {
                (Some(text.clone()), Source::Environment(env_name))
            } else if let (Some(text), Some(path)) = (in_file, config) {
                (Some(text), Source::File(path.clone()))
            } else if let Preset::Fixed(text) = setting.preset {
                (Some(text.to_owned()), Source::Default)
            } else {
                (None, Source::Default)
            };
            given.insert(setting.name, Given { text, source });
        }
        misspelled_variables(&around.env, &mut faults);
        Gathered { given, faults }
    }

    /// The value of a setting, or nothing: because nobody gave it, or because it was faulty, which
    /// is then noted.
    pub fn parse<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.given[name].text.as_deref()?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.fault(name, message);
                None
            }
        }
    }

    /// Whether anybody gave the setting a value.
    pub fn told(&self, name: &str) -> bool {
        self.source(name) != Source::Default
    }

    /// The secret in the file that a setting names, without a line feed at its end.
    pub fn secret_file(&mut self, name: &str, around: &Surroundings) -> Option<Secret> {
        self.parse(name, |path| {
            let text = (around.read_file)(Path::new(path))
                .map_err(|error| format!("cannot read {path}: {error}"))?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            let line = line.strip_suffix('\r').unwrap_or(line);
            values::secret(line).map_err(|why| format!("{path} {why}"))
        })
    }

    /// Takes the first of `variables` that is set where nobody gave the setting a value.
    pub fn fall_back(&mut self, name: &'static str, around: &Surroundings, variables: &[&str]) {
        let set = variables.iter().find_map(|name| Some((*name, around.variable(name)?)));
        if let (false, Some((variable, text))) = (self.told(name), set) {
            let source = Source::Environment(variable.to_owned());
            self.given.insert(name, Given { text: Some(text.clone()), source });
        }
    }

    /// A value that would be left unused is a fault: whoever gave it meant something.
    pub fn needless(&mut self, name: &str, without: &str) {
        if self.told(name) {
            self.fault(name, format!("means nothing without {without}; give that or leave it out"));
        }
    }

    /// Notes a fault of a setting, naming the place that has to change.
    pub fn fault(&mut self, name: &str, message: String) {
        let place = match self.source(name) {
            Source::Environment(variable) => variable,
            Source::File(path) => format!("{name} in {path}"),
            Source::Flag | Source::Default => format!("--{name}"),
        };
        self.faults.push(SettingFault { place, message });
    }

    /// As given, before any check.
    pub fn text(&self, name: &str) -> Option<String> {
        self.given[name].text.clone()
    }

    pub fn source(&self, name: &str) -> Source {
        self.given[name].source.clone()
    }
}

/// The settings of a TOML file as texts. Numbers and booleans may stand bare or quoted.
fn read_config(
    path: &str,
    around: &Surroundings,
    faults: &mut Vec<SettingFault>,
) -> BTreeMap<String, String> {
    let mut fault = |place: String, message: String| faults.push(SettingFault { place, message });
    let text = match (around.read_file)(Path::new(path)) {
        Ok(text) => text,
        Err(error) => {
            fault("--config".to_owned(), format!("cannot read {path}: {error}"));
            return BTreeMap::new();
        }
    };
    let table = match text.parse::<toml::Table>() {
        Ok(table) => table,
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text[..start].bytes().filter(|&b| b == b'\n').count();
            fault(format!("{path} line {line}"), error.message().replace('\n', " "));
            return BTreeMap::new();
        }
    };
    let mut settings = BTreeMap::new();
    for (key, value) in table {
        if !TABLE.iter().any(|setting| setting.name == key) {
            let names = TABLE.iter().map(|setting| setting.name);
            let advice = match nearest(&key, names) {
                Some(name) => format!("did you mean {name}?"),
                None => "pumice serve --help lists them".to_owned(),
            };
            fault(format!("{key} in {path}"), format!("there is no such setting; {advice}"));
            continue;
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(yes) => yes.to_string(),
            other => {
                let kind = other.type_str();
                let message = format!("must be a string, an integer or a boolean, not a {kind}");
                fault(format!("{key} in {path}"), message);
                continue;
            }
        };
        settings.insert(key, text);
    }
    settings
}

/// Only a near miss is a fault: tests, orchestrators (Kubernetes sets PUMICE_PORT for a service
/// named pumice) and users may have PUMICE_* variables of their own.
fn misspelled_variables(env: &BTreeMap<String, String>, faults: &mut Vec<SettingFault>) {
    let known: Vec<String> = TABLE.iter().map(|setting| setting.env_name()).collect();
    for variable in env.keys().filter(|name| name.starts_with("PUMICE_")) {
        // The file of authorities is of the commands that ask a server.
        if ["PUMICE_CONFIG", "PUMICE_CA"].contains(&&**variable) || known.contains(variable) {
            continue;
        }
        let suffix = &variable["PUMICE_".len()..];
        let suffixes = known.iter().map(|name| &name["PUMICE_".len()..]);
        if let Some(meant) = nearest(suffix, suffixes.chain(["CONFIG"])) {
            faults.push(SettingFault {
                place: variable.clone(),
                message: format!("there is no such setting; did you mean PUMICE_{meant}?"),
            });
        }
    }
}
