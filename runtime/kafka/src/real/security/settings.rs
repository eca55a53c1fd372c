//! From Java's property names to where trust, keys and passwords are to be had. Nothing is read here.

use std::path::PathBuf;

use super::Secret;
use crate::{Error, ErrorKind, Result};

/// Every property that says how brokers are spoken to. They are the same for all clients of a process.
pub(crate) const NAMES: &[&str] = &[
    "security.protocol",
    "sasl.mechanism",
    "sasl.jaas.config",
    JAAS_FILE,
    "sasl.username",
    "sasl.password",
    PASSWORD_FILE,
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.scope",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.cipher.suites",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    KEY_PASSWORD_FILE,
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// A file that holds what `sasl.jaas.config` would.
pub(super) const JAAS_FILE: &str = "millrace.sasl.jaas.config.file";
/// A file that holds the password, or the client secret of OAUTHBEARER.
pub(super) const PASSWORD_FILE: &str = "millrace.sasl.password.file";
/// A file that holds the password of private key and key store.
pub(super) const KEY_PASSWORD_FILE: &str = "millrace.ssl.key.password.file";

/// `security.protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Protocol {
    pub(super) fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub(super) fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }
}

/// `sasl.mechanism`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
    OAuthBearer,
}

impl Mechanism {
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::ScramSha256, Self::ScramSha512, Self::OAuthBearer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// The login module that Java's clients name for it.
    pub(super) fn module(self) -> &'static str {
        match self {
            Self::Plain => "PlainLoginModule",
            Self::ScramSha256 | Self::ScramSha512 => "ScramLoginModule",
            Self::OAuthBearer => "OAuthBearerLoginModule",
        }
    }
}

/// A secret, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    Value(Secret),
    File(&'static str, PathBuf),
}

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum TrustSource {
    /// The authorities of the operating system.
    #[default]
    System,
    /// PEM or PKCS#12; the property that names it.
    File(&'static str, PathBuf),
    Pem(String),
}

/// Who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum IdentitySource {
    #[default]
    None,
    /// Certificates and key in one file: PEM or PKCS#12.
    Store(PathBuf),
    /// Certificates and key in a PEM file each, as cert-manager mounts them.
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    Pem {
        chain: String,
        key: Secret,
    },
}

/// Everything about TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsSources {
    pub(super) trust: TrustSource,
    pub(super) trust_password: Option<Secret>,
    pub(super) identity: IdentitySource,
    pub(super) key_password: Option<SecretSource>,
    pub(super) key_store_password: Option<Secret>,
    /// Whether the broker's certificate must be for the name that was connected to.
    pub(super) check_name: bool,
    pub(super) ciphers: Option<String>,
}

/// Everything about SASL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SaslSources {
    pub(super) mechanism: Mechanism,
    pub(super) jaas: Option<SecretSource>,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretSource>,
    pub(super) token_endpoint: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) scope: Option<String>,
}

/// How brokers are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SecuritySettings {
    pub(super) protocol: Protocol,
    pub(super) tls: Option<TlsSources>,
    pub(super) sasl: Option<SaslSources>,
}

/// Reads what concerns security from properties by Java's names; the last of a name counts, and others are passed over.
///
/// # Errors
/// `Config` for values that cannot be, or do not go together.
pub(super) fn read(properties: &[(String, String)]) -> Result<SecuritySettings> {
    let values = Values(properties);
    let protocol = protocol(&values)?;
    Ok(SecuritySettings {
        protocol,
        tls: protocol.has_tls().then(|| tls(&values)).transpose()?,
        sasl: protocol.has_sasl().then(|| sasl(&values)).transpose()?,
    })
}

fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

struct Values<'a>(&'a [(String, String)]);

impl<'a> Values<'a> {
    /// The value; an empty one counts as none.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.raw(name).filter(|value| !value.trim().is_empty())
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        debug_assert!(NAMES.contains(&name), "{name}");
        let mut from_last = self.0.iter().rev();
        from_last.find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(Secret::new)
    }

    /// The file stands before the value.
    fn secret_source(&self, file: &'static str, name: &str) -> Option<SecretSource> {
        let path = self.get(file).map(|path| SecretSource::File(file, path.into()));
        path.or_else(|| self.secret(name).map(SecretSource::Value))
    }
}

fn protocol(values: &Values<'_>) -> Result<Protocol> {
    let Some(text) = values.get("security.protocol") else {
        return Ok(Protocol::Plaintext);
    };
    let all = [
        Protocol::Plaintext,
        Protocol::Ssl,
        Protocol::SaslPlaintext,
        Protocol::SaslSsl,
    ];
    let known = all
        .into_iter()
        .find(|protocol| protocol.name().eq_ignore_ascii_case(text.trim()));
    known.ok_or_else(|| {
        config(format!(
            "security.protocol: {text} is none of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL"
        ))
    })
}

fn tls(values: &Values<'_>) -> Result<TlsSources> {
    let check_name = match values.raw("ssl.endpoint.identification.algorithm").map(str::trim) {
        None => true,
        Some("") => false,
        Some(text) if text.eq_ignore_ascii_case("https") => true,
        // librdkafka's word for the empty text.
        Some(text) if text.eq_ignore_ascii_case("none") => false,
        Some(text) => {
            return Err(config(format!(
                "ssl.endpoint.identification.algorithm: {text} is neither https nor empty"
            )));
        }
    };
    let file = |name: &'static str| {
        values
            .get(name)
            .map(|path| TrustSource::File(name, PathBuf::from(path)))
    };
    let trust = match values.get("ssl.truststore.certificates") {
        Some(_) if values.get("ssl.truststore.location").is_some() => {
            return Err(config(
                "ssl.truststore.certificates and ssl.truststore.location are both set: keep one of the two",
            ));
        }
        Some(pem) => TrustSource::Pem(pem.to_owned()),
        None => file("ssl.truststore.location")
            .or_else(|| file("ssl.ca.location"))
            .unwrap_or_default(),
    };
    for name in ["ssl.truststore.type", "ssl.keystore.type"] {
        let known = ["JKS", "PKCS12", "PEM"];
        if let Some(text) = values.get(name)
            && !known.iter().any(|known| known.eq_ignore_ascii_case(text.trim()))
        {
            return Err(config(format!("{name}: {text} is none of PEM and PKCS12")));
        }
    }
    Ok(TlsSources {
        trust,
        trust_password: values.secret("ssl.truststore.password"),
        identity: identity(values)?,
        key_password: values.secret_source(KEY_PASSWORD_FILE, "ssl.key.password"),
        key_store_password: values.secret("ssl.keystore.password"),
        check_name,
        ciphers: values.text("ssl.cipher.suites"),
    })
}

fn identity(values: &Values<'_>) -> Result<IdentitySource> {
    let pair = |first: &'static str, second: &'static str| match (values.get(first), values.get(second)) {
        (Some(one), Some(two)) => Ok(Some((one, two))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(config(format!("{first} is set and {second} is not"))),
        (None, Some(_)) => Err(config(format!("{second} is set and {first} is not"))),
    };
    let inline = pair("ssl.keystore.certificate.chain", "ssl.keystore.key")?;
    let files = pair("ssl.certificate.location", "ssl.key.location")?;
    let store = values.get("ssl.keystore.location");
    if usize::from(inline.is_some()) + usize::from(files.is_some()) + usize::from(store.is_some()) > 1 {
        return Err(config(
            "the client's certificate is set more than once: keep one of ssl.keystore.location, ssl.keystore.key with \
             ssl.keystore.certificate.chain, and ssl.certificate.location with ssl.key.location",
        ));
    }
    Ok(if let Some((chain, key)) = inline {
        IdentitySource::Pem {
            chain: chain.to_owned(),
            key: Secret::new(key),
        }
    } else if let Some((certificate, key)) = files {
        IdentitySource::Files {
            certificate: certificate.into(),
            key: key.into(),
        }
    } else {
        store.map_or(IdentitySource::None, |path| IdentitySource::Store(path.into()))
    })
}

fn sasl(values: &Values<'_>) -> Result<SaslSources> {
    let all = Mechanism::ALL.map(Mechanism::name).join(", ");
    let Some(text) = values.get("sasl.mechanism") else {
        return Err(config(format!(
            "sasl.mechanism is not set, and Kafka's default, GSSAPI (Kerberos), is not built in: set one of {all}"
        )));
    };
    let known = Mechanism::ALL
        .into_iter()
        .find(|mechanism| mechanism.name().eq_ignore_ascii_case(text.trim()));
    let mechanism = known.ok_or_else(|| config(format!("sasl.mechanism: {text} is not built in: use one of {all}")))?;
    Ok(SaslSources {
        mechanism,
        jaas: values.secret_source(JAAS_FILE, "sasl.jaas.config"),
        user: values.text("sasl.username"),
        password: values.secret_source(PASSWORD_FILE, "sasl.password"),
        token_endpoint: values.text("sasl.oauthbearer.token.endpoint.url"),
        client_id: values.text("sasl.oauthbearer.client.credentials.client.id"),
        client_secret: values.secret("sasl.oauthbearer.client.credentials.client.secret"),
        scope: values.text("sasl.oauthbearer.scope"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<SecuritySettings> {
        let owned: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        read(&owned)
    }

    #[test]
    fn nothing_set_is_plaintext() {
        assert_eq!(of(&[("linger.ms", "5")]).unwrap(), SecuritySettings::default());
        assert_eq!(of(&[("ssl.key.password", "x")]).unwrap().tls, None);
    }

    #[test]
    fn names_are_javas_and_the_last_of_one_counts() {
        let read = of(&[
            ("security.protocol", "plaintext"),
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.jaas.config", "line"),
            (PASSWORD_FILE, "/run/password"),
            ("ssl.truststore.location", "/run/ca.crt"),
            ("ssl.truststore.type", "PEM"),
            ("ssl.endpoint.identification.algorithm", ""),
            ("ssl.certificate.location", "/run/tls.crt"),
            ("ssl.key.location", "/run/tls.key"),
        ])
        .unwrap();
        assert_eq!(read.protocol, Protocol::SaslSsl);
        let tls = read.tls.unwrap();
        assert!(!tls.check_name);
        assert_eq!(
            tls.trust,
            TrustSource::File("ssl.truststore.location", "/run/ca.crt".into())
        );
        assert_eq!(
            tls.identity,
            IdentitySource::Files {
                certificate: "/run/tls.crt".into(),
                key: "/run/tls.key".into()
            }
        );
        let sasl = read.sasl.unwrap();
        assert_eq!(sasl.mechanism, Mechanism::ScramSha512);
        assert_eq!(
            sasl.password,
            Some(SecretSource::File(PASSWORD_FILE, "/run/password".into()))
        );
        assert!(of(&[("security.protocol", "SSL")]).unwrap().tls.unwrap().check_name);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("security.protocol", "TLS")], "security.protocol: TLS"),
            (&[("security.protocol", "SASL_SSL")], "sasl.mechanism is not set"),
            (
                &[("security.protocol", "SASL_SSL"), ("sasl.mechanism", "GSSAPI")],
                "PLAIN, SCRAM-SHA-256",
            ),
            (
                &[("security.protocol", "SSL"), ("ssl.keystore.key", "hush")],
                "ssl.keystore.certificate.chain",
            ),
            (
                &[
                    ("security.protocol", "SSL"),
                    ("ssl.truststore.location", "a"),
                    ("ssl.truststore.certificates", "hush"),
                ],
                "both set",
            ),
            (
                &[("security.protocol", "SSL"), ("ssl.truststore.type", "BKS")],
                "ssl.truststore.type: BKS",
            ),
            (
                &[
                    ("security.protocol", "SSL"),
                    ("ssl.endpoint.identification.algorithm", "ldaps"),
                ],
                "ldaps",
            ),
        ];
        for (pairs, words) in table {
            let error = of(pairs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(
                error.to_string().contains(words) && !error.to_string().contains("hush"),
                "{error}"
            );
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let read = of(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.password", "hush"),
            ("sasl.jaas.config", "hush"),
            ("ssl.key.password", "hush"),
            ("ssl.keystore.password", "hush"),
            ("ssl.truststore.password", "hush"),
            ("ssl.keystore.key", "hush"),
            ("ssl.keystore.certificate.chain", "public"),
            ("sasl.oauthbearer.client.credentials.client.secret", "hush"),
        ]);
        let shown = format!("{:?}", read.unwrap());
        assert!(shown.contains("public") && !shown.contains("hush"), "{shown}");
    }
}
