//! Reads that are answered together (RFC 9113, section 8.1; the tables of RFC 7541).

use super::*;

#[test]
fn reads_of_one_receive_are_answered_each_once() {
    let mut client = Client::new();
    let asked: Vec<u8> = (0..300).flat_map(|n| get(2 * n + 1, &format!("/look/{n}"))).collect();
    let said = client.say(&asked);
    let mut wanted: Vec<_> = (0..300).flat_map(|n| whole(2 * n + 1, n as usize)).collect();
    wanted[0] = Said::Head(1, 200, true);
    wanted.remove(1);
    assert_eq!(said, wanted);
    assert_eq!(client.connection.streams.len(), 0);
}

#[test]
fn a_handler_s_answer_and_a_look_s_come_side_by_side() {
    let mut client = Client::new();
    let flags = flag::END_HEADERS | flag::END_STREAM;
    let head = request("GET", "/look/5", &[("if-match", "*")]);
    let with_field = frame(kind::HEADERS, flags, 3, &head);
    let asked = [get(1, "/7"), with_field, get(5, "/look/5")].concat();
    let mut said = client.say(&asked);
    assert_eq!(said.drain(..2).collect::<Vec<_>>(), whole(5, 5));
    assert!(said.contains(&Said::Data(1, 7, true)) && said.contains(&Said::Head(3, 200, true)));
}

#[test]
fn a_receive_may_end_anywhere() {
    let asked: Vec<u8> =
        (0..40).flat_map(|n| get(2 * n + 1, if n % 3 == 0 { "/3" } else { "/look/3" })).collect();
    for step in [1, 7, 64, 65, 1_000] {
        let (mut client, mut rest, mut said) = (Client::new(), Vec::new(), 0);
        for part in asked.chunks(step) {
            rest.extend_from_slice(part);
            let done = client.connection.receive(&mut client.core, &rest);
            rest.drain(..done);
            said += client.say(&[]).len();
        }
        assert_eq!((said, rest.len()), (80, 0), "in steps of {step}");
    }
}

#[test]
fn no_more_is_read_while_too_much_waits_to_be_sent() {
    let limits = Limits { h2_send_buffer: 1_000, h2_streams: 4, ..Limits::default() };
    let mut client = Client::with(limits, &[]);
    let asked: Vec<u8> = (0..40).flat_map(|n| get(2 * n + 1, "/look/500")).collect();
    let done = client.connection.receive(&mut client.core, &asked);
    assert!(done < asked.len() / 2, "{done} of {} bytes were read", asked.len());
    assert!(client.connection.is_full() && client.connection.unsent().len() < 4_000);
    assert_eq!(client.said().len() + client.say(&asked[done..]).len(), 80);
}

#[test]
fn a_request_that_is_taken_back_is_not_answered() {
    let mut client = Client::new();
    let asked = [get(1, "/look/1"), get(3, "/look/1"), reset(1)].concat();
    assert_eq!(client.say(&asked), whole(3, 1));
}

#[test]
fn heads_follow_the_size_of_the_peer_s_table() {
    for size in [0, 64, 4_096, 1 << 20] {
        let mut client = Client::with(Limits::default(), &[(1, size)]);
        for n in 0..5 {
            assert_eq!(client.say(&get(2 * n + 1, "/look/1")), whole(2 * n + 1, 1));
        }
    }
}

#[test]
fn large_answers_are_made_a_few_at_a_time() {
    let mut client = Client::with(Limits::default(), &[(4, 1 << 30)]);
    client.say(&window_update(0, 1 << 30));
    let asked: Vec<u8> = (0..100).flat_map(|n| get(2 * n + 1, "/look/900000")).collect();
    let done = client.connection.receive(&mut client.core, &asked);
    assert!(done < asked.len() / 2, "{done} of {} bytes were read", asked.len());
    assert!(client.connection.unsent().len() < 10 << 20);
}

#[test]
fn small_windows_do_not_end_an_honest_connection() {
    let mut client = Client::new();
    for n in 0..40 {
        client.say(&get(2 * n + 1, "/look/60000"));
        // Room for each 4 KiB, twice.
        for _ in 0..60_000 / 4_096 + 1 {
            client.say(&[window_update(0, 4_096), window_update(2 * n + 1, 4_096)].concat());
        }
    }
    assert!(client.connection.fault().is_none());
}
