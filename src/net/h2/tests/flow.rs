//! Flow control in both directions (RFC 9113, sections 5.2, 6.5.2 and 6.9), and bodies.

use super::*;

const DATA: u8 = kind::DATA;

#[test]
fn replies_keep_to_the_stream_s_window_and_go_on_when_it_opens() {
    for path in ["/look/25", "/25"] {
        let mut client = Client::with(Limits::default(), &[(4, 10)]);
        let said = client.say(&get(1, path));
        // A look's body that does not fit goes the way of all others.
        assert_eq!(said, [Said::Head(1, 200, false), Said::Data(1, 10, false)]);
        assert_eq!(client.say(&window_update(1, 5)), [Said::Data(1, 5, false)]);
        // Settings open the windows of streams that are there.
        let mut settings = Vec::new();
        frame::settings(&mut settings, &[(4, 20)]);
        assert_eq!(client.say(&settings), [Said::SettingsAck, Said::Data(1, 10, true)]);
        assert_eq!(client.connection.streams.len(), 0);
    }
}

#[test]
fn settings_can_take_a_window_below_zero() {
    let mut client = Client::with(Limits::default(), &[(4, 10)]);
    assert_eq!(client.say(&get(1, "/20")).len(), 2);
    let mut settings = Vec::new();
    frame::settings(&mut settings, &[(4, 3)]);
    assert_eq!(client.say(&settings), [Said::SettingsAck]);
    assert_eq!(client.say(&window_update(1, 7)), []);
    assert_eq!(client.say(&window_update(1, 1)), [Said::Data(1, 1, false)]);
}

#[test]
fn replies_keep_to_the_connection_s_window() {
    let mut client = Client::with(Limits::default(), &[(4, 1 << 20)]);
    let said =
        client.say(&[get(1, "/look/60000"), get(3, "/look/60000"), get(5, "/60000")].concat());
    let sent = |said: &[Said]| {
        let bytes = said.iter().map(|said| if let Said::Data(_, n, _) = said { *n } else { 0 });
        bytes.sum::<usize>()
    };
    assert_eq!(sent(&said), 65_535);
    assert_eq!(sent(&client.say(&window_update(0, 1_000))), 1_000);
    assert_eq!(sent(&client.say(&window_update(0, 1 << 20))), 180_000 - 66_535);
    assert_eq!(client.connection.streams.len(), 0);
}

#[test]
fn a_window_that_opens_before_the_answer_counts() {
    let mut client = Client::with(Limits::default(), &[(4, 10)]);
    let asked = [get(1, "/look/25"), window_update(1, 15)].concat();
    let said = client.say(&asked);
    let parts: Vec<_> = said.iter().filter(|said| matches!(said, Said::Data(..))).collect();
    assert_eq!(parts.last(), Some(&&Said::Data(1, 25, true)), "{said:?}");
}

#[test]
fn windows_that_break_the_rules_end_their_stream_or_the_connection() {
    Client::new().breaks(&window_update(0, 0), Reason::Protocol);
    Client::new().breaks(&window_update(0, frame::STREAM_MAX), Reason::FlowControl);
    Client::new().breaks(&frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3]), Reason::FrameSize);
    Client::new().breaks(&window_update(1, 1), Reason::Protocol);
    let mut client = Client::new();
    let asked = [get(1, "/never"), window_update(1, 0)].concat();
    assert_eq!(client.say(&asked), [Said::Reset(1, Reason::Protocol as u32)]);
    let asked = [get(3, "/never"), window_update(3, frame::STREAM_MAX)].concat();
    assert_eq!(client.say(&asked), [Said::Reset(3, Reason::FlowControl as u32)]);
    let mut settings = get(5, "/never");
    settings.extend(window_update(5, frame::STREAM_MAX - 65_535));
    frame::settings(&mut settings, &[(4, 65_536)]);
    client.breaks(&settings, Reason::FlowControl);
}

#[test]
fn frames_are_no_longer_than_the_peer_takes() {
    let mut client = Client::with(Limits::default(), &[]);
    let said = client.say(&[get(1, "/look/40000"), get(3, "/20000")].concat());
    let longest = said.iter().map(|said| if let Said::Data(_, n, _) = said { *n } else { 0 }).max();
    assert_eq!(longest, Some(16_384));
    let mut client = Client::with(Limits::default(), &[(5, 50_000)]);
    assert_eq!(client.say(&get(1, "/look/40000")), whole(1, 40_000));
}

#[test]
fn a_body_is_taken_and_the_peer_told_of_new_room() {
    let limits =
        Limits { h2_stream_window: 100, h2_connection_window: 65_535, ..Limits::default() };
    let mut client = Client::with(limits, &[]);
    assert_eq!(client.say(&post(1, "/length", &[])), []);
    assert_eq!(client.say(&frame(DATA, 0, 1, &[0; 40])), []);
    assert_eq!(client.say(&frame(DATA, 0, 1, &[0; 40])), [Said::Window(1, 80)]);
    // Padding takes room as well, and is given back at once.
    let padded = [&[20][..], &[0; 60]].concat();
    assert_eq!(client.say(&frame(DATA, flag::PADDED, 1, &padded)), [Said::Window(1, 61)]);
    let said = client.say(&frame(DATA, flag::END_STREAM, 1, &[0; 1]));
    assert_eq!(said, whole(1, "121".len()));
}

#[test]
fn data_beyond_a_window_is_refused() {
    let limits =
        Limits { h2_stream_window: 100, h2_connection_window: 65_535, ..Limits::default() };
    let mut client = Client::with(limits, &[]);
    let asked = [post(1, "/never", &[]), frame(DATA, 0, 1, &[0; 101])].concat();
    assert_eq!(client.say(&asked), [Said::Reset(1, Reason::FlowControl as u32)]);
    let limits = Limits { h2_connection_window: 65_535, ..Limits::default() };
    let part = frame(DATA, 0, 1, &[0; 16_384]);
    let asked = [post(1, "/never", &[]), part.repeat(4)].concat();
    Client::with(limits, &[]).breaks(&asked, Reason::FlowControl);
}

#[test]
fn what_nobody_reads_is_given_back_to_the_connection() {
    let limits = Limits { h2_connection_window: 65_535, ..Limits::default() };
    let mut client = Client::with(limits, &[]);
    let part = frame(DATA, 0, 1, &[0; 16_000]);
    assert_eq!(client.say(&[post(1, "/never", &[]), part.repeat(3)].concat()), []);
    assert_eq!(client.say(&reset(1)), [Said::Window(0, 48_000)]);
}

#[test]
fn a_body_is_as_long_as_declared() {
    let mut client = Client::new();
    let last = flag::END_STREAM;
    let protocol = Reason::Protocol as u32;
    let declared = [("content-length", "3")];
    let asked = [post(1, "/length", &declared), frame(DATA, last, 1, b"abc")].concat();
    assert_eq!(client.say(&asked), whole(1, 1));
    let asked = [post(3, "/length", &declared), frame(DATA, last, 3, b"ab")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(3, protocol)]);
    let asked = [post(5, "/length", &declared), frame(DATA, 0, 5, b"abcd")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(5, protocol)]);
    let head = request("POST", "/length", &declared);
    let asked = frame(kind::HEADERS, flag::END_HEADERS | last, 7, &head);
    assert_eq!(client.say(&asked), [Said::Reset(7, protocol)]);
}

#[test]
fn a_peer_is_told_to_go_on_and_to_stop() {
    let mut client = Client::new();
    let expects = [("expect", "100-continue")];
    assert_eq!(client.say(&post(1, "/length", &expects)), [Said::Head(1, 100, false)]);
    assert_eq!(client.say(&frame(DATA, flag::END_STREAM, 1, b"a")), whole(1, 1));
    // Answered before the body has ended: half a window of the rest is looked through.
    let limits = Limits { h2_stream_window: 100, ..Limits::default() };
    let mut client = Client::with(limits, &[]);
    assert_eq!(client.say(&post(1, "/4", &[])), whole(1, 4));
    assert_eq!(client.say(&frame(DATA, 0, 1, &[0; 50])), []);
    let stopped = Said::Reset(1, Reason::No as u32);
    assert_eq!(client.say(&frame(DATA, 0, 1, &[0; 1])), [stopped]);
    assert_eq!(client.say(&frame(DATA, 0, 1, b"on its way")), []);
    let declared = [("content-length", "3")];
    assert_eq!(client.say(&post(3, "/4", &declared)), whole(3, 4));
    assert_eq!(client.say(&frame(DATA, flag::END_STREAM, 3, b"abc")), []);
    assert_eq!(client.say(&post(5, "/4", &declared)), whole(5, 4));
    let wrong = Said::Reset(5, Reason::Protocol as u32);
    assert_eq!(client.say(&frame(DATA, flag::END_STREAM, 5, b"ab")), [wrong]);
    assert_eq!(client.connection.streams.len(), 0);
}
