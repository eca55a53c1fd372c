//! What a key is: Kafka's name in one of its spellings, Spring Boot's own, or nobody's.

use millrace::config::{self, SPRING, SpringGroup, SpringKind, SpringMeaning, SpringName};

use super::relaxed;

/// What a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A property of Kafka's, known to it or not.
    Kafka(Target),
    /// Nothing, for this reason; a value other than the default is worth a warning.
    Nothing {
        default: Option<&'static str>,
        why: &'static str,
    },
    /// Not to be had, for this reason, other than with the default.
    Refused {
        default: Option<&'static str>,
        why: &'static str,
    },
    /// Profiles and sources of configuration: read before all others.
    Control,
    /// A name under `spring.kafka` that Spring Boot does not have; with the one that was probably meant.
    Unknown(Option<String>),
    /// A name outside of `spring.kafka`, and not Kafka's.
    Foreign,
}

/// A property of Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its key, with Kafka Streams' prefix.
    pub key: String,
    /// Of two spellings that set one key, the higher holds.
    pub rank: u8,
    /// How the value is written.
    pub kind: SpringKind,
}

/// Kafka's names as they are, and `spring.kafka.streams.properties.`: nothing is stronger.
const STRONGEST: u8 = 5;

const OF_SPRING: &str = "it is Spring Boot's, and Millrace has no part that it would set";
const LOGGING: &str = "set --log-level";
const OF_SERDES: &str =
    "it belongs to serdes: formats are stated with each topic of the topology, and none asks a registry yet";

/// Spring Boot's own first words, and why they mean nothing.
const ROOTS: [(&str, &str); 8] = [
    ("spring", OF_SPRING),
    ("server", OF_SPRING),
    ("management", OF_SPRING),
    ("info", OF_SPRING),
    ("springdoc", OF_SPRING),
    ("logging", LOGGING),
    ("debug", LOGGING),
    ("trace", LOGGING),
];

/// Beginnings of the names that Java's serdes read.
const SERDES: [&str; 17] = [
    "schema.registry.",
    "basic.auth.",
    "bearer.auth.",
    "specific.avro.",
    "specific.protobuf.",
    "avro.",
    "spring.json.",
    "spring.deserializer.",
    "apicurio.",
    "json.",
    "auto.register.schemas",
    "use.latest.version",
    "normalize.schemas",
    "latest.compatibility.strict",
    "key.subject.name.strategy",
    "value.subject.name.strategy",
    "schema.reflection",
];

/// What `key` is.
pub fn meaning(key: &str) -> Meaning {
    if let Some(rest) = relaxed::below(key, "spring.kafka") {
        return of_spring_kafka(key, rest);
    }
    let is_control = ["spring.profiles", "spring.config", "spring.application"]
        .iter()
        .any(|control| relaxed::below(key, control).is_some());
    if is_control {
        return Meaning::Control;
    }
    if let Some(near) = near_spring(key, 0.85) {
        return Meaning::Unknown(Some(near));
    }
    kafka(key.to_owned(), STRONGEST, true)
}

/// Names of Kafka's under a map of Spring's, or (`is_bare`) on their own, where other programs' names stand too.
fn kafka(key: String, rank: u8, is_bare: bool) -> Meaning {
    if config::known(&key).is_none() {
        let name = ["consumer.", "producer."]
            .iter()
            .find_map(|client| key.strip_prefix(client))
            .unwrap_or(&key);
        if SERDES.iter().any(|serde| name.starts_with(serde)) {
            return Meaning::Nothing {
                default: None,
                why: OF_SERDES,
            };
        }
        if is_bare {
            let root = key.split(['.', '[']).next().unwrap_or_default();
            if let Some((_, why)) = ROOTS.iter().find(|(known, _)| relaxed::same(known, root)) {
                return Meaning::Nothing { default: None, why };
            }
            return Meaning::Foreign;
        }
    }
    Meaning::Kafka(Target {
        key,
        rank,
        kind: SpringKind::Plain,
    })
}

fn of_spring_kafka(key: &str, rest: &str) -> Meaning {
    for group in SPRING.iter().rev() {
        let Some(rest) = relaxed::below(key, group.prefix.trim_end_matches('.')) else {
            continue;
        };
        if let Some(name) = group.all().find(|name| relaxed::same(name.name, rest)) {
            return of_name(group, name);
        }
        if let Some(name) = relaxed::below(rest, "properties") {
            let key = format!("{}{name}", group.scope.prefix());
            return kafka(key, group.rank * 2 + 1, false);
        }
        // `listener.type` of `listener`, which means nothing as a whole.
        let whole = |name: &&SpringName| relaxed::below(rest, name.name).is_some();
        if let Some(name) = group.all().find(whole) {
            return of_name(group, name);
        }
    }
    // Kafka's name where Spring has none of its own: the map is meant.
    let meant = config::names().find(|name| relaxed::same(&name.replace('.', ""), &last_words(rest)));
    Meaning::Unknown(match meant {
        Some(name) => Some(format!("spring.kafka.streams.properties.{name}")),
        None => near_spring(key, 0.7),
    })
}

/// The letters of `streams.processing-guarantee` behind its group.
fn last_words(rest: &str) -> String {
    let words = ["streams.", "consumer.", "producer.", "admin."]
        .iter()
        .find_map(|group| rest.strip_prefix(group))
        .unwrap_or(rest);
    words.replace('.', "")
}

fn of_name(group: &SpringGroup, name: &SpringName) -> Meaning {
    match name.is {
        SpringMeaning::Kafka(kafka) => Meaning::Kafka(Target {
            key: format!("{}{kafka}", group.scope.prefix()),
            rank: group.rank * 2,
            kind: name.kind,
        }),
        SpringMeaning::Nothing { default, why } => Meaning::Nothing { default, why },
        SpringMeaning::Refused { default, why } => Meaning::Refused { default, why },
    }
}

/// All names under `spring.kafka`.
pub fn names() -> impl Iterator<Item = String> {
    let of_group = |group: &'static SpringGroup| {
        let map = format!("{}properties", group.prefix);
        let names = group.all().map(move |name| format!("{}{}", group.prefix, name.name));
        names.chain([map])
    };
    SPRING.iter().flat_map(of_group)
}

/// The name under `spring.kafka` that is most like `key`: only what follows is compared, if the key is under it too.
fn near_spring(key: &str, least: f64) -> Option<String> {
    let is_below = relaxed::below(key, "spring.kafka").is_some();
    let compared = |name: &str| {
        let name = relaxed::uniform(name);
        let rest = name.strip_prefix("spring.kafka.").filter(|_| is_below);
        rest.unwrap_or(&name).to_owned()
    };
    let wanted = compared(key);
    let mut best = (least, None);
    for name in names() {
        let known = compared(&name);
        // A key of a map may be as long as it likes.
        let is_map = name.ends_with(".properties");
        let part = if is_map {
            wanted.get(..known.len()).unwrap_or(&wanted)
        } else {
            &wanted
        };
        let likeness = strsim::normalized_damerau_levenshtein(part, &known);
        if likeness > best.0 {
            best = (likeness, Some(if is_map { format!("{name}.…") } else { name }));
        }
    }
    best.1
}

/// A value in Kafka's notation.
///
/// # Errors
/// What is wrong with it.
pub fn converted(kind: SpringKind, value: &str) -> Result<String, String> {
    match kind {
        SpringKind::Plain | SpringKind::Duration => Ok(value.to_owned()),
        SpringKind::List => Ok(value.split(',').map(str::trim).collect::<Vec<_>>().join(",")),
        SpringKind::Word => Ok(value.trim().to_lowercase().replace('-', "_")),
        SpringKind::Size => {
            size(value.trim()).ok_or_else(|| format!("`{value}` is no size: write bytes, or `512KB`, `10MB`, `1GB`"))
        }
        SpringKind::File => {
            if value.starts_with("classpath:") {
                return Err(format!("`{value}`: there is no class path; state the path of a file"));
            }
            let path = value.strip_prefix("file:").unwrap_or(value);
            Ok(path.strip_prefix("//").unwrap_or(path).to_owned())
        }
    }
}

/// Bytes of `10MB`, as Spring's DataSize has it.
fn size(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+'))
        .unwrap_or(text.len());
    let number: i64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "" | "B" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit).map(|bytes| bytes.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: &str) -> String {
        match meaning(key) {
            Meaning::Kafka(target) => format!("{} {}", target.key, target.rank),
            Meaning::Nothing { .. } => "nothing".to_owned(),
            Meaning::Refused { .. } => "refused".to_owned(),
            Meaning::Control => "control".to_owned(),
            Meaning::Unknown(near) => format!("unknown {}", near.unwrap_or_default()),
            Meaning::Foreign => "foreign".to_owned(),
        }
    }

    #[test]
    fn names_and_what_they_are() {
        for (key, expected) in [
            ("spring.kafka.bootstrap-servers", "bootstrap.servers 0"),
            ("spring.kafka.bootstrapServers", "bootstrap.servers 0"),
            ("spring.kafka.streams.application-id", "application.id 4"),
            ("spring.kafka.streams.application_id", "application.id 4"),
            ("spring.kafka.streams.stateDir", "state.dir 4"),
            (
                "spring.kafka.streams.state-store-cache-max-size",
                "statestore.cache.max.bytes 4",
            ),
            ("spring.kafka.streams.properties.poll.ms", "poll.ms 5"),
            (
                "spring.kafka.streams.properties[consumer.fetch.min.bytes]",
                "consumer.fetch.min.bytes 5",
            ),
            ("spring.kafka.properties.sasl.mechanism", "sasl.mechanism 1"),
            ("spring.kafka.consumer.max-poll-records", "consumer.max.poll.records 2"),
            (
                "spring.kafka.consumer.properties.fetch.min.bytes",
                "consumer.fetch.min.bytes 3",
            ),
            ("spring.kafka.producer.batch-size", "producer.batch.size 2"),
            ("spring.kafka.admin.properties.retries", "admin.retries 3"),
            ("spring.kafka.security.protocol", "security.protocol 0"),
            ("spring.kafka.ssl.trust-store-location", "ssl.truststore.location 0"),
            ("spring.kafka.streams.ssl.key-store-type", "ssl.keystore.type 4"),
            (
                "spring.kafka.producer.security.protocol",
                "producer.security.protocol 2",
            ),
            ("spring.kafka.listener.type", "nothing"),
            ("spring.kafka.listener", "nothing"),
            ("spring.kafka.retry.topic.enabled", "nothing"),
            ("spring.kafka.streams.cleanup.on-startup", "nothing"),
            ("spring.kafka.streams.auto-startup", "refused"),
            ("spring.kafka.ssl.bundle", "refused"),
            ("spring.kafka.jaas.enabled", "refused"),
            ("spring.kafka.streams.properties.schema.registry.url", "nothing"),
            ("consumer.specific.avro.reader", "nothing"),
            ("spring.kafka.streams.properties.nonsense", "nonsense 5"),
            (
                "spring.kafka.streams.aplication-id",
                "unknown spring.kafka.streams.application-id",
            ),
            (
                "spring.kafak.bootstrap-servers",
                "unknown spring.kafka.bootstrap-servers",
            ),
            (
                "spring.kafka.streams.processing-guarantee",
                "unknown spring.kafka.streams.properties.processing.guarantee",
            ),
            (
                "spring.kafka.streams.propertys.poll.ms",
                "unknown spring.kafka.streams.properties.…",
            ),
            ("spring.kafka.zzz", "unknown "),
            ("spring.profiles.active", "control"),
            ("spring.application.name", "control"),
            ("spring.main.banner-mode", "nothing"),
            ("server.port", "nothing"),
            ("logging.level.root", "nothing"),
            ("commit.interval.ms", "commit.interval.ms 5"),
            ("topic.retention.ms", "topic.retention.ms 5"),
            ("app.input", "foreign"),
        ] {
            assert_eq!(shown(key), expected, "{key}");
        }
    }

    #[test]
    fn values() {
        for (kind, value, expected) in [
            (SpringKind::Size, "10MB", Some("10485760")),
            (SpringKind::Size, "512 KB", Some("524288")),
            (SpringKind::Size, "7", Some("7")),
            (SpringKind::Size, "1B", Some("1")),
            (SpringKind::Size, "ten", None),
            (SpringKind::Size, "10 mb", None),
            (SpringKind::Size, "9000000000TB", None),
            (SpringKind::List, "a:1 , b:2", Some("a:1,b:2")),
            (SpringKind::Word, "READ-Committed", Some("read_committed")),
            (SpringKind::File, "file:/etc/a.pem", Some("/etc/a.pem")),
            (SpringKind::File, "file:///etc/a.pem", Some("/etc/a.pem")),
            (SpringKind::File, "a.pem", Some("a.pem")),
            (SpringKind::File, "classpath:a.pem", None),
        ] {
            assert_eq!(converted(kind, value).ok().as_deref(), expected, "{value}");
        }
    }
}
