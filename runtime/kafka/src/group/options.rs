//! What a member is told once.

use std::time::Duration;

/// A member's settings.
#[derive(Clone, Debug)]
pub struct MemberOptions {
    /// The group: the application id.
    pub group: String,
    /// `group.instance.id`; a static member keeps its place in the group over a restart.
    pub instance_id: Option<String>,
    /// The instance id was used with another volume: the coordinator is to forget that member before this one joins.
    pub forget_instance: bool,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// How long the others wait for this member in a rebalance (Kafka Streams: `max.poll.interval.ms`).
    pub rebalance_timeout: Duration,
    /// One word for all members of the group; another word than Kafka's `consumer` keeps foreign members out.
    pub protocol_type: String,
    /// The name of the assignment protocol.
    pub protocol: String,
    /// How long [`crate::group::Member::leave`] waits for its answer.
    pub leave_timeout: Duration,
    /// `retry.backoff.ms`: the first wait after a failed request; doubles up to [`MemberOptions::retry_backoff_max`].
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// Seeds the jitter of the waits.
    pub seed: u64,
}

impl MemberOptions {
    /// Kafka's defaults for a member of this group.
    #[must_use]
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            instance_id: None,
            forget_instance: false,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_mins(5),
            protocol_type: "millrace".into(),
            protocol: "tasks".into(),
            leave_timeout: Duration::from_secs(3),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            seed: 0,
        }
    }
}
