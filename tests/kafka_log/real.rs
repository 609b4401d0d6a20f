//! What only a real broker does: topics are made, transactions leave marks and aborted data.

use std::time::{Duration, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::bench::{Bench, nothing_held, settings};

const PATIENCE: Duration = Duration::from_secs(30);

/// The broker and a name that no run before had; says so where there is no broker.
fn broker(test: &str) -> Option<(String, String)> {
    let Ok(brokers) = std::env::var("PUMICE_TEST_KAFKA") else {
        eprintln!("skipped {test}: PUMICE_TEST_KAFKA names no real broker");
        return None;
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Some((brokers, format!("{test}_{}", now.as_millis())))
}

#[test]
fn topics_are_made_and_what_is_written_comes_back() {
    let Some((brokers, name)) = broker("made") else { return };
    let settings = settings(&brokers, &name);
    let mut bench = Bench::start(&settings, nothing_held()).unwrap();
    let pks: Vec<String> = (0..2_000).map(|n| format!("pk-{n}")).collect();
    let waiting = bench.write(pks.iter().map(String::as_str));
    assert_eq!(super::judged(&bench.answers(waiting)), 2_000);
    let held = bench.stop();
    let bench = Bench::start(&settings, held).unwrap();
    bench
        .wait(|bench| bench.progress.started(|partition| bench.positions.next(partition).unwrap()));
    bench.stop();
}

#[test]
fn marks_are_stepped_over_and_aborted_data_is_nobodys() {
    let Some((brokers, name)) = broker("marks") else { return };
    let settings = settings(&brokers, &name);
    Bench::start(&settings, nothing_held()).unwrap().stop();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("transactional.id", &name)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    // Committed, aborted, committed, aborted: the log ends with a mark.
    for round in 0..4 {
        producer.begin_transaction().unwrap();
        for n in 0..3 {
            let json = format!(r#"{{"pk":"{round}-{n}","data":{{}},"ts_ms":1,"mutation":"put"}}"#);
            let record = BaseRecord::<[u8], [u8]>::to(&settings.mutations_topic).partition(0);
            producer.send(record.payload(json.as_bytes())).map_err(|(fault, _)| fault).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        match round % 2 {
            0 => producer.commit_transaction(PATIENCE).unwrap(),
            _ => producer.abort_transaction(PATIENCE).unwrap(),
        }
    }
    let bench = Bench::start(&settings, nothing_held()).unwrap();
    bench
        .wait(|bench| bench.progress.started(|partition| bench.positions.next(partition).unwrap()));
    let applied = bench.applied.lock().unwrap();
    let pks =
        applied[0].iter().map(|logged| logged.entry.as_ref().unwrap().mutations[0].pk.clone());
    assert_eq!(pks.collect::<Vec<_>>(), ["0-0", "0-1", "0-2", "2-0", "2-1", "2-2"]);
    drop(applied);
    // Two commits, two aborts, two batches of aborted data.
    assert_eq!(bench.stats.control.get(), 6);
    let held = bench.stop();
    // The last entry is well before the log's end: a restart steps over the marks again.
    let bench = Bench::start(&settings, held).unwrap();
    bench
        .wait(|bench| bench.progress.started(|partition| bench.positions.next(partition).unwrap()));
    bench.stop();
}
