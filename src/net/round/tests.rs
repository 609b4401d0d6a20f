//! Rounds by themselves: whatever happens to a look or to who asked, everybody else has their
//! answers. No socket and no runtime.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::cell::Cell;
use std::future::Ready;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use super::*;
use crate::net::body::Incoming;

/// Echoes targets in looks, which it counts, as it does answers that count. Of some it panics.
#[derive(Default)]
pub(in crate::net) struct Echo {
    looks: Cell<usize>,
    answers: Cell<usize>,
    /// Whether what moves has gone.
    has_moved: Cell<bool>,
}

const UNWANTED: &str = "/unwanted";
const PANICS_NOTED: &str = "/panics noted";
const PANICS_LOOKED_AT: &str = "/panics looked at";
const MANY_FIELDS: &str = "/many fields";
pub(in crate::net) const LARGE: &str = "/large";
const MOVES: &str = "/moves";

impl Echo {
    pub(in crate::net) fn body(target: &str) -> String {
        if target == LARGE { "l".repeat(REPLIES / 2 + 1) } else { target.to_owned() }
    }

    /// Answers that were made and not thrown away.
    pub(in crate::net) fn answers(&self) -> usize {
        self.answers.get()
    }
}

impl Service for Echo {
    type Body = Full<Bytes>;
    type Answering = Ready<Response<Full<Bytes>>>;
    type Noted = Vec<String>;
    type Away = ();
    type Told = ();

    fn answer(&self, _: Request<Incoming>) -> Self::Answering {
        std::future::ready(Response::default())
    }

    fn note(&self, noted: &mut Vec<String>, target: &str) -> bool {
        if target == PANICS_NOTED {
            noted.push("half a note".to_owned());
            panic!("a note's fault, announced by the test");
        }
        let is_here = target != MOVES || !self.has_moved.replace(true);
        if target != UNWANTED && is_here {
            noted.push(target.to_owned());
        }
        target != UNWANTED && is_here
    }

    fn look(&self, noted: &mut Vec<String>, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        self.looks.set(self.looks.get() + 1);
        // From the last to the first, as another shard's would come.
        for (number, target) in mem::take(noted).into_iter().enumerate().rev() {
            assert_ne!(target, PANICS_LOOKED_AT, "a look's fault, announced by the test");
            let fields =
                [("a", b"1".as_slice()), ("b", b""), ("c", b"333"), ("d", b"4"), ("e", b"5")];
            let has_many = target == MANY_FIELDS || target == MOVES;
            let fields = &fields[..if has_many { 5 } else { target.len() % 5 }];
            let body = Self::body(&target).into_bytes();
            let content_type = "text/plain";
            self.answers.set(self.answers.get() + 1);
            reply(number, &Short { status: 200, content_type, fields, body: &body });
        }
    }

    fn thrown_away(&self, status: u16) {
        assert_eq!(status, 200);
        self.answers.set(self.answers.get() - 1);
    }
}

/// What is told of a reply: its number, the names and values of its fields, its body.
type Told = (usize, Vec<(String, Vec<u8>)>, Vec<u8>);

fn told(number: usize, short: &Short<'_>) -> Told {
    assert_eq!((short.status, short.content_type), (200, "text/plain"));
    let fields = short.fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    (number, fields.collect(), short.body.to_vec())
}

fn look(seat: Seat<Echo>, service: &Echo) -> Vec<Told> {
    let mut all = Vec::new();
    seat.look(service, &mut |number, short| all.push(told(number, short)));
    all.sort();
    all
}

/// What a look for `targets` alone tells.
fn alone(targets: &[&str]) -> Vec<Told> {
    let (service, mut noted, mut all) = (Echo::default(), Vec::new(), Vec::new());
    assert!(targets.iter().all(|target| service.note(&mut noted, target)));
    service.look(&mut noted, &mut |number, short| all.push(told(number, short)));
    all.sort();
    all
}

fn seat(round: &Round<Echo>, service: &Echo, targets: &[&str]) -> Seat<Echo> {
    let seat = round.seat().unwrap();
    assert!(targets.iter().all(|target| seat.note(service, target)));
    seat
}

/// Whether `then` panics.
fn panics<T>(then: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(then)).is_err()
}

#[test]
fn one_look_answers_all_and_each_has_its_own() {
    let (round, service) = (Round::default(), Echo::default());
    let asked: [&[&str]; 4] = [&["/a", "/bb", "/ccc"], &["/a"], &[], &["/dddd", "/", "/ff"]];
    for _ in 0..3 {
        service.looks.set(0);
        assert!(!round.is_waited_for());
        let seats = asked.map(|targets| seat(&round, &service, targets));
        assert!(round.is_waited_for());
        assert!(!round.seat().unwrap().note(&service, UNWANTED));
        for (seat, targets) in seats.into_iter().zip(asked).rev() {
            assert_eq!(look(seat, &service), alone(targets));
        }
        assert_eq!(service.looks.get(), 1);
    }
}

#[test]
fn who_notes_behind_a_look_waits_for_the_next() {
    let (round, service) = (Round::default(), Echo::default());
    let (first, second) = (seat(&round, &service, &["/1"]), seat(&round, &service, &["/2"]));
    assert_eq!(look(first, &service), alone(&["/1"]));
    let third = seat(&round, &service, &["/3"]);
    assert_eq!(look(third, &service), alone(&["/3"]));
    assert_eq!(look(second, &service), alone(&["/2"]));
    assert_eq!(service.looks.get(), 2);
}

#[test]
fn who_has_gone_takes_no_answer_of_others() {
    let (round, service) = (Round::default(), Echo::default());
    let stays = seat(&round, &service, &["/stays"]);
    drop(seat(&round, &service, &["/goes", "/goes too"]));
    // It has the place of the one that has gone.
    let comes = seat(&round, &service, &["/comes"]);
    assert_eq!(look(stays, &service), alone(&["/stays"]));
    assert_eq!(look(comes, &service), alone(&["/comes"]));
    // Gone with answers that nobody took.
    let stays = seat(&round, &service, &["/stays"]);
    let goes = seat(&round, &service, &["/goes"]);
    assert_eq!(look(stays, &service), alone(&["/stays"]));
    drop(goes);
    let comes = seat(&round, &service, &["/comes"]);
    assert_eq!(look(comes, &service), alone(&["/comes"]));
}

#[test]
fn whose_request_panics_is_alone_with_it() {
    let (round, service) = (Round::default(), Echo::default());
    let before = seat(&round, &service, &["/before"]);
    let culprit = seat(&round, &service, &["/innocent", PANICS_LOOKED_AT]);
    let behind = seat(&round, &service, &["/behind"]);
    assert_eq!(look(before, &service), alone(&["/before"]));
    assert!(panics(|| look(culprit, &service)));
    assert_eq!(look(behind, &service), alone(&["/behind"]));
    let next = seat(&round, &service, &["/next"]);
    assert_eq!(look(next, &service), alone(&["/next"]));
}

#[test]
fn a_note_that_panics_is_no_others_loss() {
    for notes_behind in [false, true] {
        let (round, service) = (Round::default(), Echo::default());
        let before = seat(&round, &service, &["/before"]);
        let culprit = round.seat().unwrap();
        assert!(panics(|| culprit.note(&service, PANICS_NOTED)));
        drop(culprit);
        let behind = notes_behind.then(|| seat(&round, &service, &["/behind"]));
        assert_eq!(look(before, &service), alone(&["/before"]));
        if let Some(behind) = behind {
            assert_eq!(look(behind, &service), alone(&["/behind"]));
        }
        let next = seat(&round, &service, &["/next"]);
        assert_eq!(look(next, &service), alone(&["/next"]));
    }
}

#[test]
fn what_is_too_much_to_keep_is_answered_all_the_same() {
    let (round, service) = (Round::default(), Echo::default());
    let asked: [&[&str]; 3] = [&[LARGE, "/1"], &[MANY_FIELDS, LARGE], &["/2", LARGE]];
    let seats = asked.map(|targets| seat(&round, &service, targets));
    for (seat, targets) in seats.into_iter().zip(asked) {
        assert_eq!(look(seat, &service), alone(targets));
    }
    assert_eq!(service.answers(), asked.concat().len());
}

#[test]
fn what_has_moved_between_two_looks_is_asked_for_again_by_the_client() {
    let (round, service) = (Round::default(), Echo::default());
    let before = seat(&round, &service, &["/before"]);
    let moves = seat(&round, &service, &["/1", MOVES, "/2"]);
    let mut told = Vec::new();
    moves.look(&service, &mut |number, short| {
        let retry = short.fields.contains(&("retry-after", b"1".as_slice()));
        told.push((number, short.status, retry, short.body.to_vec()));
    });
    told.sort();
    let moved = (1, 503, true, MOVED.body.to_vec());
    assert_eq!(told, [(0, 200, false, b"/1".to_vec()), moved, (2, 200, false, b"/2".to_vec())]);
    assert_eq!(look(before, &service), alone(&["/before"]));
    assert_eq!(service.answers(), 3);
}

#[test]
fn a_round_is_full_and_has_so_many_seats() {
    let (round, service) = (Round::default(), Echo::default());
    let seats: Vec<_> = (0..SEATS).map(|_| round.seat().unwrap()).collect();
    assert!(round.seat().is_none());
    for seat in &seats[..NOTES] {
        assert!(!round.is_full());
        assert!(seat.note(&service, "/"));
    }
    assert!(round.is_full());
    drop(seats);
    let next = seat(&round, &service, &["/next"]);
    assert_eq!(look(next, &service), alone(&["/next"]));
}
