//! What happens to a record that cannot be read, processed or written: fail, continue, or dead-letter.
//!
//! Dead letters carry Kafka's headers (KIP-1034, `ExceptionHandlerUtils`): the source record's bytes, timestamp and headers, then
//! `__streams.errors.{exception,message,stacktrace,topic,partition,offset}`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use millrace_kafka::log::Header;
use millrace_topology::{NodeId, OnError};

use super::collector::{Collector, OutputTopic};
use crate::metrics::TaskMetrics;
use crate::{BoxError, Code, Error, RecordContext, Result};

/// Where in the graph an error arose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorSite {
    pub node: NodeId,
}

/// The handlers in force.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    /// Node names, by id.
    pub names: Vec<String>,
    /// Processing policy of nodes that set one.
    pub processing: BTreeMap<NodeId, OnError>,
    /// For all others.
    pub default_processing: OnError,
    pub production: OnError,
    /// Where dead letters go.
    pub dead_letters: Option<OutputTopic>,
    /// Whether `errors.dead.letter.queue.topic.name` was set by hand: then every handler writes there, as in Java.
    pub always_dead_letter: bool,
}

enum Kind {
    Deserialization,
    Processing,
    Production,
}

impl Kind {
    fn exception(&self) -> &'static str {
        match self {
            Self::Deserialization => "dev.millrace.DeserializationError",
            Self::Processing => "dev.millrace.ProcessingError",
            Self::Production => "dev.millrace.ProductionError",
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Deserialization => Code::R001,
            Self::Processing => Code::R002,
            Self::Production => Code::R003,
        }
    }
}

impl Policies {
    /// The name of a node.
    pub(crate) fn name(&self, node: NodeId) -> &str {
        &self.names[node.0 as usize]
    }

    #[allow(clippy::too_many_arguments)] // all of it is context of the record
    pub(crate) fn unreadable(
        &self,
        site: ErrorSite,
        on_error: OnError,
        error: &BoxError,
        record: &RecordContext<'_>,
        raw: (Option<&Bytes>, Option<&Bytes>),
        collector: &mut Collector,
        metrics: &TaskMetrics,
    ) -> Result<()> {
        let record = RecordContext {
            raw_key: raw.0,
            raw_value: raw.1,
            ..*record
        };
        let message = format!("the record cannot be read at {}: {error}", self.name(site.node));
        self.handle(
            &Kind::Deserialization,
            on_error,
            &message,
            &chain(error),
            &record,
            collector,
            metrics,
        )
    }

    pub(crate) fn processing_failed(
        &self,
        node: NodeId,
        error: &BoxError,
        record: &RecordContext<'_>,
        collector: &mut Collector,
        metrics: &TaskMetrics,
    ) -> Result<()> {
        let on_error = self.processing.get(&node).copied().unwrap_or(self.default_processing);
        let message = format!("the record cannot be processed at {}: {error}", self.name(node));
        self.handle(
            &Kind::Processing,
            on_error,
            &message,
            &chain(error),
            record,
            collector,
            metrics,
        )
    }

    pub(crate) fn production_failed(
        &self,
        node: NodeId,
        topic: &str,
        error: &str,
        record: &RecordContext<'_>,
        collector: &mut Collector,
        metrics: &TaskMetrics,
    ) -> Result<()> {
        let message = format!(
            "what came of the record cannot be written to topic {topic} at {}: {error}",
            self.name(node)
        );
        self.handle(
            &Kind::Production,
            self.production,
            &message,
            error,
            record,
            collector,
            metrics,
        )
    }

    #[allow(clippy::too_many_arguments)] // all of it is context of the record
    fn handle(
        &self,
        kind: &Kind,
        on_error: OnError,
        message: &str,
        chain: &str,
        record: &RecordContext<'_>,
        collector: &mut Collector,
        metrics: &TaskMetrics,
    ) -> Result<()> {
        let place = format!(
            "topic {}, partition {}, offset {}",
            record.topic, record.partition, record.offset
        );
        if on_error == OnError::DeadLetter || self.always_dead_letter {
            let Some(topic) = self.dead_letters else {
                return Err(Error::new(
                    Code::T007,
                    format!("{place}: {message}; and there is no dead-letter topic to put it in"),
                ));
            };
            let written = self.dead_letter(topic, kind, message, chain, record, collector);
            written.map_err(|error| {
                let why = format!("{place}: {message}; and its dead letter cannot be written: {}", error.message());
                let limit = "for records larger than 1 MiB raise producer.max.request.size, and max.message.bytes of the dead-letter topic";
                Error::new(error.code(), format!("{why}; {limit}")).recover_by(error.recovery().clone())
            })?;
            metrics.dead_letters.add(1);
        }
        if on_error == OnError::Fail {
            return Err(Error::new(
                kind.code(),
                format!(
                    "{place}: {message}. Mend the producer or the expression, or let such records pass: onError: continue or deadLetter"
                ),
            ));
        }
        metrics.dropped.add(1);
        tracing::warn!(
            topic = record.topic,
            partition = record.partition,
            offset = record.offset,
            "{message}"
        );
        Ok(())
    }

    fn dead_letter(
        &self,
        topic: OutputTopic,
        kind: &Kind,
        message: &str,
        chain: &str,
        record: &RecordContext<'_>,
        collector: &mut Collector,
    ) -> Result<()> {
        let mut headers = record.headers.to_vec();
        let mut add = |name: &str, value: String| {
            headers.push(Header {
                name: name.to_owned(),
                value: Some(Bytes::from(value)),
            })
        };
        add("__streams.errors.exception", kind.exception().to_owned());
        add("__streams.errors.message", message.to_owned());
        add(
            "__streams.errors.stacktrace",
            format!("{}: {message}\n{chain}", kind.exception()),
        );
        add("__streams.errors.topic", record.topic.to_owned());
        add("__streams.errors.partition", record.partition.to_string());
        add("__streams.errors.offset", record.offset.to_string());
        let key = record.raw_key.map(AsRef::as_ref);
        let partition = collector.partition(topic, key, record.partition);
        let value = record.raw_value.map(AsRef::as_ref);
        collector.send(topic, partition, key, value, record.timestamp.max(0), &headers)?;
        Ok(())
    }
}

fn chain(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, "\ncaused by: {cause}");
        source = cause.source();
    }
    text
}
