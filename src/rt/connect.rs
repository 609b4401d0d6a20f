//! Connections that a core begins itself, to an address or to a name. A name is looked up on a
//! thread of its own, since the system's resolver blocks; must never block the core.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{TryRecvError, sync_channel};
use std::task::Poll;
use std::thread;

use futures_util::task::AtomicWaker;
use socket2::{Domain, Protocol, Socket, Type};

use super::bell::Line;
use super::tcp::Stream;

/// Names that are looked up at once by one process: each takes a thread, for half a minute where
/// no name server answers.
const LOOKUPS: usize = 8;

static LOOKING: AtomicUsize = AtomicUsize::new(0);

/// Counts one lookup.
struct Looking;

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects to `place`, which is `HOST:PORT`: to the first of its addresses that takes us. Waits
/// for as long as the kernel does; the caller has a deadline.
///
/// # Errors
/// What the last address said, or the resolver; that too many names are being looked up.
pub async fn connect(place: &str) -> io::Result<Stream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses(place).await? {
        match connect_to(address).await {
            Ok(stream) => return Ok(stream),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr) -> io::Result<Stream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(fault) if fault.raw_os_error() != Some(libc::EINPROGRESS) => return Err(fault),
        _ => {}
    }
    let stream = Stream::new(socket.into())?;
    poll_fn(|cx| stream.poll_connected(cx)).await?;
    Ok(stream)
}

async fn addresses(place: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = place.parse() {
        return Ok(vec![address]);
    }
    if LOOKING.fetch_add(1, Ordering::Relaxed) >= LOOKUPS {
        drop(Looking);
        return Err(io::Error::other(format!("{LOOKUPS} names are being looked up already")));
    }
    let looking = Looking;
    let (tell, told) = sync_channel(1);
    let asker = Arc::new(AtomicWaker::new());
    let (waker, place) = (Arc::clone(&asker), place.to_owned());
    thread::Builder::new().name("lookup".to_owned()).spawn(move || {
        let found = place.to_socket_addrs().map(Iterator::collect);
        // Whoever asked may have gone.
        let _ = tell.send(found);
        drop(looking);
        waker.wake();
    })?;
    // The waker of a task must not be given to another thread, but a line to it may.
    let line = Line::here();
    poll_fn(|cx| {
        let task = cx.waker();
        asker.register(line.as_ref().map_or(task, |line| line.to(task)));
        match told.try_recv() {
            Ok(found) => Poll::Ready(found),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => {
                Poll::Ready(Err(io::Error::other("the lookup of the name crashed")))
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::net::TcpListener;

    use super::super::on_each;
    use super::*;

    #[test]
    fn an_address_and_a_name_lead_to_the_same_listener() {
        on_each(|runtime| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let core = runtime.spawn("connect", None, move || async move {
                let by_address = connect(&format!("127.0.0.1:{port}")).await.is_ok();
                (by_address, connect(&format!("localhost:{port}")).await.is_ok())
            });
            assert_eq!(core.unwrap().join(), Ok((true, true)));
            assert!(listener.accept().is_ok() && listener.accept().is_ok());
        });
    }

    #[test]
    fn who_does_not_listen_is_said_to_refuse() {
        on_each(|runtime| {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let core = runtime.spawn("refused", None, move || async move {
                let refused = connect(&free.to_string()).await.err().map(|fault| fault.kind());
                let unnamed = connect("no-port").await.is_err();
                (refused, unnamed)
            });
            let refused = Some(io::ErrorKind::ConnectionRefused);
            assert_eq!(core.unwrap().join(), Ok((refused, true)));
        });
    }
}
