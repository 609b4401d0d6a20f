//! What the admin port shows of the cluster: `/v1/cluster`, and the counts of gossip; and
//! `/v1/drain`, which has this node leave. Admin executor; nothing where the node is alone.

use http::{Method, StatusCode};
use pumice_model::wire::ErrorBody;

use super::exposition::Exposition;
use super::{Answer, Overview, json, not_allowed};

/// `/v1/cluster`: the last picture that the cluster's thread drew.
pub fn answer(overview: &Overview) -> Answer {
    let Some(stats) = &overview.cluster else { return alone() };
    match stats.body() {
        Some(body) => json(StatusCode::OK, &*body),
        None => {
            let error = ErrorBody::new("unavailable", "the cluster was not heard of yet");
            json(StatusCode::SERVICE_UNAVAILABLE, &error)
        }
    }
}

/// `POST /v1/drain`: the plan is without this node from now on, for as long as the process lives.
/// It serves until others serve what it has, and then until it is stopped.
pub fn drain(overview: &Overview, method: &Method) -> Answer {
    let Some(stats) = &overview.cluster else { return alone() };
    if *method != Method::POST {
        return not_allowed("POST");
    }
    if !stats.is_leaving() {
        tracing::info!("asked to drain: others take over, restart this node to take it back");
    }
    stats.leave();
    json(StatusCode::ACCEPTED, &serde_json::json!({ "leaving": true }))
}

fn alone() -> Answer {
    let error = ErrorBody::new("not_found", "no cluster: the node was started without --gossip");
    json(StatusCode::NOT_FOUND, &error)
}

/// The families of gossip.
pub fn render(overview: &Overview, page: &mut Exposition) {
    let Some(stats) = &overview.cluster else { return };
    let mut family = page.gauge("pumice_cluster_members", "Members that are known, by state.");
    let (members, alive) = (stats.members.get(), stats.alive.get());
    family.sample("state=\"alive\"", alive);
    family.sample("state=\"dead\"", members.saturating_sub(alive));
    family.sample("state=\"ignored\"", stats.ignored.get());
    let mut family = page.counter("pumice_gossip_datagrams_total", "Datagrams of gossip.");
    for (what, count) in [
        ("sent", &stats.sent),
        ("unsent", &stats.unsent),
        ("received", &stats.received),
        ("unsealed", &stats.unsealed),
        ("foreign", &stats.foreign),
        ("garbled", &stats.garbled),
    ] {
        family.sample(&format!("what=\"{what}\""), count.get());
    }
    let mut family = page.counter("pumice_gossip_bytes_total", "Bytes of gossip.");
    family.sample("what=\"sent\"", stats.sent_bytes.get());
    family.sample("what=\"received\"", stats.received_bytes.get());
    let Some(body) = stats.body() else { return };
    let mut family = page
        .gauge("pumice_cluster_partitions", "Partitions of this node by what it does with them.");
    let mine = body.members.iter().find(|member| member.id == body.node);
    let counts = mine.map(|member| member.partitions).unwrap_or_default();
    for (state, count) in [
        ("restoring", counts.restoring),
        ("catching-up", counts.catching_up),
        ("serving", counts.serving),
        ("draining", counts.draining),
        ("broken", counts.broken),
    ] {
        family.sample(&format!("state=\"{state}\""), count);
    }
}
