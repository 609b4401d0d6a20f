//! (pure) Which versions of each request we speak, and the frames of a call. A version is the
//! highest that both sides have; each range ends where the next one would cost us without a gain.

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest,
    ProduceRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// What a broker's operator sees us as.
const CLIENT: StrBytes = StrBytes::from_static_str("pumice");

/// A request with the versions of it that this program can say.
pub trait Versions: Request {
    /// Its name in the protocol.
    const NAME: &'static str;
    /// The versions.
    const OURS: RangeInclusive<i16>;
}

macro_rules! versions {
    ($($request:ident $name:literal $ours:expr;)*) => {
        $(impl Versions for $request {
            const NAME: &'static str = $name;
            const OURS: RangeInclusive<i16> = $ours;
        })*
    };
}

versions! {
    // From 3 on record batches are the ones of today; 13 names topics by id.
    ProduceRequest "Produce" 3..=9;
    // From 4 on aborted transactions are told, from 10 on zstd is allowed; 13 names topics by id.
    FetchRequest "Fetch" 4..=12;
    // From 2 on the end can be that of decided transactions; from 5 on a leader that has just
    // been elected says so instead of an end that is too low.
    ListOffsetsRequest "ListOffsets" 2..=6;
    // From 4 on asking for a topic need not make it; from 10 on topics have ids.
    MetadataRequest "Metadata" 4..=12;
    // From 4 on the broker can choose the number of replicas.
    CreateTopicsRequest "CreateTopics" 4..=6;
    DescribeConfigsRequest "DescribeConfigs" 1..=4;
    // From 1 on what follows is in frames.
    SaslHandshakeRequest "SaslHandshake" 1..=1;
    SaslAuthenticateRequest "SaslAuthenticate" 0..=2;
}

/// The highest version that both have.
pub fn agreed<R: Versions>(theirs: Option<(i16, i16)>) -> Option<i16> {
    let (least, most) = theirs?;
    let version = most.min(*R::OURS.end());
    (version >= least && version >= *R::OURS.start()).then_some(version)
}

/// A request's frame, its length in front.
pub fn frame<R: Request>(request: &R, version: i16, correlation: i32) -> Result<Bytes, String> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(CLIENT));
    let mut out = BytesMut::new();
    out.put_i32(0);
    let encoded = header
        .encode(&mut out, R::header_version(version))
        .and_then(|()| request.encode(&mut out, version));
    encoded.map_err(|fault| fault.to_string())?;
    let length = i32::try_from(out.len() - 4).map_err(|fault| fault.to_string())?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out.freeze())
}

/// Reads the answer's frame, without its length, to the request number `correlation`.
pub fn answer<R: Request>(
    mut frame: Bytes,
    version: i16,
    correlation: i32,
) -> Result<R::Response, String> {
    let header_version = R::Response::header_version(version);
    let header =
        ResponseHeader::decode(&mut frame, header_version).map_err(|fault| fault.to_string())?;
    if header.correlation_id != correlation {
        let theirs = header.correlation_id;
        return Err(format!("the answer to request {theirs} instead of {correlation}"));
    }
    R::Response::decode(&mut frame, version).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_taken() {
        assert_eq!(agreed::<FetchRequest>(Some((4, 17))), Some(12));
        assert_eq!(agreed::<FetchRequest>(Some((0, 11))), Some(11));
        assert_eq!(agreed::<FetchRequest>(Some((13, 17))), None);
        assert_eq!(agreed::<FetchRequest>(Some((0, 3))), None);
        assert_eq!(agreed::<FetchRequest>(None), None);
    }
}
