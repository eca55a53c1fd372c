//! From JSON paths, which problems carry, to lines and columns.

use std::collections::HashMap;

use serde_json::Value;

use super::tree::{Kind, Node, Span, Style};

/// Where a value stands, and its key if it is in a map.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its key.
    pub key: Option<Span>,
    /// Itself.
    pub value: Span,
    /// How text was written.
    pub style: Option<Style>,
    /// Whether it is a map or a list.
    pub is_container: bool,
}

/// All places of a document, by JSON path (`spec.topology.pipelines[0].from`, `spec.config["a.b"]`).
#[derive(Clone, Debug, Default)]
pub struct Places(HashMap<String, Place>);

impl Places {
    pub(super) fn of(root: &Node) -> Self {
        let mut places = HashMap::new();
        collect("", None, root, &mut places);
        Self(places)
    }

    /// The place of exactly this path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Place> {
        self.0.get(path).copied()
    }

    /// The place of the path, or of the nearest thing around it that exists (a missing key is reported where it is missing).
    #[must_use]
    pub fn nearest(&self, path: &str) -> Option<(Place, bool)> {
        let mut rest = path;
        loop {
            if let Some(place) = self.get(rest) {
                return Some((place, rest.len() == path.len()));
            }
            if rest.is_empty() {
                return None;
            }
            rest = parent(rest);
        }
    }
}

fn collect(path: &str, key: Option<Span>, node: &Node, places: &mut HashMap<String, Place>) {
    let style = match &node.kind {
        Kind::Scalar(Value::String(_), style) => Some(*style),
        _ => None,
    };
    let is_container = !matches!(node.kind, Kind::Scalar(..));
    places.insert(
        path.to_owned(),
        Place {
            key,
            value: node.span,
            style,
            is_container,
        },
    );
    match &node.kind {
        Kind::Scalar(..) => {}
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{path}[{index}]"), None, item, places);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                collect(&join(path, &entry.key), Some(entry.key_span), &entry.value, places);
            }
        }
    }
}

/// `parent.key`, or `parent["key"]` where the key is no plain word: as the crates that decode write their paths.
#[must_use]
pub fn join(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (parent.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{parent}.{key}"),
        (_, false) => format!("{parent}[{}]", Value::from(key)),
    }
}

/// The path without its last segment.
fn parent(path: &str) -> &str {
    if let Some(body) = path.strip_suffix("\"]") {
        // A quoted key may hold anything, an escaped quote too.
        let mut at = body.rfind("[\"").unwrap_or(0);
        while at > 0 && body[..at].ends_with('\\') {
            at = body[..at].rfind("[\"").unwrap_or(0);
        }
        return &path[..at];
    }
    let at = path.rfind(['.', '[']).unwrap_or(0);
    &path[..at]
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_has_a_parent() {
        for (path, parent) in [
            ("spec", ""),
            ("spec.topology", "spec"),
            ("a.b[3]", "a.b"),
            ("spec.config[\"a.b\"]", "spec.config"),
            ("spec.config[\"a.b\"].c", "spec.config[\"a.b\"]"),
        ] {
            assert_eq!(super::parent(path), parent);
        }
    }
}
