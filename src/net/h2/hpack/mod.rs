//! HPACK (RFC 7541) for a server: [`Decoder`] reads request heads and says what is [`Known`] of
//! each field, a malformed value included; [`Encoder`] writes reply heads. Both belong to one
//! connection, on the core that accepted it, and do no I/O. Nothing here may allocate for a request
//! like the one before it, and nothing a peer sends may make it panic.

mod decode;
mod encode;
mod huffman;
mod integer;
mod known;
mod shadow;
mod table;

#[cfg(test)]
mod tests;

pub use decode::{Decoder, Scratch};
pub use encode::Encoder;
pub use known::Known;

/// Why a header block cannot be decoded. The peer's table and ours no longer agree, so it ends the
/// connection with COMPRESSION_ERROR (RFC 9113, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The block ends inside a field.
    #[error("the header block ends inside a field")]
    Truncated,
    /// An integer with more continuation octets than any honest one needs (section 5.1).
    #[error("an integer in the header block has more than {} continuation octets", integer::MORE)]
    Integer,
    /// Index 0, or one past the end of the table (sections 2.3.3 and 6.1).
    #[error("the header block names index {0}, which the table does not have")]
    Index(usize),
    /// A Huffman string with EOS in it, or padded with more than 7 bits or with zeros (section
    /// 5.2).
    #[error("a huffman-coded string in the header block has a wrong code or padding")]
    Huffman,
    /// A table size update above what we announced (section 6.3).
    #[error(
        "the header block asks for a table of {asked} bytes; at most {announced} were announced"
    )]
    TableSize {
        /// Bytes the peer asked for.
        asked: usize,
        /// Bytes of our SETTINGS_HEADER_TABLE_SIZE.
        announced: usize,
    },
    /// A table size update after the block's first field (section 4.2).
    #[error("the header block changes the table's size after its first field")]
    LateTableSize,
}

/// What SETTINGS_HEADER_TABLE_SIZE is before it was told (RFC 9113, section 6.5.2), and the most
/// that our own encoder uses.
const DEFAULT_TABLE_SIZE: usize = 4_096;
