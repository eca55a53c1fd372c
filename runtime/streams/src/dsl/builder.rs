//! Where an application starts.

use std::cell::RefCell;
use std::rc::Rc;

use millrace_topology::Builder;

use super::draft::{Draft, SharedDraft, attempt};
use super::error::{BuildError, BuildFault};
use super::options::Consumed;
use super::stream::KStream;
use crate::Application;

/// Builds an [`Application`]: `org.apache.kafka.streams.StreamsBuilder`. See the [module's example](super).
#[derive(Default)]
pub struct StreamsBuilder {
    draft: SharedDraft,
}

impl StreamsBuilder {
    /// An empty application; stores and repartition topics may go unnamed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty application in which stores and repartition topics must be named (`ensure.explicit.internal.resource.naming`): an automatic
    /// name changes whenever a step is added before it, and the state is lost.
    #[must_use]
    pub fn with_explicit_names() -> Self {
        let builder = Builder::new().allow_automatic_names(false);
        Self {
            draft: Rc::new(RefCell::new(Draft::new(builder, false))),
        }
    }

    /// Reads a topic, or several of the same types (`"orders"`, `["orders", "returns"]`).
    ///
    /// A topic may be read again, and is then one source node, as in Java; the second read must ask for the same types, formats, start and
    /// error policy, and for the same timestamp extractor (a clone of the [`Consumed`]).
    pub fn stream<K: 'static, V: 'static>(
        &mut self,
        topics: impl IntoTopics,
        consumed: Consumed<K, V>,
    ) -> KStream<K, V> {
        let stream = attempt(&self.draft, |draft| draft.source(topics.into_topics(), consumed));
        KStream::new(&self.draft, stream)
    }

    /// The application. Streams and tables of this builder take no more steps after it (they panic).
    ///
    /// # Errors
    /// Everything that was wrong with any of the calls.
    pub fn build(self) -> Result<Application, BuildError> {
        let Draft {
            builder,
            nodes,
            processing,
            mut faults,
            ..
        } = self.draft.replace(Draft::new(Builder::new(), true));
        if faults.is_empty() {
            match builder.build() {
                Ok(plan) => return Ok(Application::new(plan, nodes, processing)),
                Err(error) => faults.push(BuildFault::Plan(error)),
            }
        }
        Err(BuildError { faults })
    }
}

/// One topic or several.
pub trait IntoTopics {
    /// Their names.
    fn into_topics(self) -> Vec<String>;
}

impl IntoTopics for &str {
    fn into_topics(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl IntoTopics for String {
    fn into_topics(self) -> Vec<String> {
        vec![self]
    }
}

impl IntoTopics for &String {
    fn into_topics(self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl<T: Into<String>, const N: usize> IntoTopics for [T; N] {
    fn into_topics(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<String>> IntoTopics for Vec<T> {
    fn into_topics(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}
