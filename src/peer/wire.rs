//! The bytes of a connection to another node: those of its socket, or what TLS carries inside
//! them. On its core.

use std::future::poll_fn;
use std::io::{self, BufRead, IoSlice, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::rt::Stream;

/// Bytes of requests that wait inside TLS for room in the socket.
const UNSENT: usize = 64 << 10;

/// A connection, read and written.
pub(super) struct Wire {
    socket: Stream,
    tls: Option<Box<ClientConnection>>,
}

/// The socket as TLS wants it: it reads and writes at once or says that it would block, and then
/// the task is woken.
struct Now<'n, 'c> {
    socket: &'n mut Stream,
    cx: &'n mut Context<'c>,
}

impl Wire {
    /// Over `socket`, once hands are shaken where TLS is spoken.
    pub(super) async fn new(
        socket: Stream,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    ) -> io::Result<Self> {
        let session = tls.map(|(config, name)| ClientConnection::new(config, name));
        let mut tls = session.transpose().map_err(io::Error::other)?.map(Box::new);
        if let Some(tls) = &mut tls {
            tls.set_buffer_limit(Some(UNSENT));
        }
        let mut wire = Self { socket, tls };
        poll_fn(|cx| wire.poll_shaken(cx)).await?;
        match wire.tls.as_ref().map(|tls| tls.alpn_protocol()) {
            None | Some(Some(b"h2")) => Ok(wire),
            Some(_) => Err(io::Error::other("it does not speak HTTP/2")),
        }
    }

    fn poll_shaken(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, tls: Some(tls) } = self else { return Poll::Ready(Ok(())) };
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
}

impl Now<'_, '_> {
    /// Takes in what has come; 0 is the end.
    fn poll_take(&mut self, tls: &mut ClientConnection) -> Poll<io::Result<usize>> {
        let taken = ready!(polled(tls.read_tls(self)))?;
        if let Err(fault) = tls.process_new_packets() {
            // The peer may want to know; whether it hears changes nothing.
            let _ = self.poll_push(tls);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
        }
        Poll::Ready(Ok(taken))
    }

    /// Sends what waits.
    fn poll_push(&mut self, tls: &mut ClientConnection) -> Poll<io::Result<()>> {
        while tls.wants_write() {
            if ready!(polled(tls.write_tls(self)))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn polled<T>(tried: io::Result<T>) -> Poll<io::Result<T>> {
    match tried {
        Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        tried => Poll::Ready(tried),
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

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, tls } = &mut *self;
        let Some(tls) = tls else { return Pin::new(socket).poll_read(cx, buffer) };
        let (room, mut now) = (buffer.remaining(), Now { socket, cx });
        loop {
            let mut plain = tls.reader();
            // An end without TLS's own is one too: HTTP/2 says how long its bodies are.
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
            // Answers of TLS itself, and requests that nobody pushes while answers are awaited.
            let _ = now.poll_push(tls)?;
            if ready!(taken) == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Write for Wire {
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
        let Self { socket, tls } = &mut *self;
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
            Self { socket, tls: Some(tls) } => Now { socket, cx }.poll_push(tls),
            // The socket buffers nothing.
            Self { tls: None, .. } => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, tls } = &mut *self;
        if let Some(tls) = tls {
            tls.send_close_notify();
            ready!(Now { socket, cx }.poll_push(tls))?;
        }
        Pin::new(socket).poll_shutdown(cx)
    }
}
