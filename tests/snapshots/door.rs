//! The public port of a node that has something to give: a core on real sockets, with nothing
//! behind it but what a test puts there.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use pumice::front::Front;
use pumice::front::context::Context;
use pumice::front::elsewhere::Elsewhere;
use pumice::mesh::handover::Asking;
use pumice::mesh::home::{Home, Message, lanes};
use pumice::mesh::positions::Positions;
use pumice::mesh::ticket::Tickets;
use pumice::net::body::Intake;
use pumice::net::{self, Drain, Limits, Tls};
use pumice::peer::Pool;
use pumice::rt::{self, Runtime};
use pumice::settings::ClusterSettings;
use pumice::stats::progress::Progress;
use pumice_shards::Reader;

/// What stands behind it.
pub struct Behind {
    pub cluster: ClusterSettings,
    pub readers: Vec<Reader>,
    pub positions: Positions,
    pub progress: Option<Arc<Progress>>,
    pub handover: Option<Asking>,
    pub tls: Option<Arc<Tls>>,
}

/// The port; it closes when this is dropped, whatever is on its way.
pub struct Door {
    pub http: SocketAddr,
    home: Home,
    core: Option<rt::Joining<()>>,
}

impl Door {
    pub fn open(runtime: Runtime, behind: Behind) -> Self {
        let socket = rt::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let http = socket.local_addr().unwrap();
        let (home, mut lanes) = lanes(1);
        let mut lane = lanes.remove(0);
        let core = runtime.spawn("door", None, move || async move {
            let listener = rt::Listener::new(socket).unwrap();
            let drain = Drain::new();
            let order = drain.clone();
            rt::spawn_local(async move {
                let mut messages = Vec::new();
                while lane.recv_many(&mut messages, 8).await > 0 {
                    if messages.drain(..).any(|message| matches!(message, Message::Drain)) {
                        order.start();
                    }
                }
            });
            let limits = Limits { drain_time: Duration::from_millis(50), ..Limits::default() };
            let (tls, front) = (behind.tls.clone(), Rc::new(Front::new(behind.context())));
            net::serve(net::Door { listener, tls }, front, limits, drain, Arc::default()).await;
        });
        Self { http, home, core: Some(core.unwrap()) }
    }
}

impl Behind {
    fn context(self) -> Context {
        Context {
            cluster: self.cluster,
            readers: self.readers,
            inboxes: Vec::new(),
            tickets: Tickets::new(0),
            positions: self.positions,
            progress: self.progress,
            stats: Arc::default(),
            access_log: false,
            intake: Intake::default(),
            draining: Rc::default(),
            routes: Rc::default(),
            elsewhere: Elsewhere::new(Pool::default()),
            looks: Default::default(),
            listing: Default::default(),
            handover: self.handover,
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.home.drain();
        if let Some(core) = self.core.take() {
            let ended = core.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}
