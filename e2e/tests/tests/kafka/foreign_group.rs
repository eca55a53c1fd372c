//! A live group of another kind under our application id is named and refused; what it holds is not touched.

use std::process::Command;
use std::time::Duration;

use millrace_e2e::data::Transactions;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::{Broker, Exit, JavaApp, Millrace, Process, admin, feed, paths, unique, wait_until};

use crate::left::topic;

const WITHIN: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(30);

/// Starts Millrace while somebody holds the group; it must end in time, with the code, naming the holder by these words.
fn refused(broker: &Broker, [input, output, id]: &[String; 3], words: &[&str]) {
    let mut app = Millrace::run(Manifest::totals(broker, id, input, output)).start();
    app.expect_exit(6, WITHIN);
    let said = app.process.stderr() + &app.process.stdout();
    for word in ["MILL-G001", id, "127.0.0.1"].iter().chain(words) {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
}

/// Names of its own for a test, and some input: input, output, application id.
fn names(broker: &Broker, what: &str) -> [String; 3] {
    let input = topic(broker, &format!("{what}-in"), 4);
    let records = Transactions::seeded(6).records(100).without_faults().generate();
    feed::feed(broker, &[&input], &records);
    [input, topic(broker, &format!("{what}-out"), 4), unique(what)]
}

/// Kafka Streams, once it has committed: then it is a member of its group.
fn java(broker: &Broker, [input, output, id]: &[String; 3], protocol: &str) -> JavaApp {
    let app = JavaApp::run(broker, "totals", id, input, output)
        .config("group.protocol", protocol)
        .config("commit.interval.ms", 100)
        .jvm(&["-Xmx256m", "-XX:+UseSerialGC"])
        .until_terminated()
        .start();
    wait_until("Kafka Streams has committed", SOON, || {
        (!admin::positions(broker, id, input).is_empty()).then_some(())
    });
    app
}

fn free_once_it_has_left(broker: &Broker, [input, output, id]: &[String; 3], mut holder: JavaApp) {
    holder.process.terminate();
    // So a JVM ends after SIGTERM.
    assert_eq!(holder.process.wait(SOON), Exit::Code(143));
    Millrace::run(Manifest::totals(broker, id, input, output))
        .until_caught_up()
        .start()
        .expect_exit(0, SOON);
}

#[test]
fn a_live_java_application_of_the_classic_protocol() {
    let broker = Broker::shared();
    let names = names(broker, "held");
    let mut holder = java(broker, &names, "classic");
    let words = [
        "Kafka Streams",
        "classic",
        "`stream`",
        "Stable",
        "StreamThread-1-consumer",
    ];
    refused(broker, &names, &words);
    assert_eq!(holder.process.try_exit(), None, "the holder took no notice");

    free_once_it_has_left(broker, &names, holder);
}

#[test]
fn a_live_java_application_of_the_streams_protocol() {
    let broker = Broker::shared();
    let names = names(broker, "kip1071");
    let mut holder = java(broker, &names, "streams");
    refused(
        broker,
        &names,
        &["Kafka Streams", "group.protocol=streams", "StreamThread-1"],
    );
    assert_eq!(holder.process.try_exit(), None, "the holder took no notice");
    free_once_it_has_left(broker, &names, holder);
}

/// Kafka's own console consumer, on either protocol.
#[test]
fn live_consumers() {
    let broker = Broker::shared();
    let [input, output, _] = names(broker, "consumed");
    for (protocol, kind) in [("consumer", "group.protocol=consumer"), ("classic", "`range`")] {
        let names = [input.clone(), output.clone(), unique(protocol)];
        let mut command = Command::new("java");
        command
            .args([
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            ])
            .args(["-cp", &paths::kafka_class_path()])
            .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args([
                "--bootstrap-server",
                &broker.bootstrap(),
                "--topic",
                &input,
                "--from-beginning",
            ])
            .args(["--group", &names[2]])
            .args(["--command-property", &format!("group.protocol={protocol}")])
            .args(["--command-property", "client.id=of-the-test"]);
        let mut holder = Process::start(format!("consumer {protocol}"), &mut command);
        holder.wait_for_line("a record", SOON, |line| line.contains("amount"));
        refused(broker, &names, &["consumers", kind, "of-the-test"]);
        assert_eq!(holder.try_exit(), None, "the holder took no notice");
        holder.kill();
    }
}
