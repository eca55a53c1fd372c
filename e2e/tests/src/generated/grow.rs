//! Random expressions whose types fit, over what a record at this place has.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::expression::{Expr, Type};

/// What a value mostly is, whatever is known of it before there are records.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Int,
    Double,
    Str,
    Bool,
    Bytes,
    Time,
    List(Box<Shape>),
    Object(Vec<(String, Shape)>),
}

/// What expressions at a place can name.
pub struct Scope<'a> {
    pub key: (Type, &'a Shape),
    pub value: (Type, &'a Shape),
    pub windowed: bool,
    /// Whether time, topic, partition and headers of the record are known to both engines.
    pub context: bool,
    /// Whether offsets are the same: in internal topics the markers of transactions have some.
    pub offset: bool,
}

/// Makes expressions.
pub struct Grower<'a> {
    pub random: &'a mut StdRng,
    leaves: Vec<(Expr, Shape, Type)>,
    context: bool,
}

const WORDS: [&str; 8] = ["u1", "u2", "a", "", "ü", "😀", "x-y", "It's"];
const PATTERNS: [&str; 4] = ["^u[0-9]$", "a+", "[x-z]", "ü|é"];

impl<'a> Grower<'a> {
    pub fn new(random: &'a mut StdRng, scope: &Scope<'_>) -> Self {
        let mut leaves = Vec::new();
        collect(Expr::Name("key"), scope.key.1, scope.key.0, &mut leaves);
        collect(Expr::Name("value"), scope.value.1, scope.value.0, &mut leaves);
        let mut name = |name, shape, ty| leaves.push((Expr::Name(name), shape, ty));
        if scope.context {
            name("timestamp", Shape::Time, Type::Time);
            name("topic", Shape::Str, Type::Str);
            name("partition", Shape::Int, Type::Int);
        }
        if scope.offset {
            name("offset", Shape::Int, Type::Int);
        }
        if scope.windowed {
            name("window.start", Shape::Time, Type::Time);
            name("window.end", Shape::Time, Type::Time);
        }
        Grower {
            random,
            leaves,
            context: scope.context,
        }
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.random.random_ratio(1, n)
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(self.random).expect("there is a choice").clone()
    }

    fn leaf(&mut self, wanted: impl Fn(&Shape) -> bool) -> Option<Expr> {
        let fitting: Vec<&Expr> = self
            .leaves
            .iter()
            .filter(|(_, shape, _)| wanted(shape))
            .map(|(expr, ..)| expr)
            .collect();
        fitting.choose(self.random).map(|expr| (*expr).clone())
    }

    /// A field of key or value, of any kind: where types are known late, sometimes the wrong one.
    fn any_field(&mut self) -> Option<Expr> {
        let fields: Vec<&Expr> = self
            .leaves
            .iter()
            .filter(|(expr, ..)| matches!(expr, Expr::Field(..)))
            .map(|(expr, ..)| expr)
            .collect();
        fields.choose(self.random).map(|expr| (*expr).clone())
    }

    /// `value.?a.?b` for the field `value.a.b`.
    fn optional(&mut self, path: &Expr) -> Expr {
        match path {
            Expr::Field(of, name) => {
                let of = if matches!(**of, Expr::Field(..)) && !self.one_in(4) {
                    self.optional(of).boxed()
                } else {
                    of.clone()
                };
                Expr::OptField(of, name.clone())
            }
            other => other.clone(),
        }
    }

    /// An expression of this shape, so deep at most.
    pub fn grow(&mut self, shape: &Shape, depth: u32) -> Expr {
        if self.one_in(40)
            && let Some(field) = self.any_field()
        {
            return field;
        }
        if depth > 0 && self.one_in(8) {
            return self.shapeless(shape, depth - 1);
        }
        match shape {
            Shape::Int => self.int(depth),
            Shape::Double => self.double(depth),
            Shape::Str => self.text(depth),
            Shape::Bool => self.truth(depth),
            Shape::Bytes => self.bytes(depth),
            Shape::Time => self.time(depth),
            Shape::List(of) => self.list(of, depth),
            Shape::Object(fields) => match self.leaf(|other| matches!(other, Shape::Object(_))) {
                Some(leaf) if self.one_in(2) => leaf,
                _ => Expr::Object(
                    fields
                        .iter()
                        .map(|(name, shape)| (name.clone(), self.grow(shape, depth.saturating_sub(1))))
                        .collect(),
                ),
            },
        }
    }

    /// What exists for every shape: a choice, a default.
    fn shapeless(&mut self, shape: &Shape, depth: u32) -> Expr {
        let field = self
            .leaf(|other| other == shape)
            .filter(|expr| matches!(expr, Expr::Field(..)));
        match field {
            Some(field) if self.one_in(2) => {
                let default = self.grow(shape, depth);
                Expr::OrValue(self.optional(&field).boxed(), default.boxed())
            }
            Some(field @ Expr::Field(..)) if self.one_in(2) => {
                let Expr::Field(of, name) = &field else { unreachable!() };
                let condition = Expr::Has(of.clone(), name.clone());
                Expr::Conditional(
                    condition.boxed(),
                    field.clone().boxed(),
                    self.grow(shape, depth).boxed(),
                )
            }
            _ => Expr::Conditional(
                self.truth(depth).boxed(),
                self.grow(shape, depth).boxed(),
                self.grow(shape, depth).boxed(),
            ),
        }
    }

    fn int(&mut self, depth: u32) -> Expr {
        if depth == 0 || self.one_in(4) {
            return match self.leaf(|shape| *shape == Shape::Int) {
                Some(leaf) if !self.one_in(4) => leaf,
                _ => Expr::Int(self.pick(&[0, 1, 2, 3, 7, -1, -5, 10, 100, 1_000_000, i64::MAX, i64::MIN])),
            };
        }
        let d = depth - 1;
        match self.random.random_range(0..14) {
            0..5 => {
                let op = self.pick(&["+", "-", "*", "/", "%"]);
                Expr::binary(op, self.int(d), self.int(d))
            }
            5 => Expr::Negate(self.int(d).boxed()),
            6 => Expr::Call("int", vec![self.double(d)]),
            7 => Expr::Call("int", vec![self.digits(d)]),
            8 => Expr::Method("size", vec![self.text(d)]),
            9 => {
                let list = Shape::List(Box::new(Shape::Str));
                Expr::Call("size", vec![self.grow(&list, d)])
            }
            10 => {
                let method = self.pick(&["indexOf", "lastIndexOf"]);
                Expr::Method(
                    method,
                    vec![self.text(d), Expr::Str(self.pick(&["", "a", "ü", "1"]).to_owned())],
                )
            }
            11 => Expr::Call("math.abs", vec![self.int(d)]),
            12 => {
                let part = self.pick(&[
                    "getFullYear",
                    "getMonth",
                    "getDate",
                    "getDayOfMonth",
                    "getDayOfWeek",
                    "getDayOfYear",
                    "getHours",
                    "getMinutes",
                    "getSeconds",
                    "getMilliseconds",
                ]);
                Expr::Method(part, vec![self.time(d)])
            }
            _ => Expr::Call("int", vec![self.time(d)]),
        }
    }

    /// Text that is mostly a number.
    fn digits(&mut self, depth: u32) -> Expr {
        match self.random.random_range(0..4) {
            0 => Expr::Call("string", vec![self.int(depth)]),
            1 => self.text(depth),
            _ => Expr::Str(
                self.pick(&["12", "-7", "+3", "0", "9223372036854775808", "1e3", "ten"])
                    .to_owned(),
            ),
        }
    }

    fn double(&mut self, depth: u32) -> Expr {
        if depth == 0 || self.one_in(4) {
            return match self.leaf(|shape| *shape == Shape::Double) {
                Some(leaf) if !self.one_in(4) => leaf,
                _ => Expr::Double(self.pick(&[0.0, 1.0, 2.5, -0.5, 0.1, 1e300, 1e-7, -0.0, 123_456.789, 1e21])),
            };
        }
        let d = depth - 1;
        match self.random.random_range(0..10) {
            0..3 => {
                let op = self.pick(&["+", "-", "*", "/"]);
                Expr::binary(op, self.double(d), self.double(d))
            }
            3 => {
                let op = self.pick(&["+", "-", "*", "/"]);
                Expr::binary(op, self.double(d), self.int(d))
            }
            4 => {
                let op = self.pick(&["+", "-", "*", "/"]);
                Expr::binary(op, self.int(d), self.double(d))
            }
            5 => Expr::Call("double", vec![self.int(d)]),
            6 => Expr::Call("double", vec![self.digits(d)]),
            7 => {
                let function = self.pick(&[
                    "math.ceil",
                    "math.floor",
                    "math.round",
                    "math.trunc",
                    "math.sqrt",
                    "math.abs",
                ]);
                Expr::Call(function, vec![self.double(d)])
            }
            8 => {
                let function = self.pick(&["math.greatest", "math.least"]);
                Expr::Call(function, vec![self.double(d), self.int(d)])
            }
            _ => Expr::Negate(self.double(d).boxed()),
        }
    }

    fn text(&mut self, depth: u32) -> Expr {
        if depth == 0 || self.one_in(3) {
            return match self.leaf(|shape| *shape == Shape::Str) {
                Some(leaf) if !self.one_in(5) => leaf,
                _ => Expr::Str(self.pick(&WORDS).to_owned()),
            };
        }
        let d = depth - 1;
        match self.random.random_range(0..11) {
            0..3 => Expr::binary("+", self.text(d), self.text(d)),
            3 => Expr::Call("string", vec![self.int(d)]),
            4 => Expr::Call("string", vec![self.double(d)]),
            5 => {
                let of = self.pick(&[Shape::Bool, Shape::Time, Shape::Bytes]);
                Expr::Call("string", vec![self.grow_plain(&of, d)])
            }
            6 => {
                let method = self.pick(&["lowerAscii", "upperAscii", "trim", "reverse"]);
                Expr::Method(method, vec![self.text(d)])
            }
            7 => {
                let from = Expr::Str(self.pick(&["u", "1", "ü", "zz"]).to_owned());
                Expr::Method("replace", vec![self.text(d), from, self.text(0)])
            }
            8 => {
                let mut arguments = vec![self.text(d), Expr::Int(self.random.random_range(0..3))];
                if self.one_in(2) {
                    arguments.push(Expr::Int(self.random.random_range(0..4)));
                }
                Expr::Method("substring", arguments)
            }
            9 => Expr::Method("charAt", vec![self.text(d), Expr::Int(self.random.random_range(0..3))]),
            _ => {
                let list = Shape::List(Box::new(Shape::Str));
                Expr::Method(
                    "join",
                    vec![self.grow(&list, d), Expr::Str(self.pick(&[",", "", "ü"]).to_owned())],
                )
            }
        }
    }

    /// As [`Grower::grow`] without a wrong type: for calls that are refused if it is known to be wrong.
    fn grow_plain(&mut self, shape: &Shape, depth: u32) -> Expr {
        match shape {
            Shape::Bool => self.truth(depth),
            Shape::Time => self.time(depth),
            _ => self.bytes(depth),
        }
    }

    fn bytes(&mut self, depth: u32) -> Expr {
        if self.context && self.one_in(4) {
            return Expr::Header("h1");
        }
        match self.leaf(|shape| *shape == Shape::Bytes) {
            Some(leaf) if !self.one_in(4) => leaf,
            _ => Expr::Call("bytes", vec![self.text(depth.saturating_sub(1))]),
        }
    }

    fn time(&mut self, depth: u32) -> Expr {
        if depth > 0 && self.one_in(3) {
            let length = Expr::Call(
                "duration",
                vec![Expr::Str(self.pick(&["5m", "1h30m", "500ms", "0s"]).to_owned())],
            );
            let op = self.pick(&["+", "-"]);
            return Expr::binary(op, self.time(depth - 1), length);
        }
        match self.leaf(|shape| *shape == Shape::Time) {
            Some(leaf) if !self.one_in(4) => leaf,
            _ => match self.random.random_range(0..3) {
                0 => Expr::Call("timestamp", vec![Expr::Int(self.pick(&[0, 1_700_000_000, -1]))]),
                1 => {
                    let text = self.pick(&["2024-02-29T23:59:59.123456Z", "2023-11-14T22:13:20+02:00", "yesterday"]);
                    Expr::Call("timestamp", vec![Expr::Str(text.to_owned())])
                }
                _ => Expr::Call("timestamp", vec![self.int(depth.saturating_sub(1))]),
            },
        }
    }

    fn list(&mut self, of: &Shape, depth: u32) -> Expr {
        let leaf = self.leaf(|shape| matches!(shape, Shape::List(element) if **element == *of));
        let d = depth.saturating_sub(1);
        match (leaf, self.random.random_range(0..6)) {
            (Some(leaf), 0..3) => leaf,
            (Some(leaf), 3) if depth > 0 => {
                let body = self.about_element(of, d);
                Expr::Macro("filter", leaf.boxed(), "e", body.boxed())
            }
            (Some(leaf), 4) if depth > 0 && *of == Shape::Str => {
                let body = Expr::Method("upperAscii", vec![Expr::Name("e")]);
                Expr::Macro("map", leaf.boxed(), "e", body.boxed())
            }
            (_, 5) if *of == Shape::Str => Expr::Method(
                "split",
                vec![self.text(d), Expr::Str(self.pick(&["-", "1", ", "]).to_owned())],
            ),
            _ => {
                let elements = (0..self.random.random_range(0..3)).map(|_| self.grow(of, d)).collect();
                Expr::List(elements)
            }
        }
    }

    /// A condition on `e`, an element of a list.
    fn about_element(&mut self, of: &Shape, depth: u32) -> Expr {
        let element = Expr::Name("e");
        match of {
            Shape::Int => {
                let op = self.pick(&["<", ">=", "==", "!="]);
                Expr::binary(op, element, self.int(depth))
            }
            _ if self.one_in(2) => Expr::Method(
                "contains",
                vec![element, Expr::Str(self.pick(&["a", "ü", ""]).to_owned())],
            ),
            _ => {
                let op = self.pick(&["==", "!=", "<"]);
                Expr::binary(op, element, self.text(depth))
            }
        }
    }

    pub fn truth(&mut self, depth: u32) -> Expr {
        if depth == 0 {
            return match self.leaf(|shape| *shape == Shape::Bool) {
                Some(leaf) if !self.one_in(6) => leaf,
                _ => match self.random.random_range(0..3) {
                    0 => Expr::Bool(self.random.random()),
                    1 => Expr::binary(">", self.int(0), self.int(0)),
                    _ => Expr::binary("!=", self.text(0), self.text(0)),
                },
            };
        }
        let d = depth - 1;
        let comparison = |g: &mut Self| g.pick(&["<", "<=", ">", ">=", "==", "!="]);
        match self.random.random_range(0..16) {
            0..2 => {
                let op = comparison(self);
                Expr::binary(op, self.int(d), self.int(d))
            }
            2 => {
                let op = comparison(self);
                Expr::binary(op, self.double(d), self.int(d))
            }
            3 => {
                let op = comparison(self);
                Expr::binary(op, self.double(d), self.double(d))
            }
            4..6 => {
                let op = comparison(self);
                Expr::binary(op, self.text(d), self.text(d))
            }
            6 => {
                let op = comparison(self);
                Expr::binary(op, self.time(d), self.time(d))
            }
            7..9 => {
                let op = self.pick(&["&&", "||"]);
                Expr::binary(op, self.truth(d), self.truth(d))
            }
            9 => Expr::Not(self.truth(d).boxed()),
            10 => {
                let method = self.pick(&["contains", "startsWith", "endsWith"]);
                Expr::Method(method, vec![self.text(d), self.text(0)])
            }
            11 => Expr::Method(
                "matches",
                vec![self.text(d), Expr::Str(self.pick(&PATTERNS).to_owned())],
            ),
            12 if self.context && self.one_in(3) => Expr::HasHeader("h1"),
            12 => match self.any_field() {
                Some(field) if self.one_in(3) => {
                    let op = self.pick(&["==", "!="]);
                    Expr::binary(op, field, Expr::Null)
                }
                Some(Expr::Field(of, name)) if self.one_in(2) => Expr::Has(of, name),
                Some(field) => Expr::HasValue(self.optional(&field).boxed()),
                None => self.truth(d),
            },
            13 => {
                let shape = self.pick(&[Shape::Int, Shape::Str]);
                let list = self.list(&shape, d);
                Expr::binary("in", self.grow(&shape, d), list)
            }
            14 => {
                let shape = self.pick(&[Shape::Int, Shape::Str]);
                let kind = self.pick(&["all", "exists", "exists_one"]);
                let list = self.list(&shape, d);
                Expr::Macro(kind, list.boxed(), "e", self.about_element(&shape, d).boxed())
            }
            _ => match self.random.random_range(0..3) {
                0 => Expr::Call("math.isNaN", vec![self.double(d)]),
                1 => Expr::Call("bool", vec![Expr::Str(self.pick(&["true", "f", "1", "no"]).to_owned())]),
                _ => Expr::binary("==", self.truth(d), self.truth(d)),
            },
        }
    }
}

/// The value itself and everything in it that has a name.
fn collect(at: Expr, shape: &Shape, ty: Type, leaves: &mut Vec<(Expr, Shape, Type)>) {
    if let Shape::Object(fields) = shape {
        for (name, field) in fields {
            collect(at.clone().field(name), field, Type::Dyn, leaves);
        }
    }
    if let Shape::List(of) = shape {
        leaves.push((
            Expr::Index(at.clone().boxed(), Expr::Int(0).boxed()),
            (**of).clone(),
            Type::Dyn,
        ));
    }
    leaves.push((at, shape.clone(), ty));
}
