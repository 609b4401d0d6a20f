//! The bar for `net`: hyper on a tokio current-thread runtime, answering every request with the
//! same 54 bytes over HTTP/1.1 and HTTP/2 (prior knowledge). `hyper_tokio 127.0.0.1:PORT`. It must
//! stay as plain as hyper's own examples, with the settings that make it fast.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8; 54] = b"{\"data\":{\"name\":\"pumice\",\"kind\":\"rock\",\"floats\":true}}";

/// What an HTTP/2 client sends first; three bytes tell it from HTTP/1.
const PREFACE_START: &[u8; 3] = b"PRI";

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: hyper_tokio 127.0.0.1:PORT")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(serve(stream));
        }
    })
}

async fn serve(stream: TcpStream) {
    let mut start = [0; PREFACE_START.len()];
    while matches!(stream.peek(&mut start).await, Ok(n) if 0 < n && n < start.len()) {}
    let io = TokioIo::new(stream);
    // A client that goes away is no fault of the server's; a bench has nobody to tell.
    let _ = if &start == PREFACE_START {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(256);
        builder.serve_connection(io, service_fn(answer)).await
    } else {
        http1::Builder::new().pipeline_flush(true).serve_connection(io, service_fn(answer)).await
    };
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(ANSWER))))
}
