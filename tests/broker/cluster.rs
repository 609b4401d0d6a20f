//! A cluster over a real broker: it grows, loses a node without a word and one that says goodbye,
//! and no read is ever wrong or silently less than all.

use std::sync::Arc;

use crate::answers::{Asked, States, ask, caught_up, compare, rows};
use crate::kafka::mock::mutations;
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::members::Cluster;
use crate::server::{repository, run};
use crate::services::Services;
use crate::{clocks, readers, rolling, tell};

const PARTITIONS: u32 = 64;

#[test]
fn a_cluster_grows_and_loses_nodes_and_reads_go_on() {
    let Some(services) = Services::shared() else { return };
    let bare = services.place("cluster", PARTITIONS);
    let objects = services.objects(&bare.namespace);
    let cluster = Cluster::new(bare.with(&objects.each_ref().map(String::as_str)), 5);
    let file = repository("src/cli/sample/cities.ndjson.gz");
    let rows = Arc::new(rows(&file));

    let first = cluster.start(0, "a");
    let second = cluster.start(1, "b");
    let third = cluster.start(2, "a");
    let (first, second, third) = (first.ready(), second.ready(), third.ready());
    cluster.on_plan(&first, &[("a", &[0, 2]), ("b", &[1])]);
    let imported = run(&["import", file.to_str().unwrap(), "--url", &third.server.url(), "--json"]);
    assert_eq!(imported.0, 0, "{imported:?}");
    let ends = Stock::new(&services.kafka).ends(&mutations(&bare.namespace), PARTITIONS);
    caught_up(&[&first, &second, &third], &ends);
    let whole = Asked::whole(&rows);
    for node in [&first, &second, &third] {
        until("every key", || (ask(node, &rows) == whole).then_some(()));
    }
    let mut states = States::new();
    compare(&mut states, &[&first, &second, &third]);

    let [first, second, third] = rolling::restart(&cluster, [first, second, third], &rows);
    compare(&mut states, &[&first, &second, &third]);

    clocks::an_hour_off(&cluster, &[&first, &second, &third]);
    let fifth = cluster.start(4, "c").ready();
    cluster.on_plan(&fifth, &[("a", &[0, 2]), ("b", &[1]), ("c", &[4])]);
    compare(&mut states, &[&first, &fifth]);
    readers::take_turns(&[&[&first, &third], &[&second], &[&fifth]], &rows);
    fifth.stop();

    // The only node of its group, without a word: the other group answers at once.
    second.server.kill();
    for node in [&first, &third] {
        assert_eq!(ask(node, &rows), whole, "with n1 dead");
    }

    // One more: what moves is what the plan says.
    let fourth = cluster.start(3, "a").ready();
    cluster.on_plan(&first, &[("a", &[0, 2, 3])]);
    assert_eq!(ask(&fourth, &rows), whole, "from the newcomer");
    compare(&mut states, &[&first, &third, &fourth]);

    // The last group loses a node: what it held comes from the objects or the log again, and until
    // then it is said what cannot be had.
    third.server.kill();
    let mut gaps = 0;
    until("every key again", || {
        let asked = ask(&first, &rows);
        gaps += usize::from(asked.unavailable > 0);
        assert_eq!(asked.found + asked.unavailable, rows.len(), "less than all, and not said so");
        (asked == whole).then_some(())
    });
    tell(&format!("cluster: {gaps} readings had gaps, all of them told"));
    cluster.on_plan(&first, &[("a", &[0, 3])]);

    // One whose peers take over before it goes: nobody notices.
    let admin = format!("http://{}", fourth.server.admin);
    let (code, out, err) = run(&["drain", "--admin", &admin]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("others serve all"), "{out}");
    assert_eq!(ask(&fourth, &rows), whole, "it serves until it is stopped");
    fourth.stop();
    assert_eq!(ask(&first, &rows), whole, "after the drain");
    cluster.on_plan(&first, &[("a", &[0])]);
    first.stop();
}
