//! Random histories of several transactional producers against a model that knows the end of every transaction.

use std::time::Duration;

use proptest::prelude::*;

use super::{NOW, bare_producer, consumer, poll, send, with_markers};
use crate::inproc::{Cluster, ClusterOptions, MarkerPolicy};
use crate::log::Isolation::{ReadCommitted, ReadUncommitted};
use crate::log::{Consumer, Producer};

const PRODUCERS: usize = 3;
const PARTITIONS: i32 = 2;

#[derive(Clone, Debug)]
enum Step {
    Send {
        producer: usize,
        partition: i32,
    },
    Flush {
        producer: usize,
    },
    Poll {
        producer: usize,
    },
    End {
        producer: usize,
        commit: bool,
    },
    /// The process dies; its successor takes the transactional id.
    Crash {
        producer: usize,
    },
    /// A record outside any transaction.
    Append {
        partition: i32,
    },
    Read,
    Compact,
    Pass {
        millis: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let producer = 0..PRODUCERS;
    let partition = 0..PARTITIONS;
    prop_oneof![
        8 => (producer.clone(), partition.clone()).prop_map(|(producer, partition)| Step::Send { producer, partition }),
        2 => producer.clone().prop_map(|producer| Step::Flush { producer }),
        2 => producer.clone().prop_map(|producer| Step::Poll { producer }),
        4 => (producer.clone(), any::<bool>()).prop_map(|(producer, commit)| Step::End { producer, commit }),
        1 => producer.prop_map(|producer| Step::Crash { producer }),
        1 => partition.prop_map(|partition| Step::Append { partition }),
        3 => Just(Step::Read),
        1 => Just(Step::Compact),
        1 => (0..4_u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

/// What the transactions come to.
#[derive(Default)]
struct Model {
    /// Per producer, what its open transaction has sent: partition and value.
    open: [Vec<(i32, String)>; PRODUCERS],
    is_open: [bool; PRODUCERS],
    committed: Vec<(i32, String)>,
    written: u32,
}

struct Run {
    cluster: Cluster,
    clock: std::sync::Arc<crate::clock::ManualClock>,
    producers: Vec<Box<dyn Producer>>,
    readers: Vec<(Box<dyn Consumer>, Vec<String>)>,
    model: Model,
}

impl Run {
    fn new(markers: MarkerPolicy, seed: u64) -> Self {
        let clock = with_markers(markers, 1).1;
        let options = ClusterOptions {
            clock: clock.clone(),
            markers,
            seed,
            shuffle_sends: true,
            ..ClusterOptions::default()
        };
        let cluster = Cluster::new(options);
        cluster.create_topic("t", PARTITIONS).unwrap();
        let client = cluster.client("reader");
        let readers = (0..PARTITIONS)
            .map(|p| (consumer(&client, ReadCommitted, p, 0), Vec::new()))
            .collect();
        let producers = (0..PRODUCERS).map(|index| successor(&cluster, index)).collect();
        Self {
            cluster,
            clock,
            producers,
            readers,
            model: Model::default(),
        }
    }

    fn begin(&mut self, producer: usize) {
        if !std::mem::replace(&mut self.model.is_open[producer], true) {
            self.producers[producer].begin().unwrap();
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Send { producer, partition } => {
                self.begin(producer);
                self.model.written += 1;
                let value = format!("{producer}.{}", self.model.written);
                send(self.producers[producer].as_mut(), partition, &value);
                self.model.open[producer].push((partition, value));
            }
            Step::Flush { producer } => self.producers[producer].flush(NOW).unwrap(),
            Step::Poll { producer } => self.producers[producer].poll().unwrap(),
            Step::End { producer, commit } => {
                self.begin(producer);
                let sent = std::mem::take(&mut self.model.open[producer]);
                self.model.is_open[producer] = false;
                if commit {
                    self.producers[producer].commit(NOW).unwrap();
                    self.model.committed.extend(sent);
                } else {
                    self.producers[producer].abort(NOW).unwrap();
                }
            }
            Step::Crash { producer } => {
                self.producers[producer] = successor(&self.cluster, producer);
                self.model.open[producer].clear();
                self.model.is_open[producer] = false;
            }
            Step::Append { partition } => {
                self.model.written += 1;
                let value = format!("plain.{}", self.model.written);
                let key = value.clone();
                self.cluster
                    .append("t", partition, Some(key.as_bytes()), Some(value.as_bytes()), 1, &[])
                    .unwrap();
                self.model.committed.push((partition, value));
            }
            Step::Read => self.read(),
            Step::Compact => self.cluster.compact("t").unwrap(),
            // Too short for a transaction to time out, which the model does not know.
            Step::Pass { millis } => self.clock.advance(Duration::from_millis(millis)),
        }
    }

    fn read(&mut self) {
        for (partition, (reader, seen)) in self.readers.iter_mut().enumerate() {
            seen.extend(values(&poll(reader.as_mut())));
            let stable = self.cluster.end_offset("t", partition as i32, ReadCommitted).unwrap();
            assert_eq!(
                reader.position(&crate::log::TopicPartition::new("t", partition as i32)),
                Some(stable)
            );
        }
    }
}

fn values(words: &str) -> Vec<String> {
    let records = words.split_whitespace().filter(|word| !word.starts_with("end@"));
    records
        .map(|word| word.split('@').next().unwrap_or_default().to_owned())
        .collect()
}

fn successor(cluster: &Cluster, index: usize) -> Box<dyn Producer> {
    let mut producer = bare_producer(&cluster.client("writer"), &format!("p{index}"));
    producer.init_transactions(NOW).unwrap();
    producer
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values
}

fn markers() -> impl Strategy<Value = MarkerPolicy> {
    prop_oneof![
        Just(MarkerPolicy::Immediate),
        Just(MarkerPolicy::Steps(12)),
        Just(MarkerPolicy::Delayed(Duration::from_millis(5))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A read-committed reader that follows along sees what was committed, all of it, once, each transaction's part in its order,
    /// and nothing else, whatever the markers, crashes and fences in between.
    #[test]
    fn read_committed_sees_what_was_committed(
        markers in markers(),
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        // Compaction may take what the follower has not read yet; see the next property.
        let steps: Vec<_> = steps.into_iter().filter(|step| !matches!(step, Step::Compact)).collect();
        let mut run = Run::new(markers, seed);
        for step in &steps {
            run.take(step);
            let seen: Vec<_> = run.readers.iter().flat_map(|(_, seen)| seen.clone()).collect();
            prop_assert!(seen.iter().all(|value| run.model.committed.iter().any(|(_, known)| known == value)), "{:?}", seen);
        }
        // What is open is left by its owners.
        for producer in 0..PRODUCERS {
            run.take(&Step::Crash { producer });
        }
        run.cluster.deliver_markers();
        run.read();
        for partition in 0..PARTITIONS {
            let seen = &run.readers[partition as usize].1;
            let of_partition = run.model.committed.iter().filter(|(at, _)| *at == partition);
            let expected: Vec<String> = of_partition.map(|(_, value)| value.clone()).collect();
            prop_assert_eq!(sorted(seen.clone()), sorted(expected.clone()), "partition {}", partition);
            for producer in 0..PRODUCERS {
                let own = |values: &[String]| -> Vec<String> {
                    values.iter().filter(|value| value.starts_with(&format!("{producer}."))).cloned().collect()
                };
                prop_assert_eq!(own(seen), own(&expected), "the order of producer {}", producer);
            }
            let ends = [ReadCommitted, ReadUncommitted].map(|i| run.cluster.end_offset("t", partition, i).unwrap());
            prop_assert_eq!(ends[0], ends[1], "nothing is open");
        }
    }

    /// Compaction at any time leaves exactly the last committed value of each key.
    #[test]
    fn compaction_leaves_the_last_committed_value(
        markers in markers(),
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut run = Run::new(markers, seed);
        for step in steps.iter().filter(|step| !matches!(step, Step::Read)) {
            run.take(step);
        }
        for producer in 0..PRODUCERS {
            run.take(&Step::Crash { producer });
        }
        run.cluster.deliver_markers();
        let dump = |partition| run.cluster.dump("t", partition, ReadCommitted).unwrap();
        let before: Vec<_> = (0..PARTITIONS).map(dump).collect();
        run.cluster.compact("t").unwrap();
        for (partition, before) in before.into_iter().enumerate() {
            let mut expected: Vec<_> = Vec::new();
            for record in &before {
                expected.retain(|known: &crate::inproc::StoredRecord| known.key != record.key);
                expected.push(record.clone());
            }
            for isolation in [ReadCommitted, ReadUncommitted] {
                prop_assert_eq!(&run.cluster.dump("t", partition as i32, isolation).unwrap(), &expected);
            }
        }
    }

    /// One seed, one history: the same steps leave the same records at the same offsets.
    #[test]
    fn a_seed_repeats_itself(
        markers in markers(),
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let [first, second] = [0, 1].map(|_| {
            let mut run = Run::new(markers, seed);
            steps.iter().for_each(|step| run.take(step));
            let dumps: Vec<_> = (0..PARTITIONS).map(|p| run.cluster.dump("t", p, ReadUncommitted).unwrap()).collect();
            let seen: Vec<_> = run.readers.into_iter().map(|(_, seen)| seen).collect();
            (dumps, seen, run.cluster.pending_markers(), run.cluster.open_transactions())
        });
        prop_assert_eq!(first, second);
    }
}
