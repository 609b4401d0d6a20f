//! (pure) The wire: bodies, headers and tokens that a server writes and a client reads;
//! `/openapi.json` is generated from these very types. Nothing here may change the bytes of a
//! value: `data` travels as raw JSON text.

mod batch;
mod cluster;
mod errors;
mod firescroll;
mod get_request;
mod headers;
mod records;
mod routes;
mod snapshots;
mod status;
mod timestamp;

pub use batch::{BatchRequest, DeleteOp, Expect, Operation, PutOp};
pub use cluster::{ClusterBody, ClusterHolder, ClusterMember, ClusterPartition, HoldingCounts};
pub use errors::{ErrorBody, ErrorDetail, code};
pub use firescroll::{
    FireList, FireListRequest, FireOutcome, FireOutcomeKind, FireOutcomes, FirePut, FirePutRequest,
    FireRecord,
};
pub use headers::{
    FORWARDED, LAG_MS, MAX_LAG_MS, MIN_OFFSETS, MISSING, NODE, OFFSETS, TIMEOUT_MS, TokenError,
    UNAVAILABLE, WRITE_ID, etag, format_indexes, format_offsets, parse_etag, parse_indexes,
    parse_offsets, push_etag,
};
pub use records::{
    GetKey, GetRequest, GetResponse, GotRecord, ListResponse, ListedRecord, OutcomeKind, WriteBody,
    next_token, parse_next,
};
pub use routes::{HolderBody, NodeBody, RoutesBody};
pub use snapshots::{SnapshotFailure, SnapshotRound, SnapshotStarted};
pub use status::{CoreStatus, NamespaceBody, PartitionStatus, Serving, ShardStatus, StatusBody};
pub use timestamp::{Timestamp, TimestampError};
