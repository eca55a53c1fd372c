//! What each of Kafka's error codes means to a caller.

use kafka_protocol::error::ResponseError;

use crate::{Error, ErrorKind};

/// The name that Kafka gives an error code, such as `NotLeaderOrFollower`.
pub(crate) fn name_of(code: i16) -> String {
    match ResponseError::try_from_code(code) {
        None => "NoError".to_owned(),
        Some(error) => error.to_string(),
    }
}

/// What the caller can do about a broker's error code.
pub(crate) fn kind_of(code: i16) -> ErrorKind {
    use ResponseError as R;
    let Some(error) = ResponseError::try_from_code(code) else {
        return ErrorKind::Fatal;
    };
    match error {
        R::OffsetOutOfRange => ErrorKind::OffsetOutOfRange,
        R::UnknownTopicOrPartition | R::UnknownTopicId => ErrorKind::UnknownTopic,
        R::TopicAlreadyExists => ErrorKind::TopicExists,
        R::MessageTooLarge | R::RecordListTooLarge | R::InvalidTimestamp | R::InvalidRecord => {
            ErrorKind::RecordRejected
        }
        R::TopicAuthorizationFailed
        | R::GroupAuthorizationFailed
        | R::ClusterAuthorizationFailed
        | R::TransactionalIdAuthorizationFailed
        | R::DelegationTokenAuthorizationFailed => ErrorKind::Unauthorized,
        R::SaslAuthenticationFailed | R::UnsupportedSaslMechanism | R::IllegalSaslState => ErrorKind::Authentication,
        // An OffsetCommit of a generation to a group that is gone (version 9 and later).
        R::GroupIdNotFound
        | R::IllegalGeneration
        | R::UnknownMemberId
        | R::RebalanceInProgress
        | R::MemberIdRequired
        | R::InconsistentGroupProtocol
        | R::StaleMemberEpoch
        | R::FencedMemberEpoch => ErrorKind::Rejoin,
        // Producer and coordinator no longer agree, after a time-out or the loss of a broker: a new producer does.
        R::InvalidTxnState
        | R::InvalidProducerIdMapping
        | R::UnknownProducerId
        | R::OutOfOrderSequenceNumber
        | R::TransactionAbortable => ErrorKind::Abortable,
        R::FencedInstanceId | R::InvalidProducerEpoch | R::ProducerFenced | R::TransactionCoordinatorFenced => {
            ErrorKind::Fenced
        }
        R::InvalidTopicException
        | R::InvalidPartitions
        | R::InvalidReplicationFactor
        | R::InvalidReplicaAssignment
        | R::InvalidConfig
        | R::PolicyViolation
        | R::InvalidTransactionTimeout
        | R::InvalidSessionTimeout
        | R::InvalidGroupId
        | R::OffsetMetadataTooLarge
        | R::InvalidRequiredAcks => ErrorKind::Config,
        other if other.is_retriable() => ErrorKind::Retriable,
        // Kafka calls these fatal or leaves them to the client; here they pass.
        R::CoordinatorNotAvailable
        | R::CoordinatorLoadInProgress
        | R::NotCoordinator
        | R::ConcurrentTransactions
        | R::UnstableOffsetCommit
        | R::NotController => ErrorKind::Retriable,
        _ => ErrorKind::Fatal,
    }
}

/// Whether the same request may succeed later, an unknown topic included: a broker's view of the topics lags behind the controller's.
pub(crate) fn is_retriable(code: i16) -> bool {
    kind_of(code) == ErrorKind::Retriable
}

/// The error for `code`, about `what`; `detail` is the broker's own text.
pub(crate) fn error_of(code: i16, what: impl std::fmt::Display, detail: Option<&str>) -> Error {
    let name = name_of(code);
    let text = match detail {
        Some(detail) if !detail.is_empty() => format!("{what}: {name} ({code}): {detail}"),
        _ => format!("{what}: {name} ({code})"),
    };
    Error::new(kind_of(code), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_kind_that_the_engine_acts_on() {
        let table = [
            (1, ErrorKind::OffsetOutOfRange),
            (3, ErrorKind::UnknownTopic),
            (5, ErrorKind::Retriable),
            (6, ErrorKind::Retriable),
            (10, ErrorKind::RecordRejected),
            (14, ErrorKind::Retriable),
            (15, ErrorKind::Retriable),
            (16, ErrorKind::Retriable),
            (22, ErrorKind::Rejoin),
            (25, ErrorKind::Rejoin),
            (27, ErrorKind::Rejoin),
            (29, ErrorKind::Unauthorized),
            (36, ErrorKind::TopicExists),
            (38, ErrorKind::Config),
            (41, ErrorKind::Retriable),
            (44, ErrorKind::Config),
            (45, ErrorKind::Abortable),
            (47, ErrorKind::Fenced),
            (48, ErrorKind::Abortable),
            (49, ErrorKind::Abortable),
            (51, ErrorKind::Retriable),
            (58, ErrorKind::Authentication),
            (69, ErrorKind::Rejoin),
            (82, ErrorKind::Fenced),
            (88, ErrorKind::Retriable),
            (59, ErrorKind::Abortable),
            (90, ErrorKind::Fenced),
            (120, ErrorKind::Abortable),
            (-1, ErrorKind::Fatal),
        ];
        for (code, kind) in table {
            assert_eq!(kind_of(code), kind, "{} ({code})", name_of(code));
        }
    }

    #[test]
    fn the_text_names_what_failed_and_the_brokers_reason() {
        let error = error_of(44, "create topic orders", Some("min.insync.replicas must be 2"));
        assert_eq!(
            error.to_string(),
            "create topic orders: PolicyViolation (44): min.insync.replicas must be 2"
        );
    }
}
