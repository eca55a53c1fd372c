//! How long our own client waits, by Java's names: librdkafka is told the same.

use std::time::Duration;

use crate::{Error, ErrorKind, Result};

/// Times of one process's wire clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// `request.timeout.ms`: an attempt at one broker waits no longer.
    pub(crate) attempt: Duration,
    /// `socket.connection.setup.timeout.ms`: a connection attempt waits no longer, so that a dead address does not eat the whole call.
    pub(crate) connect: Duration,
    /// `retry.backoff.ms`: a call waits so long between two attempts.
    pub(crate) backoff: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            backoff: Duration::from_millis(100),
        }
    }
}

/// Brokers are not asked more often than this, even with `retry.backoff.ms=0`.
const LEAST_BACKOFF: Duration = Duration::from_millis(10);

impl Timing {
    /// Of properties by Java's names; the last of a name counts.
    ///
    /// # Errors
    /// `Config` for a value that is no number of milliseconds.
    pub(crate) fn new(properties: &[(String, String)]) -> Result<Self> {
        let mut timing = Self::default();
        for (name, value) in properties {
            let field = match name.as_str() {
                "request.timeout.ms" => &mut timing.attempt,
                "socket.connection.setup.timeout.ms" => &mut timing.connect,
                "retry.backoff.ms" => &mut timing.backoff,
                _ => continue,
            };
            let millis = value.trim().parse().map_err(|_| {
                let text = format!("{name}: `{value}` is no number of milliseconds");
                Error::new(ErrorKind::Config, text)
            })?;
            *field = Duration::from_millis(millis);
        }
        timing.backoff = timing.backoff.max(LEAST_BACKOFF);
        Ok(timing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_javas() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            Timing::new(&pairs)
        };
        assert_eq!(of(&[("linger.ms", "soon")]).unwrap(), Timing::default());
        let all = [
            ("request.timeout.ms", "5000"),
            ("socket.connection.setup.timeout.ms", "700"),
            ("retry.backoff.ms", "0"),
            ("request.timeout.ms", "6000"),
        ];
        let due = Timing {
            attempt: Duration::from_secs(6),
            connect: Duration::from_millis(700),
            backoff: LEAST_BACKOFF,
        };
        assert_eq!(of(&all).unwrap(), due);
        let error = of(&[("retry.backoff.ms", "-1")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
