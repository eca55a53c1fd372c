//! `sasl.jaas.config`: one login module with its options, as Java's clients take it.

use std::collections::BTreeMap;

use super::Secret;
use crate::{Error, ErrorKind, Result};

/// A login module by its short name, and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Jaas {
    /// The class without its package, such as `ScramLoginModule`.
    pub(super) module: String,
    options: BTreeMap<String, Secret>,
}

impl Jaas {
    /// An option, if it is there.
    pub(super) fn option(&self, name: &str) -> Option<&Secret> {
        self.options.get(name)
    }
}

/// Reads `package.Module required name="value" …;`. No error shows any of it: it holds a password.
///
/// # Errors
/// `Config` if it has another form.
pub(super) fn parse(text: &str) -> Result<Jaas> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::Config,
            format!("sasl.jaas.config: {why}; it has the form `package.Module required name=\"value\" …;`"),
        )
    };
    let mut words = Words {
        rest: text.trim().chars().peekable(),
    };
    let module = words.word().ok_or_else(|| wrong("it is empty"))?;
    let flag = words.word().unwrap_or_default().to_ascii_lowercase();
    if !matches!(&*flag, "required" | "requisite" | "sufficient" | "optional") {
        return Err(wrong("the login module is not followed by `required`"));
    }
    let mut options = BTreeMap::new();
    loop {
        words.blank();
        match words.rest.peek() {
            None => return Err(wrong("there is no `;` at its end")),
            Some(';') => {
                words.rest.next();
                break;
            }
            Some(_) => {}
        }
        let name = words.word().ok_or_else(|| wrong("an option has no name"))?;
        words.blank();
        if words.rest.next() != Some('=') {
            return Err(wrong("an option has no value"));
        }
        let value = words
            .value()
            .ok_or_else(|| wrong("the value of an option has no closing quote"))?;
        options.insert(name, Secret::new(value));
    }
    words.blank();
    if words.rest.peek().is_some() {
        return Err(wrong("one login module is taken, and something follows it"));
    }
    let module = module.rsplit('.').next().unwrap_or_default().to_owned();
    Ok(Jaas { module, options })
}

struct Words<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Words<'_> {
    fn blank(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn word(&mut self) -> Option<String> {
        self.blank();
        let mut word = String::new();
        while let Some(c) = self
            .rest
            .next_if(|c| !c.is_whitespace() && !matches!(c, '=' | ';' | '"'))
        {
            word.push(c);
        }
        (!word.is_empty()).then_some(word)
    }

    /// In quotes, where a backslash keeps the next character's meaning off; or a bare word.
    fn value(&mut self) -> Option<String> {
        self.blank();
        let Some(quote) = self.rest.next_if(|c| matches!(c, '"' | '\'')) else {
            return Some(self.word().unwrap_or_default());
        };
        let mut value = String::new();
        loop {
            match self.rest.next()? {
                c if c == quote => return Some(value),
                '\\' => value.push(self.rest.next()?),
                c => value.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_javas_login_modules_are_read() {
        let plain = parse(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"app\"\n  password=\"a;b \\\"c\\\" \\\\\" ;",
        )
        .unwrap();
        assert_eq!(plain.module, "PlainLoginModule");
        assert_eq!(plain.option("username").unwrap().expose(), "app");
        assert_eq!(plain.option("password").unwrap().expose(), "a;b \"c\" \\");
        let bare = parse("ScramLoginModule REQUIRED username=app password='x y' tokenauth=true;").unwrap();
        assert_eq!(bare.option("password").unwrap().expose(), "x y");
        assert_eq!(bare.option("tokenauth").unwrap().expose(), "true");
        assert_eq!(bare.option("other"), None);
        assert!(parse("OAuthBearerLoginModule required;").is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_it() {
        for (line, words) in [
            ("", "empty"),
            ("PlainLoginModule username=\"hush\";", "required"),
            ("PlainLoginModule required password=\"hush\"", "`;`"),
            ("PlainLoginModule required password=\"hush;", "quote"),
            ("PlainLoginModule required hush;", "no value"),
            (
                "PlainLoginModule required password=\"hush\"; Another required;",
                "follows",
            ),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(words), "{line}: {error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        assert!(!format!("{:?}", parse("A required password=\"hush\";")).contains("hush"));
    }
}
