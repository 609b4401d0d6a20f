//! A broker that is killed, that stands still and whose connections are cut in the middle of a
//! produce, while writers write: nothing acknowledged is missing, no value ever falls.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::kafka::node::Node;
use crate::kafka::proxy::{Counts, Proxy};
use crate::kafka::script::Fault;
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::services::Services;
use crate::writers::{self, Told, Writer};
use crate::{soak, tell};

const PARTITIONS: u32 = 2;
const WRITERS: usize = 16;
/// Fewer entries seen twice, and the run has shown nothing.
const DUPLICATES: f64 = 50.0;

#[test]
fn an_outage_loses_nothing_and_doubles_nothing() {
    let Some(services) = Services::own() else { return };
    let (rounds, pause, duplicates) = match soak() {
        true => (20, 60, DUPLICATES),
        false => (2, 5, DUPLICATES / 10.0),
    };
    let proxy = Proxy::start(&services.kafka);
    let place = services.place("outages", PARTITIONS);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let node = place.through(&proxy.brokers()).start(dirs[0].path()).ready();
    let writers = Writer::all(WRITERS, PARTITIONS);

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (address, over, writers) = (node.http(), &over, &writers);
        for writer in writers {
            scope.spawn(move || {
                // A writer that fails must end the run, not only itself.
                let _end = OnPanic(over);
                while !over.load(Ordering::SeqCst) {
                    match writer.put(address) {
                        Told::Gone => panic!("the node gave no answer"),
                        // Whoever is told to come again does not come at once.
                        Told::Never => thread::sleep(Duration::from_millis(100)),
                        Told::Acknowledged | Told::Unknown => {}
                    }
                }
            });
        }
        scope.spawn(move || {
            let _end = OnPanic(over);
            while !over.load(Ordering::SeqCst) {
                writers.iter().for_each(|writer| writer.look(address));
                thread::sleep(Duration::from_millis(20));
            }
        });
        let _end = OnDrop(over);
        for round in 0..rounds {
            outages(&services, &proxy, Duration::from_secs(pause), || all_go_on(writers, over));
            tell(&format!("outages: round {} of {rounds}: {}", round + 1, seen_twice(&node)));
        }
    });

    let topic = mock::mutations(&place.namespace);
    let ends = Stock::new(&services.kafka).ends(&topic, PARTITIONS);
    node.reaches(&ends);
    let replay = place.start(dirs[1].path()).ready();
    replay.reaches(&ends);
    assert_eq!(node.states(), replay.states());
    for writer in &writers {
        writer.look(node.http());
        writer.look(replay.http());
    }
    let sum = writers::prove(&writers, &place);
    let (twice, lost) = (seen_twice(&node), Counts::of(&proxy.counts().lost));
    tell(&format!("outages: {rounds} rounds, {sum:?}, {twice} duplicates, {lost} answers kept"));
    assert!(twice >= duplicates, "void: only {twice} entries were seen as duplicates");
    replay.stop();
    node.stop();
}

/// One of each kind, and after each the writers must get on.
fn outages(services: &Services, proxy: &Proxy, pause: Duration, all_go_on: impl Fn()) {
    all_go_on();
    services.broker("kill");
    // The kernel clears a killed process away, and its port with it, bit by bit.
    until("a free port", || TcpStream::connect(&services.kafka).is_err().then_some(()));
    services.broker("start");
    all_go_on();

    services.broker("pause");
    thread::sleep(pause);
    services.broker("resume");
    all_go_on();

    for fault in [Fault::LoseAnswer, Fault::HalveRequest, Fault::HalveAnswer, Fault::LoseAnswer] {
        proxy.script().push(fault);
        until("a cut connection", || (proxy.script().pending() == 0).then_some(()));
    }
    proxy.reset();
    all_go_on();
}

fn all_go_on(writers: &[Writer], over: &AtomicBool) {
    let before: Vec<u64> = writers.iter().map(Writer::acknowledged).collect();
    until("every writer gets on", || {
        assert!(!over.load(Ordering::SeqCst), "a writer or the reader failed");
        let mut all = writers.iter().zip(&before);
        all.all(|(writer, before)| writer.acknowledged() > *before + 10).then_some(())
    });
}

fn seen_twice(node: &Node) -> f64 {
    node.metric("pumice_entries_total", &["outcome=\"duplicate\""])
}

/// Ends the load whenever the test's own part ends.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Ends the load when a thread of it fails.
struct OnPanic<'a>(&'a AtomicBool);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
