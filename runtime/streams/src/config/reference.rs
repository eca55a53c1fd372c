//! `docs/configuration.md`, written from the tables.

use std::fmt::Write as _;

use super::client_table::{CLIENTS, Clients, TOPIC};
use super::property::{Check, Effect, Kind, Property};
use super::streams_table::STREAMS;

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from the tables in runtime/streams/src/config by its test: `UPDATE_EXPECT=1 cargo test --release --workspace --lib config`. -->

Properties carry Kafka Streams' names, in a manifest's `spec.config` (there also behind `spring.kafka.streams.properties.`) and on
the command line (`--config`). The client prefixes `consumer.`, `main.consumer.`, `restore.consumer.`,
`producer.`, `admin.` and `topic.` work as in Kafka Streams: the longer one wins, and a client property without prefix goes to every
client that knows it. Properties that end in `.ms` also take `250ms`, `30s`, `5m`, `1h`, `7d`.

All mistakes are reported together: an unknown name (with the name that was probably meant), a value out of range, a contradiction.
What Kafka Streams knows and what has no effect here is named in a warning.
";

/// The whole reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    out.push_str("\n## Of the application\n\n");
    table(&mut out, STREAMS.iter(), |_| None);
    out.push_str(
        "\n## Of the clients\n\nThe defaults are Kafka's; where Kafka Streams has another one, the text says so.\n\n",
    );
    table(&mut out, CLIENTS.iter().map(|(_, property)| property), client_names);
    out.push_str("\n## Of internal topics\n\nUnder `topic.`, the broker's own topic configs: ");
    let names: Vec<String> = TOPIC.iter().map(|name| format!("`{name}`")).collect();
    writeln!(out, "{}.", names.join(", ")).expect("writing to a string");
    out.push_str("\n## Set by hand without effect\n\n| property | why |\n|---|---|\n");
    for property in all() {
        match property.effect {
            Effect::MeansNothingHere(why) | Effect::Controlled(why) => row(&mut out, property.name, why),
            Effect::Fixed(value) => row(&mut out, property.name, &format!("it is always `{value}`")),
            _ => {}
        }
    }
    out.push_str("\n## Refused, other than with their default\n\n| property | default | why |\n|---|---|---|\n");
    for property in all() {
        if let Effect::Unsupported(why) = property.effect {
            let default = property
                .default
                .map(|default| format!("`{default}`"))
                .unwrap_or_default();
            writeln!(out, "| `{}` | {default} | {why} |", property.name).expect("writing to a string");
        }
    }
    out
}

/// All rows, each name once; where the application and the clients share a name, the application's.
fn all() -> impl Iterator<Item = &'static Property> {
    let own = |name: &str| STREAMS.iter().any(|property| property.name == name);
    STREAMS.iter().chain(
        CLIENTS
            .iter()
            .map(|(_, property)| property)
            .filter(move |property| !own(property.name)),
    )
}

fn row(out: &mut String, name: &str, why: &str) {
    writeln!(out, "| `{name}` | {why} |").expect("writing to a string");
}

fn table(out: &mut String, rows: impl Iterator<Item = &'static Property>, of: impl Fn(&Property) -> Option<String>) {
    out.push_str("| property | type | default | values | importance | |\n|---|---|---|---|---|---|\n");
    for property in rows {
        if !matches!(
            property.effect,
            Effect::Used | Effect::AliasOf(_) | Effect::FixedUnderExactlyOnce(_)
        ) {
            continue;
        }
        let of = of(property).map(|clients| format!(" ({clients})")).unwrap_or_default();
        let default = match property.default {
            Some("") | None => String::new(),
            Some(default) => format!("`{default}`"),
        };
        let always = match property.effect {
            Effect::FixedUnderExactlyOnce(value) => format!(" Always `{value}` under `exactly_once_v2`."),
            _ => String::new(),
        };
        let importance = format!("{:?}", property.importance).to_lowercase();
        let (name, values) = (property.name, values(property));
        writeln!(
            out,
            "| `{name}`{of} | {} | {default} | {values} | {importance} | {}{always} |",
            kind(property),
            property.doc
        )
        .expect("writing to a string");
    }
}

fn client_names(property: &Property) -> Option<String> {
    let (clients, _) = CLIENTS.iter().find(|(_, of)| of.name == property.name)?;
    let names = [
        (Clients::CONSUMER, "consumer"),
        (Clients::PRODUCER, "producer"),
        (Clients::ADMIN, "admin"),
    ];
    let named: Vec<&str> = names
        .iter()
        .filter(|(client, _)| clients.include(*client))
        .map(|(_, name)| *name)
        .collect();
    Some(if named.len() == names.len() {
        "all".to_owned()
    } else {
        named.join(", ")
    })
}

fn kind(property: &Property) -> &'static str {
    match property.kind {
        Kind::Bool => "boolean",
        Kind::Int | Kind::Long if property.is_duration() => "duration",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::Text => "string",
        Kind::List => "list",
        Kind::Class => "class",
        Kind::Password => "password",
    }
}

fn values(property: &Property) -> String {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match property.check {
        Check::Any => String::new(),
        Check::AtLeast(least) => format!("from {least}"),
        Check::Between(least, most) => format!("{least} to {most}"),
        Check::OneOf(taken) | Check::OneOfIgnoringCase(taken) | Check::SomeOf(taken) => words(taken),
        Check::NotEmpty => "not empty".to_owned(),
    }
}
