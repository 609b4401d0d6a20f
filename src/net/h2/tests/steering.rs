//! SETTINGS, PING, GOAWAY, PRIORITY and what no type names (RFC 9113, sections 3.4, 4.1, 5.5, 6.3,
//! 6.5, 6.7 and 6.8).

use super::*;

#[test]
fn settings_come_first_and_are_acknowledged() {
    let (client, said) = Client::raw(Limits::default());
    let [Said::Settings(settings), Said::Window(0, more)] = &said[..] else { panic!("{said:?}") };
    assert_eq!(settings.len() % 6, 0);
    assert!(*more > 0);
    client.breaks(&get(1, "/1"), Reason::Protocol);
    let (client, _) = Client::raw(Limits::default());
    client.breaks(&frame(kind::SETTINGS, flag::ACK, 0, &[]), Reason::Protocol);
}

#[test]
fn settings_of_a_wrong_shape_end_the_connection() {
    Client::new().breaks(&frame(kind::SETTINGS, 0, 1, &[]), Reason::Protocol);
    Client::new().breaks(&frame(kind::SETTINGS, 0, 0, &[0; 5]), Reason::FrameSize);
    Client::new().breaks(&frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]), Reason::FrameSize);
    Client::new().breaks(&frame(kind::SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]), Reason::Protocol);
    let mut client = Client::new();
    let unknown = frame(kind::SETTINGS, 0, 0, &[0xf0, 1, 0, 0, 0, 9]);
    assert_eq!(client.say(&unknown), [Said::SettingsAck]);
    assert_eq!(client.say(&frame(kind::SETTINGS, flag::ACK, 0, &[])), []);
}

#[test]
fn pings_are_answered_and_answers_are_not() {
    let mut client = Client::new();
    assert_eq!(client.say(&frame(kind::PING, 0, 0, b"whatever")), [Said::Pong(b"whatever".into())]);
    assert_eq!(client.say(&frame(kind::PING, flag::ACK, 0, b"whatever")), []);
    Client::new().breaks(&frame(kind::PING, 0, 1, &[0; 8]), Reason::Protocol);
    Client::new().breaks(&frame(kind::PING, 0, 0, &[0; 7]), Reason::FrameSize);
}

#[test]
fn the_unknown_is_ignored_and_what_clients_must_not_say_is_not() {
    let mut client = Client::new();
    assert_eq!(client.say(&frame(0x42, 0xff, 7, b"extension")), []);
    // Undefined flags and the reserved bit mean nothing.
    let mut ping = frame(kind::PING, 0xf6, 0, &[1; 8]);
    ping[5] |= 0x80;
    assert_eq!(client.say(&ping), [Said::Pong(vec![1; 8])]);
    Client::new().breaks(&frame(kind::PUSH_PROMISE, 4, 1, &[0; 4]), Reason::Protocol);
    Client::new().breaks(&frame(kind::GOAWAY, 0, 1, &[0; 8]), Reason::Protocol);
    Client::new().breaks(&frame(kind::GOAWAY, 0, 0, &[0; 7]), Reason::FrameSize);
    let too_long = frame(kind::DATA, 0, 1, &vec![0; frame::PAYLOAD_MAX + 1]);
    Client::new().breaks(&too_long, Reason::FrameSize);
}

#[test]
fn priorities_are_ignored_once_they_are_well_formed() {
    let mut client = Client::new();
    let priority = [0, 0, 0, 3, 9];
    assert_eq!(client.say(&frame(kind::PRIORITY, 0, 5, &priority)), []);
    let payload = [&priority[..], &request("GET", "/look/1", &[])].concat();
    let flags = flag::PRIORITY | flag::END_HEADERS | flag::END_STREAM;
    assert_eq!(client.say(&frame(kind::HEADERS, flags, 1, &payload)), whole(1, 1));
    Client::new().breaks(&frame(kind::PRIORITY, 0, 0, &priority), Reason::Protocol);
    Client::new().breaks(&frame(kind::PRIORITY, 0, 5, &[0; 4]), Reason::FrameSize);
    Client::new().breaks(&frame(kind::PRIORITY, 0, 3, &priority), Reason::Protocol);
}

#[test]
fn a_drain_serves_what_the_peer_had_not_heard_of() {
    let mut client = Client::new();
    client.connection.leave();
    let said = client.say(&get(1, "/never"));
    let [Said::Goaway(frame::STREAM_MAX, 0), Said::Ping(opaque)] = &said[..] else {
        panic!("{said:?}")
    };
    let heard = frame(kind::PING, flag::ACK, 0, opaque);
    let late = [heard, get(3, "/1"), frame(kind::DATA, 0, 3, b"x")].concat();
    assert_eq!(client.say(&late), [Said::Goaway(1, 0)]);
    assert!(!client.connection.is_over());
    assert_eq!(client.say(&reset(1)), []);
    assert!(client.connection.is_over() && client.connection.fault().is_none());
}

#[test]
fn a_drain_waits_for_no_body_whose_request_is_answered() {
    let mut client = Client::new();
    assert_eq!(client.say(&post(1, "/4", &[])), whole(1, 4));
    client.connection.leave();
    assert_eq!(client.say(&[]).len(), 2);
    let heard = frame(kind::PING, flag::ACK, 0, &super::super::connection::HAS_HEARD);
    let stopped = Said::Reset(1, Reason::No as u32);
    assert_eq!(client.say(&heard), [stopped, Said::Goaway(1, 0)]);
    assert!(client.connection.is_over());
}

#[test]
fn a_peer_that_hung_up_still_gets_the_replies_that_it_has_room_for() {
    let mut client = Client::new();
    let asked = [get(1, "/20"), get(3, "/70000")].concat();
    assert_eq!(client.connection.receive(&mut client.core, &asked), asked.len());
    client.connection.hang_up();
    assert!(!client.connection.is_over());
    let said = client.say(&[]);
    assert!(said.contains(&Said::Data(1, 20, true)), "{said:?}");
    // It cannot give room for the rest any more.
    let large = said.iter().map(|said| if let Said::Data(3, n, false) = said { *n } else { 0 });
    assert_eq!(large.sum::<usize>(), 65_535 - 20);
    assert!(client.connection.is_over());
}

#[test]
fn a_peer_that_hung_up_is_not_waited_for() {
    let mut client = Client::with(Limits::default(), &[(4, 10)]);
    assert_eq!(client.say(&[get(1, "/20"), get(3, "/look/20")].concat()).len(), 4);
    client.connection.hang_up();
    assert_eq!(client.say(&[]), []);
    assert!(client.connection.is_over());
}
