//! The log, on standard error: text for people, or JSON lines with flat fields for machines. Standard output is for results.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;

use clap::ValueEnum;
use owo_colors::OwoColorize as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text each, in colour on a terminal.
    #[default]
    Text,
    /// A JSON object each.
    Json,
}

/// Begins to log; `level` is a level or a filter as `info,millrace=debug`.
pub fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(|error| format!("--log-level: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            tracing::subscriber::set_global_default(builder.event_format(Text { colour }).finish())
        }
        LogFormat::Json => tracing::subscriber::set_global_default(builder.event_format(Json).finish()),
    };
    started.map_err(|error| error.to_string())
}

/// The fields of an event, in their order.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn of(event: &Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    fn put(&mut self, field: &Field, value: Value) {
        self.others.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
            return;
        }
        // A list of words or numbers, as `?` prints it, is JSON.
        let list = text
            .starts_with('[')
            .then(|| serde_json::from_str(&text).ok())
            .flatten();
        self.put(field, list.unwrap_or(Value::String(text)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.put(field, value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

/// One JSON object a line: timestamp, level, target, message, and the event's fields beside them.
struct Json;

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Json {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let fields = Fields::of(event);
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), now().into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        line.insert("thread".to_owned(), std::thread::current().name().into());
        line.insert("message".to_owned(), fields.message.into());
        line.extend(fields.others);
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Time, level, thread, message, fields.
struct Text {
    colour: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Text {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let fields = Fields::of(event);
        let level = *event.metadata().level();
        let mut line = String::new();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("-").trim_start_matches("millrace-").to_owned();
        let mut details = String::new();
        for (name, value) in fields.others.iter().filter(|(name, _)| *name != "event") {
            match value {
                Value::String(text) => write!(details, " {name}={text}")?,
                other => write!(details, " {name}={other}")?,
            }
        }
        if self.colour {
            let word = format!("{level:>5}");
            let word = match level {
                Level::ERROR => word.red().to_string(),
                Level::WARN => word.yellow().to_string(),
                Level::INFO => word.green().to_string(),
                _ => word.dimmed().to_string(),
            };
            let (time, details) = (now(), details.dimmed().to_string());
            write!(
                line,
                "{} {word} {:<9} {}{details}",
                time.dimmed(),
                thread.dimmed(),
                fields.message
            )?;
        } else {
            write!(line, "{} {level:>5} {thread:<9} {}{details}", now(), fields.message)?;
        }
        writeln!(writer, "{line}")
    }
}

/// The time as RFC 3339 in UTC, with milliseconds.
fn now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    rfc3339(since.as_millis() as i64)
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn events_are_flat_json_with_lists() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Json)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let active = ["0_0", "0_1"];
            tracing::info!(target: "millrace::event", event = "assigned", active = ?active, partition = 3, "two tasks");
        });
        let line: Value = serde_json::from_slice(&sink.0.lock().unwrap()).unwrap();
        assert_eq!(
            (&line["event"], &line["active"], &line["partition"], &line["message"]),
            (
                &"assigned".into(),
                &serde_json::json!(["0_0", "0_1"]),
                &3.into(),
                &"two tasks".into()
            )
        );
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    }
}
