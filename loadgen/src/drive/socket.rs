//! One non-blocking connection, clear or TLS, on its driver thread. It never waits: what cannot be
//! done now is `WouldBlock`.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt};
use rustls::ClientConnection;

use crate::target::Target;

/// A connection to the target.
#[derive(Debug)]
pub struct Socket {
    fd: Descriptor,
    tls: Option<Box<ClientConnection>>,
}

#[derive(Debug)]
struct Descriptor(OwnedFd);

impl Read for Descriptor {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(&self.0, buffer, RecvFlags::empty())?.0)
    }
}

impl Write for Descriptor {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.0.as_fd()
    }
}

impl Socket {
    /// Begins to connect; it is made, or has failed, when it is writable.
    pub fn connect(target: &Target) -> io::Result<Self> {
        let family =
            if target.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        match rustix::net::connect(&fd, &target.address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(fault) => return Err(fault.into()),
        }
        let tls = match &target.tls {
            None => None,
            Some(tls) => {
                let session = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone());
                Some(Box::new(session.map_err(io::Error::other)?))
            }
        };
        Ok(Self { fd: Descriptor(fd), tls })
    }

    /// Whether connecting went well, asked when it is writable.
    pub fn connected(&self) -> io::Result<()> {
        sockopt::socket_error(&self.fd.0)??;
        Ok(())
    }

    /// Whether TLS is agreed on; without TLS it is.
    pub fn agreed(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// The protocol that TLS agreed on.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.as_ref()?.alpn_protocol()
    }

    /// Whether one receive may leave bytes behind that no readiness tells of.
    pub fn buffers(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether TLS has something to say by itself.
    #[inline]
    pub fn owes(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Receives bytes; 0 is the end.
    #[inline]
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.fd.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                // A peer that ends without saying so in TLS ends all the same.
                Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if tls.read_tls(&mut self.fd)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Sends bytes and says how many were taken.
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.fd.write(bytes),
            Some(tls) => tls.writer().write(bytes),
        }
    }

    /// Sends what TLS holds; whether all of it has left.
    #[inline]
    pub fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            return Ok(true);
        };
        while tls.wants_write() {
            match tls.write_tls(&mut self.fd) {
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(fault) => return Err(fault),
            }
        }
        Ok(true)
    }
}
