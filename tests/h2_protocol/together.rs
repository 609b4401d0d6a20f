//! Many connections that ask in the same moment, whose reads the server answers by one look.

use crate::server::{Server, request};
use crate::talk::*;

/// More than the server looks for at once, and more than it lets wait.
const CONNECTIONS: usize = 300;
const RECORDS: usize = 40;

fn record(n: usize) -> String {
    format!("/v1/records/pk%20{n}/{n}")
}

/// The length of a record's value, or of what is said of one that is not there.
fn is_answer_of(n: usize, (status, length): (u16, usize)) -> bool {
    if n < RECORDS { (status, length) == (200, 2 + n * 7) } else { status == 404 && length > 0 }
}

#[test]
fn all_who_ask_at_once_have_their_own_answers() {
    for runtime in ["auto", "tokio"] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path(), &["--runtime", runtime]);
        for n in 0..RECORDS {
            let value = format!("\"{}\"", "v".repeat(n * 7));
            let put = request(server.http, "PUT", &record(n), &[], value.as_bytes());
            assert_eq!(put.status, 201);
        }
        let mut all: Vec<Talk> = (0..CONNECTIONS).map(|_| Talk::open(server.http)).collect();
        for turn in 0..4 {
            let stream = |nth: u32| 1 + 2 * (3 * turn + nth);
            let read = |n: usize, nth: u32| (n * 7 + turn as usize + nth as usize) % (2 * RECORDS);
            // What comes while it stands still is ready all at once when it goes on.
            server.signal("-STOP");
            for (n, talk) in all.iter_mut().enumerate() {
                talk.get(stream(0), &record(read(n, 0)));
                match n % 8 {
                    1 => talk.get(stream(1), &record(read(n, 1))),
                    2 => talk.frame(RST_STREAM, 0, stream(0), &[0; 4]),
                    // Its answer is to see the wider window, and so comes before the others'.
                    3 => talk.frame(WINDOW_UPDATE, 0, stream(0), &[0, 0, 0, 1]),
                    4 => talk.put(stream(1)),
                    5 => *talk = Talk::raw(server.http),
                    _ => {}
                }
            }
            server.signal("-CONT");
            for (n, talk) in all.iter_mut().enumerate() {
                match n % 8 {
                    2 => talk.is_alive(),
                    5 => *talk = Talk::open(server.http),
                    _ => {
                        let reply = talk.reply(stream(0));
                        assert!(is_answer_of(read(n, 0), reply), "{runtime}, {n}: {reply:?}");
                    }
                }
            }
        }
    }
}
