//! `log::kafka` between a broker and threads that stand for owners and a core: librdkafka's mock
//! cluster always, a real broker where `PUMICE_TEST_KAFKA` names one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "kafka_log/bench.rs"]
mod bench;
#[path = "kafka_log/real.rs"]
mod real;

use pumice::log::kafka::LogFault;
use pumice::mesh::ticket::{Answer, Unmade};
use pumice::stats::progress::Following;
use pumice_model::entry::DecodeError;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use bench::{Bench, PARTITIONS, nothing_held, settings};

type Mock = MockCluster<'static, DefaultProducerContext>;

/// A cluster with the topics of namespace `name`: the mock has no controller to make them.
fn mock(name: &str) -> Mock {
    let mock = MockCluster::new(2).unwrap();
    mock.create_topic(&format!("pumice_{name}_mutations"), PARTITIONS as i32, 1).unwrap();
    mock.create_topic(&format!("pumice_{name}_partitions"), 1, 1).unwrap();
    mock
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("pk-{n}")).collect()
}

fn judged(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| matches!(answer, Answer::Judged(_))).count()
}

#[test]
fn what_is_written_comes_back_and_a_restart_goes_on_behind_it() {
    let (cluster, pks) = (mock("back"), names(500));
    let settings = settings(&cluster.bootstrap_servers(), "back");
    let mut bench = Bench::start(&settings, nothing_held()).unwrap();
    let waiting = bench.write(pks.iter().map(String::as_str));
    assert_eq!(judged(&bench.answers(waiting)), 500);
    assert_eq!(bench.stats.produced_entries.get(), 500);
    assert_eq!(bench.stats.entries.get(), 500);
    let held = bench.stop();
    assert_eq!(held.iter().map(|position| position.next.0).sum::<u64>(), 500);

    let mut bench = Bench::start(&settings, held.clone()).unwrap();
    let waiting = bench.write(["pk-0", "pk-1", "pk-2"]);
    assert_eq!(judged(&bench.answers(waiting)), 3);
    assert_eq!(bench.stats.entries.get(), 3, "nothing came twice");
    bench.stop();
    let all = Bench::start(&settings, nothing_held()).unwrap();
    all.wait_for(503);
    all.stop();
}

#[test]
fn another_log_under_the_same_name_breaks_the_partition_and_no_other() {
    let cluster = mock("other");
    let settings = settings(&cluster.bootstrap_servers(), "other");
    let mut bench = Bench::start(&settings, nothing_held()).unwrap();
    let pks = names(100);
    let waiting = bench.write(pks.iter().map(String::as_str));
    bench.answers(waiting);
    let mut held = bench.stop();
    held[1].last ^= 1;
    held[2].next.0 += 1_000;
    let bench = Bench::start(&settings, held).unwrap();
    bench.wait(|bench| {
        [1, 2].iter().all(|partition| bench.following(*partition).0 == Following::Broken)
            && [0, 3].iter().all(|partition| bench.following(*partition).0 == Following::Live)
    });
    assert!(bench.following(1).1.unwrap().contains("another log under the same name"));
    assert!(bench.following(2).1.unwrap().contains("the log ends at"));
    bench.stop();
}

#[test]
fn a_produce_whose_fate_is_unknown_is_sent_again_and_told_once() {
    let cluster = mock("again");
    let settings = settings(&cluster.bootstrap_servers(), "again");
    let mut bench = Bench::start(&settings, nothing_held()).unwrap();
    for round in 0..20 {
        let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
        cluster.request_errors(RDKafkaApiKey::Produce, &[lost; 3]);
        let pks: Vec<String> = (0..10).map(|n| format!("{round}-{n}")).collect();
        let waiting = bench.write(pks.iter().map(String::as_str));
        assert_eq!(judged(&bench.answers(waiting)), 10);
    }
    assert!(bench.stats.produce_repeats.get() > 0);
    bench.stop();
}

#[test]
fn what_others_write_is_counted_by_kind() {
    let cluster = mock("kinds");
    let brokers = cluster.bootstrap_servers();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
    let json: &[u8] = br#"{"pk":"a","sk":"b","data":{},"ts_ms":1,"mutation":"put","if":null}"#;
    for value in [Some(json), Some(b"{\"pk\":"), Some(b"\xE1noise"), Some(b""), None] {
        let mut record = BaseRecord::<[u8], [u8]>::to("pumice_kinds_mutations").partition(0);
        record = record.key(b"a");
        record.payload = value;
        producer.send(record).map_err(|(fault, _)| fault).unwrap();
    }
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
    let bench = Bench::start(&settings(&brokers, "kinds"), nothing_held()).unwrap();
    bench.wait_for(5);
    let stats = bench.stats.clone();
    let counts = [&stats.foreign, &stats.garbage, &stats.tombstones].map(|count| count.get());
    assert_eq!(counts, [1, 3, 1]);
    let applied = bench.applied.lock().unwrap();
    assert!(applied[0][0].entry.is_ok());
    assert_eq!(applied[0][4].entry, Err(DecodeError::Tombstone));
    drop(applied);
    bench.stop();
}

#[test]
fn another_number_of_partitions_is_refused_with_all_of_them() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("pumice_count_mutations", 12, 1).unwrap();
    cluster.create_topic("pumice_count_partitions", 1, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
    let record = BaseRecord::<[u8], [u8]>::to("pumice_count_partitions").partition(0);
    let record = record.payload(br#"{"numpartitions":8,"More":1}"#);
    producer.send(record).map_err(|(fault, _)| fault).unwrap();
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
    let fault = Bench::start(&settings(&brokers, "count"), nothing_held()).err().unwrap();
    assert!(matches!(fault, LogFault::Disagrees(_)));
    assert_eq!(
        fault.to_string(),
        "partitions: topic pumice_count_mutations has 12, the data directory 4, the topic \
         pumice_count_partitions's first record says 8"
    );
}

#[test]
fn without_a_broker_a_node_with_data_starts_and_turns_writes_away() {
    // A port that was free a moment ago, so that nobody answers.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut held = nothing_held();
    held[0].next.0 = 5;
    let mut bench = Bench::start(&settings(&port.to_string(), "none"), held).unwrap();
    assert_eq!(bench.stats.connected.get(), 0);
    let waiting = bench.write(["a", "b"]);
    let answers = bench.answers(waiting);
    assert!(answers.iter().all(|answer| *answer == Answer::Unmade(Unmade::Unsent)), "{answers:?}");
    bench.stop();
}
