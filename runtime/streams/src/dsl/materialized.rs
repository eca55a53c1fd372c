//! How an aggregation's store is kept.

use std::sync::Arc;
use std::time::Duration;

use millrace_topology::Changelog;

use super::options::millis;
use crate::serde::Serde;

/// The mark of a [`Materialized`] whose values have no format yet.
#[derive(Debug)]
pub enum NoValueSerde {}

/// A store of values `A`: name, format, changelog, cache.
///
/// ```
/// use millrace::dsl::Materialized;
/// use millrace::serde::LongSerde;
///
/// let store: Materialized<i64> = Materialized::named("counts")
///     .with_value_serde(LongSerde)
///     .with_changelog("min.insync.replicas", "2")
///     .with_caching_disabled();
/// ```
pub struct Materialized<A> {
    pub(super) name: Option<String>,
    /// `None` only under the mark [`NoValueSerde`].
    value: Option<Arc<dyn Serde<A>>>,
    pub(super) changelog: Option<Changelog>,
    pub(super) caching: bool,
    pub(super) retention_ms: Option<i64>,
}

impl Materialized<NoValueSerde> {
    /// A store by name (`Materialized.as`); its changelog is `<application.id>-<name>-changelog`.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::unnamed()
        }
    }

    /// A store that is named after its place in the topology, so that it is lost when steps are added before it.
    #[must_use]
    pub fn unnamed() -> Self {
        Self {
            name: None,
            value: None,
            changelog: Some(Changelog::default()),
            caching: true,
            retention_ms: None,
        }
    }

    /// The format of its values.
    pub fn with_value_serde<A: 'static>(self, serde: impl Serde<A>) -> Materialized<A> {
        Materialized {
            name: self.name,
            value: Some(Arc::new(serde)),
            changelog: self.changelog,
            caching: self.caching,
            retention_ms: self.retention_ms,
        }
    }
}

impl<A> Materialized<A> {
    /// A topic config of the changelog, which wins over the derived one (`withLoggingEnabled`).
    #[must_use]
    pub fn with_changelog(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog
            .get_or_insert_default()
            .config
            .insert(name.into(), value.into());
        self
    }

    /// No changelog: the store is lost with its volume.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.changelog = None;
        self
    }

    /// Forwards every update at once; else updates of a key wait in the record cache until the commit.
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// How long a window is kept after its start, in stream time; else its size and grace. For windows only.
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention_ms = Some(millis(retention));
        self
    }

    pub(super) fn value(&self) -> Arc<dyn Serde<A>> {
        let value = self.value.as_ref();
        Arc::clone(value.expect("there are no values of type NoValueSerde to aggregate"))
    }
}
