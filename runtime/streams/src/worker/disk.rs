//! What a worker does about its disk: damaged state is set aside and restored, a full disk is waited for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use millrace_kafka::assignor::TaskId;

use super::Worker;
use crate::{Code, Error, Result};

/// One task's state may be damaged so often ...
const DAMAGES: usize = 3;
/// ... within this: then it is no accident.
const WITHIN: Duration = Duration::from_secs(600);

/// What a worker knows of its disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    is_full: bool,
    /// When each task's state was set aside.
    damages: BTreeMap<TaskId, Vec<Duration>>,
}

impl Disk {
    /// Notes a damage; false if there have been too many lately.
    fn bears(&mut self, task: TaskId, now: Duration) -> bool {
        let damages = self.damages.entry(task).or_default();
        damages.retain(|at| now.saturating_sub(*at) < WITHIN);
        damages.push(now);
        damages.len() <= DAMAGES
    }
}

impl Worker {
    /// Lets go of the state in `dir` without a flush; the task that it is of, if that is one of ours.
    pub(super) fn abandon(&mut self, dir: &Path) -> Option<TaskId> {
        let shared = &self.shared;
        let is_it = |id: &TaskId| shared.layout.task_dir(&shared.state_dir, *id) == dir;
        let id = self.all_tasks().into_iter().find(is_it)?;
        if let Some(opening) = self.opening.get_mut(&id) {
            opening.db = None;
        }
        if let Some(task) = self.running.get_mut(&id) {
            task.abandon_state();
        }
        Some(id)
    }

    /// Moves a closed task's damaged state out of the way. It is restored from its changelogs when it is opened next.
    pub(super) fn set_aside(&mut self, id: TaskId, error: &Error) -> Result<()> {
        if !self.disk.bears(id, self.shared.clock.monotonic()) {
            return Err(Error::new(
                Code::S002,
                format!(
                    "{}; it was set aside and restored {DAMAGES} times within {} minutes: do not trust this disk, or this machine's memory",
                    error.message(),
                    WITHIN.as_secs() / 60
                ),
            ));
        }
        let dir = self.shared.layout.task_dir(&self.shared.state_dir, id);
        let aside = self.shared.volume.set_aside(&dir)?;
        tracing::warn!(
            target: "millrace::event",
            event = "set_aside",
            task = %id,
            aside = %aside.display(),
            %error,
            "damaged state is set aside; the task is restored from its changelogs"
        );
        Ok(())
    }

    /// Says that tasks with state wait until there is room.
    pub(super) fn note_full_disk(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.disk.is_full, true) {
            tracing::error!(
                target: "millrace::event",
                event = "disk_full",
                code = %error.code(),
                %error,
                "tasks with state pause until there is room; free or grow the volume, nothing is lost"
            );
        }
    }

    /// Whether tasks with state may be opened.
    pub(super) fn has_room(&mut self) -> bool {
        let shared = &self.shared;
        let application_dir = shared.state_dir.join(&shared.layout.application_id);
        if self.disk.is_full && shared.volume.make_room(&application_dir) {
            self.disk.is_full = false;
            tracing::info!(target: "millrace::event", event = "disk_has_room", "the disk has room again: the tasks go on");
        }
        !self.disk.is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_again_and_again_is_no_accident() {
        let mut disk = Disk::default();
        let (task, other) = (TaskId::new(0, 0), TaskId::new(0, 1));
        let mut bears = |task, seconds| disk.bears(task, Duration::from_secs(seconds));
        assert_eq!([0, 10, 20].map(|at| bears(task, at)), [true; 3]);
        assert!(bears(other, 20));
        assert!(!bears(task, 30));
        assert!(bears(task, 1_000), "what was long ago counts no more");
    }
}
