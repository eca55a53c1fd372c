//! The language's aggregates under the engine's trait.
//!
//! Record path: see [`super`]; one new state a record.

use std::borrow::Cow;
use std::sync::Arc;

use millrace::node::Aggregator;
use millrace::{BoxError, Record, RecordContext};
use millrace_language::aggregate::Aggregate;
use millrace_language::value::Value;

use super::env::with_env;

pub(super) struct Aggregation(pub Arc<Aggregate>);

impl Aggregator<Value, Value, Value, Value> for Aggregation {
    fn initial(&self) -> Value {
        self.0.initial()
    }

    fn add(
        &self,
        record: Record<'_, Value, Value>,
        context: &RecordContext<'_>,
        state: Value,
    ) -> Result<Option<Value>, BoxError> {
        Ok(Some(with_env(&record, context, |env| self.0.add(env, &state))?))
    }

    fn view<'a>(&self, state: &'a Value) -> Result<Cow<'a, Value>, BoxError> {
        // Averages alone differ; cloning a value shares it.
        Ok(Cow::Owned(self.0.result(state)))
    }
}
