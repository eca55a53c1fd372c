//! Environment variables as properties: Spring's rules for names.

use std::collections::BTreeMap;

use millrace::config::{self, SPRING, SpringGroup, SpringKind, SpringMeaning, environment_name};

use super::origin::{Origin, Setting};

/// The variables that set something here: `SPRING_KAFKA_…`, `SPRING_PROFILES_…`, `SPRING_CONFIG_…` and `MILLRACE_…`.
pub fn settings(variables: &BTreeMap<String, String>) -> Vec<Setting> {
    let setting = |(name, value): (&String, &String)| {
        Some(Setting {
            key: property(name)?,
            value: value.clone(),
            origin: Origin::Environment(name.clone()),
        })
    };
    variables.iter().filter_map(setting).collect()
}

/// What a variable is called whose property was probably meant by an unknown one.
pub fn suggestion(near: &str) -> String {
    match near.strip_suffix(".…") {
        Some(map) => format!("{}_…", environment_name(map)),
        None => environment_name(near),
    }
}

/// The value of a property by a name as it stands in a placeholder: `a.b-c` is looked for as it is, as `A_BC` and as `A_B_C`.
pub fn find<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<&'a String> {
    let underscored = name.replace(['.', '-'], "_");
    [
        name.to_owned(),
        environment_name(name),
        underscored.to_ascii_uppercase(),
        underscored,
    ]
    .iter()
    .find_map(|name| variables.get(name))
}

/// The property that a variable sets; names under `spring.kafka` that do not exist too, so that they can be refused.
fn property(variable: &str) -> Option<String> {
    if variable.contains('.') {
        // Kubernetes allows it, and Spring reads such a name as the property itself.
        return variable.starts_with("spring.kafka.").then(|| variable.to_owned());
    }
    let upper = variable.to_ascii_uppercase();
    if let Some(rest) = upper.strip_prefix("SPRING_KAFKA_") {
        return match of_spring_kafka(&upper) {
            Some(property) => Some(property),
            None if is_service_link(&upper) => None,
            None => Some(format!("spring.kafka.{}", dotted(rest))),
        };
    }
    for (name, property) in [
        ("SPRING_PROFILES_", "spring.profiles."),
        ("SPRING_CONFIG_", "spring.config."),
    ] {
        if let Some(rest) = upper.strip_prefix(name) {
            let rest = match rest {
                "ADDITIONAL_LOCATION" | "ADDITIONALLOCATION" => "additional-location".to_owned(),
                rest => dotted(rest),
            };
            return Some(with_index(format!("{property}{rest}")));
        }
    }
    let own = |name: &&'static str| name.starts_with("millrace.") && environment_name(name) == upper;
    config::names().find(own).map(str::to_owned)
}

fn of_spring_kafka(upper: &str) -> Option<String> {
    SPRING.iter().rev().find_map(|group| {
        let rest = upper.strip_prefix(&environment_name(group.prefix))?;
        in_group(group, rest)
    })
}

fn in_group(group: &SpringGroup, rest: &str) -> Option<String> {
    for name in group.all() {
        let property = format!("{}{}", group.prefix, name.name);
        // Without dashes, as Spring has it now, or with underscores for them, as it had it before.
        for form in [
            environment_name(name.name),
            name.name.replace(['.', '-'], "_").to_ascii_uppercase(),
        ] {
            let Some(more) = rest.strip_prefix(&form) else { continue };
            let more = more.strip_prefix('_').unwrap_or(more);
            let is_index = !more.is_empty() && more.bytes().all(|digit| digit.is_ascii_digit());
            match name.is {
                _ if rest == form => return Some(property),
                SpringMeaning::Kafka(_) if name.kind == SpringKind::List && is_index => {
                    return Some(format!("{property}[{more}]"));
                }
                SpringMeaning::Nothing { .. } if rest.len() > form.len() + more.len() => {
                    return Some(format!("{property}.{}", dotted(more)));
                }
                _ => {}
            }
        }
    }
    let key = kafka_key(rest.strip_prefix("PROPERTIES_")?);
    Some(format!("{}properties.{key}", group.prefix))
}

/// Kafka's name of a variable's end: dots for underscores, unless a name has underscores itself.
fn kafka_key(upper: &str) -> String {
    let key = dotted(upper);
    if config::known(&key).is_some() {
        return key;
    }
    let with_underscores = config::names().filter(|name| name.contains('_'));
    with_underscores
        .map(str::to_owned)
        .find(|name| name.replace('_', ".") == key)
        .unwrap_or(key)
}

fn dotted(upper: &str) -> String {
    upper.to_ascii_lowercase().replace('_', ".")
}

/// `active.0` is the first entry of `active`.
fn with_index(key: String) -> String {
    match key.rsplit_once('.') {
        Some((name, index)) if !index.is_empty() && index.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{name}[{index}]")
        }
        _ => key,
    }
}

/// Variables that Kubernetes makes of a Service of the name `spring-kafka…`.
fn is_service_link(upper: &str) -> bool {
    let ends = [
        "_SERVICE_HOST",
        "_SERVICE_PORT",
        "_PORT",
        "_ADDR",
        "_PROTO",
        "_TCP",
        "_UDP",
    ];
    ends.iter().any(|end| upper.ends_with(end)) || upper.contains("_SERVICE_PORT_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::spring;

    /// If nothing knows the variable, the one that was probably meant.
    fn unknown(variable: &str) -> Option<Option<String>> {
        match spring::meaning(&property(variable)?) {
            spring::Meaning::Unknown(near) => Some(near.as_deref().map(suggestion)),
            _ => None,
        }
    }

    #[test]
    fn variables_and_their_properties() {
        for (variable, expected) in [
            ("SPRING_KAFKA_BOOTSTRAPSERVERS", Some("spring.kafka.bootstrap-servers")),
            ("SPRING_KAFKA_BOOTSTRAP_SERVERS", Some("spring.kafka.bootstrap-servers")),
            ("spring_kafka_bootstrap_servers", Some("spring.kafka.bootstrap-servers")),
            (
                "SPRING_KAFKA_BOOTSTRAPSERVERS_1",
                Some("spring.kafka.bootstrap-servers[1]"),
            ),
            (
                "SPRING_KAFKA_STREAMS_APPLICATIONID",
                Some("spring.kafka.streams.application-id"),
            ),
            (
                "SPRING_KAFKA_STREAMS_PROPERTIES_PROCESSING_GUARANTEE",
                Some("spring.kafka.streams.properties.processing.guarantee"),
            ),
            (
                "SPRING_KAFKA_STREAMS_PROPERTIES_CONSUMER_MAX_POLL_RECORDS",
                Some("spring.kafka.streams.properties.consumer.max.poll.records"),
            ),
            (
                "SPRING_KAFKA_STREAMS_PROPERTIES_RACK_AWARE_ASSIGNMENT_NON_OVERLAP_COST",
                Some("spring.kafka.streams.properties.rack.aware.assignment.non_overlap_cost"),
            ),
            (
                "SPRING_KAFKA_PROPERTIES_SASL_MECHANISM",
                Some("spring.kafka.properties.sasl.mechanism"),
            ),
            ("SPRING_KAFKA_SSL_KEYPASSWORD", Some("spring.kafka.ssl.key-password")),
            (
                "SPRING_KAFKA_CONSUMER_MAXPOLLRECORDS",
                Some("spring.kafka.consumer.max-poll-records"),
            ),
            ("SPRING_KAFKA_LISTENER_TYPE", Some("spring.kafka.listener.type")),
            (
                "SPRING_KAFKA_STREAMS_CLEANUP_ONSTARTUP",
                Some("spring.kafka.streams.cleanup.on-startup"),
            ),
            ("SPRING_KAFKA_NONSENSE", Some("spring.kafka.nonsense")),
            ("spring.kafka.streams.state-dir", Some("spring.kafka.streams.state-dir")),
            ("SPRING_PROFILES_ACTIVE", Some("spring.profiles.active")),
            ("SPRING_PROFILES_ACTIVE_0", Some("spring.profiles.active[0]")),
            (
                "SPRING_CONFIG_ADDITIONAL_LOCATION",
                Some("spring.config.additional-location"),
            ),
            (
                "MILLRACE_STATE_MEMORY_MAX_BYTES",
                Some("millrace.state.memory.max.bytes"),
            ),
            ("MILLRACE_SEED", None),
            ("SPRING_KAFKA_SERVICE_HOST", None),
            ("SPRING_KAFKA_PORT_9092_TCP_ADDR", None),
            ("STATE_DIR", None),
            ("KAFKA_BOOTSTRAP_SERVERS", None),
        ] {
            assert_eq!(property(variable).as_deref(), expected, "{variable}");
        }
    }

    #[test]
    fn an_unknown_variable_has_a_near_one() {
        for (variable, expected) in [
            (
                "SPRING_KAFKA_STREAMS_APLICATIONID",
                Some("SPRING_KAFKA_STREAMS_APPLICATIONID"),
            ),
            (
                "SPRING_KAFKA_STREAMS_PROCESSING_GUARANTEE",
                Some("SPRING_KAFKA_STREAMS_PROPERTIES_PROCESSING_GUARANTEE"),
            ),
        ] {
            assert_eq!(unknown(variable), Some(expected.map(str::to_owned)), "{variable}");
        }
        assert_eq!(unknown("SPRING_KAFKA_BOOTSTRAPSERVERS"), None);
    }

    #[test]
    fn placeholders_find_variables_by_relaxed_names() {
        let variables = BTreeMap::from([
            ("KAFKA_BOOTSTRAPSERVERS".to_owned(), "a".to_owned()),
            ("APP_INPUT_TOPIC".to_owned(), "b".to_owned()),
        ]);
        for (name, expected) in [
            ("KAFKA_BOOTSTRAPSERVERS", Some("a")),
            ("kafka.bootstrap-servers", Some("a")),
            ("app.input-topic", Some("b")),
            ("app.input", None),
        ] {
            assert_eq!(find(&variables, name).map(String::as_str), expected, "{name}");
        }
    }
}
