//! Topics as they are read.

use millrace_topology::{FormatName, SourceSpec, Stream};

use super::{
    Context, Lowering, Origin,
    function::FunctionKind,
    place::{Flow, Known, Place},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    expression::{Scope, Type},
    format::Format,
    grammar::{self, Located, Topic, nearest},
};

impl<'a> Lowering<'a> {
    /// Says every topic whose format is none.
    pub(super) fn check_formats(&mut self) {
        for topic in &self.topology.topics {
            for format in [&topic.key, &topic.value] {
                // What did not decode is empty, and was said.
                if !format.value.is_empty() && Format::parse(&format.value).is_none() {
                    self.report.push(no_format(format));
                }
            }
        }
    }

    pub(super) fn unused_topics(&mut self) {
        let topology = self.topology;
        let from = topology
            .pipelines
            .iter()
            .flat_map(|pipeline| &pipeline.from)
            .filter_map(|origin| match origin {
                grammar::Origin::Topic(short) => Some(&short.value),
                grammar::Origin::Pipeline(_) => None,
            });
        let to = topology
            .pipelines
            .iter()
            .flat_map(|pipeline| &pipeline.to)
            .map(|target| &target.topic.value);
        let used: Vec<&String> = from.chain(to).collect();
        if topology
            .pipelines
            .iter()
            .any(|pipeline| !pipeline.from_is_whole || !pipeline.to_is_whole)
        {
            return;
        }
        for topic in topology.topics.iter().filter(|topic| !used.contains(&&topic.short)) {
            let message = format!("no pipeline reads or writes {}", topic.short);
            self.report
                .push(Diagnostic::warning(Code::Unused, &topic.path, message));
        }
    }

    /// Topics read as a stream: one source node for those that are read alike and always together, else a source each, merged.
    pub(super) fn topics(&mut self, shorts: &[&'a Located<String>], context: Context<'_>) -> Option<Place> {
        let topics: Vec<Option<&'a Topic>> = shorts.iter().map(|short| self.topic(short)).collect();
        let topics: Vec<&'a Topic> = topics.into_iter().collect::<Option<_>>()?;
        for (at, short) in shorts.iter().enumerate() {
            if shorts[..at].iter().any(|other| other.value == short.value) {
                let message = format!("{} is read twice", short.value);
                self.report
                    .push(Diagnostic::error(Code::DuplicateName, &short.path, message));
                return None;
            }
        }
        if topics.iter().all(|topic| read_alike(topics[0], topic)) && self.always_together(shorts) {
            return self.source(&topics);
        }
        let mut places = topics
            .iter()
            .map(|topic| self.source(&[*topic]))
            .collect::<Vec<_>>()
            .into_iter();
        let mut merged = places.next()??;
        for (place, short) in places.zip(&shorts[1..]) {
            merged = self.merge(merged, place?, &short.path, context)?;
        }
        Some(merged)
    }

    /// Whether no other pipeline reads only some of these topics: a topic is read by one source node.
    fn always_together(&self, shorts: &[&Located<String>]) -> bool {
        let names = |origins: &[grammar::Origin]| -> Vec<String> {
            let mut names: Vec<String> = origins
                .iter()
                .filter_map(|origin| match origin {
                    grammar::Origin::Topic(short) => Some(short.value.clone()),
                    grammar::Origin::Pipeline(_) => None,
                })
                .collect();
            names.sort();
            names
        };
        let mut here: Vec<String> = shorts.iter().map(|short| short.value.clone()).collect();
        here.sort();
        self.topology.pipelines.iter().all(|pipeline| {
            let other = names(&pipeline.from);
            other == here || !other.iter().any(|name| here.contains(name))
        })
    }

    /// One source node of topics that are read alike; another pipeline's, if it reads them too.
    fn source(&mut self, topics: &[&'a Topic]) -> Option<Place> {
        let first = topics[0];
        let (key, value) = (Format::parse(&first.key.value)?, Format::parse(&first.value.value)?);
        let mut shorts: Vec<&str> = topics.iter().map(|topic| topic.short.as_str()).collect();
        shorts.sort_unstable();
        let stream = match self.streams.get(&shorts) {
            Some(stream) => stream.clone(),
            None => {
                let stream = self.new_source(topics, key, value)?;
                self.streams.insert(shorts, stream.clone());
                stream
            }
        };
        let node = stream.node();
        Some(Place {
            flow: Flow::Stream(stream),
            key: Known::read(key, node),
            value: Known::read(value, node),
            windowed: false,
            after: format!("topic {}", first.short),
        })
    }

    fn new_source(&mut self, topics: &[&'a Topic], key: Format, value: Format) -> Option<Stream> {
        let first = topics[0];
        let mut timestamp = None;
        if let Some(text) = &first.timestamp {
            let scope = Scope::new(key.value_type(), value.value_type());
            let what = "a timestamp, or an int of milliseconds, is due here";
            let hint = "read text with timestamp(..)";
            let expression = self.compile_as(text, &scope, what, &[Type::Timestamp, Type::Int], hint)?;
            timestamp = Some(self.function(FunctionKind::Timestamp(expression), &text.path, None));
        }
        let spec = SourceSpec {
            topics: topics.iter().map(|topic| topic.name.clone()).collect(),
            key: FormatName::from(key.name()),
            value: FormatName::from(value.name()),
            timestamp,
            start_from: first.start_from,
            on_error: first.on_error,
        };
        let stream = match self.builder.stream(spec) {
            Ok(stream) => stream,
            Err(error) => {
                self.report
                    .push(Diagnostic::error(Code::BadName, &first.path, error.to_string()));
                return None;
            }
        };
        let reads = self.reads.entry(stream.node()).or_default();
        if let Some(id) = timestamp {
            reads.union(&self.functions[id.0 as usize].kind.paths());
        }
        let origin = Origin {
            path: first.path.clone(),
            pipeline: None,
            on_error: None,
        };
        self.nodes.insert(stream.node(), origin);
        Some(stream)
    }
}

/// Whether one source node can read both.
fn read_alike(one: &Topic, other: &Topic) -> bool {
    let text = |topic: &Topic| topic.timestamp.as_ref().map(|text| text.value.clone());
    one.key.value == other.key.value
        && one.value.value == other.value.value
        && text(one) == text(other)
        && one.start_from == other.start_from
        && one.on_error == other.on_error
}

fn no_format(format: &Located<String>) -> Diagnostic {
    let name = format.value.as_str();
    let known = Format::ALL.map(Format::name);
    let word = name.split(['(', ' ']).next().unwrap_or_default();
    if matches!(word, "avro" | "protobuf" | "jsonSchema") || name.starts_with("json(") || word == "decimal" {
        return Diagnostic::error(
            Code::NotAvailable,
            &format.path,
            format!("the format {name} is not available yet"),
        );
    }
    let problem = Diagnostic::error(Code::UnknownWord, &format.path, format!("there is no format {name}"));
    match (name, nearest(name, known)) {
        ("int" | "integer" | "int64" | "bigint", _) => {
            problem.hint("8 bytes, as Java's LongSerializer writes them, are long")
        }
        (_, Some(meant)) => problem.hint(format!("did you mean {meant}?")),
        (_, None) => problem.hint(format!("formats are {}", known.join(", "))),
    }
}
