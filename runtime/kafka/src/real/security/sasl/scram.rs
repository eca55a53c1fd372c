//! SCRAM (RFC 5802, RFC 7677): client and broker prove to each other that they know the password, without sending it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::super::Secret;
use super::{Exchange, refused};
use crate::{Error, ErrorKind, Result};

/// Fewer rounds than this make guessing cheap (RFC 7677); Java's clients refuse them too.
const FEWEST_ROUNDS: usize = 4096;
/// More than this would only keep the client busy.
const MOST_ROUNDS: usize = 10_000_000;

/// The hash that a mechanism is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> std::result::Result<Vec<u8>, ErrorStack> {
        Signer::new(self.digest(), &*PKey::hmac(key)?)?.sign_oneshot_to_vec(text)
    }
}

pub(super) fn converse(hash: Hash, user: &str, password: &Secret, exchange: &mut dyn Exchange) -> Result<()> {
    let mut nonce = [0; 24];
    openssl::rand::rand_bytes(&mut nonce).map_err(|error| broken(&error))?;
    with_nonce(hash, user, password, &STANDARD.encode(nonce), exchange)
}

fn with_nonce(hash: Hash, user: &str, password: &Secret, nonce: &str, exchange: &mut dyn Exchange) -> Result<()> {
    let name = user.replace('=', "=3D").replace(',', "=2C");
    let first_bare = format!("n={name},r={nonce}");
    let answer = exchange.step(format!("n,,{first_bare}").into_bytes())?;
    let server_first = text(&answer)?;
    let Challenge { nonce, salt, rounds } = Challenge::read(server_first, nonce)?;

    let without_proof = format!("c=biws,r={nonce}");
    let signed = format!("{first_bare},{server_first},{without_proof}");
    let (proof, expected) =
        proofs(hash, password.expose(), &salt, rounds, signed.as_bytes()).map_err(|error| broken(&error))?;
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    let answer = exchange.step(last.into_bytes())?;
    let server_last = text(&answer)?;
    if let Some(reason) = server_last.strip_prefix("e=") {
        return Err(refused(format!("the broker refuses it: {reason}")));
    }
    let signature = server_last
        .strip_prefix("v=")
        .and_then(|rest| rest.split(',').next())
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .ok_or_else(|| refused("the broker's last SCRAM message cannot be read"))?;
    if signature.len() == expected.len() && openssl::memcmp::eq(&signature, &expected) {
        Ok(())
    } else {
        Err(refused(
            "the broker does not know the password that it checked: it is not the broker that it claims to be",
        ))
    }
}

/// The client's proof, and the signature that the broker must answer with.
fn proofs(
    hash_of: Hash,
    password: &str,
    salt: &[u8],
    rounds: usize,
    signed: &[u8],
) -> std::result::Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    let mut salted = vec![0; hash_of.digest().size()];
    openssl::pkcs5::pbkdf2_hmac(password.as_bytes(), salt, rounds, hash_of.digest(), &mut salted)?;
    let client_key = hash_of.hmac(&salted, b"Client Key")?;
    let stored_key = hash(hash_of.digest(), &client_key)?;
    let client_signature = hash_of.hmac(&stored_key, signed)?;
    let proof = client_key.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
    let server_key = hash_of.hmac(&salted, b"Server Key")?;
    Ok((proof, hash_of.hmac(&server_key, signed)?))
}

struct Challenge {
    nonce: String,
    salt: Vec<u8>,
    rounds: usize,
}

impl Challenge {
    fn read(text: &str, ours: &str) -> Result<Self> {
        let unreadable = || refused("the broker's first SCRAM message cannot be read");
        if let Some(reason) = text.strip_prefix("e=") {
            return Err(refused(format!("the broker refuses it: {reason}")));
        }
        let value = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name));
        let nonce = value("r=").ok_or_else(unreadable)?;
        if !nonce.starts_with(ours) || nonce.len() == ours.len() {
            return Err(refused("the broker's SCRAM message answers somebody else's"));
        }
        let salt = value("s=").and_then(|salt| STANDARD.decode(salt).ok());
        let rounds: usize = value("i=")
            .and_then(|rounds| rounds.parse().ok())
            .ok_or_else(unreadable)?;
        if !(FEWEST_ROUNDS..=MOST_ROUNDS).contains(&rounds) {
            return Err(refused(format!(
                "the password is stored with {rounds} rounds; at least {FEWEST_ROUNDS} are needed"
            )));
        }
        Ok(Self {
            nonce: nonce.to_owned(),
            salt: salt.ok_or_else(unreadable)?,
            rounds,
        })
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| refused("the broker's SCRAM message is no text"))
}

fn broken(error: &ErrorStack) -> Error {
    Error::new(ErrorKind::Fatal, format!("OpenSSL cannot compute SCRAM: {error}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Answers with given messages and keeps what it heard.
    struct Scripted {
        answers: Vec<&'static str>,
        heard: Vec<String>,
    }

    impl Exchange for Scripted {
        fn step(&mut self, message: Vec<u8>) -> Result<Bytes> {
            self.heard.push(String::from_utf8(message).unwrap());
            Ok(Bytes::from_static(self.answers.remove(0).as_bytes()))
        }
    }

    fn talk(hash: Hash, nonce: &str, answers: &[&'static str]) -> (Result<()>, Vec<String>) {
        let mut broker = Scripted {
            answers: answers.to_vec(),
            heard: Vec::new(),
        };
        let done = with_nonce(hash, "user", &Secret::new("pencil"), nonce, &mut broker);
        (done, broker.heard)
    }

    /// The example of RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    #[test]
    fn the_example_of_the_rfc() {
        let (done, heard) = talk(Hash::Sha256, NONCE, &[FIRST, LAST]);
        done.unwrap();
        assert_eq!(
            heard,
            [
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
            ]
        );
    }

    #[test]
    fn a_broker_that_proves_nothing_is_refused() {
        let table: &[(&[&str], &str)] = &[
            (
                &[FIRST, "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="],
                "claims to be",
            ),
            (&[FIRST, "e=invalid-proof"], "invalid-proof"),
            (&[FIRST, "hello"], "cannot be read"),
            (&["e=unknown-user"], "unknown-user"),
            (&["r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"], "somebody else's"),
            (
                &["r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"],
                "somebody else's",
            ),
            (&["r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1"], "1 rounds"),
            (&["r=rOprNGfwEbeRWgbNEkqOx,i=4096"], "cannot be read"),
        ];
        for (answers, words) in table {
            let error = talk(Hash::Sha256, NONCE, answers).0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Authentication);
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn names_keep_their_commas_and_equals_signs() {
        let mut broker = Scripted {
            answers: vec!["e=other-error"],
            heard: Vec::new(),
        };
        let _ = with_nonce(Hash::Sha512, "a=b,c", &Secret::new("x"), "n", &mut broker);
        assert_eq!(broker.heard, ["n,,n=a=3Db=2Cc,r=n"]);
    }
}
