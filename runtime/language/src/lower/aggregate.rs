//! `aggregate`: Java's `groupBy(..).windowedBy(..).aggregate(..)`.

use std::sync::Arc;

use millrace_topology::{AggregateSpec, Changelog, FormatName};

use super::{
    Context, Lowering,
    function::FunctionKind,
    place::{Flow, Known, Place},
    typing::located,
};
use crate::{
    aggregate::Aggregate,
    diagnostic::{Code, Diagnostic},
    expression::Type,
    format::Format,
    grammar::{self, Step},
};

impl Lowering<'_> {
    pub(super) fn aggregate(
        &mut self,
        place: &Place,
        step: &Step,
        aggregate: &grammar::Aggregate,
        context: Context<'_>,
    ) -> Option<Place> {
        let stream = self.stream_of(place, step, "aggregate")?;
        let by = aggregate
            .by
            .as_ref()
            .filter(|by| place.windowed || by.value.trim() != "key");
        let mut grouped = match by {
            Some(by) => self.select_key(place, &stream, step, by, context),
            None => place.clone(),
        };
        if grouped.windowed {
            let message = "the keys have windows here: it does not follow what is one group";
            let hint = "say by: \"key\" for one group over all windows of a key, or by an expression with key and window.start for one each";
            self.error(Code::StepDoesNotFit, &step.path, message, hint);
            grouped.windowed = false;
        }
        let fresh = aggregate
            .name
            .as_ref()
            .is_none_or(|name| self.claim(name, &format!("{}.name", step.path)));
        let Flow::Stream(stream) = &grouped.flow else {
            return None;
        };
        let stream = stream.clone();
        let mut result = Place {
            value: Known {
                format: Format::Json,
                ty: Type::Map,
                sources: Vec::new(),
            },
            windowed: aggregate.window.is_some(),
            after: step.word.clone(),
            ..grouped.clone()
        };
        // Fields are read after repartitioning, from what the repartition topic's source decodes.
        let mut read = grouped.clone();
        if stream.key_changed() {
            read.key.ty = read.key.format.value_type();
            read.value.ty = read.value.format.value_type();
            result.key.ty = read.key.ty;
        }
        let function = self.compile_aggregate(aggregate, &read)?;
        if !fresh {
            return None;
        }
        let id = self.function(
            FunctionKind::Aggregate(Arc::new(function)),
            &step.path,
            context.on_error,
        );
        let spec = AggregateSpec {
            name: aggregate.name.clone(),
            repartition: None,
            window: aggregate.window,
            key: FormatName::from(grouped.key.format.name()),
            value: FormatName::from(grouped.value.format.name()),
            stored: FormatName::from(Format::Json.name()),
            function: id,
            changelog: Some(Changelog {
                config: aggregate.changelog.clone(),
            }),
            caching: aggregate.cache,
            retention_ms: aggregate.retention_ms,
        };
        let table = match self.builder.aggregate(&stream, spec) {
            Ok(table) => table,
            Err(error) => {
                self.report
                    .push(Diagnostic::error(Code::BadName, &step.path, error.to_string()));
                return None;
            }
        };
        if let Some(nodes) = table.repartition() {
            read.key.sources = vec![nodes.source];
            read.value.sources = vec![nodes.source];
            result.key.sources = vec![nodes.source];
            self.repartition_nodes(Some(nodes), &step.path, context);
        }
        let paths = self.functions[id.0 as usize].kind.paths();
        self.read(&paths, &read);
        self.node(table.node(), &step.path, context);
        result.flow = Flow::Table(table);
        Some(result)
    }

    fn compile_aggregate(&mut self, aggregate: &grammar::Aggregate, read: &Place) -> Option<Aggregate> {
        let scope = read.scope();
        let fields: Vec<(String, String)> = aggregate
            .fields
            .iter()
            .map(|field| (field.name.clone(), field.expression.value.clone()))
            .collect();
        if let Ok(compiled) = Aggregate::compile(&fields, &scope) {
            return Some(compiled);
        }
        // One by one, so that all mistakes are found.
        for (field, parts) in aggregate.fields.iter().zip(fields.chunks(1)) {
            if let Err(error) = Aggregate::compile(parts, &scope) {
                self.report.push(located(&field.expression, error.error));
            }
        }
        debug_assert!(self.report.has_errors());
        None
    }
}
