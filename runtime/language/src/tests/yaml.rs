//! YAML as kubectl reads it, for tests: 1.1 words are booleans, unknown tags are dropped, keys become text.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// One document as JSON.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let events: Result<Vec<Event<'_>>, _> = Parser::new_from_str(text)
        .map(|event| event.map(|event| event.0))
        .collect();
    let events = events.map_err(|error| error.to_string())?;
    let mut events = events.into_iter().filter(|event| {
        !matches!(
            event,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamEnd | Event::Nothing
        )
    });
    let first = events.next().expect("a document");
    Ok(value(first, &mut events))
}

fn value<'i>(event: Event<'i>, rest: &mut impl Iterator<Item = Event<'i>>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => plain(&text),
        // A tag that nobody knows: what it stands before stays as text.
        Event::Scalar(text, ..) => Value::from(text.as_ref()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match rest.next().expect("the end of the list") {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(value(event, rest)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut map = Map::new();
            loop {
                let key = match rest.next().expect("the end of the map") {
                    Event::MappingEnd => return Value::Object(map),
                    event => match value(event, rest) {
                        Value::String(text) => text,
                        other => other.to_string(),
                    },
                };
                let event = rest.next().expect("a value");
                let body = value(event, rest);
                assert!(map.insert(key.clone(), body).is_none(), "duplicate key {key}");
            }
        }
        event => panic!("{event:?} in test YAML"),
    }
}

fn plain(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => Value::Null,
        "true" | "yes" | "on" | "y" => Value::Bool(true),
        "false" | "no" | "off" | "n" => Value::Bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Value::from(number),
            (_, Ok(number)) if number.is_finite() && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                Value::from(number)
            }
            _ => Value::from(text),
        },
    }
}
