//! (pure) Times in bodies: written as RFC 3339 in UTC with milliseconds, read with any fraction
//! and zone.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{Millis, rfc3339};

/// A time, shown as `2023-05-07T12:00:00.120Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub Millis);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time must look like 2023-05-07T12:00:00.120Z")]
pub struct TimestampError;

impl Timestamp {
    /// The same text without the zeros at the end of the fraction, as FireScroll writes it.
    pub fn trimmed(self) -> String {
        let text = self.to_string();
        let whole = text.trim_end_matches('Z').trim_end_matches('0');
        // A fraction of zeros is gone up to its point; only then may the point go too.
        format!("{}Z", whole.trim_end_matches('.'))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse(text.as_bytes()).map(Self).ok_or(TimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

fn parse(text: &[u8]) -> Option<Millis> {
    let (date_time, rest) = text.split_at_checked(19)?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if date_time[at] != mark {
            return None;
        }
    }
    let field = |from: usize, to: usize| number(&date_time[from..to]);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let dated = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day);
    if !dated || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction_ms, zone) = fraction(rest)?;
    let minutes = days(year, month, day) * 1_440 + hour * 60 + minute - zone_minutes(zone)?;
    Some(minutes * 60_000 + second * 1_000 + fraction_ms)
}

// Digits below the millisecond are cut off: nothing here is measured that finely.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, zone) = digits.split_at(count);
    let kept = number(&digits[..count.min(3)])?;
    let scale = [0, 100, 10, 1][count.min(3)];
    Some((kept * scale, zone))
}

fn zone_minutes(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        b"Z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let [h1, h2, b':', m1, m2] = rest else {
        return None;
    };
    let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn number(digits: &[u8]) -> Option<i64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// Days since 1970-01-01; years begin in March, so that the leap day is the last of its year.
// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    const YEAR_0: Millis = -62_167_219_200_000;
    const YEAR_9999: Millis = 253_402_300_799_999;

    #[test]
    fn every_week_of_ten_thousand_years_reads_back() {
        for ms in (YEAR_0..=YEAR_9999).step_by(7 * 86_400_000 + 12_345_678) {
            assert_eq!(Timestamp(ms).to_string().parse(), Ok(Timestamp(ms)));
        }
        for ms in [YEAR_0, -1, 0, 951_782_400_000, 951_868_799_999, YEAR_9999] {
            assert_eq!(Timestamp(ms).to_string().parse(), Ok(Timestamp(ms)));
        }
    }

    #[test]
    fn fractions_are_trimmed_and_read() {
        let base = 1_683_460_800_000;
        for (ms, text) in
            [(0, "12:00:00Z"), (100, "12:00:00.1Z"), (120, "12:00:00.12Z"), (7, "12:00:00.007Z")]
        {
            assert_eq!(Timestamp(base + ms).trimmed(), format!("2023-05-07T{text}"));
            assert_eq!(Timestamp(base + ms).trimmed().parse(), Ok(Timestamp(base + ms)));
        }
        let zoned: Timestamp = "2023-05-07T14:30:00.9999+02:30".parse().unwrap();
        assert_eq!(zoned, Timestamp(base + 999));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "2023-05-07",
            "2023-05-07T12:00:00",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-05-00T00:00:00Z",
            "2023-05-07T24:00:00Z",
            "2023-05-07T12:00:00.Z",
            "2023-05-07T12:00:00+2:00",
            "2023-05-07 12:00:00Z",
            "2023-05-07T12:00:60Z",
            "é",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampError), "{bad}");
        }
    }
}
