//! A StreamApp manifest from a file: read as kubectl reads it, decoded strictly, every problem located.

mod places;
mod report;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;
mod yaml;

use std::io::Read as _;

use millrace_crds::StreamApp;
use serde_json::Value;

pub use places::join;
pub use report::{Problem, Source};
pub use tree::Span;

/// A decoded manifest and the file that it came from.
#[derive(Debug)]
pub struct Manifest {
    /// The resource.
    pub app: StreamApp,
    /// Where its values stand.
    pub source: Source,
}

/// A document of any kind and the file that it came from.
#[derive(Debug)]
pub struct Document {
    /// The document as JSON.
    pub value: Value,
    /// Where its values stand.
    pub source: Source,
}

/// Reads a file, `-` for standard input.
pub fn read_file(file: &str) -> Result<String, Vec<Problem>> {
    let text = if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|error| {
        let problem = Problem::nowhere(file, "unreadable", format!("cannot be read: {error}"));
        vec![problem.hint(Some("give the path of a manifest, or - for standard input".to_owned()))]
    })
}

/// The StreamApp in `text`; documents of other kinds are left alone.
pub fn parse(file: &str, text: &str) -> Result<Manifest, Vec<Problem>> {
    let (documents, source) = documents(file, text)?;
    let (apps, others): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .partition(|node| node.get("kind").is_some_and(|kind| kind.to_json() == "StreamApp"));
    let root = match (apps.len(), others.len()) {
        (1, _) => apps.into_iter().next(),
        // Not called a StreamApp: decoding says what is missing.
        (0, 1) => others.into_iter().next(),
        (0, 0) => return Err(vec![Problem::nowhere(file, "empty", "there is nothing in it")]),
        (0, n) => {
            return Err(vec![Problem::nowhere(
                file,
                "no-stream-app",
                format!("none of its {n} documents is a StreamApp"),
            )]);
        }
        (_, _) => {
            let second = source.at(apps[1].span, "several", "", "a second StreamApp in one file");
            return Err(vec![second.hint(Some("give each its own file".to_owned()))]);
        }
    };
    let root = root.expect("one of them is there");
    let source = Source {
        places: places::Places::of(&root),
        ..source
    };
    match millrace_crds::decode(&root.to_json()) {
        Ok(app) => Ok(Manifest { app, source }),
        Err(problems) => Err(problems
            .0
            .into_iter()
            .map(|problem| {
                let on_key = problem.message == "unknown key";
                let code = if on_key { "unknown-key" } else { "resource" };
                let message = if problem.path.is_empty() {
                    problem.message
                } else {
                    format!("{}: {}", problem.path, problem.message)
                };
                source.at_path(&problem.path, on_key, code, message).hint(problem.hint)
            })
            .collect()),
    }
}

/// The one document of a file that holds no resource.
pub fn parse_document(file: &str, text: &str) -> Result<Document, Vec<Problem>> {
    let (documents, source) = documents(file, text)?;
    let [root] = &documents[..] else {
        let message = format!("one document is due, and there are {}", documents.len());
        return Err(vec![Problem::nowhere(file, "documents", message)]);
    };
    Ok(Document {
        value: root.to_json(),
        source: Source {
            places: places::Places::of(root),
            ..source
        },
    })
}

/// All documents of a file that holds no resource; empty ones are left out.
pub fn parse_documents(file: &str, text: &str) -> Result<Vec<Document>, Vec<Problem>> {
    let (documents, source) = documents(file, text)?;
    let with_places = |root: &tree::Node| Document {
        value: root.to_json(),
        source: Source {
            places: places::Places::of(root),
            ..source.clone()
        },
    };
    Ok(documents.iter().map(with_places).collect())
}

fn documents(file: &str, text: &str) -> Result<(Vec<tree::Node>, Source), Vec<Problem>> {
    let source = Source::new(file, text);
    // JSON may be indented by tabs, which YAML forbids; inside of JSON's strings there are none.
    let json = text.trim_start().starts_with('{').then(|| text.replace('\t', " "));
    match yaml::parse(json.as_deref().unwrap_or(text)) {
        Ok(documents) => Ok((documents, source)),
        Err(mistakes) => Err(mistakes
            .into_iter()
            .map(|mistake| source.at(mistake.span, "yaml", "", mistake.message).hint(mistake.hint))
            .collect()),
    }
}
