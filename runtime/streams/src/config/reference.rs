//! `docs/configuration.md`, written from the tables.

use std::fmt::Write as _;

use super::client_table::{CLIENTS, Clients, TOPIC};
use super::property::{Check, Effect, Kind, Property};
use super::spring_table::{SPRING, SPRING_SHARED, SpringKind, SpringMeaning, SpringName, environment_name};
use super::streams_table::STREAMS;

const GUIDE: &str = include_str!("guide.md");

/// The whole reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = GUIDE.to_owned();
    out.push_str("\n## Of the application\n\n");
    table(&mut out, STREAMS.iter(), |_| None);
    out.push_str(
        "\n## Of the clients\n\nThe defaults are Kafka's; where Kafka Streams has another one, the text says so.\n\n",
    );
    table(&mut out, CLIENTS.iter().map(|(_, property)| property), client_names);
    out.push_str("\n## Of internal topics\n\nUnder `topic.`, the broker's own topic configs: ");
    let names: Vec<String> = TOPIC.iter().map(|name| format!("`{name}`")).collect();
    writeln!(out, "{}.", names.join(", ")).expect("writing to a string");
    spring_names(&mut out);
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
    every_spelling(&mut out);
    out
}

const SPRING_NAMES: &str = "
## Spring Boot's own names

Under `spring.kafka.`, `spring.kafka.streams.`, `spring.kafka.consumer.`, `spring.kafka.producer.` and `spring.kafka.admin.`, `properties.` is followed by Kafka's names as they are, and `ssl.` and
`security.` are as in the first rows.

| Spring Boot | environment variable | here |
|---|---|---|
";

fn spring_names(out: &mut String) {
    out.push_str(SPRING_NAMES);
    for name in SPRING_SHARED {
        spring_name(out, "spring.kafka.", "", name);
    }
    for group in SPRING.iter().rev() {
        for name in group.names {
            spring_name(out, group.prefix, group.scope.prefix(), name);
        }
    }
}

fn spring_name(out: &mut String, prefix: &str, scope: &str, name: &SpringName) {
    let notation = match name.kind {
        SpringKind::Size => ", a size",
        SpringKind::List => ", a list",
        SpringKind::Duration => ", a duration",
        SpringKind::Plain | SpringKind::Word | SpringKind::File => "",
    };
    let is = match name.is {
        SpringMeaning::Kafka(kafka) => format!("`{scope}{kafka}`{notation}"),
        SpringMeaning::Nothing { why, .. } => format!("no effect: {why}"),
        SpringMeaning::Refused {
            default: Some(default),
            why,
        } => format!("only `{default}`: {why}"),
        SpringMeaning::Refused { default: None, why } => format!("refused: {why}"),
    };
    let name = format!("{prefix}{}", name.name);
    writeln!(out, "| `{name}` | `{}` | {is} |", environment_name(&name)).expect("writing to a string");
}

fn every_spelling(out: &mut String) {
    out.push_str("\n## Every property in its three spellings\n\n| Kafka Streams | Spring Boot | environment variable |\n|---|---|---|\n");
    let mut names: Vec<&str> = all().map(|property| property.name).collect();
    names.sort_unstable();
    for name in names {
        let spring = format!("spring.kafka.streams.properties.{name}");
        writeln!(out, "| `{name}` | `{spring}` | `{}` |", environment_name(&spring)).expect("writing to a string");
    }
}

/// All rows, each name once; where the application and the clients share a name, the application's.
pub(super) fn all() -> impl Iterator<Item = &'static Property> {
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
