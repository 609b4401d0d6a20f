//! Pumice's own routes: one record, many records, a page of a pk or of all, a batch, where
//! partitions are, and what nodes ask each other: many records at once, a whole partition. On the
//! core that serves the request.

pub mod all;
pub mod batch;
pub mod get_many;
pub mod handover;
pub mod list;
pub mod look;
pub mod record;
pub mod routes;
