//! A token server: client credentials in, signed JSON web tokens out.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::json;

const KEY_ID: &str = "tests";

/// Runs until the process ends.
pub struct TokenServer {
    url: String,
    served: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl TokenServer {
    /// Issues tokens that live for `life`, to clients whose secret is their name backwards; `jwks` is written with the key that
    /// brokers check them by.
    pub fn start(life: Duration, jwks: &Path) -> TokenServer {
        let rsa = Rsa::generate(2048).expect("a key");
        let encoded = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
        let keys = json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": encoded(rsa.n()), "e": encoded(rsa.e()),
        }]});
        std::fs::write(jwks, keys.to_string()).expect("write the keys");
        let key = PKey::from_rsa(rsa).expect("a key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/token", listener.local_addr().expect("it is bound"));
        let served = Arc::new(Mutex::new(BTreeMap::new()));
        let counted = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own business.
                let _ = answer(stream, &key, life, &counted);
            }
        });
        TokenServer { url, served }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The secret of a client.
    pub fn secret_of(client: &str) -> String {
        client.chars().rev().collect()
    }

    /// How many tokens a client has got.
    pub fn served(&self, client: &str) -> usize {
        let served = self.served.lock().expect("nobody panics");
        served.get(client).copied().unwrap_or(0)
    }
}

/// Where the keys lie, in a directory.
pub fn jwks_in(dir: &Path) -> PathBuf {
    dir.join("jwks.json")
}

fn answer(
    mut stream: TcpStream,
    key: &PKey<Private>,
    life: Duration,
    served: &Mutex<BTreeMap<String, usize>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&chunk[..count]),
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let credentials = request
        .lines()
        .find_map(|line| line.strip_prefix("Authorization: Basic "))
        .and_then(|encoded| STANDARD.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .unwrap_or_default();
    let (client, secret) = credentials.split_once(':').unwrap_or_default();
    let (status, body) = if !client.is_empty() && secret == TokenServer::secret_of(client) {
        *served
            .lock()
            .expect("nobody panics")
            .entry(client.to_owned())
            .or_default() += 1;
        let token = token(client, key, life);
        (
            200,
            json!({"access_token": token, "token_type": "Bearer", "expires_in": life.as_secs()}),
        )
    } else {
        (
            401,
            json!({"error": "invalid_client", "error_description": "no such client"}),
        )
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn token(client: &str, key: &PKey<Private>, life: Duration) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let head = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID});
    let claims = json!({"sub": client, "iat": now, "exp": now + life.as_secs(), "scope": "kafka"});
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(head.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signer = Signer::new(MessageDigest::sha256(), key).expect("a signer");
    let signature = signer.sign_oneshot_to_vec(text.as_bytes()).expect("a signature");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
