//! The plan of a stream application: nodes, stores, internal topics, sub-topologies, names. Pure data.
//!
//! A [`Plan`] comes from the one untyped [`Builder`], which both the typed DSL and the manifest language use. The plan holds no
//! code: a user's function is a [`FunctionId`] into a table that the caller keeps beside it. Names, numbers, `describe` text and
//! internal topics equal those of Kafka Streams 4.3 for the same calls.
//!
//! ```
//! use std::collections::BTreeMap;
//! use millrace_topology::{AggregateSpec, Builder, FunctionId, InternalTopicSettings, SinkSpec, SourceSpec, Window};
//!
//! let (is_positive, add_amount) = (FunctionId(0), FunctionId(1));
//! let mut builder = Builder::new();
//! let transactions = builder.stream(SourceSpec::new("transactions-topic", "string", "json"))?;
//! let valid = builder.filter(&transactions, is_positive, false);
//! let totals = builder.aggregate(
//!     &valid,
//!     AggregateSpec::new("string", "json", "json", add_amount)
//!         .named("user-5min-totals")
//!         .windowed(Window::Tumbling { size_ms: 300_000, grace_ms: 0 })
//!         .changelog_config("retention.ms", "86400000")
//!         .changelog_config("segment.bytes", "104857600"),
//! )?;
//! let updates = builder.to_stream(&totals);
//! let by_user = builder.unwindow_key(&updates);
//! builder.to(&by_user, SinkSpec::new("aggregated-transactions", "string", "json"))?;
//! let plan = builder.build()?;
//!
//! assert_eq!(plan.describe(), "\
//! Topologies:
//!    Sub-topology: 0
//!     Source: KSTREAM-SOURCE-0000000000 (topics: [transactions-topic])
//!       --> KSTREAM-FILTER-0000000001
//!     Processor: KSTREAM-FILTER-0000000001 (stores: [])
//!       --> KSTREAM-AGGREGATE-0000000002
//!       <-- KSTREAM-SOURCE-0000000000
//!     Processor: KSTREAM-AGGREGATE-0000000002 (stores: [user-5min-totals])
//!       --> KTABLE-TOSTREAM-0000000003
//!       <-- KSTREAM-FILTER-0000000001
//!     Processor: KTABLE-TOSTREAM-0000000003 (stores: [])
//!       --> KSTREAM-MAP-0000000004
//!       <-- KSTREAM-AGGREGATE-0000000002
//!     Processor: KSTREAM-MAP-0000000004 (stores: [])
//!       --> KSTREAM-SINK-0000000005
//!       <-- KTABLE-TOSTREAM-0000000003
//!     Sink: KSTREAM-SINK-0000000005 (topic: aggregated-transactions)
//!       <-- KSTREAM-MAP-0000000004
//!
//! ");
//!
//! // On a cluster where the input has 4 partitions: 4 tasks, and a changelog of 4 partitions.
//! let partitions = BTreeMap::from([("transactions-topic".to_owned(), 4)]);
//! let layout = plan.layout("transaction-aggregator-v1", &partitions, &InternalTopicSettings::default())?;
//! assert_eq!(layout.tasks.len(), 4);
//! let changelog = &layout.internal_topics[0];
//! assert_eq!(changelog.name, "transaction-aggregator-v1-user-5min-totals-changelog");
//! assert_eq!(changelog.partitions, 4);
//! assert_eq!(changelog.config["cleanup.policy"], "compact,delete");
//! assert_eq!(changelog.config["retention.ms"], "86400000");
//! # Ok::<(), millrace_topology::Error>(())
//! ```

mod builder;
mod describe;
mod error;
mod internal_topics;
mod naming;
mod plan;
#[cfg(test)]
mod tests;

pub use builder::{AggregateSpec, Builder, Repartition, RepartitionSpec, SinkSpec, SourceSpec, Stream, Table};
pub use error::{Error, NameFault};
pub use internal_topics::{
    InternalTopic, InternalTopicRole, InternalTopicSettings, Layout, Task, changelog_config, repartition_config,
};
pub use naming::{
    CHANGELOG_SUFFIX, MAX_NAME_LENGTH, REPARTITION_SUFFIX, changelog_topic, check_name, repartition_topic,
    validate_name,
};
pub use plan::*;
