//! Where order comes from: what gives an entry its offset and its log time. The embedded log is
//! the store itself; a broker's log will stand beside it. Never judges an entry.

pub mod embedded;
pub mod kafka;
