//! Many connections that ask in the same moment, whose reads the server answers by one look.

use crate::server::keepalive::Connection;
use crate::{RECORDS, Seen, get, record, seen, start};

/// More than the server looks for at once, and more than it lets wait.
const CONNECTIONS: usize = 300;

/// What a connection sends while the server stands still: the reads it asks for, and how.
fn asked(n: usize, turn: usize) -> (Vec<usize>, String) {
    let first = (n * 7 + turn * 13) % (2 * RECORDS);
    let reads = match n % 10 {
        1 => vec![first, (first + 1) % (2 * RECORDS), 0],
        2 => vec![first, 3],
        _ => vec![first],
    };
    let text = reads.iter().map(|&read| get(&record(read))).collect();
    (reads, text)
}

#[test]
fn all_who_ask_at_once_have_their_own_answers() {
    for runtime in ["auto", "tokio"] {
        let dir = tempfile::tempdir().unwrap();
        let server = start(&dir, &["--runtime", runtime]);
        let mut alone = Connection::open(server.http);
        let wanted: Vec<Seen> = (0..2 * RECORDS)
            .map(|n| {
                alone.send(get(&record(n)).as_bytes()).unwrap();
                seen(alone.reply(true).unwrap())
            })
            .collect();
        let open = || Connection::open(server.http);
        let mut all: Vec<Connection> = (0..CONNECTIONS).map(|_| open()).collect();
        for turn in 0..4 {
            // What comes while it stands still is ready all at once when it goes on.
            server.signal("-STOP");
            for (n, connection) in all.iter_mut().enumerate() {
                let (_, text) = asked(n, turn);
                let end = if n % 10 == 3 { text.len() - 5 } else { text.len() };
                connection.send(&text.as_bytes()[..end]).unwrap();
                if n % 10 == 4 {
                    // It goes without its answer.
                    *connection = open();
                }
            }
            server.signal("-CONT");
            for (n, connection) in all.iter_mut().enumerate().filter(|(n, _)| n % 10 != 4) {
                let (reads, text) = asked(n, turn);
                if n % 10 == 3 {
                    connection.send(&text.as_bytes()[text.len() - 5..]).unwrap();
                }
                for read in reads {
                    assert_eq!(seen(connection.reply(true).unwrap()), wanted[read], "{runtime}");
                }
            }
        }
        assert!(server.stop().success());
    }
}

#[test]
fn all_who_have_asked_are_answered_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut all: Vec<_> = (0..50).map(|_| Connection::open(server.http)).collect();
    for connection in &mut all {
        connection.send(get(&record(1)).as_bytes()).unwrap();
        assert_eq!(connection.reply(true).unwrap().status, 200);
    }
    server.signal("-STOP");
    for connection in &mut all {
        connection.send(get(&record(2)).as_bytes()).unwrap();
    }
    server.terminate();
    server.signal("-CONT");
    for connection in &mut all {
        assert_eq!(connection.reply(true).unwrap().status, 200);
    }
    let mut server = server;
    assert!(server.wait().success());
}
