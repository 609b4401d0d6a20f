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
    const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let civil = Civil::of(ms);
    let mut date = *b"Day, 00 Mon 0000 00:00:00 GMT";
    date[..3].copy_from_slice(DAYS[civil.weekday]);
    date[8..11].copy_from_slice(MONTHS[civil.month - 1]);
    // Without the machinery of formatting: a date goes with every read.
    for (at, number) in [
        (5, civil.day),
        (12, civil.year / 100),
        (14, civil.year % 100),
        (17, civil.second_of_day / 3_600),
        (20, civil.second_of_day / 60 % 60),
        (23, civil.second_of_day % 60),
    ] {
        date[at] = b'0' + (number / 10) as u8;
        date[at + 1] = b'0' + (number % 10) as u8;
    }
    text.push_str(std::str::from_utf8(&date).unwrap_or_default());
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
