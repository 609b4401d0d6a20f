//! Bodies of requests through the server's windows (RFC 9113 section 5.2): what fits leaves at
//! once, the rest waits in its slot.

use super::frame::{self, Frame};
use super::{H2, STREAM_LAST};
use crate::drive::slot::Slot;

impl H2 {
    pub(super) fn window_update(
        &mut self,
        frame: Frame<'_>,
        slots: &mut [Slot],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let by = i64::from(frame.number(0)? & STREAM_LAST);
        if frame.stream == 0 {
            self.window += by;
            self.push_waiting(slots, out);
        } else if let Some(at) = self.find(slots, frame.stream) {
            slots[at as usize].window += by;
            self.push_unsent(&mut slots[at as usize], out);
        }
        Some(())
    }

    pub(super) fn push_waiting(&mut self, slots: &mut [Slot], out: &mut Vec<u8>) {
        if self.waiting > 0 {
            slots.iter_mut().for_each(|slot| self.push_unsent(slot, out));
        }
    }

    fn push_unsent(&mut self, slot: &mut Slot, out: &mut Vec<u8>) {
        if slot.unsent.len() == slot.unsent_at {
            return;
        }
        let unsent = std::mem::take(&mut slot.unsent);
        slot.unsent_at += self.push_data(slot, &unsent[slot.unsent_at..], out);
        slot.unsent = unsent;
        if slot.unsent.len() == slot.unsent_at {
            self.waiting -= 1;
        }
    }

    /// Appends as much of a body as the windows take, and says how much.
    pub(super) fn push_data(&mut self, slot: &mut Slot, body: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        loop {
            let window = self.window.min(slot.window).max(0) as usize;
            let length = (body.len() - at).min(window).min(self.frame_max);
            if length == 0 && !body.is_empty() {
                return at;
            }
            let last = at + length == body.len();
            let flags = if last { frame::END_STREAM } else { 0 };
            frame::push_head(out, length, frame::DATA, flags, slot.stream);
            out.extend_from_slice(&body[at..at + length]);
            at += length;
            self.window -= length as i64;
            slot.window -= length as i64;
            if last {
                return at;
            }
        }
    }
}
