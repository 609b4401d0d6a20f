//! What a proxy reads in Kafka's frames: which request an answer belongs to, whether a broker took
//! a produce, and where it says the brokers are.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, MetadataResponse, ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

/// A request by its API and version.
pub type What = Option<(i16, i16)>;

/// The requests of one connection that were not answered yet.
#[derive(Default)]
pub struct Asked(Mutex<HashMap<i32, (i16, i16)>>);

impl Asked {
    /// Notes a request. Whether it is a produce.
    pub fn note(&self, frame: &[u8]) -> bool {
        // Every version of the header begins with API, version and correlation id.
        let api = i16::from_be_bytes([frame[4], frame[5]]);
        let version = i16::from_be_bytes([frame[6], frame[7]]);
        let correlation = i32::from_be_bytes([frame[8], frame[9], frame[10], frame[11]]);
        self.0.lock().unwrap().insert(correlation, (api, version));
        api == ApiKey::Produce as i16
    }

    /// What an answer answers.
    pub fn answered(&self, frame: &[u8]) -> What {
        let correlation = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
        self.0.lock().unwrap().remove(&correlation)
    }
}

/// Whether the answer says that the broker has all records of a produce.
pub fn took_a_produce(what: What, frame: &[u8]) -> bool {
    let Some((_, answer)) = read::<ProduceResponse>(what, ApiKey::Produce, frame) else {
        return false;
    };
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.map(|partition| partition.error_code).all(|code| code == 0)
}

/// The answer with `host` and the port of `front_of` in place of each broker's address, when it
/// names any.
pub fn with_brokers(
    what: What,
    frame: &[u8],
    host: Ipv4Addr,
    front_of: impl Fn(&str) -> u16,
) -> Option<Vec<u8>> {
    let (header, mut answer) = read::<MetadataResponse>(what, ApiKey::Metadata, frame)?;
    for broker in &mut answer.brokers {
        broker.port = front_of(&format!("{}:{}", broker.host, broker.port)).into();
        broker.host = StrBytes::from_string(host.to_string());
    }
    let (_, version) = what?;
    let mut out = BytesMut::new();
    out.put_u32(0);
    header.encode(&mut out, MetadataResponse::header_version(version)).unwrap();
    answer.encode(&mut out, version).unwrap();
    let length = u32::try_from(out.len() - 4).unwrap();
    out[..4].copy_from_slice(&length.to_be_bytes());
    Some(out.to_vec())
}

fn read<R: Decodable + HeaderVersion>(
    what: What,
    wanted: ApiKey,
    frame: &[u8],
) -> Option<(ResponseHeader, R)> {
    let (_, version) = what.filter(|(api, _)| *api == wanted as i16)?;
    let mut bytes = Bytes::copy_from_slice(&frame[4..]);
    let header = ResponseHeader::decode(&mut bytes, R::header_version(version)).unwrap();
    Some((header, R::decode(&mut bytes, version).unwrap()))
}
