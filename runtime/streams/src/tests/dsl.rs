//! Applications of the DSL on the test driver: what goes in, and what must come out.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::driver::TestDriver;
use crate::dsl::{
    Consumed, Grouped, KStream, Materialized, Produced, Repartitioned, StreamsBuilder, TimeWindows, Windowed,
};
use crate::node::Aggregator;
use crate::serde::{JsonSerde, LongSerde, Serde, StringSerde, TimeWindowedSerde};
use crate::{Application, BoxError, Record, RecordContext};

#[derive(Deserialize, Serialize)]
struct Transaction {
    amount: f64,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    total_amount: f64,
    count: i64,
}

/// Longs as text, so that what comes out reads well.
pub(super) struct TextLong;

impl Serde<i64> for TextLong {
    fn deserialize(&self, _: &str, data: &bytes::Bytes) -> Result<i64, BoxError> {
        Ok(std::str::from_utf8(data)?.parse()?)
    }

    fn serialize(&self, _: &str, value: &i64, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }
}

pub(super) fn words(builder: &mut StreamsBuilder, topic: &str) -> KStream<String, String> {
    builder.stream(topic, Consumed::with(StringSerde, StringSerde))
}

pub(super) fn strings() -> Produced<String, String> {
    Produced::with(StringSerde, StringSerde)
}

/// `key value @time` with `-` for null; a line each.
pub(super) fn pipe(driver: &mut TestDriver, topic: &str, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (record, time) = line.split_once(" @").expect("key value @time");
        let (key, value) = record.split_once(' ').expect("key value");
        let given = |word: &'static str, text: &str| (text != word).then(|| text.to_owned());
        let (key, value) = (given("-", key), given("-", value));
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        driver
            .pipe(
                topic,
                bytes(&key).as_deref(),
                bytes(&value).as_deref(),
                time.parse().expect("a time"),
            )
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

pub(super) fn output(driver: &mut TestDriver, topic: &str) -> String {
    let lines: Vec<String> = driver.read(topic).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

pub(super) fn driver(application: Application) -> TestDriver {
    TestDriver::new(application, [("processing.guarantee", "exactly_once_v2")])
        .unwrap_or_else(|error| panic!("{error}"))
}

fn seed() -> Application {
    let mut builder = StreamsBuilder::new();
    let transactions: KStream<String, Transaction> =
        builder.stream("transactions-topic", Consumed::with(StringSerde, JsonSerde));
    transactions
        .filter(|_, transaction| transaction.is_some_and(|transaction| transaction.amount > 0.0))
        .group_by_key(Grouped::with(StringSerde, JsonSerde))
        .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(300)))
        .aggregate(
            Totals::default,
            |_, transaction, mut totals| {
                totals.total_amount += transaction.map_or(0.0, |transaction| transaction.amount);
                totals.count += 1;
                totals
            },
            Materialized::named("user-5min-totals")
                .with_value_serde(JsonSerde)
                .with_changelog("retention.ms", "86400000")
                .with_changelog("segment.bytes", "104857600"),
        )
        .to_stream()
        .map(|windowed, totals| (windowed.map(|windowed| windowed.key.clone()), totals.cloned()))
        .to("aggregated-transactions", Produced::with(StringSerde, JsonSerde));
    builder.build().unwrap()
}

#[test]
fn the_seed_is_described_as_java_describes_it() {
    let captured = include_str!("../../../topology/tests/java/named.txt");
    let (_, answer) = captured.split_once("---\n").unwrap();
    let (java, _) = answer.split_once("task 0_0").unwrap();
    let application = seed();
    assert_eq!(application.plan().describe(), java);
    let store = &application.plan().stores[0];
    assert_eq!((store.key.0.as_str(), store.value.0.as_str()), ("string", "json"));
    assert_eq!(store.changelog.as_ref().unwrap().config["segment.bytes"], "104857600");
}

#[test]
fn the_seed_sums_and_counts() {
    let mut driver = driver(seed());
    pipe(
        &mut driver,
        "transactions-topic",
        r#"
        ada {"amount":5} @1000
        bob {"amount":2.5} @2000
        ada {"amount":-3} @3000
        ada {"amount":7} @250000
        ada {"amount":1} @300000
        ada {"amount":100} @299999
        "#,
    );
    expect_test::expect![[r#"
        ada {"totalAmount":5.0,"count":1} @1000
        bob {"totalAmount":2.5,"count":1} @2000
        ada {"totalAmount":12.0,"count":2} @250000
        ada {"totalAmount":1.0,"count":1} @300000"#]]
    .assert_eq(&output(&mut driver, "aggregated-transactions"));
}

#[test]
fn filter_map_repartition_and_count_over_four_partitions() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "sentences")
        .filter_not(|_, sentence| sentence.is_none_or(String::is_empty))
        .map(|_, sentence| {
            let first = sentence
                .and_then(|sentence| sentence.split(' ').next())
                .map(str::to_lowercase);
            (first, sentence.cloned())
        })
        .repartition(
            Repartitioned::with(StringSerde, StringSerde)
                .with_name("by-word")
                .with_number_of_partitions(3),
        )
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::named("counts"))
        .to_stream()
        .to("counted", Produced::with(StringSerde, TextLong));
    let application = builder.build().unwrap();
    let mut driver =
        TestDriver::with_partitions(application, [("processing.guarantee", "exactly_once_v2")], 4).unwrap();
    for key in 0..20 {
        for word in ["The race", "Mill and wheel", "", "the end"] {
            let key = key.to_string();
            driver
                .pipe(
                    "sentences",
                    Some(key.as_bytes()),
                    Some(word.as_bytes()),
                    1_000 + key.len() as i64,
                )
                .unwrap();
        }
    }
    let counted = driver.read("counted");
    let last = |word: &str| {
        let of_word = counted
            .iter()
            .filter(|record| record.key.as_deref() == Some(word.as_bytes()));
        let values: Vec<i64> = of_word
            .map(|record| {
                std::str::from_utf8(record.value.as_deref().unwrap())
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        values
    };
    assert_eq!(last("the"), (1..=40).collect::<Vec<_>>());
    assert_eq!(last("mill"), (1..=20).collect::<Vec<_>>());
    assert_eq!(counted.len(), 60);
    assert_eq!(
        driver
            .cluster()
            .dump(
                "test-by-word-repartition",
                3,
                millrace_kafka::log::Isolation::ReadCommitted
            )
            .err()
            .map(|error| error.kind()),
        Some(millrace_kafka::ErrorKind::UnknownTopic)
    );
}

#[test]
fn two_streams_are_merged_and_branch_again() {
    let mut builder = StreamsBuilder::new();
    let (left, right) = (words(&mut builder, "left"), words(&mut builder, "right"));
    let both = left
        .map_values(|_, word| word.map(|word| format!("l:{word}")))
        .merge(&right);
    both.to("all", strings());
    both.filter(|key, _| key.is_some_and(|key| key == "a"))
        .to("only-a", strings());
    let mut driver = driver(builder.build().unwrap());
    pipe(&mut driver, "left", "a 1 @1\nb 2 @2");
    pipe(&mut driver, "right", "a 3 @3\n- 4 @4");
    pipe(&mut driver, "left", "a - @5");
    assert_eq!(
        output(&mut driver, "all"),
        "a l:1 @1\nb l:2 @2\na 3 @3\nnull 4 @4\na null @5"
    );
    assert_eq!(output(&mut driver, "only-a"), "a l:1 @1\na 3 @3\na null @5");
}

#[test]
fn one_aggregation_feeds_another() {
    // How often each word comes, and then: how many updates each count has had.
    for cache in ["0", "10485760"] {
        let mut builder = StreamsBuilder::new();
        words(&mut builder, "words")
            .group_by(
                |_, word| word.cloned(),
                Grouped::with(StringSerde, StringSerde).with_name("by-word"),
            )
            .count(Materialized::named("per-word"))
            .to_stream()
            .select_key(|_, count| count.copied())
            .group_by_key(Grouped::with(LongSerde, LongSerde))
            .count(Materialized::named("per-count"))
            .to_stream()
            .to("per-count-out", Produced::with(TextLong, TextLong));
        let application = builder.build().unwrap();
        assert_eq!(application.plan().subtopologies.len(), 3);
        let config = [
            ("processing.guarantee", "exactly_once_v2"),
            ("statestore.cache.max.bytes", cache),
        ];
        let mut driver = TestDriver::new(application, config).unwrap();
        pipe(
            &mut driver,
            "words",
            "x mill @1\nx race @2\nx mill @3\nx mill @4\nx wheel @5\nx race @6\nx - @7",
        );
        assert_eq!(
            output(&mut driver, "per-count-out"),
            "1 1 @1\n1 2 @2\n2 1 @3\n3 1 @4\n1 3 @5\n2 2 @6",
            "cache {cache}"
        );
        assert_eq!(
            driver.read("test-by-word-repartition").len(),
            6,
            "null keys are not repartitioned"
        );
        assert_eq!(driver.metrics().total(|worker| worker.dropped.get()), 1);
    }
}

#[test]
fn a_table_filter_turns_what_no_longer_matches_into_deletions() {
    let mut builder = StreamsBuilder::new();
    let counts = words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::named("counts"));
    counts
        .filter(|_, count| *count >= 2)
        .map_values(|word, count| format!("{word} x{count}"))
        .to_stream()
        .to("often", strings());
    counts
        .filter_not(|_, count| *count >= 2)
        .to_stream()
        .to("rare", Produced::with(StringSerde, TextLong));
    let mut driver = driver(builder.build().unwrap());
    pipe(&mut driver, "words", "a 1 @1\na 2 @2\nb 1 @3");
    assert_eq!(
        output(&mut driver, "often"),
        "a a x2 @2",
        "who was never in it is not deleted"
    );
    assert_eq!(output(&mut driver, "rare"), "a 1 @1\na null @2\nb 1 @3");
}

/// Stores sum and count, shows the average.
struct Average;

#[derive(Deserialize, Serialize)]
struct SumAndCount(f64, u32);

impl Aggregator<String, Transaction, SumAndCount, f64> for Average {
    fn initial(&self) -> SumAndCount {
        SumAndCount(0.0, 0)
    }

    fn add(
        &self,
        record: Record<'_, String, Transaction>,
        _: &RecordContext<'_>,
        SumAndCount(sum, count): SumAndCount,
    ) -> Result<Option<SumAndCount>, BoxError> {
        let amount = record.value.ok_or("no transaction")?.amount;
        Ok(Some(SumAndCount(sum + amount, count + 1)))
    }

    fn view<'a>(&self, SumAndCount(sum, count): &'a SumAndCount) -> Result<Cow<'a, f64>, BoxError> {
        Ok(Cow::Owned(sum / f64::from(*count)))
    }
}

#[test]
fn an_average_stores_another_type_than_it_shows() {
    for cache in ["0", "10485760"] {
        let mut builder = StreamsBuilder::new();
        let transactions: KStream<String, Transaction> =
            builder.stream("transactions", Consumed::with(StringSerde, JsonSerde));
        transactions
            .group_by_key(Grouped::with(StringSerde, JsonSerde))
            .aggregate_with(Average, Materialized::named("averages").with_value_serde(JsonSerde))
            .to_stream()
            .to("averages-out", Produced::with(StringSerde, JsonSerde));
        let mut driver = TestDriver::new(builder.build().unwrap(), [("statestore.cache.max.bytes", cache)]).unwrap();
        pipe(
            &mut driver,
            "transactions",
            "a {\"amount\":1} @1\na {\"amount\":2} @2\nb {\"amount\":9} @3\n- {\"amount\":9} @4\na - @5",
        );
        assert_eq!(output(&mut driver, "averages-out"), "a 1.0 @1\na 1.5 @2\nb 9.0 @3");
        assert_eq!(
            output(&mut driver, "test-averages-changelog"),
            "a [1.0,1] @1\na [3.0,2] @2\nb [9.0,1] @3"
        );
        assert_eq!(driver.metrics().total(|worker| worker.dropped.get()), 2);
    }
}

#[test]
fn an_aggregate_of_none_deletes_the_row() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .aggregate(
            String::new,
            |_, word, all| (word != "clear").then(|| all + word),
            Materialized::named("joined").with_value_serde(StringSerde),
        )
        .to_stream()
        .to("joined-out", strings());
    let application = builder.build().unwrap();
    let script = "k a @1\nk b @2\nk clear @3\nk c @4\nj clear @5";
    // The record cache says nothing of a row that was never there (`CachingKeyValueStore`).
    for (cache, expected) in [
        ("0", "k a @1\nk ab @2\nk null @3\nk c @4\nj null @5"),
        ("10485760", "k a @1\nk ab @2\nk null @3\nk c @4"),
    ] {
        let mut driver = TestDriver::new(application.clone(), [("statestore.cache.max.bytes", cache)]).unwrap();
        pipe(&mut driver, "words", script);
        assert_eq!(output(&mut driver, "joined-out"), expected);
        assert_eq!(output(&mut driver, "test-joined-changelog"), expected);
    }

    // A row that comes and goes between two commits is not seen; one that was seen is deleted.
    let mut driver = TestDriver::new(application, [("commit.interval.ms", "1000")]).unwrap();
    driver.advance(Duration::from_secs(2)).unwrap();
    pipe(&mut driver, "words", "j a @1\nj clear @2\nk a @3");
    driver.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(output(&mut driver, "joined-out"), "k a @3");
    pipe(&mut driver, "words", "k b @4\nk clear @5");
    driver.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(output(&mut driver, "joined-out"), "k null @5");
}

#[test]
fn headers_travel_through_the_record_cache() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::named("counts"))
        .to_stream()
        .to("counted", Produced::with(StringSerde, TextLong));
    let mut driver = driver(builder.build().unwrap());
    for trace in ["t1", "t2", "t3"] {
        let header = millrace_kafka::log::Header {
            name: "trace".to_owned(),
            value: Some(trace.into()),
        };
        driver
            .pipe_with_headers("words", Some(b"a"), Some(b"x"), 1, &[header])
            .unwrap();
        let counted = driver.read("counted");
        assert_eq!(counted[0].header("trace").as_deref(), Some(trace));
    }
}

#[test]
fn windows_take_late_records_within_their_grace() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .windowed_by(TimeWindows::of_size_and_grace(
            Duration::from_millis(100),
            Duration::from_millis(50),
        ))
        .count(Materialized::named("windowed"))
        .to_stream()
        .map(|windowed: Option<&Windowed<String>>, count| {
            let text = windowed.map(|windowed| format!("{}[{},{})", windowed.key, windowed.start, windowed.end));
            (text, count.copied())
        })
        .to("windowed-out", Produced::with(StringSerde, TextLong));
    let mut driver = driver(builder.build().unwrap());
    // Stream time 149 still takes the first window; from 150 on it is closed. A null value counts, too.
    pipe(
        &mut driver,
        "words",
        "a x @10\na x @149\na x @99\nb - @50\na x @150\na x @99\nb x @100",
    );
    assert_eq!(
        output(&mut driver, "windowed-out"),
        "a[0,100) 1 @10\na[100,200) 1 @149\na[0,100) 2 @99\nb[0,100) 1 @50\na[100,200) 2 @150\nb[100,200) 1 @100"
    );
    assert_eq!(driver.metrics().total(|worker| worker.dropped.get()), 1);
}

#[test]
fn a_windowed_key_can_be_written_whole() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(1)))
        .count(Materialized::named("windowed"))
        .to_stream()
        .to(
            "windowed-out",
            Produced::with(TimeWindowedSerde::new(StringSerde, 1_000), LongSerde),
        );
    let application = builder.build().unwrap();
    let sink = application
        .plan()
        .sinks(millrace_topology::SubtopologyId(0))
        .next()
        .unwrap()
        .1;
    assert_eq!(sink.key.0, "windowed(string)");
    let mut driver = driver(application);
    pipe(&mut driver, "words", "a x @2500");
    let record = driver.read("windowed-out").remove(0);
    assert_eq!(
        record.key.as_deref(),
        Some([b"a".as_slice(), &2_000_i64.to_be_bytes()].concat().as_slice())
    );
    assert_eq!(record.value.as_deref(), Some(1_i64.to_be_bytes().as_slice()));
    // The row's key in the changelog: key, start, sequence number.
    let row = driver.read("test-windowed-changelog").remove(0);
    assert_eq!(
        row.key.as_deref(),
        Some([b"a".as_slice(), &2_000_i64.to_be_bytes(), &[0; 4]].concat().as_slice())
    );
}

#[test]
fn two_topics_are_read_in_the_order_of_their_timestamps() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "left")
        .merge(&words(&mut builder, "right"))
        .to("all", strings());
    let application = builder.build().unwrap();

    // Both have records: the earlier one goes first, whichever topic was filled first.
    let mut driver = driver(application.clone());
    for (topic, times) in [("right", [20, 40, 60]), ("left", [10, 50, 70])] {
        for time in times {
            driver
                .append(topic, Some(b"k"), Some(topic.as_bytes()), time, &[])
                .unwrap();
        }
    }
    driver.settle().unwrap();
    assert_eq!(
        output(&mut driver, "all"),
        "k left @10\nk right @20\nk right @40\nk left @50\nk right @60\nk left @70"
    );

    // With `max.task.idle.ms`, a record waits that long for the other topic, which is empty.
    let mut driver = TestDriver::new(application, [("max.task.idle.ms", "500")]).unwrap();
    driver.pipe("right", Some(b"k"), Some(b"right"), 20).unwrap();
    assert_eq!(output(&mut driver, "all"), "");
    driver.pipe("left", Some(b"k"), Some(b"left"), 10).unwrap();
    assert_eq!(output(&mut driver, "all"), "k left @10");
    driver.advance(Duration::from_millis(600)).unwrap();
    assert_eq!(output(&mut driver, "all"), "k right @20");
}

#[test]
fn a_timestamp_comes_out_of_the_record() {
    let mut builder = StreamsBuilder::new();
    let consumed = Consumed::with(StringSerde, TextLong)
        .with_timestamp_extractor(|_, value, kafka| value.copied().unwrap_or(kafka));
    let first: KStream<String, i64> = builder.stream("times", consumed.clone());
    let second = builder.stream("times", consumed);
    first.merge(&second).to("out", Produced::with(StringSerde, TextLong));
    let mut driver = driver(builder.build().unwrap());
    pipe(&mut driver, "times", "a 77 @1\nb - @2");
    // Two reads of one topic are one node, and merged with itself it is one parent: Java keeps parents in a set, too.
    assert_eq!(output(&mut driver, "out"), "a 77 @77\nb null @2");
}

#[test]
fn the_record_cache_holds_updates_back_until_the_commit() {
    let mut builder = StreamsBuilder::new();
    words(&mut builder, "words")
        .group_by_key(Grouped::with(StringSerde, StringSerde))
        .count(Materialized::named("counts"))
        .to_stream()
        .to("counted", Produced::with(StringSerde, TextLong));
    let mut driver = TestDriver::new(builder.build().unwrap(), [("commit.interval.ms", "1000")]).unwrap();
    driver.advance(Duration::from_secs(2)).unwrap();
    pipe(&mut driver, "words", "a x @1\na x @2\na x @3");
    let waiting = output(&mut driver, "counted");
    driver.advance(Duration::from_millis(1_000)).unwrap();
    assert_eq!(
        (waiting.as_str(), output(&mut driver, "counted").as_str()),
        ("", "a 3 @3")
    );
}
