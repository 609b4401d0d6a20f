//! `pumice export`: every record of every partition, in order. On the main thread; each page is
//! read at its own moment, so an export under writes is no snapshot.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::{HumanCount, ProgressBar};
use pumice_client::{Client, Error, Partition, Row};
use serde::Serialize;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::output::{Done, Failure, block_on, print_json};
use crate::args::{DEFAULT_URL, Trust};

/// Partitions that are read at once, while the first of them is written.
const AHEAD: usize = 4;
/// Bytes of lines that travel as a whole.
const CHUNK: usize = 256 * 1_024;
/// Chunks of a partition that wait to be written.
const WAITING: usize = 4;

/// Arguments of `pumice export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// File to write, packed if it ends in .gz; - writes to stdout
    #[arg(default_value = "-")]
    file: String,
    /// Address of the server's public port
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, visible_alias = "url")]
    from: String,
    #[command(flatten)]
    trust: Trust,
    /// Print the counts as one JSON object (to stderr when the records go to stdout)
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Summary {
    records: u64,
    partitions: u32,
    seconds: f64,
}

struct Chunk {
    records: u64,
    lines: Vec<u8>,
}

/// Exports, and says how much.
pub fn run(args: &ExportArgs) -> Done {
    let client = args.trust.builder(&args.from).build()?;
    let started = Instant::now();
    let bar = ProgressBar::new_spinner();
    let summary = block_on(async {
        let partitions = client.namespace().await?.partitions;
        let mut output = output(&args.file)?;
        let records = copy(&client, partitions, &mut output, &bar).await?;
        output.finish().map_err(|fault| named(&args.file, fault))?;
        Ok(Summary { records, partitions, seconds: started.elapsed().as_secs_f64() })
    });
    bar.finish_and_clear();
    let summary = summary?;
    match (args.json, args.file == "-") {
        (true, false) => print_json(&summary)?,
        (true, true) => eprintln!("{}", serde_json::to_string(&summary)?),
        (false, _) => eprintln!(
            "{} records of {} partitions in {:.1} s",
            HumanCount(summary.records),
            summary.partitions,
            summary.seconds
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the partitions one after the other, and reads the next ones meanwhile.
async fn copy(
    client: &Client,
    partitions: u32,
    output: &mut Output,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let mut ahead: VecDeque<Receiver<Result<Chunk, Error>>> = VecDeque::new();
    let mut next = 0;
    let mut records = 0;
    loop {
        while next < partitions && ahead.len() < AHEAD {
            let (chunks, waiting) = mpsc::channel(WAITING);
            tokio::spawn(read(client.clone(), Partition(next), chunks));
            ahead.push_back(waiting);
            next += 1;
        }
        let Some(mut waiting) = ahead.pop_front() else { return Ok(records) };
        while let Some(chunk) = waiting.recv().await {
            let chunk = chunk?;
            output.write_all(&chunk.lines)?;
            records += chunk.records;
            bar.set_message(format!("{} records", HumanCount(records)));
            bar.tick();
        }
    }
}

async fn read(client: Client, partition: Partition, chunks: Sender<Result<Chunk, Error>>) {
    let mut rows = client.list_partition(partition);
    let mut chunk = Chunk { records: 0, lines: Vec::with_capacity(CHUNK) };
    loop {
        let row = match rows.next().await {
            Ok(row) => row,
            Err(fault) => {
                // Nobody waits any more when another partition has failed before.
                let _ = chunks.send(Err(fault)).await;
                return;
            }
        };
        if let Some(row) = &row {
            add(&mut chunk, row);
        }
        if row.is_none() || chunk.lines.len() >= CHUNK {
            let empty = Chunk { records: 0, lines: Vec::with_capacity(CHUNK) };
            let full = std::mem::replace(&mut chunk, empty);
            if chunks.send(Ok(full)).await.is_err() || row.is_none() {
                return;
            }
        }
    }
}

// By hand, because the value is JSON text already and is not to be parsed again.
fn add(chunk: &mut Chunk, row: &Row) {
    let lines = &mut chunk.lines;
    lines.extend_from_slice(b"{\"pk\":");
    serde_json::to_writer(&mut *lines, &row.pk).expect("a string into memory");
    lines.extend_from_slice(b",\"sk\":");
    serde_json::to_writer(&mut *lines, &row.sk).expect("a string into memory");
    lines.extend_from_slice(b",\"data\":");
    lines.extend_from_slice(row.data.as_bytes());
    lines.extend_from_slice(b"}\n");
    chunk.records += 1;
}

enum Output {
    Plain(BufWriter<Box<dyn Write>>),
    Packed(GzEncoder<BufWriter<File>>),
}

fn output(file: &str) -> Result<Output, Failure> {
    if file == "-" {
        return Ok(Output::Plain(BufWriter::new(Box::new(io::stdout()))));
    }
    let created = File::create(file).map_err(|fault| named(file, fault))?;
    if file.ends_with(".gz") {
        return Ok(Output::Packed(GzEncoder::new(BufWriter::new(created), Compression::default())));
    }
    Ok(Output::Plain(BufWriter::new(Box::new(created))))
}

impl Output {
    fn write_all(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Output::Plain(plain) => plain.write_all(lines),
            Output::Packed(packed) => packed.write_all(lines),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Output::Plain(mut plain) => plain.flush(),
            Output::Packed(packed) => packed.finish()?.flush(),
        }
    }
}

fn named(file: &str, fault: io::Error) -> Failure {
    match fault.kind() {
        io::ErrorKind::BrokenPipe => fault.into(),
        _ => Failure::new(format!("{file}: {fault}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use pumice_client::Timestamp;

    use super::*;

    #[test]
    fn a_line_keeps_the_bytes_of_its_value() {
        let row = Row {
            pk: "a\"b".into(),
            sk: "\0".into(),
            data: r#"{"n":9007199254740993,"n":1.0}"#.into(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        let mut chunk = Chunk { records: 0, lines: Vec::new() };
        add(&mut chunk, &row);
        let text = String::from_utf8(chunk.lines).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"pk":"a\"b","sk":"\u0000","#,
                r#""data":{"n":9007199254740993,"n":1.0}}"#,
                "\n"
            )
        );
    }
}
