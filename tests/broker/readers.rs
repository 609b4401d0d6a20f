//! Clients that read without a pause while a test does something to the cluster, and what became of
//! every read. On threads of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pumice_client::{Client, Record};
use serde_json::Value;
use tokio::runtime::Builder;

use crate::answers::Rows;
use crate::kafka::node::Node;
use crate::kafka::until;
use crate::tell;

/// Keys of one call.
const KEYS: usize = 60;
/// Between two calls, so that a machine of two cores has time for its nodes too.
const PAUSE: Duration = Duration::from_millis(2);

/// Reads of which it is counted who answers them.
const READS: usize = 3_000;

/// Clients at work.
pub struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

/// What they saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls.
    pub calls: usize,
    /// Keys that had their value.
    pub right: usize,
    /// Calls that failed, and values that were others or not there.
    pub wrong: Vec<String>,
    /// The call that took longest.
    pub longest: Duration,
}

impl Readers {
    /// Two clients, one of single records and one of many at a time, that know all of `urls`.
    pub fn start(urls: &[String], rows: &Arc<Rows>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let thread = |keys: usize| {
            let (client, rows, stop) = (client(urls), rows.clone(), stop.clone());
            thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(read(&client, &rows, keys, &stop))
            })
        };
        let threads = [1, KEYS].map(thread).into();
        Self { stop, threads }
    }

    /// Ends them; what they saw in all.
    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for seen in self.threads.into_iter().map(|thread| thread.join().unwrap()) {
            all.calls += seen.calls;
            all.right += seen.right;
            all.wrong.extend(seen.wrong);
            all.longest = all.longest.max(seen.longest);
        }
        all
    }
}

/// A client as an application would make it.
pub fn client(urls: &[String]) -> Client {
    let (first, others) = urls.split_first().unwrap();
    others.iter().fold(Client::builder(first), |builder, url| builder.also(url)).build().unwrap()
}

/// Reads `keys` records a call, over and over all of them.
async fn read(client: &Client, rows: &Rows, keys: usize, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let all: Vec<_> = rows.iter().collect();
    for part in all.chunks(keys).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let wanted: Vec<_> = part.iter().map(|(key, _)| (key.0.as_str(), key.1.as_str())).collect();
        let began = Instant::now();
        let got = match wanted[..] {
            [(pk, sk)] => client.get(pk, sk).await.map(|record| vec![record]),
            _ => client.get_many(&wanted).await,
        };
        seen.calls += 1;
        seen.longest = seen.longest.max(began.elapsed());
        match got {
            Ok(got) => {
                assert_eq!(got.len(), part.len());
                part.iter().zip(&got).for_each(|(row, got)| seen.compare(*row, got.as_ref()));
            }
            Err(fault) => seen.wrong.push(format!("{:?}: {fault}", wanted[0])),
        }
        tokio::time::sleep(PAUSE).await;
    }
    seen
}

impl Seen {
    fn compare(&mut self, (key, data): (&(String, String), &Value), got: Option<&Record>) {
        match got.map(|record| record.json::<Value>().unwrap()) {
            Some(value) if value == *data => self.right += 1,
            other => self.wrong.push(format!("{key:?} is {other:?}")),
        }
    }
}

/// Reads through one client, and sees to it that each replica group answers as often as the others,
/// within a tenth, and each read goes straight to who answers it.
pub fn take_turns(groups: &[&[&Node]], rows: &Rows) {
    let answered = || -> Vec<f64> {
        let of_group = |nodes: &&[&Node]| {
            let reads = |node: &&Node| node.metric("pumice_requests_total", &["route=\"v1_get\""]);
            nodes.iter().map(reads).sum()
        };
        groups.iter().map(of_group).collect()
    };
    let urls = [groups[0][0].server.url()];
    let client = client(&urls);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let read = async |count: usize| {
        for ((pk, sk), data) in rows.iter().cycle().take(count) {
            let record = client.get(pk, sk).await.unwrap().unwrap();
            assert_eq!(record.json::<Value>().unwrap(), *data, "{pk} {sk}");
        }
    };
    // Once it has learned where everything is.
    until("a client that knows all nodes", || {
        runtime.block_on(read(100));
        let before = answered();
        runtime.block_on(read(100));
        let after = answered();
        after.iter().zip(before).all(|(after, before)| *after > before).then_some(())
    });
    let before = answered();
    runtime.block_on(read(READS));
    let after = answered();
    let shares: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let fair = READS as f64 / groups.len() as f64;
    assert!(shares.iter().all(|share| (share - fair).abs() <= fair / 10.0), "{shares:?}");
    let answers: f64 = shares.iter().sum();
    assert!(answers <= READS as f64 * 1.01, "{answers} answers: some were sent on");
    tell(&format!("cluster: {READS} reads of one client by replica group: {shares:?}"));
}
