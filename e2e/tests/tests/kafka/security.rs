//! TLS, SASL and access-control lists on a broker that lets nobody in without them: both clients of the process connect by each way,
//! secrets change while it runs, and what is refused is said in 15 s, with the code of its page.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use millrace_e2e::access::Operation::{Create, DescribeConfigs, Read, Write};
use millrace_e2e::access::{self, Allow};
use millrace_e2e::data::{Input, now};
use millrace_e2e::manifest::Manifest;
use millrace_e2e::pki::Authority;
use millrace_e2e::read::{Isolation, read_all};
use millrace_e2e::tokens::TokenServer;
use millrace_e2e::{Exit, Listener, Millrace, MillraceBuilder, Secured, feed, unique, wait_until};

use crate::left::topic;

/// What an error may take from the start of the process.
const WITHIN: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(40);

/// The seed's application on the secured broker, with topics of its own.
struct App {
    id: String,
    input: String,
    output: String,
    manifest: Manifest,
    /// The time of all records, so that they share a window.
    at: i64,
    /// Properties that no manifest may hold.
    secrets: Vec<String>,
}

impl App {
    fn new(what: &str, listener: Listener) -> App {
        let secured = Secured::shared();
        let (input, output) = (
            topic(&secured.broker, &format!("{what}-in"), 1),
            topic(&secured.broker, &format!("{what}-out"), 1),
        );
        let id = unique(what);
        let manifest = Manifest::totals(&secured.broker, &id, &input, &output)
            .bootstrap(&secured.bootstrap(listener))
            .config("processing.guarantee", "exactly_once_v2")
            .config("commit.interval.ms", 200)
            .config("statestore.cache.max.bytes", 0);
        let app = App {
            id,
            input,
            output,
            manifest,
            at: now(),
            secrets: Vec::new(),
        };
        match listener {
            Listener::MutualTls | Listener::Expired => app.with("security.protocol", "SSL").trusting(),
            Listener::SaslTls | Listener::OAuth => app.with("security.protocol", "SASL_SSL").trusting(),
            Listener::SaslPlaintext => app.with("security.protocol", "SASL_PLAINTEXT"),
        }
    }

    fn with(mut self, property: &str, value: impl ToString) -> App {
        self.manifest = self.manifest.config(property, value);
        self
    }

    /// A secret, on the command line.
    fn with_secret(mut self, property: &str, value: &str) -> App {
        self.secrets.push(format!("{property}={value}"));
        self
    }

    fn trusting(self) -> App {
        self.with("ssl.truststore.type", "PEM")
            .with("ssl.truststore.location", Secured::shared().trusted().display())
    }

    /// A user of PLAIN or SCRAM, with the password in a file.
    fn user(self, mechanism: &str, user: &str, password: &str) -> App {
        let file = Secured::shared().file(&unique("password"), password);
        self.with("sasl.mechanism", mechanism)
            .with("sasl.username", user)
            .with("millrace.sasl.password.file", file.display())
    }

    /// The login line of Java, in a file.
    fn jaas(self, mechanism: &str, line: &str) -> App {
        let file = Secured::shared().file(&unique("jaas"), line);
        self.with("sasl.mechanism", mechanism)
            .with("millrace.sasl.jaas.config.file", file.display())
    }

    /// A client of the token server.
    fn client(self, client: &str, secret: &str) -> App {
        let file = Secured::shared().file(&unique("secret"), secret);
        self.with("sasl.mechanism", "OAUTHBEARER")
            .with("sasl.oauthbearer.token.endpoint.url", Secured::shared().tokens.url())
            .with("sasl.oauthbearer.client.credentials.client.id", client)
            .with("millrace.sasl.password.file", file.display())
    }

    /// A certificate and its key in one file, which is given back.
    fn certificate(self, pem: &str) -> (App, PathBuf) {
        let file = Secured::shared().file(&unique("certificate"), pem);
        let app = self
            .with("ssl.keystore.type", "PEM")
            .with("ssl.keystore.location", file.display());
        (app, file)
    }

    /// The list of rights that docs/security.md gives for this application.
    fn minimal(&self) -> [Allow<'_>; 8] {
        [
            Allow::Topic(Read, &self.input),
            Allow::Topic(Write, &self.output),
            Allow::Topics(Create, &self.id),
            Allow::Topics(Read, &self.id),
            Allow::Topics(Write, &self.id),
            Allow::Topics(DescribeConfigs, &self.id),
            Allow::Group(Read, &self.id),
            Allow::TransactionalIds(Write, &self.id),
        ]
    }

    fn allowed(self, principal: &str) -> App {
        access::allow(&Secured::shared().broker, principal, &self.minimal());
        self
    }

    /// Writes amounts 1 to `count` for one user.
    fn feed(&self, user: &str, count: i64) {
        let inputs: Vec<Input> = (1..=count)
            .map(|amount| Input::text(user, &format!("{{\"amount\": {amount}}}"), self.at, 1))
            .collect();
        feed::feed(&Secured::shared().broker, &[&self.input], &inputs);
    }

    fn run(&self) -> MillraceBuilder {
        let run = Millrace::run(self.manifest.clone());
        self.secrets
            .iter()
            .fold(run, |run, secret| run.arg("--config").arg(secret))
    }

    fn start(&self) -> Millrace {
        self.run().start()
    }

    fn start_until_caught_up(&self) -> Millrace {
        self.run().until_caught_up().start()
    }

    /// The last count of each user.
    fn counts(&self) -> BTreeMap<String, i64> {
        let records = read_all(&Secured::shared().broker, &self.output, Isolation::Committed);
        let mut counts = BTreeMap::new();
        for record in records {
            let user = String::from_utf8(record.key.expect("a key")).expect("a name");
            let value: serde_json::Value = serde_json::from_slice(&record.value.expect("a value")).expect("JSON");
            counts.insert(user, value["count"].as_i64().expect("a number"));
        }
        counts
    }

    fn wait_for_count(&self, user: &str, count: i64) {
        wait_until(&format!("{count} records of {user} are counted"), SOON, || {
            (self.counts().get(user) == Some(&count)).then_some(())
        });
    }
}

fn said(app: &Millrace) -> String {
    app.process.stderr() + &app.process.stdout()
}

#[test]
fn the_application_runs_by_every_way_in() {
    let secured = Secured::shared();
    let (mutual, _) = App::new("mutual", Listener::MutualTls)
        .allowed("User:CN=mutual")
        .certificate(&secured.issue("mutual").together());
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    let apps = [
        mutual,
        // With a trust store that Java's own tool made.
        App::new("plain", Listener::SaslTls)
            .allowed("User:plain0")
            .with("ssl.truststore.type", "PKCS12")
            .with(
                "ssl.truststore.location",
                secured.java_trust_store("a-store-secret").display(),
            )
            .with_secret("ssl.truststore.password", "a-store-secret")
            .with("sasl.mechanism", "PLAIN")
            .with_secret(
                "sasl.jaas.config",
                &format!("{plain} username=\"plain0\" password=\"plain0-secret\";"),
            ),
        App::new("scram256", Listener::SaslTls).allowed("User:scram256").jaas(
            "SCRAM-SHA-256",
            &format!("{scram} username=scram256 password=\"scram256-secret\";"),
        ),
        App::new("scram512", Listener::SaslPlaintext)
            .allowed("User:scram512")
            .user("SCRAM-SHA-512", "scram512", "scram512-secret"),
        App::new("oauth", Listener::OAuth)
            .allowed("User:the-app")
            .client("the-app", &TokenServer::secret_of("the-app")),
    ];
    let running: Vec<Millrace> = apps
        .iter()
        .map(|app| {
            app.feed("ada", 7);
            app.start_until_caught_up()
        })
        .collect();
    for (app, mut process) in apps.iter().zip(running) {
        let exit = process.process.wait(SOON);
        assert_eq!(exit, Exit::Code(0), "{}: {}", app.id, said(&process));
        assert_eq!(app.counts(), BTreeMap::from([("ada".to_owned(), 7)]), "{}", app.id);
        assert!(!said(&process).contains("-secret"), "{}", app.id);
    }
}

/// With one right less than the list in docs/security.md says, nothing runs, and what is missing is named.
#[test]
fn every_right_of_the_minimal_list_is_needed() {
    let secured = Secured::shared();
    // The last of them lacks nothing.
    let rights = App::new("rights", Listener::SaslPlaintext).minimal().len();
    let apps: Vec<App> = (0..=rights)
        .map(|lacking| {
            let user = format!("plain{}", lacking + 1);
            let app = App::new("rights", Listener::SaslPlaintext).user("PLAIN", &user, &format!("{user}-secret"));
            let mut list = app.minimal().to_vec();
            if lacking < rights {
                list.remove(lacking);
            }
            access::allow(&secured.broker, &format!("User:{user}"), &list);
            app
        })
        .collect();
    // Without transactions nothing is needed on transactional ids.
    let plain = App::new("rights", Listener::SaslPlaintext)
        .user("PLAIN", "plain10", "plain10-secret")
        .with("processing.guarantee", "at_least_once");
    access::allow(&secured.broker, "User:plain10", &plain.minimal()[..rights - 1]);
    let mut plain = plain.start_until_caught_up();
    let mut running: Vec<Millrace> = apps.iter().map(App::start_until_caught_up).collect();
    let whole = running.pop().expect("there is one");
    for (index, (app, mut process)) in apps.iter().zip(running).enumerate() {
        let lacking = match app.minimal()[index] {
            Allow::Topic(operation, name) => format!("{operation:?} on topic {name}"),
            Allow::Topics(operation, prefix) => format!("{operation:?} on topic {prefix}-user-5min-totals-changelog"),
            Allow::Group(operation, name) => format!("{operation:?} on group {name}"),
            Allow::TransactionalIds(operation, prefix) => format!("{operation:?} on transactional id {prefix}-"),
        };
        let exit = process.process.wait(WITHIN);
        let said = said(&process);
        assert_eq!(exit, Exit::Code(4), "without {lacking}: {said}");
        for words in ["MILL-K003", &*lacking] {
            assert!(said.contains(words), "{words:?} is not in:\n{said}");
        }
    }
    let mut whole = whole;
    whole.expect_exit(0, SOON);
    plain.expect_exit(0, SOON);
}

#[test]
fn what_is_refused_is_said_with_its_code() {
    let secured = Secured::shared();
    let stranger = Authority::new("Strangers");
    let unknown = secured.file(&unique("strangers"), &stranger.pem());
    let java = secured.file(&unique("trust"), "");
    std::fs::write(&java, [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2]).expect("write a file");
    let late = secured.authority.issue("late", None, (-10, -1));
    let to_name = secured.bootstrap(Listener::MutualTls).replace("127.0.0.1", "localhost");
    let mut by_name = App::new("name", Listener::MutualTls);
    by_name.manifest = by_name.manifest.bootstrap(&to_name);
    let table: Vec<(&str, App, i32, &[&str])> = vec![
        (
            "wrong password",
            App::new("refused", Listener::SaslTls).user("PLAIN", "plain0", "guessed-hush"),
            4,
            &["MILL-K002", "user plain0 is refused (PLAIN)"],
        ),
        (
            "wrong SCRAM password",
            App::new("refused", Listener::SaslPlaintext).user("SCRAM-SHA-512", "scram512", "guessed-hush"),
            4,
            &["MILL-K002", "user scram512 is refused (SCRAM-SHA-512)"],
        ),
        (
            "a mechanism that the listener has not",
            App::new("refused", Listener::OAuth).user("PLAIN", "plain0", "hush"),
            4,
            &["MILL-K002", "it offers OAUTHBEARER"],
        ),
        (
            "a secret that the token server refuses",
            App::new("refused", Listener::OAuth).client("the-app", "hush"),
            4,
            &["MILL-K002", "invalid_client"],
        ),
        (
            "an authority that is not trusted",
            App::new("refused", Listener::SaslTls)
                .user("PLAIN", "plain0", "hush")
                .with("ssl.truststore.location", unknown.display()),
            4,
            &["MILL-K006", "ssl.truststore.location"],
        ),
        (
            "an expired certificate of the broker",
            App::new("refused", Listener::Expired),
            4,
            &["MILL-K006", "out of its time"],
        ),
        (
            "another name than the certificate's",
            by_name,
            4,
            &["MILL-K006", "is not for localhost"],
        ),
        (
            "no certificate of ours",
            App::new("refused", Listener::MutualTls),
            4,
            &["MILL-K006", "ssl.keystore.location"],
        ),
        (
            "a certificate of ours that the broker does not know",
            App::new("refused", Listener::MutualTls)
                .certificate(&stranger.issue("app", None, (-1, 10)).together())
                .0,
            4,
            &["MILL-K006", "refuses the TLS connection"],
        ),
        (
            "a certificate of ours that has expired",
            App::new("refused", Listener::MutualTls).certificate(&late.together()).0,
            4,
            &["MILL-K006", "CN=late expired on"],
        ),
        (
            "a key store of Java's",
            App::new("refused", Listener::SaslTls)
                .user("PLAIN", "plain0", "hush")
                .with("ssl.truststore.location", java.display()),
            3,
            &["MILL-C001", "keytool -importkeystore"],
        ),
    ];
    let running: Vec<Millrace> = table.iter().map(|(_, app, _, _)| app.start()).collect();
    for ((what, _, code, words), mut process) in table.into_iter().zip(running) {
        let exit = process.process.wait(WITHIN);
        let said = said(&process);
        assert_eq!(exit, Exit::Code(code), "{what}: {said}");
        for words in words {
            assert!(said.contains(words), "{what}: {words:?} is not in:\n{said}");
        }
        assert!(!said.contains("hush"), "{what}: a secret is shown:\n{said}");
    }
}

#[test]
fn a_password_is_changed_while_the_application_runs() {
    let secured = Secured::shared();
    let file = secured.file(&unique("rotating"), "rotating-secret");
    let app = App::new("password", Listener::SaslTls)
        .allowed("User:rotating")
        .with("sasl.mechanism", "SCRAM-SHA-512")
        .with("sasl.username", "rotating")
        .with("millrace.sasl.password.file", file.display());
    let mut process = app.start();
    app.feed("ada", 3);
    app.wait_for_count("ada", 3);
    // First the broker, then the file: until then new connections are refused, and the application goes on.
    access::set_scram_password(&secured.broker, "rotating", "another-secret");
    secured.file(&name_of(&file), "another-secret");
    process.wait_for_event("clients-renewed", SOON, |_| true);
    app.feed("ada", 4);
    app.wait_for_count("ada", 7);
    process.stop();
    assert!(!said(&process).contains("-secret"));
}

/// The new certificate is another principal's, and the first one loses its rights: what is counted afterwards came by the new one.
#[test]
fn a_certificate_is_changed_while_the_application_runs() {
    let secured = Secured::shared();
    let (app, file) = App::new("certificate", Listener::MutualTls)
        .allowed("User:CN=first")
        .allowed("User:CN=second")
        .certificate(&secured.issue("first").together());
    let mut process = app.start();
    app.feed("ada", 3);
    app.wait_for_count("ada", 3);
    secured.file(&name_of(&file), &secured.issue("second").together());
    process.wait_for_event("clients-renewed", SOON, |_| true);
    access::take_away(&secured.broker, "User:CN=first");
    app.feed("ada", 4);
    app.wait_for_count("ada", 7);
    process.stop();
}

/// Tokens live for four seconds here, and so do logins: both clients have to renew them again and again.
#[test]
fn tokens_are_renewed_while_the_application_runs() {
    let secured = Secured::shared();
    let app = App::new("tokens", Listener::OAuth)
        .allowed("User:long-lived")
        .client("long-lived", &TokenServer::secret_of("long-lived"));
    let mut process = app.start();
    app.feed("ada", 3);
    app.wait_for_count("ada", 3);
    wait_until("tokens are renewed", SOON, || {
        (secured.tokens.served("long-lived") >= 3).then_some(())
    });
    app.feed("ada", 4);
    app.wait_for_count("ada", 7);
    process.stop();
}

fn name_of(file: &std::path::Path) -> String {
    file.file_name().expect("a name").to_str().expect("a name").to_owned()
}
