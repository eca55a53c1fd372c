//! What the group protocol's errors mean for a member. Numbers as in Kafka's `Errors`.

use crate::log::GroupError;
use crate::{Error, ErrorKind};

pub(super) const ILLEGAL_GENERATION: i16 = 22;
pub(super) const UNKNOWN_MEMBER_ID: i16 = 25;
pub(super) const REBALANCE_IN_PROGRESS: i16 = 27;
/// Of a classic group, or because the group is none.
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
/// No classic group of this name: a join makes one unless the name is taken.
const GROUP_ID_NOT_FOUND: i16 = 69;

/// What to do about an error.
#[derive(Debug)]
pub(super) enum Meaning {
    /// The coordinator is loading, moving or away: the same again, later.
    Later,
    /// A rebalance is under way: join.
    Rebalance,
    /// Known, but of an older generation: this member's tasks are somebody else's by now.
    Outdated,
    /// Not known (any more): as above, and the member id is void.
    Unknown,
    /// The coordinator gave an id to come back with.
    ComeBackAs(String),
    /// Another process has this instance id.
    Fenced,
    /// Nothing that trying again would change.
    Fatal(Error),
}

/// Reads `error`, which answered a request to `group`.
pub(super) fn meaning(error: GroupError, group: &str) -> Meaning {
    let fatal = |kind, text: String| Meaning::Fatal(Error::new(kind, text));
    match error.code {
        // UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NETWORK_EXCEPTION, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE,
        // NOT_COORDINATOR, NOT_ENOUGH_REPLICAS and _AFTER_APPEND (of the offsets topic).
        -1 | 7 | 13 | 14 | 15 | 16 | 19 | 20 => Meaning::Later,
        REBALANCE_IN_PROGRESS => Meaning::Rebalance,
        ILLEGAL_GENERATION => Meaning::Outdated,
        UNKNOWN_MEMBER_ID => Meaning::Unknown,
        79 => Meaning::ComeBackAs(error.member_id.unwrap_or_default()),
        82 => Meaning::Fenced,
        INCONSISTENT_GROUP_PROTOCOL | GROUP_ID_NOT_FOUND => fatal(
            ErrorKind::ForeignGroup,
            format!("group `{group}` has live members of another kind"),
        ),
        24 => fatal(
            ErrorKind::Config,
            format!("the broker takes `{group}` for no valid group id: change application.id"),
        ),
        26 => fatal(
            ErrorKind::Config,
            format!(
                "group `{group}`: session.timeout.ms is outside what the broker allows (group.min.session.timeout.ms to \
                 group.max.session.timeout.ms)"
            ),
        ),
        30 => fatal(
            ErrorKind::Unauthorized,
            format!("not authorized for group `{group}`: the principal needs Read on this group"),
        ),
        81 => fatal(
            ErrorKind::Fatal,
            format!(
                "group `{group}` is full: the broker's group.max.size allows no more members. Run fewer replicas or raise it"
            ),
        ),
        35 => fatal(
            ErrorKind::Fatal,
            format!(
                "group `{group}`: the broker is too old for static members or for this version of the group protocol"
            ),
        ),
        code => fatal(
            ErrorKind::Fatal,
            format!("group `{group}`: the coordinator answered with error {code}"),
        ),
    }
}
