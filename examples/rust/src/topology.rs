//! The application: from transactions to totals per user and five minutes.

use std::time::Duration;

use millrace::Application;
use millrace::dsl::{
    BuildError, Consumed, Grouped, KStream, Materialized, OnError, Produced, StreamsBuilder, TimeWindows,
};
use millrace::serde::{JsonSerde, StringSerde};
use serde::{Deserialize, Serialize};

/// What comes in: the value of a record of `transactions-topic`; the key is the user. Fields that are not named here are ignored.
#[derive(Deserialize, Serialize)]
pub struct Transaction {
    /// What was spent.
    pub amount: f64,
}

/// What goes out, and what is stored: `{"totalAmount":12.5,"count":2}`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// The sum of the window.
    pub total_amount: f64,
    /// How many transactions it is of.
    pub count: i64,
}

impl Totals {
    fn with(self, transaction: Option<&Transaction>) -> Self {
        Self {
            total_amount: self.total_amount + transaction.map_or(0.0, |transaction| transaction.amount),
            count: self.count + 1,
        }
    }
}

/// Puts the application together. Types are checked by the compiler; names and windows when it is built.
pub fn build() -> Result<Application, BuildError> {
    let mut builder = StreamsBuilder::new();

    // A record that is no transaction goes to the topic `<application.id>-dead-letter`, and the application goes on.
    let transactions: KStream<String, Transaction> = builder.stream(
        "transactions-topic",
        Consumed::with(StringSerde, JsonSerde).on_error(OnError::DeadLetter),
    );

    transactions
        // A record's value may be null in Kafka, so a function sees an `Option`.
        .filter(|_user, transaction| transaction.is_some_and(|transaction| transaction.amount > 0.0))
        // The key is the user already; grouping by anything else would go through a repartition topic.
        .group_by_key(Grouped::with(StringSerde, JsonSerde))
        .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(5 * 60)))
        .aggregate(
            Totals::default,
            |_user, transaction, totals| totals.with(transaction),
            // The store's name is the changelog's, `<application.id>-user-5min-totals-changelog`: give every store one.
            Materialized::named("user-5min-totals")
                .with_value_serde(JsonSerde)
                .with_changelog("retention.ms", "86400000")
                .with_changelog("segment.bytes", "104857600"),
        )
        .to_stream()
        // From (user, window) to the user. `map` would do, too, at the price of a copy.
        .unwindow_key()
        .to("aggregated-transactions", Produced::with(StringSerde, JsonSerde));

    builder.build()
}

#[cfg(test)]
mod tests {
    use millrace::driver::TestDriver;

    use super::*;

    /// Every application should have tests like this one: the whole engine on an in-process log, record by record.
    #[test]
    fn sums_up_and_sets_aside_what_is_no_transaction() -> Result<(), Box<dyn std::error::Error>> {
        let mut driver = TestDriver::new(build()?, [("processing.guarantee", "exactly_once_v2")])?;
        for (value, time) in [
            (r#"{"amount":5}"#, 0),
            (r#"{"amount":"five"}"#, 1_000),
            (r#"{"amount":-5}"#, 2_000),
            (r#"{"amount":7.5,"shop":"books"}"#, 299_999),
            (r#"{"amount":1}"#, 300_000),
        ] {
            driver.pipe("transactions-topic", Some(b"ada"), Some(value.as_bytes()), time)?;
        }
        let totals: Vec<String> = driver
            .read("aggregated-transactions")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            totals,
            [
                r#"ada {"totalAmount":5.0,"count":1} @0"#,
                r#"ada {"totalAmount":12.5,"count":2} @299999"#,
                r#"ada {"totalAmount":1.0,"count":1} @300000"#,
            ]
        );
        assert_eq!(
            driver.read("test-dead-letter")[0].to_string(),
            r#"ada {"amount":"five"} @1000"#
        );
        Ok(())
    }
}
