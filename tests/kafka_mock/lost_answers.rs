//! Produces whose answers never come, under load: the broker took them, the node cannot know. What
//! was acknowledged is there, nothing is applied twice, and every replica agrees. 50 faults, and
//! 500 with PUMICE_SOAK=1; where PUMICE_TEST_KAFKA names a real broker, in front of that, too.

use std::env;
use std::process;
use std::time::Instant;

use crate::kafka::load::{Written, read, under_load};
use crate::kafka::mock::mutations;
use crate::kafka::node::Place;
use crate::kafka::proxy::{Counts, Proxy};
use crate::kafka::script::Fault;
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::namespace;

const PARTITIONS: u32 = 8;
const WRITERS: usize = 8;
/// Produces that go well between two faults, at least.
const BETWEEN: u64 = 5;

#[test]
fn an_answer_that_is_lost_is_no_write_that_is_lost() {
    let (mock, place) = namespace("lost", PARTITIONS);
    let stock = Stock::new(&mock.brokers());
    lose_answers(&place, &stock);
    for partition in 0..PARTITIONS {
        let (start, _) = stock.range(&mutations("lost"), partition as i32);
        assert_eq!(start, 0, "the mock forgot the beginning: write less");
    }
}

#[test]
fn nor_is_it_with_a_real_broker() {
    let Ok(broker) = env::var("PUMICE_TEST_KAFKA") else {
        assert!(env::var_os("PUMICE_TEST_SERVICES").is_none(), "PUMICE_TEST_KAFKA names no broker");
        println!("skipped: lost answers of a real broker, since PUMICE_TEST_KAFKA names none");
        return;
    };
    // Its topics outlive the test.
    let name = format!("lost-{}", process::id());
    lose_answers(&Place::new(&broker, &name, PARTITIONS), &Stock::new(&broker));
}

fn lose_answers(place: &Place, stock: &Stock) {
    let faults = if env::var_os("PUMICE_SOAK").is_some() { 500 } else { 50 };
    let proxy = Proxy::start(&place.brokers);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let node = place.through(&proxy.brokers()).start(dirs[0].path()).ready();
    let began = Instant::now();
    let written = under_load(&node, WRITERS, || lose(&proxy, faults));
    let took = began.elapsed();
    let ends = stock.ends(&mutations(&place.namespace), PARTITIONS);
    node.reaches(&ends);

    let lost = Counts::of(&proxy.counts().lost);
    let duplicates = node.metric("pumice_entries_total", &["outcome=\"duplicate\""]);
    let total = |count: fn(&Written) -> usize| written.iter().map(count).sum::<usize>();
    println!(
        "{lost} answers lost and {} requests halved in {took:?}; {} writes acknowledged, {} told \
         503, {} told 504; {duplicates} entries seen twice",
        Counts::of(&proxy.counts().halved),
        total(|written| written.acknowledged.len()),
        total(|written| written.unappended.len()),
        total(|written| written.unknown.len()),
    );
    assert!(lost >= faults);
    assert!(duplicates >= lost as f64, "{duplicates} duplicates of {lost} lost answers");
    for (name, written) in written.iter().enumerate() {
        assert!(!written.acknowledged.is_empty(), "writer {name} got nothing through");
        written.agrees(name, read(name, &node).expect("a row"));
    }
    let other = place.start(dirs[1].path()).ready();
    other.reaches(&ends);
    assert_eq!(node.states(), other.states());
    assert_eq!(other.metric("pumice_entries_total", &["outcome=\"duplicate\""]), duplicates);
    node.stop();
    other.stop();
}

/// Lets so many answers be lost, one after the other, in every way that there is.
fn lose(proxy: &Proxy, faults: u64) {
    for fault in 0..faults {
        let way = match fault % 25 {
            // The node waits five seconds for it.
            24 => Fault::WithholdAnswer,
            at if at % 3 == 1 => Fault::HalveAnswer,
            _ => Fault::LoseAnswer,
        };
        if fault % 5 == 0 {
            proxy.script().push(Fault::HalveRequest);
        }
        proxy.script().push(way);
        until("a fault to happen", || (proxy.script().pending() == 0).then_some(()));
        let answered = Counts::of(&proxy.counts().answered);
        until("answers", || {
            (Counts::of(&proxy.counts().answered) >= answered + BETWEEN).then_some(())
        });
        if fault % 50 == 49 {
            proxy.reset();
        }
    }
    until("the last fault", || (Counts::of(&proxy.counts().lost) >= faults).then_some(()));
}
