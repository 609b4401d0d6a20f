//! Rules on one file's shape: its header, size, name and purity.

use crate::scan::{braces, line_of, names_after, words};
use crate::tree::File;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["common", "util", "utils", "helper", "helpers", "impls", "manager", "managers", "misc"];

pub fn header(file: &File) -> Vec<String> {
    if file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![format!("{}: must start with //! and say what it is and must never do", file.path)]
}

pub fn file_length(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, at most {FILE_LINES_MAX}", file.path)]
}

pub fn function_length(file: &File) -> Vec<String> {
    let code = &file.code;
    let mut faults = Vec::new();
    let mut all = words(code).peekable();
    while let Some((at, word)) = all.next() {
        // A type such as fn(u8) has no name right behind the word.
        let name = all.peek().filter(|(name_at, _)| *name_at == at + "fn ".len());
        let (true, Some(&(_, name))) = (word == "fn", name) else {
            continue;
        };
        let Some(body) = braces(code, at) else {
            continue;
        };
        let lines = code[at..body.end].lines().count();
        if lines > FUNCTION_LINES_MAX {
            let (path, line) = (&file.path, line_of(code, at));
            let most = FUNCTION_LINES_MAX;
            faults.push(format!("{path}:{line}: {name} has {lines} lines, at most {most}"));
        }
    }
    faults
}

pub fn line_width(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            let (path, line) = (&file.path, i + 1);
            faults.push(format!("{path}:{line}: {columns} columns, at most {COLUMNS_MAX}"));
        }
    }
    faults
}

pub fn name(file: &File) -> Vec<String> {
    let stem = file.path.strip_suffix(".rs").unwrap_or(&file.path);
    let mut parts = stem.split(['/', '_', '-']);
    let empty = parts.find(|part| EMPTY_NAMES.contains(part));
    empty
        .map(|part| format!("{}: {part:?} does not say what is inside", file.path))
        .into_iter()
        .collect()
}

/// A file whose header says `(pure)` is a function of its arguments.
pub fn purity(file: &File) -> Vec<String> {
    let mut header = file.text.lines().take_while(|line| line.starts_with("//!"));
    if !header.any(|line| line.contains("(pure)")) {
        return Vec::new();
    }
    let banned_words = ["async", "await", "Instant", "SystemTime", "rand", "getrandom"];
    let banned_of_std = ["fs", "net", "thread", "env", "process"];
    let named = words(&file.code).filter(|(_, word)| banned_words.contains(word));
    let of_std = names_after(&file.code, "std").into_iter();
    let of_std = of_std.filter(|(_, name)| banned_of_std.contains(name));
    let fault = |(at, word): (usize, &str)| {
        format!("{}:{}: {word} in a file marked (pure)", file.path, line_of(&file.code, at))
    };
    named.chain(of_std).map(fault).collect()
}

#[test]
fn each_rule_of_shape_can_fail() {
    let fine = File::new("src/fine.rs", "//! Fine.\n\nfn f() {\n}\n");
    let long_body =
        format!("fn short() {{}}\nfn long(a: fn(u8)) {{\n{}}}\n", "    f();\n".repeat(69));
    let long_file = File::new("src/helpers/x.rs", &long_body.repeat(8));
    let wide = File::new("src/io_util.rs", &format!("//! {}\n", "é".repeat(97)));
    for rule in [header, file_length, function_length, line_width, name, purity] {
        assert!(rule(&fine).is_empty());
    }
    assert_eq!(header(&long_file).len(), 1);
    assert_eq!(file_length(&long_file).len(), 1);
    assert_eq!(function_length(&long_file).len(), 8);
    assert!(function_length(&long_file)[0].contains(":2: long has 71 lines"));
    assert_eq!(line_width(&wide).len(), 1);
    assert_eq!(name(&long_file).len(), 1);
    assert_eq!(name(&wide).len(), 1);

    let text =
        "//! (pure) X.\nuse std::{fmt, net::Ip};\nasync fn f() { std::fs::read(p); } // rand";
    assert_eq!(purity(&File::new("a.rs", text)).len(), 3);
    assert_eq!(purity(&File::new("a.rs", &text.replace("(pure) ", ""))).len(), 0);
}
