//! Who is compared: how each server is found, set up for the same task and started. Each is set
//! up as its own documentation says is fast; none writes a log of requests.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use super::process::{Process, free_address};
use super::{Comparison, Fallible};

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Pumice on its default runtime.
    Pumice,
    /// Pumice on tokio.
    PumiceTokio,
    /// h2o with a static file.
    H2o,
    /// nginx with a constant answer.
    Nginx,
    /// nghttpd with a static file.
    Nghttpd,
    /// hyper on tokio's current-thread runtime with a constant answer.
    HyperTokio,
}

/// A server that runs.
pub struct Running {
    pub process: Process,
    pub http1: SocketAddr,
    pub http2: SocketAddr,
}

impl Peer {
    /// All of them; Pumice first.
    pub const ALL: [Self; 6] =
        [Self::Pumice, Self::PumiceTokio, Self::H2o, Self::Nginx, Self::Nghttpd, Self::HyperTokio];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pumice => "pumice",
            Self::PumiceTokio => "pumice-tokio",
            Self::H2o => "h2o",
            Self::Nginx => "nginx",
            Self::Nghttpd => "nghttpd",
            Self::HyperTokio => "hyper-tokio",
        }
    }

    /// Whether it reads records out of a database, and does not answer one constant.
    pub fn has_records(self) -> bool {
        matches!(self, Self::Pumice | Self::PumiceTokio)
    }

    /// Whether it speaks HTTP/2 in clear text with prior knowledge.
    pub fn speaks_2(self) -> bool {
        true
    }

    /// Whether it speaks HTTP/1.1.
    pub fn speaks_1(self) -> bool {
        self != Self::Nghttpd
    }

    /// What it says of its version; `None` where it is not installed.
    pub fn version(self, comparison: &Comparison) -> Option<String> {
        let (program, flag) = match self {
            Self::Pumice | Self::PumiceTokio | Self::HyperTokio => {
                let built = comparison.built(self.program());
                return built.is_file().then(|| "of this commit".to_owned());
            }
            Self::Nginx => ("nginx", "-v"),
            Self::H2o | Self::Nghttpd => (self.program(), "--version"),
        };
        let output = Command::new(program).arg(flag).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned();
        Some(said)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Pumice | Self::PumiceTokio => "pumice",
            Self::HyperTokio => "hyper_tokio",
            Self::H2o => "h2o",
            Self::Nginx => "nginx",
            Self::Nghttpd => "nghttpd",
        }
    }

    /// Starts it on the serving CPU, with what it is to answer.
    pub fn start(self, comparison: &Comparison) -> Fallible<Running> {
        let dir = comparison.work.path().join(self.name());
        fs::create_dir(&dir)?;
        fs::write(dir.join("record.json"), comparison.constant())?;
        let http1 = free_address()?;
        // nginx of before 1.25 cannot tell the two on one port of clear text.
        let http2 = if self == Self::Nginx { free_address()? } else { http1 };
        let text = |path: std::path::PathBuf| path.display().to_string();
        let command = match self {
            Self::Pumice | Self::PumiceTokio => {
                let runtime = if self == Self::Pumice { "auto" } else { "tokio" };
                let mut command = vec![text(comparison.built("pumice")), "serve".to_owned()];
                for (flag, value) in [
                    ("--cores", "1".to_owned()),
                    ("--runtime", runtime.to_owned()),
                    ("--data-dir", text(dir.join("data"))),
                    ("--http", http1.to_string()),
                    ("--admin", free_address()?.to_string()),
                    ("--log-level", "warn".to_owned()),
                ] {
                    command.extend([flag.to_owned(), value]);
                }
                command
            }
            Self::HyperTokio => vec![text(comparison.built("hyper_tokio")), http1.to_string()],
            Self::H2o => {
                fs::write(dir.join("h2o.conf"), h2o(http1, &text(dir.clone())))?;
                vec!["h2o".to_owned(), "-c".to_owned(), text(dir.join("h2o.conf"))]
            }
            Self::Nginx => {
                fs::write(dir.join("nginx.conf"), nginx(http1, http2, &comparison.constant()))?;
                let prefix = ["-p".to_owned(), text(dir.clone())];
                let conf = ["-c".to_owned(), text(dir.join("nginx.conf"))];
                [vec!["nginx".to_owned()], prefix.to_vec(), conf.to_vec()].concat()
            }
            Self::Nghttpd => {
                let ip = format!("--address={}", http2.ip());
                let words = ["nghttpd", "--no-tls", "-m", "256", "-d", &text(dir.clone()), &ip];
                let port = http2.port().to_string();
                words.iter().map(|&word| word.to_owned()).chain([port]).collect()
            }
        };
        let mut process = Process::start(comparison.args.server_cpu, &command)?;
        process.listens(http1)?;
        process.listens(http2)?;
        let running = Running { process, http1, http2 };
        if self.has_records() {
            comparison.load(&running)?;
        }
        Ok(running)
    }
}

fn h2o(address: SocketAddr, dir: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "num-threads: 1\nuser: root\nmax-connections: 4096\n\
         http2-max-concurrent-requests-per-connection: 256\n\
         file.mime.addtypes:\n  application/json: .json\n\
         hosts:\n  default:\n    listen:\n      host: {ip}\n      port: {port}\n    \
         paths:\n      \"/\":\n        file.dir: {dir}\n"
    )
}

fn nginx(http1: SocketAddr, http2: SocketAddr, answer: &str) -> String {
    let location =
        format!("location / {{ default_type application/json; return 200 '{answer}'; }}");
    format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  \
         http2_max_concurrent_streams 256;\n  \
         server {{ listen {http1}; {location} }}\n  \
         server {{ listen {http2} http2; {location} }}\n}}\n"
    )
}
