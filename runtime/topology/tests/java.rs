//! Plans against what Java Kafka Streams 4.3.1 printed for the same calls, see `e2e/kafka/java/capture`.
//!
//! `named.txt` holds cases chosen for what they show; `generated.txt` came from a generator.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use millrace_topology::*;

/// A script and Java's answer.
struct Case<'a> {
    title: &'a str,
    calls: Vec<&'a str>,
    answer: String,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let blocks = text.split("=== ").skip(1);
    let cases = blocks.map(|block| {
        let (script, answer) = block.split_once("---\n").expect("a script, then ---, then the answer");
        let mut lines = script.lines();
        let title = lines.next().expect("a title");
        Case {
            title,
            calls: lines.collect(),
            answer: answer.to_owned(),
        }
    });
    cases.collect()
}

enum Handle {
    Stream(Stream),
    Table(Table),
    Sink,
}

/// Runs a script as the Java program does.
fn run(calls: &[&str]) -> Result<String, Error> {
    let mut builder = Builder::new();
    let mut handles: Vec<Handle> = Vec::new();
    let mut partitions = BTreeMap::new();
    let mut settings = InternalTopicSettings::default();
    let function = FunctionId(0);
    for call in calls {
        let words: Vec<&str> = call.split(' ').collect();
        let given = |at: usize| Some(words[at]).filter(|&word| word != "-");
        let number = |at: usize| given(at).map(|word| word.parse::<i64>().expect("a number"));
        let stream = |at: usize| match &handles[words[at].parse::<usize>().expect("a handle")] {
            Handle::Stream(stream) => stream.clone(),
            Handle::Table(_) | Handle::Sink => panic!("{call}: no stream"),
        };
        let table = |at: usize| match &handles[words[at].parse::<usize>().expect("a handle")] {
            Handle::Table(table) => table.clone(),
            Handle::Stream(_) | Handle::Sink => panic!("{call}: no table"),
        };
        let handle = match words[0] {
            "stream" => {
                let topics = words[1].split(',').map(str::to_owned).collect();
                Handle::Stream(builder.stream(SourceSpec {
                    topics,
                    ..SourceSpec::new("", "string", "string")
                })?)
            }
            "filter" => Handle::Stream(builder.filter(&stream(1), function, false)),
            "filternot" => Handle::Stream(builder.filter(&stream(1), function, true)),
            "map" => Handle::Stream(builder.map(&stream(1), function)),
            "mapvalues" => Handle::Stream(builder.map_values(&stream(1), function)),
            "selectkey" => Handle::Stream(builder.select_key(&stream(1), function)),
            "merge" => Handle::Stream(builder.merge(&stream(1), &stream(2))),
            "repartition" => {
                let partitions = number(3).map(|count| i32::try_from(count).expect("a count"));
                let spec = RepartitionSpec {
                    name: given(2).map(str::to_owned),
                    partitions,
                    ..RepartitionSpec::new("string", "string")
                };
                Handle::Stream(builder.repartition(&stream(1), spec)?)
            }
            "aggregate" => {
                let mut spec = AggregateSpec::new("string", "string", "string", function);
                spec.name = given(2).map(str::to_owned);
                spec.repartition = given(3).map(str::to_owned);
                spec.window = number(4).map(|size_ms| Window::Tumbling {
                    size_ms,
                    grace_ms: number(5).expect("a grace"),
                });
                spec.retention_ms = number(6);
                for (name, value) in given(7)
                    .into_iter()
                    .flat_map(|pairs| pairs.split(';'))
                    .filter_map(|pair| pair.split_once('='))
                {
                    spec = spec.changelog_config(name, value);
                }
                Handle::Table(builder.aggregate(&stream(1), spec)?)
            }
            "tfilter" => Handle::Table(builder.table_filter(&table(1), function, false)),
            "tfilternot" => Handle::Table(builder.table_filter(&table(1), function, true)),
            "tmapvalues" => Handle::Table(builder.table_map_values(&table(1), function)),
            "tostream" => Handle::Stream(builder.to_stream(&table(1))),
            "to" => {
                builder.to(&stream(1), SinkSpec::new(words[2], "string", "string"))?;
                Handle::Sink
            }
            "partitions" => {
                for (topic, count) in words[1..].iter().filter_map(|pair| pair.split_once('=')) {
                    partitions.insert(topic.to_owned(), count.parse().expect("a count"));
                }
                continue;
            }
            "config" => {
                let (name, value) = words[1].split_once('=').expect("name=value");
                match name.strip_prefix("topic.") {
                    Some(name) => _ = settings.defaults.insert(name.to_owned(), value.to_owned()),
                    None => {
                        settings.additional_retention_ms = value.parse().expect("the one other property is a number")
                    }
                }
                continue;
            }
            other => panic!("unknown call {other}"),
        };
        handles.push(handle);
    }
    let plan = builder.build()?;
    check_links(&plan);
    let mut text = plan.describe();
    if !partitions.is_empty() {
        text += &print(&plan.layout("app", &partitions, &settings)?);
    }
    Ok(text)
}

/// What holds for every plan.
fn check_links(plan: &Plan) {
    for (position, node) in plan.nodes.iter().enumerate() {
        assert_eq!(node.id.0 as usize, position);
        assert!(plan.subtopology(node.subtopology).nodes.contains(&node.id));
        for &before in &node.predecessors {
            assert!(before < node.id, "parents come first");
            assert!(plan.node(before).successors.contains(&node.id));
            assert_eq!(plan.node(before).subtopology, node.subtopology);
        }
        for &after in &node.successors {
            assert!(plan.node(after).predecessors.contains(&node.id));
        }
        assert!(node.successors.is_sorted());
    }
    assert_eq!(
        plan.subtopologies.iter().map(|part| part.nodes.len()).sum::<usize>(),
        plan.nodes.len()
    );
}

/// As the Java program prints tasks and internal topics.
fn print(layout: &Layout) -> String {
    let mut text = String::new();
    for task in &layout.tasks {
        let mut sources: Vec<String> = task
            .sources
            .iter()
            .map(|(topic, partition)| format!("{topic}-{partition}"))
            .collect();
        sources.sort();
        writeln!(
            text,
            "task {}_{} [{}]",
            task.subtopology.0,
            task.partition,
            sources.join(", ")
        )
        .expect("a string takes all");
    }
    let mut topics: Vec<&InternalTopic> = layout.internal_topics.iter().collect();
    topics.sort_by_key(|topic| &topic.name);
    for topic in topics {
        let config: Vec<String> = topic
            .config
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        writeln!(
            text,
            "topic {} {} {{{}}}",
            topic.name,
            topic.partitions,
            config.join(", ")
        )
        .expect("a string takes all");
    }
    text
}

fn check(text: &str) -> usize {
    let cases = cases(text);
    for Case { title, calls, answer } in &cases {
        match run(calls) {
            Ok(text) => assert_eq!(&text, answer, "{title}:\n{}", calls.join("\n")),
            // Java's words are not ours, but where it refuses, so do we.
            Err(error) => assert!(answer.contains("!!! "), "{title}: {error}\n{}", calls.join("\n")),
        }
    }
    cases.len()
}

#[test]
fn scripts_give_what_java_gave() {
    assert!(check(include_str!("java/named.txt")) >= 25);
    assert!(check(include_str!("java/generated.txt")) >= 30);
    // A larger capture, by hand.
    if let Ok(file) = std::env::var("CAPTURED") {
        println!(
            "{} captured cases",
            check(&std::fs::read_to_string(file).expect("CAPTURED names a readable file"))
        );
    }
}
