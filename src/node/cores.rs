//! The life of an executor: a serving core, or the admin port's. Made of a seed on the starting
//! thread, lived on its own.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use pumice_shards::Reader;
use rustls::ClientConfig;

use super::order::Ways;
use crate::admin::{Admin, Overview};
use crate::front::{Front, context::Context, elsewhere::Elsewhere};
use crate::mesh::home::Message;
use crate::mesh::lane::Receiver;
use crate::mesh::positions::Positions;
use crate::mesh::routes::Routes;
use crate::mesh::ticket::Tickets;
use crate::net::body::Intake;
use crate::net::{self, Door, Drain, Limits, Tls};
use crate::peer::Pool;
use crate::rt;
use crate::settings::Settings;
use crate::stats::core::CoreStats;
use crate::stats::net::NetStats;
use crate::stats::progress::Progress;

/// Messages a core takes from its lane before its requests get a turn.
const MESSAGES_A_TURN: usize = 64;

/// What a core is made of, before it is on its own thread.
pub struct CoreSeed {
    pub core: u16,
    pub settings: Settings,
    pub tls: Option<Arc<Tls>>,
    /// TLS to peers; `None` speaks to them in clear text.
    pub to_peers: Option<Arc<ClientConfig>>,
    pub readers: Vec<Reader>,
    pub ways: Ways,
    pub positions: Positions,
    pub progress: Option<Arc<Progress>>,
    pub stats: Arc<CoreStats>,
    pub net: Arc<NetStats>,
}

/// The life of a serving core.
pub async fn serve(seed: CoreSeed, socket: TcpListener, lane: Receiver<Message>) {
    let listener = match rt::Listener::new(socket) {
        Ok(listener) => listener,
        Err(fault) => return tracing::error!("core {} cannot listen: {fault}", seed.core),
    };
    let context = Context {
        cluster: seed.settings.cluster,
        readers: seed.readers,
        inboxes: seed.ways.inboxes,
        tickets: Tickets::new(seed.core),
        positions: seed.positions,
        progress: seed.progress,
        stats: seed.stats,
        access_log: seed.settings.process.access_log,
        draining: Rc::default(),
        routes: Rc::default(),
        elsewhere: Elsewhere::new(Pool::new(seed.to_peers)),
        looks: Default::default(),
        listing: Default::default(),
        handover: seed.ways.asks,
        intake: Intake::default(),
    };
    let drain = Drain::new();
    // This task outlives the context: it must not hold the inboxes, or no owner would ever end.
    let (start, draining) = (drain.clone(), context.draining.clone());
    let known = context.routes.clone();
    let at_routes = move |routes| {
        known.replace(Some(routes));
    };
    rt::spawn_local(take_messages(lane, context.tickets.clone(), at_routes, move || {
        draining.set(true);
        start.start();
    }));
    let front = Rc::new(Front::new(context));
    let door = Door { listener, tls: seed.tls };
    net::serve(door, front, Limits::default(), drain, seed.net).await;
}

/// The life of the admin executor.
pub async fn serve_admin(overview: Overview, sockets: Vec<TcpListener>, lane: Receiver<Message>) {
    let drain = Drain::new();
    let draining = drain.clone();
    rt::spawn_local(take_messages(lane, Tickets::new(0), |_| {}, move || draining.start()));
    let admin = Rc::new(Admin::new(overview));
    for socket in sockets {
        let listener = match rt::Listener::new(socket) {
            Ok(listener) => listener,
            Err(fault) => return tracing::error!("the admin port cannot listen: {fault}"),
        };
        net::serve(listener, Rc::clone(&admin), Limits::default(), drain.clone(), Arc::default())
            .await;
    }
}

/// Takes what other threads send to this core.
async fn take_messages(
    mut lane: Receiver<Message>,
    tickets: Tickets,
    at_routes: impl Fn(Arc<Routes>) + 'static,
    at_drain: impl Fn() + 'static,
) {
    let mut messages = Vec::new();
    while lane.recv_many(&mut messages, MESSAGES_A_TURN).await > 0 {
        for message in messages.drain(..) {
            match message {
                Message::Told(all) => all.into_iter().for_each(|told| tickets.tell(told)),
                Message::Routes(routes) => at_routes(routes),
                Message::Drain => at_drain(),
            }
        }
    }
}
