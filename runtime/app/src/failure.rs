//! How the program ends: an exit code, and one coded block that says what, where and what to do.

use std::fmt::Write as _;

use millrace::Code;

use crate::manifest::Problem;

/// Wrong arguments.
pub const USAGE: i32 = 2;
/// A manifest or configuration that cannot run.
pub const CONFIG: i32 = 3;

/// Why the program cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// The engine's reason.
    Engine(millrace::Error),
    /// Problems of manifests, all of them; already complete sentences.
    Manifest(Vec<Problem>),
    /// Wrong arguments beyond what the parser of the command line sees.
    Usage(String),
}

impl From<millrace::Error> for Failure {
    fn from(error: millrace::Error) -> Self {
        Self::Engine(error)
    }
}

impl Failure {
    /// A coded failure.
    pub fn coded(code: Code, message: impl Into<String>) -> Self {
        Self::Engine(millrace::Error::new(code, message))
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Engine(error) => error.code().exit_code(),
            Self::Manifest(_) => CONFIG,
            Self::Usage(_) => USAGE,
        }
    }

    /// For people.
    #[must_use]
    pub fn render(&self) -> String {
        match self {
            Self::Engine(error) => {
                let mut out = format!("error {}: {}\n", error.code(), title(error.code()));
                for line in error.message().lines() {
                    let _ = writeln!(out, "  {line}");
                }
                let _ = writeln!(out, "  help: {}", advice(error.code()));
                let _ = writeln!(out, "  more: {}", page(error.code()));
                out
            }
            Self::Manifest(problems) => {
                let mut out: String = problems.iter().map(Problem::render).collect();
                let errors = problems.iter().filter(|problem| problem.is_error()).count();
                let _ = writeln!(out, "{errors} {}", if errors == 1 { "error" } else { "errors" });
                out
            }
            Self::Usage(message) => format!("error: {message}\n"),
        }
    }

    /// The same as one JSON object a line.
    #[must_use]
    pub fn json_lines(&self) -> String {
        match self {
            Self::Engine(error) => format!(
                "{}\n",
                serde_json::json!({
                    "level": "ERROR", "event": "failed", "code": error.code().to_string(), "title": title(error.code()),
                    "message": error.message(), "help": advice(error.code()), "page": page(error.code()),
                    "exitCode": error.code().exit_code(),
                })
            ),
            Self::Manifest(problems) => problems
                .iter()
                .map(|problem| {
                    let mut line = serde_json::to_value(problem).unwrap_or_default();
                    line["level"] = if problem.is_error() { "ERROR" } else { "WARN" }.into();
                    format!("{line}\n")
                })
                .collect(),
            Self::Usage(message) => {
                format!(
                    "{}\n",
                    serde_json::json!({"level": "ERROR", "message": message, "exitCode": USAGE})
                )
            }
        }
    }
}

/// The documentation of a code.
#[must_use]
pub fn page(code: Code) -> String {
    format!("docs/errors/{code}.md")
}

/// What it is, in a few words: the title of its page.
#[must_use]
pub fn title(code: Code) -> &'static str {
    match code {
        Code::K001 => "no broker answers",
        Code::K002 => "the brokers refuse the credentials",
        Code::K003 => "Kafka forbids what the application must do",
        Code::K004 => "Kafka answers with an error that no retry mends",
        Code::K005 => "Kafka does not answer in time",
        Code::K006 => "the TLS handshake with Kafka fails",
        Code::T001 => "an input topic does not exist",
        Code::T002 => "an output topic does not exist",
        Code::T003 => "an internal topic does not fit the application",
        Code::T004 => "topics that are read together differ in their partitions",
        Code::T005 => "an internal topic cannot be created",
        Code::T006 => "a committed offset is no longer in its topic",
        Code::T007 => "the dead-letter topic does not exist",
        Code::T008 => "an internal topic cannot be deleted",
        Code::G001 => "the application id is taken by a group of another kind",
        Code::G002 => "members of the group run another plan",
        Code::G003 => "the group has live members",
        Code::F001 => "another process holds this instance's identity",
        Code::F002 => "the group went on without this process",
        Code::S001 => "the state directory is in use",
        Code::S002 => "state on disk is damaged",
        Code::S003 => "the disk refuses to read or write",
        Code::S004 => "the disk is full",
        Code::R001 => "a record cannot be read",
        Code::R002 => "a record cannot be processed",
        Code::R003 => "a record cannot be written",
        Code::R004 => "a record has no valid timestamp",
        Code::C001 => "the configuration is wrong",
        Code::W001 => "a worker does not move",
        Code::X001 => "a defect of Millrace",
    }
}

/// What to do first.
#[must_use]
pub fn advice(code: Code) -> &'static str {
    match code {
        Code::K001 => "check spec.kafka.bootstrapServers, the port, and that this machine reaches the brokers",
        Code::K002 => "check user, password and mechanism against the listener that is used",
        Code::K003 => "grant the application the rights that the page lists",
        Code::K004 => "look at the brokers' log at this time",
        Code::K005 => "look at the brokers' health and load, then start again: nothing is lost",
        Code::K006 => "check certificates, trusted authorities and names as the page says",
        Code::T001 => "create the topic, or correct its name in spec.topology.topics",
        Code::T002 => "create the topic: Millrace creates internal topics only",
        Code::T003 => {
            "if the application has changed, give it a new applicationId, or delete its internal topics and start over"
        }
        Code::T004 => "give the topics the same number of partitions, or repartition one of them",
        Code::T005 => "create the topic by hand as the page says, or grant the right to create it",
        Code::T006 => "say where to begin: set startFrom of the topic, or auto.offset.reset",
        Code::T007 => "create the topic, or set errors.dead.letter.queue.topic.name",
        Code::T008 => "delete the topic by hand, or grant the right to delete it, then reset again",
        Code::G001 => "choose another applicationId, or stop the other group's members",
        Code::G002 => "run one manifest everywhere: stop the members that run the other",
        Code::G003 => {
            "stop every process of the application; --force removes members that are gone without having left"
        }
        Code::F001 => "give every instance its own group.instance.id and its own state directory",
        Code::F002 => {
            "nothing: it joins again by itself; if it happens often, look at pauses of the machine and at session.timeout.ms"
        }
        Code::S001 => "stop the other process, or give this one another --state-dir",
        Code::S002 => "start again: damaged state is set aside and restored from the changelog",
        Code::S003 => "look at mount options, permissions and the disk's health",
        Code::S004 => "free or grow the volume of state.dir: nothing is lost",
        Code::R001 => "correct the topic's format, or set onError: continue or deadLetter on it",
        Code::R002 => {
            "correct the expression (has(value.x) asks first), or set onError: continue or deadLetter on the pipeline"
        }
        Code::R003 => "correct what is written or the topic's limits, or set production.exception.handler",
        Code::R004 => "set default.timestamp.extractor, or timestamp on the topic",
        Code::C001 => "correct the property that is named",
        Code::W001 => "report it with the log; max.poll.interval.ms is how long a worker may take",
        Code::X001 => "please report it with the log: the state is safe, start again",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn docs() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let entries = std::fs::read_dir(docs())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let pages: BTreeSet<String> = entries.filter(|name| name != "README.md").collect();
        let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
        assert_eq!(pages, codes);
        let index = std::fs::read_to_string(docs().join("README.md")).unwrap();
        for code in Code::ALL {
            let page = std::fs::read_to_string(docs().join(format!("{code}.md"))).unwrap();
            assert!(
                page.starts_with(&format!("# {code}: {}\n\nExit code {}.", title(code), code.exit_code())),
                "{code}"
            );
            let row = format!("| [{code}]({code}.md) | {} | {} |\n", title(code), code.exit_code());
            assert!(index.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_failure_is_one_block_or_one_line() {
        let failure = Failure::coded(Code::T001, "the topic orders does not exist on kafka:9092");
        expect_test::expect![[r#"
            error MILL-T001: an input topic does not exist
              the topic orders does not exist on kafka:9092
              help: create the topic, or correct its name in spec.topology.topics
              more: docs/errors/MILL-T001.md
        "#]]
        .assert_eq(&failure.render());
        let line: serde_json::Value = serde_json::from_str(&failure.json_lines()).unwrap();
        assert_eq!(
            (&line["event"], &line["code"], &line["exitCode"]),
            (&"failed".into(), &"MILL-T001".into(), &5.into())
        );
    }
}
