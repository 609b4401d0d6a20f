//! The topic of the entries: filled by librdkafka, fetched and thrown away by it to keep the broker
//! busy, and deleted in the end. Main thread, or a process of its own.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::Fallible;
use crate::entries::Entries;

const PATIENCE: Duration = Duration::from_secs(120);
/// Messages between two looks at the clock.
const STEP: u64 = 1_000;

/// Fetches a topic and throws it away.
#[derive(Debug, Args)]
pub struct Discard {
    /// A broker
    #[arg(long)]
    kafka: String,
    /// The topic
    #[arg(long)]
    topic: String,
    /// Its partitions
    #[arg(long)]
    partitions: u32,
    /// Its records; after so many it begins anew
    #[arg(long)]
    total: u64,
    /// Records a second
    #[arg(long)]
    rate: f64,
}

fn config(broker: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    config
}

/// Produces all entries as a node's lanes would: binary, keyed by pk, into the pk's partition.
pub fn fill(broker: &str, topic: &str, entries: &Entries, partitions: u32) -> Fallible<()> {
    let producer: BaseProducer = config(broker)
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .create()?;
    for (partition, entry) in entries.all(partitions) {
        let value = entry.encode();
        let key = entry.mutations.first().map_or("", |mutation| &mutation.pk);
        let mut record =
            BaseRecord::to(topic).partition(i32::try_from(partition.0)?).key(key).payload(&value);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    producer.poll(Duration::from_millis(10));
                }
                Err((fault, _)) => return Err(fault.into()),
            }
        }
    }
    producer.flush(PATIENCE)?;
    let consumer: BaseConsumer = config(broker).set("group.id", "none").create()?;
    let mut there = 0;
    for partition in 0..partitions {
        let ends = consumer.fetch_watermarks(topic, i32::try_from(partition)?, PATIENCE)?;
        there += ends.1 - ends.0;
    }
    let wanted = i64::try_from(entries.total)?;
    if there == wanted { Ok(()) } else { Err(format!("{there} records, not {wanted}").into()) }
}

/// Deletes the topics of a run.
pub fn delete(broker: &str, topic: &str) -> Fallible<()> {
    let admin: AdminClient<DefaultClientContext> = config(broker).create()?;
    let of_partitions = format!("{topic}_partitions");
    let deleted = admin.delete_topics(&[topic, &of_partitions], &AdminOptions::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for one in runtime.block_on(deleted)? {
        one.map_err(|(topic, fault)| format!("{topic} is not deleted: {fault}"))?;
    }
    Ok(())
}

/// Fetches with requests as large as the follower's, at a rate, for ever.
pub fn discard(told: &Discard) -> Fallible<()> {
    let consumer: BaseConsumer = config(&told.kafka)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", "1048576")
        .set("queued.max.messages.kbytes", "16384")
        .create()?;
    let began = Instant::now();
    let mut count = 0_u64;
    loop {
        let mut places = TopicPartitionList::new();
        for partition in 0..told.partitions {
            let partition = i32::try_from(partition)?;
            places.add_partition_offset(&told.topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&places)?;
        for _ in 0..told.total {
            let Some(message) = consumer.poll(PATIENCE) else {
                return Err("the topic gives no more records".into());
            };
            message?;
            if count == 0 {
                println!("fetching");
                std::io::stdout().flush()?;
            }
            count += 1;
            if count.is_multiple_of(STEP) {
                let due = Duration::from_secs_f64(count as f64 / told.rate);
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
    }
}

/// A process that discards, until it is dropped.
pub struct Discarding(Child);

impl Discarding {
    /// Starts one on a CPU of its own; it fetches already when this returns.
    pub fn start(told: &Discard, cpu: usize) -> Fallible<Self> {
        let mut command = Command::new("taskset");
        command.arg("-c").arg(cpu.to_string()).arg(std::env::current_exe()?).arg("discard");
        for (flag, value) in [
            ("--kafka", told.kafka.clone()),
            ("--topic", told.topic.clone()),
            ("--partitions", told.partitions.to_string()),
            ("--total", told.total.to_string()),
            ("--rate", told.rate.to_string()),
        ] {
            command.arg(flag).arg(value);
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut first = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        let read = std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut first);
        let discarding = Self(child);
        read?;
        if first.trim() == "fetching" { Ok(discarding) } else { Err("it does not fetch".into()) }
    }
}

impl Drop for Discarding {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Discard {
    /// What [`Discarding`] is told.
    pub fn new(kafka: &str, topic: &str, partitions: u32, total: u64, rate: f64) -> Self {
        let (kafka, topic) = (kafka.to_owned(), topic.to_owned());
        Self { kafka, topic, partitions, total, rate }
    }
}
