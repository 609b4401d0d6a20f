//! Who may import whom: the layers of `src/`, the crates of the workspace, and the foreign crates
//! that are kept behind one door.

use crate::scan::{braces, line_of, names_after, names_at, words};
use crate::tree::File;

/// Modules of `src/` by layer. An import goes to a lower layer; the top one is a single unit.
const LAYERS: [&[&str]; 5] = [
    &["rt", "clock", "signals", "stats", "settings"],
    &["mesh", "net", "datadir", "objects", "peer"],
    &["log", "snapshot", "blob"],
    &["owner", "front", "cluster", "admin"],
    &["node", "lib", "main", "args", "cli"],
];

/// Which of our crates the code under a folder may name.
const CRATES: &[(&str, &[&str])] = &[
    ("model/", &["pumice_model"]),
    ("shards/", &["pumice_model", "pumice_shards"]),
    ("client/", &["pumice_model", "pumice_client"]),
    ("loadgen/", &["pumice_model", "pumice_client", "pumice_loadgen"]),
    ("src/", &["pumice_model", "pumice_shards", "pumice_client"]),
];

/// Foreign crates, and the only places that may name them, each with its reason.
const FENCES: &[(&str, &[(&str, &str)])] = &[
    ("glommio", &[("src/rt/on_glommio.rs", "the runtime stays replaceable")]),
    (
        "heed",
        &[("shards/", "whoever opens a transaction must also keep the rules of the state machine")],
    ),
    (
        "tokio",
        &[
            ("client/", "the library runs in its user's runtime"),
            ("loadgen/", "its tests have a server"),
            ("bench/", "the reference server and the runner are not on the serving path"),
            ("tests/", "drives the client library"),
            ("src/rt/on_tokio.rs", "the runtime stays replaceable"),
            ("src/cli/", "the network commands drive the client library"),
            ("src/log/kafka/", "brokers are spoken to on the log's side thread"),
            ("src/objects/", "rust-s3 lives on the objects' side thread"),
            ("src/snapshot/", "drives the objects on their side thread"),
            ("src/owner/fed.rs", "takes from a channel of a side thread"),
            ("src/mesh/feed.rs", "a channel that a task of a side thread can wait at"),
            ("src/mesh/wants.rs", "between two side threads"),
            ("src/mesh/holds.rs", "between two side threads"),
            ("src/mesh/handover.rs", "channels that a task of a side thread can wait at"),
            ("src/cluster/", "gossip lives on a side thread"),
        ],
    ),
    (
        "kafka_protocol",
        &[
            ("src/log/kafka/", "what is said to brokers is said in one place"),
            ("tests/", "stands between a node and its broker"),
        ],
    ),
];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

pub fn downward(file: &File) -> Vec<String> {
    let Some(inner) = file.path.strip_prefix("src/") else {
        return Vec::new();
    };
    let module = inner.split(['/', '.']).next().unwrap_or(inner);
    let Some(layer) = layer_of(module) else {
        return vec![format!("{}: module {module} has no layer; add it to the table", file.path)];
    };
    let mut faults = Vec::new();
    for (at, name) in names_after(&file.code, "crate").into_iter().chain(supers(file)) {
        let fault = match layer_of(name) {
            _ if name == module => continue,
            Some(other) if other < layer || layer == LAYERS.len() - 1 => continue,
            Some(other) if other == layer => {
                format!("sideways to {name}, both of layer {}", layer + 1)
            }
            Some(other) => format!("upward to {name}, from layer {} to {}", layer + 1, other + 1),
            None if layer == LAYERS.len() - 1 => continue,
            None => format!("to {name}, which is no module of the table"),
        };
        let line = line_of(&file.code, at);
        faults.push(format!("{}:{line}: {module} imports {fault}", file.path));
    }
    faults
}

/// What chains of `super::` reach at the crate's root, and only there.
fn supers(file: &File) -> Vec<(usize, &str)> {
    let code = &file.code;
    let below_root = file.path.matches('/').count() - usize::from(file.path.ends_with("/mod.rs"));
    let inline: Vec<_> = words(code)
        .filter(|(_, word)| *word == "mod")
        .filter_map(|(at, _)| braces(code, at))
        .collect();
    let mut reached = Vec::new();
    for (at, word) in words(code) {
        if word != "super" || code[..at].ends_with("::") || !code[at..].starts_with("super::") {
            continue;
        }
        let depth = below_root + inline.iter().filter(|range| range.contains(&at)).count();
        let chain = code[at..].split("super::").skip(1);
        let links = 1 + chain.take_while(|between| between.is_empty()).count();
        if links == depth {
            reached.extend(names_at(code, at + links * "super::".len()));
        }
    }
    reached
}

pub fn crates(file: &File) -> Vec<String> {
    let Some((place, allowed)) = CRATES.iter().find(|(place, _)| file.path.starts_with(place))
    else {
        return Vec::new();
    };
    let ours = words(&file.code).filter(|(_, word)| {
        word.strip_prefix("pumice_")
            .is_some_and(|rest| ["model", "shards", "client", "loadgen", "bench"].contains(&rest))
    });
    let foreign = ours.filter(|(_, word)| !allowed.contains(word));
    let fault = |(at, word): (usize, &str)| {
        format!("{}:{}: {place} may not import {word}", file.path, line_of(&file.code, at))
    };
    foreign.map(fault).collect()
}

pub fn fenced(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, word) in words(&file.code) {
        let Some((name, places)) = FENCES.iter().find(|(name, _)| *name == word) else {
            continue;
        };
        if !places.iter().any(|(place, _)| file.path.starts_with(place)) {
            let line = line_of(&file.code, at);
            let places: Vec<_> = places.iter().map(|(place, _)| *place).collect();
            let places = places.join(", ");
            faults.push(format!("{}:{line}: {name} may stand only in {places}", file.path));
        }
    }
    faults
}

#[test]
fn each_rule_of_layers_can_fail() {
    type Sample = (fn(&File) -> Vec<String>, &'static str, &'static str, usize);
    let samples: [Sample; 18] = [
        (downward, "src/log/kafka.rs", "use crate::{rt::Timer, mesh, log::Entry};", 0),
        (downward, "src/log/kafka.rs", "use crate::{rt, owner::Loop};", 1),
        (downward, "src/rt/mod.rs", "fn f() { crate::clock::now() }", 1),
        (downward, "src/mesh/mod.rs", "use super::net;", 1),
        (downward, "src/mesh/mod.rs", "mod t { use super::lane; }", 0),
        (downward, "src/mesh/lane.rs", "use super::net;", 0),
        (downward, "src/mesh/lane.rs", "use super::super::{lane, net};", 2),
        (downward, "src/mesh/lane.rs", "mod t { use super::super::lane; }", 0),
        (downward, "src/mesh/mod.rs", "pub(super) fn f() { drop(g) }", 0),
        (downward, "src/node.rs", "use crate::{cli, front, args};", 0),
        (downward, "src/front/mod.rs", "use crate::node;", 1),
        (downward, "src/odd.rs", "", 1),
        (crates, "model/src/a.rs", "use pumice_shards::Reader;", 1),
        (crates, "shards/src/a.rs", "use pumice_model::key; use pumice_client::C;", 1),
        (crates, "src/a.rs", "use pumice_model::key; // pumice_bench", 0),
        (fenced, "src/net/a.rs", "use glommio::Task; // tokio", 1),
        (fenced, "src/owner/a.rs", "heed::Env; tokio::spawn(f)", 2),
        (fenced, "src/rt/on_glommio.rs", "use glommio::Task;", 0),
    ];
    for (rule, path, text, count) in samples {
        let faults = rule(&File::new(path, text));
        assert_eq!(faults.len(), count, "{path}: {text}: {faults:?}");
    }
}
