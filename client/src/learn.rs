//! Learning where partitions are: `GET /v1/routes` of one node, beside the calls that go on with
//! what is known. On the caller's runtime, one at a time, and over within seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use pumice_model::wire::RoutesBody;

use crate::error::Error;
use crate::route::Routes;
use crate::router::Router;
use crate::transport::{Call, Origin, Place};

/// How old a picture gets while the client is used.
const OLD: Duration = Duration::from_secs(10);
/// The least time between two fetches, whatever answers hint at.
const LEAST: Duration = Duration::from_secs(1);
/// Nodes that are asked for one picture, and how long each may take.
const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the cluster.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) routes: Arc<Routes>,
    /// Something has shown that the picture is wrong.
    pub(crate) is_stale: bool,
    is_learning: bool,
    began: Option<Instant>,
}

impl Learned {
    /// Nothing but whom to ask.
    pub(crate) fn new(routes: Routes) -> Self {
        Self { routes: Arc::new(routes), is_stale: false, is_learning: false, began: None }
    }

    /// Whether the servers are taken for no cluster, and nobody is being asked.
    pub(crate) fn is_alone(&self) -> bool {
        !self.is_learning && !self.routes.is_cluster()
    }

    /// Whether it is time for a newer picture.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let age = self.began.map(|began| now.saturating_duration_since(began));
        let due = if self.is_stale { LEAST } else { OLD };
        !self.is_learning && age.is_none_or(|age| age >= due)
    }

    /// A newer picture is being fetched.
    pub(crate) fn begins(&mut self, now: Instant) {
        (self.is_learning, self.is_stale, self.began) = (true, false, Some(now));
    }
}

/// Fetches a picture. One in which fewer partitions are served may come from a node that has just
/// begun to hear of others, so then another node is asked, and the best picture is taken.
pub(crate) async fn learn(router: Arc<Router>) {
    let ends = Ends(router);
    let router = &ends.0;
    let present = router.learned().routes.clone();
    let mut asked = Vec::new();
    let mut found: Option<Routes> = None;
    while asked.len() < TRIES && present.has_other(&Place::Anyone, &asked) {
        let node = present.pick(&Place::Anyone, &asked);
        asked.push(node.origin.clone());
        let call = Call::new(Place::Anyone, Method::GET, "/v1/routes");
        let answer = node.origin.send(&call, Instant::now() + PATIENCE).await;
        router.fares(&node, &answer);
        let Ok(answer) = answer else { continue };
        if answer.status != StatusCode::OK {
            continue;
        }
        let Ok(next) = read(router, &present, &node.origin, &answer.body) else { continue };
        let served = next.served();
        if found.as_ref().is_none_or(|found| served > found.served()) {
            found = Some(next);
        }
        if served >= present.served() {
            break;
        }
    }
    if let Some(found) = found {
        router.learned().routes = Arc::new(found);
    }
}

fn read(router: &Router, present: &Routes, from: &Origin, body: &[u8]) -> Result<Routes, Error> {
    let body: RoutesBody = serde_json::from_slice(body).map_err(Error::protocol)?;
    let settings = &router.settings;
    let scheme = from.base.split_once("://").map_or("http", |(scheme, _)| scheme);
    let connect = |base| Origin::new(base, &settings.tls, settings.connections);
    present.next(&body, settings.region.as_deref(), scheme, connect)
}

// A runtime that ends takes its tasks along; the client may go on in another.
struct Ends(Arc<Router>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.learned().is_learning = false;
    }
}
