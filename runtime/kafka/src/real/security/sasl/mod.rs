//! The conversations by which a client proves who it is. Whom they are held with is the caller's business.

mod oauth;
mod scram;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Secret;
use super::settings::Mechanism;
use super::token::TokenProvider;
use crate::{Error, ErrorKind, Result};

pub(crate) use scram::Hash;

/// What a client proves who it is with.
pub(crate) enum Sasl {
    Plain { user: String, password: Secret },
    Scram { hash: Hash, user: String, password: Secret },
    OAuthBearer(Arc<TokenProvider>),
}

/// One step of a conversation: what the client sends, and what the broker answers.
pub(crate) trait Exchange {
    /// Sends a SASL message and waits for the answer.
    fn step(&mut self, message: Vec<u8>) -> Result<Bytes>;
}

impl Sasl {
    pub(crate) fn mechanism(&self) -> Mechanism {
        match self {
            Self::Plain { .. } => Mechanism::Plain,
            Self::Scram { hash: Hash::Sha256, .. } => Mechanism::ScramSha256,
            Self::Scram { hash: Hash::Sha512, .. } => Mechanism::ScramSha512,
            Self::OAuthBearer(_) => Mechanism::OAuthBearer,
        }
    }

    /// Who logs in, for messages.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::Plain { user, .. } | Self::Scram { user, .. } => format!("user {user}"),
            Self::OAuthBearer(provider) => format!("the token of client {}", provider.client_id()),
        }
    }

    /// Holds the whole conversation. An answer that refuses comes as an error from `exchange`.
    ///
    /// # Errors
    /// Those of `exchange` and of the token endpoint; `Authentication` if the broker does not prove who it is.
    pub(crate) fn converse(&self, exchange: &mut dyn Exchange, timeout: Duration) -> Result<()> {
        match self {
            Self::Plain { user, password } => {
                let message = format!("\0{user}\0{}", password.expose());
                exchange.step(message.into_bytes()).map(|_| ())
            }
            Self::Scram { hash, user, password } => scram::converse(*hash, user, password, exchange),
            Self::OAuthBearer(provider) => oauth::converse(&provider.token(timeout)?, exchange),
        }
    }
}

fn refused(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Authentication, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_one_message() {
        struct Expecting;
        impl Exchange for Expecting {
            fn step(&mut self, message: Vec<u8>) -> Result<Bytes> {
                assert_eq!(message, b"\0app\0hush");
                Ok(Bytes::new())
            }
        }
        let sasl = Sasl::Plain {
            user: "app".to_owned(),
            password: Secret::new("hush"),
        };
        sasl.converse(&mut Expecting, Duration::from_secs(1)).unwrap();
        assert_eq!((sasl.mechanism().name(), &*sasl.who()), ("PLAIN", "user app"));
    }
}
