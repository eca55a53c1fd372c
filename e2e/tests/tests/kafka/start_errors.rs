//! What is wrong before the first record: a coded message in 15 s, its exit code, and nothing created half-way.

use std::net::TcpListener;
use std::time::Duration;

use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Millrace, admin, unique, unused_port};

use crate::left::{changelog, topic};

const WITHIN: Duration = Duration::from_secs(15);

/// Starts it, expects the code, and the words somewhere in what it says.
fn fails(manifest: Manifest, code: i32, words: &[&str]) {
    let mut app = Millrace::run(manifest).start();
    app.expect_exit(code, WITHIN);
    let said = app.process.stderr() + &app.process.stdout();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
}

#[test]
fn missing_topics() {
    let broker = Broker::shared();
    let (there, missing) = (topic(broker, "there", 4), unique("missing"));
    for (input, output) in [(&missing, &there), (&there, &missing)] {
        let id = unique("no-topic");
        fails(Manifest::totals(broker, &id, input, output), 5, &[&missing]);
        assert!(
            admin::internal_topics(broker, &id).is_empty(),
            "nothing is created half-way"
        );
    }
}

#[test]
fn a_changelog_with_another_number_of_partitions() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "four-in", 4),
        topic(broker, "four-out", 4),
        unique("three"),
    );
    admin::create_topic(broker, &changelog(&id), 3, &[]);
    let before = admin::internal_topics(broker, &id);
    fails(
        Manifest::totals(broker, &id, &input, &output),
        5,
        &[&changelog(&id), "3", "4"],
    );
    assert_eq!(admin::internal_topics(broker, &id), before);
}

#[test]
fn no_broker() {
    let nobody = format!("127.0.0.1:{}", unused_port());
    fails(
        Manifest::totals(Broker::shared(), &unique("nobody"), "in", "out").bootstrap(&nobody),
        4,
        &[&nobody],
    );
}

/// Somebody listens there, but speaks no Kafka, or says nothing at all.
#[test]
fn the_wrong_port() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it is bound").to_string();
    fails(
        Manifest::totals(Broker::shared(), &unique("silent"), "in", "out").bootstrap(&address),
        4,
        &[&address],
    );

    let web = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = web.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in web.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    fails(
        Manifest::totals(Broker::shared(), &unique("web"), "in", "out").bootstrap(&address),
        4,
        &[&address],
    );
}

#[test]
fn a_wrong_property_is_refused_with_a_near_match() {
    let broker = Broker::shared();
    let id = unique("typo");
    let manifest = Manifest::totals(broker, &id, "in", "out").config("commit.interval.m", 100);
    fails(manifest, 3, &["commit.interval.m", "commit.interval.ms"]);
}
