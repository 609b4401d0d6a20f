//! Many reads and writes at once from the client library, until the server takes no more, and the
//! proof afterwards that what was acknowledged is there.

use std::cell::Cell;

use futures_util::future::join_all;
use pumice_client::{Batch, Client, Error};

const WRITERS: usize = 48;
const READERS: usize = 24;

/// The load on one server.
pub struct Load {
    client: Client,
    /// Set when the server is told to end: from then on a request may fail.
    pub ending: Cell<bool>,
    writers: Vec<Writer>,
    reads: Cell<u64>,
    failed_reads: Cell<u64>,
}

/// A writer of one record; its numbers rise.
#[derive(Default)]
struct Writer {
    acknowledged: Cell<u64>,
    /// The last number that was sent.
    sent: Cell<u64>,
    unknown: Cell<bool>,
}

impl Load {
    /// Nothing sent yet.
    pub fn new(url: &str) -> Self {
        let client = Client::builder(url).read_retries(0).build().unwrap();
        let writers = (0..WRITERS).map(|_| Writer::default()).collect();
        let (ending, reads) = (Cell::new(false), Cell::new(0));
        Self { client, ending, writers, reads, failed_reads: Cell::new(0) }
    }

    /// Writes until the server takes no more.
    pub async fn write(&self) {
        let each = self.writers.iter().enumerate();
        join_all(each.map(|(name, writer)| self.write_one(name, writer))).await;
    }

    async fn write_one(&self, name: usize, writer: &Writer) {
        let pk = format!("writer {name}");
        for n in 1.. {
            writer.sent.set(n);
            let sent = if n % 4 == 0 {
                let batch = Batch::new().put(&pk, "n", &n).put(&pk, "copy", &n);
                self.client.batch(&batch).await
            } else {
                self.client.put(&pk, "n", &n).await
            };
            match sent {
                Ok(_) => writer.acknowledged.set(n),
                Err(fault) => {
                    self.may_fail(&fault);
                    writer.unknown.set(matches!(fault, Error::Unknown { .. }));
                    return;
                }
            }
        }
    }

    /// Reads until the server takes no more.
    pub async fn read(&self) {
        join_all((0..READERS).map(|name| self.read_one(name))).await;
    }

    async fn read_one(&self, name: usize) {
        let pk = format!("writer {name}");
        loop {
            let read = match name % 3 {
                0 => self.client.get(&pk, "n").await.map(drop),
                1 => self.client.get_many(&[(&pk, "n"), (&pk, "copy")]).await.map(drop),
                _ => self.client.list("large").page(200).limit(200).next().await.map(drop),
            };
            if let Err(fault) = read {
                self.may_fail(&fault);
                self.failed_reads.set(self.failed_reads.get() + 1);
                return;
            }
            self.reads.set(self.reads.get() + 1);
        }
    }

    /// A request may fail while the server ends, but not after its answer has begun.
    fn may_fail(&self, fault: &Error) {
        assert!(self.ending.get(), "a server that runs said: {fault}");
        assert!(!fault.to_string().contains("broke off"), "an answer was cut: {fault}");
        let told = matches!(fault, Error::Unavailable { .. } | Error::Unknown { .. });
        assert!(told, "a server that ends said: {fault}");
    }

    /// Every record holds the last number that was acknowledged, or the one sent after it if
    /// nobody knows what became of it.
    pub async fn prove(&self, client: &Client) {
        for (name, writer) in self.writers.iter().enumerate() {
            let got = client.get(&format!("writer {name}"), "n").await.unwrap();
            let got = got.map_or(0, |record| record.json::<u64>().unwrap());
            let (acknowledged, sent) = (writer.acknowledged.get(), writer.sent.get());
            let may_be_ahead = writer.unknown.get() && got == sent;
            assert!(
                got == acknowledged || may_be_ahead,
                "writer {name}: {got} is stored, {acknowledged} was acknowledged, {sent} sent"
            );
        }
    }

    /// How much of what happened.
    pub fn summary(&self) -> String {
        let acknowledged: u64 = self.writers.iter().map(|writer| writer.acknowledged.get()).sum();
        let unknown = self.writers.iter().filter(|writer| writer.unknown.get()).count();
        assert!(acknowledged > 0 && self.reads.get() > 0, "there was no load");
        format!(
            "{acknowledged} writes acknowledged, {unknown} of unknown outcome, {} reads",
            self.reads.get()
        )
    }
}
