//! What a driver does with its connections: makes them, receives, settles, sends, and gives up on
//! what takes too long. On the driver thread; nothing here waits.

use std::io;

use super::connection::Phase;
use super::driver::Driver;
use super::slot::Done;
use crate::failure::Failure;
use crate::record::SECOND;

/// A connection that was lost is made again after this.
const BACKOFF: u64 = SECOND / 10;

impl Driver<'_> {
    /// Begins to make a connection.
    pub(super) fn reconnect(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        let made = connection.connect(&self.drive.target);
        let watched = made.and_then(|()| match connection.fd() {
            Some(fd) => self.poll.add(fd, at as u32),
            None => Ok(()),
        });
        if let Err(fault) = watched {
            self.lost(at, Failure::Connect, &fault);
        }
    }

    /// A connection has something for us, or room.
    #[inline]
    pub(super) fn ready(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        match connection.phase {
            Phase::Down(_) => return,
            Phase::Connecting => {
                if let Err(fault) = connection.made() {
                    return self.lost(at, Failure::Connect, &fault);
                }
            }
            Phase::Greeting | Phase::Open => {}
        }
        if connection.watched {
            connection.dirty = true;
        }
        self.receive(at);
        let connection = &mut self.connections[at];
        if connection.phase == Phase::Greeting {
            match connection.greeted() {
                Ok(true) => self.opened(at),
                Ok(false) => {}
                Err(fault) => self.lost(at, Failure::Connect, &fault),
            }
        }
        let connection = &mut self.connections[at];
        connection.dirty |= connection.owes();
        if connection.dirty {
            self.dirty.push(at as u32);
        }
    }

    /// A connection takes requests now.
    pub(super) fn opened(&mut self, at: usize) {
        if !self.begun {
            return;
        }
        let connection = &mut self.connections[at];
        let room = connection.room();
        if self.schedule.is_some() {
            self.turns.extend(std::iter::repeat_n(at as u32, room));
            return;
        }
        let now = self.now();
        let connection = &mut self.connections[at];
        while connection.takes() && self.desk.begin(connection, now, now) {}
        self.dirty.push(at as u32);
    }

    #[inline]
    fn receive(&mut self, at: usize) {
        loop {
            let connection = &mut self.connections[at];
            let received = connection.receive(&mut self.buffer, &mut self.done);
            let again = connection.buffers();
            self.settle(at);
            match received {
                Ok(0) => {
                    let fault = io::Error::other("the server closed the connection");
                    return self.lost(at, Failure::Closed, &fault);
                }
                Ok(_) if again => {}
                Ok(_) => break,
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => break,
                Err(fault) => {
                    let failure = match (self.connections[at].phase, fault.kind()) {
                        (Phase::Greeting, _) => Failure::Connect,
                        (_, io::ErrorKind::Other) => Failure::Protocol,
                        _ => Failure::Closed,
                    };
                    return self.lost(at, failure, &fault);
                }
            }
        }
        let connection = &mut self.connections[at];
        if connection.closing() && connection.in_flight() == 0 {
            connection.disconnect(0);
            if self.begun {
                self.reconnect(at);
            }
        }
    }

    /// Counts the answers that have come, and in a closed loop begins as many requests.
    #[inline]
    fn settle(&mut self, at: usize) {
        if self.done.is_empty() {
            return;
        }
        let now = self.now();
        let connection = &mut self.connections[at];
        for done in self.done.drain(..) {
            if !self.desk.settle(connection, done, now) || !self.begun {
                continue;
            }
            if self.schedule.is_some() {
                self.turns.push_back(at as u32);
            } else if connection.takes() {
                self.desk.begin(connection, now, now);
            }
        }
    }

    /// Sends what has gathered, once a connection.
    #[inline]
    pub(super) fn flush(&mut self) {
        while let Some(at) = self.dirty.pop() {
            let connection = &mut self.connections[at as usize];
            if !connection.dirty || connection.phase == Phase::Connecting {
                continue;
            }
            let sent = connection.send().and_then(|waits| {
                if waits != connection.watched
                    && let Some(fd) = connection.fd()
                {
                    self.poll.modify(fd, at, waits)?;
                    connection.watched = waits;
                }
                Ok(())
            });
            if let Err(fault) = sent {
                self.lost(at as usize, Failure::Closed, &fault);
            }
        }
    }

    /// A connection is gone, and with it what was in flight on it.
    fn lost(&mut self, at: usize, failure: Failure, fault: &io::Error) {
        let now = self.now();
        let connection = &mut self.connections[at];
        let early = matches!(connection.phase, Phase::Connecting | Phase::Greeting);
        if !self.begun {
            self.fault = Some(fault.to_string());
        }
        if early || matches!(connection.phase, Phase::Down(_)) {
            self.desk.recorder.failed(Failure::Connect, 0);
        }
        connection.disconnect(now + BACKOFF);
        for slot in 0..connection.slots.len() as u32 {
            if connection.slots[slot as usize].busy {
                self.desk.settle(connection, Done { slot, failure: Some(failure) }, now);
            }
        }
    }

    /// Makes lost connections again, and gives up on requests beyond their time.
    pub(super) fn look_after(&mut self, now: u64) {
        for at in 0..self.connections.len() {
            let connection = &mut self.connections[at];
            if let Phase::Down(until) = connection.phase {
                if until <= now && self.begun {
                    self.reconnect(at);
                }
                continue;
            }
            let sent_before = now.saturating_sub(self.drive.timeout);
            for slot in 0..connection.slots.len() as u32 {
                let connection = &mut self.connections[at];
                let there = &connection.slots[slot as usize];
                if !there.busy || there.sent >= sent_before {
                    continue;
                }
                let done = Done { slot, failure: Some(Failure::Timeout) };
                if connection.cancel(slot) {
                    self.done.push(done);
                    self.settle(at);
                } else {
                    self.desk.settle(connection, done, now);
                    self.lost(at, Failure::Closed, &io::ErrorKind::TimedOut.into());
                    break;
                }
            }
            if self.connections[at].dirty {
                self.dirty.push(at as u32);
            }
        }
    }
}
