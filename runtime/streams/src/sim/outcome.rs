//! What a history leaves: topics, offsets, state.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use millrace_kafka::assignor::TaskId;
use millrace_kafka::inproc::Cluster;
use millrace_kafka::log::Isolation;
use millrace_state::{MemoryVolume, Position, StateVolume as _, StoreConfig, StoreIndex, StoreKind};

use super::history::History;
use super::run::APPLICATION_ID;
use crate::layout::Layout;
use crate::task::OffsetMetadata;

/// The updates of a key: value and timestamp.
pub(super) type Updates = Vec<(Option<Bytes>, i64)>;
/// The committed records of a topic, by partition and key, in order.
pub(super) type Topic = BTreeMap<(i32, Option<Bytes>), Updates>;

/// A record of a changelog.
pub(super) struct Logged {
    offset: i64,
    key: Bytes,
    value: Option<Bytes>,
    time: i64,
}

/// A store as a volume holds it.
pub(super) struct StoredState {
    pub task: TaskId,
    pub config: StoreConfig,
    pub changelog: String,
    pub disk: usize,
    pub position: Option<Position>,
    pub stream_time: Option<i64>,
    /// Rows without their timestamps: those are the changelog's.
    pub rows: BTreeMap<Bytes, (i64, Bytes)>,
}

/// All of it.
pub(super) struct Outcome {
    pub outputs: BTreeMap<String, Topic>,
    pub changelogs: BTreeMap<String, Topic>,
    /// By topic and partition.
    pub logged: BTreeMap<(String, i32), Vec<Logged>>,
    /// Committed offset and partition time of each input partition.
    pub offsets: BTreeMap<(String, i32), (i64, i64)>,
    /// Committed stream times, by partition and store.
    pub stream_times: BTreeMap<(i32, String), i64>,
    pub stores: Vec<StoredState>,
}

impl Outcome {
    pub(super) fn take(
        cluster: &Cluster,
        layout: &Layout,
        history: &History,
        disks: &[MemoryVolume],
    ) -> Result<Self, String> {
        let mut outcome = Self {
            outputs: BTreeMap::new(),
            changelogs: BTreeMap::new(),
            logged: BTreeMap::new(),
            offsets: BTreeMap::new(),
            stream_times: BTreeMap::new(),
            stores: Vec::new(),
        };
        for branch in &history.app.branches {
            outcome
                .outputs
                .insert(branch.output().to_owned(), topic(cluster, branch.output()));
        }
        let dead_letters = format!("{APPLICATION_ID}-dead-letter");
        let letters = topic(cluster, &dead_letters);
        outcome.outputs.insert(dead_letters, letters);
        outcome.take_offsets(cluster, history);
        outcome.take_stores(cluster, layout, history, disks)?;
        Ok(outcome)
    }

    fn take_offsets(&mut self, cluster: &Cluster, history: &History) {
        for name in history.app.inputs() {
            for partition in 0..history.app.partitions {
                let Some(committed) = cluster.committed(APPLICATION_ID, name, partition) else {
                    continue;
                };
                let metadata = OffsetMetadata::decode(&committed.metadata);
                let at = ((*name).to_owned(), partition);
                self.offsets.insert(at, (committed.offset, metadata.partition_time));
                for (store, time) in metadata.processors {
                    let known = self.stream_times.entry((partition, store)).or_insert(time);
                    *known = time.max(*known);
                }
            }
        }
    }

    fn take_stores(
        &mut self,
        cluster: &Cluster,
        layout: &Layout,
        history: &History,
        disks: &[MemoryVolume],
    ) -> Result<(), String> {
        for (number, part) in layout.parts.iter().filter(|(_, part)| !part.stores.is_empty()) {
            let configs: Vec<StoreConfig> = part.stores.iter().map(|store| store.config.clone()).collect();
            for changelog in part.stores.iter().filter_map(|store| store.changelog.as_deref()) {
                self.changelogs.insert(changelog.to_owned(), topic(cluster, changelog));
                for partition in 0..history.app.partitions {
                    let records = cluster
                        .dump(changelog, partition, Isolation::ReadCommitted)
                        .unwrap_or_default();
                    let records = records.into_iter().map(|record| Logged {
                        offset: record.offset,
                        key: record.key.unwrap_or_default(),
                        value: record.value,
                        time: record.timestamp,
                    });
                    self.logged.insert((changelog.to_owned(), partition), records.collect());
                }
            }
            for partition in 0..history.app.partitions {
                let task = TaskId::new(*number, partition);
                let dir = layout.task_dir(Path::new("/nowhere"), task);
                for (disk, volume) in disks.iter().enumerate().filter(|(_, volume)| volume.exists(&dir)) {
                    let db = volume.open(&dir, &configs).map_err(|error| error.to_string())?;
                    for (index, store) in part.stores.iter().enumerate() {
                        let at = StoreIndex(index as u16);
                        let mut rows = BTreeMap::new();
                        let mut scan = db.all(at).map_err(|error| error.to_string())?;
                        while scan.advance().map_err(|error| error.to_string())? {
                            let (time, value) = scan.value().split_at(8);
                            let time = i64::from_be_bytes(time.try_into().expect("8 bytes"));
                            let key = Bytes::copy_from_slice(scan.key());
                            rows.insert(key, (time, Bytes::copy_from_slice(value)));
                        }
                        drop(scan);
                        self.stores.push(StoredState {
                            task,
                            config: store.config.clone(),
                            changelog: store.changelog.as_deref().unwrap_or_default().to_owned(),
                            disk,
                            position: db.position(at).cloned(),
                            stream_time: db.stream_time(at),
                            rows,
                        });
                    }
                    db.close().map_err(|error| error.to_string())?;
                }
            }
        }
        Ok(())
    }
}

impl StoredState {
    /// What the changelog says that the store holds, of records before `end`; windows that may have expired are left out.
    pub(super) fn fold(&self, logged: &[Logged], end: i64) -> BTreeMap<Bytes, (i64, Bytes)> {
        let mut rows = BTreeMap::new();
        for record in logged.iter().filter(|record| record.offset < end) {
            match &record.value {
                Some(value) => rows.insert(record.key.clone(), (record.time, value.clone())),
                None => rows.remove(&record.key),
            };
        }
        rows.retain(|key, _| self.is_live(key));
        rows
    }

    /// The rows, but for windows that may have expired.
    pub(super) fn live_rows(&self) -> BTreeMap<Bytes, (i64, Bytes)> {
        let rows = self.rows.iter().filter(|(key, _)| self.is_live(key));
        rows.map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    fn is_live(&self, key: &[u8]) -> bool {
        match self.config.kind {
            StoreKind::KeyValue => true,
            StoreKind::Window { .. } => {
                let start = key.len() - 12;
                let start = i64::from_be_bytes(key[start..start + 8].try_into().expect("8 bytes"));
                start >= self.config.kind.first_visible_start(self.stream_time.unwrap_or(0))
            }
        }
    }
}

fn topic(cluster: &Cluster, name: &str) -> Topic {
    let mut topic = Topic::new();
    for partition in 0.. {
        let Ok(records) = cluster.dump(name, partition, Isolation::ReadCommitted) else {
            break;
        };
        for record in records {
            let updates = topic.entry((partition, record.key)).or_default();
            updates.push((record.value, record.timestamp));
        }
    }
    topic
}
