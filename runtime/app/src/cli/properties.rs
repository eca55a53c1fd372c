//! `--any.property=value`, as Spring Boot takes it: an option that has a dot in its name is a property.

use std::ffi::{OsStr, OsString};

/// The hidden option that stands for all of them.
pub const OPTION: &str = "property";

/// Arguments with each property written as [`OPTION`]; what follows `--` is left alone.
pub fn as_options(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut is_over = false;
    let rewritten = |argument: OsString| {
        is_over |= argument == "--";
        match property(&argument).filter(|_| !is_over) {
            Some(property) => format!("--{OPTION}={property}").into(),
            None => argument,
        }
    };
    arguments.map(rewritten).collect()
}

fn property(argument: &OsStr) -> Option<&str> {
    let rest = argument.to_str()?.strip_prefix("--")?;
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    name.contains('.').then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_with_a_dot_is_a_property() {
        let given = [
            "millrace",
            "run",
            "a.yaml",
            "--a.b=c=d",
            "--state-dir=/x.y",
            "--config",
            "e.f=g",
            "--h.i",
            "--",
            "--j.k=l",
        ];
        let due = [
            "millrace",
            "run",
            "a.yaml",
            "--property=a.b=c=d",
            "--state-dir=/x.y",
            "--config",
            "e.f=g",
            "--property=h.i",
            "--",
            "--j.k=l",
        ];
        assert_eq!(as_options(given.into_iter().map(OsString::from)), due);
    }
}
