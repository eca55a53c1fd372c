//! Pipelines in order, those that another reads before it.

use std::collections::HashMap;

use super::{
    Context, Lowering,
    place::{Flow, Known, Place},
};
use crate::{
    diagnostic::{Code, Diagnostic},
    expression::Type,
    format::Format,
    grammar::{Located, Origin, Pipeline, nearest},
};

/// What became of a pipeline; `None`: a mistake, which was said.
type Results = HashMap<usize, Option<Place>>;

impl<'a> Lowering<'a> {
    pub(super) fn pipelines(&mut self) {
        let mut results = Results::new();
        for index in 0..self.topology.pipelines.len() {
            self.pipeline(index, &mut results, &mut Vec::new());
        }
        if !self.report.has_errors() {
            self.dead_ends(&results);
        }
    }

    /// The result of a pipeline, before it is written.
    fn pipeline(&mut self, index: usize, results: &mut Results, readers: &mut Vec<usize>) -> Option<Place> {
        if let Some(known) = results.get(&index) {
            return known.clone();
        }
        let topology = self.topology;
        let pipeline = &topology.pipelines[index];
        readers.push(index);
        let context = Context {
            pipeline: &pipeline.name,
            on_error: pipeline.on_error,
        };
        let start = self.origins(pipeline, results, readers, context);
        readers.pop();
        let result = start.and_then(|place| self.steps(place, &pipeline.steps, context));
        match &result {
            Some(place) => self.targets(place, pipeline, context),
            // Unknown topics are said nevertheless.
            None => pipeline.to.iter().for_each(|target| {
                self.topic(&target.topic);
            }),
        }
        results.insert(index, result.clone());
        result
    }

    fn origins(
        &mut self,
        pipeline: &'a Pipeline,
        results: &mut Results,
        readers: &mut Vec<usize>,
        context: Context<'_>,
    ) -> Option<Place> {
        if !pipeline.from_is_whole {
            return None;
        }
        let mut parts: Vec<(Option<Place>, &str)> = Vec::new();
        // Topics together where the first of them stands.
        let topics: Vec<&'a Located<String>> = pipeline.from.iter().filter_map(topic).collect();
        let mut topics_done = false;
        for origin in &pipeline.from {
            match origin {
                Origin::Topic(_) if topics_done => {}
                Origin::Topic(short) => {
                    topics_done = true;
                    parts.push((self.topics(&topics, context), &short.path));
                }
                Origin::Pipeline(name) => parts.push((self.other_pipeline(name, results, readers), &name.path)),
            }
        }
        let mut parts = parts.into_iter();
        let mut merged = parts.next()?.0;
        for (part, path) in parts {
            merged = match (merged, part) {
                (Some(merged), Some(part)) => self.merge(merged, part, path, context),
                _ => None,
            };
        }
        merged
    }

    fn other_pipeline(
        &mut self,
        name: &Located<String>,
        results: &mut Results,
        readers: &mut Vec<usize>,
    ) -> Option<Place> {
        let pipelines = &self.topology.pipelines;
        let Some(index) = pipelines.iter().position(|pipeline| pipeline.name == name.value) else {
            let problem = Diagnostic::error(
                Code::UnknownReference,
                &name.path,
                format!("there is no pipeline {}", name.value),
            );
            self.report.push(
                match nearest(&name.value, pipelines.iter().map(|pipeline| pipeline.name.as_str())) {
                    Some(meant) => problem.hint(format!("did you mean {meant}?")),
                    None => problem,
                },
            );
            return None;
        };
        if let Some(start) = readers.iter().position(|reader| *reader == index) {
            let circle: Vec<&str> = readers[start..]
                .iter()
                .chain([&index])
                .map(|index| pipelines[*index].name.as_str())
                .collect();
            let message = format!("pipelines read each other in a circle: {}", circle.join(" reads "));
            self.error(
                Code::Circle,
                &name.path,
                message,
                "a circle goes through a topic: write one, and read it",
            );
            return None;
        }
        let result = self.pipeline(index, results, readers)?;
        Some(Place {
            after: format!("pipeline {}", name.value),
            ..result
        })
    }

    /// Two streams as one.
    pub(super) fn merge(&mut self, one: Place, other: Place, path: &str, context: Context<'_>) -> Option<Place> {
        let (Flow::Stream(left), Flow::Stream(right)) = (&one.flow, &other.flow) else {
            let table = if matches!(one.flow, Flow::Table(_)) {
                &one
            } else {
                &other
            };
            let message = format!("streams are merged, but {} is {}", table.after, table.what());
            self.error(
                Code::StepDoesNotFit,
                path,
                message,
                "end the steps of that pipeline with toStream",
            );
            return None;
        };
        if one.windowed != other.windowed {
            let message = format!(
                "{} is {}, but {} is {}",
                one.after,
                one.what(),
                other.after,
                other.what()
            );
            let hint = "give both plain keys: selectKey: \"key\" takes the window off";
            self.error(Code::StepDoesNotFit, path, message, hint);
            return None;
        }
        if one.key.format != other.key.format {
            let message = format!(
                "{} has {} keys, but {} has {} keys",
                one.after, one.key.format, other.after, other.key.format
            );
            let hint = "merged streams have keys of one format: bring one to the other's in a pipeline with a selectKey, and read that";
            self.error(Code::FormatDoesNotFit, path, message, hint);
            return None;
        }
        let merged = self.builder.merge(left, right);
        self.node(merged.node(), path, context);
        let join = |a: &Known, b: &Known, any: Format| {
            let mut sources = a.sources.clone();
            sources.extend(b.sources.iter().filter(|source| !a.sources.contains(source)));
            let format = if a.format == b.format { a.format } else { any };
            Known {
                format,
                ty: if a.ty == b.ty { a.ty } else { Type::Dyn },
                sources,
            }
        };
        Some(Place {
            flow: Flow::Stream(merged),
            key: join(&one.key, &other.key, one.key.format),
            value: join(&one.value, &other.value, Format::Json),
            windowed: one.windowed,
            after: format!("{} and {}", one.after, other.after),
        })
    }

    /// Results that go nowhere.
    fn dead_ends(&mut self, results: &Results) {
        let topology = self.topology;
        for (index, pipeline) in topology.pipelines.iter().enumerate() {
            let read = topology
                .pipelines
                .iter()
                .flat_map(|other| &other.from)
                .any(|origin| matches!(origin, Origin::Pipeline(name) if name.value == pipeline.name));
            // A table that nobody reads still keeps its store and changelog.
            let table = matches!(
                results.get(&index),
                Some(Some(Place {
                    flow: Flow::Table(_),
                    ..
                }))
            );
            if pipeline.to.is_empty() && pipeline.to_is_whole && !read && !table {
                let message = format!("the result of {} goes nowhere", pipeline.name);
                let hint = format!("write it with to, or read it with {{pipeline: {}}}", pipeline.name);
                self.report
                    .push(Diagnostic::warning(Code::Unused, &pipeline.path, message).hint(hint));
            }
        }
    }
}

fn topic(origin: &Origin) -> Option<&Located<String>> {
    match origin {
        Origin::Topic(short) => Some(short),
        Origin::Pipeline(_) => None,
    }
}
