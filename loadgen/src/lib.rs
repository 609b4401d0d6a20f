//! `loadgen`: an open-loop load generator for HTTP/1.1 and HTTP/2 with a client of its own, so that
//! it is not what is measured. The binary is a thin door to this library; it speaks to no disk but
//! for the reports that are asked for.

pub mod args;
pub mod compare;
pub mod drive;
pub mod failure;
pub mod fingerprint;
pub mod h2;
pub mod keys;
pub mod knee;
pub mod mix;
pub mod names;
pub mod pace;
pub mod progress;
pub mod random;
pub mod record;
pub mod report;
pub mod request;
pub mod run;
pub mod student;
pub mod target;
pub mod units;
pub mod values;
mod verify;
pub mod work;
pub mod zipf;
