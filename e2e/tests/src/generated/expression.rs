//! Expressions as trees: written as CEL for Millrace, as JSON for the interpreter in Java, and cut smaller.

use std::fmt::Write;

use serde_json::{Value, json};

/// An expression of the language.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    /// `key`, `value`, `timestamp`, `window.start`, the variable of a macro, ...
    Name(&'static str),
    Header(&'static str),
    HasHeader(&'static str),
    Field(Box<Expr>, String),
    Has(Box<Expr>, String),
    /// `of.?name`; only within `OrValue`, `HasValue` and another of its kind.
    OptField(Box<Expr>, String),
    OrValue(Box<Expr>, Box<Expr>),
    HasValue(Box<Expr>),
    Index(Box<Expr>, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    /// Kind, list, variable, body.
    Macro(&'static str, Box<Expr>, &'static str, Box<Expr>),
    Call(&'static str, Vec<Expr>),
    /// The first argument is what the method is called on.
    Method(&'static str, Vec<Expr>),
}

/// What is known of a value before there are records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Dyn,
    Null,
    Bool,
    Int,
    Double,
    Str,
    Bytes,
    Time,
    Duration,
    List,
    Map,
}

const TERNARY: u8 = 1;
const UNARY: u8 = 7;
const POSTFIX: u8 = 8;

/// How tightly an operator binds.
fn level(op: &str) -> u8 {
    match op {
        "||" => 2,
        "&&" => 3,
        "+" | "-" => 5,
        "*" | "/" | "%" => 6,
        _ => 4,
    }
}

impl Expr {
    pub fn boxed(self) -> Box<Expr> {
        Box::new(self)
    }

    pub fn field(self, name: &str) -> Expr {
        Expr::Field(self.boxed(), name.to_owned())
    }

    pub fn binary(op: &'static str, left: Expr, right: Expr) -> Expr {
        Expr::Binary(op, left.boxed(), right.boxed())
    }

    /// As text of the language.
    pub fn cel(&self) -> String {
        let mut text = String::new();
        self.print(&mut text, 0);
        text
    }

    fn level(&self) -> u8 {
        match self {
            Expr::Conditional(..) => TERNARY,
            Expr::Binary(op, ..) => level(op),
            Expr::Not(_) | Expr::Negate(_) => UNARY,
            Expr::Int(n) if *n < 0 => UNARY,
            Expr::Double(d) if d.is_sign_negative() => UNARY,
            _ => 9,
        }
    }

    /// Writes it, in parentheses if what is around it binds tighter.
    fn print(&self, out: &mut String, least: u8) {
        if self.level() < least {
            out.push('(');
            self.print(out, 0);
            out.push(')');
            return;
        }
        match self {
            Expr::Null => out.push_str("null"),
            Expr::Bool(b) => write!(out, "{b}").expect("a string grows"),
            Expr::Int(n) => write!(out, "{n}").expect("a string grows"),
            Expr::Double(d) => write!(out, "{d:?}").expect("a string grows"),
            Expr::Str(text) => quote(text, out),
            Expr::Name(name) => out.push_str(name),
            Expr::Header(name) => write!(out, "headers['{name}']").expect("a string grows"),
            Expr::HasHeader(name) => write!(out, "has(headers.{name})").expect("a string grows"),
            Expr::Field(of, name) => {
                of.print(out, POSTFIX);
                write!(out, ".{name}").expect("a string grows");
            }
            Expr::Has(of, name) => {
                out.push_str("has(");
                of.print(out, POSTFIX);
                write!(out, ".{name})").expect("a string grows");
            }
            Expr::OptField(of, name) => {
                of.print(out, POSTFIX);
                write!(out, ".?{name}").expect("a string grows");
            }
            Expr::OrValue(of, other) => {
                of.print(out, POSTFIX);
                out.push_str(".orValue(");
                other.print(out, 0);
                out.push(')');
            }
            Expr::HasValue(of) => {
                of.print(out, POSTFIX);
                out.push_str(".hasValue()");
            }
            Expr::Index(of, index) => {
                of.print(out, POSTFIX);
                out.push('[');
                index.print(out, 0);
                out.push(']');
            }
            Expr::Binary(op, left, right) => {
                left.print(out, level(op));
                write!(out, " {op} ").expect("a string grows");
                right.print(out, level(op) + 1);
            }
            Expr::Not(inner) => {
                out.push('!');
                inner.print(out, POSTFIX);
            }
            Expr::Negate(inner) => {
                out.push('-');
                inner.print(out, POSTFIX);
            }
            Expr::Conditional(condition, then, otherwise) => {
                condition.print(out, TERNARY + 1);
                out.push_str(" ? ");
                then.print(out, TERNARY + 1);
                out.push_str(" : ");
                otherwise.print(out, TERNARY);
            }
            Expr::List(elements) => {
                out.push('[');
                separated(elements, out);
                out.push(']');
            }
            Expr::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    quote(name, out);
                    out.push_str(": ");
                    value.print(out, 0);
                }
                out.push('}');
            }
            Expr::Macro(kind, list, variable, body) => {
                list.print(out, POSTFIX);
                write!(out, ".{kind}({variable}, ").expect("a string grows");
                body.print(out, 0);
                out.push(')');
            }
            Expr::Call(name, arguments) => {
                write!(out, "{name}(").expect("a string grows");
                separated(arguments, out);
                out.push(')');
            }
            Expr::Method(name, arguments) => {
                arguments[0].print(out, POSTFIX);
                write!(out, ".{name}(").expect("a string grows");
                separated(&arguments[1..], out);
                out.push(')');
            }
        }
    }

    /// As `Eval.java` reads it.
    pub fn json(&self) -> Value {
        let all = |op: &str, parts: &[&Expr]| {
            let mut list = vec![json!(op)];
            list.extend(parts.iter().map(|part| part.json()));
            Value::from(list)
        };
        match self {
            Expr::Null => json!(["null"]),
            Expr::Bool(b) => json!(["bool", b]),
            Expr::Int(n) => json!(["int", n]),
            Expr::Double(d) => json!(["double", format!("{d:?}")]),
            Expr::Str(text) => json!(["str", text]),
            Expr::Name(name) => json!(["name", name]),
            Expr::Header(name) => json!(["header", name]),
            Expr::HasHeader(name) => json!(["hasHeader", name]),
            Expr::Field(of, name) => json!(["field", of.json(), name]),
            Expr::Has(of, name) => json!(["has", of.json(), name]),
            Expr::OptField(of, name) => json!(["optField", of.json(), name]),
            Expr::OrValue(of, other) => all("orValue", &[of, other]),
            Expr::HasValue(of) => all("hasValue", &[of]),
            Expr::Index(of, index) => all("index", &[of, index]),
            Expr::Binary(op, left, right) => all(op, &[left, right]),
            Expr::Not(inner) => all("!", &[inner]),
            Expr::Negate(inner) => all("neg", &[inner]),
            Expr::Conditional(condition, then, otherwise) => all("?", &[condition, then, otherwise]),
            Expr::List(elements) => all("list", &elements.iter().collect::<Vec<_>>()),
            Expr::Object(fields) => {
                let mut list = vec![json!("object")];
                list.extend(fields.iter().map(|(name, value)| json!([name, value.json()])));
                Value::from(list)
            }
            Expr::Macro(kind, list, variable, body) => json!(["macro", kind, list.json(), variable, body.json()]),
            Expr::Call(name, arguments) | Expr::Method(name, arguments) => {
                let mut list = vec![json!("call"), json!(name)];
                list.extend(arguments.iter().map(Expr::json));
                Value::from(list)
            }
        }
    }

    /// Its type before there are records, given those of key and value.
    pub fn static_type(&self, key: Type, value: Type) -> Type {
        let of = |expr: &Expr| expr.static_type(key, value);
        match self {
            Expr::Null => Type::Null,
            Expr::Bool(_) | Expr::HasHeader(_) | Expr::Has(..) | Expr::HasValue(_) | Expr::Not(_) => Type::Bool,
            Expr::Int(_) => Type::Int,
            Expr::Double(_) => Type::Double,
            Expr::Str(_) => Type::Str,
            Expr::Header(_) => Type::Bytes,
            Expr::Name("key") => key,
            Expr::Name("value") => value,
            Expr::Name("timestamp" | "window.start" | "window.end") => Type::Time,
            Expr::Name("topic") => Type::Str,
            Expr::Name("partition" | "offset") => Type::Int,
            Expr::Name(_) | Expr::Field(..) | Expr::OptField(..) | Expr::OrValue(..) | Expr::Index(..) => Type::Dyn,
            Expr::Negate(inner) => of(inner),
            Expr::Conditional(_, then, otherwise) if of(then) == of(otherwise) => of(then),
            Expr::Conditional(..) => Type::Dyn,
            Expr::List(_) => Type::List,
            Expr::Object(_) => Type::Map,
            Expr::Macro("map" | "filter", ..) => Type::List,
            Expr::Macro(..) => Type::Bool,
            Expr::Binary("%", ..) => Type::Int,
            Expr::Binary("+" | "-" | "*" | "/", left, right) => sum(of(left), of(right)),
            Expr::Binary(..) => Type::Bool,
            Expr::Call(name, arguments) | Expr::Method(name, arguments) => match *name {
                "string" | "lowerAscii" | "upperAscii" | "trim" | "reverse" | "replace" | "join" | "substring"
                | "charAt" => Type::Str,
                "bool" | "contains" | "startsWith" | "endsWith" | "matches" | "math.isNaN" | "math.isInf"
                | "math.isFinite" => Type::Bool,
                "double" | "math.ceil" | "math.floor" | "math.round" | "math.trunc" | "math.sqrt" => Type::Double,
                "math.abs" => of(&arguments[0]),
                "math.greatest" | "math.least" => Type::Dyn,
                "bytes" => Type::Bytes,
                "timestamp" => Type::Time,
                "duration" => Type::Duration,
                "split" => Type::List,
                _ => Type::Int,
            },
        }
    }

    fn parts(&mut self) -> Vec<&mut Expr> {
        match self {
            Expr::Null
            | Expr::Bool(_)
            | Expr::Int(_)
            | Expr::Double(_)
            | Expr::Str(_)
            | Expr::Name(_)
            | Expr::Header(_)
            | Expr::HasHeader(_) => Vec::new(),
            Expr::Field(of, _)
            | Expr::Has(of, _)
            | Expr::OptField(of, _)
            | Expr::HasValue(of)
            | Expr::Not(of)
            | Expr::Negate(of) => {
                vec![of]
            }
            Expr::OrValue(a, b) | Expr::Index(a, b) | Expr::Binary(_, a, b) | Expr::Macro(_, a, _, b) => vec![a, b],
            Expr::Conditional(a, b, c) => vec![a, b, c],
            Expr::List(list) | Expr::Call(_, list) | Expr::Method(_, list) => list.iter_mut().collect(),
            Expr::Object(fields) => fields.iter_mut().map(|(_, value)| value).collect(),
        }
    }

    /// Smaller expressions: a part in place of the whole, or a part cut smaller. They need not compile.
    pub fn shrinks(&self) -> Vec<Expr> {
        let mut whole = self.clone();
        let mut smaller: Vec<Expr> = whole.parts().iter().map(|part| (**part).clone()).collect();
        let parts = smaller.clone();
        if let Expr::Object(fields) = self
            && fields.len() > 1
        {
            smaller.extend((0..fields.len()).map(|at| {
                let mut fewer = fields.clone();
                fewer.remove(at);
                Expr::Object(fewer)
            }));
        }
        for (at, part) in parts.iter().enumerate() {
            for cut in part.shrinks() {
                let mut with = self.clone();
                *with.parts()[at] = cut;
                smaller.push(with);
            }
        }
        smaller
    }
}

fn sum(left: Type, right: Type) -> Type {
    use Type::{Double, Duration, Dyn, Int, Time};
    match (left, right) {
        (Double, _) | (_, Double) => Double,
        (Int, Int) => Int,
        (Int, Dyn) | (Dyn, Int) => Dyn,
        (Time, Time) => Duration,
        (Time, Duration) | (Duration, Time) => Time,
        (Dyn, known) | (known, _) => known,
    }
}

fn separated(list: &[Expr], out: &mut String) {
    for (at, expr) in list.iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        expr.print(out, 0);
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_stand_where_they_are_needed() {
        let name = |name| Expr::Name(name);
        let product = Expr::binary("*", Expr::binary("+", name("key"), Expr::Int(-1)), Expr::Int(2));
        assert_eq!(product.cel(), "(key + -1) * 2");
        assert_eq!(
            Expr::binary("-", Expr::Int(3), Expr::binary("-", Expr::Int(2), Expr::Int(1))).cel(),
            "3 - (2 - 1)"
        );
        assert_eq!(
            Expr::Negate(Expr::Int(-5).boxed()).cel(),
            "-(-5)",
            "two signs would be something else"
        );
        assert_eq!(
            Expr::Method(
                "size",
                vec![Expr::binary("+", name("key"), Expr::Str("it's".to_owned()))]
            )
            .cel(),
            r"(key + 'it\'s').size()"
        );
        assert_eq!(
            product.json().to_string(),
            r#"["*",["+",["name","key"],["int",-1]],["int",2]]"#
        );
        assert!(
            product
                .shrinks()
                .contains(&Expr::binary("*", Expr::Name("key"), Expr::Int(2)))
        );
    }
}
