//! What goes wrong in applications of the DSL: when they are built, and record by record.

use super::dsl::{TextLong, driver, output, pipe, strings, words};
use crate::driver::TestDriver;
use crate::dsl::{
    BuildFault, Consumed, Grouped, KStream, Materialized, OnError, Produced, Repartitioned, StartFrom, StreamsBuilder,
    TimeWindows,
};
use crate::serde::{JsonSerde, LongSerde, StringSerde};
use crate::{Application, BoxError, Code};

fn parse(word: Option<&String>) -> Result<Option<i64>, BoxError> {
    Ok(word.map(|word| word.parse()).transpose()?)
}

fn parsing(on_error: Option<OnError>) -> Application {
    let mut builder = StreamsBuilder::new();
    let parsed = words(&mut builder, "words").try_map_values(|_, word| parse(word));
    let parsed = match on_error {
        None => parsed,
        Some(on_error) => parsed.on_error(on_error),
    };
    parsed.to("numbers", Produced::with(StringSerde, TextLong));
    builder.build().unwrap()
}

#[test]
fn a_record_that_cannot_be_processed_stops_the_application() {
    let mut driver = driver(parsing(None));
    pipe(&mut driver, "words", "a 1 @1");
    let error = driver.pipe("words", Some(b"a"), Some(b"one"), 2).unwrap_err();
    assert_eq!(error.code(), Code::R002);
    expect_test::expect!["MILL-R002: topic words, partition 0, offset 1: the record cannot be processed at KSTREAM-MAPVALUES-0000000001: invalid digit found in string. Mend the producer or the expression, or let such records pass: onError: continue or deadLetter"].assert_eq(&error.to_string());
    assert_eq!(output(&mut driver, "numbers"), "a 1 @1");
    assert_eq!(
        driver.pipe("words", Some(b"a"), Some(b"2"), 3).unwrap_err().code(),
        Code::R002
    );
}

#[test]
fn continue_drops_the_record() {
    let by_step = driver(parsing(Some(OnError::Continue)));
    let handler = "org.apache.kafka.streams.errors.LogAndContinueProcessingExceptionHandler";
    let by_config = TestDriver::new(parsing(None), [("processing.exception.handler", handler)]).unwrap();
    for mut driver in [by_step, by_config] {
        pipe(&mut driver, "words", "a 1 @1\na one @2\na 2 @3");
        assert_eq!(output(&mut driver, "numbers"), "a 1 @1\na 2 @3");
        assert_eq!(driver.metrics().total(|worker| worker.dropped.get()), 1);
    }
}

#[test]
fn dead_letters_carry_the_record_and_what_went_wrong() {
    let mut driver = driver(parsing(Some(OnError::DeadLetter)));
    let header = millrace_kafka::log::Header {
        name: "trace".to_owned(),
        value: Some("t1".into()),
    };
    pipe(&mut driver, "words", "a 1 @1");
    driver
        .pipe_with_headers("words", Some(b"a"), Some(b"one"), 2, &[header])
        .unwrap();
    pipe(&mut driver, "words", "a 2 @3");
    assert_eq!(output(&mut driver, "numbers"), "a 1 @1\na 2 @3");
    let letters = driver.read("test-dead-letter");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to_string(), "a one @2");
    let names: Vec<&str> = letters[0].headers.iter().map(|header| header.name.as_str()).collect();
    expect_test::expect![[r#"
        trace
        __streams.errors.exception
        __streams.errors.message
        __streams.errors.stacktrace
        __streams.errors.topic
        __streams.errors.partition
        __streams.errors.offset"#]]
    .assert_eq(&names.join("\n"));
    let header = |name: &str| letters[0].header(&format!("__streams.errors.{name}")).unwrap();
    assert_eq!(
        (header("topic"), header("partition"), header("offset")),
        ("words".into(), "0".into(), "1".into())
    );
    assert!(header("message").contains("invalid digit"), "{}", header("message"));
}

#[test]
fn a_failed_aggregation_leaves_the_row_as_it_was() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .try_aggregate(
            || 0_i64,
            |_, word, sum| -> Result<i64, BoxError> { Ok(sum + word.parse::<i64>()?) },
            Materialized::named("sums").with_value_serde(LongSerde),
        )
        .on_error(OnError::DeadLetter)
        .to_stream()
        .to("sums-out", Produced::with(StringSerde, TextLong));
    let mut driver = driver(builder.build().unwrap());
    pipe(&mut driver, "words", "a 1 @1\na one @2\na 2 @3");
    assert_eq!(output(&mut driver, "sums-out"), "a 1 @1\na 3 @3");
    assert_eq!(output(&mut driver, "test-dead-letter"), "a one @2");
}

#[test]
fn an_unreadable_record_goes_where_its_topic_says() {
    let application = |on_error| {
        let mut builder = StreamsBuilder::new();
        let consumed = Consumed::with(StringSerde, JsonSerde).on_error(on_error);
        let values: KStream<String, serde_json::Value> = builder.stream("values", consumed);
        values.to("out", Produced::with(StringSerde, JsonSerde));
        builder.build().unwrap()
    };
    let script = "a {\"x\":1} @1\nb {oops @2\nc 3 @3";
    for (on_error, letters) in [(OnError::Continue, ""), (OnError::DeadLetter, "b {oops @2")] {
        let mut driver = driver(application(on_error));
        pipe(&mut driver, "values", script);
        assert_eq!(output(&mut driver, "out"), "a {\"x\":1} @1\nc 3 @3");
        assert_eq!(output(&mut driver, "test-dead-letter"), letters);
    }
    let mut driver = driver(application(OnError::Fail));
    assert_eq!(
        driver.pipe("values", Some(b"b"), Some(b"{oops"), 2).unwrap_err().code(),
        Code::R001
    );
}

#[test]
fn a_topic_may_be_read_twice_into_the_same_types_only() {
    let mut builder = StreamsBuilder::new();
    let (first, second) = (words(&mut builder, "words"), words(&mut builder, "words"));
    first
        .map_values(|_, word| word.map(|word| format!("1{word}")))
        .to("one", strings());
    second
        .map_values(|_, word| word.map(|word| format!("2{word}")))
        .to("two", strings());
    let mut driver = driver(builder.build().unwrap());
    pipe(&mut driver, "words", "k x @1");
    assert_eq!(output(&mut driver, "one"), "k 1x @1");
    assert_eq!(output(&mut driver, "two"), "k 2x @1");

    let mut builder = StreamsBuilder::new();
    let numbers: KStream<String, i64> = builder.stream("values", Consumed::with(StringSerde, JsonSerde));
    let texts: KStream<String, String> = builder.stream("values", Consumed::with(StringSerde, JsonSerde));
    // Steps on what was refused are left out, and add no faults of their own.
    texts.map_values(|_, text| text.cloned()).to("texts", strings());
    numbers.to("numbers", Produced::with(StringSerde, LongSerde));
    let error = builder.build().err().unwrap();
    expect_test::expect!["topic `values` is read twice, first as (alloc::string::String, i64) and then as (alloc::string::String, alloc::string::String); read it once and map the stream, or read the same types"].assert_eq(&error.to_string());
}

#[test]
fn all_faults_come_out_of_the_build() {
    let mut builder = StreamsBuilder::with_explicit_names();
    let stream = words(&mut builder, "words");
    stream.to("no topic", strings());
    stream
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::unnamed())
        .to_stream()
        .to("never", Produced::with(StringSerde, LongSerde));
    stream.repartition(
        Repartitioned::with(StringSerde, StringSerde)
            .with_name("r")
            .with_number_of_partitions(0),
    );
    stream
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .windowed_by(TimeWindows::of_size_with_no_grace(std::time::Duration::ZERO))
        .count(Materialized::named("w"));
    stream.merge(&words(&mut StreamsBuilder::new(), "words"));
    let late: Consumed<String, String> =
        Consumed::with(StringSerde, StringSerde).with_offset_reset_policy(StartFrom::Latest);
    builder.stream("words", late);
    let error = builder.build().err().unwrap();
    assert_eq!(error.faults.len(), 6, "{error}");
    assert_eq!(error.faults[4], BuildFault::ForeignStream);
    expect_test::expect![[r#"
        topic `no topic` is no legal name: it has the character ' '; use 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`, not `.` or `..`
        KSTREAM-AGGREGATE-0000000002 needs a name for its store (it would become `KSTREAM-AGGREGATE-STATE-STORE-0000000001`, which changes whenever a step is added before it); name it, or allow automatic names
        topic `r-repartition` cannot have 0 partitions; give at least 1
        store `w`: a window of 0 ms cannot be; give at least 1 ms
        a stream of one StreamsBuilder is merged with a stream of another; make both with the same builder
        topic `words` is read twice with a different start (None and Some(Latest)); read it once and share the stream, or make both equal"#]].assert_eq(&error.to_string());
    assert_eq!(crate::Error::from(error).code(), Code::C001);
}

#[test]
#[should_panic(expected = "the application is built already")]
fn a_built_application_takes_no_more_steps() {
    let mut builder = StreamsBuilder::new();
    let stream = words(&mut builder, "words");
    stream.to("copy", strings());
    builder.build().unwrap();
    stream.to("another", strings());
}
