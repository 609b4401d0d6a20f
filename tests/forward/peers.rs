//! Members that are no nodes: one that is gone, one that accepts and says nothing, and one that
//! does what a test wants.

use std::convert::Infallible;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use pumice::net::body::Incoming;
use pumice::net::{self, Drain, Limits, Service, Short};
use pumice::rt::{self, Runtime};

/// An address where nobody listens.
pub fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// One where connections are accepted, and nothing is ever answered, for as long as it is kept.
pub fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// What a member answers with.
#[derive(Clone, Copy, Debug)]
pub enum Script {
    /// Nothing, ever.
    Never,
    /// `"slow"`, after a while.
    Slow(Duration),
    /// The connection is lost.
    Lost,
    /// 503.
    Refuses,
}

/// A member that shows that it lives and then does what its script says.
pub struct Scripted {
    pub http: SocketAddr,
    /// Requests it got.
    pub asked: Arc<AtomicUsize>,
    core: Option<rt::Joining<()>>,
    stop: Arc<AtomicUsize>,
}

struct Player {
    script: Script,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    pub fn start(runtime: Runtime, script: Script) -> Self {
        let socket = rt::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let http = socket.local_addr().unwrap();
        let (asked, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (count, stopping) = (asked.clone(), stop.clone());
        let core = runtime.spawn("scripted", None, move || async move {
            let listener = rt::Listener::new(socket).unwrap();
            let drain = Drain::new();
            let order = drain.clone();
            rt::spawn_local(async move {
                while stopping.load(Ordering::SeqCst) == 0 {
                    rt::sleep(Duration::from_millis(5)).await;
                }
                order.start();
            });
            let limits = Limits { drain_time: Duration::from_millis(100), ..Limits::default() };
            let player = Rc::new(Player { script, asked: count });
            net::serve(listener, player, limits, drain, Arc::default()).await;
        });
        Self { http, asked, core: Some(core.unwrap()), stop }
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(1, Ordering::SeqCst);
        if let Some(core) = self.core.take() {
            // A core whose script panics ends well: the panic ends a connection.
            let _ = core.join();
        }
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Service for Player {
    type Body = Body;
    type Answering = Pin<Box<dyn Future<Output = Response<Body>>>>;
    type Noted = ();
    type Away = ();
    type Told = ();

    fn answer(&self, request: Request<Incoming>) -> Self::Answering {
        if request.uri().path() == "/up" {
            return Box::pin(async { said(StatusCode::OK, "ok") });
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let script = self.script;
        Box::pin(async move {
            match script {
                Script::Never => std::future::pending().await,
                Script::Slow(time) => {
                    rt::sleep(time).await;
                    said(StatusCode::OK, "\"slow\"")
                }
                Script::Lost => panic!("as the script says"),
                Script::Refuses => said(StatusCode::SERVICE_UNAVAILABLE, "{}"),
            }
        })
    }

    fn note(&self, (): &mut (), _: &str) -> bool {
        false
    }

    fn look(&self, (): &mut (), _: &mut dyn FnMut(usize, &Short<'_>)) {}
}

fn said(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Full::from(text).boxed_unsync());
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert("content-type", json);
    answer
}
