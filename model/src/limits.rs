//! (pure) Every limit of the formats and the wire in one place, each with its reason.
//! Limits of one machine's plumbing (connections, lanes, timers) stand beside that plumbing.

/// Bytes of a partition key. Long enough for any host name or path, short enough that the
/// encoded key fits LMDB (see [`ENCODED_KEY_MAX`]).
pub const PK_MAX: usize = 512;

/// A partition key is never empty: an empty one names nothing and cannot stand in a URL.
pub const PK_MIN: usize = 1;

/// Bytes of a sort key.
pub const SK_MAX: usize = 1_024;

/// What LMDB built with `longer-keys` takes as a key on the smallest architecture.
pub const ENCODED_KEY_MAX: usize = 1_982;

/// Bytes of one value's JSON text: what is left of an entry after its keys and header.
pub const VALUE_MAX: usize = 900 * 1_024;

/// Bytes of one encoded entry: below Kafka's default message limit of 1,048,588 bytes with room
/// for the record's own header.
pub const ENTRY_MAX: usize = 960 * 1_024;

/// Bytes that a log adds to an entry to say who appended it: a producer and a sequence. An entry of
/// the door leaves room for them.
pub const ORIGIN_LEN: usize = 16 + 8;

/// Mutations in one batch, and records in one request.
pub const BATCH_MAX: usize = 10_000;

/// Bytes of one request body: sixteen full entries.
pub const BODY_MAX: usize = 16 * 1_024 * 1_024;

/// Nesting of a JSON value: deeper ones are refused, so that no reader recurses without bound.
pub const JSON_DEPTH_MAX: usize = 64;

/// The longest time to live, in milliseconds: one hundred years.
pub const TTL_MAX_MS: u64 = 100 * 365 * 24 * 3_600 * 1_000;

/// How long after its expiry, in log time, a row is kept before apply may reap it: every replica
/// that is less than this behind still answers conditions alike.
pub const REAP_AFTER_MS: i64 = 2 * 3_600 * 1_000;

/// Expired rows that one entry reaps at most, so that an entry's cost stays bounded.
pub const REAP_PER_ENTRY: usize = 64;

/// Offsets after which a producer's last sequence and a remembered write id are forgotten.
pub const REMEMBER_OFFSETS: u64 = 1_000_000;

/// Producer rows are swept once each time the offset crosses a multiple of this.
pub const PRODUCER_SWEEP_OFFSETS: u64 = 65_536;

/// Write ids that one entry forgets at most; two, so that a backlog always shrinks.
pub const FORGET_PER_ENTRY: usize = 2;

/// Partitions of a namespace: 16 bits of them keep every map of them small.
pub const PARTITIONS_MAX: u32 = 65_536;

/// Shards of a data directory: each has a thread and a memory map of its own.
pub const SHARDS_MAX: u16 = 256;

/// Rows of one page of `GET /v1/records/{pk}` when the client names no limit, and at most.
pub const PAGE_DEFAULT: usize = 1_000;
/// See [`PAGE_DEFAULT`].
pub const PAGE_MAX: usize = 10_000;

/// Rows read in one transaction before a listing yields its core.
pub const ROWS_PER_TRANSACTION: usize = 256;

/// Bytes read in one transaction before a listing yields its core, whatever the rows' size.
pub const BYTES_PER_TRANSACTION: usize = 1_024 * 1_024;

/// How long a read waits for `pumice-min-offsets` when the client names no time, and at most.
pub const WAIT_DEFAULT_MS: u64 = 2_000;
/// See [`WAIT_DEFAULT_MS`].
pub const WAIT_MAX_MS: u64 = 30_000;

/// How long a write may wait for its outcome before the answer is 504.
pub const WRITE_WAIT_MS: u64 = 30_000;

const _: () = {
    let groups = PK_MAX.div_ceil(crate::key::GROUP) * (crate::key::GROUP + 1);
    // An expiry key is a row key with eight more bytes of time in front.
    assert!(crate::key::PREFIX + groups + SK_MAX + 8 <= ENCODED_KEY_MAX);
    assert!(VALUE_MAX + PK_MAX + SK_MAX + CONDITION_MAX_BYTES + ORIGIN_LEN + 1_024 <= ENTRY_MAX);
    assert!(ENTRY_MAX < 1_048_588);
    assert!(BODY_MAX >= ENTRY_MAX);
    assert!(PAGE_DEFAULT <= PAGE_MAX && PAGE_MAX <= BATCH_MAX);
    assert!(ENTRY_CONDITIONS_MAX <= BATCH_MAX && ENTRY_STEPS_MAX >= CONDITION_MAX_STEPS);
    assert!(FORGET_PER_ENTRY >= 2 && REAP_PER_ENTRY >= 1);
};

/// Bytes of one `if` statement.
pub const CONDITION_MAX_BYTES: usize = 1_024;
/// Nesting of an `if`: parsing and judging recurse no deeper.
pub const CONDITION_MAX_DEPTH: usize = 16;
/// Nodes of an `if`'s tree.
pub const CONDITION_MAX_NODES: usize = 256;
/// Steps that judging an `if` may take before it counts as failed. A step is a few hundred
/// nanoseconds at most, the reading of the row's data and the states of a pattern included, up to
/// four microseconds in the worst cases known.
pub const CONDITION_MAX_STEPS: usize = 10_000;
/// Mutations of one entry that may carry an `if`: their parsed patterns are held together.
pub const ENTRY_CONDITIONS_MAX: usize = 1_000;
/// Steps that judging all of an entry's `if`s may take: ten times what one may.
pub const ENTRY_STEPS_MAX: usize = 100_000;

/// Bytes of whole rows that one frame of a snapshot holds at most, each row with its length in
/// front: small enough to hold several, large enough that zstd loses nothing.
pub const FRAME_BYTES: u32 = 1_024 * 1_024;
/// Bytes that a frame takes in the object at most: what zstd may make of rows that do not pack.
pub const FRAME_PACKED_MAX: u32 = FRAME_BYTES + FRAME_BYTES / 128;
/// Frames of one snapshot: a partition of 400 GiB.
pub const FRAMES_MAX: usize = 400_000;
/// Bytes of one snapshot's manifest: 64 a frame, and its head.
pub const MANIFEST_MAX: usize = FRAMES_MAX * 64 + 4_096;

const _: () = {
    // The longest row as the state hash sees it, with its length in front.
    let longest = 4 + 1 + 4 + PK_MAX + 4 + SK_MAX + 32 + VALUE_MAX;
    assert!(longest <= FRAME_BYTES as usize);
};
