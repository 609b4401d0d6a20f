//! What frames a peer may send that ask for work and bring none (pure). An honest peer never meets
//! these limits; a flood of cheap frames ends its connection with ENHANCE_YOUR_CALM.

use super::fault::Fault;
use super::frame::Reason;

/// Idle frames (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM, unknown ones, DATA without a
/// byte) that a peer may send ahead of its work: a client that takes a large reply through small
/// windows gives room for each few KiB twice, for the stream and for the connection, which the
/// bytes earn back.
const SPARE: u32 = 2_000;

/// What one request, one DATA frame received, or one that is sent earns.
const EARNED_BY_WORK: u32 = 4;

/// Bytes sent that earn one more.
const BYTES_FOR_ONE: usize = 1 << 10;

/// What a second earns: pings and keep-alives of any sane interval.
const EARNED_BY_TIME: u32 = 100;

/// CONTINUATIONs of one header block (CVE-2024-27316). Four carry all that we take of one; clients
/// that cut a block finer than this are not known.
const CONTINUATIONS: u32 = 32;

/// What a connection has left of each budget.
#[derive(Debug)]
pub struct Calm {
    spare: u32,
    /// When the last second was counted.
    beat: u32,
    /// Streams that the peer reset before we looked at them, in this receive.
    hasty: usize,
    hasty_max: usize,
    /// Streams that we reset for the peer's faults.
    errors: usize,
    errors_max: usize,
}

impl Calm {
    /// All budgets full. `beat` is what the clock of seconds shows.
    pub fn new(hasty_max: usize, errors_max: usize, beat: u32) -> Calm {
        Calm { spare: SPARE, beat, hasty: 0, hasty_max, errors: 0, errors_max }
    }

    /// A receive begins, at this second.
    #[inline]
    pub fn receive(&mut self, beat: u32) {
        self.hasty = 0;
        if beat != self.beat {
            self.earn((beat - self.beat).saturating_mul(EARNED_BY_TIME));
            self.beat = beat;
        }
    }

    /// A request came, or bytes of a body.
    #[inline]
    pub fn works(&mut self) {
        self.earn(EARNED_BY_WORK);
    }

    /// So many bytes of a reply went.
    #[inline]
    pub fn sends(&mut self, n: usize) {
        let more = u32::try_from(n / BYTES_FOR_ONE).unwrap_or(SPARE);
        self.earn(EARNED_BY_WORK.saturating_add(more));
    }

    #[inline]
    fn earn(&mut self, more: u32) {
        self.spare = self.spare.saturating_add(more).min(SPARE);
    }

    /// A frame came that brings no work.
    #[inline]
    pub fn idles(&mut self) -> Result<(), Fault> {
        let left = self.spare.checked_sub(1);
        self.spare = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Fault(Reason::EnhanceYourCalm, "too many frames that bring no work"))
    }

    /// The peer reset a stream before it was looked at ("rapid reset").
    pub fn resets_hastily(&mut self) -> Result<(), Fault> {
        self.hasty += 1;
        within(self.hasty, self.hasty_max, "too many streams were reset before they were looked at")
    }

    /// We reset a stream for the peer's fault ("made you reset").
    pub fn errs(&mut self) -> Result<(), Fault> {
        self.errors += 1;
        within(self.errors, self.errors_max, "too many streams had to be reset")
    }
}

/// A header block goes on: `frames` CONTINUATIONs have brought it to `bytes` of `bytes_max`.
pub fn continues(frames: u32, bytes: usize, bytes_max: usize) -> Result<(), Fault> {
    if frames > CONTINUATIONS || bytes > bytes_max {
        return Err(Fault(Reason::EnhanceYourCalm, "a header block without an end"));
    }
    Ok(())
}

fn within(count: usize, most: usize, text: &'static str) -> Result<(), Fault> {
    if count > most { Err(Fault(Reason::EnhanceYourCalm, text)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle_frames(calm: &mut Calm) -> u32 {
        (0..).take_while(|_| calm.idles().is_ok()).count() as u32
    }

    #[test]
    fn work_and_time_earn_and_never_above_the_most() {
        let mut calm = Calm::new(1, 1, 7);
        calm.works();
        assert_eq!(idle_frames(&mut calm), SPARE);
        calm.works();
        assert_eq!(idle_frames(&mut calm), EARNED_BY_WORK);
        calm.receive(9);
        calm.receive(9);
        assert_eq!(idle_frames(&mut calm), 2 * EARNED_BY_TIME);
    }

    #[test]
    fn hasty_resets_count_within_a_receive_and_errors_for_ever() {
        let mut calm = Calm::new(2, 2, 0);
        for _ in 0..2 {
            calm.receive(0);
            assert!(calm.resets_hastily().is_ok() && calm.resets_hastily().is_ok());
            assert!(calm.resets_hastily().is_err());
        }
        assert!(calm.errs().is_ok() && calm.errs().is_ok());
        calm.receive(0);
        assert!(calm.errs().is_err());
    }
}
