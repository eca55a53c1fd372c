//! Arithmetic, comparison and equality of values. On the record path: no allocation but for sums of text, bytes and lists.

use std::cmp::Ordering;

use bytes::{Bytes, BytesMut};

use super::error::EvalError;
use super::val::{BytesVal, Val};
use crate::value::Str;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    #[inline]
    pub(crate) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[inline]
pub(crate) fn arithmetic<'a>(op: Arithmetic, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, EvalError> {
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => integers(op, *a, *b).map(Val::Int),
        (Val::Double(a), Val::Double(b)) => doubles(op, *a, *b),
        (Val::Int(a), Val::Double(b)) => doubles(op, *a as f64, *b),
        (Val::Double(a), Val::Int(b)) => doubles(op, *a, *b as f64),
        _ => others(op, left, right),
    }
}

fn integers(op: Arithmetic, a: i64, b: i64) -> Result<i64, EvalError> {
    let result = match op {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => {
            return Err(EvalError::new(format!(
                "{a} {} 0: an integer cannot be divided by zero",
                op.sign()
            )));
        }
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
    };
    result.ok_or_else(|| EvalError::new(format!("{a} {} {b} does not fit into 64 bits", op.sign())))
}

fn doubles(op: Arithmetic, a: f64, b: f64) -> Result<Val<'static>, EvalError> {
    Ok(Val::Double(match op {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Remainder => return Err(EvalError::new("% takes integers, not doubles")),
    }))
}

fn others<'a>(op: Arithmetic, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, EvalError> {
    let out_of_range = || EvalError::new(format!("the result of {} is outside of the years 1 to 9999", op.sign()));
    match (op, left, right) {
        (Arithmetic::Add, Val::Text(a), Val::Text(b)) => {
            Ok(Val::text(Str::from_checked(concatenated(a.as_bytes(), b.as_bytes()))))
        }
        (Arithmetic::Add, Val::Bytes(a), Val::Bytes(b)) => {
            Ok(Val::Bytes(BytesVal::Shared(concatenated(a.as_slice(), b.as_slice()))))
        }
        (Arithmetic::Add, Val::Timestamp(t), Val::Duration(d))
        | (Arithmetic::Add, Val::Duration(d), Val::Timestamp(t)) => {
            t.checked_add(*d).map(Val::Timestamp).ok_or_else(out_of_range)
        }
        (Arithmetic::Subtract, Val::Timestamp(t), Val::Duration(d)) => {
            t.checked_sub(*d).map(Val::Timestamp).ok_or_else(out_of_range)
        }
        (Arithmetic::Subtract, Val::Timestamp(a), Val::Timestamp(b)) => a
            .since(*b)
            .map(Val::Duration)
            .ok_or_else(|| EvalError::new(format!("{a} - {b} is longer than 292 years"))),
        (Arithmetic::Add, Val::Duration(a), Val::Duration(b)) => a
            .checked_add(*b)
            .map(Val::Duration)
            .ok_or_else(|| EvalError::new(format!("{a} + {b} is longer than 292 years"))),
        (Arithmetic::Subtract, Val::Duration(a), Val::Duration(b)) => a
            .checked_sub(*b)
            .map(Val::Duration)
            .ok_or_else(|| EvalError::new(format!("{a} - {b} is longer than 292 years"))),
        (Arithmetic::Add, a, b) if a.type_name() == "list" && b.type_name() == "list" => {
            let mut list = Vec::with_capacity(a.size().unwrap_or(0) + b.size().unwrap_or(0));
            for side in [a, b] {
                side.each(|element| {
                    list.push(element.into_value());
                    Ok(true)
                })?;
            }
            Ok(Val::list(list))
        }
        _ => Err(EvalError::new(format!(
            "{} {} {} is not defined",
            left.described(),
            op.sign(),
            right.described()
        ))),
    }
}

fn concatenated(a: &[u8], b: &[u8]) -> Bytes {
    let mut both = BytesMut::with_capacity(a.len() + b.len());
    both.extend_from_slice(a);
    both.extend_from_slice(b);
    both.freeze()
}

/// CEL's order: of numbers, text, bytes, truth values, times. Text compares by code point, which is the order of its bytes.
#[inline]
pub(crate) fn compare(left: &Val<'_>, right: &Val<'_>) -> Result<Ordering, EvalError> {
    let ordering = match (left, right) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
        (Val::Int(a), Val::Double(b)) => (*a as f64).partial_cmp(b),
        (Val::Double(a), Val::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Val::Text(a), Val::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Val::Bytes(a), Val::Bytes(b)) => Some(a.as_slice().cmp(b.as_slice())),
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
        (Val::Timestamp(a), Val::Timestamp(b)) => Some(a.cmp(b)),
        (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
        _ => {
            return Err(EvalError::new(format!(
                "{} cannot be compared with {}",
                left.described(),
                right.described()
            )));
        }
    };
    ordering.ok_or_else(|| EvalError::new("NaN cannot be compared"))
}

/// CEL's equality: never an error, false for different types, but numbers are equal across types.
pub(crate) fn equal(left: &Val<'_>, right: &Val<'_>) -> bool {
    match (left, right) {
        (Val::Null, Val::Null) => true,
        (Val::Text(a), Val::Text(b)) => a.as_bytes() == b.as_bytes(),
        (Val::Json(_) | Val::List(_) | Val::Map(_), Val::Json(_) | Val::List(_) | Val::Map(_)) => {
            match (left.type_name(), right.type_name()) {
                ("list", "list") => equal_lists(left, right),
                ("object", "object") => equal_objects(left, right),
                _ => false,
            }
        }
        _ => compare(left, right).is_ok_and(Ordering::is_eq),
    }
}

fn equal_lists(left: &Val<'_>, right: &Val<'_>) -> bool {
    if left.size() != right.size() {
        return false;
    }
    let mut others = Vec::new();
    let collected = right.each(|element| {
        others.push(element);
        Ok(true)
    });
    let mut others = others.iter();
    let mut same = true;
    let compared = left.each(|element| {
        same = others.next().is_some_and(|other| equal(&element, other));
        Ok(same)
    });
    same && collected.is_ok() && compared.is_ok()
}

fn equal_objects(left: &Val<'_>, right: &Val<'_>) -> bool {
    if left.size() != right.size() {
        return false;
    }
    let mut same = true;
    let compared = left.each(|key| {
        let Val::Text(name) = &key else { return Ok(false) };
        let (a, b) = (left.field(name.as_bytes())?, right.field(name.as_bytes())?);
        same = matches!((a, b), (Some(a), Some(b)) if equal(&a, &b));
        Ok(same)
    });
    same && compared.is_ok()
}
