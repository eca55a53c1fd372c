//! Removes the state of tasks that left this process long ago (`state.cleanup.delay.ms`).

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use millrace_kafka::assignor::TaskId;
use millrace_state::StateVolume;

/// Drops the directories of tasks that are not `kept` and were not touched for `delay`. What goes wrong is a warning: the next round tries again.
pub(crate) fn drop_old_state(
    volume: &dyn StateVolume,
    application_dir: &Path,
    kept: &BTreeSet<TaskId>,
    delay: Duration,
) {
    // A volume in memory has no directory.
    let Ok(entries) = std::fs::read_dir(application_dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(task) = name.to_str().and_then(parse) else {
            continue;
        };
        let touched = entry.metadata().and_then(|metadata| metadata.modified());
        let old = touched.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age >= delay));
        if kept.contains(&task) || !old {
            continue;
        }
        match volume.destroy(&entry.path()) {
            Ok(()) => {
                tracing::info!(task = %task, "state dropped: the task runs elsewhere for longer than state.cleanup.delay.ms")
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
    use millrace_state::MemoryVolume;

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
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("0_0")).unwrap();
        drop_old_state(
            &MemoryVolume::new(1),
            dir.path(),
            &BTreeSet::new(),
            Duration::from_secs(600),
        );
        assert!(dir.path().join("0_0").exists(), "it is young");
    }
}
