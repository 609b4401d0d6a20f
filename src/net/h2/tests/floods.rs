//! Frames that ask for much and bring little: each kind ends with ENHANCE_YOUR_CALM, and none of
//! them makes the connection hold more (RFC 9113, section 10.5).

use super::*;

/// Says `part` until the connection ends, which it must before `most` times.
fn floods(mut client: Client, part: &[u8], most: usize) {
    for _ in 0..most {
        if let Some(Said::Goaway(_, code)) = client.say(part).last() {
            assert_eq!(*code, Reason::EnhanceYourCalm as u32);
            return;
        }
    }
    panic!("all of it was taken");
}

#[test]
fn frames_without_work_are_counted() {
    let mut posting = Client::new();
    assert_eq!(posting.say(&post(1, "/length", &[])), []);
    floods(posting, &frame(kind::DATA, 0, 1, &[]), 10_000);
    for part in [
        frame(kind::PING, 0, 0, &[0; 8]),
        frame(kind::PING, flag::ACK, 0, &[0; 8]),
        frame(kind::SETTINGS, 0, 0, &[]),
        frame(kind::SETTINGS, flag::ACK, 0, &[]),
        frame(kind::PRIORITY, 0, 3, &[0; 5]),
        window_update(0, 1),
        frame(0x42, 0, 0, &[]),
    ] {
        floods(Client::new(), &part, 10_000);
    }
}

#[test]
fn work_pays_for_them() {
    let mut client = Client::new();
    for n in 0..5_000 {
        let asked = [get(2 * n + 1, "/look/1"), frame(kind::PING, 0, 0, &[0; 8])].concat();
        assert_eq!(client.say(&asked).len(), 3);
    }
}

#[test]
fn streams_reset_before_they_are_looked_at_are_counted() {
    for path in ["/never", "/look/1", "/away/1"] {
        let asked: Vec<u8> =
            (0..300).flat_map(|n| [get(2 * n + 1, path), reset(2 * n + 1)].concat()).collect();
        Client::new().breaks(&asked, Reason::EnhanceYourCalm);
    }
    // One in a receive, which any client may do.
    let mut client = Client::new();
    for n in 0..1_000 {
        let asked = [get(2 * n + 1, "/never"), reset(2 * n + 1)].concat();
        assert_eq!(client.say(&asked), []);
    }
}

#[test]
fn streams_reset_for_the_peer_s_faults_are_counted() {
    let mut client = Client::with(Limits { h2_error_resets: 10, ..Limits::default() }, &[]);
    for n in 0..10 {
        let asked = [get(2 * n + 1, "/never"), window_update(2 * n + 1, 0)].concat();
        assert_eq!(client.say(&asked), [Said::Reset(2 * n + 1, Reason::Protocol as u32)]);
    }
    client.breaks(&[get(21, "/never"), window_update(21, 0)].concat(), Reason::EnhanceYourCalm);
}
