//! `to`: results as topics.

use millrace_topology::{FormatName, SinkSpec, Stream};

use super::{
    Context, Lowering,
    place::{Flow, Place},
    steps::described,
    typing::writes,
};
use crate::{
    diagnostic::{Code, Diagnostic},
    expression::Type,
    format::Format,
    grammar::{Located, Pipeline, Target, join},
};

impl Lowering<'_> {
    /// Writes a pipeline's result. A table's updates become a stream first; a windowed key loses its window unless the target keeps it.
    pub(super) fn targets(&mut self, place: &Place, pipeline: &Pipeline, context: Context<'_>) {
        if !pipeline.to_is_whole {
            return;
        }
        let path = join(&pipeline.path, "to");
        let mut with_window: Option<Stream> = None;
        let mut plain: Option<Stream> = None;
        for target in &pipeline.to {
            let Some(spec) = self.sink(place, target) else { continue };
            let stream = match &place.flow {
                Flow::Stream(stream) => stream.clone(),
                Flow::Table(table) => match &with_window {
                    Some(stream) => stream.clone(),
                    None => {
                        let stream = self.builder.to_stream(table);
                        self.node(stream.node(), &path, context);
                        with_window.insert(stream).clone()
                    }
                },
            };
            let stream = if place.windowed && !target.windowed_key {
                match &plain {
                    Some(stream) => stream.clone(),
                    None => {
                        let unwindowed = self.builder.unwindow_key(&stream);
                        self.node(unwindowed.node(), &path, context);
                        plain.insert(unwindowed).clone()
                    }
                }
            } else {
                stream
            };
            match self.builder.to(&stream, spec) {
                Ok(node) => self.node(node, &target.topic.path, context),
                Err(error) => {
                    self.report
                        .push(Diagnostic::error(Code::BadName, &target.topic.path, error.to_string()));
                }
            }
        }
    }

    /// The topic and its formats, checked against what is written.
    fn sink(&mut self, place: &Place, target: &Target) -> Option<SinkSpec> {
        let topic = self.topic(&target.topic)?;
        let (key, value) = (Format::parse(&topic.key.value)?, Format::parse(&topic.value.value)?);
        let fits = self.writes("key", place.key.ty, key, &target.topic);
        if !self.writes("value", place.value.ty, value, &target.topic) || !fits {
            return None;
        }
        let key = if target.windowed_key {
            if !place.windowed {
                let message = format!(
                    "key: windowed is for windowed tables, but after {} this is {}",
                    place.after,
                    place.what()
                );
                self.error(
                    Code::StepDoesNotFit,
                    &target.topic.path,
                    message,
                    "leave key out, or give an aggregate a window",
                );
                return None;
            }
            format!("windowed({key})")
        } else {
            key.to_string()
        };
        Some(SinkSpec {
            topic: topic.name.clone(),
            key: FormatName(key),
            value: FormatName::from(value.name()),
        })
    }

    fn writes(&mut self, what: &str, ty: Type, format: Format, topic: &Located<String>) -> bool {
        let Err(hint) = writes(format, ty) else { return true };
        let message = format!(
            "{}, but {} has the {what} format {format}",
            described(what, ty),
            topic.value
        );
        self.error(Code::FormatDoesNotFit, &topic.path, message, hint);
        false
    }
}
