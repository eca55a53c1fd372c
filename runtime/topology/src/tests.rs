//! What the comparison with Java's text does not show: ids, errors, groups, JSON, pictures.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::*;

const F: FunctionId = FunctionId(0);

fn source(builder: &mut Builder, topic: &str) -> Stream {
    builder
        .stream(SourceSpec::new(topic, "string", "json"))
        .expect("the source is fine")
}

fn sums() -> AggregateSpec {
    AggregateSpec::new("string", "json", "double", F)
}

fn counts(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
    topics.iter().map(|&(topic, count)| (topic.to_owned(), count)).collect()
}

/// Two parts, a window store, a table step.
fn two_parts() -> Plan {
    let mut builder = Builder::new();
    let orders = source(&mut builder, "orders");
    let by_shop = builder.select_key(&orders, F);
    let window = Window::Tumbling {
        size_ms: 60_000,
        grace_ms: 5_000,
    };
    let totals = builder
        .aggregate(&by_shop, sums().named("shops").windowed(window))
        .expect("fine");
    let large = builder.table_filter(&totals, F, false);
    let updates = builder.to_stream(&large);
    builder
        .to(&updates, SinkSpec::new("totals", "windowed(string)", "double"))
        .expect("fine");
    builder.build().expect("fine")
}

#[test]
fn ids_of_calls_are_ids_of_the_plan() {
    let mut builder = Builder::new();
    let a = source(&mut builder, "a");
    let again = source(&mut builder, "a");
    assert_eq!(
        (a.is_reread(), again.is_reread(), again.node()),
        (false, true, a.node())
    );

    let mapped = builder.map(&again, F);
    assert!(mapped.key_changed() && !a.key_changed());
    let table = builder.aggregate(&mapped, sums().named("sums")).expect("fine");
    let around = table.repartition().expect("the key had changed");
    let updates = builder.to_stream(&table);
    assert!(!updates.key_changed(), "a table's keys are where they belong");
    let explicit = builder
        .repartition(&updates, RepartitionSpec::new("string", "double"))
        .expect("fine");
    let own = explicit.repartition().expect("it was asked for");
    assert_eq!(own.source, explicit.node());
    assert_eq!(explicit.sources(), [own.source]);
    let merged = builder.merge(&a, &explicit);
    assert_eq!(merged.sources(), [a.node(), own.source]);
    assert!(merged.repartition().is_none());
    let sink = builder
        .to(&merged, SinkSpec::new("out", "string", "double"))
        .expect("fine");
    assert_eq!(builder.node_name(around.filter), "sums-repartition-filter");

    let plan = builder.build().expect("fine");
    for (id, name) in [
        (a.node(), "KSTREAM-SOURCE-0000000000"),
        (mapped.node(), "KSTREAM-MAP-0000000002"),
        (around.filter, "sums-repartition-filter"),
        (around.sink, "sums-repartition-sink"),
        (around.source, "sums-repartition-source"),
        (table.node(), "KSTREAM-AGGREGATE-0000000003"),
        (updates.node(), "KTABLE-TOSTREAM-0000000007"),
        (own.sink, "KSTREAM-SINK-0000000009"),
        (own.filter, "KSTREAM-FILTER-0000000010"),
        (own.source, "KSTREAM-SOURCE-0000000011"),
        (merged.node(), "KSTREAM-MERGE-0000000012"),
        (sink, "KSTREAM-SINK-0000000013"),
    ] {
        assert_eq!(plan.node(id).name, name);
        assert_eq!(plan.node(id).id, id);
    }
    assert_eq!(plan.store(table.store().expect("it has one")).name, "sums");
    assert_eq!(
        plan.reader(&TopicName::Internal("sums-repartition".into())),
        Some(around.source)
    );
    assert_eq!(plan.reader(&TopicName::User("out".into())), None);
    // Formats of the repartitioned records go to both ends.
    let NodeKind::Sink(written) = &plan.node(around.sink).kind else {
        panic!("a sink")
    };
    let NodeKind::Source(read) = &plan.node(around.source).kind else {
        panic!("a source")
    };
    assert_eq!(
        (&written.key, &written.value, &written.topic),
        (&read.key, &read.value, &read.topics[0])
    );
    assert_eq!((&*read.key.0, &*read.value.0), ("string", "json"));
}

#[test]
fn a_plan_survives_json() {
    let plan = two_parts();
    let text = serde_json::to_string(&plan).expect("it is data");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("it is the same data"), plan);
}

type Call = fn(&mut Builder) -> Result<(), Error>;

#[test]
fn what_cannot_be_is_refused_with_advice() {
    let cases: &[(Call, Expect)] = &[
        (
            |b| b.stream(SourceSpec::new("a b", "string", "json")).map(drop),
            expect![[
                r#"topic `a b` is no legal name: it has the character ' '; use 1 to 249 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`, not `.` or `..`"#
            ]],
        ),
        (
            |b| {
                b.stream(SourceSpec {
                    topics: vec![],
                    ..SourceSpec::new("", "string", "json")
                })
                .map(drop)
            },
            expect!["a source reads no topic; give at least one"],
        ),
        (
            |b| {
                source(b, "a");
                b.stream(SourceSpec::new("a", "string", "string")).map(drop)
            },
            expect![[
                r#"topic `a` is read twice with a different value format ("json" and "string"); read it once and share the stream, or make both equal"#
            ]],
        ),
        (
            |b| {
                source(b, "a");
                let topics = vec!["b".to_owned(), "a".to_owned()];
                b.stream(SourceSpec {
                    topics,
                    ..SourceSpec::new("", "string", "json")
                })
                .map(drop)
            },
            expect![
                "topic `a` is read by two sources with different lists of topics ([a] and [b, a]); read each topic in one source, or the same list in both"
            ],
        ),
        (
            |b| {
                let a = source(b, "a");
                b.aggregate(&a, sums().named("s"))?;
                b.aggregate(&a, sums().named("s")).map(drop)
            },
            expect!["store `s` exists already; every store needs a name of its own"],
        ),
        (
            |b| {
                let a = source(b, "a");
                let changed = b.map(&a, F);
                b.aggregate(&changed, sums().named("s"))?;
                let spec = RepartitionSpec {
                    name: Some("s".into()),
                    ..RepartitionSpec::new("string", "json")
                };
                b.repartition(&a, spec).map(drop)
            },
            expect![
                "repartition topic `s-repartition` exists already; every repartition topic needs a name of its own"
            ],
        ),
        (
            |b| {
                let a = source(b, "a");
                let spec = RepartitionSpec {
                    partitions: Some(0),
                    ..RepartitionSpec::new("string", "json")
                };
                b.repartition(&a, spec).map(drop)
            },
            expect!["topic `KSTREAM-REPARTITION-0000000001-repartition` cannot have 0 partitions; give at least 1"],
        ),
        (
            |b| {
                let a = source(b, "a");
                let window = Window::Tumbling {
                    size_ms: 1000,
                    grace_ms: 1,
                };
                b.aggregate(
                    &a,
                    AggregateSpec {
                        retention_ms: Some(1000),
                        ..sums().named("s").windowed(window)
                    },
                )
                .map(drop)
            },
            expect!["store `s`: a retention of 1000 ms is less than size 1000 ms + grace 1 ms; give at least 1001 ms"],
        ),
        (
            |b| {
                let a = source(b, "a");
                b.aggregate(
                    &a,
                    sums().named("s").windowed(Window::Tumbling {
                        size_ms: 0,
                        grace_ms: 0,
                    }),
                )
                .map(drop)
            },
            expect!["store `s`: a window of 0 ms cannot be; give at least 1 ms"],
        ),
        (
            |b| {
                let a = source(b, "a");
                b.aggregate(
                    &a,
                    AggregateSpec {
                        retention_ms: Some(1),
                        ..sums().named("s")
                    },
                )
                .map(drop)
            },
            expect!["store `s`: retention is for windows, and this aggregation has none; leave it out"],
        ),
        (
            |b| {
                let a = source(b, "a");
                b.repartition(
                    &a,
                    RepartitionSpec {
                        name: Some("r".into()),
                        ..RepartitionSpec::new("string", "json")
                    },
                )?;
                b.to(&a, SinkSpec::new("r-repartition", "string", "json"))?;
                std::mem::take(b).build().map(drop)
            },
            expect!["topic `r-repartition` exists already; every topic needs a name of its own"],
        ),
    ];
    for (call, expected) in cases {
        let error = call(&mut Builder::new()).expect_err("it cannot be");
        expected.assert_eq(&error.to_string());
    }
}

#[test]
fn automatic_names_can_be_refused() {
    let mut builder = Builder::new().allow_automatic_names(false);
    let a = source(&mut builder, "a");
    let error = builder.aggregate(&a, sums()).expect_err("it has no name");
    expect!["KSTREAM-AGGREGATE-0000000002 needs a name for its store (it would become `KSTREAM-AGGREGATE-STATE-STORE-0000000001`, which changes whenever a step is added before it); name it, or allow automatic names"]
        .assert_eq(&error.to_string());
    let error = builder
        .repartition(&a, RepartitionSpec::new("string", "json"))
        .expect_err("it has no name");
    expect!["KSTREAM-REPARTITION-0000000001 needs a name for its repartition topic (it would become `KSTREAM-REPARTITION-0000000001-repartition`, which changes whenever a step is added before it); name it, or allow automatic names"]
        .assert_eq(&error.to_string());
    // What failed left nothing behind.
    let changed = builder.map(&a, F);
    let table = builder
        .aggregate(&changed, sums().named("s"))
        .expect("it has a name, and gives it to the topic");
    assert_eq!(builder.node_name(table.node()), "KSTREAM-AGGREGATE-0000000002");
}

/// `stream` joined with `other`, where the topic `a` has 4 partitions, `b` 3, and repartition topics follow from `a`, or are given.
#[test]
fn joined_topics_get_equal_counts_or_an_error() {
    type Pick = fn(&mut Builder) -> Vec<Stream>;
    fn with(b: &mut Builder, from: &str, name: &str, partitions: Option<i32>) -> Stream {
        let stream = source(b, from);
        let spec = RepartitionSpec {
            name: Some(name.into()),
            partitions,
            ..RepartitionSpec::new("string", "json")
        };
        b.repartition(&stream, spec).expect("fine")
    }
    let cases: &[(Pick, Expect)] = &[
        (
            |b| vec![source(b, "a"), source(b, "b")],
            expect![
                "these topics must have the same number of partitions, because they are joined: a has 4, b has 3; give them equal counts, or repartition one side"
            ],
        ),
        (
            |b| vec![source(b, "a"), with(b, "b", "r", None)],
            expect!["app-r-repartition 4"],
        ),
        (
            |b| vec![source(b, "a"), with(b, "b", "r", Some(3))],
            expect![
                "these topics must have the same number of partitions, because they are joined: a has 4, app-r-repartition has 3; give them equal counts, or repartition one side"
            ],
        ),
        (
            |b| vec![with(b, "a", "q", None), with(b, "b", "r", None)],
            expect!["app-q-repartition 4, app-r-repartition 4"],
        ),
        (
            |b| vec![with(b, "a", "q", None), with(b, "b", "r", Some(9))],
            expect!["app-q-repartition 9, app-r-repartition 9"],
        ),
        (
            |b| vec![with(b, "a", "q", Some(8)), with(b, "b", "r", Some(9))],
            expect![
                "these topics must have the same number of partitions, because they are joined: app-q-repartition has 8, app-r-repartition has 9; give them equal counts, or repartition one side"
            ],
        ),
    ];
    for (pick, expected) in cases {
        let mut builder = Builder::new();
        let streams = pick(&mut builder);
        builder.copartition(&streams.iter().collect::<Vec<_>>());
        let plan = builder.build().expect("fine");
        let layout = plan.layout("app", &counts(&[("a", 4), ("b", 3)]), &InternalTopicSettings::default());
        let text = match layout {
            Ok(layout) => {
                let topics = layout.internal_topics.iter();
                topics
                    .map(|topic| format!("{} {}", topic.name, topic.partitions))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }
}

#[test]
fn groups_that_share_a_topic_are_one() {
    let mut builder = Builder::new();
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|topic| source(&mut builder, topic));
    for pair in [[&a, &b], [&d, &e], [&b, &c]] {
        let joined = builder.merge(pair[0], pair[1]);
        builder
            .to(&joined, SinkSpec::new("out", "string", "json"))
            .expect("fine");
        builder.copartition(&pair);
    }
    let plan = builder.build().expect("fine");
    let groups: Vec<Vec<Vec<&str>>> = plan
        .subtopologies
        .iter()
        .map(|part| {
            part.copartition_groups
                .iter()
                .map(|group| group.iter().map(TopicName::plain).collect())
                .collect()
        })
        .collect();
    assert_eq!(groups, [vec![vec!["a", "b", "c"]], vec![vec!["d", "e"]]]);
}

#[test]
fn a_layout_says_what_is_missing() {
    let plan = two_parts();
    let settings = InternalTopicSettings::default();
    let error = plan
        .layout("app", &counts(&[("other", 4)]), &settings)
        .expect_err("the input is missing");
    expect!["the application reads topics that do not exist: orders (sub-topology 0); create them first"]
        .assert_eq(&error.to_string());
    let error = plan
        .layout(&"x".repeat(240), &counts(&[("orders", 4)]), &settings)
        .expect_err("names get too long");
    assert!(
        matches!(
            error,
            Error::IllegalName {
                what: "repartition topic",
                fault: NameFault::TooLong(_),
                ..
            }
        ),
        "{error}"
    );
    let error = plan
        .layout("a/b", &counts(&[("orders", 4)]), &settings)
        .expect_err("it is no name");
    assert!(
        matches!(
            error,
            Error::IllegalName {
                what: "application id",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn tasks_know_what_they_read_and_keep() {
    let plan = two_parts();
    let layout = plan
        .layout("app", &counts(&[("orders", 2)]), &InternalTopicSettings::default())
        .expect("fine");
    let task = |part: u32, partition, topic: &str, stores: &[(StoreId, String)]| Task {
        subtopology: SubtopologyId(part),
        partition,
        sources: vec![(topic.to_owned(), partition)],
        changelogs: stores.to_vec(),
    };
    let kept = [(StoreId(0), "app-shops-changelog".to_owned())];
    let middle = "app-shops-repartition";
    assert_eq!(
        layout.tasks,
        [
            task(0, 0, "orders", &[]),
            task(0, 1, "orders", &[]),
            task(1, 0, middle, &kept),
            task(1, 1, middle, &kept)
        ]
    );
    let roles: Vec<&InternalTopicRole> = layout.internal_topics.iter().map(|topic| &topic.role).collect();
    let repartition = InternalTopicRole::Repartition(TopicName::Internal("shops-repartition".into()));
    assert_eq!(roles, [&repartition, &InternalTopicRole::Changelog(StoreId(0))]);
}

#[test]
fn settings_come_from_properties() {
    let properties = [
        ("topic.compression.type", "zstd"),
        ("windowstore.changelog.additional.retention.ms", " 1000 "),
        ("commit.interval.ms", "5"),
    ];
    let settings = InternalTopicSettings::from_properties(properties).expect("fine");
    assert_eq!(settings.additional_retention_ms, 1000);
    assert_eq!(
        settings.defaults,
        BTreeMap::from([("compression.type".to_owned(), "zstd".to_owned())])
    );
    let error = InternalTopicSettings::from_properties([("windowstore.changelog.additional.retention.ms", "1d")]);
    expect!["property `windowstore.changelog.additional.retention.ms` is `1d`; give whole milliseconds"]
        .assert_eq(&error.expect_err("it is no number").to_string());
}

#[test]
fn an_unlogged_store_has_no_changelog() {
    let mut builder = Builder::new();
    let a = source(&mut builder, "a");
    builder
        .aggregate(
            &a,
            AggregateSpec {
                changelog: None,
                ..sums().named("s")
            },
        )
        .expect("fine");
    let plan = builder.build().expect("fine");
    let layout = plan
        .layout("app", &counts(&[("a", 1)]), &InternalTopicSettings::default())
        .expect("fine");
    assert_eq!((layout.internal_topics.len(), layout.tasks[0].changelogs.len()), (0, 0));
}

/// Java walks every path of the graph, and would never end here.
#[test]
fn many_paths_are_described_at_once() {
    let mut builder = Builder::new();
    let mut stream = source(&mut builder, "a");
    for _ in 0..100 {
        let (left, right) = (builder.filter(&stream, F, false), builder.filter(&stream, F, true));
        stream = builder.merge(&left, &right);
    }
    let text = builder.build().expect("fine").describe();
    assert_eq!(text.matches("Processor: ").count(), 300);
}

#[test]
fn the_picture() {
    expect![[r#"
        flowchart TD
          subgraph part0["Sub-topology 0"]
            n0["KSTREAM-SOURCE-0000000000"]
            n1["KSTREAM-KEY-SELECT-0000000001"]
            n2["shops-repartition-filter"]
            n3["shops-repartition-sink"]
          end
          subgraph part1["Sub-topology 1"]
            n4["shops-repartition-source"]
            n5["KSTREAM-AGGREGATE-0000000002"]
            s0[("shops")]
            n6["KTABLE-FILTER-0000000006"]
            n7["KTABLE-TOSTREAM-0000000007"]
            n8["KSTREAM-SINK-0000000008"]
          end
          t0(["orders"])
          t1(["shops-repartition"])
          t2(["totals"])
          n0 --> n1
          t0 --> n0
          n1 --> n2
          n2 --> n3
          n3 --> t1
          n4 --> n5
          t1 --> n4
          n5 <--> s0
          n5 --> n6
          n6 --> n7
          n7 --> n8
          n8 --> t2
    "#]]
    .assert_eq(&two_parts().describe_mermaid());
}

#[test]
fn the_json() {
    expect![[r#"
        {
          "subtopologies": [
            {
              "id": 0,
              "nodes": [
                {
                  "name": "KSTREAM-SOURCE-0000000000",
                  "type": "source",
                  "topics": [
                    {
                      "User": "orders"
                    }
                  ],
                  "key": "string",
                  "value": "json",
                  "predecessors": [],
                  "successors": [
                    "KSTREAM-KEY-SELECT-0000000001"
                  ]
                },
                {
                  "name": "KSTREAM-KEY-SELECT-0000000001",
                  "type": "processor",
                  "operation": {
                    "SelectKey": {
                      "function": 0
                    }
                  },
                  "predecessors": [
                    "KSTREAM-SOURCE-0000000000"
                  ],
                  "successors": [
                    "shops-repartition-filter"
                  ]
                },
                {
                  "name": "shops-repartition-filter",
                  "type": "processor",
                  "operation": "RepartitionFilter",
                  "predecessors": [
                    "KSTREAM-KEY-SELECT-0000000001"
                  ],
                  "successors": [
                    "shops-repartition-sink"
                  ]
                },
                {
                  "name": "shops-repartition-sink",
                  "type": "sink",
                  "topic": {
                    "Internal": "shops-repartition"
                  },
                  "key": "string",
                  "value": "json",
                  "predecessors": [
                    "shops-repartition-filter"
                  ],
                  "successors": []
                }
              ],
              "copartition_groups": []
            },
            {
              "id": 1,
              "nodes": [
                {
                  "name": "shops-repartition-source",
                  "type": "source",
                  "topics": [
                    {
                      "Internal": "shops-repartition"
                    }
                  ],
                  "key": "string",
                  "value": "json",
                  "predecessors": [],
                  "successors": [
                    "KSTREAM-AGGREGATE-0000000002"
                  ]
                },
                {
                  "name": "KSTREAM-AGGREGATE-0000000002",
                  "type": "processor",
                  "operation": {
                    "Aggregate": {
                      "function": 0,
                      "window": {
                        "Tumbling": {
                          "size_ms": 60000,
                          "grace_ms": 5000
                        }
                      },
                      "store": 0
                    }
                  },
                  "stores": [
                    "shops"
                  ],
                  "predecessors": [
                    "shops-repartition-source"
                  ],
                  "successors": [
                    "KTABLE-FILTER-0000000006"
                  ]
                },
                {
                  "name": "KTABLE-FILTER-0000000006",
                  "type": "processor",
                  "operation": {
                    "TableFilter": {
                      "predicate": 0,
                      "negate": false
                    }
                  },
                  "predecessors": [
                    "KSTREAM-AGGREGATE-0000000002"
                  ],
                  "successors": [
                    "KTABLE-TOSTREAM-0000000007"
                  ]
                },
                {
                  "name": "KTABLE-TOSTREAM-0000000007",
                  "type": "processor",
                  "operation": "ToStream",
                  "predecessors": [
                    "KTABLE-FILTER-0000000006"
                  ],
                  "successors": [
                    "KSTREAM-SINK-0000000008"
                  ]
                },
                {
                  "name": "KSTREAM-SINK-0000000008",
                  "type": "sink",
                  "topic": {
                    "User": "totals"
                  },
                  "key": "windowed(string)",
                  "value": "double",
                  "predecessors": [
                    "KTABLE-TOSTREAM-0000000007"
                  ],
                  "successors": []
                }
              ],
              "copartition_groups": []
            }
          ],
          "stores": [
            {
              "id": 0,
              "name": "shops",
              "kind": {
                "Window": {
                  "size_ms": 60000,
                  "retention_ms": 65000
                }
              },
              "key": "string",
              "value": "double",
              "caching": true,
              "changelog": {
                "config": {}
              }
            }
          ],
          "repartition_topics": [
            {
              "name": "shops-repartition",
              "partitions": null
            }
          ]
        }"#]]
    .assert_eq(&two_parts().describe_json());
}
