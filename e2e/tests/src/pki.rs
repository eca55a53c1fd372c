//! A certificate authority for the tests.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Name, X509NameBuilder};

/// An authority that issues certificates.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate with its key, in PEM; the key in PKCS#8, as Java wants it.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Issued {
    /// Both in one text, as a key store in PEM has them.
    pub fn together(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a known curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

fn name(common_name: &str) -> X509Name {
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_text("CN", common_name).expect("a name");
    name.build()
}

/// `days` from now, before now if negative.
fn day(days: i64) -> Asn1Time {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    Asn1Time::from_unix(now as i64 + days * 86_400).expect("a time")
}

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).expect("PEM is text")
}

impl Authority {
    pub fn new(common_name: &str) -> Authority {
        let key = new_key();
        let certificate = certificate(&name(common_name), &key, None, (-1, 30), None);
        Authority { certificate, key }
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> String {
        text(self.certificate.to_pem().expect("PEM"))
    }

    /// A certificate for servers at `address` and for clients, valid over these days from today.
    pub fn issue(&self, common_name: &str, address: Option<IpAddr>, days: (i64, i64)) -> Issued {
        let key = new_key();
        let certificate = certificate(&name(common_name), &key, Some(self), days, address);
        Issued {
            certificate: text(certificate.to_pem().expect("PEM")),
            key: text(key.private_key_to_pem_pkcs8().expect("PEM")),
        }
    }
}

fn certificate(
    subject: &X509Name,
    key: &PKey<Private>,
    issuer: Option<&Authority>,
    days: (i64, i64),
    address: Option<IpAddr>,
) -> X509 {
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("a version");
    let mut serial = [0; 8];
    openssl::rand::rand_bytes(&mut serial).expect("random bytes");
    serial[0] &= 0x7f;
    let serial = BigNum::from_slice(&serial).expect("a number");
    let serial = Asn1Integer::from_bn(&serial).expect("a number");
    builder.set_serial_number(&serial).expect("a serial number");
    builder.set_subject_name(subject).expect("a subject");
    let issuer_name = issuer.map_or(&**subject, |authority| authority.certificate.subject_name());
    builder.set_issuer_name(issuer_name).expect("an issuer");
    builder.set_pubkey(key).expect("a key");
    builder.set_not_before(&day(days.0)).expect("a time");
    builder.set_not_after(&day(days.1)).expect("a time");
    let mut basic = BasicConstraints::new();
    let mut usage = KeyUsage::new();
    if issuer.is_none() {
        basic.ca();
        usage.key_cert_sign();
    } else {
        usage.digital_signature();
        let purpose = ExtendedKeyUsage::new().server_auth().client_auth().build();
        builder
            .append_extension(purpose.expect("an extension"))
            .expect("an extension");
    }
    for extension in [basic.critical().build(), usage.critical().build()] {
        builder
            .append_extension(extension.expect("an extension"))
            .expect("an extension");
    }
    if let (Some(address), Some(authority)) = (address, issuer) {
        let context = builder.x509v3_context(Some(&authority.certificate), None);
        let names = SubjectAlternativeName::new().ip(&address.to_string()).build(&context);
        let names = names.expect("an extension");
        builder.append_extension(names).expect("an extension");
    }
    let by = issuer.map_or(key, |authority| &authority.key);
    builder.sign(by, MessageDigest::sha256()).expect("a signature");
    builder.build()
}
