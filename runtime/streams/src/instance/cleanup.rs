//! Removes the state of tasks that left this process long ago (`state.cleanup.delay.ms`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use millrace_kafka::assignor::TaskId;
use millrace_state::StateVolume;

/// Drops the directories of tasks that have not been `kept` for `delay`: `unowned` notes since when (monotonic). What goes wrong is a warning: the
/// next round tries again.
pub(crate) fn drop_old_state(
    volume: &dyn StateVolume,
    application_dir: &Path,
    kept: &BTreeSet<TaskId>,
    unowned: &mut BTreeMap<TaskId, Duration>,
    now: Duration,
    delay: Duration,
) {
    // A volume in memory has no directory.
    let Ok(entries) = std::fs::read_dir(application_dir) else {
        return;
    };
    unowned.retain(|task, _| !kept.contains(task));
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(task) = name.to_str().and_then(parse).filter(|task| !kept.contains(task)) else {
            continue;
        };
        let since = *unowned.entry(task).or_insert(now);
        if now.saturating_sub(since) < delay {
            continue;
        }
        match volume.destroy(&entry.path()) {
            Ok(()) => {
                unowned.remove(&task);
                tracing::info!(task = %task, "state dropped: the task runs elsewhere for longer than state.cleanup.delay.ms");
            }
            Err(error) => tracing::warn!(task = %task, %error, "old state could not be dropped"),
        }
    }
}

fn parse(name: &str) -> Option<TaskId> {
    let (subtopology, partition) = name.split_once('_')?;
    Some(TaskId::new(subtopology.parse().ok()?, partition.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_task_directories_are_looked_at() {
        for (name, task) in [
            ("0_3", Some(TaskId::new(0, 3))),
            ("0_3.damaged", None),
            ("millrace-process", None),
            ("x_1", None),
        ] {
            assert_eq!(parse(name), task, "{name}");
        }
    }

    #[test]
    fn state_goes_when_its_task_was_away_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let environment = millrace_state::Environment::new(millrace_state::EnvironmentConfig::default()).unwrap();
        let stores = [millrace_state::StoreConfig::key_value("s")];
        for task in ["0_0", "0_1"] {
            environment
                .open(&dir.path().join(task), &stores)
                .unwrap()
                .close()
                .unwrap();
        }
        let (kept, delay) = (BTreeSet::from([TaskId::new(0, 1)]), Duration::from_secs(600));
        let mut unowned = BTreeMap::new();
        let mut at = |seconds: u64| {
            drop_old_state(
                &environment,
                dir.path(),
                &kept,
                &mut unowned,
                Duration::from_secs(seconds),
                delay,
            );
            (dir.path().join("0_0").exists(), dir.path().join("0_1").exists())
        };
        assert_eq!(
            (at(1_000), at(1_599), at(1_600)),
            ((true, true), (true, true), (false, true))
        );
    }
}
