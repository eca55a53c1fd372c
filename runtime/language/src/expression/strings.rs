//! CEL's functions on text. Positions count code points.

use super::error::EvalError;
use super::val::{Text, Val};
use crate::value::Value;

type Result<'a> = std::result::Result<Val<'a>, EvalError>;

fn wrong(args: &[Val<'_>]) -> EvalError {
    let types: Vec<&str> = args.iter().map(Val::described).collect();
    EvalError::new(format!("not defined for {}", types.join(", ")))
}

macro_rules! search {
    ($name:ident, $on_bytes:expr) => {
        pub(crate) fn $name<'a>(args: &[Val<'a>]) -> Result<'a> {
            let (Val::Text(text), Val::Text(part)) = (&args[0], &args[1]) else {
                return Err(wrong(args));
            };
            let found: fn(&[u8], &[u8]) -> bool = $on_bytes;
            Ok(Val::Bool(found(text.as_bytes(), part.as_bytes())))
        }
    };
}

search!(starts_with, |text, part| text.starts_with(part));
search!(ends_with, |text, part| text.ends_with(part));
search!(contains, |text, part| part.is_empty()
    || text.windows(part.len()).any(|w| w == part));

macro_rules! change {
    ($name:ident, $change:expr) => {
        pub(crate) fn $name<'a>(args: &[Val<'a>]) -> Result<'a> {
            let Val::Text(text) = &args[0] else {
                return Err(wrong(args));
            };
            let change: fn(&str) -> String = $change;
            Ok(Val::text(change(text.as_str())))
        }
    };
}

change!(lower_ascii, str::to_ascii_lowercase);
change!(upper_ascii, str::to_ascii_uppercase);
change!(trim, |text| text.trim().to_owned());
change!(reverse, |text| text.chars().rev().collect());

pub(crate) fn matches<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Text(pattern)) = (&args[0], &args[1]) else {
        return Err(wrong(args));
    };
    let pattern =
        regex::Regex::new(pattern.as_str()).map_err(|e| EvalError::new(format!("no regular expression: {e}")))?;
    Ok(Val::Bool(pattern.is_match(text.as_str())))
}

fn limit(args: &[Val<'_>], at: usize) -> std::result::Result<Option<usize>, EvalError> {
    match args.get(at) {
        None => Ok(None),
        Some(Val::Int(n)) => Ok(usize::try_from(*n).ok()),
        Some(_) => Err(wrong(args)),
    }
}

pub(crate) fn replace<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Text(from), Val::Text(to)) = (&args[0], &args[1], &args[2]) else {
        return Err(wrong(args));
    };
    Ok(Val::text(match limit(args, 3)? {
        Some(n) => text.as_str().replacen(from.as_str(), to.as_str(), n),
        None => text.as_str().replace(from.as_str(), to.as_str()),
    }))
}

pub(crate) fn split<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Text(separator)) = (&args[0], &args[1]) else {
        return Err(wrong(args));
    };
    let (text, separator) = (text.as_str(), separator.as_str());
    let parts: Vec<&str> = match (limit(args, 2)?, separator.is_empty()) {
        (Some(0), _) => Vec::new(),
        (Some(n), false) => text.splitn(n, separator).collect(),
        (None, false) => text.split(separator).collect(),
        (n, true) => {
            // An empty separator splits between code points; the last part keeps the rest.
            let mut ends: Vec<usize> = text.char_indices().map(|(i, c)| i + c.len_utf8()).collect();
            if let Some(n) = n
                && ends.len() > n
            {
                ends.truncate(n - 1);
                ends.push(text.len());
            }
            let mut start = 0;
            ends.into_iter()
                .map(|end| &text[std::mem::replace(&mut start, end)..end])
                .collect()
        }
    };
    Ok(Val::list(parts.into_iter().map(Value::from).collect()))
}

pub(crate) fn join<'a>(args: &[Val<'a>]) -> Result<'a> {
    let separator = match args.get(1) {
        None => String::new(),
        Some(Val::Text(text)) => text.as_str().to_owned(),
        Some(_) => return Err(wrong(args)),
    };
    let mut joined = String::new();
    let mut first = true;
    args[0].each(|part| {
        let Val::Text(part) = &part else {
            return Err(EvalError::new(format!(
                "an element is {}, not a string",
                part.described()
            )));
        };
        if !std::mem::take(&mut first) {
            joined.push_str(&separator);
        }
        joined.push_str(part.as_str());
        Ok(true)
    })?;
    Ok(Val::text(joined))
}

/// The byte at which code point `n` starts; the end for the number of code points.
fn byte_of(text: &str, n: i64) -> std::result::Result<usize, EvalError> {
    let starts = text.char_indices().map(|(i, _)| i).chain([text.len()]);
    let found = usize::try_from(n).ok().and_then(|n| starts.into_iter().nth(n));
    found.ok_or_else(|| EvalError::new(format!("position {n} is outside of the string")))
}

pub(crate) fn substring<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Int(from)) = (&args[0], &args[1]) else {
        return Err(wrong(args));
    };
    let text = text.as_str();
    let end = match args.get(2) {
        None => text.len(),
        Some(Val::Int(to)) if to < from => {
            return Err(EvalError::new(format!("the end {to} is before the start {from}")));
        }
        Some(Val::Int(to)) => byte_of(text, *to)?,
        Some(_) => return Err(wrong(args)),
    };
    Ok(Val::text(&text[byte_of(text, *from)?..end]))
}

pub(crate) fn char_at<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Int(n)) = (&args[0], &args[1]) else {
        return Err(wrong(args));
    };
    let text = text.as_str();
    let rest = &text[byte_of(text, *n)?..];
    Ok(Val::text(&rest[..rest.chars().next().map_or(0, char::len_utf8)]))
}

fn count(text: &str) -> Val<'static> {
    Val::Int(text.chars().count() as i64)
}

/// Where a search starts: the third argument. An empty part is found at the start, but not beyond the end.
fn start(args: &[Val<'_>], text: &str) -> std::result::Result<Option<i64>, EvalError> {
    match args.get(2) {
        None => Ok(None),
        Some(Val::Int(n)) if *n < 0 => Err(EvalError::new(format!("position {n} is outside of the string"))),
        Some(Val::Int(n)) => {
            let length = text.chars().count() as i64;
            let empty = matches!(&args[1], Val::Text(part) if part.as_bytes().is_empty());
            if *n >= length && !empty {
                return Err(EvalError::new(format!("position {n} is outside of the string")));
            }
            Ok(Some((*n).min(length)))
        }
        Some(_) => Err(wrong(args)),
    }
}

pub(crate) fn index_of<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Text(part)) = (&args[0], &args[1]) else {
        return Err(wrong(args));
    };
    let text = text.as_str();
    let from = byte_of(text, start(args, text)?.unwrap_or(0))?;
    Ok(text[from..]
        .find(part.as_str())
        .map_or(Val::Int(-1), |at| count(&text[..from + at])))
}

pub(crate) fn last_index_of<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (Val::Text(text), Val::Text(part)) = (&args[0], &args[1]) else {
        return Err(wrong(args));
    };
    let text = text.as_str();
    match start(args, text)? {
        None => Ok(text.rfind(part.as_str()).map_or(Val::Int(-1), |at| count(&text[..at]))),
        Some(last) => {
            let last = byte_of(text, last)?;
            let found = (0..=last)
                .rev()
                .filter(|&at| text.is_char_boundary(at))
                .find(|&at| text[at..].starts_with(part.as_str()));
            Ok(found.map_or(Val::Int(-1), |at| count(&text[..at])))
        }
    }
}

pub(crate) fn size<'a>(args: &[Val<'a>]) -> Result<'a> {
    match args[0].size() {
        Some(n) => Ok(Val::Int(n as i64)),
        None => Err(wrong(args)),
    }
}

pub(crate) fn to_string<'a>(args: &[Val<'a>]) -> Result<'a> {
    Ok(match &args[0] {
        Val::Text(text) => Val::Text(Text::Owned(text.clone().into_str())),
        Val::Bool(b) => Val::text(if *b { "true" } else { "false" }),
        Val::Int(n) => Val::text(n.to_string()),
        Val::Double(d) => Val::text(d.to_string()),
        Val::Timestamp(t) => Val::text(t.to_string()),
        Val::Duration(d) => Val::text(d.to_string()),
        Val::Bytes(bytes) => match std::str::from_utf8(bytes.as_slice()) {
            Ok(text) => Val::text(text),
            Err(_) => return Err(EvalError::new("the bytes are no UTF-8")),
        },
        _ => return Err(wrong(args)),
    })
}
