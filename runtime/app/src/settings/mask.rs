//! What is never shown.

use millrace::config;

use super::relaxed;
use super::spring::{self, Meaning};

/// What stands in its place.
pub const MASK: &str = "******";

/// Words that tell a secret by its name, where nothing else does.
const TELLING: [&str; 7] = [
    "password",
    "secret",
    "token",
    "credential",
    "jaas",
    "userinfo",
    "privatekey",
];

/// Whether the value of a key is a secret: a password of Kafka's, or something called like one.
pub fn is_secret(key: &str) -> bool {
    if let Meaning::Kafka(target) = spring::meaning(key)
        && let Some(known) = config::known(&target.key)
    {
        return known.is_secret;
    }
    let name = relaxed::uniform(key).replace('.', "");
    TELLING.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    #[test]
    fn secrets() {
        for (key, expected) in [
            ("ssl.key.password", true),
            ("consumer.sasl.jaas.config", true),
            ("spring.kafka.ssl.key-store-key", true),
            ("spring.kafka.ssl.trust-store-location", false),
            ("spring.kafka.streams.properties.basic.auth.user.info", true),
            ("app.db-password", true),
            ("app.apiToken", true),
            ("sasl.username", false),
            ("sasl.oauthbearer.token.endpoint.url", false),
            ("commit.interval.ms", false),
            ("app.input", false),
        ] {
            assert_eq!(super::is_secret(key), expected, "{key}");
        }
    }
}
