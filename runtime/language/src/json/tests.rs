use bytes::Bytes;
use proptest::prelude::*;

use super::{JsonDoc, Path, Shape};
use crate::value::{Map, Value};

fn decode(text: &str) -> Result<String, String> {
    let doc = JsonDoc::decode(Bytes::copy_from_slice(text.as_bytes()), &Shape::empty());
    doc.map(|d| String::from_utf8(d.raw().to_vec()).unwrap())
        .map_err(|e| e.to_string())
}

/// Accepted and refused as by `ObjectMapper.readTree(byte[])` of Jackson 2.21.2 that fails on trailing tokens; empty input is refused, too.
#[test]
fn validity_is_jacksons() {
    for (input, kept) in [
        ("null", "null"),
        ("-0", "-0"),
        ("1E+5", "1E+5"),
        ("1.5e400", "1.5e400"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("\"\\ud800\"", "\"\\ud800\""),
        ("\"a\u{7f}b\u{2028}\"", "\"a\u{7f}b\u{2028}\""),
        ("\"\\/\"", "\"\\/\""),
        ("\u{feff}{\"a\":1}", "{\"a\":1}"),
        ("[ ]", "[ ]"),
        ("{ }", "{ }"),
    ] {
        assert_eq!(decode(input).as_deref(), Ok(kept), "{input:?}");
    }
    for input in [
        "",
        " \n",
        "{\"a\":1} x",
        "{\"a\":1}]",
        "1 2",
        "\"a\"x",
        "true x",
        "true]",
        "true\"a\"",
        "[1]1",
        "{}x",
        "1x",
        "1]",
        "truex",
        "nul",
        "-",
        "01",
        "-01",
        "1.",
        "1e",
        ".5",
        "+1",
        "NaN",
        "Infinity",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "\"\\x\"",
        "\"\\u00g0\"",
        "\"a\tb\"",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "//c\n1",
        "\u{b}1",
        "1,",
        "1/",
        "\"a",
        "[",
        "{\"a\":tru}",
        "{\"a\":1\u{c}}",
        "\"\\",
        "{\"a\"",
        "\"\\u12",
    ] {
        assert!(decode(input).is_err(), "{input:?}");
    }
}

#[test]
fn limits_are_jacksons() {
    let lists = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let objects = |n: usize| "{\"a\":".repeat(n) + "1" + &"}".repeat(n);
    for (limit, make) in [(1000, &lists as &dyn Fn(usize) -> String), (1000, &objects)] {
        assert!(decode(&make(limit)).is_ok());
        assert!(decode(&make(limit + 1)).unwrap_err().contains("1000 levels"));
    }
    assert!(decode(&format!("[1.{}]", "1".repeat(999))).is_ok());
    assert!(decode(&format!("[1.{}]", "1".repeat(1000))).is_err());
    assert!(decode(&format!("[-{}]", "1".repeat(1000))).is_ok());
    assert!(decode(&format!("{{\"{}\":1}}", "é".repeat(50_000))).is_ok());
    assert!(decode(&format!("{{\"{}\":1}}", "n".repeat(50_001))).is_err());
}

#[test]
fn invalid_utf8_is_an_error_wherever_it_stands() {
    let decode =
        |bytes: &'static [u8]| JsonDoc::decode(Bytes::from_static(bytes), &Shape::empty()).map_err(|e| e.to_string());
    assert_eq!(decode(b"{\"a\":\"\xff\"}").unwrap_err(), "invalid UTF-8 at byte 6");
    assert_eq!(decode(b"\xff").unwrap_err(), "invalid UTF-8 at byte 0");
    assert_eq!(decode(b"\"\xed\xa0\x80\"").unwrap_err(), "invalid UTF-8 at byte 1");
    assert!(decode(b"1\xff").is_err());
    assert!(decode(b"1 \xff").is_err());
    assert!(decode(b"{}\xff").is_err());
}

#[test]
fn errors_say_where() {
    for (input, message) in [
        ("{\"a\": 1 \"b\": 2}", "'\"' where a comma or } is due at byte 8"),
        ("[1, 2", "the input ends where a comma or ] is due at byte 5"),
        (
            "{\"a\": \"x\ny\"}",
            "the control character \\u000A must be escaped in a string at byte 8",
        ),
        ("{\"a\": 007}", "a number must not start with a zero at byte 6"),
        ("nothing", "neither a value in quotes nor true, false or null at byte 0"),
    ] {
        assert_eq!(decode(input).unwrap_err(), message);
    }
}

fn fields(text: &str, paths: &[&[&str]]) -> Vec<Option<String>> {
    let paths: Vec<Path> = paths.iter().map(|p| Path::new(p)).collect();
    let shaped = JsonDoc::decode(Bytes::copy_from_slice(text.as_bytes()), &Shape::new(paths.clone())).unwrap();
    let unshaped = JsonDoc::decode(Bytes::copy_from_slice(text.as_bytes()), &Shape::empty()).unwrap();
    paths
        .iter()
        .map(|&path| {
            assert_eq!(shaped.raw_field(path), unshaped.raw_field(path), "{path} of {text}");
            shaped
                .raw_field(path)
                .map(|raw| String::from_utf8(raw.to_vec()).unwrap())
        })
        .collect()
}

#[test]
fn fields_of_a_shape() {
    let some = |s: &str| Some(s.to_owned());
    let paths: &[&[&str]] = &[&["a"], &["b", "c"], &["b"], &["d"]];
    assert_eq!(
        fields(r#"  {"x":[{"a":9}],"a": 1.5 ,"b":{"a":2,"c":"\"}"}}"#, paths),
        [some("1.5"), some(r#""\"}""#), some(r#"{"a":2,"c":"\"}"}"#), None]
    );
    // Of duplicate keys the last wins, and hides what is below the first.
    assert_eq!(
        fields(r#"{"b":{"c":1},"b":{"d":2},"a":1,"a":2}"#, paths),
        [some("2"), None, some(r#"{"d":2}"#), None]
    );
    assert_eq!(fields(r#"{"b":{"c":1},"b":5}"#, paths), [None, None, some("5"), None]);
    // A key may be written with escapes.
    assert_eq!(
        fields(r#"{"\u0061":1,"\u0062":{"\u0063":2}}"#, paths)[..2],
        [some("1"), some("2")]
    );
    assert_eq!(fields(r#"[{"a":1}]"#, paths), [None, None, None, None]);
}

#[test]
fn strings_are_escaped_as_by_jackson() {
    let text = "\u{1}\u{1f}\u{8}\u{c}\n\r\t\"\\/é😀\u{7f}";
    assert_eq!(
        Value::from(text).to_string(),
        "\"\\u0001\\u001F\\b\\f\\n\\r\\t\\\"\\\\/é😀\u{7f}\""
    );
}

#[test]
fn doubles_are_short() {
    for (d, text) in [
        (5.0, "5.0"),
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (123_456_789.125, "123456789.125"),
    ] {
        assert_eq!(Value::from(d).to_string(), text);
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no such number", |d| d.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-c\"é]{0,2}", inner), 0..6)
                .prop_map(|fields| Value::from(Map::from_iter(fields))),
        ]
    })
}

/// Reads a document down to its scalars.
fn materialise(value: Value) -> Value {
    match value {
        Value::Json(doc) if doc.is_object() => {
            let fields = doc.fields();
            Value::from(
                fields
                    .iter()
                    .map(|(n, v)| (n.clone(), materialise(v.clone())))
                    .collect::<Map>(),
            )
        }
        Value::Json(doc) if doc.raw()[0] == b'[' => super::elements(doc.root())
            .map(|e| materialise(e.to_value().unwrap()))
            .collect::<Vec<_>>()
            .into(),
        Value::Json(doc) => doc.root().to_value().unwrap(),
        other => other,
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in json()) {
        let text = value.to_string();
        let doc = JsonDoc::decode(Bytes::from(text.clone()), &Shape::empty()).unwrap();
        prop_assert_eq!(doc.raw(), text.as_bytes());
        prop_assert_eq!(&materialise(Value::Json(doc)), &value);
        // serde_json agrees that this is the document.
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        let back = JsonDoc::decode(Bytes::from(theirs.to_string()), &Shape::empty()).unwrap();
        if !text.contains('"') {
            prop_assert_eq!(materialise(Value::Json(back)), value);
        }
    }

    #[test]
    fn numbers_are_read_to_the_last_bit(d in any::<f64>(), decimals in 0usize..20) {
        prop_assume!(d.is_finite());
        for text in [format!("{d:?}"), format!("{d:.decimals$}"), format!("{:.decimals$}", d % 1e9)] {
            prop_assert_eq!(super::parse_double(text.as_bytes()).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
        }
    }

    #[test]
    fn broken_documents_do_not_panic(value in json(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value.to_string().into_bytes();
        let at = cut.index(bytes.len());
        let _ = JsonDoc::decode(Bytes::copy_from_slice(&bytes[..at]), &Shape::empty());
        bytes[at] = byte;
        let ours = JsonDoc::decode(Bytes::copy_from_slice(&bytes), &Shape::new([Path::new(&["a", "b"])]));
        // Whatever serde_json takes as the whole document, Jackson and we take too.
        if std::str::from_utf8(&bytes).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
            prop_assert!(ours.is_ok(), "{:?}", ours);
        }
    }
}
