//! The table of settings as command line arguments. Lives on the starting thread; it must never let
//! clap parse a value, because clap stops at the first fault.

use clap::{Arg, ArgAction};

use super::table::{self, Half, Preset, Setting, TABLE};

/// The arguments of `pumice serve`: one a setting, then `--config FILE` and `--check-config`.
pub fn flags() -> Vec<Arg> {
    let check = Arg::new("check-config")
        .long("check-config")
        .action(ArgAction::SetTrue)
        .help("print the settings and who set each, or all faults, and stop");
    TABLE.iter().map(flag).chain([config(), check]).collect()
}

/// The arguments of a command that only has to know where snapshots live: the same flags, variables
/// and settings file as those of `pumice serve`.
pub fn object_flags() -> Vec<Arg> {
    table::of_objects().map(flag).chain([config()]).map(|arg| arg.help_heading("Objects")).collect()
}

fn config() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("TOML file of settings, below flags and environment [env: PUMICE_CONFIG]")
}

fn flag(setting: &'static Setting) -> Arg {
    let preset = match setting.preset {
        Preset::Fixed(text) | Preset::Computed(text) => text,
    };
    let heading = match setting.half {
        Half::Cluster => "Cluster settings (all nodes must agree)",
        Half::Process => "Process settings",
    };
    let arg = Arg::new(setting.name)
        .long(setting.name)
        .value_name(setting.shape)
        .help(format!("{} [default: {preset}] [env: {}]", setting.help, setting.env_name()))
        .help_heading(heading);
    if setting.shape == "true|false" {
        // So that `--access-log` alone turns it on and `--access-log=false` overrules a file.
        return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    arg.allow_hyphen_values(true)
}
