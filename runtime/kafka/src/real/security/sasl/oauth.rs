//! OAUTHBEARER (RFC 7628): the token goes over; a refusal comes with a reason and wants one more message.

use super::super::token::Token;
use super::{Exchange, refused};
use crate::Result;

pub(super) fn converse(token: &Token, exchange: &mut dyn Exchange) -> Result<()> {
    let message = format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", token.value.expose());
    let answer = exchange.step(message.into_bytes())?;
    if answer.is_empty() {
        return Ok(());
    }
    // The broker gives its reason, and ends the conversation at the next message.
    let reason = String::from_utf8_lossy(&answer).into_owned();
    match exchange.step(vec![1]) {
        Ok(_) => Err(refused(format!("the broker refuses the token: {reason}"))),
        Err(error) => Err(error.context(format_args!("the broker refuses the token: {reason}"))),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::ErrorKind;

    struct Broker {
        takes: bool,
        heard: Vec<Vec<u8>>,
    }

    impl Exchange for Broker {
        fn step(&mut self, message: Vec<u8>) -> Result<Bytes> {
            self.heard.push(message);
            match (self.takes, self.heard.len()) {
                (true, 1) => Ok(Bytes::new()),
                (false, 1) => Ok(Bytes::from_static(br#"{"status":"invalid_token"}"#)),
                _ => Err(refused("SaslAuthenticationFailed")),
            }
        }
    }

    #[test]
    fn the_token_goes_over_and_a_refusal_brings_its_reason() {
        let token = Token::for_tests("abc.def.ghi");
        let mut broker = Broker {
            takes: true,
            heard: Vec::new(),
        };
        converse(&token, &mut broker).unwrap();
        assert_eq!(broker.heard, [b"n,,\x01auth=Bearer abc.def.ghi\x01\x01".to_vec()]);
        let mut broker = Broker {
            takes: false,
            heard: Vec::new(),
        };
        let error = converse(&token, &mut broker).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.to_string().contains("invalid_token") && !error.to_string().contains("abc.def"));
        assert_eq!(broker.heard[1], [1]);
    }
}
