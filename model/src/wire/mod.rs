//! (pure) The wire: bodies, headers and tokens that a server writes and a client reads;
//! `/openapi.json` is generated from these very types. Nothing here may change the bytes of a
//! value: `data` travels as raw JSON text.

mod batch;
mod errors;
mod firescroll;
mod headers;
mod records;
mod snapshots;
mod status;
mod timestamp;

pub use batch::{BatchRequest, DeleteOp, Expect, Operation, PutOp};
pub use errors::{ErrorBody, ErrorDetail, code};
pub use firescroll::{
    FireList, FireListRequest, FireOutcome, FireOutcomeKind, FireOutcomes, FirePut, FirePutRequest,
    FireRecord,
};
pub use headers::{
    LAG_MS, MIN_OFFSETS, MISSING, OFFSETS, TIMEOUT_MS, TokenError, UNAVAILABLE, WRITE_ID, etag,
    format_offsets, parse_etag, parse_offsets, push_etag,
};
pub use records::{
    GetKey, GetRequest, GetResponse, GotRecord, ListResponse, ListedRecord, OutcomeKind, WriteBody,
    next_token, parse_next,
};
pub use snapshots::{SnapshotFailure, SnapshotRound, SnapshotStarted};
pub use status::{CoreStatus, NamespaceBody, PartitionStatus, Serving, ShardStatus, StatusBody};
pub use timestamp::{Timestamp, TimestampError};
