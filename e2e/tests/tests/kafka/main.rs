//! The tests on real Kafka: one executable, one shared broker, Kafka Streams as the oracle.
//!
//! Each test has topics and application ids of its own ([`millrace_e2e::unique`]), so that they run side by side.

mod disk;
mod equal_to_java;
mod fixtures;
mod foreign_group;
mod group;
mod kills;
mod left;
mod memory;
mod model;
mod outage;
mod poison;
mod repartition;
mod reset;
mod security;
mod start_errors;
mod survive_kill;
mod take_over;
mod topics_change;
mod zombie;
