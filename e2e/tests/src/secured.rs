//! A broker that lets nobody in without a name: TLS, SASL and access-control lists. The plain listener is the tests' own back door.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use crate::broker::Additions;
use crate::pki::{Authority, Issued};
use crate::process::{Exit, Process};
use crate::tokens::{TokenServer, jwks_in};
use crate::{Broker, janitor};

/// Where the broker listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// TLS; clients have to show a certificate.
    MutualTls,
    /// PLAIN and SCRAM over TLS.
    SaslTls,
    /// PLAIN and SCRAM in the plain.
    SaslPlaintext,
    /// OAUTHBEARER over TLS.
    OAuth,
    /// TLS with a certificate that has expired.
    Expired,
}

const LISTENERS: [(&str, &str); 5] = [
    ("MUTUAL", "SSL"),
    ("SASLTLS", "SASL_SSL"),
    ("SASLPLAIN", "SASL_PLAINTEXT"),
    ("OAUTH", "SASL_SSL"),
    ("EXPIRED", "SSL"),
];

/// How long tokens live: short, so that a test sees them renewed.
pub const TOKEN_LIFE: Duration = Duration::from_secs(4);

/// The secured broker, its authority and its token server.
pub struct Secured {
    pub broker: Broker,
    pub authority: Authority,
    pub tokens: TokenServer,
    dir: tempfile::TempDir,
}

/// Users of PLAIN, whose password is their name with `-secret` behind it.
pub const PLAIN_USERS: usize = 12;

impl Secured {
    /// The one that all tests of this executable share.
    pub fn shared() -> &'static Secured {
        static SHARED: LazyLock<Secured> = LazyLock::new(Secured::start);
        &SHARED
    }

    fn start() -> Secured {
        let dir = tempfile::Builder::new()
            .prefix("millrace-secrets-")
            .tempdir()
            .expect("a temporary directory");
        janitor::watch_directory(dir.path());
        let authority = Authority::new("Tests");
        let here = Some([127, 0, 0, 1].into());
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("write a file");
            path
        };
        let trusted = file("ca.pem", &authority.pem());
        let server = file("server.pem", &authority.issue("broker", here, (-1, 10)).together());
        let expired = file("expired.pem", &authority.issue("broker", here, (-10, -1)).together());
        let jwks = jwks_in(dir.path());
        let tokens = TokenServer::start(TOKEN_LIFE, &jwks);
        let users: String = (0..PLAIN_USERS)
            .map(|user| format!(" user_plain{user}=\"plain{user}-secret\""))
            .collect();
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let oauth = "org.apache.kafka.common.security.oauthbearer";
        let mut properties = format!(
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={server}
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={expired}
listener.name.mutual.ssl.client.auth=required
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config={oauth}.OAuthBearerLoginModule required;
listener.name.oauth.oauthbearer.sasl.server.callback.handler.class={oauth}.OAuthBearerValidatorCallbackHandler
listener.name.oauth.oauthbearer.connections.max.reauth.ms=60000
sasl.oauthbearer.jwks.endpoint.url=file://{jwks}
",
            server = server.display(),
            trusted = trusted.display(),
            expired = expired.display(),
            jwks = jwks.display(),
        );
        for listener in ["sasltls", "saslplain"] {
            properties += &format!(
                "listener.name.{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.{listener}.plain.sasl.jaas.config={plain}{users};
listener.name.{listener}.scram-sha-256.sasl.jaas.config={scram}
listener.name.{listener}.scram-sha-512.sasl.jaas.config={scram}
"
            );
        }
        let add_scram = |mechanism: &str, user: &str| {
            [
                "--add-scram".to_owned(),
                format!("{mechanism}=[name={user},password={user}-secret]"),
            ]
        };
        let additions = Additions {
            listeners: &LISTENERS,
            properties,
            format: [
                add_scram("SCRAM-SHA-256", "scram256"),
                add_scram("SCRAM-SHA-512", "scram512"),
                add_scram("SCRAM-SHA-512", "rotating"),
            ]
            .concat(),
            jvm: vec![
                format!(
                    "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{}",
                    jwks.display()
                ),
                format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.files={}", jwks.display()),
            ],
        };
        let broker = Broker::start_with("384m", additions);
        Secured {
            broker,
            authority,
            tokens,
            dir,
        }
    }

    /// `127.0.0.1:port` of a listener.
    pub fn bootstrap(&self, listener: Listener) -> String {
        self.broker.listener(listener as usize)
    }

    /// The file with the broker's authority.
    pub fn trusted(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The same in PKCS#12, as Java's own tool writes it.
    ///
    /// # Panics
    /// If there is no `keytool`, or it fails.
    pub fn java_trust_store(&self, password: &str) -> PathBuf {
        let path = self.dir.path().join("trust.p12");
        let mut keytool = Command::new("keytool");
        keytool
            .args(["-importcert", "-noprompt", "-alias", "ca", "-storetype", "PKCS12"])
            .args(["-storepass", password, "-file"])
            .arg(self.trusted())
            .arg("-keystore")
            .arg(&path);
        let exit = Process::start("keytool", &mut keytool).wait(Duration::from_secs(30));
        assert_eq!(exit, Exit::Code(0), "keytool");
        path
    }

    /// A client's certificate, which is its name.
    pub fn issue(&self, common_name: &str) -> Issued {
        self.authority.issue(common_name, None, (-1, 10))
    }

    /// Writes a file of secrets, as an operator mounts one.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        replace(&path, text);
        path
    }
}

/// Puts another file in the place of one, as Kubernetes does with mounted Secrets: nobody sees half of it.
///
/// # Panics
/// If it cannot be written.
pub fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, text).expect("write a file");
    std::fs::rename(&fresh, path).expect("put it in place");
}
