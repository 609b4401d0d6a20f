//! One connection with its slots, from connecting to its end, on its driver thread. It knows
//! nothing of what is asked or counted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::h1::H1;
use super::slot::{Done, Slot};
use super::socket::Socket;
use crate::failure::Failure;
use crate::h2::H2;
use crate::request::Request;
use crate::target::{Http, Target};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is none before this time.
    Down(u64),
    /// Until it is writable.
    Connecting,
    /// Until TLS is agreed on and, with HTTP/2, the server's settings have come.
    Greeting,
    /// It takes requests.
    Open,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// Where it stands.
    pub phase: Phase,
    /// Requests in flight, and room for more.
    pub slots: Vec<Slot>,
    /// Whether there may be something to send.
    pub dirty: bool,
    /// Whether the poll watches for room to send.
    pub watched: bool,
    free: Vec<u32>,
    link: Option<Link>,
    out: Vec<u8>,
    out_at: usize,
    /// What was received and is not whole.
    held: Vec<u8>,
}

/// What lives as long as the socket.
#[derive(Debug)]
struct Link {
    socket: Socket,
    protocol: Protocol,
}

#[derive(Debug)]
enum Protocol {
    One(H1),
    Two(Box<H2>),
}

impl Connection {
    /// A connection for this many requests at once, not yet made.
    pub fn new(slots: usize) -> Self {
        Self {
            phase: Phase::Down(0),
            slots: (0..slots).map(|_| Slot::default()).collect(),
            dirty: false,
            watched: false,
            free: (0..slots as u32).rev().collect(),
            link: None,
            out: Vec::new(),
            out_at: 0,
            held: Vec::new(),
        }
    }

    /// Begins to connect.
    pub fn connect(&mut self, target: &Target) -> io::Result<()> {
        self.out.clear();
        self.out_at = 0;
        self.held.clear();
        self.watched = true;
        let protocol = match target.http {
            Http::One => Protocol::One(H1::new(&target.authority)),
            Http::Two => Protocol::Two(Box::new(H2::new(
                &target.authority,
                target.tls.is_some(),
                self.slots.len(),
                &mut self.out,
            ))),
        };
        self.link = Some(Link { socket: Socket::connect(target)?, protocol });
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Drops the socket, until this time.
    pub fn disconnect(&mut self, until: u64) {
        self.link = None;
        self.phase = Phase::Down(until);
    }

    /// What the poll watches; `None` while there is no socket.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.link.as_ref().map(|link| link.socket.as_fd())
    }

    /// Requests in flight.
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many requests it takes at once: the slots, or fewer where the server says so.
    pub fn room(&self) -> usize {
        match self.link.as_ref().map(|link| &link.protocol) {
            Some(Protocol::Two(h2)) => h2.room().min(self.slots.len()),
            _ => self.slots.len(),
        }
    }

    /// Whether another request may be begun now.
    #[inline]
    pub fn takes(&self) -> bool {
        self.phase == Phase::Open && self.in_flight() < self.room() && !self.closing()
    }

    /// Whether the server will take no more requests here.
    #[inline]
    pub fn closing(&self) -> bool {
        match self.link.as_ref().map(|link| &link.protocol) {
            Some(Protocol::One(h1)) => h1.closing(),
            Some(Protocol::Two(h2)) => h2.closing(),
            None => false,
        }
    }

    /// Whether a receive may leave bytes that no readiness tells of.
    pub fn buffers(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.socket.buffers())
    }

    /// Whether TLS has something to say by itself.
    #[inline]
    pub fn owes(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.socket.owes())
    }

    /// A free slot, cleared.
    #[inline]
    pub fn acquire(&mut self) -> Option<u32> {
        let at = self.free.pop()?;
        let slot = &mut self.slots[at as usize];
        slot.clear();
        slot.busy = true;
        Some(at)
    }

    /// Gives a slot back.
    #[inline]
    pub fn release(&mut self, at: u32) {
        let slot = &mut self.slots[at as usize];
        slot.busy = false;
        slot.stream = 0;
        self.free.push(at);
    }

    /// Writes a request behind what is to be sent.
    #[inline]
    pub fn request(&mut self, at: u32, request: &Request) {
        self.dirty = true;
        match self.link.as_mut().map(|link| &mut link.protocol) {
            Some(Protocol::One(h1)) => h1.request(at, request, &mut self.out),
            Some(Protocol::Two(h2)) => h2.request(&mut self.slots, at, request, &mut self.out),
            None => {}
        }
    }

    /// Gives up on a request alone; false where that takes the whole connection.
    pub fn cancel(&mut self, at: u32) -> bool {
        self.dirty = true;
        match self.link.as_mut().map(|link| &mut link.protocol) {
            Some(Protocol::Two(h2)) => {
                h2.cancel(&mut self.slots[at as usize], &mut self.out);
                true
            }
            _ => false,
        }
    }

    /// The socket is writable for the first time.
    pub fn made(&mut self) -> io::Result<()> {
        if let Some(link) = &self.link {
            link.socket.connected()?;
        }
        self.phase = Phase::Greeting;
        self.dirty = true;
        Ok(())
    }

    /// Whether what must come before the first request has come; it is open then.
    pub fn greeted(&mut self) -> io::Result<bool> {
        let Some(link) = self.link.as_ref().filter(|link| link.socket.agreed()) else {
            return Ok(false);
        };
        let greeted = match &link.protocol {
            Protocol::One(_) => true,
            Protocol::Two(h2) => {
                if link.socket.buffers() && link.socket.alpn() != Some(b"h2") {
                    return Err(io::Error::other("the server does not agree to h2 by ALPN"));
                }
                h2.settled()
            }
        };
        if greeted {
            self.phase = Phase::Open;
        }
        Ok(greeted)
    }

    /// Receives once, through a buffer of the thread's; 0 is the end.
    #[inline]
    pub fn receive(&mut self, buffer: &mut [u8], done: &mut Vec<Done>) -> io::Result<usize> {
        let Some(link) = &mut self.link else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let held = self.held.len();
        buffer[..held].copy_from_slice(&self.held);
        let received = link.socket.receive(&mut buffer[held..])?;
        if received == 0 {
            if let Protocol::One(h1) = &mut link.protocol {
                h1.end(done);
            }
            return Ok(0);
        }
        let input = &buffer[..held + received];
        let taken = match &mut link.protocol {
            Protocol::One(h1) => h1.receive(input, &mut self.slots, done),
            Protocol::Two(h2) => {
                let before = self.out.len();
                let taken = h2.receive(input, &mut self.slots, &mut self.out, done);
                self.dirty |= self.out.len() > before;
                taken
            }
        };
        let taken = taken.map_err(|failure: Failure| io::Error::other(failure.name()))?;
        self.held.clear();
        self.held.extend_from_slice(&input[taken..]);
        Ok(received)
    }

    /// Sends what there is; whether some of it has to wait.
    #[inline]
    pub fn send(&mut self) -> io::Result<bool> {
        self.dirty = false;
        let Some(link) = &mut self.link else {
            return Ok(false);
        };
        loop {
            let left = &self.out[self.out_at..];
            let sent = match left.is_empty() {
                true => 0,
                false => match link.socket.send(left) {
                    Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                    sent => sent?,
                },
            };
            self.out_at += sent;
            if !link.socket.flush()? {
                return Ok(true);
            }
            if self.out_at == self.out.len() {
                self.out.clear();
                self.out_at = 0;
                return Ok(false);
            }
        }
    }
}
