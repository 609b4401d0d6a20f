//! (pure) The parts of an HTML page that the reports share: its frame, tiles, tables, and the axis
//! of milliseconds.

use std::fmt::Write;

use super::plot::{Axis, COLOURS, Line, escape};

/// The colour of what should not be.
pub const FAILED: usize = COLOURS - 1;

const STYLE: &str = include_str!("style.css");

/// A page around this body.
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main>\n{body}</main></body></html>\n"
    )
}

/// A heading with a line below it.
pub fn head(title: &str, below: &str) -> String {
    format!("<h1>{}</h1><p class=\"sub\">{}</p>\n", escape(title), escape(below))
}

/// A figure and what it is.
pub fn tile(out: &mut String, name: &str, value: &str, bad: bool) {
    let class = if bad { "tile bad" } else { "tile" };
    let (name, value) = (escape(name), escape(value));
    let _ = write!(out, "<div class=\"{class}\"><b>{value}</b><span>{name}</span></div>");
}

/// An axis of milliseconds around all points.
pub fn time_axis(lines: &[Line]) -> Axis {
    let values =
        || lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y).filter(|y| *y > 0.0);
    let low = values().reduce(f64::min).unwrap_or(0.1);
    let high = values().reduce(f64::max).unwrap_or(1.0);
    Axis::logarithmic("milliseconds", low, high)
}

/// A table; the first cell of each row names it.
pub fn push_table(out: &mut String, names: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    out.push_str("<div class=\"table\"><table><thead><tr>");
    for name in names {
        let _ = write!(out, "<th>{}</th>", escape(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let tag = if i == 0 { "th" } else { "td" };
            let _ = write!(out, "<{tag}>{}</{tag}>", escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}
