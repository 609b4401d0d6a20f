//! An S3 server on a directory of its own and a thread of its own, which does wrong what a test
//! tells it to. It checks signatures, so that nothing passes here that S3 would not take.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod script;

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use pumice::settings::{S3Credentials, S3Settings, Secret};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use script::{Fault, Script};

/// The one access key that the server knows, and its secret.
pub const ACCESS_KEY: &str = "pumice-test";
/// See [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "pumice-test-secret";
/// What requests must be signed for, as far as the server cares.
pub const REGION: &str = "us-east-1";

type Answer = Response<UnsyncBoxBody<Bytes, Cut>>;

/// What makes hyper cut the connection.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

/// A running server with one bucket. Gone with the value, its objects too.
pub struct S3Server {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// The bucket that there is.
    pub bucket: String,
    script: Script,
    root: tempfile::TempDir,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// Starts with an empty bucket.
    pub fn start(bucket: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(bucket)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let (service, script) = (builder.build(), Script::default());
        let (stop, stopped) = oneshot::channel();
        let (started, address) = mpsc::channel();
        let of_server = script.clone();
        let thread = thread::Builder::new().name("s3-server".to_owned()).spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener, service, of_server) => {}
                    _ = stopped => {}
                }
            });
        });
        let endpoint = format!("http://{}", address.recv().unwrap());
        let (bucket, thread) = (bucket.to_owned(), Some(thread.unwrap()));
        Self { endpoint, bucket, script, root, stop: Some(stop), thread }
    }

    /// What to do wrong.
    pub fn faults(&self) -> &Script {
        &self.script
    }

    /// How a store reaches the bucket.
    pub fn settings(&self, prefix: &str) -> S3Settings {
        S3Settings {
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            region: REGION.to_owned(),
            path_style: true,
            credentials: Some(S3Credentials {
                access_key: ACCESS_KEY.to_owned(),
                secret_key: Secret::new(SECRET_KEY),
            }),
        }
    }

    /// The file that holds an object, to look at or to spoil. `key` begins with the prefix.
    pub fn file(&self, key: &str) -> PathBuf {
        self.root.path().join(&self.bucket).join(key)
    }

    /// Uploads in parts that neither became an object nor were aborted.
    pub fn dangling_uploads(&self) -> usize {
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let names = fs::read_dir(self.root.path()).unwrap().map(|entry| name(entry.unwrap()));
        names.filter(|name| name.starts_with(".upload")).count()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes a flipped bit over the byte at `offset` of a file.
pub fn flip(path: &Path, offset: u64, bit: u8) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << bit)], offset).unwrap();
}

async fn serve(listener: TcpListener, service: S3Service, script: Script) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (service, script) = (service.clone(), script.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (service, script) = (service.clone(), script.clone());
            async move { answer(service, script, request).await }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

async fn answer(
    service: S3Service,
    script: Script,
    request: Request<Incoming>,
) -> Result<Answer, Cut> {
    let fault = script.next(request.method(), request.uri());
    let head_only = request.method() == Method::HEAD;
    let (head, body) = request.into_parts();
    // Whole, so that a refused request leaves its connection usable.
    let mut body = Vec::from(body.collect().await.map_err(|_| Cut)?.to_bytes());
    match fault {
        Some(Fault::Status(status, code)) => return Ok(error(status, code)),
        Some(Fault::SlowDown) => return Ok(error(503, "SlowDown")),
        Some(Fault::ErrorBody200) => return Ok(error(200, "InternalError")),
        Some(Fault::Reset) => return Err(Cut),
        Some(Fault::DamageRequest) => flip_middle(&mut body),
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let request = Request::from_parts(head, s3s::Body::from(body));
    let done = service.call(request).await.map_err(|_| Cut)?;
    let (mut head, body) = done.into_parts();
    let mut body = Vec::from(body.collect().await.map_err(|_| Cut)?.to_bytes());
    head.headers.remove(TRANSFER_ENCODING);
    match fault {
        Some(Fault::LoseAnswer) => return Err(Cut),
        Some(Fault::ResetMidBody) => {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
            body.truncate(body.len() / 2);
            let frames = [Ok(Frame::data(Bytes::from(body))), Err(Cut)];
            let body = StreamBody::new(stream::iter(frames));
            return Ok(Response::from_parts(head, BodyExt::boxed_unsync(body)));
        }
        Some(Fault::Truncate) => body.truncate(body.len() / 2),
        Some(Fault::WrongBytes) => flip_middle(&mut body),
        _ => {}
    }
    // An answer to HEAD keeps the length of the body that it does not have.
    if !head_only {
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok(Response::from_parts(head, whole(body)))
}

fn whole(body: Vec<u8>) -> UnsyncBoxBody<Bytes, Cut> {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync()
}

fn error(status: u16, code: &str) -> Answer {
    let document = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>");
    let answer = Response::builder().status(status).header(CONTENT_TYPE, "application/xml");
    answer.body(whole(document.into_bytes())).unwrap()
}

fn flip_middle(body: &mut [u8]) {
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
}
