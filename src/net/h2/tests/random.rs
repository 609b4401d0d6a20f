//! Whatever a peer says, in whatever order: the server says whole frames only, about streams that
//! the peer opened, ends each once, and stays within the windows it was given.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// The least of what clients begin with, so that windows matter.
const WINDOW: u32 = 65_535;

/// Frames of any kind, mostly of a shape that is not refused at once.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![8 => (0..12_u32).prop_map(|n| 2 * n + 1), 1 => 0..24_u32];
    let path = prop_oneof![
        Just("/look/0"),
        Just("/look/70000"),
        Just("/5"),
        Just("/90000"),
        Just("/length"),
        Just("/never")
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        6 => (stream.clone(), path.clone()).prop_map(|(id, path)| get(id, path)),
        3 => (stream.clone(), path).prop_map(|(id, path)| post(id, path, &[])),
        3 => (stream.clone(), any::<bool>(), bytes.clone())
            .prop_map(|(id, last, bytes)| frame(kind::DATA, u8::from(last), id, &bytes)),
        2 => (prop_oneof![stream.clone(), Just(0)], 0..100_000_u32)
            .prop_map(|(id, more)| window_update(id, more)),
        1 => stream.clone().prop_map(reset),
        1 => (1..7_u16, 0..80_000_u32).prop_map(|setting| {
            let mut bytes = Vec::new();
            frame::settings(&mut bytes, &[setting]);
            bytes
        }),
        1 => (0..12_u8, any::<u8>(), stream, bytes)
            .prop_map(|(kind, flags, id, bytes)| frame(kind, flags, id, &bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_said_is_answered_within_the_rules(
        frames in prop::collection::vec(any_frame(), 1..60),
        at_once in 1..8_usize,
    ) {
        let mut client = Client::new();
        let (mut opened, mut ended) = (BTreeSet::new(), BTreeSet::new());
        let (mut granted, mut taken) = (u64::from(WINDOW), 0_u64);
        let mut heads: BTreeMap<u32, usize> = BTreeMap::new();
        for receive in frames.chunks(at_once) {
            for frame in receive {
                let head = Head::parse(frame).unwrap();
                opened.extend((head.kind == kind::HEADERS).then_some(head.stream));
                if head.kind == kind::WINDOW_UPDATE && head.stream == 0 {
                    let more = frame.get(frame::HEAD..frame::HEAD + 4);
                    let more = more.map_or(0, |m| u32::from_be_bytes(m.try_into().unwrap()));
                    granted += u64::from(more);
                }
            }
            for said in client.say(&receive.concat()) {
                match said {
                    Said::Head(id, status, is_last) => {
                        prop_assert!(opened.contains(&id) && !ended.contains(&id));
                        *heads.entry(id).or_default() += usize::from(status >= 200);
                        ended.extend(is_last.then_some(id));
                    }
                    Said::Data(id, length, is_last) => {
                        prop_assert!(heads.contains_key(&id) && !ended.contains(&id));
                        taken += length as u64;
                        ended.extend(is_last.then_some(id));
                    }
                    _ => {}
                }
            }
            prop_assert!(taken <= granted, "{} of {}", taken, granted);
            prop_assert!(heads.values().all(|&count| count <= 1));
        }
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut client = Client::new();
        // Lengths that fit, so that more than one frame is looked at.
        let mut framed = bytes;
        for at in (0..framed.len()).step_by(24) {
            framed[at..].iter_mut().take(2).for_each(|byte| *byte = 0);
            if let Some(length) = framed.get_mut(at + 2) {
                *length = 15;
            }
        }
        client.say(&framed);
    }
}
