//! Just enough of Rust's syntax for the rules: comments and literals, words, braces, paths. It must
//! never shift a line or a column: blanked text becomes spaces.

use std::ops::Range;

/// The text with comments blanked, and with the insides of literals blanked too where asked.
pub fn blank(text: &str, literals_too: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let (end, is_comment) = if rest.starts_with("//") {
            (at + rest.find('\n').unwrap_or(rest.len()), true)
        } else if rest.starts_with("/*") {
            (at + block_comment(rest), true)
        } else if let Some(length) = literal(text, at) {
            (at + length, false)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if is_comment || literals_too {
            // The quotes stay, so that what is around a literal is still told apart.
            let inside = if is_comment { at..end } else { at + 1..end - 1 };
            out[inside].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The length of the block comment that `rest` starts with; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let (step, deeper) = match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += deeper;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string or character literal at `at`, if there is one: from its quote, or from
/// the `r` of a raw one.
fn literal(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let in_a_word = text[..at].bytes().next_back().is_some_and(is_word_byte);
    let raw = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br"));
    if let Some(raw) = raw.filter(|_| !in_a_word) {
        let hashes = raw.bytes().take_while(|&byte| byte == b'#').count();
        if raw[hashes..].starts_with('"') {
            let body = rest.len() - raw.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            let end = rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len());
            return Some(end);
        }
    }
    let quote = rest.bytes().next().filter(|&byte| byte == b'"' || byte == b'\'')?;
    if quote == b'\'' {
        // 'a is a lifetime unless it closes after one character.
        let mut chars = rest.char_indices().skip(1);
        let (_, first) = chars.next()?;
        let (after, second) = chars.next()?;
        if first != '\\' && second != '\'' {
            return None;
        }
        if first != '\\' {
            return Some(after + 1);
        }
    }
    let mut escaped = false;
    for (i, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return Some(i + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Every identifier, keyword and number with its position.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = code.as_bytes();
        let start = at + bytes[at..].iter().position(|&byte| is_word_byte(byte))?;
        at = start + bytes[start..].iter().take_while(|&&byte| is_word_byte(byte)).count();
        Some((start, &code[start..at]))
    })
}

/// The 1-based line of a position.
pub fn line_of(code: &str, at: usize) -> usize {
    1 + code[..at].bytes().filter(|&byte| byte == b'\n').count()
}

/// From the opening brace at or after `from` to past its closing one; nothing when a `;` that is in
/// no bracket comes first.
pub fn braces(code: &str, from: usize) -> Option<Range<usize>> {
    let mut start = None;
    let mut depth = 0;
    for (i, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => start = Some(i),
            _ => {}
        }
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        if let (Some(start), 0) = (start, depth) {
            return Some(start..i + 1);
        }
    }
    None
}

/// The first names of every path from `root`: `a` and `b` for `root::{a::c, b}`.
pub fn names_after<'a>(code: &'a str, root: &str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    for (at, word) in words(code) {
        let after = at + word.len();
        if word == root && !code[..at].ends_with("::") && code[after..].starts_with("::") {
            names.extend(names_at(code, after + 2));
        }
    }
    names
}

/// The name at `at`, or those of the group there.
pub fn names_at(code: &str, at: usize) -> Vec<(usize, &str)> {
    if !code[at..].starts_with('{') {
        // A glob has no name.
        return words(&code[at..])
            .take(1)
            .filter(|(skip, _)| *skip == 0)
            .map(|(_, name)| (at, name))
            .collect();
    }
    let group = braces(code, at).map_or("", |range| &code[range]);
    let mut names = Vec::new();
    for (skip, word) in words(group) {
        let before = group[..skip].trim_end();
        let depth = before.matches('{').count() - before.matches('}').count();
        if depth == 1 && before.ends_with(['{', ',']) {
            names.push((at + skip, word));
        }
    }
    names
}

#[test]
fn comments_and_literals_are_blanked_in_place() {
    let text = "a /* x /* y */ z */ \"s\\\"t\" 'q' '\\'' &'b r#\"raw \" one\"# // end\nc";
    let code = blank(text, true);
    assert_eq!(code.len(), text.len());
    let left: Vec<_> = words(&code).map(|(_, word)| word).collect();
    assert_eq!(left, ["a", "b", "r", "c"], "{code}");
    assert!(blank(text, false).contains("raw \" one") && !blank(text, false).contains("end"));
}

#[test]
fn names_after_a_root_are_found_alone_and_in_groups() {
    let code = "use crate::{a::{self, b}, c, d::e as f}; crate::g::h(); x::crate::no; \
                use crate::i; use crate::*; end";
    let names: Vec<_> = names_after(code, "crate").into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "d", "g", "i"]);
}

#[test]
fn braces_are_matched_past_brackets_and_stop_at_a_declaration() {
    let code = "fn f(a: [u8; 2]) { if x { y } } fn g();";
    assert_eq!(&code[braces(code, 3).unwrap()], "{ if x { y } }");
    assert_eq!(braces(code, code.find("fn g").unwrap()), None);
}
