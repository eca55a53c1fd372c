//! A value while an expression is evaluated: it borrows from the record as far as it can. On the record path.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::error::EvalError;
use super::scope::Env;
use crate::json::{JsonRef, Kind, elements, entries, find_field, parse_double, parse_int, unescape};
use crate::value::{Duration, Map, Str, Timestamp, Value, checked};

/// A value that may borrow from the record or from the expression.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text<'a>),
    Bytes(BytesVal<'a>),
    Timestamp(Timestamp),
    Duration(Duration),
    /// An object or a list of a document; scalars are always read.
    Json(JsonRef<'a>),
    List(Cow<'a, Arc<Vec<Value>>>),
    Map(Cow<'a, Arc<Map>>),
}

#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    /// A string of a document, without escapes.
    Json(JsonRef<'a>),
    Ref(&'a Str),
    Slice(&'a str),
    Owned(Str),
}

#[derive(Clone, Debug)]
pub(crate) enum BytesVal<'a> {
    Slice(&'a [u8]),
    Shared(Bytes),
}

/// Where an expression is evaluated: the record, and the variables of the macros around it.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) env: &'a Env<'a>,
    locals: Option<&'a Local<'a>>,
}

struct Local<'a> {
    value: Val<'a>,
    outer: Option<&'a Local<'a>>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(env: &'a Env<'a>) -> Self {
        Frame { env, locals: None }
    }

    /// Runs `body` with one more variable.
    pub(crate) fn with<R>(self, value: Val<'_>, body: impl FnOnce(Frame<'_>) -> R) -> R {
        let local = Local {
            value,
            outer: self.locals,
        };
        body(Frame {
            env: self.env,
            locals: Some(&local),
        })
    }

    /// The variable of the macro that is `outwards` macros further out.
    pub(crate) fn local(self, outwards: usize) -> &'a Val<'a> {
        let mut local = self.locals.expect("the compiler counted the variables");
        for _ in 0..outwards {
            local = local.outer.expect("the compiler counted the variables");
        }
        &local.value
    }
}

impl Text<'_> {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Json(json) => json.between_quotes(),
            Text::Ref(text) => text.as_bytes(),
            Text::Slice(text) => text.as_bytes(),
            Text::Owned(text) => text.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Slice(text) => text,
            other => checked(other.as_bytes()),
        }
    }

    pub(crate) fn into_str(self) -> Str {
        match self {
            Text::Json(json) => Str::from_checked(json.text_bytes()),
            Text::Ref(text) => text.clone(),
            Text::Slice(text) => Str::from(text),
            Text::Owned(text) => text,
        }
    }
}

impl BytesVal<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            BytesVal::Slice(bytes) => bytes,
            BytesVal::Shared(bytes) => bytes,
        }
    }
}

impl<'a> Val<'a> {
    #[inline]
    pub(crate) fn from_value(value: &'a Value) -> Result<Val<'a>, EvalError> {
        Ok(match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Int(n) => Val::Int(*n),
            Value::Double(d) => Val::Double(*d),
            Value::String(text) => Val::Text(Text::Ref(text)),
            Value::Bytes(bytes) => Val::Bytes(BytesVal::Slice(bytes)),
            Value::Timestamp(t) => Val::Timestamp(*t),
            Value::Duration(d) => Val::Duration(*d),
            Value::List(list) => Val::List(Cow::Borrowed(list)),
            Value::Map(map) => Val::Map(Cow::Borrowed(map)),
            Value::Json(doc) => return Val::from_json(doc.root()),
        })
    }

    /// A value of a document; the only error is an integer that is too large.
    #[inline]
    pub(crate) fn from_json(json: JsonRef<'a>) -> Result<Val<'a>, EvalError> {
        Ok(match json.kind() {
            Kind::Int => Val::Int(parse_int(json.raw())?),
            Kind::Double => Val::Double(parse_double(json.raw())),
            Kind::String => {
                let text = json.between_quotes();
                if text.contains(&b'\\') {
                    Val::Text(Text::Owned(Str::from(unescape(text))))
                } else {
                    Val::Text(Text::Json(json))
                }
            }
            Kind::Bool => Val::Bool(json.raw()[0] == b't'),
            Kind::Null => Val::Null,
            Kind::Object | Kind::List => Val::Json(json),
        })
    }

    pub(crate) fn text(text: impl Into<Str>) -> Val<'static> {
        Val::Text(Text::Owned(text.into()))
    }

    pub(crate) fn list(list: Vec<Value>) -> Val<'static> {
        Val::List(Cow::Owned(Arc::new(list)))
    }

    /// The value by itself. Text of a document shares the document's buffer.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(b),
            Val::Int(n) => Value::Int(n),
            Val::Double(d) => Value::Double(d),
            Val::Text(text) => Value::String(text.into_str()),
            Val::Bytes(BytesVal::Slice(bytes)) => Value::Bytes(Bytes::copy_from_slice(bytes)),
            Val::Bytes(BytesVal::Shared(bytes)) => Value::Bytes(bytes),
            Val::Timestamp(t) => Value::Timestamp(t),
            Val::Duration(d) => Value::Duration(d),
            Val::Json(json) => Value::Json(json.to_doc()),
            Val::List(list) => Value::List(list.into_owned()),
            Val::Map(map) => Value::Map(map.into_owned()),
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Double(_) => "double",
            Val::Text(_) => "string",
            Val::Bytes(_) => "bytes",
            Val::Timestamp(_) => "timestamp",
            Val::Duration(_) => "duration",
            Val::Json(json) => json.kind().name(),
            Val::List(_) => "list",
            Val::Map(_) => "object",
        }
    }

    /// Its type with an article, for messages.
    pub(crate) fn described(&self) -> &'static str {
        match self.type_name() {
            "null" => "null",
            "bool" => "a bool",
            "int" => "an int",
            "double" => "a double",
            "string" => "a string",
            "bytes" => "bytes",
            "timestamp" => "a timestamp",
            "duration" => "a duration",
            "list" => "a list",
            _ => "an object",
        }
    }

    /// The value of a field; `None` if the object does not have it.
    ///
    /// # Errors
    /// If this is no object.
    pub(crate) fn field(&self, name: &[u8]) -> Result<Option<Val<'a>>, EvalError> {
        match self {
            Val::Json(json) if json.kind() == Kind::Object => find_field(*json, name).map(Val::from_json).transpose(),
            Val::Map(Cow::Borrowed(map)) => map.get_bytes(name).map(Val::from_value).transpose(),
            // A map that was just computed goes away: what it holds must be taken out.
            Val::Map(Cow::Owned(map)) => Ok(map.get_bytes(name).cloned().map(Val::from_owned).transpose()?),
            other => Err(EvalError::new(format!("{} has no fields", other.described()))),
        }
    }

    /// A value that nobody else holds.
    pub(crate) fn from_owned(value: Value) -> Result<Val<'a>, EvalError> {
        Ok(match value {
            Value::String(text) => Val::Text(Text::Owned(text)),
            Value::Bytes(bytes) => Val::Bytes(BytesVal::Shared(bytes)),
            Value::List(list) => Val::List(Cow::Owned(list)),
            Value::Map(map) => Val::Map(Cow::Owned(map)),
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(b),
            Value::Int(n) => Val::Int(n),
            Value::Double(d) => Val::Double(d),
            Value::Timestamp(t) => Val::Timestamp(t),
            Value::Duration(d) => Val::Duration(d),
            // A document needs an owner to borrow from, so one level of it is read.
            Value::Json(doc) => match doc.root().kind() {
                Kind::Object => Val::Map(Cow::Owned(Arc::new(doc.fields()))),
                Kind::List => Val::list(elements(doc.root()).map(JsonRef::to_value).collect::<Result<_, _>>()?),
                _ => Val::from_owned(doc.root().to_value()?)?,
            },
        })
    }

    /// Calls `visit` with each element of a list, or each key of an object, until it returns false.
    ///
    /// # Errors
    /// If this is neither, or an element cannot be read, or `visit` fails.
    pub(crate) fn each<'b>(&'b self, mut visit: impl FnMut(Val<'b>) -> Result<bool, EvalError>) -> Result<(), EvalError>
    where
        'a: 'b,
    {
        match self {
            Val::List(list) => {
                for element in list.iter() {
                    if !visit(Val::from_value(element)?)? {
                        break;
                    }
                }
            }
            Val::Map(map) => {
                for (name, _) in map.iter() {
                    if !visit(Val::Text(Text::Ref(name)))? {
                        break;
                    }
                }
            }
            Val::Json(json) if json.kind() == Kind::List => {
                for element in elements(*json) {
                    if !visit(Val::from_json(element)?)? {
                        break;
                    }
                }
            }
            Val::Json(json) => {
                let mut seen: Vec<Val<'_>> = Vec::new();
                for (key, _) in entries(*json) {
                    let key = Val::from_json(key)?;
                    if !seen.iter().any(|other| super::operators::equal(other, &key)) {
                        seen.push(key.clone());
                        if !visit(key)? {
                            break;
                        }
                    }
                }
            }
            other => {
                return Err(EvalError::new(format!(
                    "{} is neither a list nor an object",
                    other.described()
                )));
            }
        }
        Ok(())
    }

    /// How many elements, fields, characters or bytes it has.
    pub(crate) fn size(&self) -> Option<usize> {
        Some(match self {
            Val::Text(text) => text.as_str().chars().count(),
            Val::Bytes(bytes) => bytes.as_slice().len(),
            Val::List(list) => list.len(),
            Val::Map(map) => map.len(),
            Val::Json(json) if json.kind() == Kind::List => elements(*json).count(),
            Val::Json(_) => {
                let mut count = 0;
                self.each(|_| {
                    count += 1;
                    Ok(true)
                })
                .ok()?;
                count
            }
            _ => return None,
        })
    }
}
