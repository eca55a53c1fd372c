//! An application as calls of Kafka Streams' DSL, for the interpreter in Java: what the language's guide says that a manifest means,
//! worked out here from the tree and not from Millrace's plan.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::app::{Aggregate, App, Format, OnError, Origin, Output, Pipeline, Step, Topic};
use super::expression::{Expr, Type};

/// How bytes of a topic are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Bytes,
    /// JSON by meaning, and behind it so many bytes as they are: a window.
    Json { then: usize },
}

impl Form {
    fn of(format: Format, then: usize) -> Form {
        match format {
            Format::Json => Form::Json { then },
            _ => Form::Bytes,
        }
    }
}

/// The calls, and what they write.
#[derive(Clone, Debug)]
pub struct Script {
    pub calls: Vec<Value>,
    /// Topics by their names in Kafka, with the forms of keys and values.
    pub topics: BTreeMap<String, (Form, Form)>,
}

/// What is known of keys or values on an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub format: Format,
    pub ty: Type,
}

impl Known {
    fn read(format: Format) -> Known {
        Known {
            format,
            ty: format.read(),
        }
    }
}

/// Where a pipeline stands between two steps.
#[derive(Clone, Debug)]
pub struct Place {
    handle: usize,
    pub table: bool,
    pub windowed: bool,
    pub key: Known,
    pub value: Known,
    /// Whether a grouping has to go through a topic first.
    changed: bool,
}

/// What does not fit, in words. Random applications fit; those that were cut smaller may not.
pub type Result<T> = std::result::Result<T, String>;

/// Calls in the making, pipeline by pipeline.
pub struct Lowering<'a> {
    app: &'a App,
    script: Script,
    sources: BTreeMap<BTreeSet<String>, usize>,
    results: BTreeMap<String, Place>,
}

impl<'a> Lowering<'a> {
    pub fn new(app: &'a App) -> Lowering<'a> {
        Lowering {
            app,
            script: Script {
                calls: Vec::new(),
                topics: BTreeMap::new(),
            },
            sources: BTreeMap::new(),
            results: BTreeMap::new(),
        }
    }

    /// The whole application.
    pub fn script(app: &App) -> Result<Script> {
        let mut lowering = Lowering::new(app);
        for pipeline in &app.pipelines {
            lowering.pipeline(pipeline)?;
        }
        Ok(lowering.script)
    }

    /// The result of a pipeline, which is written here if it was not yet: one that is read by others comes before them.
    pub fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Place> {
        if let Some(known) = self.results.get(&pipeline.name) {
            return Ok(known.clone());
        }
        let mut place = self.origins(&pipeline.from)?;
        let on_error = pipeline.on_error.unwrap_or(self.app.processing);
        for step in &pipeline.steps {
            place = self.step(&place, step, on_error)?;
        }
        self.targets(&place, pipeline)?;
        self.results.insert(pipeline.name.clone(), place.clone());
        Ok(place)
    }

    fn call(&mut self, call: Value) -> usize {
        self.script.calls.push(call);
        self.script.calls.len() - 1
    }

    pub fn origins(&mut self, from: &[Origin]) -> Result<Place> {
        let topics: Vec<&String> = from
            .iter()
            .filter_map(|origin| match origin {
                Origin::Topic(name) => Some(name),
                Origin::Pipeline(_) => None,
            })
            .collect();
        let mut parts = Vec::new();
        for origin in from {
            match origin {
                // Topics stand together where the first of them stands.
                Origin::Topic(name) if topics[0] == name => parts.push(self.topics(&topics)?),
                Origin::Topic(_) => {}
                Origin::Pipeline(name) => {
                    let app = self.app;
                    let pipeline = app.pipelines.iter().find(|pipeline| pipeline.name == *name);
                    parts.push(self.pipeline(pipeline.ok_or("no such pipeline")?)?);
                }
            }
        }
        let mut parts = parts.into_iter();
        let mut merged = parts.next().ok_or("nothing is read")?;
        for part in parts {
            merged = self.merge(&merged, &part)?;
        }
        Ok(merged)
    }

    /// One source of all topics if they are read alike, and always together; else one each.
    fn topics(&mut self, names: &[&String]) -> Result<Place> {
        let app = self.app;
        let topics: Vec<&Topic> = names
            .iter()
            .map(|name| app.topic(name).ok_or("no such topic"))
            .collect::<std::result::Result<_, _>>()?;
        let alike = |a: &Topic, b: &Topic| {
            (a.key, a.value, a.on_error) == (b.key, b.value, b.on_error) && a.timestamp == b.timestamp
        };
        let together: BTreeSet<&String> = names.iter().copied().collect();
        let always = app.pipelines.iter().all(|pipeline| {
            let read: BTreeSet<&String> = pipeline
                .from
                .iter()
                .filter_map(|origin| match origin {
                    Origin::Topic(name) => Some(name),
                    Origin::Pipeline(_) => None,
                })
                .collect();
            read == together || read.is_disjoint(&together)
        });
        if always && topics.iter().all(|topic| alike(topics[0], topic)) {
            return Ok(self.source(&topics));
        }
        let sources: Vec<Place> = topics.iter().map(|topic| self.source(&[*topic])).collect();
        let mut merged = sources[0].clone();
        for other in &sources[1..] {
            merged = self.merge(&merged, other)?;
        }
        Ok(merged)
    }

    fn source(&mut self, topics: &[&Topic]) -> Place {
        let names: BTreeSet<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        let first = topics[0];
        let handle = match self.sources.get(&names) {
            Some(handle) => *handle,
            None => {
                let call = json!({
                    "op": "stream",
                    "topics": topics.iter().map(|topic| &topic.name).collect::<Vec<_>>(),
                    "keyFormat": first.key.name(),
                    "valueFormat": first.value.name(),
                    "timestamp": first.timestamp.as_ref().map(Expr::json),
                    "onError": first.on_error.unwrap_or(self.app.reading).name(),
                });
                let handle = self.call(call);
                self.sources.insert(names, handle);
                handle
            }
        };
        Place {
            handle,
            table: false,
            windowed: false,
            key: Known::read(first.key),
            value: Known::read(first.value),
            changed: false,
        }
    }

    fn merge(&mut self, one: &Place, other: &Place) -> Result<Place> {
        if one.table || other.table || one.windowed != other.windowed || one.key.format != other.key.format {
            return Err("these cannot be merged".to_owned());
        }
        let handle = self.call(json!({"op": "merge", "in": one.handle, "other": other.handle}));
        let join = |a: Known, b: Known, any: Format| Known {
            format: if a.format == b.format { a.format } else { any },
            ty: if a.ty == b.ty { a.ty } else { Type::Dyn },
        };
        Ok(Place {
            handle,
            key: join(one.key, other.key, one.key.format),
            value: join(one.value, other.value, Format::Json),
            changed: one.changed || other.changed,
            ..one.clone()
        })
    }

    /// What comes after a step.
    pub fn step(&mut self, place: &Place, step: &Step, on_error: OnError) -> Result<Place> {
        let on_error = on_error.name();
        let only_streams = || match place.table {
            true => Err("the step is for streams".to_owned()),
            false => Ok(()),
        };
        let input = place.handle;
        match step {
            Step::Filter { condition, negate } => {
                let call = json!({"op": "filter", "in": input, "condition": condition.json(), "negate": negate, "onError": on_error});
                Ok(Place {
                    handle: self.call(call),
                    ..place.clone()
                })
            }
            Step::MapValues(value) => {
                let call = json!({"op": "mapValues", "in": input, "output": output(value), "onError": on_error});
                Ok(Place {
                    handle: self.call(call),
                    value: new_value(place, value),
                    ..place.clone()
                })
            }
            Step::Map { key, value } => {
                only_streams()?;
                let call =
                    json!({"op": "map", "in": input, "key": key.json(), "output": output(value), "onError": on_error});
                Ok(Place {
                    handle: self.call(call),
                    key: new_key(place, key),
                    value: new_value(place, value),
                    windowed: false,
                    changed: true,
                    ..place.clone()
                })
            }
            Step::SelectKey(key) => {
                only_streams()?;
                Ok(self.select_key(place, key, None, on_error))
            }
            Step::Repartition { name, by, partitions } => {
                only_streams()?;
                let keyed = match by {
                    Some(by) => self.select_key(place, by, Some(()), on_error),
                    None => place.clone(),
                };
                if keyed.windowed {
                    return Err("the keys have windows".to_owned());
                }
                let call = json!({
                    "op": "repartition", "in": keyed.handle, "name": name, "partitions": partitions,
                    "keyFormat": keyed.key.format.name(), "valueFormat": keyed.value.format.name(),
                });
                self.internal(&format!("{name}-repartition"), keyed.key.format, keyed.value.format, 0);
                Ok(Place {
                    handle: self.call(call),
                    key: Known::read(keyed.key.format),
                    value: Known::read(keyed.value.format),
                    changed: false,
                    ..keyed
                })
            }
            Step::Aggregate(aggregate) => {
                only_streams()?;
                self.aggregate(place, aggregate, on_error)
            }
            Step::ToStream if place.table => Ok(Place {
                handle: self.call(json!({"op": "toStream", "in": input})),
                table: false,
                changed: false,
                ..place.clone()
            }),
            Step::ToStream => Err("it is a stream".to_owned()),
        }
    }

    fn select_key(&mut self, place: &Place, by: &Expr, checked: Option<()>, on_error: &str) -> Place {
        let key = new_key(place, by);
        let checked = checked.map(|()| key.format.name());
        let call =
            json!({"op": "selectKey", "in": place.handle, "by": by.json(), "checked": checked, "onError": on_error});
        Place {
            handle: self.call(call),
            key,
            windowed: false,
            changed: true,
            ..place.clone()
        }
    }

    fn aggregate(&mut self, place: &Place, aggregate: &Aggregate, on_error: &str) -> Result<Place> {
        // "key" is the default, but says that the window goes.
        let by = aggregate
            .by
            .as_ref()
            .filter(|by| place.windowed || **by != Expr::Name("key"));
        if place.windowed && by.is_none() {
            return Err("the keys have windows".to_owned());
        }
        let key = by.map_or(place.key, |by| new_key(place, by));
        let through = by.is_some() || place.changed;
        let Aggregate {
            name,
            window,
            retention,
            cache,
            ..
        } = aggregate;
        let fields: Vec<Value> = aggregate
            .figures
            .iter()
            .map(|figure| {
                json!({"field": figure.name, "function": figure.function, "argument": figure.argument.as_ref().map(Expr::json)})
            })
            .collect();
        let call = json!({
            "op": "aggregate", "in": place.handle, "name": name, "onError": on_error,
            "by": by.map(Expr::json), "checked": by.map(|_| key.format.name()),
            "keyFormat": key.format.name(), "valueFormat": place.value.format.name(),
            "window": window.map(|(size, grace)| json!({"size": size, "grace": grace})),
            "retention": retention, "cache": cache, "changelog": {}, "fields": fields,
        });
        if through {
            self.internal(&format!("{name}-repartition"), key.format, place.value.format, 0);
        }
        // Behind the key: the window's start and a sequence number.
        let then = if window.is_some() { 12 } else { 0 };
        self.internal(&format!("{name}-changelog"), key.format, Format::Json, then);
        Ok(Place {
            handle: self.call(call),
            table: true,
            windowed: window.is_some(),
            key: if through { Known::read(key.format) } else { key },
            value: Known {
                format: Format::Json,
                ty: Type::Map,
            },
            changed: false,
        })
    }

    fn internal(&mut self, name: &str, key: Format, value: Format, then: usize) {
        let forms = (Form::of(key, then), Form::of(value, 0));
        self.script.topics.insert(format!("{}-{name}", self.app.id), forms);
    }

    fn targets(&mut self, place: &Place, pipeline: &Pipeline) -> Result<()> {
        // Both are made once, when the first target needs them.
        let (mut stream, mut plain) = (None, None);
        for target in &pipeline.to {
            let topic = self.app.topic(&target.topic).ok_or("no such topic")?;
            if target.windowed && !place.windowed {
                return Err("there is no window to write".to_owned());
            }
            let mut from = match (place.table, stream) {
                (false, _) => place.handle,
                (true, Some(handle)) => handle,
                (true, None) => *stream.insert(self.call(json!({"op": "toStream", "in": place.handle}))),
            };
            if place.windowed && !target.windowed {
                from = match plain {
                    Some(handle) => handle,
                    None => *plain.insert(self.call(json!({"op": "unwindow", "in": from}))),
                };
            }
            self.call(json!({
                "op": "to", "in": from, "topic": topic.name, "windowed": target.windowed,
                "keyFormat": topic.key.name(), "valueFormat": topic.value.name(),
            }));
            let then = if target.windowed { 8 } else { 0 };
            let forms = (Form::of(topic.key, then), Form::of(topic.value, 0));
            self.script.topics.insert(topic.name.clone(), forms);
        }
        Ok(())
    }
}

/// `key` keeps what is known; else the expression's type decides.
fn new_key(place: &Place, key: &Expr) -> Known {
    if *key == Expr::Name("key") {
        return place.key;
    }
    let ty = key.static_type(place.key.ty, place.value.ty);
    Known {
        format: Format::of_key(ty),
        ty,
    }
}

/// `value` keeps what is known; else it is JSON, which has a place for everything but bytes.
fn new_value(place: &Place, value: &Output) -> Known {
    match value {
        Output::Expression(Expr::Name("value")) => place.value,
        Output::Expression(expr) => {
            let ty = expr.static_type(place.key.ty, place.value.ty);
            let format = if ty == Type::Bytes { Format::Bytes } else { Format::Json };
            Known { format, ty }
        }
        _ => Known {
            format: Format::Json,
            ty: Type::Map,
        },
    }
}

fn output(output: &Output) -> Value {
    let fields = |list: &[(String, Expr)]| -> Vec<Value> {
        list.iter().map(|(name, expr)| json!([name, expr.json()])).collect()
    };
    match output {
        Output::Expression(expr) => json!(["expression", expr.json()]),
        Output::Fields(list) => json!(["fields", fields(list)]),
        Output::Add(list) => json!(["add", fields(list)]),
        Output::Drop(names) => json!(["drop", names]),
    }
}
