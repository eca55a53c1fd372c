//! Trust and identity: PEM or PKCS#12 in, one normal form out, which both clients are made of.

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameRef, X509Ref};

use super::Secret;
use super::files::Reader;
use super::settings::{IdentitySource, TlsSources, TrustSource};
use crate::{Error, ErrorKind, Result};

/// What TLS connections are made of.
pub(crate) struct Tls {
    pub(crate) connector: SslConnector,
    /// Whether the broker's certificate must be for the name that was connected to.
    pub(crate) check_name: bool,
    /// The authorities in PEM; `None`: the system's.
    pub(crate) authorities: Option<String>,
    pub(crate) identity: Option<Identity>,
    pub(crate) ciphers: Option<String>,
}

/// Our certificate with its chain, and its key, both in PEM; the key without a password.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: Secret,
}

fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text)
}

/// Without OpenSSL's numbers and source lines.
fn reason(error: &ErrorStack) -> String {
    let reasons: Vec<&str> = error.errors().iter().filter_map(|error| error.reason()).collect();
    if reasons.is_empty() {
        "OpenSSL refuses it".to_owned()
    } else {
        reasons.join(", ")
    }
}

/// Reads all that TLS needs, and checks that it fits together.
pub(super) fn load(sources: &TlsSources, reader: &mut Reader) -> Result<Tls> {
    let authorities = trust(&sources.trust, sources.trust_password.as_ref(), reader)?;
    let own = identity(sources, reader)?;
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| config(reason(&error)))?;
    let build = |builder: &mut openssl::ssl::SslConnectorBuilder| -> std::result::Result<(), ErrorStack> {
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        if let Some(authorities) = &authorities {
            // In place of the system's, not beside them.
            let mut store = X509StoreBuilder::new()?;
            for authority in authorities {
                store.add_cert(authority.clone())?;
            }
            builder.set_cert_store(store.build());
        }
        if let Some((chain, key)) = &own {
            builder.set_certificate(&chain[0])?;
            for above in &chain[1..] {
                builder.add_extra_chain_cert(above.clone())?;
            }
            builder.set_private_key(key)?;
        }
        Ok(())
    };
    build(&mut builder).map_err(|error| config(format!("TLS cannot be set up: {}", reason(&error))))?;
    if let Some(ciphers) = &sources.ciphers {
        let refused = |error: ErrorStack| config(format!("ssl.cipher.suites: {ciphers}: {}", reason(&error)));
        builder.set_cipher_list(ciphers).map_err(refused)?;
    }
    let pem = |certificates: &[X509]| {
        let mut text = String::new();
        for certificate in certificates {
            let pem = certificate.to_pem().map_err(|error| config(reason(&error)))?;
            text.push_str(&String::from_utf8_lossy(&pem));
        }
        Ok::<_, Error>(text)
    };
    let identity = match &own {
        None => None,
        Some((chain, key)) => {
            let key = key.private_key_to_pem_pkcs8().map_err(|error| config(reason(&error)))?;
            Some(Identity {
                chain: pem(chain)?,
                key: Secret::new(String::from_utf8_lossy(&key)),
            })
        }
    };
    Ok(Tls {
        connector: builder.build(),
        check_name: sources.check_name,
        authorities: authorities.as_deref().map(pem).transpose()?,
        identity,
        ciphers: sources.ciphers.clone(),
    })
}

/// A connector that trusts `trust` and shows no certificate.
pub(super) fn trusting(trust: &TrustSource, password: Option<&Secret>, reader: &mut Reader) -> Result<SslConnector> {
    let sources = TlsSources {
        trust: trust.clone(),
        trust_password: password.cloned(),
        check_name: true,
        ..TlsSources::default()
    };
    Ok(load(&sources, reader)?.connector)
}

fn trust(source: &TrustSource, password: Option<&Secret>, reader: &mut Reader) -> Result<Option<Vec<X509>>> {
    let (property, certificates) = match source {
        TrustSource::System => return Ok(None),
        TrustSource::Pem(text) => {
            let property = "ssl.truststore.certificates";
            (property, certificates_of(property, unfolded(text).as_bytes())?)
        }
        TrustSource::File(property, path) => {
            let bytes = reader.bytes(property, path)?;
            let what = format!("{property}: {}", path.display());
            match Form::of(&bytes) {
                Form::Pem => (*property, certificates_of(&what, &bytes)?),
                Form::Pkcs12 => {
                    let store = open_pkcs12(&what, &bytes, password, "ssl.truststore.password")?;
                    let mut all: Vec<X509> = store.ca.into_iter().flatten().collect();
                    all.extend(store.cert);
                    (*property, all)
                }
                Form::Jks => return Err(java_store(&what, "ca.p12", "ssl.truststore.password")),
                Form::Other => return Err(config(format!("{what} is neither PEM nor PKCS#12"))),
            }
        }
    };
    if certificates.is_empty() {
        return Err(config(format!("{property}: there is no certificate in it")));
    }
    Ok(Some(certificates))
}

type Own = (Vec<X509>, PKey<Private>);

fn identity(sources: &TlsSources, reader: &mut Reader) -> Result<Option<Own>> {
    let key_password = match &sources.key_password {
        None => None,
        Some(source) => Some(reader.secret(source)?),
    };
    let password = key_password.as_ref();
    let (what, (chain, key)) = match &sources.identity {
        IdentitySource::None => return Ok(None),
        IdentitySource::Pem { chain, key } => {
            let chain = certificates_of("ssl.keystore.certificate.chain", unfolded(chain).as_bytes())?;
            let key = key_of("ssl.keystore.key", unfolded(key.expose()).as_bytes(), password)?;
            ("ssl.keystore.certificate.chain".to_owned(), (chain, key))
        }
        IdentitySource::Files { certificate, key } => {
            let what = format!("ssl.certificate.location: {}", certificate.display());
            let chain = certificates_of(&what, &reader.bytes("ssl.certificate.location", certificate)?)?;
            let of_key = format!("ssl.key.location: {}", key.display());
            let key = key_of(&of_key, &reader.bytes("ssl.key.location", key)?, password)?;
            (what, (chain, key))
        }
        IdentitySource::Store(path) => {
            let bytes = reader.bytes("ssl.keystore.location", path)?;
            let what = format!("ssl.keystore.location: {}", path.display());
            let own = match Form::of(&bytes) {
                Form::Pem => (certificates_of(&what, &bytes)?, key_of(&what, &bytes, password)?),
                Form::Pkcs12 => {
                    let password = sources.key_store_password.as_ref().or(password);
                    let store = open_pkcs12(&what, &bytes, password, "ssl.keystore.password")?;
                    let none = |of: &str| config(format!("{what}: there is no {of} in it"));
                    let mut chain = vec![store.cert.ok_or_else(|| none("certificate"))?];
                    chain.extend(store.ca.into_iter().flatten());
                    (chain, store.pkey.ok_or_else(|| none("private key"))?)
                }
                Form::Jks => return Err(java_store(&what, "app.p12", "ssl.keystore.password")),
                Form::Other => return Err(config(format!("{what} is neither PEM nor PKCS#12"))),
            };
            (what, own)
        }
    };
    let Some(first) = chain.first() else {
        return Err(config(format!("{what}: there is no certificate in it")));
    };
    let fits = first.public_key().is_ok_and(|public| key.public_eq(&public));
    if !fits {
        let text = format!(
            "{what}: the private key is not that of the first certificate, {}",
            name(first)
        );
        return Err(config(text));
    }
    in_time(&what, first)?;
    Ok(Some((chain, key)))
}

/// A certificate that is out of its time would be refused by every broker, with fewer words.
fn in_time(what: &str, certificate: &X509Ref) -> Result<()> {
    let Ok(now) = Asn1Time::days_from_now(0) else {
        return Ok(());
    };
    let late = certificate.not_after() < now;
    if late || certificate.not_before() > now {
        let (verb, when) = if late {
            ("expired on", certificate.not_after())
        } else {
            ("is not valid before", certificate.not_before())
        };
        return Err(Error::new(
            ErrorKind::Handshake,
            format!("{what}: the certificate {} {verb} {when}", name(certificate)),
        ));
    }
    Ok(())
}

/// The common name of whom a certificate is for, or all that is said of them.
pub(super) fn name(certificate: &X509Ref) -> String {
    fn one(name: &X509NameRef) -> Option<String> {
        let entry = name.entries_by_nid(Nid::COMMONNAME).next()?;
        Some(format!("CN={}", entry.data().to_string().ok()?))
    }
    let subject = certificate.subject_name();
    one(subject).unwrap_or_else(|| format!("{subject:?}"))
}

fn certificates_of(what: &str, pem: &[u8]) -> Result<Vec<X509>> {
    let wrong = |why: String| config(format!("{what} holds no certificates in PEM: {why}"));
    if Form::of(pem) != Form::Pem {
        return Err(wrong("there is no -----BEGIN in it".to_owned()));
    }
    X509::stack_from_pem(pem).map_err(|error| wrong(reason(&error)))
}

fn key_of(what: &str, pem: &[u8], password: Option<&Secret>) -> Result<PKey<Private>> {
    let mut asked = false;
    // Without this callback OpenSSL would ask at the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |buffer| {
        asked = true;
        let bytes = password.map_or(&[][..], |password| password.expose().as_bytes());
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    });
    key.map_err(|error| {
        let why = match (asked, password) {
            (true, None) => "it is encrypted, and ssl.key.password is not set".to_owned(),
            (true, Some(_)) => "ssl.key.password does not open it".to_owned(),
            (false, _) => reason(&error),
        };
        config(format!("{what}: the private key cannot be read: {why}"))
    })
}

fn open_pkcs12(
    what: &str,
    bytes: &[u8],
    password: Option<&Secret>,
    property: &str,
) -> Result<openssl::pkcs12::ParsedPkcs12_2> {
    let store = Pkcs12::from_der(bytes).map_err(|error| config(format!("{what}: {}", reason(&error))))?;
    store
        .parse2(password.map_or("", |password| password.expose()))
        .map_err(|error| {
            let why = reason(&error);
            let hint = if why.contains("mac verify") {
                format!("{property} does not open it")
            } else if why.contains("unsupported") {
                "it is encrypted in an old way (RC2): convert it with `openssl pkcs12 -legacy -in FILE -out FILE.pem`"
                    .to_owned()
            } else {
                why
            };
            config(format!("{what}: {hint}"))
        })
}

fn java_store(what: &str, to: &str, property: &str) -> Error {
    config(format!(
        "{what} is a key store in Java's own format (JKS), which only Java reads: convert it with `keytool -importkeystore -srckeystore FILE \
         -destkeystore {to} -deststoretype PKCS12`, and state {to} with {property}"
    ))
}

/// In properties files PEM text often stands on one line, with `\n` written out, or with blanks where lines ended.
fn unfolded(pem: &str) -> String {
    let text = pem.replace("\\n", "\n");
    if text.lines().filter(|line| !line.trim().is_empty()).count() > 1 {
        return text;
    }
    let mut out = String::new();
    for (index, part) in text.split("-----").enumerate() {
        let part = part.trim();
        match (index % 4, part.is_empty()) {
            // Between an end and the next beginning there is nothing.
            (0, _) => {}
            (1 | 3, _) => {
                out.push_str("-----");
                out.push_str(part);
                out.push_str("-----\n");
            }
            (_, true) => {}
            (_, false) => {
                out.push_str(&part.split_whitespace().collect::<Vec<_>>().join("\n"));
                out.push('\n');
            }
        }
    }
    out
}

/// A file's form, by how it begins: names and types of stores often say something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pem,
    Pkcs12,
    Jks,
    Other,
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        const JKS: &[u8] = &[0xFE, 0xED, 0xFE, 0xED];
        const JCEKS: &[u8] = &[0xCE, 0xCE, 0xCE, 0xCE];
        if bytes.starts_with(JKS) || bytes.starts_with(JCEKS) {
            Self::Jks
        } else if bytes.windows(10).any(|window| window == b"-----BEGIN") {
            Self::Pem
        } else if bytes.first() == Some(&0x30) {
            Self::Pkcs12
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
