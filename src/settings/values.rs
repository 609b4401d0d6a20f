//! From a setting's text to its value, one function a shape. Lives on the starting thread; it must
//! never open, resolve or bind what a value names. An error says what is wrong and what would do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pumice_model::hash::Hash;
use pumice_model::limits::{PARTITIONS_MAX, SHARDS_MAX};
use tracing::level_filters::LevelFilter;

use super::Secret;

/// A namespace becomes part of topic names and paths.
const NAMESPACE_BYTES_MAX: usize = 64;
/// The largest CPU number Linux is built for, so that a range cannot grow without bound.
const CPU_MAX: usize = 8_191;
/// Below this LMDB cannot hold one full batch.
const MAP_SIZE_MIN: u64 = 16 << 20;
/// LMDB wants whole pages; 64 KiB is the largest page of the machines that Linux runs on.
const MAP_SIZE_STEP: u64 = 64 << 10;
/// Ten years: far from where sums of times overflow.
const DURATION_SECONDS_MAX: u64 = 3_650 * 86_400;
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

pub fn namespace(text: &str) -> Result<String, String> {
    let length_fits = (1..=NAMESPACE_BYTES_MAX).contains(&text.len());
    let all_allowed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    // As in a Kafka topic: these two would be another directory.
    let is_a_path = text == "." || text == "..";
    if length_fits && all_allowed && !is_a_path {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a namespace; give 1 to {NAMESPACE_BYTES_MAX} of a-z, A-Z, 0-9, '.', '_' \
         and '-', other than '.' and '..'"
    ))
}

pub fn partitions(text: &str) -> Result<u32, String> {
    whole_number(text, 1, u64::from(PARTITIONS_MAX)).map(|n| n as u32)
}

pub fn shards(text: &str) -> Result<u16, String> {
    whole_number(text, 1, u64::from(SHARDS_MAX)).map(|n| n as u16)
}

pub fn cores(text: &str) -> Result<usize, String> {
    whole_number(text, 1, CPU_MAX as u64 + 1).map(|n| n as usize)
}

fn whole_number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("{text:?} is not a whole number from {least} to {most}"))
}

/// Snapshots of a partition.
pub fn keep(text: &str) -> Result<u32, String> {
    whole_number(text, 1, u64::from(u32::MAX)).map(|n| n as u32)
}

pub fn replication(text: &str) -> Result<i16, String> {
    let number = text.parse().ok().filter(|n| matches!(n, -1 | 1..));
    number.ok_or_else(|| format!("{text:?} is neither -1 nor a whole number from 1 to 32767"))
}

pub fn hash(text: &str) -> Result<Hash, String> {
    text.parse().map_err(|_| format!("{text:?} is not a hash; give murmur2 or xxh64"))
}

pub fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!("{text:?} is not a directory's path"));
    }
    Ok(PathBuf::from(text))
}

pub fn file(text: &str) -> Result<PathBuf, String> {
    directory(text).map_err(|_| format!("{text:?} is not a file's path"))
}

/// The value whose word is `text`.
pub fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let value = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    value.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("{text:?} is not one of {}", words.join(", "))
    })
}

/// The inverse of [`one_of`].
pub fn word_of<T: PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    let word = words.iter().find(|(_, other)| *other == value);
    word.map(|(word, _)| *word).expect("every value has a word")
}

pub fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// An error must not tell the text.
pub fn secret(text: &str) -> Result<Secret, String> {
    not_empty(text).map(Secret::new)
}

/// `90s`, `15m`, `6h` or `7d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = UNITS.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds).filter(|seconds| *seconds <= DURATION_SECONDS_MAX)
    });
    seconds.map(Duration::from_secs).ok_or_else(|| {
        format!("{text:?} is not a duration of at most 3650d; give it as 90s, 15m, 6h or 7d")
    })
}

/// The shortest way to write whole seconds, which [`duration`] reads back as the same.
pub fn show_duration(duration: Duration) -> String {
    let total = duration.as_secs();
    let fits = |(_, seconds): &&(&str, u64)| total != 0 && total.is_multiple_of(*seconds);
    let (unit, seconds) = UNITS.iter().find(fits).copied().unwrap_or(("s", 1));
    format!("{}{unit}", total / seconds)
}

pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address; give IP:PORT, as 127.0.0.1:8190 or [::1]:8190")
    })
}

/// `0,2-3` is `[0, 2, 3]`: in the order given, each CPU once. Also what the kernel writes in
/// `/proc/self/status`.
pub fn cpu_list(text: &str) -> Result<Vec<usize>, String> {
    let fault = |why: &str| format!("{text:?} is not a list of CPUs, as 0,2-3: {why}");
    let mut cpus = Vec::new();
    let mut seen = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            return Err(fault(&format!("{part:?} is neither a number nor a range")));
        };
        if first > last || last > CPU_MAX {
            return Err(fault(&format!("{part:?} must go upwards and end at {CPU_MAX} or below")));
        }
        for cpu in first..=last {
            if !seen.insert(cpu) {
                return Err(fault(&format!("CPU {cpu} stands there twice")));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

pub fn map_size(text: &str) -> Result<u64, String> {
    let size = bytes(text)?;
    if size < MAP_SIZE_MIN || size % MAP_SIZE_STEP != 0 {
        return Err(format!("{text:?} must be at least 16MiB and a multiple of 64KiB"));
    }
    Ok(size)
}

fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => {
            return Err(format!("{text:?} is not a size; give bytes, or as 256MiB or 1TiB"));
        }
    };
    let size = number.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    size.ok_or_else(|| format!("{text:?} is not a size that fits 64 bits"))
}

/// The shortest way to write a size, which `map_size` reads back as the same number.
pub fn show_bytes(size: u64) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if size != 0 && size.trailing_zeros() >= shift {
            return format!("{}{unit}", size >> shift);
        }
    }
    size.to_string()
}

/// The inverse of [`cpu_list`], without ranges.
pub fn show_cpus(cpus: &[usize]) -> String {
    let numbers: Vec<_> = cpus.iter().map(usize::to_string).collect();
    numbers.join(",")
}

pub fn log_level(text: &str) -> Result<LevelFilter, String> {
    // LevelFilter's own parser also takes numbers and the empty text.
    if !["off", "error", "warn", "info", "debug", "trace"].contains(&text) {
        return Err(format!("{text:?} is not one of off, error, warn, info, debug, trace"));
    }
    text.parse().map_err(|_| format!("{text:?} is not a log level"))
}

pub fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn cpu_lists_are_ranges_and_numbers() {
        assert_eq!(cpu_list("0,2-3").unwrap(), [0, 2, 3]);
        assert_eq!(cpu_list("7").unwrap(), [7]);
        assert_eq!(cpu_list("5-5,1").unwrap(), [5, 1]);
        for bad in ["", ",", "1,", "3-2", "1,1", "0-2,2", "-1", "1-", "a", "0-4000000000", "1 ,2"] {
            assert!(cpu_list(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_take_binary_units_and_come_back() {
        for (text, size) in [("16777216", 16 << 20), ("256MiB", 256 << 20), ("1 TiB", 1 << 40)] {
            assert_eq!(map_size(text).unwrap(), size);
            assert_eq!(map_size(&show_bytes(size)).unwrap(), size);
        }
        for bad in ["", "MiB", "1", "16777217", "1MB", "-1GiB", "1.5GiB", "99999999999TiB"] {
            assert!(map_size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_come_back() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("6h", 21_600), ("7d", 604_800)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds));
            assert_eq!(show_duration(Duration::from_secs(seconds)), text);
        }
        for bad in ["", "s", "10", "1.5h", "-1s", "1w", "1h30m", "3651d", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn namespaces_cannot_leave_their_directory() {
        assert_eq!(namespace("a.B-9_").unwrap(), "a.B-9_");
        assert!(namespace(&"n".repeat(64)).is_ok());
        for bad in ["", ".", "..", "a/b", "a b", "é", "a\0", &"n".repeat(65)] {
            assert!(namespace(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_edges_of_each_number_hold() {
        assert_eq!(partitions("65536").unwrap(), 65_536);
        for bad in ["0", "65537", "-1", "1e3", "", "+ 1"] {
            assert!(partitions(bad).is_err(), "{bad:?}");
        }
        assert_eq!((replication("-1").unwrap(), replication("32767").unwrap()), (-1, 32_767));
        for bad in ["0", "-2", "32768", ""] {
            assert!(replication(bad).is_err(), "{bad:?}");
        }
        assert!(keep("0").is_err() && keep("4294967296").is_err());
        assert!(shards("0").is_err() && cores("0").is_err());
        assert!(log_level("3").is_err() && log_level("").is_err());
        assert!(boolean("yes").is_err());
    }
}
