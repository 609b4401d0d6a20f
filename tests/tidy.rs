//! The house law, read off the sources: sizes, names, layers, bans, and pages that must follow the
//! code. Every rule is a function from text to faults, and shows on a sample that it can fail.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tree.rs"]
mod tree;

use std::process::Command;

use tree::{File, Tree, tell};

/// Fails with every fault at once.
fn hold(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults:\n{}\n", faults.len(), faults.join("\n"));
}

/// Holds one rule over every Rust file.
fn hold_in_code(rule: impl Fn(&File) -> Vec<String>) {
    let tree = Tree::read();
    let faults: Vec<_> = tree.rust().flat_map(rule).collect();
    hold(faults);
}

#[test]
fn every_file_says_what_it_is() {
    hold_in_code(shape::header);
}

#[test]
fn files_stay_short() {
    hold_in_code(shape::file_length);
}

#[test]
fn functions_stay_short() {
    hold_in_code(shape::function_length);
}

#[test]
fn lines_fit_the_page() {
    hold_in_code(shape::line_width);
}

#[test]
fn file_names_say_something() {
    hold_in_code(shape::name);
}

#[test]
fn pure_files_are_pure() {
    hold_in_code(shape::purity);
}

#[test]
fn modules_import_downward_only() {
    hold_in_code(layers::downward);
}

#[test]
fn crates_import_as_the_house_is_drawn() {
    hold_in_code(layers::crates);
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    hold_in_code(layers::fenced);
}

#[test]
fn every_limit_is_used() {
    let tree = Tree::read();
    let limits = tree.get("model/src/limits.rs");
    let users: Vec<_> = tree.rust().filter(|file| file.path != limits.path).collect();
    hold(pages::unused_limits(limits, &users));
}

#[test]
fn every_setting_stands_in_operations() {
    let tree = Tree::read();
    let table = tree.get("src/settings/table.rs");
    hold(pages::undocumented_settings(&table.text, &tree.get("docs/OPERATIONS.md").text));
}

#[test]
fn every_refusal_has_a_wire_code() {
    hold(pages::refusals_without_code(&Tree::read().get("model/src/outcome.rs").code));
}

#[test]
fn formats_follow_the_code_that_they_draw() {
    let tree = Tree::read();
    hold(pages::stale_drawings(&tree.get("docs/FORMATS.md").text, |path| tree.find(path)));
}

#[test]
fn links_between_pages_lead_somewhere() {
    let tree = Tree::read();
    let pages = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    hold(pages.flat_map(|page| pages::broken_links(page, |path| tree.root.join(path).exists())));
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    hold(Tree::read().files.iter().flat_map(pages::machine_paths));
}

#[test]
fn code_is_formatted() {
    let cargo = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("fmt");
        cargo
    };
    if !cargo().arg("--version").output().is_ok_and(|out| out.status.success()) {
        tell("skipped: formatting is not checked, because cargo fmt is not installed");
        return;
    }
    let out = cargo().args(["--all", "--check", "--", "-l"]).output().unwrap();
    let files = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "run cargo fmt --all; it would change\n{files}");
}
