//! A proxy in front of Kafka brokers that knows their frames: it hands them on whole, puts itself
//! in the place of every broker that an answer names, and does on the way what a script says.
//! Threads of the test; makes up no frame of its own.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::frames::{self, Asked};
use super::script::{Fault, Script};

/// Listens for as long as it is kept.
pub struct Proxy {
    bootstrap: SocketAddr,
    shared: Arc<Shared>,
}

/// What it did, in numbers that only rise.
#[derive(Default)]
pub struct Counts {
    /// Connections that were handed on.
    pub connections: AtomicU64,
    /// Connections that were closed at once.
    pub refused: AtomicU64,
    /// Produces that a broker took and whose answers were handed on.
    pub answered: AtomicU64,
    /// Produces that a broker took and whose answers were kept from the client.
    pub lost: AtomicU64,
    /// Produces of which the broker got half.
    pub halved: AtomicU64,
}

struct Shared {
    host: Ipv4Addr,
    script: Script,
    counts: Counts,
    /// The port that stands for each broker.
    fronts: Mutex<HashMap<String, u16>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Stands in front of the broker at `host:port`, and of all that it names.
    pub fn start(broker: &str) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, broker)
    }

    /// The same at another address of this machine.
    pub fn at(host: Ipv4Addr, broker: &str) -> Self {
        let shared = Arc::new(Shared {
            host,
            script: Script::default(),
            counts: Counts::default(),
            fronts: Mutex::default(),
            open: Mutex::default(),
        });
        let port = shared.front_of(broker);
        Self { bootstrap: SocketAddr::from((host, port)), shared }
    }

    /// `host:port` for clients.
    pub fn brokers(&self) -> String {
        self.bootstrap.to_string()
    }

    /// What happens on the way.
    pub fn script(&self) -> &Script {
        &self.shared.script
    }

    /// What happened.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// The broker is gone: every connection ends, and new ones do at once.
    pub fn cut_off(&self) {
        self.shared.script.refuse(true);
        self.shared.end_all();
    }

    /// The broker is back.
    pub fn let_in(&self) {
        self.shared.script.refuse(false);
    }

    /// Ends every connection; new ones are taken.
    pub fn reset(&self) {
        self.shared.end_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.script.close();
        self.shared.end_all();
        for port in self.shared.fronts.lock().unwrap().values() {
            // Its thread waits for a connection, and sees then that all is over.
            let _ = TcpStream::connect((self.shared.host, *port));
        }
    }
}

impl Counts {
    /// The value of one of them.
    pub fn of(count: &AtomicU64) -> u64 {
        count.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn front_of(self: &Arc<Self>, broker: &str) -> u16 {
        let mut fronts = self.fronts.lock().unwrap();
        *fronts.entry(broker.to_owned()).or_insert_with(|| {
            let listener = TcpListener::bind((self.host, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let (shared, broker) = (self.clone(), broker.to_owned());
            thread::spawn(move || shared.listen(&listener, &broker));
            port
        })
    }

    fn listen(self: Arc<Self>, listener: &TcpListener, broker: &str) {
        while let Ok((client, _)) = listener.accept() {
            if self.script.is_closed() {
                return;
            }
            let upstream = match self.script.refuses() {
                true => None,
                false => TcpStream::connect(broker).ok(),
            };
            match upstream {
                Some(upstream) => self.join(client, upstream),
                None => add(&self.counts.refused),
            }
        }
    }

    fn join(self: &Arc<Self>, client: TcpStream, broker: TcpStream) {
        add(&self.counts.connections);
        let _ = client.set_nodelay(true).and_then(|()| broker.set_nodelay(true));
        let mut open = self.open.lock().unwrap();
        open.retain(|stream| stream.peer_addr().is_ok());
        open.extend([client.try_clone().unwrap(), broker.try_clone().unwrap()]);
        drop(open);
        let asked = Arc::<Asked>::default();
        let pair = (client.try_clone().unwrap(), broker.try_clone().unwrap());
        let (shared, of_requests) = (self.clone(), asked.clone());
        thread::spawn(move || {
            let _ = shared.requests(&pair.0, &pair.1, &of_requests);
            end(&[pair.0, pair.1]);
        });
        let shared = self.clone();
        thread::spawn(move || {
            let _ = shared.answers(&broker, &client, &asked);
            end(&[broker, client]);
        });
    }

    fn requests(
        &self,
        client: &TcpStream,
        mut broker: &TcpStream,
        asked: &Asked,
    ) -> io::Result<()> {
        loop {
            let frame = read_frame(client)?;
            self.script.pass();
            let is_produce = asked.note(&frame);
            if is_produce && self.script.take_if(|fault| fault == Fault::HalveRequest).is_some() {
                broker.write_all(&frame[..frame.len() / 2])?;
                add(&self.counts.halved);
                return Ok(());
            }
            broker.write_all(&frame)?;
        }
    }

    fn answers(
        self: &Arc<Self>,
        broker: &TcpStream,
        mut client: &TcpStream,
        asked: &Asked,
    ) -> io::Result<()> {
        loop {
            let mut frame = read_frame(broker)?;
            self.script.pass();
            let what = asked.answered(&frame);
            if frames::took_a_produce(what, &frame) {
                match self.script.take_if(|fault| fault != Fault::HalveRequest) {
                    None => add(&self.counts.answered),
                    Some(Fault::WithholdAnswer) => {
                        add(&self.counts.lost);
                        continue;
                    }
                    Some(fault) => {
                        if fault == Fault::HalveAnswer {
                            client.write_all(&frame[..frame.len() / 2])?;
                        }
                        add(&self.counts.lost);
                        return Ok(());
                    }
                }
            }
            if let Some(changed) =
                frames::with_brokers(what, &frame, self.host, |at| self.front_of(at))
            {
                frame = changed;
            }
            client.write_all(&frame)?;
        }
    }

    fn end_all(&self) {
        end(&std::mem::take(&mut *self.open.lock().unwrap()));
    }
}

fn end(streams: &[TcpStream]) {
    for stream in streams {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

/// A frame with its length in front.
fn read_frame(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame)?;
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    frame.resize(4 + length as usize, 0);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}
