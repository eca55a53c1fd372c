//! Random applications with random input, for comparing Millrace with Kafka Streams.
//!
//! A [`Case`] is an application as a tree, and its input. From the tree follow the manifest that Millrace compiles ([`app`]), and the
//! calls of Kafka Streams' DSL that mean the same ([`script`]), which [`interpreter`] has run in Java. [`outcome`] compares what came of both, and
//! [`shrink`] cuts a case in which they differ down to what matters.

pub mod app;
pub mod expression;
mod grow;
pub mod interpreter;
pub mod outcome;
pub mod random;
pub mod records;
pub mod script;
pub mod shrink;

use rand::SeedableRng;
use rand::rngs::StdRng;

use app::App;
use records::Given;

/// An application and its input.
#[derive(Clone, Debug)]
pub struct Case {
    pub app: App,
    pub records: Vec<Given>,
}

impl Case {
    /// The case of a seed: the same for the same profile.
    pub fn random(seed: u64, profile: random::Profile, id: &str, records: usize) -> Case {
        let mut random = StdRng::seed_from_u64(seed);
        let app = random::app(&mut random, profile, id);
        let records = records::records(&mut random, &app, records);
        Case { app, records }
    }

    /// Manifest and input, for people.
    pub fn show(&self) -> String {
        let mut text = self.app.manifest("kafka:9092", &[]);
        for (at, record) in self.records.iter().enumerate() {
            text.push_str(&format!("{at:4}: {record}\n"));
        }
        text
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (key, value) = (
            outcome::bytes(self.key.as_deref()),
            outcome::bytes(self.value.as_deref()),
        );
        write!(f, "{} {key} {value} @{}", self.topic, self.timestamp)?;
        self.headers
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name}={}", outcome::bytes(value.as_deref())))
    }
}
