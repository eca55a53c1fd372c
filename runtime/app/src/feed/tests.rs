use expect_test::expect;

use super::generate::Generator;
use super::*;
use crate::manifest::Problem;

const FEED: &str = "
seed: 7
rate: 1000
start: 2026-01-01T00:00:00Z
speed: 60
topics:
  - topic: t
    partitions: 4
    key: {prefix: user-, count: 100, skew: 1.1}
    value:
      - id: uuid
      - number: sequence
      - amount: {normal: {mean: 50, deviation: 30, decimals: 2}}
      - price: {uniform: {from: 1, to: 2, decimals: 0}}
      - currency: {choice: [EUR, 1, null]}
      - kind: {constant: {a: 1}}
      - at: timestamp
    late:
      - {share: 0.1, to: 2m}
      - {share: 0.05, from: 10m, to: 20m}
    bad: {malformed: 0.1, nullValue: 0.1, nullKey: 0.1, negative: 0.1, negativeTimestamp: 0.1}
";

fn text(generator: &mut Generator) -> String {
    let record = generator.next();
    let show = |bytes: Option<&[u8]>| {
        bytes.map_or_else(
            || "null".to_owned(),
            |bytes| String::from_utf8_lossy(bytes).into_owned(),
        )
    };
    format!(
        "{} {} {} {}",
        record.partition,
        record.timestamp,
        show(record.key),
        show(record.value)
    )
}

#[test]
fn a_seed_gives_the_same_records() {
    let feed = Feed::parse("feed.yaml", FEED).unwrap();
    let (mut one, mut two) = (Generator::new(feed.clone(), 0), Generator::new(feed.clone(), 99));
    let mut other = Generator::new(Feed { seed: 8, ..feed }, 0);
    let first = text(&mut one);
    expect![[r#"3 1767225491909 user-3 {"id":"3fdabe86-cbbe-4a11-b7cb-c4a133c2d0f6","number":0,"amount":67.79,"price":1,"currency":"EUR","kind":{"a":1},"at":"2025-12-31T23:58:11.909Z"}"#]].assert_eq(&first);
    assert_eq!(first, text(&mut two));
    assert_ne!(first, text(&mut other));
    for _ in 0..10_000 {
        assert_eq!(text(&mut one), text(&mut two));
    }
}

#[test]
fn shares_are_what_was_declared() {
    let mut generator = Generator::new(Feed::parse("feed.yaml", FEED).unwrap(), 0);
    let (mut null_keys, mut null_values, mut broken, mut negative_times, mut late, mut hottest) = (0, 0, 0, 0, 0, 0);
    let mut latest = 0;
    for _ in 0..100_000 {
        let record = generator.next();
        null_keys += u32::from(record.key.is_none());
        null_values += u32::from(record.value.is_none());
        negative_times += u32::from(record.timestamp < 0);
        hottest += u32::from(record.key == Some(b"user-0"));
        broken += u32::from(
            record
                .value
                .is_some_and(|value| serde_json::from_slice::<serde_json::Value>(value).is_err()),
        );
        late += u32::from(record.timestamp >= 0 && record.timestamp < latest - 10 * 60_000);
        latest = latest.max(record.timestamp);
    }
    let share = |count: u32, due: u32| assert!(count.abs_diff(due) < due / 10, "{count} of 100,000, {due} were due");
    for count in [null_keys, null_values, broken, negative_times] {
        share(count, 10_000);
    }
    share(late, 4_500);
    assert!(hottest > 15_000, "keys are skewed: {hottest}");
}

#[test]
fn mistakes_are_located_with_near_matches() {
    let wrong = "
rate: fast
topic: []
start: tomorrow
topics:
  - topic: t
    key: {cuont: 5}
    value:
      - amount: {normal: {deviation: -1}}
      - a: gauss
      - {b: uuid, c: uuid}
    late: [{share: 2, to: 5 minutes}]
    bad: {malformd: 0.1}
  - partitions: 0
";
    let problems = Feed::parse("feed.yaml", wrong).unwrap_err();
    expect![[r#"
        feed.yaml:3:1: error: there is no key topic [feed]
            3 | topic: []
              | ^^^^^
              = did you mean topics?
        feed.yaml:2:7: error: a number is due here, not "fast" [feed]
            2 | rate: fast
              |       ^^^^
        feed.yaml:4:8: error: tomorrow is no time [feed]
            4 | start: tomorrow
              |        ^^^^^^^^
              = write now, or a time as 2026-01-01T00:00:00Z
        feed.yaml:7:11: error: there is no key cuont [feed]
            7 |     key: {cuont: 5}
              |           ^^^^^
              = did you mean count?
        feed.yaml:9:18: error: mean is missing [feed]
            9 |       - amount: {normal: {deviation: -1}}
              |                  ^^^^^^
        feed.yaml:10:12: error: there is no generator gauss [feed]
           10 |       - a: gauss
              |            ^^^^^
              = there are uniform, normal, choice, sequence, uuid, constant, timestamp
        feed.yaml:11:9: error: a field has one name, and here are 2 [feed]
           11 |       - {b: uuid, c: uuid}
              |         ^
              = each is an item of its own, so that their order is kept
        feed.yaml:12:20: error: 2 must be at least 0 and at most 1 [feed]
           12 |     late: [{share: 2, to: 5 minutes}]
              |                    ^
        feed.yaml:12:27: error: 5 minutes is no length of time [feed]
           12 |     late: [{share: 2, to: 5 minutes}]
              |                           ^^^^^^^^^
              = write it as 500ms, 10s, 5m, 1h30m or 2d
        feed.yaml:13:11: error: there is no key malformd [feed]
           13 |     bad: {malformd: 0.1}
              |           ^^^^^^^^
              = did you mean malformed?
        feed.yaml:14:5: error: topic is missing [feed]
           14 |   - partitions: 0
              |     ^
        feed.yaml:14:5: error: key is missing [feed]
           14 |   - partitions: 0
              |     ^
        feed.yaml:14:5: error: value is missing [feed]
           14 |   - partitions: 0
              |     ^
    "#]]
    .assert_eq(&problems.iter().map(Problem::render).collect::<String>());
}

#[test]
fn durations_add_up() {
    for (text, ms) in [
        ("1h30m", Some(5_400_000)),
        ("500ms", Some(500)),
        ("2d", Some(172_800_000)),
        ("", None),
        ("5", None),
        ("m", None),
    ] {
        assert_eq!(parse_duration(text), ms, "{text}");
    }
}
