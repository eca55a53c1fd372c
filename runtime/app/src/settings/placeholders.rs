//! `${name:default}` in values, as Spring resolves it: nested, over all sources, `\${` for the two characters themselves.

/// Why a value cannot be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing sets this name, and no default is stated.
    Missing(String),
    /// Its value refers to itself.
    Circular(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(name) => write!(
                f,
                "nothing sets {name}, which `${{{name}}}` asks for: set it, or state a default: `${{{name}:…}}`"
            ),
            Self::Circular(name) => write!(f, "`${{{name}}}` refers to itself"),
        }
    }
}

/// `text` with its placeholders replaced by what `find` knows of their names.
pub fn resolve(text: &str, find: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    expand(text, find, &mut Vec::new())
}

/// The names that `text` asks for, as far as they are no placeholders themselves.
pub fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        rest = &rest[at + 2..];
        let end = rest.find([':', '}', '$']).unwrap_or(rest.len());
        names.push(&rest[..end]);
    }
    names
}

fn expand(text: &str, find: &dyn Fn(&str) -> Option<String>, open: &mut Vec<String>) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('\\') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        let Some(length) = end_of(&rest[at + 2..]) else { break };
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..at + 2 + length];
        out.push_str(&value_of(inner, find, open)?);
        rest = &rest[at + 3 + length..];
    }
    out.push_str(rest);
    Ok(out)
}

fn value_of(inner: &str, find: &dyn Fn(&str) -> Option<String>, open: &mut Vec<String>) -> Result<String, Fault> {
    let (name, default) = match colon(inner) {
        Some(at) => (&inner[..at], Some(&inner[at + 1..])),
        None => (inner, None),
    };
    let name = expand(name, find, open)?;
    if open.contains(&name) {
        return Err(Fault::Circular(name));
    }
    match (find(&name), default) {
        (Some(value), _) => {
            open.push(name);
            let value = expand(&value, find, open);
            open.pop();
            value
        }
        (None, Some(default)) => expand(default, find, open),
        (None, None) => Err(Fault::Missing(name)),
    }
}

/// Where the placeholder ends that begins before `text`.
fn end_of(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The first colon outside of nested placeholders.
fn colon(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ':' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_resolved_as_spring_does() {
        let find = |name: &str| {
            let known = [
                ("a", "1"),
                ("b", "${a}2"),
                ("env", "prod"),
                ("servers.prod", "kafka:9092"),
                ("loop", "x${pool}"),
                ("pool", "${loop}"),
                ("empty", ""),
            ];
            let value = known.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| (*value).to_owned())
        };
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("${a}", Ok("1")),
            ("-${b}-${a}-", Ok("-12-1-")),
            ("${x:y}", Ok("y")),
            ("${x:}", Ok("")),
            ("${empty:y}", Ok("")),
            ("${x:${a}}", Ok("1")),
            ("${x:${y:z:1}}", Ok("z:1")),
            ("${servers.${env}}", Ok("kafka:9092")),
            ("${x:localhost:9092}", Ok("localhost:9092")),
            ("${x:{a}}", Ok("{a}")),
            ("\\${a}", Ok("${a}")),
            ("${a", Ok("${a")),
            ("$a {a} Serdes$StringSerde", Ok("$a {a} Serdes$StringSerde")),
            ("${x}", Err(Fault::Missing("x".to_owned()))),
            ("${x${a}}", Err(Fault::Missing("x1".to_owned()))),
            ("${loop}", Err(Fault::Circular("loop".to_owned()))),
        ] {
            assert_eq!(resolve(text, &find), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn names_that_are_asked_for() {
        assert_eq!(names("${a:${b.c}}-${d}"), ["a", "b.c", "d"]);
    }
}
