//! (pure) The cluster as one node sees it, drawn for an operator: nodes by region and replica
//! group, what is on its way, and what nobody answers for.

use std::collections::HashMap;
use std::fmt::Write as _;

use indicatif::HumanCount;
use pumice_model::holding::Holding;
use pumice_model::wire::{ClusterBody, ClusterMember};

/// Characters of a progress bar.
const BAR: u32 = 24;
/// Partitions that are listed by number; more are counted.
const LISTED: usize = 12;

/// How far a node's partitions are behind.
#[derive(Clone, Copy, Default)]
struct Behind {
    /// The worst of those that answer, entries.
    serving: u64,
    /// All that catch up together, entries.
    to_catch_up: u64,
}

/// The drawing.
pub fn draw(body: &ClusterBody) -> String {
    let alive = body.members.iter().filter(|member| member.alive).count();
    let mut text = format!(
        "\ncluster    {alive} of {} nodes alive, {} partitions, seen by {}",
        body.members.len(),
        body.partitions.len(),
        body.node,
    );
    text.extend(body.unready.iter().map(|why| format!("\nnot ready: {why}")));
    let mut members: Vec<&ClusterMember> = body.members.iter().collect();
    members.sort_by_key(|m| (&m.region, &m.replica_group, &m.id));
    let width = members.iter().map(|member| member.id.len()).max().unwrap_or(0).max(4);
    let behind = behind(body);
    let mut place = None;
    for member in members {
        let here = (&member.region, &member.replica_group);
        if place.replace(here) != Some(here) {
            let (region, group) = here;
            let _ = write!(
                text,
                "\n\nregion {region}, replica group {group}\n  {:<width$}  state     serving  on \
                 their way  broken  lag         reads/s",
                "node",
            );
        }
        let behind = behind.get(member.id.as_str()).copied().unwrap_or_default();
        node(&mut text, member, behind, width);
    }
    unanswered(&mut text, body);
    text
}

fn behind(body: &ClusterBody) -> HashMap<&str, Behind> {
    let mut all: HashMap<&str, Behind> = HashMap::new();
    for holder in body.partitions.iter().flat_map(|partition| &partition.holders) {
        let behind = all.entry(&holder.node).or_default();
        match Holding::parse(&holder.state) {
            Some(holding) if holding.answers() => {
                behind.serving = behind.serving.max(holder.lag);
            }
            Some(Holding::CatchingUp) => behind.to_catch_up += holder.lag,
            _ => {}
        }
    }
    all
}

fn node(text: &mut String, member: &ClusterMember, behind: Behind, width: usize) {
    let counts = member.partitions;
    let (answering, moving) =
        (counts.serving + counts.draining, counts.restoring + counts.catching_up);
    let state = match (member.alive, member.draining) {
        (false, _) => "dead",
        (true, true) => "draining",
        (true, false) => "alive",
    };
    let lag = HumanCount(behind.serving).to_string();
    let _ = write!(
        text,
        "\n  {:<width$}  {state:<8}  {answering:>7}  {moving:>12}  {:>6}  {lag:<10}  {}",
        member.id,
        counts.broken,
        HumanCount(member.load),
    );
    if !member.alive {
        let _ = write!(text, "\n  {:<width$}  silent for {} s", "", member.since_ms / 1_000);
    } else if moving > 0 {
        let (restoring, catching_up) = (counts.restoring, counts.catching_up);
        let _ = write!(
            text,
            "\n  {:<width$}  {} {answering} of {}: {restoring} restoring, {catching_up} catching \
             up ({} entries)",
            "",
            bar(answering, answering + moving),
            answering + moving,
            HumanCount(behind.to_catch_up),
        );
    }
    if counts.draining > 0 {
        let _ = write!(text, "\n  {:<width$}  {} on their way out", "", counts.draining);
    }
}

fn bar(done: u32, all: u32) -> String {
    let full = (BAR * done / all.max(1)) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR as usize - full))
}

fn unanswered(text: &mut String, body: &ClusterBody) {
    let answers = |state: &str| Holding::parse(state).is_some_and(Holding::answers);
    let partitions = body.partitions.iter();
    let partitions = partitions.filter(|p| !p.holders.iter().any(|h| answers(&h.state)));
    let numbers: Vec<String> = partitions.map(|p| p.partition.to_string()).collect();
    if numbers.is_empty() {
        return;
    }
    let listed = numbers.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = numbers.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let _ = write!(text, "\n\nnobody answers for partitions {listed}{more}");
}

#[cfg(test)]
mod tests {
    use pumice_model::wire::{ClusterHolder, ClusterPartition, HoldingCounts};

    use super::*;

    fn member(id: &str, group: &str, counts: HoldingCounts) -> ClusterMember {
        ClusterMember {
            id: id.to_owned(),
            region: "eu".to_owned(),
            replica_group: group.to_owned(),
            alive: true,
            partitions: counts,
            ..ClusterMember::default()
        }
    }

    fn holder(node: &str, state: &str, lag: u64) -> ClusterHolder {
        ClusterHolder { node: node.to_owned(), state: state.to_owned(), next: 0, lag }
    }

    #[test]
    fn nodes_stand_by_place_with_what_is_on_its_way() {
        let counts =
            HoldingCounts { serving: 2, restoring: 1, catching_up: 1, ..Default::default() };
        let mut dead = member("c", "two", HoldingCounts { serving: 3, ..Default::default() });
        (dead.alive, dead.since_ms) = (false, 12_345);
        let holders = [
            vec![holder("b", "serving", 1_234)],
            vec![holder("b", "catching-up", 50_000), holder("a", "draining", 0)],
            vec![holder("b", "restoring", 9)],
        ];
        let partitions = holders
            .into_iter()
            .zip(0..)
            .map(|(holders, partition)| ClusterPartition { partition, end: 0, holders });
        let draining = HoldingCounts { draining: 1, ..Default::default() };
        let body = ClusterBody {
            namespace: "n".to_owned(),
            node: "b".to_owned(),
            unready: Some("the clock is 40 s behind".to_owned()),
            leaving: false,
            may_leave: false,
            members: vec![member("a", "one", draining), member("b", "one", counts), dead],
            partitions: partitions.collect(),
        };
        let expected = "\n\
            cluster    2 of 3 nodes alive, 3 partitions, seen by b\n\
            not ready: the clock is 40 s behind\n\
            \n\
            region eu, replica group one\n\
            \x20 node  state     serving  on their way  broken  lag         reads/s\n\
            \x20 a     alive           1             0       0  0           0\n\
            \x20       1 on their way out\n\
            \x20 b     alive           2             2       0  1,234       0\n\
            \x20       [############------------] 2 of 4: 1 restoring, 1 catching up \
            (50,000 entries)\n\
            \n\
            region eu, replica group two\n\
            \x20 node  state     serving  on their way  broken  lag         reads/s\n\
            \x20 c     dead            3             0       0  0           0\n\
            \x20       silent for 12 s\n\
            \n\
            nobody answers for partitions 2";
        assert_eq!(draw(&body), expected);
    }
}
