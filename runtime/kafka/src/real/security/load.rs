//! From settings to credentials: files are read, logins put together, everything checked.

use std::path::PathBuf;
use std::sync::Arc;

use super::certificates::{Tls, load as load_tls, trusting};
use super::files::Reader;
use super::jaas::{Jaas, parse};
use super::sasl::{Hash, Sasl};
use super::settings::{Mechanism, Protocol, SaslSources, SecretSource, SecuritySettings, TrustSource};
use super::token::TokenProvider;
use super::{Secret, settings};
use crate::{Error, ErrorKind, Result};

/// What connections are made with, as the files said at one moment.
pub(crate) struct Credentials {
    /// Counts changes, from 0.
    pub(crate) epoch: u64,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<Tls>,
    pub(crate) sasl: Option<Sasl>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    /// Of what was in them.
    pub(super) digest: [u8; 32],
}

/// Reads everything that the settings name.
///
/// # Errors
/// `Config`, naming property and file, for what cannot be read or does not fit together; `Handshake` for a certificate of ours
/// that has expired.
pub(super) fn load(settings: &SecuritySettings, epoch: u64) -> Result<Credentials> {
    let mut reader = Reader::new();
    let tls = settings
        .tls
        .as_ref()
        .map(|tls| load_tls(tls, &mut reader))
        .transpose()?;
    let sasl = settings
        .sasl
        .as_ref()
        .map(|sasl| login(sasl, &mut reader))
        .transpose()?;
    let (files, digest) = reader.finish();
    Ok(Credentials {
        epoch,
        protocol: settings.protocol,
        tls,
        sasl,
        files,
        digest,
    })
}

fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

fn login(sources: &SaslSources, reader: &mut Reader) -> Result<Sasl> {
    let mechanism = sources.mechanism;
    let jaas = match &sources.jaas {
        None => Jaas::default(),
        Some(source) => parse(reader.secret(source)?.expose())?,
    };
    if !jaas.module.is_empty() && jaas.module != mechanism.module() {
        return Err(config(format!(
            "sasl.jaas.config: {} does not belong to sasl.mechanism {}; use {}",
            jaas.module,
            mechanism.name(),
            mechanism.module()
        )));
    }
    if mechanism == Mechanism::OAuthBearer {
        return Ok(Sasl::OAuthBearer(Arc::new(tokens(sources, &jaas, reader)?)));
    }
    let user = (jaas.option("username").map(|user| user.expose().to_owned())).or_else(|| sources.user.clone());
    let user = user.ok_or_else(|| config("no user is set: give username in sasl.jaas.config, or sasl.username"))?;
    let password = match (&sources.password, jaas.option("password")) {
        // The file stands before what the line says, so that it can change.
        (Some(source @ SecretSource::File(..)), _) => reader.secret(source)?,
        (_, Some(password)) => password.clone(),
        (Some(source), None) => reader.secret(source)?,
        (None, None) => {
            return Err(config(format!(
                "no password is set for {user}: give password in sasl.jaas.config, or {}",
                settings::PASSWORD_FILE
            )));
        }
    };
    Ok(match mechanism {
        Mechanism::ScramSha256 => Sasl::Scram {
            hash: Hash::Sha256,
            user,
            password,
        },
        Mechanism::ScramSha512 => Sasl::Scram {
            hash: Hash::Sha512,
            user,
            password,
        },
        Mechanism::Plain | Mechanism::OAuthBearer => Sasl::Plain { user, password },
    })
}

/// Java knows the client's id, secret and scope as properties, and, by older names, as options of the login module.
fn tokens(sources: &SaslSources, jaas: &Jaas, reader: &mut Reader) -> Result<TokenProvider> {
    let option = |name: &str| jaas.option(name).map(|value| value.expose().to_owned());
    let missing = |name: &str| config(format!("sasl.mechanism OAUTHBEARER needs {name}"));
    let endpoint = (sources.token_endpoint.clone()).ok_or_else(|| missing("sasl.oauthbearer.token.endpoint.url"))?;
    let client_id = (sources.client_id.clone().or_else(|| option("clientId")))
        .ok_or_else(|| missing("sasl.oauthbearer.client.credentials.client.id"))?;
    let in_file = match &sources.password {
        Some(source @ SecretSource::File(..)) => Some(reader.secret(source)?),
        _ => None,
    };
    let client_secret = in_file
        .or_else(|| sources.client_secret.clone())
        .or_else(|| option("clientSecret").map(Secret::new))
        .ok_or_else(|| missing("sasl.oauthbearer.client.credentials.client.secret"))?;
    let scope = sources.scope.clone().or_else(|| option("scope"));
    // The endpoint is seldom signed by the brokers' authority: Java's clients have options of the login module for it.
    let trust = match (option("ssl.truststore.certificates"), option("ssl.truststore.location")) {
        (Some(pem), _) => TrustSource::Pem(pem),
        (None, Some(path)) => TrustSource::File("ssl.truststore.location in sasl.jaas.config", path.into()),
        (None, None) => TrustSource::System,
    };
    let tls = trusting(&trust, jaas.option("ssl.truststore.password"), reader)?;
    TokenProvider::new(&endpoint, &client_id, client_secret, scope, tls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::security::settings::read;

    fn loaded(pairs: &[(&str, &str)]) -> Result<Credentials> {
        let mut owned = vec![("security.protocol".to_owned(), "SASL_PLAINTEXT".to_owned())];
        owned.extend(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        load(&read(&owned)?, 0)
    }

    fn user_and_password(pairs: &[(&str, &str)]) -> (String, String) {
        match loaded(pairs).unwrap_or_else(|error| panic!("{error}")).sasl.unwrap() {
            Sasl::Plain { user, password } | Sasl::Scram { user, password, .. } => (user, password.expose().to_owned()),
            Sasl::OAuthBearer(_) => panic!("no user"),
        }
    }

    #[test]
    fn the_password_of_a_file_stands_before_the_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (password, line) = (
            file("password", "of the file\n"),
            file(
                "line",
                "a.ScramLoginModule required username=\"in file\" password=\"x\";\n",
            ),
        );
        let scram = ("sasl.mechanism", "SCRAM-SHA-256");
        let jaas = (
            "sasl.jaas.config",
            "a.ScramLoginModule required username=u password=\"of the line\";",
        );
        let table = [
            (vec![scram, jaas], ("u", "of the line")),
            (vec![scram, jaas, ("sasl.password", "p")], ("u", "of the line")),
            (
                vec![scram, jaas, ("millrace.sasl.password.file", &*password)],
                ("u", "of the file"),
            ),
            (
                vec![scram, ("millrace.sasl.jaas.config.file", &*line)],
                ("in file", "x"),
            ),
            (
                vec![
                    ("sasl.mechanism", "PLAIN"),
                    ("sasl.username", "v"),
                    ("sasl.password", "p"),
                ],
                ("v", "p"),
            ),
        ];
        for (pairs, (user, password)) in table {
            assert_eq!(
                user_and_password(&pairs),
                (user.to_owned(), password.to_owned()),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let plain = ("sasl.mechanism", "PLAIN");
        let oauth = ("sasl.mechanism", "OAUTHBEARER");
        let url = ("sasl.oauthbearer.token.endpoint.url", "http://idp/t");
        let table: [(&[(&str, &str)], &str); 6] = [
            (&[plain], "no user is set"),
            (&[plain, ("sasl.username", "u")], "millrace.sasl.password.file"),
            (
                &[
                    plain,
                    (
                        "sasl.jaas.config",
                        "ScramLoginModule required username=u password=hush;",
                    ),
                ],
                "use PlainLoginModule",
            ),
            (&[oauth], "sasl.oauthbearer.token.endpoint.url"),
            (&[oauth, url], "client.id"),
            (
                &[
                    oauth,
                    url,
                    ("sasl.jaas.config", "OAuthBearerLoginModule required clientId=\"a\";"),
                ],
                "client.secret",
            ),
        ];
        for (pairs, words) in table {
            let error = loaded(pairs).err().expect("it should be refused");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.to_string().contains(words) && !error.to_string().contains("hush"),
                "{error}"
            );
        }
    }
}
