//! What the tests on real Kafka stand on.
//!
//! * [`Broker`] is a real Kafka broker in a process of its own; [`JavaApp`] is Kafka Streams, [`Millrace`] is us: all three end with the test.
//! * [`data`] makes the input: skewed, late, broken and unicode, the same for one seed. [`feed`] writes it, [`read`] reads any topic back.
//! * [`generated`] makes random applications, and runs them in Kafka Streams by a generic interpreter.
//! * [`compare`] says whether two applications did the same, in the words of a reader who has to find the difference.
//!
//! `make setup` brings the Kafka jars and compiles the Java side; everything here fails with that advice if they are absent.

pub mod access;
pub mod admin;
mod broker;
pub mod cgroup;
pub mod compare;
pub mod data;
pub mod feed;
pub mod generated;
mod janitor;
mod java;
pub mod json;
pub mod manifest;
mod millrace;
pub mod murmur2;
pub mod paths;
pub mod pki;
mod process;
pub mod read;
mod secured;
pub mod soak;
pub mod tokens;
mod wire;

pub use broker::{Additions, Broker, unused_port};
pub use java::{JavaApp, JavaAppBuilder};
pub use millrace::{Event, Millrace, MillraceBuilder};
pub use process::{Exit, Process, wait_until};
pub use secured::{Listener, PLAIN_USERS, Secured};

/// A number that a longer search sets by environment, such as `MILLRACE_KILLS`; else the one of a short test.
///
/// # Panics
/// If the variable holds no number.
pub fn knob<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    match std::env::var(name) {
        Err(_) => otherwise,
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
    }
}

/// A name no other test has used: `what-<process id>-<counter>`, fit for topics, application ids and directories.
pub fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
