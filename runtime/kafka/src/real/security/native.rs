//! Credentials in librdkafka's words.

use super::{Credentials, Sasl};

impl Credentials {
    /// librdkafka's settings: texts and passwords, never files, so that it sees exactly what our own client sees.
    pub(crate) fn native_settings(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut set = |name: &str, value: &str| out.push((name.to_owned(), value.to_owned()));
        set("security.protocol", &self.protocol.name().to_ascii_lowercase());
        if let Some(tls) = &self.tls {
            if let Some(authorities) = &tls.authorities {
                set("ssl.ca.pem", authorities);
            }
            if let Some(identity) = &tls.identity {
                set("ssl.certificate.pem", &identity.chain);
                set("ssl.key.pem", identity.key.expose());
            }
            if let Some(ciphers) = &tls.ciphers {
                set("ssl.cipher.suites", ciphers);
            }
            let check = if tls.check_name { "https" } else { "none" };
            set("ssl.endpoint.identification.algorithm", check);
        }
        if let Some(sasl) = &self.sasl {
            set("sasl.mechanism", sasl.mechanism().name());
            match sasl {
                Sasl::Plain { user, password } | Sasl::Scram { user, password, .. } => {
                    set("sasl.username", user);
                    set("sasl.password", password.expose());
                }
                // Tokens come by callback.
                Sasl::OAuthBearer(_) => {}
            }
        }
        out
    }
}
