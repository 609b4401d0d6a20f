//! Frames that steer a connection and carry no request: SETTINGS, PING, GOAWAY, WINDOW_UPDATE,
//! RST_STREAM and PRIORITY (RFC 9113, sections 6.3 to 6.9). On the core of the connection.

use super::connection::{Connection, Core, HAS_HEARD, Leaving, cancel};
use super::fault::Fault;
use super::frame::{self, Head, Reason, STREAM_MAX, flag};
use crate::net::Service;

impl<S: Service> Connection<S> {
    pub(super) fn settings(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        on_connection(head)?;
        self.calm.idles()?;
        if head.has(flag::ACK) {
            return of_length(head, 0);
        }
        let told = self.theirs.with(payload)?;
        if told.header_table_size != self.theirs.header_table_size {
            self.encoder.peer_table_size(told.header_table_size);
        }
        let by = i64::from(told.initial_window) - i64::from(self.theirs.initial_window);
        self.theirs = told;
        self.has_settings = true;
        if by != 0 {
            self.shift_windows(by)?;
        }
        frame::settings_ack(&mut self.out);
        Ok(())
    }

    /// The window of new streams has changed, and with it that of every open one (section 6.9.2).
    fn shift_windows(&mut self, by: i64) -> Result<(), Fault> {
        let mut opened = Vec::new();
        for (id, stream) in self.streams.each() {
            stream.window.shift(by).map_err(|_| Fault(Reason::FlowControl, "a window too wide"))?;
            opened.push(id);
        }
        if by > 0 {
            opened.into_iter().for_each(|id| self.streams.wake(id));
        }
        Ok(())
    }

    pub(super) fn pinged(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        on_connection(head)?;
        of_length(head, 8)?;
        let Some(opaque) = payload.first_chunk() else { return Ok(()) };
        self.calm.idles()?;
        if !head.has(flag::ACK) {
            frame::ping(&mut self.out, flag::ACK, opaque);
        } else if self.leaving == Leaving::Asked && *opaque == HAS_HEARD {
            self.leaving = Leaving::Told;
            self.stop_answered();
            frame::goaway(&mut self.out, self.streams.last, Reason::No, "");
        }
        Ok(())
    }

    /// Peers whose requests are answered already have nothing to say that would be waited for.
    fn stop_answered(&mut self) {
        let answered = self.streams.each().filter(|(_, stream)| stream.is_answered);
        let answered: Vec<u32> = answered.map(|(id, _)| id).collect();
        answered.into_iter().for_each(|id| self.reset(id, Reason::No));
    }

    /// The peer opens no more streams than it has, since we push none.
    pub(super) fn goaway(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        on_connection(head)?;
        if payload.len() < 8 {
            return Err(Fault(Reason::FrameSize, "a GOAWAY below 8 bytes"));
        }
        self.calm.idles()
    }

    pub(super) fn priority(&mut self, head: &Head, payload: &[u8]) -> Result<(), Fault> {
        on_stream(head)?;
        of_length(head, 5)?;
        depends_on_another(head, payload)?;
        self.calm.idles()
    }

    pub(super) fn is_reset(
        &mut self,
        core: &mut Core<S>,
        head: &Head,
        _: &[u8],
    ) -> Result<(), Fault> {
        on_stream(head)?;
        of_length(head, 4)?;
        self.not_idle(head)?;
        self.calm.idles()?;
        self.streams.forget_reset(head.stream);
        let was_noted = cancel(core, head.stream);
        let had_run = self.streams.close(head.stream).is_none_or(|stream| stream.has_run);
        if was_noted || !had_run { self.calm.resets_hastily() } else { Ok(()) }
    }

    pub(super) fn window_update(
        &mut self,
        core: &mut Core<S>,
        head: &Head,
        payload: &[u8],
    ) -> Result<(), Fault> {
        of_length(head, 4)?;
        self.calm.idles()?;
        let more = payload.first_chunk().map_or(0, |more| u32::from_be_bytes(*more) & STREAM_MAX);
        if head.stream == 0 {
            if more == 0 {
                return Err(Fault(Reason::Protocol, "a WINDOW_UPDATE of nothing"));
            }
            let widened = self.window.shift(i64::from(more));
            return widened.map_err(|_| Fault(Reason::FlowControl, "a window above 2147483647"));
        }
        self.not_idle(head)?;
        if core.ids.contains(&head.stream) {
            // Its reply is to see the wider window.
            self.look(core);
        }
        let Some(stream) = self.streams.get(head.stream) else {
            let is_nothing = Fault(Reason::Protocol, "a WINDOW_UPDATE of nothing");
            // Any other was sent before the peer knew that the stream had ended.
            return if more == 0 { Err(is_nothing) } else { Ok(()) };
        };
        if more == 0 {
            return self.refuse(core, head.stream, Reason::Protocol);
        }
        if stream.window.shift(i64::from(more)).is_err() {
            return self.refuse(core, head.stream, Reason::FlowControl);
        }
        self.streams.wake(head.stream);
        Ok(())
    }

    fn not_idle(&self, head: &Head) -> Result<(), Fault> {
        if self.streams.is_idle(head.stream) {
            return Err(Fault(Reason::Protocol, "a frame on a stream that nobody has opened"));
        }
        Ok(())
    }
}

/// Section 5.3.1 of RFC 7540, which old clients still follow.
pub(super) fn depends_on_another(head: &Head, payload: &[u8]) -> Result<(), Fault> {
    let on = payload.first_chunk().map(|on| u32::from_be_bytes(*on) & STREAM_MAX);
    if on == Some(head.stream) {
        return Err(Fault(Reason::Protocol, "a stream that depends on itself"));
    }
    Ok(())
}

pub(super) fn on_stream(head: &Head) -> Result<(), Fault> {
    if head.stream == 0 {
        return Err(Fault(Reason::Protocol, "a stream's frame on stream 0"));
    }
    Ok(())
}

fn on_connection(head: &Head) -> Result<(), Fault> {
    if head.stream != 0 {
        return Err(Fault(Reason::Protocol, "the connection's frame on a stream"));
    }
    Ok(())
}

fn of_length(head: &Head, length: usize) -> Result<(), Fault> {
    if head.length != length {
        return Err(Fault(Reason::FrameSize, "a frame of a wrong length"));
    }
    Ok(())
}
