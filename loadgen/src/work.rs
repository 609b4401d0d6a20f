//! What a driver thread asks next, and whether an answer is the right one. One [`Work`] a thread;
//! outside of verification it allocates nothing per request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::Failure;
use crate::keys::{Chooser, Keys};
use crate::mix::{Mix, Op};
use crate::names::{MISSING, Names};
use crate::random::Random;
use crate::request::{Method, Request};
use crate::values::Values;
use crate::verify;

/// What all threads of a run ask.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The operations.
    pub mix: Mix,
    /// Which records.
    pub keys: Keys,
    /// How they are called.
    pub names: Names,
    /// How many there are, at least 1.
    pub records: u64,
    /// Bytes of a value.
    pub value_size: usize,
    /// Keys of a batch read and of a load request; the most records of a scan.
    pub batch: u64,
    /// Share of reads that ask for a record that was never written.
    pub misses: f64,
    /// Check every value read.
    pub verify: bool,
    /// For keys, choices and values.
    pub seed: u64,
    /// Ask for this path and nothing else.
    pub fixed: Option<Vec<u8>>,
    /// The next record that `load` writes.
    pub loaded: Arc<AtomicU64>,
}

/// What one request is for.
#[derive(Debug, Default)]
pub struct Task {
    /// The operation.
    pub op: Op,
    /// Its records.
    pub keys: Vec<u64>,
    /// Whether the body of the answer is looked at.
    pub keep: bool,
    /// The second request of a read-modify-write.
    pub second: bool,
    /// Which of this thread's inserts it is.
    insert: u64,
}

/// One thread's share of the work.
#[derive(Debug)]
pub struct Work {
    load: Workload,
    random: Random,
    chooser: Chooser,
    values: Values,
    thread: u64,
    threads: u64,
    /// Inserts of this thread that are in the table, without a gap.
    settled: u64,
    /// Those after them: whether each is there.
    open: VecDeque<bool>,
}

impl Work {
    /// The share of thread `thread` of `threads`.
    pub fn new(load: &Workload, thread: u64, threads: u64) -> Self {
        Self {
            random: Random::new(load.seed.wrapping_add(thread + 1)),
            chooser: Chooser::new(&load.keys, load.records),
            values: Values::new(load.value_size, load.seed),
            load: load.clone(),
            thread,
            threads,
            settled: 0,
            open: VecDeque::new(),
        }
    }

    /// Fills in what comes next; false when all is done, which only a load ever is.
    #[inline]
    pub fn next(&mut self, task: &mut Task, request: &mut Request) -> bool {
        task.op = self.load.mix.draw(&mut self.random);
        task.keep = self.load.verify;
        task.second = false;
        task.keys.clear();
        if let Some(path) = &self.load.fixed {
            request.start(Method::Get);
            request.path.extend_from_slice(path);
            task.keep = false;
            return true;
        }
        match task.op {
            Op::Read => {
                let id = self.pick(true);
                self.read(id, task, request);
            }
            Op::Rmw => {
                let id = self.pick(false);
                self.read(id, task, request);
            }
            Op::Get => self.get(task, request),
            Op::Scan => self.scan(task, request),
            Op::Put => {
                let id = self.pick(false);
                self.put(id, task, request);
            }
            Op::Insert => {
                task.insert = self.settled + self.open.len() as u64;
                self.open.push_back(false);
                self.put(self.inserted(task.insert), task, request);
            }
            Op::Load => return self.load(task, request),
        }
        true
    }

    /// The second request of a read-modify-write, after its read.
    pub fn modify(&mut self, task: &mut Task, request: &mut Request) {
        task.second = true;
        let id = task.keys[0];
        task.keys.clear();
        self.put(id, task, request);
    }

    /// The records that a right answer is about, or what is wrong with it.
    #[inline]
    pub fn judge(&mut self, task: &Task, status: u16, body: &[u8]) -> Result<u64, Failure> {
        if self.load.fixed.is_some() {
            return if status / 100 == 2 { Ok(1) } else { Err(Failure::Status) };
        }
        let wants_none = task.keys.first().is_some_and(|id| id & MISSING != 0);
        match (task.op, status) {
            (Op::Read, 404) if wants_none => return Ok(1),
            (Op::Read, 200) if wants_none => return Err(Failure::Wrong),
            (Op::Put | Op::Insert | Op::Rmw, 201) | (_, 200) => {}
            _ => return Err(Failure::Status),
        }
        let right = match task.op {
            Op::Load => verify::applied(body) == task.keys.len(),
            Op::Put | Op::Insert => true,
            _ if !task.keep || task.second => true,
            Op::Read | Op::Rmw => self.values.check(task.keys[0], body),
            Op::Get => verify::get(body, &task.keys, &self.load.names, &mut self.values),
            Op::Scan => verify::scan(
                body,
                task.keys[0],
                self.load.batch,
                &self.load.names,
                &mut self.values,
            ),
        };
        if right { Ok(task.keys.len() as u64) } else { Err(Failure::Wrong) }
    }

    /// A request is over, well or not.
    #[inline]
    pub fn over(&mut self, task: &Task) {
        if task.op != Op::Insert {
            return;
        }
        self.open[(task.insert - self.settled) as usize] = true;
        while self.open.front() == Some(&true) {
            self.open.pop_front();
            self.settled += 1;
        }
        self.chooser.inserted(self.settled);
    }

    /// The number of this thread's n-th insert: threads take turns behind the loaded records.
    fn inserted(&self, n: u64) -> u64 {
        self.load.records + n * self.threads + self.thread
    }

    #[inline]
    fn pick(&mut self, may_miss: bool) -> u64 {
        if may_miss && self.load.misses > 0.0 && self.random.unit() < self.load.misses {
            return MISSING | self.random.below(MISSING);
        }
        let id = self.chooser.draw(&mut self.random);
        match id.checked_sub(self.load.records) {
            None => id,
            Some(n) => self.inserted(n),
        }
    }

    #[inline]
    fn read(&mut self, id: u64, task: &mut Task, request: &mut Request) {
        request.start(Method::Get);
        self.load.names.push_path(&mut request.path, id);
        task.keys.push(id);
    }

    fn put(&mut self, id: u64, task: &mut Task, request: &mut Request) {
        request.start(Method::Put);
        self.load.names.push_path(&mut request.path, id);
        let version = self.random.bits() as u32;
        self.values.write(&mut request.body, id, version);
        task.keys.push(id);
    }

    fn get(&mut self, task: &mut Task, request: &mut Request) {
        request.start(Method::Post);
        request.path.extend_from_slice(b"/v1/records:get");
        request.body.extend_from_slice(b"{\"keys\":[");
        for i in 0..self.load.batch {
            if i > 0 {
                request.body.push(b',');
            }
            let id = self.pick(true);
            self.load.names.push_key(&mut request.body, id);
            task.keys.push(id);
        }
        request.body.extend_from_slice(b"]}");
    }

    fn scan(&mut self, task: &mut Task, request: &mut Request) {
        request.start(Method::Get);
        let id = self.pick(false);
        let id = self.load.names.first_of_pk(id);
        let limit = 1 + self.random.below(self.load.batch);
        self.load.names.push_list(&mut request.path, id, limit);
        task.keys.push(id);
    }

    fn load(&mut self, task: &mut Task, request: &mut Request) -> bool {
        let first = self.load.loaded.fetch_add(self.load.batch, Ordering::Relaxed);
        let end = (first + self.load.batch).min(self.load.records);
        if first >= end {
            return false;
        }
        task.keep = true;
        request.start(Method::Post);
        request.path.extend_from_slice(b"/records/put?wait=applied");
        request.body.extend_from_slice(b"{\"Records\":[");
        for id in first..end {
            if id > first {
                request.body.push(b',');
            }
            self.load.names.push_key(&mut request.body, id);
            request.body.pop();
            request.body.extend_from_slice(b",\"data\":");
            self.values.write(&mut request.body, id, 0);
            request.body.push(b'}');
            task.keys.push(id);
        }
        request.body.extend_from_slice(b"]}");
        true
    }
}
