//! Proving a name to a broker: PLAIN and SCRAM in Kafka's frames (KIP-43, KIP-152). Log's thread;
//! a password goes nowhere but into the exchange.

use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use rsasl::config::SASLConfig;
use rsasl::prelude::{Mechname, SASLClient, Session};

use super::call::Versions;
use super::{Connection, Fault};
use crate::settings::{KafkaSasl, SaslMechanism};

/// Proves who we are, or says how the broker turned us away.
pub async fn prove(connection: &mut Connection, who: &KafkaSasl) -> Result<(), Fault> {
    let mechanism = match who.mechanism {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    let handshake =
        SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let spoken = version::<SaslHandshakeRequest>(connection)?;
    let offered = connection.exchange(&handshake, spoken).await?;
    if offered.error_code != 0 {
        let offered: Vec<&str> = offered.mechanisms.iter().map(StrBytes::as_str).collect();
        let why = format!("it offers SASL {}, not {mechanism}", offered.join(", "));
        return Err(turned_away(connection, why));
    }
    let mut session = session(mechanism, who).map_err(|why| turned_away(connection, why))?;
    let spoken = version::<SaslAuthenticateRequest>(connection)?;
    let mut received: Option<Bytes> = None;
    loop {
        let mut sent = Vec::new();
        let state = session.step(received.as_deref(), &mut sent);
        let state = state.map_err(|fault| turned_away(connection, fault.to_string()))?;
        if state.has_sent_message() {
            let step = SaslAuthenticateRequest::default().with_auth_bytes(sent.into());
            let answer = connection.exchange(&step, spoken).await?;
            if answer.error_code != 0 {
                let why = answer.error_message.map(|text| text.to_string());
                let why = why.unwrap_or_else(|| format!("SASL error {}", answer.error_code));
                return Err(turned_away(connection, format!("user {}: {why}", who.user)));
            }
            received = Some(answer.auth_bytes);
        }
        if state.is_finished() {
            return Ok(());
        }
    }
}

fn session(mechanism: &str, who: &KafkaSasl) -> Result<Session, String> {
    let (user, password) = (who.user.clone(), who.password.reveal().to_owned());
    let config = SASLConfig::with_credentials(None, user, password).map_err(|f| f.to_string())?;
    let name = Mechname::parse(mechanism.as_bytes()).map_err(|fault| fault.to_string())?;
    SASLClient::new(config).start_suggested(&[name]).map_err(|fault| fault.to_string())
}

fn version<R: Versions>(connection: &Connection) -> Result<i16, Fault> {
    let unspoken = || Fault::Unspoken { broker: connection.broker().to_owned(), what: R::NAME };
    connection.speaks::<R>().ok_or_else(unspoken)
}

fn turned_away(connection: &Connection, why: String) -> Fault {
    Fault::TurnedAway { broker: connection.broker().to_owned(), why }
}
