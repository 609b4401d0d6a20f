//! (pure) One request as the protocols write it: method, path and body in buffers that are used
//! again for the next one.

/// What `user-agent` says.
pub const USER_AGENT: &str = concat!("pumice-loadgen/", env!("CARGO_PKG_VERSION"));

/// The methods that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Has no body.
    #[default]
    Get,
    /// Has a JSON body.
    Post,
    /// Has a JSON body.
    Put,
}

impl Method {
    /// As it stands in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// One request.
#[derive(Debug, Default)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub path: Vec<u8>,
    /// The body; empty for a GET.
    pub body: Vec<u8>,
}

impl Request {
    /// Empties it, keeping the memory.
    #[inline]
    pub fn start(&mut self, method: Method) {
        self.method = method;
        self.path.clear();
        self.body.clear();
    }
}

/// The decimal digits of a number, written into the end of `digits`.
#[inline]
pub fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        for value in [0, 9, 10, 12_345, u64::MAX] {
            assert_eq!(decimal(value, &mut [0; 20]), value.to_string().as_bytes());
        }
    }
}
