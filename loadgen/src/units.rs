//! (pure) Quantities as people write and read them: durations, counts, CPUs.

/// Nanoseconds of `250us`, `10ms`, `1.5s`, `2m`, `1h`.
///
/// # Errors
/// When the text is no duration above 0 and up to a day.
pub fn duration(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = match unit.trim() {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3_600e9,
        _ => return Err(format!("{text:?} needs a unit: us, ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no duration"))?;
    let nanoseconds = number * scale;
    if !(0.0..=86_400e9).contains(&nanoseconds) {
        return Err(format!("{text:?} is longer than a day"));
    }
    Ok(nanoseconds as u64)
}

/// A count such as `50000`, `50_000`, `50k` or `1.5m`.
///
/// # Errors
/// When the text is no number above 0.
pub fn count(text: &str) -> Result<f64, String> {
    let plain = text.trim().replace('_', "").to_ascii_lowercase();
    let (number, scale) = match plain.strip_suffix(['k', 'm']) {
        Some(number) => (number, if plain.ends_with('k') { 1e3 } else { 1e6 }),
        None => (plain.as_str(), 1.0),
    };
    match number.parse::<f64>().map(|number| number * scale) {
        Ok(count) if count > 0.0 && count <= 1e12 => Ok(count),
        _ => Err(format!("{text:?} is no number above 0")),
    }
}

/// CPUs such as `1`, `0,2` or `2-5`.
///
/// # Errors
/// When the text is no list of CPUs below 1,024.
pub fn cpus(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("{text:?} is no list of CPUs, such as 1, 0,2 or 2-5");
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        if first > last || last >= 1_024 {
            return Err(wrong());
        }
        cpus.extend(first..=last);
    }
    Ok(cpus)
}

/// Nanoseconds for people: three digits and the unit that fits.
pub fn show(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ..1e3 => (nanoseconds, "ns"),
        ..1e6 => (nanoseconds / 1e3, "us"),
        ..1e9 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    let digits = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A number with commas between the thousands.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if number < -0.5 { format!("-{text}") } else { text }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn quantities_read() {
        assert_eq!(duration("250us"), Ok(250_000));
        assert_eq!(duration("1.5s"), Ok(1_500_000_000));
        assert_eq!(duration("2m"), Ok(120_000_000_000));
        assert!(["", "5", "s", "1d", "25h", "-1s", "1.2.3s"].iter().all(|t| duration(t).is_err()));
        assert_eq!(count("1.5m"), Ok(1_500_000.0));
        assert_eq!(count("50_000"), Ok(50_000.0));
        assert!(["", "0", "-1", "k", "nan", "inf"].iter().all(|text| count(text).is_err()));
        assert_eq!(cpus("0,2-4"), Ok(vec![0, 2, 3, 4]));
        assert!(["", "a", "3-1", "5000"].iter().all(|text| cpus(text).is_err()));
    }

    #[test]
    fn quantities_are_shown() {
        assert_eq!(show(999.0), "999 ns");
        assert_eq!(show(12_345.0), "12.3 us");
        assert_eq!(show(1_234_000.0), "1.23 ms");
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }
}
