//! Where lines come from: a file, stdin or bytes in memory, plain or gzip. Opened on the main
//! thread, read on the reader's.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::cli::output::Failure;

const BUFFER: usize = 256 * 1_024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Something to import.
pub struct Source {
    reader: Box<dyn Read + Send>,
    /// Its bytes as they are read, unpacked or not; nothing for a pipe.
    pub size: Option<u64>,
    taken: Arc<AtomicU64>,
}

impl Source {
    /// A file, or stdin for `-`.
    pub fn open(name: &str) -> Result<Self, Failure> {
        if name == "-" {
            return Ok(Self::new(Box::new(io::stdin()), None));
        }
        let wrong = |fault: io::Error| Failure::new(format!("{name}: {fault}"));
        let file = File::open(name).map_err(wrong)?;
        let meta = file.metadata().map_err(wrong)?;
        Ok(Self::new(Box::new(file), meta.is_file().then_some(meta.len())))
    }

    /// Bytes in memory.
    pub fn bytes(bytes: &'static [u8]) -> Self {
        Self::new(Box::new(Cursor::new(bytes)), Some(bytes.len() as u64))
    }

    fn new(reader: Box<dyn Read + Send>, size: Option<u64>) -> Self {
        Self { reader, size, taken: Arc::default() }
    }

    /// How many of its bytes were read so far.
    pub fn taken(&self) -> Arc<AtomicU64> {
        self.taken.clone()
    }

    /// Its text, unpacked where its first two bytes say that it is packed.
    pub fn text(self) -> io::Result<Box<dyn BufRead>> {
        let counted = Counted { reader: self.reader, taken: self.taken };
        let mut plain = BufReader::with_capacity(BUFFER, counted);
        if plain.fill_buf()?.starts_with(&GZIP_MAGIC) {
            return Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain))));
        }
        Ok(Box::new(plain))
    }
}

struct Counted {
    reader: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
