//! From the decoded manifest to a plan and its functions.
//!
//! Everything goes through the one [`Builder`], in the order of the manifest, so that a manifest gives the nodes that the same
//! application gives in Java.

mod aggregate;
mod function;
mod pipelines;
mod place;
mod sinks;
mod sources;
mod steps;
mod typing;

use std::collections::{BTreeMap, HashMap};

use millrace_topology::{Builder, FunctionId, NodeId, OnError, Plan, Stream};

use crate::{
    diagnostic::{Code, Diagnostic, Diagnostics},
    expression::Paths,
    grammar::{Located, Topic, Topology, nearest},
};

pub use function::{Function, FunctionKind, KeySelector, Output, OutputField, timestamp_ms};
use place::Place;

/// A compiled application: what the engine binds and runs.
#[derive(Clone, Debug)]
pub struct Program {
    /// Nodes, stores, internal topics.
    pub plan: Plan,
    /// What a [`FunctionId`] of the plan means.
    pub functions: Vec<Function>,
    /// Where in the manifest the nodes come from, and what happens to a record that they cannot process.
    pub nodes: BTreeMap<NodeId, Origin>,
    /// For each source node, of repartition topics too: the fields of key and value that are read downstream while they are still
    /// the documents that it decoded. See [`Paths::value_shape`].
    pub reads: BTreeMap<NodeId, Paths>,
    /// What is perhaps not meant so.
    pub warnings: Diagnostics,
}

impl Program {
    /// The function.
    ///
    /// # Panics
    /// If the id is of another program.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }
}

/// Where a node comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// JSON path of the step, topic or target.
    pub path: String,
    /// The pipeline; `None` for a source, which several may share.
    pub pipeline: Option<String>,
    /// Of processing; `None`: `processing.exception.handler`.
    pub on_error: Option<OnError>,
}

pub(crate) fn lower(topology: &Topology, path: &str, report: &mut Diagnostics) -> Option<Program> {
    let mut lowering = Lowering {
        topology,
        // Automatic names: the grammar has refused them where they are not allowed.
        builder: Builder::new(),
        functions: Vec::new(),
        nodes: BTreeMap::new(),
        reads: BTreeMap::new(),
        streams: HashMap::new(),
        names: HashMap::new(),
        report,
    };
    lowering.check_formats();
    lowering.pipelines();
    if lowering.report.has_errors() {
        return None;
    }
    lowering.unused_topics();
    let Lowering {
        builder,
        functions,
        nodes,
        reads,
        report,
        ..
    } = lowering;
    match builder.build() {
        Ok(plan) => Some(Program {
            plan,
            functions,
            nodes,
            reads,
            warnings: std::mem::take(report),
        }),
        Err(error) => {
            report.push(Diagnostic::error(Code::DuplicateName, path, error.to_string()));
            None
        }
    }
}

struct Lowering<'a> {
    topology: &'a Topology,
    builder: Builder,
    functions: Vec<Function>,
    nodes: BTreeMap<NodeId, Origin>,
    reads: BTreeMap<NodeId, Paths>,
    /// Source streams by the short names that they read.
    streams: HashMap<Vec<&'a str>, Stream>,
    /// Names of stateful steps, and where they are given.
    names: HashMap<String, String>,
    report: &'a mut Diagnostics,
}

/// What all steps of a pipeline share.
#[derive(Clone, Copy)]
struct Context<'a> {
    pipeline: &'a str,
    on_error: Option<OnError>,
}

impl<'a> Lowering<'a> {
    fn function(&mut self, kind: FunctionKind, path: &str, on_error: Option<OnError>) -> FunctionId {
        let id = FunctionId(u32::try_from(self.functions.len()).expect("fewer than 2^32 functions"));
        self.functions.push(Function {
            kind,
            path: path.to_owned(),
            on_error,
        });
        id
    }

    /// A function of a step, whose reads count for the sources that the place's key and value come from.
    fn step_function(&mut self, kind: FunctionKind, path: &str, place: &Place, context: Context<'_>) -> FunctionId {
        self.read(&kind.paths(), place);
        self.function(kind, path, context.on_error)
    }

    fn read(&mut self, paths: &Paths, place: &Place) {
        for (source, paths) in place.reads(paths) {
            self.reads.entry(source).or_default().union(&paths);
        }
    }

    fn node(&mut self, node: NodeId, path: &str, context: Context<'_>) {
        let origin = Origin {
            path: path.to_owned(),
            pipeline: Some(context.pipeline.to_owned()),
            on_error: context.on_error,
        };
        self.nodes.insert(node, origin);
    }

    /// A topic by its short name.
    fn topic(&mut self, short: &Located<String>) -> Option<&'a Topic> {
        let topology = self.topology;
        let found = topology.topics.iter().find(|topic| topic.short == short.value);
        if found.is_none() {
            let message = format!("there is no topic {} in topics", short.value);
            let problem = Diagnostic::error(Code::UnknownReference, &short.path, message);
            let full = topology.topics.iter().find(|topic| topic.name == short.value);
            let pipeline = topology.pipelines.iter().any(|pipeline| pipeline.name == short.value);
            self.report.push(
                match (
                    full,
                    nearest(&short.value, topology.topics.iter().map(|t| t.short.as_str())),
                ) {
                    (Some(topic), _) => problem.hint(format!("topics are named by their short names: {}", topic.short)),
                    (None, _) if pipeline => {
                        problem.hint(format!("a pipeline's result is read by {{pipeline: {}}}", short.value))
                    }
                    (None, Some(meant)) => problem.hint(format!("did you mean {meant}?")),
                    (None, None) => problem.hint("declare every topic that is read or written in topics"),
                },
            );
        }
        found
    }

    fn error(&mut self, code: Code, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.report.push(Diagnostic::error(code, path, message).hint(hint));
    }

    /// A name of a store or repartition topic is used once.
    fn claim(&mut self, name: &str, path: &str) -> bool {
        match self.names.get(name) {
            None => {
                self.names.insert(name.to_owned(), path.to_owned());
                true
            }
            Some(first) => {
                let message = format!("{name} is the name of {first} too");
                self.error(
                    Code::DuplicateName,
                    path,
                    message,
                    "stores and topics follow from the name: each step needs its own",
                );
                false
            }
        }
    }
}
