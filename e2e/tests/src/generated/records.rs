//! Random input: what a real topic does wrong, from one seed.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

use super::app::{App, Format, Origin};
use super::grow::Shape;

/// A record of an input topic.
#[derive(Clone, Debug)]
pub struct Given {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// 2023-11-14T22:13:20Z.
const START: i64 = 1_700_000_000_000;

/// What JSON values mostly have.
pub fn schema() -> Shape {
    let named = |name: &str, shape| (name.to_owned(), shape);
    let list = |of| Shape::List(Box::new(of));
    Shape::Object(vec![
        named("user", Shape::Str),
        named("shop", Shape::Str),
        named("amount", Shape::Int),
        named("n", Shape::Int),
        named("price", Shape::Double),
        named("ok", Shape::Bool),
        named("note", Shape::Str),
        named("tags", list(Shape::Str)),
        named("nums", list(Shape::Int)),
        named("at", Shape::Int),
        named("when", Shape::Str),
        named(
            "order",
            Shape::Object(vec![
                named("id", Shape::Int),
                named("city", Shape::Str),
                named("lines", list(Shape::Int)),
            ]),
        ),
    ])
}

/// What JSON keys mostly are.
pub fn json_key() -> Shape {
    Shape::Str
}

/// Records for the topics that the application reads.
pub fn records(random: &mut StdRng, app: &App, count: usize) -> Vec<Given> {
    let read: Vec<_> = app
        .topics
        .iter()
        .filter(|topic| {
            let origin = Origin::Topic(topic.name.clone());
            app.pipelines.iter().any(|pipeline| pipeline.from.contains(&origin))
        })
        .collect();
    let mut time = START;
    (0..count)
        .map(|_| {
            let topic = read.choose(random).expect("something is read");
            time += random.random_range(0..40_000);
            let late = match random.random_range(0..20) {
                0..14 => 0,
                14..17 => random.random_range(0..60_000),
                17..19 => random.random_range(0..600_000),
                _ => random.random_range(0..7_200_000),
            };
            Given {
                topic: topic.name.clone(),
                key: if random.random_ratio(1, 25) {
                    None
                } else {
                    Some(key(random, topic.key))
                },
                value: if random.random_ratio(1, 25) {
                    None
                } else {
                    Some(value(random, topic.value, time))
                },
                timestamp: time - late,
                headers: headers(random),
            }
        })
        .collect()
}

fn headers(random: &mut StdRng) -> Vec<(String, Option<Vec<u8>>)> {
    let one = |random: &mut StdRng| {
        let name = ["h1", "h2", "trace"].choose(random).expect("three");
        let value = match random.random_range(0..5) {
            0 => None,
            1 => Some(vec![0xff, 0x00]),
            _ => Some(b"v1".to_vec()),
        };
        ((*name).to_owned(), value)
    };
    match random.random_range(0..4) {
        0 => vec![one(random)],
        1 => vec![one(random), one(random)],
        _ => Vec::new(),
    }
}

fn word(random: &mut StdRng) -> String {
    let words = [
        "u1",
        "u1",
        "u2",
        "u2",
        "u3",
        "ü",
        "",
        "😀",
        "e\u{301}t",
        "\"q\"\\\t",
        "a\u{0}b",
    ];
    (*words.choose(random).expect("some")).to_owned()
}

fn key(random: &mut StdRng, format: Format) -> Vec<u8> {
    match format {
        Format::String if random.random_ratio(1, 40) => b"bad-\xff\xe2\x82".to_vec(),
        Format::String => word(random).into_bytes(),
        Format::Json => match random.random_range(0..12) {
            0 => b"{\"a\":1}".to_vec(),
            1 => b"17".to_vec(),
            2 => b"[null]".to_vec(),
            3 => b"nothing".to_vec(),
            _ => Value::from(word(random)).to_string().into_bytes(),
        },
        other => value(random, other, 0),
    }
}

fn value(random: &mut StdRng, format: Format, time: i64) -> Vec<u8> {
    match format {
        Format::String => word(random).into_bytes(),
        Format::Bytes => [&b"\x00\xff"[..], b"u1", b"", b"\xc3\xbc"]
            .choose(random)
            .expect("some")
            .to_vec(),
        Format::Long | Format::Double if random.random_ratio(1, 30) => b"short".to_vec(),
        Format::Long => int(random).to_be_bytes().to_vec(),
        Format::Double => double(random).to_be_bytes().to_vec(),
        Format::Json => json(random, time).into_bytes(),
    }
}

fn int(random: &mut StdRng) -> i64 {
    match random.random_range(0..12) {
        0 => 0,
        1 => i64::MAX,
        2 => i64::MIN,
        3 => -random.random_range(1..100),
        4 => random.random_range(0..1_000_000_000_000),
        _ => random.random_range(1..100),
    }
}

fn double(random: &mut StdRng) -> f64 {
    match random.random_range(0..10) {
        0 => 0.0,
        1 => -2.5,
        2 => 1e300,
        3 => random.random_range(-1e9..1e9),
        _ => f64::from(random.random_range(1..100_000)) / 100.0,
    }
}

fn json(random: &mut StdRng, time: i64) -> String {
    match random.random_range(0..60) {
        0 => return "{\"amount\": 1".to_owned(),
        1 => return "no json".to_owned(),
        2 => return String::new(),
        3 => return "{\"amount\": 1} {\"amount\": 2}".to_owned(),
        4 => return "null".to_owned(),
        5 => return "[1, \"x\", {}]".to_owned(),
        6 => return "17".to_owned(),
        7 => return "\"text\"".to_owned(),
        _ => {}
    }
    let mut fields = Vec::new();
    let mut field = |random: &mut StdRng, name: &str, text: String| {
        let text = match random.random_range(0..40) {
            0 => return,
            1 => "null".to_owned(),
            2 => [
                "\"12\"",
                "1.5",
                "true",
                "{}",
                "[]",
                "123456789012345678901234567890",
                "7",
            ]
            .choose(random)
            .expect("some")
            .to_string(),
            _ => text,
        };
        fields.push(format!(
            "\"{name}\":{}{text}",
            if random.random_ratio(1, 8) { " " } else { "" }
        ));
    };
    let text = |random: &mut StdRng| {
        let text = Value::from(word(random)).to_string();
        if random.random_ratio(1, 6) {
            text.replace('u', "\\u0075")
        } else {
            text
        }
    };
    let user = text(random);
    field(random, "user", user);
    let shop = text(random);
    field(random, "shop", shop);
    let amount = int(random).to_string();
    field(random, "amount", amount);
    let n = random.random_range(0..5).to_string();
    field(random, "n", n);
    let price = match random.random_range(0..8) {
        0 => "3".to_owned(),
        1 => "1e2".to_owned(),
        2 => "1.50".to_owned(),
        3 => "2.5E-3".to_owned(),
        _ => format!("{:?}", double(random)),
    };
    field(random, "price", price);
    let ok = random.random::<bool>().to_string();
    field(random, "ok", ok);
    let note = text(random);
    field(random, "note", note);
    let tags: Vec<String> = (0..random.random_range(0..4)).map(|_| text(random)).collect();
    field(random, "tags", format!("[{}]", tags.join(", ")));
    let nums: Vec<String> = (0..random.random_range(0..4))
        .map(|_| int(random).to_string())
        .collect();
    field(random, "nums", format!("[{}]", nums.join(",")));
    let at = if random.random_ratio(1, 20) {
        -5
    } else {
        time - random.random_range(0..100_000)
    };
    field(random, "at", at.to_string());
    let when = [
        "\"2023-11-14T22:13:20Z\"",
        "\"2023-11-14T22:20:00.5Z\"",
        "\"2023-11-15T00:13:20+02:00\"",
        "\"soon\"",
    ];
    let when = when.choose(random).expect("some").to_string();
    field(random, "when", when);
    let (id, city, line) = (int(random), text(random), int(random));
    let order = match random.random_range(0..6) {
        0 => format!("{{\"id\": {id}, \"lines\":[ ]}}"),
        1 => format!("{{\"city\":{city},\"id\":{id},\"lines\":[{line}]}}"),
        _ => format!("{{\"id\":{id},\"city\":{city},\"lines\":[{line},1]}}"),
    };
    field(random, "order", order);
    if random.random_ratio(1, 30) {
        fields.push("\"amount\":5".to_owned());
    }
    format!("{{{}}}", fields.join(","))
}
