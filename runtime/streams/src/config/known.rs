//! What is known of a key, without reading a configuration.

use super::client_table::TOPIC;
use super::property::{Effect, Kind};
use super::scope::{self, Scope};

/// What the tables say of a key in Kafka's notation (`consumer.max.poll.records`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The newer name, with the same prefix, if it is an older one.
    pub newer: Option<&'static str>,
    /// Whether its value is never shown.
    pub is_secret: bool,
}

/// What is known of a key; `None` if nothing.
#[must_use]
pub fn known(key: &str) -> Option<Known> {
    let (scope, name) = scope::split(key);
    if scope == Scope::Topic {
        return TOPIC.contains(&name).then_some(Known {
            newer: None,
            is_secret: false,
        });
    }
    scope::find(scope, name).map(|property| Known {
        newer: match property.effect {
            Effect::AliasOf(newer) => Some(newer),
            _ => None,
        },
        is_secret: property.kind == Kind::Password,
    })
}

/// The known key that was probably meant, with its prefix.
#[must_use]
pub fn suggestion(key: &str) -> Option<String> {
    let (scope, name) = scope::split(key);
    scope::near(scope, name).map(|near| format!("{}{near}", scope.prefix()))
}

/// All keys without prefix.
pub fn names() -> impl Iterator<Item = &'static str> {
    super::reference::all().map(|property| property.name)
}
