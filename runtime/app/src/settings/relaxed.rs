//! Spring's relaxed names: `application-id`, `applicationId`, `application_id` and `APPLICATION-ID` are one.

/// A name in the form in which all its spellings are equal.
pub fn uniform(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether two names are spellings of one.
pub fn same(a: &str, b: &str) -> bool {
    uniform(a) == uniform(b)
}

/// What follows a prefix, which is given in its dashed form and without the dot at its end: `x` of `prefix.x` and of `prefix[x]`.
pub fn below<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let mut due = prefix.chars().filter(|c| *c != '-').peekable();
    for (at, c) in name.char_indices() {
        match due.peek() {
            Some(_) if matches!(c, '-' | '_') => {}
            Some(next) if c.to_lowercase().eq(std::iter::once(*next)) => {
                due.next();
            }
            Some(_) => return None,
            None if matches!(c, '-' | '_') => {}
            None => {
                let rest = &name[at..];
                return match rest.strip_prefix('.') {
                    Some(rest) => Some(unbracketed(rest)),
                    None if rest.starts_with('[') => Some(unbracketed(rest)),
                    None => None,
                };
            }
        }
    }
    None
}

/// `x` of `[x]`; anything else as it is.
fn unbracketed(key: &str) -> &str {
    key.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(key)
}

/// The name and the number of an entry of a list, `servers[2]`.
pub fn indexed(key: &str) -> Option<(&str, usize)> {
    let (name, number) = key.strip_suffix(']')?.rsplit_once('[')?;
    Some((name, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for name in ["state-dir", "stateDir", "state_dir", "STATE-DIR", "statedir"] {
            assert!(same(name, "state-dir"), "{name}");
        }
        assert!(!same("state.dir", "state-dir"));
    }

    #[test]
    fn what_follows_a_prefix() {
        let prefix = "spring.kafka.streams.properties";
        for (name, expected) in [
            ("spring.kafka.streams.properties.poll.ms", Some("poll.ms")),
            ("spring.kafka.streams.properties[poll.ms]", Some("poll.ms")),
            ("spring.kafka.streams.properties.[poll.ms]", Some("poll.ms")),
            ("Spring.KAFKA.streams.pro-perties.poll.ms", Some("poll.ms")),
            ("spring.kafka.streams.properties", None),
            ("spring.kafka.streams.propertiesx.y", None),
            ("spring.kafka.properties.poll.ms", None),
        ] {
            assert_eq!(below(name, prefix), expected, "{name}");
        }
        assert_eq!(below("a.state_dir.b", "a.state-dir"), Some("b"));
    }

    #[test]
    fn entries_of_lists() {
        assert_eq!(indexed("servers[2]"), Some(("servers", 2)));
        assert_eq!(indexed("properties[a.b]"), None);
        assert_eq!(indexed("servers"), None);
    }
}
