//! Why the log cannot be followed by this node: what a start is refused for. Plain data.

use std::io;

use super::wire::Fault;

/// What a broker that just closes may mean.
const CLOSED: &str = "a listener that wants TLS or a name closes like that: see --kafka-tls and \
                      --kafka-sasl";

/// A start that was refused.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The topics, the data directory and the settings are not of one namespace.
    #[error("{0}")]
    Disagrees(String),
    /// No broker answers.
    #[error("the log cannot be reached: {0}")]
    Unreachable(String),
    /// The brokers turn us away, or may not do what is needed.
    #[error("the log is refused to this node: {0}")]
    Refused(String),
    /// A setting that cannot be used.
    #[error("{0}")]
    Settings(String),
}

impl From<Fault> for LogFault {
    fn from(fault: Fault) -> Self {
        let text = fault.to_string();
        if let Fault::Unanswered { source, .. } = &fault
            && source.kind() == io::ErrorKind::UnexpectedEof
        {
            return Self::Unreachable(format!("{text}; {CLOSED}"));
        }
        match fault {
            Fault::TurnedAway { .. } | Fault::Unspoken { .. } => Self::Refused(text),
            Fault::Unreachable { .. } | Fault::Unanswered { .. } | Fault::Nonsense { .. } => {
                Self::Unreachable(text)
            }
            Fault::Answered(error) if error.is_retriable() => Self::Unreachable(text),
            Fault::Answered(_) => Self::Refused(text),
        }
    }
}
