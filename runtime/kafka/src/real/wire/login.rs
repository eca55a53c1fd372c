//! SASL on a connection: SaslHandshake names the mechanism, SaslAuthenticate carries its messages (KIP-152); a session that is
//! bounded in time is renewed on the same connection (KIP-368).

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

use super::{Connection, Deadline, name_of};
use crate::real::security::{Exchange, Sasl};
use crate::{Error, ErrorKind, Result};

/// A session is renewed when this much of its time is over.
const RENEW_AT: f64 = 0.85;
const UNSUPPORTED_MECHANISM: i16 = 33;

/// Logs in. When the session has to be renewed, if ever.
///
/// # Errors
/// `Authentication` if the broker refuses; those of the connection.
pub(super) fn log_in(connection: &mut Connection, sasl: &Sasl, deadline: Deadline) -> Result<Option<Instant>> {
    let mechanism = sasl.mechanism().name();
    let address = connection.address().to_owned();
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let answer = connection.exchange(&request, 1, deadline)?;
    match answer.error_code {
        0 => {}
        UNSUPPORTED_MECHANISM => {
            let offered: Vec<&str> = answer.mechanisms.iter().map(|name| name.as_str()).collect();
            return Err(Error::new(
                ErrorKind::Authentication,
                format!(
                    "{address}: sasl.mechanism {mechanism} is not enabled on this listener; it offers {}",
                    offered.join(", ")
                ),
            ));
        }
        code => {
            let text = format!("{address}: SASL handshake: {} ({code})", name_of(code));
            return Err(Error::new(ErrorKind::Authentication, text));
        }
    }
    let begun = Instant::now();
    let mut conversation = Conversation {
        connection,
        deadline,
        lifetime: Duration::ZERO,
    };
    sasl.converse(&mut conversation, deadline.remaining())
        .map_err(|error| match error.kind() {
            ErrorKind::Authentication => {
                error.context(format_args!("{address}: {} is refused ({mechanism})", sasl.who()))
            }
            _ => error,
        })?;
    let lifetime = conversation.lifetime;
    Ok((!lifetime.is_zero()).then(|| begun + lifetime.mul_f64(RENEW_AT)))
}

struct Conversation<'a> {
    connection: &'a mut Connection,
    deadline: Deadline,
    lifetime: Duration,
}

impl Exchange for Conversation<'_> {
    fn step(&mut self, message: Vec<u8>) -> Result<Bytes> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let answer = self.connection.exchange(&request, 2, self.deadline)?;
        if answer.error_code != 0 {
            let text = match answer.error_message.as_deref() {
                Some(text) if !text.is_empty() => text.to_owned(),
                _ => name_of(answer.error_code),
            };
            return Err(Error::new(ErrorKind::Authentication, text));
        }
        self.lifetime = Duration::from_millis(u64::try_from(answer.session_lifetime_ms).unwrap_or(0));
        Ok(answer.auth_bytes)
    }
}
