//! A connection's bytes as its peer means them: those of the socket, or what TLS carries inside
//! them. One per connection, on its core; what is written at once leaves by one send, and an idle
//! connection holds no bytes of either side but TLS's own few KiB.

use std::io::{self, BufRead, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use rustls::Connection;

use super::tcp::Stream;

/// Bytes that wait inside TLS for room in the socket: what leaves by one send.
const UNSENT: usize = 64 << 10;

/// The bytes of one connection.
pub struct Secured {
    socket: Stream,
    tls: Option<Box<Connection>>,
}

/// The socket as TLS wants it: it reads and writes at once or says that it would block, and then
/// the task is woken.
struct Now<'n, 'c> {
    socket: &'n mut Stream,
    cx: &'n mut Context<'c>,
}

impl Secured {
    /// In clear text.
    pub fn new(socket: Stream) -> Secured {
        Secured { socket, tls: None }
    }

    /// Goes on in TLS, of which `first` has been received.
    ///
    /// # Errors
    /// When `first` is none of it.
    pub fn secure(&mut self, tls: impl Into<Connection>, first: &[u8]) -> io::Result<()> {
        let mut tls = tls.into();
        tls.set_buffer_limit(Some(UNSENT));
        // To TLS, reading nothing is the end.
        if !first.is_empty() {
            tls.read_tls(&mut &*first)?;
            tls.process_new_packets().map_err(broken)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// The protocol that TLS agreed on; `None` in clear text.
    pub fn protocol(&self) -> Option<Option<&[u8]>> {
        self.tls.as_ref().map(|tls| tls.alpn_protocol())
    }

    /// Whether what is written may wait here for room in the socket.
    pub fn buffers(&self) -> bool {
        self.tls.is_some()
    }

    /// Shakes hands, if TLS is spoken.
    pub fn poll_secured(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Secured { socket, tls: Some(tls) } = self else { return Poll::Ready(Ok(())) };
        let mut now = Now { socket, cx };
        loop {
            ready!(now.poll_push(tls))?;
            if !tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(now.poll_take(tls))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Receives what nobody will look at; `Ready(0)` at the end.
    pub fn poll_discard(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl Now<'_, '_> {
    /// Takes in what has come; 0 is the end.
    fn poll_take(&mut self, tls: &mut Connection) -> Poll<io::Result<usize>> {
        let taken = ready!(polled(tls.read_tls(self)))?;
        if let Err(fault) = tls.process_new_packets() {
            // The peer may want to know; whether it hears changes nothing.
            let _ = self.poll_push(tls);
            return Poll::Ready(Err(broken(fault)));
        }
        Poll::Ready(Ok(taken))
    }

    /// Sends what waits.
    fn poll_push(&mut self, tls: &mut Connection) -> Poll<io::Result<()>> {
        while tls.wants_write() {
            if ready!(polled(tls.write_tls(self)))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl io::Read for Now<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut *self.socket).poll_read(self.cx, buffer.unfilled())? {
            Poll::Ready(()) => Ok(buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Now<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write_vectored(self.cx, slices)? {
            Poll::Ready(written) => Ok(written),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn polled<T>(tried: io::Result<T>) -> Poll<io::Result<T>> {
    match tried {
        Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        tried => Poll::Ready(tried),
    }
}

fn broken(fault: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

impl Read for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Secured { socket, tls } = &mut *self;
        let Some(tls) = tls else { return Pin::new(socket).poll_read(cx, buffer) };
        let (room, mut now) = (buffer.remaining(), Now { socket, cx });
        loop {
            let mut plain = tls.reader();
            // An end without TLS's own is one too: HTTP says how long its bodies are.
            while let Ok(bytes) = plain.fill_buf()
                && !bytes.is_empty()
                && buffer.remaining() > 0
            {
                let taken = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes[..taken]);
                plain.consume(taken);
            }
            if buffer.remaining() < room {
                return Poll::Ready(Ok(()));
            }
            let taken = now.poll_take(tls)?;
            // Answers of TLS itself, and what nobody pushes while the peer's turn is awaited.
            let _ = now.poll_push(tls)?;
            if ready!(taken) == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Write for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Secured { socket, tls } = &mut *self;
        let Some(tls) = tls else { return Pin::new(socket).poll_write_vectored(cx, slices) };
        let mut now = Now { socket, cx };
        ready!(now.poll_push(tls))?;
        let written = tls.writer().write_vectored(slices)?;
        // What finds no room is sent when there is some.
        let _ = now.poll_push(tls)?;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Secured { socket, tls: Some(tls) } => Now { socket, cx }.poll_push(tls),
            // The socket buffers nothing.
            Secured { tls: None, .. } => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Secured { socket, tls } = &mut *self;
        if let Some(tls) = tls {
            tls.send_close_notify();
            ready!(Now { socket, cx }.poll_push(tls))?;
        }
        Pin::new(socket).poll_shutdown(cx)
    }
}
