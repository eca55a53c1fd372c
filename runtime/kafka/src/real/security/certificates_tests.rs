use openssl::asn1::Asn1Integer;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::symm::Cipher;
use openssl::x509::X509NameBuilder;

use super::*;
use crate::real::security::settings::{KEY_PASSWORD_FILE, SecretSource};

fn self_signed(name: &str, days: (i64, u32)) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let begin = Asn1Time::from_unix(now + days.0 * 86_400).unwrap();
    let end = Asn1Time::from_unix(now + days.0 * 86_400 + i64::from(days.1) * 86_400).unwrap();
    builder.set_not_before(&begin).unwrap();
    builder.set_not_after(&end).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).unwrap()
}

fn load_all(sources: &TlsSources) -> Result<Tls> {
    load(sources, &mut Reader::new())
}

fn refused(sources: &TlsSources) -> Error {
    load_all(sources).err().expect("it should be refused")
}

#[test]
fn pem_and_pkcs12_give_the_same() {
    let (certificate, key) = self_signed("app", (-1, 10));
    let (authority, _) = self_signed("ca", (-1, 10));
    let (certificate_pem, authority_pem) = (text(certificate.to_pem().unwrap()), text(authority.to_pem().unwrap()));
    let key_pem = text(key.private_key_to_pem_pkcs8().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };

    let locked = key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"open sesame")
        .unwrap();
    let together = [&locked[..], certificate_pem.as_bytes()].concat();
    let mut stack = Stack::new().unwrap();
    stack.push(authority).unwrap();
    let mut builder = Pkcs12::builder();
    builder.name("app").pkey(&key).cert(&certificate);
    let own_store = builder.build2("open sesame").unwrap().to_der().unwrap();
    let mut builder = Pkcs12::builder();
    builder.ca(stack);
    let trust_store = builder.build2("changeit").unwrap().to_der().unwrap();

    let forms = [
        TlsSources {
            trust: TrustSource::Pem(authority_pem.clone()),
            identity: IdentitySource::Pem {
                chain: certificate_pem.clone(),
                key: Secret::new(&*key_pem),
            },
            ..TlsSources::default()
        },
        // On one line, as a properties file has it.
        TlsSources {
            trust: TrustSource::Pem(authority_pem.replace('\n', " ")),
            identity: IdentitySource::Pem {
                chain: certificate_pem.replace('\n', "\\n"),
                key: Secret::new(key_pem.replace('\n', " ")),
            },
            ..TlsSources::default()
        },
        TlsSources {
            trust: TrustSource::File("ssl.truststore.location", file("ca.pem", authority_pem.as_bytes())),
            identity: IdentitySource::Store(file("own.pem", &together)),
            key_password: Some(SecretSource::File(
                KEY_PASSWORD_FILE,
                file("password", b"open sesame\n"),
            )),
            ..TlsSources::default()
        },
        TlsSources {
            trust: TrustSource::File("ssl.truststore.location", file("ca.p12", &trust_store)),
            trust_password: Some(Secret::new("changeit")),
            identity: IdentitySource::Store(file("own.p12", &own_store)),
            key_store_password: Some(Secret::new("open sesame")),
            ..TlsSources::default()
        },
        TlsSources {
            trust: TrustSource::Pem(authority_pem.clone()),
            identity: IdentitySource::Files {
                certificate: file("tls.crt", certificate_pem.as_bytes()),
                key: file("tls.key", key_pem.as_bytes()),
            },
            ..TlsSources::default()
        },
    ];
    for sources in &forms {
        let tls = load_all(sources).unwrap_or_else(|error| panic!("{sources:?}: {error}"));
        assert_eq!(tls.authorities.as_deref(), Some(&*authority_pem), "{sources:?}");
        let identity = tls.identity.expect("there is one");
        assert_eq!(
            (&*identity.chain, identity.key.expose()),
            (&*certificate_pem, &*key_pem)
        );
    }
    assert!(load_all(&TlsSources::default()).unwrap().authorities.is_none());
}

#[test]
fn what_is_wrong_is_named() {
    let (certificate, key) = self_signed("app", (-1, 10));
    let (expired, expired_key) = self_signed("old", (-10, 3));
    let (_, other_key) = self_signed("other", (-1, 10));
    let dir = tempfile::tempdir().unwrap();
    let pem = |chain: &X509, key: Vec<u8>| TlsSources {
        identity: IdentitySource::Pem {
            chain: text(chain.to_pem().unwrap()),
            key: Secret::new(text(key)),
        },
        ..TlsSources::default()
    };
    let plain = |key: &PKey<Private>| key.private_key_to_pem_pkcs8().unwrap();
    let locked = key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"hush")
        .unwrap();
    let wrong_password = TlsSources {
        key_password: Some(SecretSource::Value(Secret::new("guessed"))),
        ..pem(&certificate, locked.clone())
    };
    let jks = dir.path().join("trust.jks");
    std::fs::write(&jks, [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2]).unwrap();
    let odd = dir.path().join("odd");
    std::fs::write(&odd, b"hello").unwrap();
    let trusting = |path: &std::path::Path| TlsSources {
        trust: TrustSource::File("ssl.truststore.location", path.to_owned()),
        ..TlsSources::default()
    };
    let table = [
        (
            pem(&certificate, plain(&other_key)),
            "not that of the first certificate, CN=app",
        ),
        (pem(&expired, plain(&expired_key)), "CN=old expired on"),
        (pem(&certificate, locked), "ssl.key.password is not set"),
        (wrong_password, "ssl.key.password does not open it"),
        (trusting(&jks), "keytool -importkeystore"),
        (trusting(&odd), "neither PEM nor PKCS#12"),
        (trusting(&dir.path().join("absent")), "there is no such file"),
    ];
    for (sources, words) in table {
        let error = refused(&sources);
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(!error.to_string().contains("guessed"), "{error}");
    }
}
