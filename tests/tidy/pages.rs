//! Rules between files: limits and their users, settings and refusals and their pages, drawings and
//! the code they draw, links and what they lead to.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use crate::scan::{blank, braces, words};
use crate::tree::File;

/// Files that decide durable bytes, each of which FORMATS.md must draw.
const DURABLE: &[&str] = &[
    "model/src/entry/codec.rs",
    "model/src/entry/foreign.rs",
    "model/src/key.rs",
    "model/src/logical.rs",
    "model/src/manifest.rs",
    "model/src/outcome.rs",
    "model/src/row.rs",
    "model/src/statehash.rs",
    "src/snapshot/frames.rs",
    "src/snapshot/place.rs",
];

pub fn unused_limits(limits: &File, users: &[&File]) -> Vec<String> {
    let used: BTreeSet<_> =
        users.iter().flat_map(|file| words(&file.code)).map(|(_, word)| word).collect();
    let lines = limits.code.lines();
    let names = lines.filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let unused = names.filter(|name| !used.contains(name));
    unused.map(|name| format!("{}: {name} limits nothing", limits.path)).collect()
}

pub fn undocumented_settings(table: &str, page: &str) -> Vec<String> {
    let name =
        |line: &str| Some(line.trim().strip_prefix("name: \"")?.split('"').next()?.to_owned());
    let names: Vec<String> = table.lines().filter_map(name).collect();
    if names.is_empty() {
        return vec!["the table of settings has no line with a name".to_owned()];
    }
    let mut faults = Vec::new();
    for name in names {
        let variable = format!("PUMICE_{}", name.to_uppercase().replace('-', "_"));
        for form in [format!("`--{name}"), format!("`{variable}`")] {
            if !page.contains(&form) {
                faults.push(format!("docs/OPERATIONS.md: {form} is missing"));
            }
        }
    }
    faults
}

/// Every variant of `enum Refusal` has an arm in `fn code`, and `all` gives it.
pub fn refusals_without_code(code: &str) -> Vec<String> {
    let part = |start: &str| Some(&code[braces(code, code.find(start)?)?]);
    let (Some(variants), Some(codes)) = (part("enum Refusal"), part("fn code")) else {
        return vec!["enum Refusal or its fn code is not to be found".to_owned()];
    };
    let all = code.find("const ALL").map_or("", |at| &code[at..]);
    let all = &all[..all.find("];").unwrap_or(0)];
    let mut faults = Vec::new();
    for line in variants.lines() {
        let name = line.trim().split([' ', ',', '=', '(', '{']).next().unwrap_or_default();
        if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
            continue;
        }
        let names_it = |part: &str| words(part).any(|(_, word)| word == name);
        if !names_it(codes) {
            faults.push(format!("Refusal::{name} has no wire code"));
        }
        if !names_it(all) {
            faults.push(format!("Refusal::{name} is missing in Refusal::ALL"));
        }
    }
    faults
}

/// A page says `<!-- draws: PATH xxh3:HASH -->` for each file whose bytes it draws.
pub fn stale_drawings<'a>(page: &str, find: impl Fn(&str) -> Option<&'a File>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut drawn = Vec::new();
    for line in page.lines() {
        let Some(mark) = line.trim().strip_prefix("<!-- draws: ") else {
            continue;
        };
        let path = mark.split(' ').next().unwrap_or_default();
        drawn.push(path);
        match find(path) {
            None => faults.push(format!("docs/FORMATS.md draws {path}, which is not there")),
            Some(file) if line.trim() == drawing_mark(file) => {}
            Some(file) => faults.push(format!(
                "{path} changed: make docs/FORMATS.md draw its bytes, then write there\n    {}",
                drawing_mark(file)
            )),
        }
    }
    for path in DURABLE.iter().filter(|path| !drawn.contains(path)) {
        let mark = find(path).map_or_else(|| format!("{path}, which is not there"), drawing_mark);
        faults.push(format!("docs/FORMATS.md does not draw\n    {mark}"));
    }
    faults
}

/// Over the code alone: neither a comment nor the layout nor a test changes bytes on disk.
fn drawing_mark(file: &File) -> String {
    let code = blank(&file.text, false);
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let dense: Vec<_> = code.split_whitespace().collect();
    format!("<!-- draws: {} xxh3:{:016x} -->", file.path, xxh3_64(dense.join(" ").as_bytes()))
}

/// Relative links of a page, outside code, that lead to no file.
pub fn broken_links(page: &File, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut faults = Vec::new();
    let mut fenced = false;
    for (i, line) in page.text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("_");
        for link in prose.split("](").skip(1) {
            let target = link.split([')', ' ', '#']).next().unwrap_or_default();
            let is_elsewhere = target.is_empty() || target.contains(':');
            if !is_elsewhere && !exists(format!("{folder}/{target}").trim_start_matches('/')) {
                faults.push(format!("{}:{}: {target} is not there", page.path, i + 1));
            }
        }
    }
    faults
}

/// Paths of one developer's machine mean nothing on the next.
pub fn machine_paths(file: &File) -> Vec<String> {
    // In two halves, so that this file may be read by its own rule.
    let paths = [["/wo", "rk/"], ["/ro", "ot/"]].map(|halves| halves.concat());
    let mut faults = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        for path in paths.iter().filter(|path| line.contains(path.as_str())) {
            faults.push(format!("{}:{}: names {path}", file.path, i + 1));
        }
    }
    faults
}

#[test]
fn each_rule_of_pages_can_fail() {
    let limits = File::new("l.rs", "pub const A: u8 = 1;\npub const B: u8 = A;\n");
    let user = File::new("u.rs", "use l::B; // A\n");
    assert_eq!(unused_limits(&limits, &[&user]), ["l.rs: A limits nothing"]);

    let table = "    name: \"data-dir\",\n    name: \"http\",\n";
    assert_eq!(undocumented_settings(table, "`--data-dir D` `PUMICE_DATA_DIR` `--http`").len(), 1);
    assert_eq!(undocumented_settings("", "").len(), 1);

    let code = "enum Refusal {\n  A = 1,\n  B(u8),\n}\nconst ALL: [R; 1] = [A];\nfn code() { A }";
    assert_eq!(refusals_without_code(code).len(), 2);
    assert_eq!(refusals_without_code("enum Else {}").len(), 1);

    let page = File::new("docs/a.md", "[x](b.md#c) [y](https://e.f) `[z](w)` [v](../gone.md)");
    let faults = broken_links(&page, |path| path == "docs/b.md");
    assert_eq!(faults, ["docs/a.md:1: ../gone.md is not there"]);

    let file = File::new("a.txt", &["see /wo", "rk/x"].concat());
    assert_eq!(machine_paths(&file).len(), 1);
}

#[test]
fn a_drawing_is_stale_when_code_changed_and_not_when_a_comment_did() {
    let durable: Vec<_> = DURABLE.iter().map(|path| File::new(path, "fn f() { 1 }")).collect();
    let find = |path: &str| durable.iter().find(|file| file.path == path);
    let page = durable.iter().map(drawing_mark).collect::<Vec<_>>().join("\n");
    assert!(stale_drawings(&page, find).is_empty());

    let with_text = |text: &str| File::new(DURABLE[0], text);
    let reworded = with_text("// why\nfn f() {\n    1\n}\n#[cfg(test)]\nmod tests {}");
    assert_eq!(drawing_mark(&reworded), drawing_mark(&durable[0]));
    let changed = with_text("fn f() { 2 }");
    let find = |path: &str| Some(if path == DURABLE[0] { &changed } else { find(path)? });
    assert_eq!(stale_drawings(&page, find).len(), 1);
    assert_eq!(stale_drawings("<!-- draws: gone.rs xxh3:0 -->", |_| None).len(), 1 + DURABLE.len());
}
