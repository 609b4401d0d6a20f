//! Flow control (RFC 9113, section 5.2): how much we may send, and how much the peer may (pure).

use super::frame::STREAM_MAX;

/// What we may send, of one stream or of all of them. A change of the peer's settings can take it
/// below zero (section 6.9.2).
#[derive(Debug, Clone, Copy)]
pub struct Window(i64);

/// A window above 2^31-1, which ends what it belongs to (section 6.9.1).
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

impl Window {
    /// A window of `size` bytes.
    pub fn new(size: u32) -> Window {
        Window(i64::from(size))
    }

    /// Bytes that may be sent.
    #[inline]
    pub fn room(&self) -> usize {
        self.0.max(0) as usize
    }

    /// `n` bytes are sent; never more than there is room for.
    #[inline]
    pub fn take(&mut self, n: usize) {
        debug_assert!(n <= self.room(), "more was sent than the window has room for");
        self.0 -= n as i64;
    }

    /// Opens or narrows it.
    pub fn shift(&mut self, by: i64) -> Result<(), Overflow> {
        self.0 += by;
        if self.0 > i64::from(STREAM_MAX) { Err(Overflow) } else { Ok(()) }
    }
}

/// What the peer may send, and what of it was taken since we last told.
#[derive(Debug, Clone, Copy)]
pub struct Inbound {
    size: u32,
    left: u32,
    taken: u32,
}

impl Inbound {
    /// A window of `size` bytes, all of them free.
    pub fn new(size: u32) -> Inbound {
        Inbound { size, left: size, taken: 0 }
    }

    /// The peer sent `n` bytes; false when it had no right to.
    pub fn receive(&mut self, n: usize) -> bool {
        let left = u32::try_from(n).ok().and_then(|n| self.left.checked_sub(n));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Whether the peer has half of it left, so that it need not wait.
    pub fn is_half_free(&self) -> bool {
        self.left >= self.size / 2
    }

    /// `n` bytes that had come are done with. What to tell the peer, once it is half of the window:
    /// sooner would be a frame for every few bytes, later would make it wait.
    pub fn give(&mut self, n: usize) -> Option<u32> {
        self.taken += n as u32;
        if self.taken == 0 || self.taken < self.size / 2 {
            return None;
        }
        let told = std::mem::take(&mut self.taken);
        self.left += told;
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_can_go_below_zero_and_not_above_its_most() {
        let mut window = Window::new(100);
        window.take(60);
        assert_eq!(window.shift(-90), Ok(()));
        assert_eq!(window.room(), 0);
        assert_eq!(window.shift(51), Ok(()));
        assert_eq!(window.room(), 1);
        assert_eq!(window.shift(i64::from(STREAM_MAX)), Err(Overflow));
        assert_eq!(Window::new(STREAM_MAX).shift(0), Ok(()));
    }

    #[test]
    fn the_peer_is_told_of_half_a_window() {
        let mut inbound = Inbound::new(100);
        assert!(inbound.receive(100) && !inbound.receive(1) && inbound.receive(0));
        assert_eq!((inbound.give(49), inbound.give(1)), (None, Some(50)));
        assert!(inbound.receive(50) && !inbound.receive(1));
    }
}
