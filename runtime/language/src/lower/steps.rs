//! Steps, by what they work on.

use millrace_topology::{FormatName, RepartitionSpec, Stream};

use super::{
    Context, Lowering,
    function::{FunctionKind, KeySelector},
    place::{Flow, Known, Place},
    typing::with_article,
};
use crate::{
    diagnostic::{Code, Diagnostic},
    expression::Type,
    grammar::{self, ExpressionText, Operator, Step},
};

impl Lowering<'_> {
    /// The place after all steps. A mistake in an expression ends nothing: what comes after it is looked at too.
    pub(super) fn steps(&mut self, start: Place, steps: &[Step], context: Context<'_>) -> Option<Place> {
        let mut place = start;
        for step in steps {
            place = match &step.operator {
                Some(operator) => self.step(&place, step, operator, context)?,
                None => guessed(place, step)?,
            };
        }
        Some(place)
    }

    fn step(&mut self, place: &Place, step: &Step, operator: &Operator, context: Context<'_>) -> Option<Place> {
        match operator {
            Operator::Filter { predicate, negate } => Some(self.filter(place, step, predicate, *negate, context)),
            Operator::MapValues(output) => Some(self.map_values(place, step, output, context)),
            Operator::Map { key, value } => self.map(place, step, key, value, context),
            Operator::SelectKey(key) => {
                let stream = self.stream_of(place, step, "selectKey")?;
                Some(self.select_key(place, &stream, step, key, context))
            }
            Operator::Repartition(repartition) => self.repartition(place, step, repartition, context),
            Operator::Aggregate(aggregate) => self.aggregate(place, step, aggregate, context),
            Operator::ToStream => self.stream_of_table(place, step, context),
        }
    }

    fn filter(
        &mut self,
        place: &Place,
        step: &Step,
        text: &ExpressionText,
        negate: bool,
        context: Context<'_>,
    ) -> Place {
        let what = "a condition, true or false, is due here";
        let Some(predicate) = self.compile_as(text, &place.scope(), what, &[Type::Bool], "compare it with something")
        else {
            return place.clone();
        };
        let predicate = self.step_function(FunctionKind::Predicate(predicate), &text.path, place, context);
        let flow = match &place.flow {
            Flow::Stream(stream) => Flow::Stream(self.builder.filter(stream, predicate, negate)),
            Flow::Table(table) => Flow::Table(self.builder.table_filter(table, predicate, negate)),
        };
        self.after(flow, place, step, context)
    }

    fn map_values(&mut self, place: &Place, step: &Step, text: &grammar::Output, context: Context<'_>) -> Place {
        let Some((output, ty)) = self.compile_output(text, &place.scope()) else {
            return Place {
                value: Known::value_of(Type::Dyn),
                ..place.clone()
            };
        };
        let function = self.step_function(FunctionKind::Value(output), &step.path, place, context);
        let flow = match &place.flow {
            Flow::Stream(stream) => Flow::Stream(self.builder.map_values(stream, function)),
            Flow::Table(table) => Flow::Table(self.builder.table_map_values(table, function)),
        };
        Place {
            value: place.new_value(text, ty),
            ..self.after(flow, place, step, context)
        }
    }

    fn map(
        &mut self,
        place: &Place,
        step: &Step,
        key_text: &ExpressionText,
        value_text: &grammar::Output,
        context: Context<'_>,
    ) -> Option<Place> {
        let stream = self.stream_of(place, step, "map")?;
        let scope = place.scope();
        let (key, value) = (self.compile(key_text, &scope), self.compile_output(value_text, &scope));
        let (Some(expression), Some((value, ty))) = (key, value) else {
            return guessed(place.clone(), step);
        };
        let known = place.new_key(&key_text.value, expression.static_type());
        let key = KeySelector {
            expression,
            format: None,
        };
        let function = self.step_function(FunctionKind::KeyValue { key, value }, &step.path, place, context);
        let flow = Flow::Stream(self.builder.map(&stream, function));
        let after = self.after(flow, place, step, context);
        Some(Place {
            key: known,
            value: place.new_value(value_text, ty),
            windowed: false,
            ..after
        })
    }

    /// A new key, by `selectKey`, or by `by`: then it goes to a topic or store at once, and is checked.
    pub(super) fn select_key(
        &mut self,
        place: &Place,
        stream: &Stream,
        step: &Step,
        text: &ExpressionText,
        context: Context<'_>,
    ) -> Place {
        let Some(expression) = self.compile(text, &place.scope()) else {
            return Place {
                key: Known::key_of(Type::Dyn),
                windowed: false,
                ..place.clone()
            };
        };
        let known = place.new_key(&text.value, expression.static_type());
        let checked = step.word != "selectKey";
        let key = KeySelector {
            expression,
            format: checked.then_some(known.format),
        };
        let function = self.step_function(FunctionKind::Key(key), &text.path, place, context);
        let selected = self.builder.select_key(stream, function);
        self.node(selected.node(), &step.path, context);
        Place {
            flow: Flow::Stream(selected),
            key: known,
            windowed: false,
            ..place.clone()
        }
    }

    fn repartition(
        &mut self,
        place: &Place,
        step: &Step,
        repartition: &grammar::Repartition,
        context: Context<'_>,
    ) -> Option<Place> {
        let stream = self.stream_of(place, step, "repartition")?;
        let place = match &repartition.by {
            Some(by) => self.select_key(place, &stream, step, by, context),
            None => place.clone(),
        };
        if place.windowed {
            let hint = "say by: \"key\" to take the window off, or by an expression with window.start";
            self.error(
                Code::StepDoesNotFit,
                &step.path,
                "the keys have windows here, and a plain key is due",
                hint,
            );
            return Some(place);
        }
        if let Some(name) = &repartition.name
            && !self.claim(name, &format!("{}.name", step.path))
        {
            return Some(place);
        }
        let Flow::Stream(stream) = &place.flow else { return None };
        let spec = RepartitionSpec {
            name: repartition.name.clone(),
            partitions: repartition.partitions,
            key: FormatName::from(place.key.format.name()),
            value: FormatName::from(place.value.format.name()),
        };
        let stream = match self.builder.repartition(stream, spec) {
            Ok(stream) => stream,
            Err(error) => {
                self.report
                    .push(Diagnostic::error(Code::BadName, &step.path, error.to_string()));
                return Some(place);
            }
        };
        self.repartition_nodes(stream.repartition(), &step.path, context);
        let source = stream.node();
        let (key, value) = (place.key.reread(source), place.value.reread(source));
        Some(Place {
            flow: Flow::Stream(stream),
            key,
            value,
            windowed: false,
            after: step.word.clone(),
        })
    }

    /// The three nodes around a repartition topic.
    pub(super) fn repartition_nodes(
        &mut self,
        nodes: Option<millrace_topology::Repartition>,
        path: &str,
        context: Context<'_>,
    ) {
        let Some(nodes) = nodes else { return };
        for node in [nodes.filter, nodes.sink, nodes.source] {
            self.node(node, path, context);
        }
        self.reads.entry(nodes.source).or_default();
    }

    fn stream_of_table(&mut self, place: &Place, step: &Step, context: Context<'_>) -> Option<Place> {
        match &place.flow {
            Flow::Table(table) => {
                let stream = self.builder.to_stream(table);
                Some(self.after(Flow::Stream(stream), place, step, context))
            }
            Flow::Stream(_) => {
                let message = format!(
                    "toStream is for tables, but after {} this is {} already",
                    place.after,
                    place.what()
                );
                self.error(Code::StepDoesNotFit, &step.path, message, "leave it out");
                Some(place.clone())
            }
        }
    }

    /// The stream that a step works on; says what would fit.
    pub(super) fn stream_of(&mut self, place: &Place, step: &Step, word: &str) -> Option<Stream> {
        match &place.flow {
            Flow::Stream(stream) => Some(stream.clone()),
            Flow::Table(_) => {
                let message = format!(
                    "{word} works on streams, but after {} this is {}",
                    place.after,
                    place.what()
                );
                let hint = match word {
                    "map" => "to change values only, mapValues fits; else put - toStream before it",
                    "aggregate" => "put - toStream before it: then every update of the table counts as a record",
                    _ => "put - toStream before it: the table's updates as a stream",
                };
                self.error(Code::StepDoesNotFit, &step.path, message, hint);
                None
            }
        }
    }

    /// The place after a step that changed neither key nor value.
    pub(super) fn after(&mut self, flow: Flow, place: &Place, step: &Step, context: Context<'_>) -> Place {
        let node = match &flow {
            Flow::Stream(stream) => stream.node(),
            Flow::Table(table) => table.node(),
        };
        self.node(node, &step.path, context);
        Place {
            flow,
            after: step.word.clone(),
            ..place.clone()
        }
    }
}

/// The place after a step that did not decode, so that the steps after it are looked at too.
fn guessed(place: Place, step: &Step) -> Option<Place> {
    let stream = matches!(place.flow, Flow::Stream(_));
    match step.word.as_str() {
        "filter" | "filterNot" => Some(place),
        "mapValues" => Some(Place {
            value: Known::value_of(Type::Dyn),
            ..place
        }),
        "map" if stream => {
            let (key, value) = (Known::key_of(Type::Dyn), Known::value_of(Type::Dyn));
            Some(Place {
                key,
                value,
                windowed: false,
                ..place
            })
        }
        "selectKey" | "repartition" if stream => Some(Place {
            key: Known::key_of(Type::Dyn),
            windowed: false,
            ..place
        }),
        _ => None,
    }
}

/// For messages about keys and values that a format cannot write.
pub(super) fn described(what: &str, ty: Type) -> String {
    format!("the {what} is {} here", with_article(ty))
}
