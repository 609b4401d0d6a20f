//! What ends a connection (RFC 9113, section 5.4.1) (pure).

use super::frame::Reason;

/// A breach of the protocol that ends the connection, and what we say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault(pub Reason, pub &'static str);
