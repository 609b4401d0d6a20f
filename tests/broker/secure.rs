//! A broker that wants TLS, a name and rights: each way of proving a name works, and whatever is
//! missing is told in a line that says what.

use std::thread;

use crate::kafka::node::Place;
use crate::services::Services;

const PARTITIONS: u32 = 2;

/// The namespace `place` as `user` sees it through the listener with TLS and SASL.
fn through(services: &Services, place: &Place, mechanism: &str, user: &str) -> Place {
    let secure = &services.secure;
    let place = place.through(&secure.kafka);
    let place = place.with(&["--kafka-tls-ca", &secure.ca, "--kafka-sasl", mechanism]);
    place.with(&["--kafka-user", user, "--kafka-password-file", &secure.password_file])
}

#[test]
fn names_are_proved_inside_tls() {
    let Some(services) = Services::own() else { return };
    let plain = services.place("secure", PARTITIONS);
    let dir = tempfile::tempdir().unwrap();
    let witness = plain.start(dir.path()).ready();
    for (n, mechanism) in ["plain", "scram-sha-256", "scram-sha-512"].into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let node = through(&services, &plain, mechanism, "pumice").start(dir.path()).ready();
        for side in 0..20 {
            let written = node.put(&format!("{mechanism}/{side}"), &[], &n.to_string());
            assert_eq!(written.status, 201, "{mechanism}: {}", written.text());
            let offsets = written.header("pumice-offsets").unwrap();
            let seen = [("pumice-min-offsets", offsets), ("pumice-timeout-ms", "20000")];
            let read = witness.get(&format!("/v1/records/{mechanism}/{side}"), &seen);
            assert_eq!((read.status, read.text()), (200, n.to_string()), "{mechanism}");
        }
        node.stop();
    }

    let [of_browsers, nameless, in_clear] = [["--kafka-tls"].as_slice(), &[], &[]]
        .map(|flags| plain.through(&services.secure.kafka).with(flags));
    let nameless = nameless.with(&["--kafka-tls-ca", &services.secure.ca]);
    let stranger = through(&services, &plain, "scram-sha-256", "stranger");
    let unknown = through(&services, &plain, "plain", "nobody");
    let starts = [
        (stranger, "TopicAuthorizationFailed; its user needs Describe"),
        (unknown, "user nobody: Authentication failed"),
        (of_browsers, "invalid peer certificate"),
        (nameless, "see --kafka-tls and --kafka-sasl"),
        (in_clear, "does it want TLS, see --kafka-tls?"),
    ];
    thread::scope(|scope| {
        for (place, why) in &starts {
            scope.spawn(move || {
                let dir = tempfile::tempdir().unwrap();
                let refused = place.refused(dir.path());
                assert!(refused.log.contains(why), "no {why:?} in {}", refused.log);
            });
        }
    });
    witness.stop();
}
