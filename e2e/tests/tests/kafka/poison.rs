//! Bad input is stopped, skipped or put aside, as configured, and never lost silently.

use std::time::Duration;

use millrace_e2e::data::{Input, now};
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::{Isolation, Record, read_all};
use millrace_e2e::{Broker, Exit, Millrace, admin, feed, unique};

use crate::left::topic;

const SOON: Duration = Duration::from_secs(30);
const BAD: usize = 3;

/// Good records with a bad one at offset [`BAD`].
fn with_bad(value: &[u8], timestamp: i64) -> Vec<Input> {
    let good = |i: i64| Input::text("ada", r#"{"amount": 2}"#, now() + i, 1);
    let mut inputs: Vec<_> = (0..6).map(good).collect();
    inputs[BAD] = Input {
        value: Some(value.to_vec()),
        timestamp,
        ..good(0)
    };
    inputs
}

struct Ran {
    exit: Exit,
    log: String,
    output: Vec<Record>,
    dead: Vec<Record>,
    input: String,
}

/// Runs the totals over the input; `configure` says what to do with bad records.
fn run(inputs: &[Input], configure: impl Fn(Manifest) -> Manifest) -> Ran {
    let broker = Broker::shared();
    let (input, output, id) = (unique("poison-in"), topic(broker, "poison-out", 1), unique("poison"));
    admin::create_topic(broker, &input, 1, &[("max.message.bytes", "16777216")]);
    let dead_letters = format!("{id}-dead-letter");
    admin::create_topic(broker, &dead_letters, 1, &[("max.message.bytes", "16777216")]);
    feed::feed(broker, &[&input], inputs);
    let manifest = Manifest::totals(broker, &id, &input, &output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0);
    let mut app = Millrace::run(configure(manifest)).until_caught_up().start();
    let exit = app.process.wait(SOON);
    let log = app.process.stderr() + &app.process.stdout();
    let output = read_all(broker, &output, Isolation::Committed);
    Ran {
        exit,
        log,
        output,
        dead: read_all(broker, &dead_letters, Isolation::Committed),
        input,
    }
}

impl Ran {
    #[track_caller]
    fn stopped_at_bad(&self) {
        assert!(!matches!(self.exit, Exit::Code(0)), "it should have stopped");
        // The log is JSON by lines; wherever the position is, it names topic, partition and offset.
        let named = self
            .log
            .lines()
            .any(|l| l.contains(&self.input) && l.contains("partition") && l.contains(&BAD.to_string()));
        assert!(
            named,
            "no line names {} partition 0 offset {BAD}:\n{}",
            self.input, self.log
        );
    }

    #[track_caller]
    fn skipped_bad(&self) {
        assert_eq!(self.exit, Exit::Code(0), "{}", self.log);
        assert_eq!(self.output.len(), 5, "the good records count");
    }
}

const BROKEN: &[u8] = b"{\"amount\": ";
const NO_AMOUNT: &[u8] = b"{\"sum\": 1}";

#[test]
fn the_default_stops_and_names_the_position() {
    run(&with_bad(BROKEN, now()), |m| m.on_error("fail", "fail")).stopped_at_bad();
    run(&with_bad(NO_AMOUNT, now()), |m| m.on_error("fail", "fail")).stopped_at_bad();
    run(&with_bad(br#"{"amount": 2}"#, -1), |m| m.on_error("fail", "fail")).stopped_at_bad();
}

#[test]
fn continue_skips_the_record_alone() {
    for bad in [BROKEN, NO_AMOUNT] {
        let ran = run(&with_bad(bad, now()), |m| m.on_error("continue", "continue"));
        ran.skipped_bad();
        assert!(ran.dead.is_empty());
    }
    let skip = "org.apache.kafka.streams.processor.LogAndSkipOnInvalidTimestamp";
    run(&with_bad(br#"{"amount": 2}"#, -1), |m| {
        m.config("default.timestamp.extractor", skip)
    })
    .skipped_bad();
}

#[test]
fn dead_letters_carry_the_record_and_where_it_was() {
    for bad in [BROKEN, NO_AMOUNT] {
        let at = now();
        let ran = run(&with_bad(bad, at), |m| m.on_error("deadLetter", "deadLetter"));
        ran.skipped_bad();
        let [dead] = &ran.dead[..] else {
            panic!("one dead letter, not {:?}", ran.dead)
        };
        assert_eq!(
            (dead.key.as_deref(), dead.value.as_deref(), dead.timestamp),
            (Some(&b"ada"[..]), Some(bad), at)
        );
        let header = |name: &str| dead.header(&format!("__streams.errors.{name}"));
        assert_eq!(header("topic").as_deref(), Some(&*ran.input));
        assert_eq!(header("partition").as_deref(), Some("0"));
        assert_eq!(header("offset"), Some(BAD.to_string()));
        for present in ["exception", "message", "stacktrace"] {
            assert!(
                header(present).is_some_and(|text| !text.is_empty()),
                "header {present} of {dead:?}"
            );
        }
    }
}

#[test]
fn a_value_of_five_megabytes_is_a_record_like_others() {
    let large = |amount: &str| format!("{{\"note\": \"{}\", \"amount\": {amount}}}", "x".repeat(5 << 20)).into_bytes();
    let ran = run(&with_bad(&large("2"), now()), |m| m);
    assert_eq!(ran.exit, Exit::Code(0), "{}", ran.log);
    assert_eq!(ran.output.len(), 6);
    // Too large to quote, and still put aside whole.
    let ran = run(&with_bad(&large("\"two\""), now()), |m| {
        m.on_error("continue", "deadLetter")
            .config("producer.max.request.size", 16 << 20)
    });
    ran.skipped_bad();
    assert_eq!(ran.dead.len(), 1);
    assert!(ran.log.len() < 1 << 20, "the log does not quote five megabytes");
}

/// What the output topic does not take stops the application, which names the topic.
#[test]
fn an_output_too_large_for_its_topic_stops() {
    let broker = Broker::shared();
    let (input, output, id) = (unique("large-in"), topic(broker, "large-out", 1), unique("large"));
    admin::create_topic(broker, &input, 1, &[("max.message.bytes", "16777216")]);
    let large = format!("{{\"note\": \"{}\", \"amount\": 1000}}", "x".repeat(5 << 20));
    feed::feed(broker, &[&input], &[Input::text("ada", &large, now(), 1)]);
    let mut app = Millrace::run(Manifest::filter(broker, &id, &input, &output))
        .until_caught_up()
        .start();
    let exit = app.process.wait(SOON);
    assert!(!matches!(exit, Exit::Code(0)), "it should have stopped");
    let log = app.process.stderr() + &app.process.stdout();
    assert!(log.contains(&output), "{log}");
    assert!(read_all(broker, &output, Isolation::Uncommitted).is_empty());
}
