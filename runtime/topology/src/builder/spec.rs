//! What the caller says about sources, sinks, repartitions and aggregations.

use crate::{Changelog, FormatName, FunctionId, OnError, StartFrom, Window};

/// A source: `StreamsBuilder.stream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// Topics, at least one; a topic named twice counts once.
    pub topics: Vec<String>,
    /// Format of the keys.
    pub key: FormatName,
    /// Format of the values.
    pub value: FormatName,
    /// Takes the timestamp out of the record; `None`: `default.timestamp.extractor`.
    pub timestamp: Option<FunctionId>,
    /// `None`: `auto.offset.reset`.
    pub start_from: Option<StartFrom>,
    /// Of deserialization; `None`: `deserialization.exception.handler`.
    pub on_error: Option<OnError>,
}

impl SourceSpec {
    /// One topic, with the application's defaults for the rest.
    pub fn new(topic: impl Into<String>, key: impl Into<FormatName>, value: impl Into<FormatName>) -> Self {
        Self {
            topics: vec![topic.into()],
            key: key.into(),
            value: value.into(),
            timestamp: None,
            start_from: None,
            on_error: None,
        }
    }
}

/// A sink: `KStream.to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSpec {
    /// The user's topic.
    pub topic: String,
    /// Format of the keys.
    pub key: FormatName,
    /// Format of the values.
    pub value: FormatName,
}

impl SinkSpec {
    /// A sink.
    pub fn new(topic: impl Into<String>, key: impl Into<FormatName>, value: impl Into<FormatName>) -> Self {
        Self {
            topic: topic.into(),
            key: key.into(),
            value: value.into(),
        }
    }
}

/// An explicit repartition: `KStream.repartition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepartitionSpec {
    /// `Repartitioned.as`; the topic is `<application.id>-<name>-repartition`.
    pub name: Option<String>,
    /// `None`: as many as the sources of the writing sub-topology have at most.
    pub partitions: Option<i32>,
    /// Format of the keys.
    pub key: FormatName,
    /// Format of the values.
    pub value: FormatName,
}

impl RepartitionSpec {
    /// Without a name and with the partition count that follows from upstream.
    pub fn new(key: impl Into<FormatName>, value: impl Into<FormatName>) -> Self {
        Self {
            name: None,
            partitions: None,
            key: key.into(),
            value: value.into(),
        }
    }
}

/// `groupByKey(..).aggregate(..)`, windowed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateSpec {
    /// The store's name, `Materialized.as`.
    pub name: Option<String>,
    /// `Grouped.as`: the name of the repartition topic, if one is needed; `None`: the store's.
    pub repartition: Option<String>,
    /// `None`: over all time.
    pub window: Option<Window>,
    /// Format of the keys; of the store's too.
    pub key: FormatName,
    /// Format of the values that come in.
    pub value: FormatName,
    /// Format of the aggregate as it is stored.
    pub stored: FormatName,
    /// Initial value and adder.
    pub function: FunctionId,
    /// `None`: the store is not logged and lost with the volume.
    pub changelog: Option<Changelog>,
    /// Whether updates may wait in the record cache.
    pub caching: bool,
    /// How long the store keeps a window after its start, milliseconds; `None`: size + grace. Windowed only.
    pub retention_ms: Option<i64>,
}

impl AggregateSpec {
    /// Over all time, unnamed, logged and cached, as Java's defaults are.
    pub fn new(
        key: impl Into<FormatName>,
        value: impl Into<FormatName>,
        stored: impl Into<FormatName>,
        function: FunctionId,
    ) -> Self {
        Self {
            name: None,
            repartition: None,
            window: None,
            key: key.into(),
            value: value.into(),
            stored: stored.into(),
            function,
            changelog: Some(Changelog::default()),
            caching: true,
            retention_ms: None,
        }
    }

    /// The same with the store's name.
    #[must_use]
    pub fn named(mut self, store: impl Into<String>) -> Self {
        self.name = Some(store.into());
        self
    }

    /// The same in windows.
    #[must_use]
    pub fn windowed(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// The same with a topic config of the changelog, which wins over the derived one.
    #[must_use]
    pub fn changelog_config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog
            .get_or_insert_default()
            .config
            .insert(name.into(), value.into());
        self
    }
}
