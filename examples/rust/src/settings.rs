//! The configuration: this application's defaults, then the environment, then the arguments.

use std::collections::BTreeMap;
use std::error::Error;

use millrace::config::StreamsConfig;

/// What holds unless it is set. Names are Kafka Streams' own.
const DEFAULTS: [(&str, &str); 4] = [
    ("application.id", "transaction-aggregator-v1"),
    ("bootstrap.servers", "localhost:9092"),
    ("processing.guarantee", "exactly_once_v2"),
    ("commit.interval.ms", "1000"),
];

/// `KAFKA_STREAMS_COMMIT_INTERVAL_MS` is `commit.interval.ms`.
const PREFIX: &str = "KAFKA_STREAMS_";

/// Reads the configuration; what has no effect here is said on standard error.
pub fn read(
    environment: impl Iterator<Item = (String, String)>,
    arguments: &[String],
) -> Result<StreamsConfig, Box<dyn Error>> {
    let mut properties = BTreeMap::from(DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (name, value) in environment {
        if let Some(name) = name.strip_prefix(PREFIX) {
            properties.insert(name.to_lowercase().replace('_', "."), value);
        }
    }
    for argument in arguments {
        let Some((name, value)) = argument.split_once('=') else {
            return Err(format!("`{argument}` is no property; write name=value").into());
        };
        properties.insert(name.to_owned(), value.to_owned());
    }
    let parsed = StreamsConfig::parse(&properties)?;
    for warning in &parsed.warnings {
        eprintln!("{warning}");
    }
    Ok(parsed.config)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn arguments_win_over_the_environment_and_that_over_the_defaults() {
        let environment = [
            ("KAFKA_STREAMS_COMMIT_INTERVAL_MS", "200"),
            ("KAFKA_STREAMS_NUM_STREAM_THREADS", "2"),
            ("HOME", "/root"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = read(environment.into_iter(), &["commit.interval.ms=300".to_owned()]).unwrap();
        assert_eq!(config.commit_interval, Duration::from_millis(300));
        assert_eq!(config.num_stream_threads, 2);
        assert_eq!(config.application_id, "transaction-aggregator-v1");
        let error = read(std::iter::empty(), &["commit.interval.ms".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`commit.interval.ms` is no property; write name=value"
        );
    }
}
