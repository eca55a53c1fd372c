//! Nanoseconds on the record path. `cargo test --release -p millrace-language nanoseconds -- --ignored --nocapture`

use std::hint::black_box;

use bytes::Bytes;

use super::{Env, Expression, NoHeaders, Scope, Type};
use crate::format::Format;
use crate::json::{Path, Shape};
use crate::value::Value;

/// 279 bytes, as a payment service would write it.
const PAYMENT: &str = r#"{"transactionId":"8f14e45f-ceea-467a-9575-1b2f5a3c4d5e","userId":"user-4711","amount":129.95,"currency":"EUR","merchant":{"id":"m-1234","name":"Corner Shop","category":"groceries"},"timestamp":1700000000123,"status":"APPROVED","tags":["card","contactless"],"note":"thank you!"}"#;

fn env<'a>(key: &'a Value, value: &'a Value) -> Env<'a> {
    Env {
        key,
        value,
        timestamp: 0,
        topic: "t",
        partition: 0,
        offset: 0,
        headers: &NoHeaders,
        window: None,
    }
}

/// Nanoseconds that this thread has spent on a CPU: other work on the machine counts for less than on a clock.
fn on_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    text.split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number of nanoseconds")
}

pub(crate) fn time<F: FnMut()>(what: &str, mut run: F) {
    const ROUNDS: u32 = 500_000;
    for _ in 0..ROUNDS / 10 {
        run();
    }
    let start = on_cpu();
    for _ in 0..ROUNDS {
        run();
    }
    println!("{what}: {:.0} ns", (on_cpu() - start) as f64 / f64::from(ROUNDS));
}

#[test]
#[ignore = "prints times, checks nothing"]
fn nanoseconds() {
    let bytes = Bytes::copy_from_slice(PAYMENT.as_bytes());
    println!("a document of {} bytes", bytes.len());
    let paths = [&["amount"][..], &["userId"], &["merchant", "id"]].map(Path::new);
    for n in 0..=3 {
        let shape = Shape::new(paths[..n].iter().copied());
        time(&format!("decode with {n} paths"), || {
            black_box(Format::Json.decode(bytes.clone(), &shape).unwrap());
        });
    }
    let scope = Scope::new(Type::String, Type::Dyn);
    let key = Value::from("user-4711");
    for source in [
        "value.amount > 0",
        "value.amount > 100 && value.currency == 'EUR' && key.startsWith('user-')",
        "has(value.amount)",
        "value.?fee.orValue(0)",
        "value.merchant.id",
        "{'user': key, 'total': value.amount * 1.19}",
    ] {
        let expression = Expression::compile(source, &scope).unwrap();
        let shape = expression.paths().value_shape();
        let value = Format::Json.decode(bytes.clone(), &shape).unwrap();
        time(&format!("eval {source}"), || {
            black_box(expression.eval(&env(&key, black_box(&value))).unwrap());
        });
        time(&format!("decode and eval {source}"), || {
            let value = Format::Json.decode(bytes.clone(), &shape).unwrap();
            black_box(expression.eval(&env(&key, &value)).unwrap());
        });
    }
    let serde = serde_json::from_str::<serde_json::Value>;
    time("serde_json::Value", || {
        black_box(serde(black_box(PAYMENT)).unwrap());
    });
}
