//! The `millrace` binary as an operator of it sees it: a manifest, a state directory, its log, its exit code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::manifest::Manifest;
use crate::process::{Exit, Process};
use crate::{janitor, paths};

/// What to run, and how. The state directory belongs to the builder's user: give the same one to run on the same state.
pub struct MillraceBuilder {
    manifest: Manifest,
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    state: Option<PathBuf>,
    /// A command that the program's own is an argument of.
    within: Vec<String>,
    disk: Option<u64>,
}

/// One line of the log, as `--log-format json` writes it; fields of all events together.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Event {
    #[serde(default)]
    pub event: String,
    /// `restored`: how many records of which changelog partition were applied, over which offsets.
    #[serde(default)]
    pub store: String,
    #[serde(default)]
    pub partition: i32,
    #[serde(default)]
    pub records: i64,
    #[serde(default)]
    pub from: i64,
    #[serde(default)]
    pub to: i64,
    /// `assigned`: the tasks that this process now runs, such as `0_1`.
    #[serde(default)]
    pub active: Vec<String>,
    /// `set_aside`, `running`: the task.
    #[serde(default)]
    pub task: String,
    /// `disk_full`: the error's code.
    #[serde(default)]
    pub code: String,
    /// `assigned`: the members of the group.
    #[serde(default)]
    pub members: u32,
}

/// A running or ended `millrace run`.
pub struct Millrace {
    pub process: Process,
    _dir: tempfile::TempDir,
    state: PathBuf,
}

impl MillraceBuilder {
    /// A further command-line argument.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// `--until-caught-up`: ends by itself when the input of the start is processed and committed.
    #[must_use]
    pub fn until_caught_up(self) -> Self {
        self.arg("--until-caught-up")
    }

    /// Runs on this state directory, which outlives it.
    #[must_use]
    pub fn state_dir(mut self, dir: &Path) -> Self {
        self.state = Some(dir.to_owned());
        self
    }

    /// Keeps the state on a file system of its own, of so many bytes: in memory, mounted where nobody else sees it, gone with the process.
    /// [`Millrace::disk`] is the way to it.
    #[must_use]
    pub fn on_own_disk(mut self, bytes: u64) -> Self {
        self.disk = Some(bytes);
        self
    }

    /// Runs the program by this command, whose last argument it is: a limit, say.
    #[must_use]
    pub fn within(mut self, command: &[&str]) -> Self {
        self.within = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// What failures call this process.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub fn start(self) -> Millrace {
        let dir = tempfile::Builder::new()
            .prefix("millrace-run-")
            .tempdir()
            .expect("a temporary directory");
        janitor::watch_directory(dir.path());
        let state = self.state.unwrap_or_else(|| dir.path().join("state"));
        let manifest = self.manifest.config("state.dir", state.display());
        let file = dir.path().join("app.yaml");
        std::fs::write(&file, manifest.yaml()).expect("write the manifest");
        let mut words = self.within;
        if let Some(bytes) = self.disk {
            std::fs::create_dir_all(&state).expect("a directory to mount on");
            words.extend(own_disk(&state, bytes));
        }
        words.push(paths::millrace_binary().display().to_string());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .arg("run")
            .arg(&file)
            .args(["--log-format", "json"])
            .args(&self.args);
        command.current_dir(dir.path()).envs(self.env);
        Millrace {
            process: Process::start(self.name, &mut command),
            _dir: dir,
            state,
        }
    }
}

impl Millrace {
    /// `millrace run` of this manifest.
    #[must_use]
    pub fn run(manifest: Manifest) -> MillraceBuilder {
        let name = format!("millrace {}", manifest.application_id());
        MillraceBuilder {
            manifest,
            name,
            args: Vec::new(),
            env: Vec::new(),
            state: None,
            within: Vec::new(),
            disk: None,
        }
    }

    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// The state directory of a process that runs [on a disk of its own](MillraceBuilder::on_own_disk), as seen from here.
    pub fn disk(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.pid()));
        root.join(self.state.strip_prefix("/").expect("an absolute path"))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If that takes longer, or the exit code is another.
    pub fn expect_exit(&mut self, code: i32, within: Duration) {
        let exit = self.process.wait(within);
        assert_eq!(exit, Exit::Code(code), "{}", self.process.name());
    }

    /// SIGTERM, and an orderly end.
    ///
    /// # Panics
    /// If it does not end with 0 in 30 s.
    pub fn stop(&mut self) {
        self.process.terminate();
        self.expect_exit(0, Duration::from_secs(30));
    }

    /// The events of one name, so far.
    pub fn events(&self, name: &str) -> Vec<Event> {
        let log = self.process.stderr();
        log.lines()
            .filter_map(event)
            .filter(|event| event.event == name)
            .collect()
    }

    /// The first event of this name that the test accepts, waited for.
    ///
    /// # Panics
    /// If none comes in time, or it ends without it.
    pub fn wait_for_event(&mut self, name: &str, within: Duration, accept: impl Fn(&Event) -> bool) -> Event {
        let line = self.process.wait_for_line(name, within, |line| {
            event(line).is_some_and(|e| e.event == name && accept(&e))
        });
        event(&line).expect("it was read before")
    }
}

/// Mounts a file system in memory and goes on as the command that follows; without root's rights in a user name space of its own.
fn own_disk(at: &Path, bytes: u64) -> Vec<String> {
    const MOUNT: &str = r#"mount -t tmpfs -o "size=$1" millrace-test "$2" && shift 2 && exec "$@""#;
    let mut words = vec!["unshare".to_owned(), "--mount".to_owned()];
    if !rustix::process::geteuid().is_root() {
        words.push("--map-root-user".to_owned());
    }
    let (bytes, at) = (bytes.to_string(), at.display().to_string());
    words.extend(["sh", "-c", MOUNT, "sh", &bytes, &at].map(str::to_owned));
    words
}

fn event(line: &str) -> Option<Event> {
    serde_json::from_str(line.trim_start())
        .ok()
        .filter(|event: &Event| !event.event.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_the_log() {
        let line = r#"{"timestamp":"now","event":"restored","store":"s","partition":2,"records":5,"from":10,"to":17}"#;
        let read = event(line).unwrap();
        assert_eq!(
            (read.store.as_str(), read.partition, read.records, read.from, read.to),
            ("s", 2, 5, 10, 17)
        );
        assert!(event("WARN something else").is_none());
        assert!(event(r#"{"message":"no event"}"#).is_none());
    }
}
