//! Reading a stored state, and the arithmetic on it. On the record path: a state that is still JSON is gone through once.

use smallvec::SmallVec;

use super::Call;
use crate::expression::{Arithmetic, EvalError, Val, arithmetic, compare};
use crate::json::{JsonRef, entries, find_field};
use crate::value::{Map, Str, Value};

/// The fields of a state, in the order of the calls.
pub(super) struct State<'a> {
    fields: SmallVec<[Field<'a>; 8]>,
}

/// A field of a state.
#[derive(Clone, Copy)]
pub(super) enum Field<'a> {
    Absent,
    Value(&'a Value),
    Json(JsonRef<'a>),
}

impl<'a> State<'a> {
    pub(super) fn read(state: &'a Value, calls: &[Call]) -> Result<Self, EvalError> {
        let mut fields: SmallVec<[Field<'a>; 8]> = SmallVec::from_elem(Field::Absent, calls.len());
        match state {
            Value::Map(map) => {
                for (field, call) in fields.iter_mut().zip(calls) {
                    if let Some(value) = map.get(call.field.as_str()) {
                        *field = Field::Value(value);
                    }
                }
            }
            Value::Json(doc) if doc.is_object() => {
                for (position, (key, value)) in entries(doc.root()).enumerate() {
                    // We wrote it in this order, so the first guess is right.
                    let is = |call: &Call| key.is_text(call.field.as_str());
                    let index = match calls.get(position) {
                        Some(call) if is(call) => Some(position),
                        _ => calls.iter().position(is),
                    };
                    if let Some(index) = index {
                        fields[index] = Field::Json(value);
                    }
                }
            }
            other => {
                return Err(EvalError::new(format!(
                    "the state of an aggregate is an object, not {}",
                    other.type_name()
                )));
            }
        }
        Ok(State { fields })
    }

    pub(super) fn field(&self, index: usize) -> Field<'a> {
        self.fields[index]
    }
}

impl<'a> Field<'a> {
    pub(super) fn val(self) -> Result<Val<'a>, EvalError> {
        match self {
            Field::Absent => Ok(Val::Null),
            Field::Value(value) => Val::from_value(value),
            Field::Json(json) => Val::from_json(json),
        }
    }

    pub(super) fn to_value(self) -> Result<Value, EvalError> {
        match self {
            Field::Absent => Ok(Value::Null),
            Field::Value(value) => Ok(value.clone()),
            Field::Json(json) => json.to_value(),
        }
    }

    /// The state of a sum or a count.
    pub(super) fn number(self) -> Result<Val<'a>, EvalError> {
        match self.val()? {
            Val::Null => Ok(Val::Int(0)),
            number @ (Val::Int(_) | Val::Double(_)) => Ok(number),
            other => Err(EvalError::new(format!(
                "the state is {}, not a number",
                other.described()
            ))),
        }
    }

    /// The state of an average: sum and count.
    pub(super) fn average(self) -> Result<(Val<'a>, i64), EvalError> {
        let (sum, count) = match self {
            Field::Absent | Field::Value(Value::Null) => (Val::Int(0), Val::Int(0)),
            Field::Value(Value::Map(map)) => {
                let part = |name| map.get(name).map_or(Ok(Val::Null), Val::from_value);
                (part("sum")?, part("count")?)
            }
            Field::Value(Value::Json(doc)) => parts_of(doc.root())?,
            Field::Json(json) => parts_of(json)?,
            Field::Value(_) => (Val::Null, Val::Null),
        };
        match (sum, count) {
            (sum @ (Val::Int(_) | Val::Double(_)), Val::Int(count)) => Ok((sum, count)),
            _ => Err(EvalError::new(
                "the state is no average, which is an object with sum and count",
            )),
        }
    }

    /// The smaller or the larger of state and argument.
    pub(super) fn extreme(self, argument: Val<'_>, wanted: std::cmp::Ordering) -> Result<Value, EvalError> {
        let state = self.val()?;
        if matches!(state, Val::Null) {
            // What cannot be compared is refused at once, not at the second record.
            compare(&argument, &argument)?;
            return Ok(argument.into_value());
        }
        if compare(&argument, &state)? == wanted {
            Ok(argument.into_value())
        } else {
            self.to_value()
        }
    }
}

fn parts_of(json: JsonRef<'_>) -> Result<(Val<'_>, Val<'_>), EvalError> {
    let part = |name: &[u8]| find_field(json, name).map_or(Ok(Val::Null), Val::from_json);
    Ok((part(b"sum")?, part(b"count")?))
}

/// The sum of a state and an argument.
pub(super) fn sum(state: &Val<'_>, argument: &Val<'_>) -> Result<Value, EvalError> {
    match argument {
        Val::Int(_) | Val::Double(_) => arithmetic(Arithmetic::Add, state, argument).map(Val::into_value),
        other => Err(EvalError::new(format!("takes a number, not {}", other.described()))),
    }
}

/// The state of an average.
pub(super) fn average(sum: Value, count: i64) -> Value {
    let (sum_name, count_name) = (Str::from_static("sum"), Str::from_static("count"));
    Value::from(Map::from_iter([(sum_name, sum), (count_name, Value::Int(count))]))
}

/// What downstream sees of an average.
pub(super) fn quotient(field: Field<'_>) -> Value {
    match field.average() {
        Ok((_, 0)) | Err(_) => Value::Null,
        Ok((Val::Int(sum), count)) => Value::Double(sum as f64 / count as f64),
        Ok((Val::Double(sum), count)) => Value::Double(sum / count as f64),
        Ok(_) => Value::Null,
    }
}
