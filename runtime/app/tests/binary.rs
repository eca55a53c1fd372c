//! The binary as its users start it: the quick start's commands, exit codes, signals.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn millrace(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_millrace"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_quick_starts_commands_work() {
    let guide = std::fs::read_to_string(root().join("docs/quickstart.md")).unwrap();
    let blocks = guide
        .split("<!-- run -->\n```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command
            .strip_prefix("millrace ")
            .expect("a command of ours")
            .split_whitespace()
            .collect();
        let ran = millrace(&arguments);
        assert!(
            ran.status.success(),
            "{command}: {}{}",
            text(&ran.stdout),
            text(&ran.stderr)
        );
        assert!(!ran.stdout.is_empty(), "{command} says nothing");
    }
}

#[test]
fn dev_sums_up_as_json() {
    let feed = [
        "--feed",
        "examples/transactions.feed.yaml",
        "--for",
        "3s",
        "--rate",
        "5000",
        "--format",
        "json",
    ];
    let ran = millrace(&[&["dev", "examples/transaction-aggregator.yaml"], &feed[..]].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let out = text(&ran.stdout);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "summary");
    let number = |name: &str| last[name].as_f64().unwrap();
    assert!(
        number("processed") > 5_000.0 && number("results") > 100.0 && number("commits") > 0.0,
        "{last}"
    );
    assert!(number("latencyP50Ms") > 0.0 && number("dropped") > 0.0, "{last}");
    assert_eq!(last["top"].as_array().unwrap().len(), 10);
}

#[test]
fn mistakes_have_exit_codes() {
    for (arguments, code, word) in [
        (vec!["validate", "no-such-file.yaml"], 3, "no-such-file.yaml"),
        (vec!["run"], 2, "FILE"),
        (
            vec!["dev", "examples/transaction-aggregator.yaml", "--for", "soon"],
            2,
            "10s",
        ),
        (vec!["describe", "examples/transactions.feed.yaml"], 3, "apiVersion"),
        (
            vec![
                "run",
                "examples/transaction-aggregator.yaml",
                "--config",
                "commit.intervall.ms=5",
            ],
            3,
            "commit.interval.ms",
        ),
        (
            vec!["run", "examples/transaction-aggregator.yaml", "--log-level", "=,="],
            2,
            "--log-level",
        ),
    ] {
        let ran = millrace(&arguments);
        assert_eq!(ran.status.code(), Some(code), "{arguments:?}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(word), "{arguments:?}: {}", text(&ran.stderr));
    }
    let ran = millrace(&[
        "validate",
        "--format",
        "json",
        "examples/transactions.feed.yaml",
        "examples/transaction-aggregator.yaml",
    ]);
    assert_eq!(ran.status.code(), Some(3));
    let problems: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(problems[0]["file"], "examples/transactions.feed.yaml");
}

#[test]
fn no_broker_is_a_coded_line_of_json() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let state = tempfile::tempdir().unwrap();
    let (servers, dir) = (format!("127.0.0.1:{port}"), state.path().display().to_string());
    let started = Instant::now();
    let ran = millrace(&[
        "run",
        "examples/transaction-aggregator.yaml",
        "--bootstrap-servers",
        &servers,
        "--state-dir",
        &dir,
        "--log-format",
        "json",
    ]);
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!(ran.status.code(), Some(4), "{}", text(&ran.stderr));
    let said = text(&ran.stderr);
    let lines: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"failed".into(), &"MILL-K001".into()));
    assert!(last["message"].as_str().unwrap().contains(&servers), "{last}");
}

#[test]
fn ctrl_c_ends_dev_cleanly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
        .args([
            "dev",
            "examples/transaction-aggregator.yaml",
            "--feed",
            "examples/transactions.feed.yaml",
            "--rate",
            "1000",
        ])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    // Its first line says that it runs.
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut String::new()).unwrap();
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.contains("latest result of"), "{rest}");
}

/// The template as it stands, a profile, a variable and an argument, and the application runs with them.
#[test]
fn spring_boots_sources_configure_a_run() {
    let arguments = [
        "config",
        "examples/spring-boot/stream-processor.yaml",
        "--format",
        "json",
        "--spring.profiles.active=local",
        "--num.stream.threads=3",
    ];
    let millrace = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(arguments)
            .env("SPRING_KAFKA_STREAMS_PROPERTIES_COMMIT_INTERVAL_MS", "200")
            .env("SPRING_KAFKA_SSL_KEYPASSWORD", "hush")
            .current_dir(root())
            .output()
            .expect("it starts")
    };
    let ran = millrace(&arguments);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let all: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(all["profiles"], serde_json::json!(["local"]));
    assert_eq!(all["applicationId"], "stream-processor-v1");
    let property = |key: &str| {
        let found = all["properties"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["key"] == key);
        let row = found.unwrap_or_else(|| panic!("{key} is not shown"));
        let origin = &row["origin"];
        let place = origin["name"]
            .as_str()
            .or_else(|| origin["file"].as_str())
            .unwrap_or("default");
        format!("{} {place} {}", row["value"].as_str().unwrap_or("-"), origin["line"])
    };
    let directory = "examples/spring-boot";
    for (key, expected) in [
        (
            "processing.guarantee",
            format!("exactly_once_v2 {directory}/application.properties 10"),
        ),
        (
            "bootstrap.servers",
            format!("localhost:9092 {directory}/application-local.properties 2"),
        ),
        (
            "state.dir",
            format!("/var/lib/millrace {directory}/stream-processor.yaml 11"),
        ),
        (
            "commit.interval.ms",
            "200 SPRING_KAFKA_STREAMS_PROPERTIES_COMMIT_INTERVAL_MS null".to_owned(),
        ),
        ("num.stream.threads", "3 --num.stream.threads null".to_owned()),
        (
            "statestore.cache.max.bytes",
            format!("10485760 {directory}/application.properties 14"),
        ),
        ("security.protocol", "PLAINTEXT default null".to_owned()),
        (
            "ssl.key.password",
            "****** SPRING_KAFKA_SSL_KEYPASSWORD null".to_owned(),
        ),
    ] {
        assert_eq!(property(key), expected, "{key}");
    }
    let said = text(&ran.stderr);
    assert!(
        said.contains("default.value.serde: has no effect") && !said.contains("hush"),
        "{said}"
    );

    let feed = tempfile::tempdir().unwrap();
    let path = feed.path().join("feed.yaml").display().to_string();
    std::fs::write(
        &path,
        "seed: 1\nrate: 2000\nstart: 2026-01-01T00:00:00Z\nspeed: 60\ntopics:\n  - topic: payments\n    partitions: 4\n    \
         key: {prefix: user-, count: 10, skew: 1.05}\n    value:\n      - amount: {normal: {mean: 60, deviation: 10, decimals: 2}}\n",
    )
    .unwrap();
    let dev = [
        "dev",
        arguments[1],
        "--feed",
        &path,
        "--for",
        "2s",
        "--format",
        "json",
        "--log-level",
        "info",
        arguments[4],
    ];
    let ran = millrace(&dev);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let last = text(&ran.stdout).lines().last().unwrap_or_default().to_owned();
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    // Every 200 ms, not every second as the template says.
    assert!(
        last["commits"].as_f64().unwrap() > 4.0 && last["results"].as_f64().unwrap() > 0.0,
        "{last}"
    );
    assert!(
        text(&ran.stderr).contains("configured by examples/spring-boot/application.properties"),
        "{}",
        text(&ran.stderr)
    );
}
