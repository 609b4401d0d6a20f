//! Errors that a broker answers: which of them mean that nothing was appended, and that none of
//! them makes a node skip an entry.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Error};

use crate::kafka::mock::mutations;
use crate::kafka::stock::Stock;
use crate::{namespace, token};

#[test]
fn a_produce_is_repeated_or_turned_away_by_what_its_error_means() {
    let (mock, place) = namespace("errors", 1);
    let stock = Stock::new(&mock.brokers());
    let topic = mutations("errors");
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    let again = [
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    for (n, error) in again.into_iter().enumerate() {
        mock.answer(RDKafkaApiKey::Produce, &[error, error]);
        let put = node.put(&format!("a/{n}"), &[], "1");
        assert_eq!((put.status, token(&put)), (201, (0, n as u64)), "{error:?}: {put:?}");
    }
    let count = again.len() as i64;
    let never = [
        Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        Error::RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        Error::RD_KAFKA_RESP_ERR_INVALID_RECORD,
    ];
    for error in never {
        mock.answer(RDKafkaApiKey::Produce, &[error]);
        let put = node.put("a/never", &[], "1");
        assert_eq!(put.status, 503, "{error:?}: {put:?}");
        assert_eq!(stock.ends(&topic, 1), [count], "{error:?}");
    }
    // What was turned away leaves no gap that the next one would fall into.
    let put = node.put("a/next", &[], "1");
    assert_eq!((put.status, token(&put)), (201, (0, count as u64)), "{put:?}");
    assert_eq!(node.get("/v1/records/a/never", &[]).status, 404);
    assert_eq!(node.metric("pumice_entries_total", &["outcome=\"duplicate\""]), 0.0);
    node.stop();
}

#[test]
fn a_fetch_goes_on_where_it_was_whatever_its_error() {
    let (mock, place) = namespace("fetches", 2);
    let stock = Stock::new(&mock.brokers());
    let topic = mutations("fetches");
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let node = place.start(dirs[0].path()).ready();
    let errors = [
        Error::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    for (round, error) in errors.into_iter().enumerate() {
        mock.answer(RDKafkaApiKey::Fetch, &[error; 3]);
        mock.answer(RDKafkaApiKey::ListOffsets, &[error]);
        for n in 0..20 {
            let json = format!(
                r#"{{"pk":"pk-{n}","sk":"{round}","data":{{}},"ts_ms":1,"mutation":"put"}}"#
            );
            stock.send(&topic, &format!("pk-{n}"), &json);
        }
        stock.flush();
    }
    mock.quiet(RDKafkaApiKey::Fetch);
    mock.quiet(RDKafkaApiKey::ListOffsets);
    let ends = stock.ends(&topic, 2);
    assert_eq!(ends.iter().sum::<i64>(), 20 * errors.len() as i64);
    node.reaches(&ends);
    assert!(node.broken().is_empty());
    assert_eq!(node.metric("pumice_entries_total", &["outcome=\"applied\""]), 140.0);
    let other = place.start(dirs[1].path()).ready();
    other.reaches(&ends);
    assert_eq!(node.states(), other.states());
    node.stop();
    other.stop();
}
