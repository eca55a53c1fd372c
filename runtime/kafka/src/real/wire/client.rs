//! Routing: which broker answers what, and asking again where asking again helps.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use rustc_hash::FxHashMap;

use super::timing::Timing;
use super::{Connection, Deadline, error_of};
use crate::real::security::Security;
use crate::{Error, ErrorKind, Result};

/// What all wire clients of one process share.
pub(crate) struct Settings {
    /// Where to begin: host and port.
    pub(crate) bootstrap: Vec<(String, u16)>,
    /// The client id, as brokers log it.
    pub(crate) client_id: String,
    /// How they are spoken to.
    pub(crate) security: Arc<Security>,
    /// How long is waited for them.
    pub(crate) timing: Timing,
}

impl Settings {
    fn addresses(&self) -> String {
        self.bootstrap
            .iter()
            .map(|(host, port)| format!("{host}:{port}"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// What FindCoordinator can look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoordinatorKind {
    Group = 0,
    Transaction = 1,
}

/// A client of the whole cluster, for one thread.
pub(crate) struct Client {
    settings: Arc<Settings>,
    brokers: FxHashMap<i32, (String, u16)>,
    connections: FxHashMap<i32, Connection>,
    /// To a bootstrap address, whose broker id is not known.
    first: Option<Connection>,
}

impl Client {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            brokers: FxHashMap::default(),
            connections: FxHashMap::default(),
            first: None,
        }
    }

    /// Repeats `attempt` while it fails retriably and time is left.
    pub(crate) fn retrying<T>(
        &mut self,
        deadline: Deadline,
        mut attempt: impl FnMut(&mut Self, Deadline) -> Result<T>,
    ) -> Result<T> {
        let Timing {
            attempt: at_most,
            backoff,
            ..
        } = self.settings.timing;
        loop {
            let error = match attempt(self, deadline.at_most(at_most)) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let again = matches!(error.kind(), ErrorKind::Retriable | ErrorKind::Unreachable);
            if !again || deadline.remaining() <= backoff {
                return Err(error);
            }
            tracing::debug!(%error, "asking Kafka again");
            std::thread::sleep(backoff);
        }
    }

    /// Asks any broker, once.
    pub(crate) fn ask_any<R: Request>(&mut self, request: &R, newest: i16, deadline: Deadline) -> Result<R::Response> {
        self.drop_outdated();
        if let Some(id) = self.connections.keys().next().copied() {
            return self.ask(id, request, newest, deadline);
        }
        let answer = match &mut self.first {
            Some(connection) => connection.call(request, newest, deadline),
            none => none
                .insert(reach_any(&self.settings, &self.brokers, deadline)?)
                .call(request, newest, deadline),
        };
        answer.inspect_err(|error| {
            if breaks_connection(error) {
                self.first = None;
            }
        })
    }

    /// Asks one broker, once.
    pub(crate) fn ask<R: Request>(
        &mut self,
        broker: i32,
        request: &R,
        newest: i16,
        deadline: Deadline,
    ) -> Result<R::Response> {
        let answer = self.connect(broker, deadline)?.call(request, newest, deadline);
        answer.inspect_err(|error| {
            if breaks_connection(error) {
                self.connections.remove(&broker);
            }
        })
    }

    /// Asks one broker, once; see [`Connection::call_raw`].
    pub(crate) fn ask_raw(
        &mut self,
        broker: i32,
        key: i16,
        version: i16,
        body: &[u8],
        deadline: Deadline,
    ) -> Result<Option<Bytes>> {
        let answer = self.connect(broker, deadline)?.call_raw(key, version, body, deadline);
        answer.inspect_err(|error| {
            if breaks_connection(error) {
                self.connections.remove(&broker);
            }
        })
    }

    /// The version of `R` that `broker` will be asked in.
    pub(crate) fn version<R: Request>(&mut self, broker: i32, newest: i16, deadline: Deadline) -> Result<i16> {
        self.connect(broker, deadline)?.version::<R>(newest)
    }

    /// A connection of its own to `broker`, for requests that wait long.
    pub(crate) fn open(&mut self, broker: i32, deadline: Deadline) -> Result<Connection> {
        let (host, port) = self.address(broker)?;
        let deadline = deadline.at_most(self.settings.timing.connect);
        Connection::open(&self.settings, &host, port, deadline).map_err(|error| match error.kind() {
            ErrorKind::Authentication | ErrorKind::Handshake => error.context(format_args!("broker {broker}")),
            _ => Error::new(ErrorKind::Retriable, format!("broker {broker}: {error}")),
        })
    }

    /// Connections that were made with older credentials are made anew: the broker may end them any time.
    fn drop_outdated(&mut self) {
        self.connections.retain(|_, connection| connection.is_current());
        self.first.take_if(|connection| !connection.is_current());
    }

    fn connect(&mut self, broker: i32, deadline: Deadline) -> Result<&mut Connection> {
        self.drop_outdated();
        if !self.connections.contains_key(&broker) {
            let connection = self.open(broker, deadline)?;
            self.connections.insert(broker, connection);
        }
        match self.connections.entry(broker) {
            Entry::Occupied(connection) => Ok(connection.into_mut()),
            Entry::Vacant(_) => Err(Error::new(ErrorKind::Fatal, "a connection vanished")),
        }
    }

    fn address(&self, broker: i32) -> Result<(String, u16)> {
        self.brokers.get(&broker).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Retriable,
                format!("broker {broker} is not in the cluster's metadata yet"),
            )
        })
    }

    /// The cluster's metadata with these topics (`None`: no topic), once. Never creates a topic.
    pub(crate) fn metadata(&mut self, topics: &[&str], deadline: Deadline) -> Result<MetadataResponse> {
        let topics = topics
            .iter()
            .map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))))
            .collect::<Vec<_>>();
        self.ask_for_metadata(Some(topics), deadline)
    }

    /// The cluster's metadata with every topic, once.
    pub(crate) fn all_topics(&mut self, deadline: Deadline) -> Result<MetadataResponse> {
        self.ask_for_metadata(None, deadline)
    }

    fn ask_for_metadata(
        &mut self,
        topics: Option<Vec<MetadataRequestTopic>>,
        deadline: Deadline,
    ) -> Result<MetadataResponse> {
        let request = MetadataRequest::default()
            .with_topics(topics)
            .with_allow_auto_topic_creation(false);
        let answer = self.ask_any(&request, 12, deadline)?;
        for broker in &answer.brokers {
            let address = (broker.host.to_string(), u16::try_from(broker.port).unwrap_or_default());
            let old = self.brokers.insert(broker.node_id.0, address.clone());
            if old.is_some_and(|old| old != address) {
                self.connections.remove(&broker.node_id.0);
            }
        }
        Ok(answer)
    }

    /// The leaders of all partitions of these topics, once; `UnknownTopic` if one of them does not exist.
    pub(crate) fn leaders(&mut self, topics: &[&str], deadline: Deadline) -> Result<FxHashMap<(String, i32), i32>> {
        let answer = self.metadata(topics, deadline)?;
        let mut leaders = FxHashMap::default();
        for topic in &answer.topics {
            let name = topic.name.as_ref().map_or("", |name| name.0.as_str());
            if topic.error_code != 0 {
                return Err(error_of(topic.error_code, format_args!("topic {name}"), None));
            }
            for partition in &topic.partitions {
                leaders.insert((name.to_owned(), partition.partition_index), partition.leader_id.0);
            }
        }
        Ok(leaders)
    }

    /// The broker that is the controller, or speaks for it, once.
    pub(crate) fn controller(&mut self, deadline: Deadline) -> Result<i32> {
        match self.metadata(&[], deadline)?.controller_id {
            BrokerId(-1) => Err(Error::new(
                ErrorKind::Retriable,
                "the cluster has no controller just now",
            )),
            BrokerId(id) => Ok(id),
        }
    }

    /// The broker that coordinates a group or a transactional id, once.
    pub(crate) fn coordinator(&mut self, kind: CoordinatorKind, key: &str, deadline: Deadline) -> Result<i32> {
        let what = match kind {
            CoordinatorKind::Group => format!("coordinator of group {key}"),
            CoordinatorKind::Transaction => format!("coordinator of transactional id {key}"),
        };
        let key = StrBytes::from_string(key.to_owned());
        // Version 3 asks for one key; all brokers from 2.4 to 4 know it.
        let request = FindCoordinatorRequest::default()
            .with_key(key)
            .with_key_type(kind as i8);
        let answer = self
            .ask_any(&request, 3, deadline)
            .map_err(|error| error.context(&what))?;
        if answer.error_code != 0 {
            return Err(error_of(answer.error_code, what, answer.error_message.as_deref()));
        }
        let id = answer.node_id.0;
        let address = (answer.host.to_string(), u16::try_from(answer.port).unwrap_or_default());
        if self
            .brokers
            .insert(id, address.clone())
            .is_some_and(|old| old != address)
        {
            self.connections.remove(&id);
        }
        Ok(id)
    }
}

/// A connection to any broker that answers: the known ones first, then the bootstrap addresses.
fn reach_any(
    settings: &Arc<Settings>,
    known: &FxHashMap<i32, (String, u16)>,
    deadline: Deadline,
) -> Result<Connection> {
    let candidates = known.values().chain(&settings.bootstrap);
    let mut failures: Vec<Error> = Vec::new();
    for (host, port) in candidates {
        match Connection::open(settings, host, *port, deadline.at_most(settings.timing.connect)) {
            Ok(connection) => return Ok(connection),
            Err(error) => failures.push(error),
        }
    }
    // One broker's verdict on who we are is all brokers' verdict.
    let refusal = failures
        .iter()
        .find(|error| matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Handshake));
    if let Some(refusal) = refusal {
        return Err(refusal.clone());
    }
    // Fatal if none of them can get better by waiting.
    let kind = if failures.iter().all(|error| error.kind() == ErrorKind::Config) {
        ErrorKind::Config
    } else if (failures.iter()).all(|error| matches!(error.kind(), ErrorKind::Config | ErrorKind::Fatal)) {
        ErrorKind::Fatal
    } else {
        ErrorKind::Unreachable
    };
    let mut texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    texts.dedup();
    let text = texts.join("; ");
    Err(Error::new(
        kind,
        format!("no Kafka broker answers at {}: {text}", settings.addresses()),
    ))
}

/// After these the stream's state is not known.
fn breaks_connection(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Retriable | ErrorKind::Fatal | ErrorKind::Authentication | ErrorKind::Handshake
    )
}

/// A topic's name as the wire has it.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
