//! Random applications: any composition of steps that fits, two to eight of them.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::app::{Aggregate, App, Figure, Format, OnError, Origin, Output, Pipeline, Step, Target, Topic};
use super::expression::{Expr, Type};
use super::grow::{Grower, Scope, Shape};
use super::records;
use super::script::{Lowering, Place};

/// What kinds of applications to make.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Expressions name the record's time, topic, offset and headers.
    pub context: bool,
    /// Failing records may end the application.
    pub failing: bool,
    /// Results do not depend on the order in which records of different partitions come.
    pub any_order: bool,
}

/// What is mostly in keys and values at a place, and where its records come from.
#[derive(Clone)]
struct Content {
    key: Shape,
    value: Shape,
    /// Topics whose records came directly, and through a repartition topic.
    direct: BTreeSet<String>,
    repartitioned: BTreeSet<String>,
}

impl Content {
    /// Whether no record comes in an order that is left open: by two repartition topics. Nor twice, where a cache holds updates back: the test
    /// driver of Kafka Streams empties it for each of the two.
    fn comes_apart(&self, other: &Content, cached: bool) -> bool {
        let all =
            |content: &Content| -> BTreeSet<String> { content.direct.union(&content.repartitioned).cloned().collect() };
        self.repartitioned.is_disjoint(&other.repartitioned) && (!cached || all(self).is_disjoint(&all(other)))
    }
}

struct Maker<'a> {
    random: &'a mut StdRng,
    profile: Profile,
    app: App,
    contents: BTreeMap<String, Content>,
    names: u32,
}

/// A random application.
pub fn app(random: &mut StdRng, profile: Profile, id: &str) -> App {
    let policy = |random: &mut StdRng| {
        if profile.failing && random.random_ratio(1, 25) {
            OnError::Fail
        } else {
            OnError::Continue
        }
    };
    let app = App {
        id: id.to_owned(),
        topics: Vec::new(),
        pipelines: Vec::new(),
        reading: policy(random),
        processing: policy(random),
        writing: policy(random),
        exactly_once: random.random(),
        cache: if random.random_ratio(1, 3) { 10_485_760 } else { 0 },
    };
    let mut maker = Maker {
        random,
        profile,
        app,
        contents: BTreeMap::new(),
        names: 0,
    };
    maker.inputs();
    maker.pipelines();
    maker.app
}

fn shape_of(format: Format) -> Shape {
    match format {
        Format::String => Shape::Str,
        Format::Long => Shape::Int,
        Format::Double => Shape::Double,
        Format::Bytes => Shape::Bytes,
        Format::Json => records::schema(),
    }
}

impl Maker<'_> {
    fn one_in(&mut self, n: u32) -> bool {
        self.random.random_ratio(1, n)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(self.random).expect("there is a choice").clone()
    }

    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}{}", self.names)
    }

    /// `None`: as the application's configuration says.
    fn policy(&mut self) -> Option<OnError> {
        match self.random.random_range(0..40) {
            0 if self.profile.failing => Some(OnError::Fail),
            0..10 => Some(OnError::Continue),
            _ => None,
        }
    }

    fn inputs(&mut self) {
        let count = if self.profile.any_order {
            1
        } else {
            self.pick(&[1, 1, 2, 2, 3])
        };
        let key = self.pick(&[
            Format::String,
            Format::String,
            Format::String,
            Format::Long,
            Format::Json,
            Format::Bytes,
            Format::Double,
        ]);
        for index in 0..count {
            // Topics that are read together often have the same formats, and always keys that can be merged.
            let value = if index == 0 || self.one_in(3) {
                self.pick(&[
                    Format::Json,
                    Format::Json,
                    Format::Json,
                    Format::Json,
                    Format::Long,
                    Format::String,
                    Format::Double,
                    Format::Bytes,
                ])
            } else {
                self.app.topics[0].value
            };
            let key = if self.one_in(6) { Format::String } else { key };
            let on_error = if index > 0 && !self.one_in(3) {
                self.app.topics[0].on_error
            } else {
                self.policy()
            };
            let mut topic = Topic {
                name: format!("in{index}"),
                key,
                value,
                timestamp: None,
                on_error,
            };
            if value == Format::Json && self.one_in(6) {
                topic.timestamp = Some(match self.random.random_range(0..3) {
                    0 => Expr::Name("value").field("at"),
                    1 => Expr::OrValue(
                        Expr::OptField(Expr::Name("value").boxed(), "at".to_owned()).boxed(),
                        Expr::Int(1_700_000_000_000).boxed(),
                    ),
                    _ => Expr::Call("timestamp", vec![Expr::Name("value").field("when")]),
                });
            } else if self.profile.context && self.one_in(8) {
                let length = Expr::Call("duration", vec![Expr::Str("1h".to_owned())]);
                topic.timestamp = Some(Expr::binary("-", Expr::Name("timestamp"), length));
            }
            let content = Content {
                key: if key == Format::Json {
                    records::json_key()
                } else {
                    shape_of(key)
                },
                value: shape_of(value),
                direct: BTreeSet::from([topic.name.clone()]),
                repartitioned: BTreeSet::new(),
            };
            self.contents.insert(topic.name.clone(), content);
            self.app.topics.push(topic);
        }
    }

    fn pipelines(&mut self) {
        let mut left = self.random.random_range(2..=8);
        let inputs = self.app.topics.len();
        let count = self.pick(&[1, 1, 2, 3]).min(left);
        for index in 0..count {
            let steps = if index + 1 == count {
                left
            } else {
                self.random.random_range(1..=left - (count - index - 1))
            };
            left -= steps;
            let from = self.origins(inputs, index == 0);
            let pipeline = Pipeline {
                name: self.name("p"),
                from,
                on_error: self.policy(),
                steps: Vec::new(),
                to: Vec::new(),
            };
            self.fill(pipeline, steps);
        }
        // Which pipeline stands first does not matter.
        if count > 1 && self.one_in(4) {
            self.app.pipelines.reverse();
        }
    }

    /// Topics and pipelines whose keys have one format, and whose records come one by one.
    fn origins(&mut self, inputs: usize, first: bool) -> Vec<Origin> {
        let mut all: Vec<Origin> = (0..inputs)
            .map(|index| Origin::Topic(self.app.topics[index].name.clone()))
            .collect();
        if !first {
            all.extend(self.app.pipelines.iter().map(|p| Origin::Pipeline(p.name.clone())));
        }
        let start = if !first && self.one_in(2) {
            Origin::Pipeline(self.app.pipelines.last().expect("not the first").name.clone())
        } else {
            self.pick(&all)
        };
        let mut from = vec![start];
        for other in all {
            if from.contains(&other) || self.one_in(2) {
                continue;
            }
            let (one, two) = (self.content_of(&from), self.content(&other));
            from.push(other);
            let fits = Lowering::new(&self.app).origins(&from).is_ok()
                && one.comes_apart(&two, self.app.cache > 0)
                && one.key == two.key;
            if !fits {
                from.pop();
            }
        }
        from
    }

    fn content(&self, origin: &Origin) -> Content {
        let (Origin::Topic(name) | Origin::Pipeline(name)) = origin;
        self.contents[name].clone()
    }

    fn content_of(&self, from: &[Origin]) -> Content {
        let mut all = from.iter().map(|origin| self.content(origin));
        let mut one = all.next().expect("something is read");
        for other in all {
            one.direct.extend(other.direct);
            one.repartitioned.extend(other.repartitioned);
        }
        one
    }

    /// Takes so many random steps, and writes the result.
    fn fill(&mut self, mut pipeline: Pipeline, steps: usize) {
        let mut content = self.content_of(&pipeline.from);
        for _ in 0..steps {
            let place = self.place(&pipeline);
            let step = self.step(&place, &mut content);
            pipeline.steps.push(step);
        }
        let place = self.place(&pipeline);
        for _ in 0..self.pick(&[1, 1, 1, 2]) {
            let target = self.target(&place, &content);
            pipeline.to.push(target);
        }
        self.contents.insert(pipeline.name.clone(), content);
        self.app.pipelines.push(pipeline);
    }

    /// Where the pipeline stands after its steps so far.
    fn place(&self, pipeline: &Pipeline) -> Place {
        let mut lowering = Lowering::new(&self.app);
        let unwritten = Pipeline {
            to: Vec::new(),
            ..pipeline.clone()
        };
        lowering.pipeline(&unwritten).expect("random steps fit")
    }

    fn grower<'b>(&'b mut self, place: &Place, content: &Content) -> Grower<'b> {
        let scope = Scope {
            key: (place.key.ty, &content.key),
            value: (place.value.ty, &content.value),
            windowed: place.windowed,
            context: self.profile.context,
            offset: self.profile.context && content.repartitioned.is_empty(),
        };
        Grower::new(self.random, &scope)
    }

    fn step(&mut self, place: &Place, content: &mut Content) -> Step {
        loop {
            match (self.random.random_range(0..100), place.table) {
                (0..24, _) => {
                    let mut grower = self.grower(place, content);
                    let depth = grower.pick(&[0, 1, 2, 3]);
                    return Step::Filter {
                        condition: grower.truth(depth),
                        negate: grower.one_in(3),
                    };
                }
                (24..50, _) => {
                    let output = self.output(place, content, true);
                    return Step::MapValues(output);
                }
                (50..57, false) => {
                    let (key, shape) = self.new_key(place, content);
                    let value = self.output(place, content, false);
                    content.key = shape;
                    return Step::Map { key, value };
                }
                (57..64, false) => {
                    let (key, shape) = self.new_key(place, content);
                    content.key = shape;
                    return Step::SelectKey(key);
                }
                (64..70, false) => {
                    let by = if place.windowed || self.one_in(2) {
                        let (key, shape) = self.new_key(place, content);
                        content.key = shape;
                        Some(key)
                    } else {
                        None
                    };
                    self.through(content);
                    let partitions = self.one_in(3).then_some(1);
                    return Step::Repartition {
                        name: self.name("r"),
                        by,
                        partitions,
                    };
                }
                (70.., false) => return self.aggregate(place, content),
                (80.., true) => return Step::ToStream,
                _ => {}
            }
        }
    }

    /// From here on the records come through a topic of their own.
    fn through(&mut self, content: &mut Content) {
        let direct = std::mem::take(&mut content.direct);
        content.repartitioned.extend(direct);
    }

    fn scalar(&mut self) -> Shape {
        self.pick(&[
            Shape::Int,
            Shape::Int,
            Shape::Double,
            Shape::Str,
            Shape::Str,
            Shape::Bool,
        ])
    }

    fn output(&mut self, place: &Place, content: &mut Content, of_map_values: bool) -> Output {
        let object = matches!(content.value, Shape::Object(_));
        match self.random.random_range(0..10) {
            0 => {
                let shape = if object && self.one_in(2) {
                    content.value.clone()
                } else {
                    self.scalar()
                };
                let depth = self.pick(&[0, 1, 2]);
                let expr = if shape == content.value && self.one_in(2) {
                    Expr::Name("value")
                } else {
                    self.grower(place, content).grow(&shape, depth)
                };
                content.value = shape;
                Output::Expression(expr)
            }
            1..4 if of_map_values && object => {
                let Shape::Object(mut fields) = content.value.clone() else {
                    unreachable!()
                };
                let mut add = Vec::new();
                for _ in 0..self.pick(&[1, 1, 2]) {
                    // Sometimes in place of a field that is there.
                    let name = match fields.choose(self.random) {
                        Some((name, _)) if self.random.random_ratio(1, 3) => name.clone(),
                        _ => self.name("f"),
                    };
                    if add.iter().any(|(other, _)| *other == name) {
                        continue;
                    }
                    let shape = self.scalar();
                    let depth = self.pick(&[0, 1, 2]);
                    add.push((name.clone(), self.grower(place, content).grow(&shape, depth)));
                    fields.retain(|(other, _)| *other != name);
                    fields.push((name, shape));
                }
                content.value = Shape::Object(fields);
                Output::Add(add)
            }
            4 if of_map_values && object => {
                let Shape::Object(mut fields) = content.value.clone() else {
                    unreachable!()
                };
                if fields.len() < 2 {
                    return self.output(place, content, of_map_values);
                }
                let at = self.random.random_range(0..fields.len());
                let (name, _) = fields.remove(at);
                content.value = Shape::Object(fields);
                Output::Drop(vec![name])
            }
            _ => {
                let mut fields = Vec::new();
                let mut shapes = Vec::new();
                for _ in 0..self.random.random_range(1..4) {
                    let shape = match self.random.random_range(0..8) {
                        0 => Shape::List(Box::new(self.pick(&[Shape::Str, Shape::Int]))),
                        1 => Shape::Object(vec![("x".to_owned(), Shape::Int), ("y".to_owned(), Shape::Str)]),
                        _ => self.scalar(),
                    };
                    let name = self.name("f");
                    let depth = self.pick(&[0, 1, 1, 2]);
                    fields.push((name.clone(), self.grower(place, content).grow(&shape, depth)));
                    shapes.push((name, shape));
                }
                content.value = Shape::Object(shapes);
                Output::Fields(fields)
            }
        }
    }

    fn new_key(&mut self, place: &Place, content: &Content) -> (Expr, Shape) {
        let kind = self.random.random_range(0..20);
        let depth = self.pick(&[0, 0, 1]);
        let mut grower = self.grower(place, content);
        let text = grower.grow(&Shape::Str, depth);
        match kind {
            0..9 => (text, Shape::Str),
            9..11 => (Expr::Name("key"), content.key.clone()),
            11..14 => (Expr::Call("int", vec![grower.grow(&Shape::Int, depth)]), Shape::Int),
            14 => (
                Expr::Call("double", vec![grower.grow(&Shape::Double, depth)]),
                Shape::Double,
            ),
            15 => (Expr::Call("bytes", vec![text]), Shape::Bytes),
            16 => (grower.truth(depth), Shape::Bool),
            17 => {
                let field = |name: &str, expr| (name.to_owned(), expr);
                let number = grower.grow(&Shape::Int, 0);
                let shape = Shape::Object(vec![("a".to_owned(), Shape::Str), ("b".to_owned(), Shape::Int)]);
                (Expr::Object(vec![field("a", text), field("b", number)]), shape)
            }
            18 => (Expr::List(vec![text]), Shape::List(Box::new(Shape::Str))),
            _ => (Expr::Call("string", vec![grower.grow(&Shape::Int, depth)]), Shape::Str),
        }
    }

    fn aggregate(&mut self, place: &Place, content: &mut Content) -> Step {
        let mut grouped = content.clone();
        let by = if place.windowed || self.one_in(2) {
            let (key, shape) = self.new_key(place, content);
            grouped.key = shape;
            Some(key)
        } else {
            None
        };
        // There may be a repartition topic; to take it so is always safe.
        self.through(&mut grouped);
        let name = self.name("s");
        let with = |figures, window, retention, cache, by| {
            Step::Aggregate(Aggregate {
                name,
                by,
                window,
                retention,
                figures,
                cache,
            })
        };
        let mut scope = place.clone();
        (scope.windowed, scope.key.ty) = (false, Type::Dyn);
        let mut figures = Vec::new();
        let mut shapes = Vec::new();
        for _ in 0..self.random.random_range(1..4) {
            let (function, argument, shape) = self.figure(&scope, &grouped);
            let field = self.name("f");
            shapes.push((field.clone(), shape));
            figures.push(Figure {
                name: field,
                function,
                argument,
            });
        }
        let window = match self.random.random_range(0..3) {
            0 => None,
            _ => {
                let size = self.pick(&[1_000, 60_000, 300_000, 300_000, 3_600_000, 90_500]);
                let grace = if self.profile.any_order {
                    30 * 86_400_000
                } else {
                    self.pick(&[0, 0, 10_000, 60_000, 600_000])
                };
                Some((size, grace))
            }
        };
        let retention = match window {
            Some((size, grace)) if self.one_in(5) => Some(size + grace + self.pick(&[0, 60_000, 3_600_000])),
            _ => None,
        };
        let cache = !self.one_in(4);
        grouped.value = Shape::Object(shapes);
        *content = grouped;
        with(figures, window, retention, cache, by)
    }

    fn figure(&mut self, place: &Place, content: &Content) -> (&'static str, Option<Expr>, Shape) {
        let functions: &[&str] = if self.profile.any_order {
            &["sum", "count", "countx", "min", "max"]
        } else {
            &[
                "sum", "sum", "count", "countx", "min", "max", "avg", "avg", "first", "last",
            ]
        };
        let function = *functions.choose(self.random).expect("there are some");
        let depth = self.pick(&[0, 0, 1]);
        let number = if self.profile.any_order {
            Shape::Int
        } else {
            self.pick(&[Shape::Int, Shape::Double])
        };
        let scalar = if self.profile.any_order {
            Shape::Int
        } else {
            self.scalar()
        };
        let mut grower = self.grower(place, content);
        match function {
            "sum" => ("sum", Some(numeric(grower.grow(&number, depth), place)), number),
            "avg" => ("avg", Some(numeric(grower.grow(&number, depth), place)), Shape::Double),
            "count" => ("count", None, Shape::Int),
            "countx" => ("count", Some(grower.grow(&scalar, depth)), Shape::Int),
            "min" => ("min", Some(grower.grow(&scalar, depth)), scalar),
            "max" => ("max", Some(grower.grow(&scalar, depth)), scalar),
            "first" => ("first", Some(grower.grow(&scalar, depth)), scalar),
            _ => ("last", Some(grower.grow(&scalar, depth)), scalar),
        }
    }

    /// A topic of its own for every result.
    fn target(&mut self, place: &Place, content: &Content) -> Target {
        let name = format!("out{}", self.app.topics.len());
        let mut format = |ty: Type, shape: &Shape, keyed: bool| {
            let mut fitting = vec![Format::Json];
            match ty {
                Type::Str => fitting.extend([Format::String, Format::String, Format::Bytes]),
                Type::Int => fitting.extend([Format::Long, Format::Long, Format::Double]),
                Type::Double => fitting.extend([Format::Double, Format::Double]),
                Type::Bytes => fitting.extend([Format::Bytes, Format::Bytes]),
                Type::Dyn => fitting.extend(match shape {
                    Shape::Str => vec![Format::String, Format::String],
                    Shape::Int => vec![Format::Long],
                    Shape::Double => vec![Format::Double],
                    _ => Vec::new(),
                }),
                _ => {}
            }
            // Text keys are what a topic has.
            if keyed && fitting.contains(&Format::String) && self.random.random_ratio(1, 2) {
                return Format::String;
            }
            *fitting.choose(self.random).expect("JSON is one")
        };
        let mut key = format(place.key.ty, &content.key, true);
        let value = format(place.value.ty, &content.value, false);
        let windowed = place.windowed && self.one_in(3);
        if windowed && place.key.ty == Type::Dyn {
            // A windowed key that cannot be written fails in Java's partitioner, and so for its parent node and all of that one's children.
            key = Format::Json;
        }
        self.app.topics.push(Topic {
            name: name.clone(),
            key,
            value,
            timestamp: None,
            on_error: None,
        });
        Target { topic: name, windowed }
    }
}

/// Sums take numbers: what is known to be something else is refused.
fn numeric(expr: Expr, place: &Place) -> Expr {
    match expr.static_type(place.key.ty, place.value.ty) {
        Type::Int | Type::Double | Type::Dyn => expr,
        _ => Expr::Int(1),
    }
}
