//! Reads keys and values into [`Settings`], and collects everything that is wrong or of no effect.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::client_table::TOPIC;
use super::property::{Effect, Kind, Property};
use super::scope::{self, Scope};
use super::{Notice, class_name};

/// What was set, in one form, by prefix and name. Only what has an effect.
#[derive(Clone, Default)]
pub(super) struct Settings {
    set: BTreeMap<(Scope, &'static str), String>,
}

/// Without the values of passwords.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.set.iter().map(|((scope, name), value)| {
            let is_secret = scope::find(*scope, name).is_some_and(|property| property.kind == Kind::Password);
            (
                format!("{}{name}", scope.prefix()),
                if is_secret { "[hidden]" } else { &**value },
            )
        });
        f.debug_map().entries(shown).finish()
    }
}

/// What came out of reading.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub settings: Settings,
    pub warnings: Vec<Notice>,
    pub problems: Vec<Notice>,
}

impl Settings {
    /// The value of the first of these prefixes that sets `name`.
    pub fn get(&self, scopes: &[Scope], name: &'static str) -> Option<&str> {
        scopes
            .iter()
            .find_map(|scope| self.set.get(&(*scope, name)))
            .map(String::as_str)
    }

    /// Names and values set under a prefix.
    pub fn of(&self, scope: Scope) -> impl Iterator<Item = (&'static str, &str)> {
        self.set
            .range((scope, "")..)
            .take_while(move |((of, _), _)| *of == scope)
            .map(|((_, name), value)| (*name, value.as_str()))
    }

    /// A streams property: as set, else its default.
    fn value(&self, name: &'static str) -> Option<&str> {
        let default = || scope::find(Scope::Plain, name).expect("a name of the table").default;
        self.get(&[Scope::Plain], name).or_else(default)
    }

    pub fn text(&self, name: &'static str) -> String {
        self.value(name).unwrap_or_default().to_owned()
    }

    pub fn number(&self, name: &'static str) -> i64 {
        self.value(name)
            .and_then(|value| value.parse().ok())
            .expect("a default that is a number")
    }

    pub fn duration(&self, name: &'static str) -> Duration {
        millis(self.number(name))
    }

    pub fn flag(&self, name: &'static str) -> bool {
        self.value(name) == Some("true")
    }
}

/// Milliseconds; what is below 0 counts as 0.
pub(super) fn millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

impl Read {
    pub fn new(properties: &BTreeMap<String, String>) -> Self {
        let mut read = Self::default();
        let mut seen: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        for (given, value) in properties {
            let key = scope::without_spring(given);
            match seen.insert(key, (given, value)) {
                Some((first, other)) if other != value => {
                    read.problem(
                        given,
                        format!("`{first}` sets it too, to `{other}`: keep one of the two"),
                    );
                }
                Some(_) => {}
                None => read.key(key, value),
            }
        }
        let exactly_once = read.exactly_once();
        read.drop_what_is_fixed(exactly_once);
        read
    }

    pub fn exactly_once(&self) -> bool {
        self.settings.text("processing.guarantee") == "exactly_once_v2"
    }

    pub fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Notice {
            key: key.into(),
            message: message.into(),
        });
    }

    pub fn warn(&mut self, key: &str, message: String) {
        self.warnings.push(Notice {
            key: key.to_owned(),
            message,
        });
    }

    fn key(&mut self, key: &str, value: &str) {
        let (scope, name) = scope::split(key);
        if scope == Scope::Topic
            && let Some(known) = TOPIC.iter().find(|known| **known == name)
        {
            self.settings.set.insert((scope, known), value.trim().to_owned());
            return;
        }
        let Some(property) = scope::find(scope, name) else {
            return self.unknown(key, scope, name);
        };
        match property.normalize(value) {
            Err(wrong) if property.kind == Kind::Password => self.problem(key, wrong.replace(value, "…")),
            Err(wrong) => self.problem(key, wrong),
            Ok(value) => self.known(key, scope, property, value),
        }
    }

    fn unknown(&mut self, key: &str, scope: Scope, name: &str) {
        let message = match scope::near(scope, name) {
            Some(near) => format!("unknown property; did you mean `{}{near}`?", scope.prefix()),
            None => "unknown property: neither Kafka Streams nor its clients nor Millrace have it".to_owned(),
        };
        self.problem(key, message);
    }

    fn known(&mut self, key: &str, scope: Scope, property: &'static Property, value: String) {
        match property.effect {
            Effect::Used | Effect::Fixed(_) | Effect::FixedUnderExactlyOnce(_) if scope == Scope::GlobalConsumer => {
                self.warn(key, "has no effect: there are no global tables yet".into());
            }
            Effect::Used | Effect::Fixed(_) | Effect::FixedUnderExactlyOnce(_) => {
                self.settings.set.insert((scope, property.name), value);
            }
            Effect::AliasOf(name) => {
                self.warn(
                    key,
                    format!("is the older name of `{name}`, which wins if both are set"),
                );
                // Keys come in order, and the newer name may come first or overwrite this later.
                self.settings.set.entry((scope, name)).or_insert(value);
            }
            Effect::Controlled(why) => self.warn(key, format!("is ignored: {why}")),
            Effect::MeansNothingHere(why) => self.warn(key, format!("has no effect: {why}")),
            Effect::Unsupported(why) => {
                let default = property.default.unwrap_or_default();
                if property.kind == Kind::Password {
                    self.problem(key, format!("is not supported: {why}"));
                } else if !value.eq_ignore_ascii_case(class_name(default)) {
                    self.problem(key, format!("`{value}` is not supported: {why}"));
                }
            }
        }
    }

    /// As Java does: a client property that the engine depends on keeps its value, and a warning names the attempt.
    fn drop_what_is_fixed(&mut self, exactly_once: bool) {
        let set = std::mem::take(&mut self.settings.set);
        for ((scope, name), value) in set {
            let effect = scope::find(scope, name).map(|property| property.effect);
            let (fixed, why) = match effect {
                Some(Effect::Fixed(fixed)) => (Some(fixed), "Kafka Streams always sets"),
                Some(Effect::FixedUnderExactlyOnce(fixed)) if exactly_once => (
                    Some(fixed),
                    "under `processing.guarantee: exactly_once_v2` Kafka Streams sets",
                ),
                _ => (None, ""),
            };
            match fixed {
                None => {
                    self.settings.set.insert((scope, name), value);
                }
                Some(fixed) if fixed.eq_ignore_ascii_case(&value) => {}
                Some(fixed) => {
                    let key = format!("{}{name}", scope.prefix());
                    self.warn(&key, format!("`{value}` is ignored: {why} `{fixed}`"));
                }
            }
        }
    }
}
