//! Between the schedule, the work and the counts: begins requests on a connection and settles their
//! answers, on the driver thread. It does no I/O.

use super::connection::Connection;
use super::slot::Done;
use crate::failure::Failure;
use crate::mix::Op;
use crate::record::Recorder;
use crate::request::Request;
use crate::work::Work;

/// One thread's desk.
#[derive(Debug)]
pub struct Desk {
    /// Counts.
    pub recorder: Recorder,
    /// Requests in flight on all connections.
    pub in_flight: u64,
    /// Requests that may still be begun, where the run is bounded by their number.
    pub budget: u64,
    work: Work,
    request: Request,
}

impl Desk {
    /// A desk with nothing on it.
    pub fn new(work: Work, recorder: Recorder, budget: u64) -> Self {
        Self { recorder, in_flight: 0, budget, work, request: Request::default() }
    }

    /// Begins the next request; false when the work is done.
    #[inline]
    pub fn begin(&mut self, connection: &mut Connection, intended: u64, now: u64) -> bool {
        if self.budget == 0 {
            return false;
        }
        let Some(at) = connection.acquire() else {
            return true;
        };
        let slot = &mut connection.slots[at as usize];
        if !self.work.next(&mut slot.task, &mut self.request) {
            self.budget = 0;
            connection.release(at);
            return false;
        }
        slot.intended = intended;
        slot.sent = now;
        self.budget -= 1;
        self.in_flight += 1;
        connection.request(at, &self.request);
        true
    }

    /// Counts an answer, or its absence. False when its slot goes on with a second request.
    #[inline]
    pub fn settle(&mut self, connection: &mut Connection, done: Done, now: u64) -> bool {
        let slot = &mut connection.slots[done.slot as usize];
        let verdict = match done.failure {
            Some(failure) => Err(failure),
            None => self.work.judge(&slot.task, slot.status, &slot.answer),
        };
        self.recorder.bytes(slot.answered);
        match verdict {
            Ok(_) if slot.task.op == Op::Rmw && !slot.task.second => {
                slot.clear();
                self.work.modify(&mut slot.task, &mut self.request);
                if !connection.closing() {
                    connection.request(done.slot, &self.request);
                    return false;
                }
                self.recorder.failed(Failure::Closed, 0);
            }
            Ok(records) => {
                self.recorder.answered(slot.task.op, records, slot.intended, slot.sent, now);
            }
            Err(failure) => self.recorder.failed(failure, slot.status),
        }
        self.work.over(&connection.slots[done.slot as usize].task);
        self.in_flight -= 1;
        connection.release(done.slot);
        true
    }
}
