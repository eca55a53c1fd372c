//! Spring's profiles: which are active, and whether a document belongs to them.

/// The profiles to activate, in order: those included, those asked for, each followed by its group. Without any, the default ones.
pub fn active(
    included: &[String],
    asked: &[String],
    default: &[String],
    group: &dyn Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let asked = if included.is_empty() && asked.is_empty() {
        default
    } else {
        asked
    };
    let mut active: Vec<String> = Vec::new();
    let mut waiting: Vec<String> = included.iter().chain(asked).rev().cloned().collect();
    while let Some(profile) = waiting.pop() {
        if !active.contains(&profile) {
            waiting.extend(group(&profile).into_iter().rev());
            active.push(profile);
        }
    }
    active
}

/// Names with commas between them.
pub fn listed(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Whether one of the expressions (`prod`, `!dev`, `prod & (eu | us)`), with commas between them, holds.
///
/// # Errors
/// An expression that is none.
pub fn accepts(expressions: &str, active: &[String]) -> Result<bool, String> {
    let mut any = false;
    for expression in listed(expressions) {
        let mut parser = Parser {
            rest: &expression,
            active,
        };
        let holds = parser.whole();
        any |= holds.map_err(|message| format!("`{expression}` is no expression of profiles: {message}"))?;
    }
    Ok(any)
}

struct Parser<'a> {
    rest: &'a str,
    active: &'a [String],
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<bool, String> {
        let holds = self.terms()?;
        match self.rest {
            "" => Ok(holds),
            rest => Err(format!("`{rest}` is too much")),
        }
    }

    /// Terms with one kind of sign between them.
    fn terms(&mut self) -> Result<bool, String> {
        let mut holds = self.term()?;
        let mut sign = None;
        while let Some(next) = self.rest.chars().next().filter(|c| matches!(c, '&' | '|')) {
            if sign.is_some_and(|sign| sign != next) {
                return Err("put parentheses where & and | meet".to_owned());
            }
            sign = Some(next);
            self.skip(1);
            let term = self.term()?;
            holds = if next == '&' { holds & term } else { holds | term };
        }
        Ok(holds)
    }

    fn term(&mut self) -> Result<bool, String> {
        self.skip(0);
        if self.rest.starts_with('!') {
            self.skip(1);
            return self.term().map(|holds| !holds);
        }
        if self.rest.starts_with('(') {
            self.skip(1);
            let holds = self.terms()?;
            if !self.rest.starts_with(')') {
                return Err("a parenthesis has no end".to_owned());
            }
            self.skip(1);
            return Ok(holds);
        }
        let end = self.rest.find(['&', '|', '(', ')', '!']).unwrap_or(self.rest.len());
        let name = self.rest[..end].trim();
        if name.is_empty() {
            return Err("a profile is missing".to_owned());
        }
        let holds = self.active.iter().any(|active| active == name);
        self.skip(end);
        Ok(holds)
    }

    /// Goes on by so many bytes, and over blanks.
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        listed(text)
    }

    #[test]
    fn expressions() {
        for (expression, profiles, expected) in [
            ("prod", "prod", true),
            ("prod", "dev", false),
            ("!prod", "dev", true),
            ("prod & eu", "prod,eu", true),
            ("prod & eu", "prod", false),
            ("prod | eu", "eu", true),
            ("prod & (eu | us)", "prod,us", true),
            ("!(prod|eu)", "", true),
            ("prod, eu", "eu", true),
            ("prod & !eu", "prod", true),
        ] {
            assert_eq!(
                accepts(expression, &names(profiles)),
                Ok(expected),
                "{expression} {profiles}"
            );
        }
        for wrong in ["prod & eu | us", "(prod", "prod &", "&", "prod)", "a ! b"] {
            assert!(accepts(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn order() {
        let group = |name: &str| match name {
            "prod" => names("db,mq"),
            "db" => names("disk"),
            _ => Vec::new(),
        };
        let active =
            |included: &str, asked: &str| active(&names(included), &names(asked), &names("default"), &group).join(",");
        assert_eq!(active("", ""), "default");
        assert_eq!(active("", "prod,live"), "prod,db,disk,mq,live");
        assert_eq!(active("common", "prod"), "common,prod,db,disk,mq");
        assert_eq!(active("common", ""), "common");
    }
}
