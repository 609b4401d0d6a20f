//! Listening and connected TCP sockets of one core, as hyper wants them. They read and write
//! directly on either runtime, without a ring, and must never be moved to another core.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::ReadBufCursor;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::readiness::Watched;
use super::timers::sleep;

/// Connections the kernel holds until a core accepts them: enough for a client that opens its
/// whole pool at once. The kernel cuts it to `net.core.somaxconn`, 4,096 by default.
const BACKLOG: i32 = 4096;

/// A peer that vanished without a word is found out after 60 + 3 x 10 seconds of silence. This is
/// what ends idle HTTP/1 connections of dead peers; the kernel does it at no cost to us.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How long a listener waits when the process or the system has no descriptor or memory left for
/// a connection: to try at once would be a loop that helps nobody.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// A socket that listens on `address`, which other sockets, one a core, may share. Works on any
/// thread; connections wait in its backlog until a [`Listener`] is made of it on a core.
///
/// # Errors
/// As the system says: the address is in use, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Accepted sockets inherit these from their listener, which spares three calls a connection.
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections on this core.
pub struct Listener {
    watched: Watched,
    socket: TcpListener,
}

impl Listener {
    /// Takes over a socket made by [`bind`].
    ///
    /// # Errors
    /// When the core's epoll instance takes no more sockets.
    pub fn new(socket: TcpListener) -> io::Result<Listener> {
        Ok(Listener { watched: Watched::new(socket.as_raw_fd())?, socket })
    }

    /// The address it listens on, with the port the system chose if it was to choose.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection and its peer.
    ///
    /// # Errors
    /// When there is no descriptor or memory for it, after a short wait; calling again is right.
    /// Faults of one connection, which ended before it was accepted, are passed over.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok((socket, peer)) => return Ok((Stream::new(socket)?, peer)),
                Err(fault) if is_of_one_connection(&fault) => {}
                Err(fault) => {
                    sleep(EXHAUSTED).await;
                    return Err(fault);
                }
            }
        }
    }

    /// A connection that waits already, if one does.
    pub fn accept_now(&self) -> Option<(Stream, SocketAddr)> {
        let (socket, peer) = self.socket.accept().ok()?;
        Some((Stream::new(socket).ok()?, peer))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.watched.poll_read(cx, || self.socket.accept(), |_| false)
    }
}

/// True for faults of a connection that ended in the backlog (accept(2), "Error handling"); any
/// other concerns every connection to come.
fn is_of_one_connection(fault: &io::Error) -> bool {
    const CODES: [i32; 10] = [
        libc::ECONNABORTED,
        libc::EPERM,
        libc::EPROTO,
        libc::ENETDOWN,
        libc::ENOPROTOOPT,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::EHOSTUNREACH,
        libc::EOPNOTSUPP,
        libc::ENETUNREACH,
    ];
    fault.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// One connection.
pub struct Stream {
    watched: Watched,
    socket: TcpStream,
}

impl Stream {
    pub(super) fn new(socket: TcpStream) -> io::Result<Stream> {
        socket.set_nonblocking(true)?;
        Ok(Stream { watched: Watched::new(socket.as_raw_fd())?, socket })
    }

    /// Waits until the connection that was begun stands, or cannot.
    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let look = || match self.socket.take_error()? {
            Some(fault) => Err(fault),
            None => match self.socket.peer_addr() {
                Err(fault) if fault.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                other => other.map(|_| ()),
            },
        };
        self.watched.poll_write(cx, look, |()| false)
    }
}

impl hyper::rt::Read for Stream {
    #[expect(unsafe_code, reason = "bytes are received into memory that was never written")]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let socket = SockRef::from(&self.socket);
        let receive = || {
            // SAFETY: `recv` only writes there; nothing is read or made uninitialised.
            socket.recv(unsafe { buffer.as_mut() })
        };
        // Zero is the end of the stream, not a socket that was emptied.
        let received = self.watched.poll_read(cx, receive, |&n| 0 < n && n < room);
        received.map_ok(|n| {
            // SAFETY: `recv` has just written the first `n` bytes of what `as_mut` returned.
            unsafe { buffer.advance(n) };
        })
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watched.poll_write(cx, || (&self.socket).write(bytes), |&n| n < bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // `send` finds its way through the kernel faster than `writev` does.
        if let [slice] = slices {
            return self.poll_write(cx, slice);
        }
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        self.watched.poll_write(cx, || (&self.socket).write_vectored(slices), |&n| n < length)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown(Shutdown::Write))
    }
}
