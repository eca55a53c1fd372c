//! Tokens for OAUTHBEARER: fetched with the client credentials grant, kept, and fetched anew before they expire.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::ssl::SslConnector;
use parking_lot::Mutex;
use serde::Deserialize;

use super::Secret;
use super::http::{Url, form_encoded, post_form};
use crate::{Error, ErrorKind, Result};

/// A token endpoint that takes longer is down.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A new token is fetched when this much of the old one's life is over, as Java's clients do.
const REFRESH_AT: f64 = 0.8;
/// How long a token lives that does not say so.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);

/// A token, ready to be shown to a broker.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) value: Secret,
    /// Milliseconds since the epoch.
    pub(crate) expires_ms: i64,
    /// Whom it is for (`sub`).
    pub(crate) principal: String,
}

/// Where tokens come from.
pub(crate) struct TokenProvider {
    endpoint: String,
    url: Url,
    tls: SslConnector,
    client_id: String,
    client_secret: Secret,
    scope: Option<String>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: Token,
    refresh_at: Instant,
    expires_at: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<f64>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Default, Deserialize)]
struct Claims {
    exp: Option<f64>,
    sub: Option<String>,
}

impl TokenProvider {
    /// # Errors
    /// `Config` if the endpoint is no address of HTTP.
    pub(super) fn new(
        endpoint: &str,
        client_id: &str,
        client_secret: Secret,
        scope: Option<String>,
        tls: SslConnector,
    ) -> Result<Self> {
        let url = Url::parse(endpoint).ok_or_else(|| {
            let text = "sasl.oauthbearer.token.endpoint.url is no address of the form https://host:port/path";
            Error::new(ErrorKind::Config, text)
        })?;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            url,
            tls,
            client_id: client_id.to_owned(),
            client_secret,
            scope,
            kept: Mutex::new(None),
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The kept token, or a new one. Others wait meanwhile: they would ask for the same.
    ///
    /// # Errors
    /// `Authentication` if the endpoint refuses the client, `Unreachable` if it does not answer.
    pub(crate) fn token(&self, timeout: Duration) -> Result<Token> {
        let mut kept = self.kept.lock();
        let now = Instant::now();
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.refresh_at) {
            return Ok(kept.token.clone());
        }
        match self.fetch(timeout.min(TIMEOUT)) {
            Ok(fresh) => Ok(kept.insert(fresh).token.clone()),
            // The old one is still good for a while.
            Err(error) => match kept.as_mut().filter(|kept| now < kept.expires_at) {
                Some(kept) => {
                    tracing::warn!(%error, "no new token yet; the old one is used until it expires");
                    kept.refresh_at = now + Duration::from_secs(5);
                    Ok(kept.token.clone())
                }
                None => Err(error),
            },
        }
    }

    fn fetch(&self, timeout: Duration) -> Result<Kept> {
        let here = |error: Error| error.context(format_args!("token endpoint {}", self.endpoint));
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.scope {
            form.push_str("&scope=");
            form.push_str(&form_encoded(scope));
        }
        let credentials = format!(
            "{}:{}",
            form_encoded(&self.client_id),
            form_encoded(self.client_secret.expose())
        );
        let authorization = format!("Basic {}", STANDARD.encode(credentials));
        let asked_at = Instant::now();
        let (status, body) = post_form(&self.url, &self.tls, &authorization, &form, timeout).map_err(here)?;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        let refused = |why: String| {
            // Servers have trouble too; only what is wrong with us is final.
            let kind = if status >= 500 || status == 429 {
                ErrorKind::Unreachable
            } else {
                ErrorKind::Authentication
            };
            here(Error::new(kind, why))
        };
        let Some(answer) = answer else {
            return Err(refused(format!(
                "status {status}, and the answer is no JSON of a token"
            )));
        };
        let Some(value) = answer.access_token.filter(|_| status == 200) else {
            let why = [answer.error, answer.error_description];
            let why = why.into_iter().flatten().collect::<Vec<_>>().join(": ");
            let client = &self.client_id;
            return Err(refused(format!(
                "client {client} is refused with status {status}: {why}"
            )));
        };
        let claims = claims_of(&value);
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as i64;
        let by_claim = claims
            .exp
            .map(|exp| Duration::from_millis(((exp * 1000.0) as i64 - now_ms).max(0) as u64));
        let life = (answer
            .expires_in
            .filter(|seconds| *seconds >= 0.0)
            .map(Duration::from_secs_f64))
        .or(by_claim)
        .unwrap_or(DEFAULT_LIFE);
        tracing::debug!(client = self.client_id, seconds = life.as_secs(), "a new token");
        Ok(Kept {
            token: Token {
                value: Secret::new(value),
                expires_ms: now_ms + life.as_millis() as i64,
                principal: claims.sub.unwrap_or_else(|| self.client_id.clone()),
            },
            refresh_at: asked_at + life.mul_f64(REFRESH_AT),
            expires_at: asked_at + life,
        })
    }
}

/// What a token says of itself, if it is a JWT. Nothing is checked: that is the broker's business.
fn claims_of(token: &str) -> Claims {
    let payload = token.split('.').nth(1).unwrap_or_default().trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD.decode(payload).ok();
    decoded
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default()
}

#[cfg(test)]
impl Token {
    pub(super) fn for_tests(value: &str) -> Self {
        Self {
            value: Secret::new(value),
            expires_ms: i64::MAX,
            principal: "test".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use openssl::ssl::SslMethod;

    use super::*;

    /// Answers one request after the other, and gives back what it heard.
    fn endpoint(answers: &'static [(u16, &'static str)]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut chunk = [0; 1024];
                // The form is the end of it.
                while !String::from_utf8_lossy(&request).contains("grant_type") {
                    let count = stream.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..count]);
                }
                heard.push(String::from_utf8(request).unwrap());
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            }
            heard
        });
        (address, server)
    }

    fn provider(endpoint: &str) -> TokenProvider {
        let tls = openssl::ssl::SslConnector::builder(SslMethod::tls_client())
            .unwrap()
            .build();
        TokenProvider::new(endpoint, "app", Secret::new("hush?"), Some("kafka all".to_owned()), tls).unwrap()
    }

    const LONG: &str = r#"{"access_token":"e30.eyJzdWIiOiJ0aGUtYXBwIn0.x","expires_in":300}"#;
    const SHORT: &str = r#"{"access_token":"opaque","expires_in":0}"#;

    #[test]
    fn a_token_is_kept_until_it_is_about_to_expire() {
        let (address, server) = endpoint(&[(200, SHORT), (200, LONG)]);
        let provider = provider(&address);
        let timeout = Duration::from_secs(5);
        let first = provider.token(timeout).unwrap();
        assert_eq!((first.value.expose(), &*first.principal), ("opaque", "app"));
        for _ in 0..3 {
            assert_eq!(provider.token(timeout).unwrap().principal, "the-app");
        }
        let heard = server.join().unwrap();
        assert_eq!(heard.len(), 2);
        // app:hush%3F
        assert!(
            heard[0].contains("Authorization: Basic YXBwOmh1c2glM0Y=\r\n"),
            "{}",
            heard[0]
        );
        assert!(
            heard[0].ends_with("grant_type=client_credentials&scope=kafka+all"),
            "{}",
            heard[0]
        );
    }

    #[test]
    fn refusals_are_told_from_trouble() {
        let unauthorized = r#"{"error":"invalid_client","error_description":"no such client"}"#;
        for (status, body, kind, words) in [
            (
                401,
                unauthorized,
                ErrorKind::Authentication,
                "invalid_client: no such client",
            ),
            (503, "{}", ErrorKind::Unreachable, "status 503"),
            (404, "<html>", ErrorKind::Authentication, "no JSON"),
        ] {
            let answers: &'static [(u16, &'static str)] = Box::leak(Box::new([(status, body)]));
            let (address, server) = endpoint(answers);
            let error = provider(&address).token(Duration::from_secs(5)).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains("hush"), "{error}");
            server.join().unwrap();
        }
    }
}
