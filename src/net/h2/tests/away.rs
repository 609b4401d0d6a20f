//! Requests that others are asked for: open streams until they have told (RFC 9113, section 5.1).

use super::*;

/// What is said once others have told.
fn told(client: &mut Client) -> Vec<Said> {
    OTHERS_TELL.set(true);
    client.say(&[])
}

#[test]
fn what_others_tell_is_written_like_a_look_s_answer() {
    let mut client = Client::new();
    let asked = [get(1, "/away/7"), get(3, "/look/5"), get(5, "/away/9")].concat();
    assert_eq!(client.say(&asked), whole(3, 5), "the others have not told");
    assert_eq!(client.connection.streams.len(), 2);
    let said = told(&mut client);
    assert_eq!(said, whole(1, 7).into_iter().chain(whole(5, 9)).collect::<Vec<_>>());
    assert_eq!(client.connection.streams.len(), 0);
}

#[test]
fn what_others_do_not_answer_gets_a_handler() {
    let mut client = Client::new();
    assert_eq!(client.say(&[get(1, "/away/no"), get(3, "/away/2")].concat()), []);
    let said = told(&mut client);
    assert!(whole(1, 5).iter().chain(&whole(3, 2)).all(|part| said.contains(part)), "{said:?}");
    assert_eq!(said.len(), 4);
    assert_eq!(client.connection.streams.len(), 0);
}

#[test]
fn what_is_taken_back_meanwhile_is_not_answered() {
    for path in ["/away/7", "/away/no"] {
        OTHERS_TELL.set(false);
        let mut client = Client::new();
        assert_eq!(client.say(&[get(1, path), get(3, path)].concat()), []);
        assert_eq!(client.say(&reset(1)), []);
        let said = told(&mut client);
        assert!(said.iter().all(|said| matches!(said, Said::Head(3, ..) | Said::Data(3, ..))));
        assert_eq!((said.len(), client.connection.streams.len()), (2, 0));
    }
}

#[test]
fn answers_of_others_keep_to_the_windows_as_they_are_then() {
    let mut client = Client::with(Limits::default(), &[(4, 10)]);
    assert_eq!(client.say(&get(1, "/away/25")), []);
    assert_eq!(client.say(&window_update(1, 5)), []);
    let said = told(&mut client);
    assert_eq!(said, [Said::Head(1, 200, false), Said::Data(1, 15, false)]);
    assert_eq!(client.say(&window_update(1, 10)), [Said::Data(1, 10, true)]);
    assert_eq!(client.connection.streams.len(), 0);
}

#[test]
fn they_count_as_streams() {
    let limits = Limits { h2_streams: 2, ..Limits::default() };
    let mut client = Client::with(limits, &[]);
    let asked = [get(1, "/away/1"), get(3, "/away/1"), get(5, "/away/1")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(5, Reason::RefusedStream as u32)]);
    assert_eq!(told(&mut client).len(), 4);
}

#[test]
fn a_drain_waits_for_them() {
    let mut client = Client::new();
    assert_eq!(client.say(&get(1, "/away/1")), []);
    client.connection.hang_up();
    assert!(!client.connection.is_over());
    assert_eq!(told(&mut client), whole(1, 1));
    assert!(client.connection.is_over());
}

#[test]
fn of_a_connection_that_broke_off_nothing_is_asked() {
    let mut client = Client::new();
    client.say(&[get(1, "/away/1"), window_update(0, 0)].concat());
    assert!(client.connection.fault().is_some());
    assert!(client.core.away.is_empty(), "the next connection's streams have the same numbers");
    assert!(client.connection.asking.is_none());
}

#[test]
fn no_more_is_told_than_there_is_room_for() {
    let limits = Limits::default();
    let most = limits.h2_send_buffer;
    let mut client = Client::with(limits, &[(4, 1 << 20)]);
    client.say(&window_update(0, 1 << 30));
    let bytes: Vec<u8> =
        (0..64).flat_map(|n| get(2 * n + 1, &format!("/away/{}", 60_000))).collect();
    // Each in a receive of its own, hence told by itself.
    for one in bytes.chunks(bytes.len() / 64) {
        client.connection.receive(&mut client.core, one);
    }
    OTHERS_TELL.set(true);
    client.connection.run(&mut client.core, &mut Context::from_waker(Waker::noop()));
    assert!(client.connection.unsent().len() < most + 2 * 60_000);
    assert!(client.connection.is_held(), "it goes on when that is sent");
    let mut said = client.said();
    while client.connection.is_held() {
        said.extend(client.say(&[]));
    }
    let ended = said.iter().filter(|said| matches!(said, Said::Data(_, _, true)));
    assert_eq!((ended.count(), client.connection.streams.len()), (64, 0));
}

#[test]
fn what_is_taken_back_does_not_gather() {
    let mut client = Client::new();
    for n in 0..5_000 {
        client.say(&get(2 * n + 1, "/away/7"));
        client.say(&reset(2 * n + 1));
    }
    assert_eq!(client.connection.streams.len(), 0);
    let asks = client.connection.asking.as_ref().map_or(0, |asking| asking.len());
    assert!(asks <= 256, "{asks} asks for no stream");
}

#[test]
fn a_peer_that_gives_many_up_at_once_keeps_its_connection() {
    let asked: Vec<u8> = (0..25)
        .flat_map(|n| [post(2 * n + 1, "/length", &[]), reset(2 * n + 1)].concat())
        .collect();
    let mut client = Client::new();
    let said = client.say(&asked);
    assert!(client.connection.fault().is_none(), "{said:?}");
}
