//! The functions that expressions can call, and how a call finds its function.

use chrono::{Datelike, Timelike};

use super::error::EvalError;
use super::node::Function;
use super::scope::Type::{self, Bool, Bytes, Double, Duration, Dyn, Int, List, String, Timestamp};
use super::strings;
use super::val::{BytesVal, Val};

/// One way to call a function; a method's first argument is what it is called on.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) method: bool,
    pub(crate) arguments: &'static [Type],
    pub(crate) result: Type,
    pub(crate) function: Function,
}

const fn method(name: &'static str, arguments: &'static [Type], result: Type, function: Function) -> Signature {
    Signature {
        name,
        method: true,
        arguments,
        result,
        function,
    }
}

const fn global(name: &'static str, arguments: &'static [Type], result: Type, function: Function) -> Signature {
    Signature {
        name,
        method: false,
        arguments,
        result,
        function,
    }
}

/// All of them. Names of functions in a namespace, such as `math.abs`, hold the namespace.
pub(crate) static SIGNATURES: &[Signature] = &[
    global("size", &[Dyn], Int, strings::size),
    method("size", &[Dyn], Int, strings::size),
    method("contains", &[String, String], Bool, strings::contains),
    method("startsWith", &[String, String], Bool, strings::starts_with),
    method("endsWith", &[String, String], Bool, strings::ends_with),
    method("matches", &[String, String], Bool, strings::matches),
    global("matches", &[String, String], Bool, strings::matches),
    method("lowerAscii", &[String], String, strings::lower_ascii),
    method("upperAscii", &[String], String, strings::upper_ascii),
    method("trim", &[String], String, strings::trim),
    method("reverse", &[String], String, strings::reverse),
    method("replace", &[String, String, String], String, strings::replace),
    method("replace", &[String, String, String, Int], String, strings::replace),
    method("split", &[String, String], List, strings::split),
    method("split", &[String, String, Int], List, strings::split),
    method("join", &[List], String, strings::join),
    method("join", &[List, String], String, strings::join),
    method("substring", &[String, Int], String, strings::substring),
    method("substring", &[String, Int, Int], String, strings::substring),
    method("charAt", &[String, Int], String, strings::char_at),
    method("indexOf", &[String, String], Int, strings::index_of),
    method("indexOf", &[String, String, Int], Int, strings::index_of),
    method("lastIndexOf", &[String, String], Int, strings::last_index_of),
    method("lastIndexOf", &[String, String, Int], Int, strings::last_index_of),
    global("string", &[String], String, strings::to_string),
    global("string", &[Bool], String, strings::to_string),
    global("string", &[Int], String, strings::to_string),
    global("string", &[Double], String, strings::to_string),
    global("string", &[Bytes], String, strings::to_string),
    global("string", &[Timestamp], String, strings::to_string),
    global("string", &[Duration], String, strings::to_string),
    global("int", &[Int], Int, to_int),
    global("int", &[Double], Int, to_int),
    global("int", &[String], Int, to_int),
    global("int", &[Timestamp], Int, to_int),
    global("double", &[Double], Double, to_double),
    global("double", &[Int], Double, to_double),
    global("double", &[String], Double, to_double),
    global("bool", &[Bool], Bool, to_bool),
    global("bool", &[String], Bool, to_bool),
    global("bytes", &[Bytes], Bytes, to_bytes),
    global("bytes", &[String], Bytes, to_bytes),
    global("timestamp", &[Timestamp], Timestamp, to_timestamp),
    global("timestamp", &[String], Timestamp, to_timestamp),
    global("timestamp", &[Int], Timestamp, to_timestamp),
    global("duration", &[Duration], Duration, to_duration),
    global("duration", &[String], Duration, to_duration),
    global("dyn", &[Dyn], Dyn, same),
    method("getFullYear", &[Timestamp], Int, |a| of_time(a, |t| t.year().into())),
    method("getMonth", &[Timestamp], Int, |a| of_time(a, |t| t.month0().into())),
    method("getDayOfYear", &[Timestamp], Int, |a| {
        of_time(a, |t| t.ordinal0().into())
    }),
    method("getDayOfMonth", &[Timestamp], Int, |a| of_time(a, |t| t.day0().into())),
    method("getDate", &[Timestamp], Int, |a| of_time(a, |t| t.day().into())),
    method("getDayOfWeek", &[Timestamp], Int, |a| {
        of_time(a, |t| t.weekday().num_days_from_sunday().into())
    }),
    method("getHours", &[Timestamp], Int, |a| {
        of_either(a, |t| t.hour().into(), 3_600_000_000_000)
    }),
    method("getHours", &[Duration], Int, |a| {
        of_either(a, |t| t.hour().into(), 3_600_000_000_000)
    }),
    method("getMinutes", &[Timestamp], Int, |a| {
        of_either(a, |t| t.minute().into(), 60_000_000_000)
    }),
    method("getMinutes", &[Duration], Int, |a| {
        of_either(a, |t| t.minute().into(), 60_000_000_000)
    }),
    method("getSeconds", &[Timestamp], Int, |a| {
        of_either(a, |t| t.second().into(), 1_000_000_000)
    }),
    method("getSeconds", &[Duration], Int, |a| {
        of_either(a, |t| t.second().into(), 1_000_000_000)
    }),
    method("getMilliseconds", &[Timestamp], Int, |a| {
        of_either(a, |t| t.timestamp_subsec_millis().into(), 1_000_000)
    }),
    method("getMilliseconds", &[Duration], Int, |a| {
        of_either(a, |t| t.timestamp_subsec_millis().into(), 1_000_000)
    }),
    global("math.abs", &[Int], Int, abs),
    global("math.abs", &[Double], Double, abs),
    global("math.ceil", &[Double], Double, |a| on_double(a, f64::ceil)),
    global("math.floor", &[Double], Double, |a| on_double(a, f64::floor)),
    global("math.round", &[Double], Double, |a| on_double(a, f64::round)),
    global("math.trunc", &[Double], Double, |a| on_double(a, f64::trunc)),
    global("math.sqrt", &[Double], Double, |a| on_double(a, f64::sqrt)),
    global("math.sqrt", &[Int], Double, |a| on_double(a, f64::sqrt)),
    global("math.isNaN", &[Double], Bool, |a| ask_double(a, f64::is_nan)),
    global("math.isInf", &[Double], Bool, |a| ask_double(a, f64::is_infinite)),
    global("math.isFinite", &[Double], Bool, |a| ask_double(a, f64::is_finite)),
    global("math.greatest", &[Dyn, Dyn], Dyn, greatest),
    global("math.least", &[Dyn, Dyn], Dyn, least),
];

/// What CEL and its extensions know and we do not.
pub(crate) const KNOWN_TO_CEL: &[&str] = &[
    "uint",
    "type",
    "format",
    "quote",
    "sort",
    "sortBy",
    "distinct",
    "flatten",
    "slice",
    "first",
    "last",
    "lists.range",
    "strings.quote",
    "base64.encode",
    "base64.decode",
    "bind",
    "cel.bind",
    "transformList",
    "transformMap",
    "transformMapEntry",
    "math.sign",
    "math.bitAnd",
    "math.bitOr",
    "math.bitXor",
    "math.bitNot",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "optional.ofNonZeroValue",
    "optMap",
    "optFlatMap",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "regex.extract",
    "regex.replace",
    "existsOne",
];

/// The names of aggregates, which are no functions.
pub(crate) const AGGREGATES: &[&str] = &["sum", "count", "min", "max", "avg", "first", "last"];

type Result<'a> = std::result::Result<Val<'a>, EvalError>;

fn wrong(value: &Val<'_>) -> EvalError {
    EvalError::new(format!("not defined for {}", value.described()))
}

fn same<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(args[0].clone())
}

fn to_int<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Int(match &args[0] {
        Val::Int(n) => *n,
        // Both ends are exclusive, as in CEL: 2^63 itself is not an int, and its neighbour below is 2^63 - 1024.
        Val::Double(d) if *d > i64::MIN as f64 && *d < i64::MAX as f64 => *d as i64,
        Val::Double(d) => return Err(EvalError::new(format!("{d} does not fit into 64 bits"))),
        Val::Text(text) => text
            .as_str()
            .parse()
            .map_err(|_| EvalError::new(format!("{:?} is no 64-bit integer", text.as_str())))?,
        Val::Timestamp(t) => t.seconds(),
        other => return Err(wrong(other)),
    }))
}

fn to_double<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Double(match &args[0] {
        Val::Int(n) => *n as f64,
        Val::Double(d) => *d,
        Val::Text(text) => text
            .as_str()
            .parse()
            .map_err(|_| EvalError::new(format!("{:?} is no number", text.as_str())))?,
        other => return Err(wrong(other)),
    }))
}

fn to_bool<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Bool(match &args[0] {
        Val::Bool(b) => *b,
        Val::Text(text) => match text.as_str() {
            "1" | "t" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "false" | "FALSE" | "False" => false,
            other => return Err(EvalError::new(format!("{other:?} is neither true nor false"))),
        },
        other => return Err(wrong(other)),
    }))
}

fn to_bytes<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(match &args[0] {
        Val::Text(text) => Val::Bytes(BytesVal::Shared(text.clone().into_str().into_bytes())),
        Val::Bytes(_) => args[0].clone(),
        other => return Err(wrong(other)),
    })
}

fn to_timestamp<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Timestamp(match &args[0] {
        Val::Timestamp(t) => *t,
        Val::Text(text) => text
            .as_str()
            .parse()
            .map_err(|e| EvalError::new(format!("{:?} is no RFC 3339 time: {e}", text.as_str())))?,
        Val::Int(seconds) => crate::value::Timestamp::new(*seconds, 0)
            .ok_or_else(|| EvalError::new(format!("{seconds} seconds are outside of the years 1 to 9999")))?,
        other => return Err(wrong(other)),
    }))
}

fn to_duration<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(Val::Duration(match &args[0] {
        Val::Duration(d) => *d,
        Val::Text(text) => text
            .as_str()
            .parse()
            .map_err(|e: std::string::String| EvalError::new(e))?,
        other => return Err(wrong(other)),
    }))
}

/// A part of a point in time.
fn of_time<'a>(args: &[Val<'a>], part: fn(&chrono::DateTime<chrono::Utc>) -> i64) -> Result<'a> {
    match &args[0] {
        Val::Timestamp(t) => Ok(Val::Int(part(&t.utc()))),
        other => Err(wrong(other)),
    }
}

/// A part of a point in time, or a whole length of time in a unit of so many nanoseconds.
fn of_either<'a>(args: &[Val<'a>], part: fn(&chrono::DateTime<chrono::Utc>) -> i64, unit: i64) -> Result<'a> {
    match &args[0] {
        Val::Duration(d) => Ok(Val::Int(d.nanos() / unit)),
        _ => of_time(args, part),
    }
}

fn abs<'a>(args: &[Val<'a>]) -> Result<'a> {
    match &args[0] {
        Val::Int(n) => n
            .checked_abs()
            .map(Val::Int)
            .ok_or_else(|| EvalError::new(format!("of {n} does not fit into 64 bits"))),
        Val::Double(d) => Ok(Val::Double(d.abs())),
        other => Err(wrong(other)),
    }
}

fn on_double<'a>(args: &[Val<'a>], function: fn(f64) -> f64) -> Result<'a> {
    match &args[0] {
        Val::Double(d) => Ok(Val::Double(function(*d))),
        Val::Int(n) => Ok(Val::Double(function(*n as f64))),
        other => Err(wrong(other)),
    }
}

fn ask_double<'a>(args: &[Val<'a>], question: fn(f64) -> bool) -> Result<'a> {
    match &args[0] {
        Val::Double(d) => Ok(Val::Bool(question(*d))),
        Val::Int(n) => Ok(Val::Bool(question(*n as f64))),
        other => Err(wrong(other)),
    }
}

fn greatest<'a>(args: &[Val<'a>]) -> Result<'a> {
    extreme(args, std::cmp::Ordering::Greater)
}

fn least<'a>(args: &[Val<'a>]) -> Result<'a> {
    extreme(args, std::cmp::Ordering::Less)
}

fn extreme<'a>(args: &[Val<'a>], wanted: std::cmp::Ordering) -> Result<'a> {
    if let Some(other) = args.iter().find(|a| !matches!(a, Val::Int(_) | Val::Double(_))) {
        return Err(wrong(other));
    }
    let mut best = args[0].clone();
    for other in &args[1..] {
        if super::operators::compare(other, &best)? == wanted {
            best = other.clone();
        }
    }
    Ok(best)
}
