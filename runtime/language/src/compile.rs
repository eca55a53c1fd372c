//! The crate's entrance.

use serde_json::Value;

use crate::{diagnostic::Diagnostics, grammar, lower, lower::Program};

/// How a manifest is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// JSON path of what is compiled, which errors start with.
    pub path: String,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            path: "spec.topology".to_owned(),
        }
    }
}

/// Compiles `spec.topology`.
///
/// # Errors
/// Everything that is wrong with it, located, and warnings besides.
///
/// ```
/// use millrace_language::{CompileOptions, compile};
///
/// let topology = serde_json::json!({
///     "topics": {
///         "transactions": {"name": "transactions-topic", "key": "string", "value": "json", "onError": "deadLetter"},
///         "totals": {"name": "aggregated-transactions", "key": "string", "value": "json"},
///     },
///     "pipelines": [{
///         "name": "user-totals",
///         "from": "transactions",
///         "steps": [
///             {"filter": "value.amount > 0"},
///             {"aggregate": {
///                 "name": "user-5min-totals",
///                 "window": {"tumbling": "5m"},
///                 "fields": [{"totalAmount": "sum(value.amount)"}, {"count": "count()"}],
///                 "changelog": {"retention.ms": 86400000, "segment.bytes": 104857600},
///             }},
///         ],
///         "to": "totals",
///     }],
/// });
/// let program = compile(&topology, &CompileOptions::default())?;
///
/// // The nodes of the same application in Java.
/// let names: Vec<&str> = program.plan.nodes.iter().map(|node| node.name.as_str()).collect();
/// assert_eq!(names, [
///     "KSTREAM-SOURCE-0000000000", "KSTREAM-FILTER-0000000001", "KSTREAM-AGGREGATE-0000000002",
///     "KTABLE-TOSTREAM-0000000003", "KSTREAM-MAP-0000000004", "KSTREAM-SINK-0000000005",
/// ]);
/// assert_eq!(program.reads[&program.plan.nodes[0].id].to_string(), "value.amount");
///
/// let mut wrong = topology.clone();
/// wrong["pipelines"][0]["steps"][0]["filter"] = "amount > 0".into();
/// println!("{}", compile(&wrong, &CompileOptions::default()).unwrap_err().render());
/// # Ok::<(), millrace_language::Diagnostics>(())
/// ```
pub fn compile(topology: &Value, options: &CompileOptions) -> Result<Program, Diagnostics> {
    let (topology, mut report) = grammar::decode(topology, &options.path);
    lower::lower(&topology, &options.path, &mut report).ok_or(report)
}
