//! A child process whose output is kept, line by line, and shown when the test fails.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::janitor;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

#[derive(Default)]
struct Output {
    /// Lines of both streams as they came; stderr's carry `true`.
    lines: Mutex<Vec<(bool, String)>>,
    more: Condvar,
}

/// A running or ended child. Dropped, it is killed; dropped by a panic, it prints its last lines.
pub struct Process {
    name: String,
    child: Child,
    exit: Option<Exit>,
    output: Arc<Output>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts the command; `name` is what failures call it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: impl Into<String>, command: &mut Command) -> Self {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name} ({:?}): {e}", command.get_program()));
        janitor::watch_process(child.id());
        let output = Arc::new(Output::default());
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let readers = vec![collect(stdout, false, &output), collect(stderr, true, &output)];
        Process {
            name,
            child,
            exit: None,
            output,
            readers,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first line of either stream that the test accepts, waited for; lines that came earlier count.
    ///
    /// # Panics
    /// If none comes in time, or the process ends without it.
    pub fn wait_for_line(&mut self, what: &str, within: Duration, accept: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + within;
        let mut seen = 0;
        loop {
            // Asked before the lines are looked at: what an ended process wrote is then complete (its readers are joined).
            let ended = self.try_exit();
            let lines = self.output.lines.lock().expect("no reader panics");
            if let Some((_, line)) = lines[seen..].iter().find(|(_, line)| accept(line)) {
                return line.clone();
            }
            seen = lines.len();
            assert!(ended.is_none(), "{} ended ({ended:?}) before {what}", self.name);
            assert!(Instant::now() < deadline, "{}: no {what} within {within:?}", self.name);
            drop(self.output.more.wait_timeout(lines, Duration::from_millis(50)));
        }
    }

    /// The exit, if it has ended; its output is then complete.
    pub fn try_exit(&mut self) -> Option<Exit> {
        if self.exit.is_none()
            && let Some(status) = self.child.try_wait().expect("our own child")
        {
            janitor::forget_process(self.child.id());
            for reader in self.readers.drain(..) {
                reader.join().expect("a reader does not panic");
            }
            self.exit = Some(match status.code() {
                Some(code) => Exit::Code(code),
                None => Exit::Signal(status.signal().unwrap_or(0)),
            });
        }
        self.exit
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn wait(&mut self, within: Duration) -> Exit {
        let deadline = Instant::now() + within;
        loop {
            if let Some(exit) = self.try_exit() {
                return exit;
            }
            assert!(
                Instant::now() < deadline,
                "{} has not ended within {within:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM: the polite end.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> Exit {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(10))
    }

    /// SIGSTOP and SIGCONT: a process that the world thinks dead, and that comes back.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    fn signal(&mut self, signal: Signal) {
        if self.try_exit().is_none() {
            // Not reaped yet, so the number is still its own.
            let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a child's pid is positive");
            let _ = kill_process(pid, signal);
        }
    }

    /// Everything written to stdout so far.
    pub fn stdout(&self) -> String {
        self.lines(false)
    }

    /// Everything written to stderr so far.
    pub fn stderr(&self) -> String {
        self.lines(true)
    }

    fn lines(&self, of_stderr: bool) -> String {
        let lines = self.output.lines.lock().expect("no reader panics");
        lines
            .iter()
            .filter(|(err, _)| *err == of_stderr)
            .flat_map(|(_, line)| [line.as_str(), "\n"])
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.try_exit().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            janitor::forget_process(self.child.id());
        }
        if std::thread::panicking() {
            let lines = self.output.lines.lock().unwrap_or_else(|e| e.into_inner());
            let from = lines.len().saturating_sub(60);
            eprintln!(
                "---- {} ({:?}), last {} of {} lines",
                self.name,
                self.exit,
                lines.len() - from,
                lines.len()
            );
            for (err, line) in &lines[from..] {
                eprintln!("{} {line}", if *err { "!" } else { "|" });
            }
        }
    }
}

fn collect(stream: impl Read + Send + 'static, is_stderr: bool, output: &Arc<Output>) -> std::thread::JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
            output.lines.lock().expect("no reader panics").push((is_stderr, text));
            output.more.notify_all();
            line.clear();
        }
    })
}

/// Asks again and again until the answer comes.
///
/// # Panics
/// If it does not come in time; the message names `what`.
pub fn wait_until<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
