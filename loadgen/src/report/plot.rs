//! (pure) Line plots as inline SVG: axes, ticks, labels and units, with colours left to the style
//! sheet of the page, so that one drawing serves light and dark.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 72.0;
// Half of the longest tick under the plot.
const RIGHT: f64 = 32.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 48.0;
/// How many lines of a plot have a colour of their own.
pub const COLOURS: usize = 6;

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Equal steps from 0 to at least `high`.
    pub fn linear(label: &str, high: f64) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let step = step(high / 5.0);
        let count = (high / step).ceil().max(1.0) as u32;
        let high = f64::from(count) * step;
        let ticks = (0..=count).map(|i| f64::from(i) * step).map(|at| (at, short(at, high)));
        Self { label: label.to_owned(), low: 0.0, high, log: false, ticks: ticks.collect() }
    }

    /// The same, ending at `high` and not at the tick above it.
    pub fn time(label: &str, high: f64) -> Self {
        let mut axis = Self::linear(label, high);
        axis.high = high.max(f64::MIN_POSITIVE);
        axis.ticks.retain(|(at, _)| *at <= high * 1.000_001);
        axis
    }

    /// Equal ratios, from the round number below `low` to the one above `high`; both are above 0.
    pub fn logarithmic(label: &str, low: f64, high: f64) -> Self {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let round = |decade: i32| [1.0, 2.0, 5.0].map(|part| part * 10f64.powi(decade));
        let all: Vec<f64> = (first..=last).flat_map(round).collect();
        let from = all.iter().rposition(|at| *at <= low * 1.000_001).unwrap_or(0);
        let to = all.iter().position(|at| *at >= high * 0.999_999).unwrap_or(all.len() - 1);
        let to = to.max(from + 1).min(all.len() - 1);
        let shown = all[from..=to].iter().enumerate();
        // Beyond three decades the tens are enough.
        let ticks = shown
            .filter(|(i, _)| to - from <= 9 || (from + i).is_multiple_of(3))
            .map(|(_, at)| (*at, short(*at, *at)));
        Self {
            label: label.to_owned(),
            low: all[from],
            high: all[to],
            log: true,
            ticks: ticks.collect(),
        }
    }

    /// Percentiles, each nine as wide as the one before: positions are 1/(1-q).
    pub fn percentiles(label: &str, high: f64) -> Self {
        let high = high.max(100.0);
        let all = [
            (1.0, "0%"),
            (2.0, "50%"),
            (10.0, "90%"),
            (1e2, "99%"),
            (1e3, "99.9%"),
            (1e4, "99.99%"),
            (1e5, "99.999%"),
            (1e6, "99.9999%"),
            (1e7, "99.99999%"),
        ];
        let ticks = all.iter().filter(|(at, _)| *at <= high).map(|&(at, text)| (at, text.into()));
        Self { label: label.to_owned(), low: 1.0, high, log: true, ticks: ticks.collect() }
    }

    /// Where a value stands, 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            let value = value.max(self.low);
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// Its colour, below [`COLOURS`].
    pub colour: usize,
    /// Whether it is broken, as what was wanted and not measured is.
    pub dashed: bool,
    /// Its points, in order of x.
    pub points: Vec<(f64, f64)>,
}

/// A plot with its legend.
pub fn render(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let mut out = String::new();
    let _ = write!(out, "<figure><figcaption><b>{}</b>", escape(title));
    for line in lines {
        let dashed = if line.dashed { " dashed" } else { "" };
        let (name, colour) = (escape(&line.name), line.colour);
        let _ = write!(out, "<span class=\"key c{colour}{dashed}\"><i></i>{name}</span>");
    }
    let label = escape(title);
    let _ = write!(
        out,
        "</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">"
    );
    grid(&mut out, x, y);
    for line in lines {
        draw(&mut out, x, y, line);
    }
    out.push_str("</svg></figure>\n");
    out
}

fn left_of(x: &Axis, value: f64) -> f64 {
    LEFT + x.place(value) * (WIDTH - LEFT - RIGHT)
}

fn top_of(y: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM)
}

fn grid(out: &mut String, x: &Axis, y: &Axis) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for (value, text) in &y.ticks {
        let at = top_of(y, *value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 8.0,
            at + 4.0,
        );
    }
    for (value, text) in &x.ticks {
        let at = left_of(x, *value);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 17.0,
        );
    }
    let (middle_x, middle_y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    let _ = write!(
        out,
        "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\
         <text class=\"label\" x=\"{middle_x}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text class=\"label\" transform=\"translate(16 {middle_y})rotate(-90)\" \
         text-anchor=\"middle\">{}</text>",
        HEIGHT - 8.0,
        escape(&x.label),
        escape(&y.label),
    );
}

fn draw(out: &mut String, x: &Axis, y: &Axis, line: &Line) {
    let dashed = if line.dashed { " dashed" } else { "" };
    let _ = write!(out, "<path class=\"line c{}{dashed}\" d=\"", line.colour);
    for (i, (at_x, at_y)) in line.points.iter().enumerate() {
        let verb = if i == 0 { 'M' } else { 'L' };
        let _ = write!(out, "{verb}{:.1} {:.1}", left_of(x, *at_x), top_of(y, *at_y));
    }
    let _ = write!(out, "\"><title>{}</title></path>", escape(&line.name));
}

/// The round number next above: 1, 2 or 5 times a power of ten.
fn step(at_least: f64) -> f64 {
    let scale = 10f64.powf(at_least.log10().floor());
    let part = [1.0, 2.0, 5.0, 10.0].into_iter().find(|part| part * scale >= at_least * 0.999_999);
    part.unwrap_or(10.0) * scale
}

/// A tick's number in the unit that fits `high`: 1.5k, 20M, 0.05.
fn short(value: f64, high: f64) -> String {
    let (value, unit) = match high {
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let rounded = (value * 1e4).round() / 1e4;
    if rounded == 0.0 { "0".to_owned() } else { format!("{rounded}{unit}") }
}

/// Text as HTML and SVG take it.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        let texts = |axis: &Axis| {
            axis.ticks.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts(&Axis::linear("", 47_000.0)), "0 10k 20k 30k 40k 50k");
        assert_eq!(texts(&Axis::linear("", 0.0)), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(texts(&Axis::time("", 12.0)), "0 5 10");
        assert_eq!(texts(&Axis::linear("", 8_500.0)), "0 2k 4k 6k 8k 10k");
        assert_eq!(texts(&Axis::logarithmic("", 0.05, 3.0)), "0.05 0.1 0.2 0.5 1 2 5");
        assert_eq!(texts(&Axis::logarithmic("", 0.03, 170.0)), "0.1 1 10 100");
        assert_eq!(texts(&Axis::logarithmic("", 2.0, 2.0)), "2 5");
        assert_eq!(texts(&Axis::percentiles("", 2e3)), "0% 50% 90% 99% 99.9%");
    }

    #[test]
    fn points_stand_where_they_should() {
        let axis = Axis::logarithmic("", 1.0, 100.0);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(1e9)), (0.0, 1.0));
        let linear = Axis::linear("", 10.0);
        assert!((top_of(&linear, 0.0) - (HEIGHT - BOTTOM)).abs() < 1e-9);
        assert!((top_of(&linear, 10.0) - TOP).abs() < 1e-9);
    }
}
