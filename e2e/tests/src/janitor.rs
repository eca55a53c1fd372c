//! Cleans up behind this process, however it ends: a small shell that holds the reading end of a pipe.
//!
//! When the writing end closes (normal end, panic, `kill -9`), the shell kills the processes and removes the directories
//! that are still on its list. Statics are never dropped and a killed process runs no destructor; a pipe always closes.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
declare -A pids dirs
while read -r what arg; do
  case $what in
    +pid) pids[$arg]=1 ;;
    -pid) unset "pids[$arg]" ;;
    +dir) dirs[$arg]=1 ;;
    -dir) unset "dirs[$arg]" ;;
  esac
done
for pid in "${!pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
# A killed process may still be writing its last file while it dies.
for try in 1 2 3 4 5; do
  for dir in "${!dirs[@]}"; do rm -rf "$dir" 2>/dev/null && unset "dirs[$dir]"; done
  [[ ${#dirs[@]} -eq 0 ]] && break
  sleep 0.2
done
"#;

// The shell outlives us on purpose, so nobody waits for it.
#[allow(clippy::zombie_processes)]
static PIPE: LazyLock<Mutex<ChildStdin>> = LazyLock::new(|| {
    let mut shell = Command::new("bash")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash is there");
    Mutex::new(shell.stdin.take().expect("stdin is piped"))
});

fn tell(line: String) {
    let mut pipe = PIPE.lock().unwrap_or_else(|e| e.into_inner());
    writeln!(pipe, "{line}").expect("the janitor lives as long as this process");
}

/// Kill this process when we end.
pub fn watch_process(pid: u32) {
    tell(format!("+pid {pid}"));
}

/// The process has ended; its number may soon be another's.
pub fn forget_process(pid: u32) {
    tell(format!("-pid {pid}"));
}

/// Remove this directory when we end.
pub fn watch_directory(dir: &Path) {
    tell(format!("+dir {}", dir.display()));
}
