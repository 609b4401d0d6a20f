//! The exact edges of every number that apply counts by, each told as a short story.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;

use pumice_model::entry::{Entry, Logged, Origin};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ProducerId, ShardId, WriteId};
use pumice_model::limits::{
    BATCH_MAX, ENTRY_CONDITIONS_MAX, REAP_PER_ENTRY, REMEMBER_OFFSETS, VALUE_MAX,
};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_model::outcome::{Outcome, Refusal};
use pumice_shards::{Identity, Options, Reader, Writer, open};

const P: Partition = Partition(0);
const TWO_HOURS: i64 = 7_200_000;
const CREATED: Outcome = Outcome::Applied { created: true };
const REPLACED: Outcome = Outcome::Applied { created: false };

/// A store of one partition, and what the next entry will look like.
struct Story {
    _dir: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
    origin: Option<Origin>,
    write_id: Option<WriteId>,
    log_time: i64,
}

fn identity() -> Identity {
    let (namespace, hash) = ("edges".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: 1, hash, shards: 1, shard: ShardId(0) }
}

fn story() -> Story {
    let _dir = seeds::directory();
    let options = Options { map_size: 64 << 20, readers: 8 };
    let (writer, reader) = open(_dir.path(), &identity(), &options).unwrap();
    Story { _dir, writer, reader, origin: None, write_id: None, log_time: 0 }
}

impl Story {
    /// Applies one entry at an offset and a time: its outcome, and the offset of its verdict.
    fn at(&mut self, offset: u64, time: i64, mutations: Vec<Mutation>) -> (Outcome, u64) {
        let Self { origin, write_id, log_time, .. } = *self;
        let entry = Ok(Entry { origin, time, write_id, dialect: 1, mutations });
        let logged = Logged { partition: P, offset: Offset(offset), log_time, hash: 0, entry };
        let mut verdicts = vec![];
        self.writer.apply(&[logged], &mut verdicts).unwrap();
        (verdicts[0].outcome, verdicts[0].token.offset.0)
    }

    /// The same at the next offset, its outcome only.
    fn next(&mut self, time: i64, mutations: Vec<Mutation>) -> Outcome {
        let offset = self.writer.next_offset(P).0;
        self.at(offset, time, mutations).0
    }

    fn rows(&self) -> u64 {
        self.reader.read(|view| view.position(P)).unwrap().unwrap().rows
    }
}

fn put(sk: &str) -> Mutation {
    Mutation::put("pk", sk, "1")
}

fn put_for(sk: &str, ttl_ms: u64) -> Mutation {
    Mutation { change: Change::Put { data: "1".to_owned(), ttl_ms: Some(ttl_ms) }, ..put(sk) }
}

fn expecting(expect: Expect, mutation: Mutation) -> Mutation {
    Mutation { expect, ..mutation }
}

#[test]
fn a_row_is_gone_at_its_last_millisecond() {
    let mut s = story();
    assert_eq!(s.next(1_000, vec![put_for("a", 10)]), CREATED);
    assert_eq!(s.next(1_009, vec![expecting(Expect::Exists, put_for("a", 10))]), REPLACED);
    assert_eq!(s.next(1_019, vec![expecting(Expect::Absent, put_for("a", 10))]), CREATED);
    let created_at = |s: &Story| {
        s.reader.read(|view| view.row(P, "pk", "a").unwrap().unwrap().created_at).unwrap()
    };
    assert_eq!(created_at(&s), 1_019);
    assert_eq!(s.next(1_029, vec![put("a")]), CREATED);
    assert_eq!(s.next(9_999, vec![put("a")]), REPLACED);
    assert_eq!(created_at(&s), 1_029);
}

#[test]
fn a_row_is_reaped_two_hours_of_log_time_after_it_expired() {
    let mut s = story();
    s.next(1_000, vec![put_for("a", 10), put("stays")]);
    s.log_time = 1_010 + TWO_HOURS - 1;
    s.next(i64::MAX, vec![]);
    assert_eq!(s.rows(), 2);
    s.log_time += 1;
    s.next(0, vec![]);
    assert_eq!(s.rows(), 1);
}

#[test]
fn an_entry_reaps_so_many_rows() {
    let mut s = story();
    let rows = 2 * REAP_PER_ENTRY as u64 + 1;
    s.next(0, (0..rows).map(|row| put_for(&row.to_string(), 1 + row)).collect());
    s.log_time = TWO_HOURS + 1_000;
    for left in [REAP_PER_ENTRY as u64 + 1, 1, 0, 0] {
        s.next(0, vec![]);
        assert_eq!(s.rows(), left);
    }
}

#[test]
fn log_time_never_goes_back() {
    let mut s = story();
    s.log_time = 5_000;
    s.next(0, vec![]);
    s.log_time = -1;
    s.next(0, vec![]);
    assert_eq!(s.reader.read(|view| view.position(P)).unwrap().unwrap().log_time, 5_000);
}

#[test]
fn a_write_id_is_remembered_for_a_million_offsets() {
    for (back, seen) in [(1, true), (0, false)] {
        let mut s = story();
        s.write_id = Some(WriteId(7));
        assert_eq!(s.at(3, 0, vec![put("a")]), (CREATED, 3));
        assert_eq!(s.at(4, 0, vec![put("a"), put("b")]), (CREATED, 3));
        assert_eq!(s.rows(), 1);
        let again = 3 + REMEMBER_OFFSETS - back;
        let expected = if seen { (CREATED, 3) } else { (REPLACED, again) };
        assert_eq!(s.at(again, 0, vec![put("a")]), expected);
    }
}

#[test]
fn an_old_write_id_leaves_the_store_by_any_entry() {
    let mut s = story();
    s.write_id = Some(WriteId(7));
    s.at(3, 0, vec![put("a")]);
    s.write_id = None;
    for (offset, left) in [(2 + REMEMBER_OFFSETS, 1), (3 + REMEMBER_OFFSETS, 0)] {
        s.at(offset, 0, vec![]);
        let report = s.reader.read(|view| view.check(&identity())).unwrap().unwrap();
        assert!(report.clean(), "{:#?}", report.faults);
        assert_eq!(report.partitions[0].writes, left);
    }
}

#[test]
fn a_refusal_is_remembered_too() {
    let mut s = story();
    s.write_id = Some(WriteId(7));
    let refused = Outcome::Refused(Refusal::ExpectedExists);
    assert_eq!(s.at(0, 0, vec![expecting(Expect::Exists, put("a"))]), (refused, 0));
    assert_eq!(s.at(1, 0, vec![put("a")]), (refused, 0));
    assert_eq!(s.rows(), 0);
}

#[test]
fn a_producer_is_forgotten_by_the_sweep_after_a_million_offsets() {
    // The entry at this offset makes the next one a multiple of 65,536, so it sweeps.
    let sweeps = 16 * 65_536 - 1;
    for (last, duplicate) in
        [(sweeps - REMEMBER_OFFSETS + 1, true), (sweeps - REMEMBER_OFFSETS, false)]
    {
        let mut s = story();
        let origin = Some(Origin { producer: ProducerId(5), sequence: 9 });
        s.origin = origin;
        assert_eq!(s.at(last, 0, vec![put("a")]), (CREATED, last));
        assert_eq!(s.next(0, vec![put("a")]), Outcome::Duplicate);
        s.origin = None;
        s.at(sweeps, 0, vec![]);
        s.origin = origin;
        let expected = if duplicate { Outcome::Duplicate } else { REPLACED };
        assert_eq!(s.next(0, vec![put("a")]), expected);
    }
}

#[test]
fn a_batch_is_judged_before_any_of_it_is_made() {
    let mut s = story();
    let absent = |sk| expecting(Expect::Absent, put(sk));
    assert_eq!(s.next(0, vec![absent("a"), absent("a")]), CREATED);
    let refused = Outcome::Refused(Refusal::ExpectedAbsent);
    assert_eq!(s.next(0, vec![put("b"), Mutation::delete("pk", "a"), absent("a")]), refused);
    assert_eq!(s.rows(), 1);
    let by = |offset| expecting(Expect::Offset(Offset(offset)), put("a"));
    assert_eq!(s.next(0, vec![by(1)]), Outcome::Refused(Refusal::ExpectedOffset));
    assert_eq!(s.next(0, vec![by(0), Mutation::delete("pk", "a"), put("a")]), CREATED);
    assert_eq!(s.next(0, vec![by(0)]), Outcome::Refused(Refusal::ExpectedOffset));
    assert_eq!(s.next(0, vec![by(3)]), REPLACED);
}

#[test]
fn the_form_is_judged_before_the_state() {
    let mut s = story();
    let unmet = expecting(Expect::Exists, put("a"));
    let broken = Mutation::put("pk", "b", "{");
    assert_eq!(s.next(0, vec![unmet, broken]), Outcome::Refused(Refusal::Malformed));
}

#[test]
fn an_entry_holds_so_much() {
    let mut s = story();
    let deletes = |n| vec![Mutation::delete("p", ""); n];
    assert_eq!(s.next(0, deletes(BATCH_MAX)), REPLACED);
    let malformed = Outcome::Refused(Refusal::Malformed);
    assert_eq!(s.next(0, deletes(BATCH_MAX + 1)), malformed);
    let sized = |bytes| vec![Mutation::put("p", "", format!("\"{}\"", "x".repeat(bytes - 2)))];
    assert_eq!(s.next(0, sized(VALUE_MAX)), CREATED);
    assert_eq!(s.next(0, sized(VALUE_MAX + 1)), malformed);
    assert_eq!(s.next(0, vec![sized(VALUE_MAX).remove(0); 2]), malformed);
}

fn when(statement: &str, mutation: Mutation) -> Mutation {
    Mutation { condition: Some(statement.to_owned()), ..mutation }
}

#[test]
fn a_batch_has_a_limit_of_conditions() {
    let mut s = story();
    let batch = |conditions| vec![when("data == nil", put("a")); conditions];
    assert_eq!(s.next(1, batch(ENTRY_CONDITIONS_MAX + 1)), Outcome::Refused(Refusal::Malformed));
    assert_eq!(s.next(1, batch(ENTRY_CONDITIONS_MAX)), CREATED);
}

#[test]
fn a_batch_has_a_limit_of_steps_for_all_its_conditions_together() {
    let mut s = story();
    let array = format!("[{}0]", "0,".repeat(1_499));
    let keep = Mutation::put("pk", "a", array);
    assert_eq!(s.next(1, vec![keep.clone()]), CREATED);
    let batch = |count| vec![when("none(data, {# == 1})", keep.clone()); count];
    assert_eq!(s.next(1, batch(5)), REPLACED);
    assert_eq!(s.next(1, batch(50)), Outcome::Refused(Refusal::ConditionError));
    assert_eq!(s.next(1, batch(1)), REPLACED, "the next entry has its own budget");
}
