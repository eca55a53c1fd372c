//! The typed DSL: Kafka Streams' names and shapes, in Rust.
//!
//! A [`StreamsBuilder`] gives streams and tables that carry their key's and value's types, so an edge between steps that do not fit does
//! not compile. Every call also adds its nodes to the plan, in Java's order and with Java's names, and registers its code; what the calls
//! find wrong is collected and comes out of [`StreamsBuilder::build`].
//!
//! Functions are plain closures. On a stream they see `Option<&K>` and `Option<&V>`, because Kafka's keys and values may be null; on a
//! table, and on the values of an aggregation over all time, nulls have been dealt with, and they see `&K` and `&V`. A closure that may
//! fail goes to the `try_` variant of its step: it returns the same in a `Result`, and `processing.exception.handler`, or the step's own
//! [`KStream::on_error`], decides about the record.
//!
//! ```
//! use std::time::Duration;
//! use millrace::dsl::{Consumed, Grouped, KStream, Materialized, Produced, StreamsBuilder, TimeWindows};
//! use millrace::serde::{JsonSerde, StringSerde};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Transaction {
//!     amount: f64,
//! }
//!
//! #[derive(Clone, Default, Serialize, Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Totals {
//!     total_amount: f64,
//!     count: i64,
//! }
//!
//! let mut builder = StreamsBuilder::new();
//! let transactions: KStream<String, Transaction> =
//!     builder.stream("transactions-topic", Consumed::with(StringSerde, JsonSerde));
//! transactions
//!     .filter(|_user, transaction| transaction.is_some_and(|transaction| transaction.amount > 0.0))
//!     .group_by_key(Grouped::with(StringSerde, JsonSerde))
//!     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(300)))
//!     .aggregate(
//!         Totals::default,
//!         |_user, transaction, mut totals| {
//!             totals.total_amount += transaction.map_or(0.0, |transaction| transaction.amount);
//!             totals.count += 1;
//!             totals
//!         },
//!         Materialized::named("user-5min-totals")
//!             .with_value_serde(JsonSerde)
//!             .with_changelog("retention.ms", "86400000"),
//!     )
//!     .to_stream()
//!     .map(|windowed, totals| (windowed.map(|windowed| windowed.key.clone()), totals.cloned()))
//!     .to("aggregated-transactions", Produced::with(StringSerde, JsonSerde));
//! let application = builder.build()?;
//!
//! assert!(application.plan().describe().contains("KSTREAM-AGGREGATE-0000000002 (stores: [user-5min-totals])"));
//! # Ok::<(), millrace::dsl::BuildError>(())
//! ```
//!
//! A step that does not fit does not compile; here the aggregate is written as if it were a transaction:
//!
//! ```compile_fail,E0277
//! use millrace::dsl::{Consumed, KStream, Produced, StreamsBuilder};
//! use millrace::serde::{LongSerde, StringSerde};
//!
//! let mut builder = StreamsBuilder::new();
//! let words: KStream<String, String> = builder.stream("words", Consumed::with(StringSerde, StringSerde));
//! words.to("copies", Produced::with(StringSerde, LongSerde));
//! ```

mod builder;
mod draft;
mod error;
mod fold;
mod grouped;
mod materialized;
mod options;
mod stream;
mod table;

pub use builder::{IntoTopics, StreamsBuilder};
pub use error::{BuildError, BuildFault};
pub use grouped::{KGroupedStream, TimeWindowedKStream};
pub use materialized::{Materialized, NoValueSerde};
pub use millrace_topology::{OnError, StartFrom};
pub use options::{Consumed, Grouped, Produced, Repartitioned, TimeWindows};
pub use stream::KStream;
pub use table::KTable;

pub use crate::Windowed;
