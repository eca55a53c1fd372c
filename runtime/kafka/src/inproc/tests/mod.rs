//! Scripts of the in-process log: those that every log must pass, and its own.

use std::time::Duration;

use super::{Cluster, ClusterOptions, MarkerPolicy};
use crate::conformance::{Rig, SCRIPTS};

/// Every script of the conformance suite, under each way of the cluster to be late.
#[test]
fn conformance() {
    let default = ClusterOptions::default;
    let variants = [
        ("prompt", default()),
        (
            "shuffled",
            ClusterOptions {
                shuffle_sends: true,
                seed: 7,
                ..default()
            },
        ),
        (
            "late",
            ClusterOptions {
                markers: MarkerPolicy::Delayed(Duration::from_millis(20)),
                seed: 8,
                ..default()
            },
        ),
        (
            "late by steps",
            ClusterOptions {
                markers: MarkerPolicy::Steps(5),
                seed: 9,
                ..default()
            },
        ),
    ];
    for (variant, options) in variants {
        for (name, script) in SCRIPTS.iter().copied().flatten() {
            eprintln!("{variant}: {name}");
            script(&Rig::new(
                Cluster::new(options.clone()).client("rig").shared_log(),
                "inproc",
            ));
        }
    }
}
