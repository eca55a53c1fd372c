//! Aggregations made of two closures.
//!
//! Record path: the closures are called in place.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::node::Aggregator;
use crate::{BoxError, Record, RecordContext};

/// Starts with `initial`, and adds with `add`; what is stored goes downstream.
struct Fold<I, F, A> {
    initial: I,
    add: F,
    stored: PhantomData<fn() -> A>,
}

impl<K, V, A, I, F> Aggregator<K, V, A, A> for Fold<I, F, A>
where
    A: Clone + 'static,
    I: Fn() -> A + Send + Sync + 'static,
    F: Fn(&K, Option<&V>, A) -> Result<Option<A>, BoxError> + Send + Sync + 'static,
{
    fn initial(&self) -> A {
        (self.initial)()
    }

    #[inline]
    fn add(&self, record: Record<'_, K, V>, _: &RecordContext<'_>, aggregate: A) -> Result<Option<A>, BoxError> {
        match record.key {
            Some(key) => (self.add)(key, record.value, aggregate),
            // The node drops records without key before they get here.
            None => Ok(Some(aggregate)),
        }
    }

    fn view<'a>(&self, aggregate: &'a A) -> Result<Cow<'a, A>, BoxError> {
        Ok(Cow::Borrowed(aggregate))
    }
}

pub(super) fn fold<K: 'static, V: 'static, A: Clone + 'static>(
    initial: impl Fn() -> A + Send + Sync + 'static,
    add: impl Fn(&K, Option<&V>, A) -> Result<Option<A>, BoxError> + Send + Sync + 'static,
) -> Arc<dyn Aggregator<K, V, A, A>> {
    Arc::new(Fold {
        initial,
        add,
        stored: PhantomData,
    })
}
