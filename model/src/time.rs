//! (pure) Milliseconds since 1970-01-01 UTC and how they are written.

/// Milliseconds since the epoch, UTC. Zero is used as "never" where a time may be absent.
pub type Millis = i64;

/// RFC 3339 in UTC with milliseconds, e.g. `2023-05-07T12:00:00.123Z`. Total: times outside the
/// years 0 to 9999 are clamped to them.
pub fn rfc3339(ms: Millis) -> String {
    let civil = Civil::of(ms);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        civil.year,
        civil.month,
        civil.day,
        civil.second_of_day / 3_600,
        civil.second_of_day / 60 % 60,
        civil.second_of_day % 60,
        civil.millis
    )
}

/// An HTTP date (RFC 9110 section 5.6.7), e.g. `Sun, 07 May 2023 12:00:00 GMT`.
pub fn http_date(ms: Millis) -> String {
    let mut text = String::with_capacity(29);
    push_http_date(&mut text, ms);
    text
}

/// Writes [`http_date`] at the end of `text`, in 29 bytes.
pub fn push_http_date(text: &mut String, ms: Millis) {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let civil = Civil::of(ms);
    text.push_str(DAYS[civil.weekday]);
    text.push_str(", ");
    two_digits(text, civil.day);
    text.push(' ');
    text.push_str(MONTHS[civil.month - 1]);
    text.push(' ');
    two_digits(text, civil.year / 100);
    two_digits(text, civil.year % 100);
    for (before, number) in [
        (' ', civil.second_of_day / 3_600),
        (':', civil.second_of_day / 60 % 60),
        (':', civil.second_of_day % 60),
    ] {
        text.push(before);
        two_digits(text, number);
    }
    text.push_str(" GMT");
}

/// A number from 0 to 99, without the machinery of formatting: a date goes with every read.
fn two_digits(text: &mut String, number: i64) {
    for digit in [number / 10 % 10, number % 10] {
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    second_of_day: i64,
    millis: i64,
}

impl Civil {
    /// Days to a date in the proleptic Gregorian calendar, by eras of 400 years.
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    fn of(ms: Millis) -> Self {
        const YEAR_0: i64 = -62_167_219_200_000;
        const YEAR_9999: i64 = 253_402_300_799_999;
        let ms = ms.clamp(YEAR_0, YEAR_9999);
        let days = ms.div_euclid(86_400_000);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let doe = shifted.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        Self {
            year: yoe + era * 400 + i64::from(month <= 2),
            month: usize::try_from(month).unwrap_or(1),
            day: doy - (153 * mp + 2) / 5 + 1,
            weekday: usize::try_from(days.rem_euclid(7)).unwrap_or(0),
            second_of_day: ms.div_euclid(1_000).rem_euclid(86_400),
            millis: ms.rem_euclid(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_683_460_800_123), "2023-05-07T12:00:00.123Z");
        assert_eq!(rfc3339(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(951_868_799_000), "2000-02-29T23:59:59.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(http_date(1_683_460_800_123), "Sun, 07 May 2023 12:00:00 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
