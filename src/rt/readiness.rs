//! A socket watched by its core: through our own epoll instance under glommio, through tokio's
//! under tokio. Both are asked alike, and neither must be asked on another core.

use std::io;
use std::os::fd::RawFd;
use std::task::{Context, Poll};

use super::runtime::Runtime;
use super::{epoll, on_tokio};

/// A socket watched by this core.
pub(super) enum Watched {
    Glommio(epoll::Watched),
    Tokio(on_tokio::Watched),
}

impl Watched {
    /// Watches `fd` until this is dropped. The owner of `fd` must drop it right after this, and
    /// must never duplicate it.
    pub(super) fn new(fd: RawFd) -> io::Result<Watched> {
        Ok(match Runtime::here() {
            Runtime::Glommio => Watched::Glommio(epoll::Watched::new(fd)?),
            Runtime::Tokio => Watched::Tokio(on_tokio::Watched::new(fd)?),
        })
    }

    /// Runs `receive` while there may be something to read. `is_short` says that its result
    /// emptied the socket.
    pub(super) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        receive: impl FnMut() -> io::Result<T>,
        is_short: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        match self {
            Watched::Glommio(watched) => watched.poll_read(cx, receive, is_short),
            Watched::Tokio(watched) => watched.poll_read(cx, receive, is_short),
        }
    }

    /// Runs `send` while there may be room to write. `is_short` says that its result filled it.
    pub(super) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        send: impl FnMut() -> io::Result<T>,
        is_short: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        match self {
            Watched::Glommio(watched) => watched.poll_write(cx, send, is_short),
            Watched::Tokio(watched) => watched.poll_write(cx, send, is_short),
        }
    }
}
