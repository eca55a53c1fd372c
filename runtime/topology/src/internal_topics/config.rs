//! Configs of internal topics (`InternalTopicConfig` and its kin).

use std::collections::BTreeMap;

use crate::{Error, Store, StoreKind};

/// What the application's configuration says about internal topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopicSettings {
    /// `windowstore.changelog.additional.retention.ms`: added to a window store's retention for its changelog. Default one day.
    pub additional_retention_ms: i64,
    /// Properties `topic.*` without that prefix: for every internal topic; a store's own win over them.
    pub defaults: BTreeMap<String, String>,
}

impl Default for InternalTopicSettings {
    fn default() -> Self {
        Self {
            additional_retention_ms: 24 * 60 * 60 * 1000,
            defaults: BTreeMap::new(),
        }
    }
}

impl InternalTopicSettings {
    /// Takes out of the application's properties what is about internal topics; Java's names, others are passed over.
    ///
    /// # Errors
    /// An additional retention that is no number.
    pub fn from_properties<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut settings = Self::default();
        for (name, value) in properties {
            if let Some(config) = name.strip_prefix("topic.") {
                settings.defaults.insert(config.to_owned(), value.to_owned());
            } else if name == "windowstore.changelog.additional.retention.ms" {
                let wrong = |_| Error::Property {
                    name: name.to_owned(),
                    value: value.to_owned(),
                };
                settings.additional_retention_ms = value.trim().parse().map_err(wrong)?;
            }
        }
        Ok(settings)
    }
}

/// The configs of a repartition topic: Kafka Streams' own, under the application's defaults.
pub fn repartition_config(settings: &InternalTopicSettings) -> BTreeMap<String, String> {
    let own = [
        ("cleanup.policy", "delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", "-1"),
        ("segment.bytes", "52428800"),
    ];
    layered(&own, &settings.defaults, &BTreeMap::new())
}

/// The configs of a store's changelog: Kafka Streams' own, under the application's defaults, under the store's. A window store's
/// `retention.ms` is its retention plus the additional one, unless the store itself names it: the application's default does not count.
pub fn changelog_config(store: &Store, settings: &InternalTopicSettings) -> BTreeMap<String, String> {
    let none = BTreeMap::new();
    let overrides = store.changelog.as_ref().map_or(&none, |changelog| &changelog.config);
    let policy = match store.kind {
        StoreKind::KeyValue => "compact",
        StoreKind::Window { .. } => "compact,delete",
    };
    let own = [("cleanup.policy", policy), ("message.timestamp.type", "CreateTime")];
    let mut config = layered(&own, &settings.defaults, overrides);
    if let StoreKind::Window { retention_ms, .. } = store.kind
        && !overrides.contains_key("retention.ms")
    {
        // Java adds exactly and takes the greatest long where that fails, for negative overflow too.
        let retention = retention_ms
            .checked_add(settings.additional_retention_ms)
            .unwrap_or(i64::MAX);
        config.insert("retention.ms".to_owned(), retention.to_string());
    }
    config
}

fn layered(
    own: &[(&str, &str)],
    defaults: &BTreeMap<String, String>,
    overrides: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let own = own.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let given = defaults
        .iter()
        .chain(overrides)
        .map(|(name, value)| (name.clone(), value.clone()));
    own.chain(given).collect()
}
