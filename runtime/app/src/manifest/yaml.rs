//! YAML as kubectl reads it, with places: duplicate keys are refused, aliases and merge keys are followed.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marked, Tag};
use serde_json::Value;

use super::scalar;
use super::tree::{Entry, Kind, Node, Span, Style};

/// Aliases of aliases grow without bound: kubectl stops such documents too.
const MOST_NODES: usize = 100_000;
const DEEPEST: usize = 200;

/// Something that is no YAML, or no YAML that Kubernetes takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub span: Span,
    pub message: String,
    pub hint: Option<String>,
}

impl Mistake {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The documents of a file; empty ones are left out. All duplicate keys and tags are found; what is no YAML ends the reading.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Vec<Mistake>> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        mistakes: Vec::new(),
        nodes: 0,
    };
    let mut documents = Vec::new();
    match reader.documents(&mut documents) {
        Err(mistake) => {
            reader.mistakes.push(mistake);
            Err(reader.mistakes)
        }
        Ok(()) if reader.mistakes.is_empty() => Ok(documents),
        Ok(()) => Err(reader.mistakes),
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    mistakes: Vec<Mistake>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Mistake> {
        match self.parser.next() {
            None => Err(Mistake::new(
                Span {
                    line: 1,
                    column: 1,
                    end_line: 1,
                    end_column: 1,
                },
                "the text ends too early",
            )),
            Some(Ok((event, span))) => Ok((event, place(span))),
            Some(Err(error)) => {
                let at = error.marker();
                let (line, column) = (at.line(), at.col() + 1);
                let span = Span {
                    line,
                    column,
                    end_line: line,
                    end_column: column + 1,
                };
                Err(Mistake::new(span, format!("this is no YAML: {}", error.info())))
            }
        }
    }

    fn documents(&mut self, documents: &mut Vec<Node>) -> Result<(), Mistake> {
        loop {
            match self.next()?.0 {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    self.anchors.clear();
                    let (event, span) = self.next()?;
                    let node = self.node(event, span, 0)?;
                    if !matches!(node.kind, Kind::Scalar(Value::Null, _)) {
                        documents.push(node);
                    }
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Mistake> {
        self.count(1, span)?;
        if depth > DEEPEST {
            return Err(Mistake::new(
                span,
                format!("values are nested more than {DEEPEST} levels deep"),
            ));
        }
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), span)),
            Event::SequenceStart(anchor, _) => (anchor, self.list(span, depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(span, depth)?),
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(Mistake::new(span, "an alias of something that contains it"));
                };
                self.count(node.size(), span)?;
                (0, node)
            }
            other => return Err(Mistake::new(span, format!("a value is due here, not {other:?}"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Mistake> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(Mistake::new(
                span,
                format!("the document has more than {MOST_NODES} values, aliases counted"),
            ));
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let core = tag
            .filter(|tag| tag.is_yaml_core_schema())
            .map(|tag| tag.suffix.as_str());
        if let Some(tag) = tag
            && core.is_none()
            && !(tag.handle.is_empty() && tag.suffix == "!")
        {
            let mistake = Mistake::new(span, format!("{tag} is a tag in YAML, not part of the text"));
            self.mistakes.push(mistake.hint(format!(
                "put the text in quotes: \"{tag}{}{text}\"",
                if text.is_empty() { "" } else { " " }
            )));
        }
        let value = match (core, style) {
            (None, Style::Plain) | (Some("int" | "float" | "bool" | "null"), _) => scalar::resolve(text),
            _ => Ok(Value::from(text)),
        };
        let value = value.unwrap_or_else(|message| {
            self.mistakes.push(Mistake::new(span, message));
            Value::Null
        });
        Node {
            span,
            kind: Kind::Scalar(value, style),
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Mistake> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node {
                    span: start.to(span),
                    kind: Kind::List(items),
                });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, Mistake> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                merge(&mut entries, merged);
                return Ok(Node {
                    span: start.to(span),
                    kind: Kind::Map(entries),
                });
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key_node = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if is_merge {
                match value.kind {
                    Kind::List(maps) => merged.extend(maps),
                    Kind::Map(_) => merged.push(value),
                    Kind::Scalar(..) => self
                        .mistakes
                        .push(Mistake::new(value.span, "<< merges maps, and this is none")),
                }
                continue;
            }
            let key = match key_node.kind {
                Kind::Scalar(Value::String(key), _) => key,
                Kind::Scalar(Value::Null, _) | Kind::List(_) | Kind::Map(_) => {
                    self.mistakes.push(Mistake::new(span, "a key must be text"));
                    continue;
                }
                // kubectl would make "true" of it: nobody means that.
                Kind::Scalar(Value::Bool(read), _) => {
                    let mistake = Mistake::new(span, format!("YAML reads this key as the boolean {read}"));
                    self.mistakes
                        .push(mistake.hint("put it in quotes, or choose another name"));
                    continue;
                }
                Kind::Scalar(other, _) => other.to_string(),
            };
            match entries.iter().find(|entry| entry.key == key) {
                Some(first) => {
                    let line = first.key_span.line;
                    self.mistakes.push(Mistake::new(
                        span,
                        format!("the key {key} is here twice: first in line {line}"),
                    ));
                }
                None => entries.push(Entry {
                    key,
                    key_span: span,
                    value,
                }),
            }
        }
    }
}

/// Keys of merged maps stand back behind the map's own, and behind those merged earlier.
fn merge(entries: &mut Vec<Entry>, merged: Vec<Node>) {
    for node in merged {
        let Kind::Map(more) = node.kind else { continue };
        for entry in more {
            if !entries.iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
    }
}

fn place(span: Marked) -> Span {
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        end_line: span.end.line(),
        end_column: span.end.col() + 1,
    }
}

impl Span {
    fn to(self, end: Span) -> Span {
        Span {
            end_line: end.end_line,
            end_column: end.end_column,
            ..self
        }
    }
}
