//! Properties files as `java.util.Properties` reads them, cut into Spring Boot's documents.

/// A property and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, without escapes.
    pub key: String,
    /// The value, without escapes.
    pub value: String,
    /// The line of the key, from 1.
    pub line: usize,
    /// The column of the key in characters, from 1.
    pub column: usize,
    /// How many characters of the line the key takes.
    pub width: usize,
}

/// A line that is no property, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// For the operator.
    pub message: String,
}

/// Bytes of a properties file: UTF-8 if they can be, else ISO-8859-1, which Java's files were for long.
pub fn decode(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The documents of a file; a line `#---` or `!---` begins a new one, as Spring Boot reads it: at the line's start, and not next to
/// another comment.
///
/// # Errors
/// An escape `\u` without four hexadecimal digits.
pub fn parse(text: &str) -> Result<Vec<Vec<Entry>>, Mistake> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut documents: Vec<Vec<Entry>> = Vec::new();
    let mut document: Vec<Entry> = Vec::new();
    let mut last_comment = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let trimmed = line.trim_start_matches(BLANK);
        at += 1;
        if let Some(comment) = trimmed.strip_prefix(['#', '!']) {
            let sign = trimmed.chars().next();
            let is_separator = comment.trim_end_matches(BLANK) == "---" && trimmed.len() == line.len();
            if is_separator && last_comment != sign {
                documents.extend(Some(std::mem::take(&mut document)).filter(|document| !document.is_empty()));
            } else {
                if document.is_empty() {
                    document = documents.pop().unwrap_or_default();
                }
                last_comment = sign;
            }
            continue;
        }
        last_comment = None;
        if trimmed.is_empty() {
            continue;
        }
        let first = at;
        let mut logical = trimmed.to_owned();
        while ends_with_a_lone_backslash(&logical) {
            logical.pop();
            let Some(more) = lines.get(at) else { break };
            logical.push_str(more.trim_start_matches(BLANK));
            at += 1;
        }
        let (key, value) = split(&logical);
        let unescaped = |text: &str| {
            unescape(text).ok_or_else(|| Mistake {
                line: first,
                message: "\\u is followed by four hexadecimal digits".to_owned(),
            })
        };
        document.push(Entry {
            key: unescaped(key)?,
            value: unescaped(value)?,
            line: first,
            column: line.chars().count() - trimmed.chars().count() + 1,
            width: key.chars().count().min(trimmed.chars().count()),
        });
    }
    documents.extend(Some(document).filter(|document| !document.is_empty()));
    Ok(documents)
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

fn ends_with_a_lone_backslash(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// The raw key and the raw value: between them stands `=`, `:` or blanks.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let ends = !escaped && (matches!(c, '=' | ':') || BLANK.contains(c));
        escaped = !escaped && *c == '\\';
        ends
    });
    let Some((end, _)) = end else { return (line, "") };
    let rest = line[end..].trim_start_matches(BLANK);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(BLANK))
}

fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                None => break,
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let is_hex = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    units.push(is_hex.then(|| u16::from_str_radix(&digits, 16).ok()).flatten()?);
                    continue;
                }
                Some(other) => other,
            },
            plain => plain,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All documents as `key=value` in Rust's notation; documents are separated by `---`.
    fn shown(text: &str) -> String {
        let documents = parse(text).unwrap();
        let show = |document: &Vec<Entry>| -> String {
            document
                .iter()
                .map(|entry| format!("{}:{:?}={:?}\n", entry.line, entry.key, entry.value))
                .collect()
        };
        documents.iter().map(show).collect::<Vec<_>>().join("---\n")
    }

    #[test]
    fn lines_are_read_as_java_reads_them() {
        for (text, expected) in [
            ("a=1", "1:\"a\"=\"1\"\n"),
            ("a:1", "1:\"a\"=\"1\"\n"),
            ("a 1", "1:\"a\"=\"1\"\n"),
            ("  a \t=  1  ", "1:\"a\"=\"1  \"\n"),
            ("a = = 1", "1:\"a\"=\"= 1\"\n"),
            ("a", "1:\"a\"=\"\"\n"),
            ("a=", "1:\"a\"=\"\"\n"),
            ("a\\ b\\=c\\:d = e", "1:\"a b=c:d\"=\"e\"\n"),
            ("a=b\\\n   c", "1:\"a\"=\"bc\"\n"),
            ("a=b\\\\\nc=d", "1:\"a\"=\"b\\\\\"\n2:\"c\"=\"d\"\n"),
            ("a=b,\\\n# no comment", "1:\"a\"=\"b,# no comment\"\n"),
            ("a=b\\", "1:\"a\"=\"b\"\n"),
            ("a\\\n  b = c", "1:\"ab\"=\"c\"\n"),
            ("a=\\t\\n\\q\\u00e9\\uD83D\\uDE00", "1:\"a\"=\"\\t\\nqé😀\"\n"),
            ("# x\n! y\n\n \t\na=1", "5:\"a\"=\"1\"\n"),
            ("a=1 # 2", "1:\"a\"=\"1 # 2\"\n"),
            ("a=\\${b}", "1:\"a\"=\"${b}\"\n"),
            ("c=Serdes$StringSerde", "1:\"c\"=\"Serdes$StringSerde\"\n"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        let mistake = parse("a=1\nb=\\u12g4").unwrap_err();
        assert_eq!(mistake.line, 2);
    }

    #[test]
    fn documents_are_cut_as_spring_cuts_them() {
        for (text, expected) in [
            ("a=1\n#---\nb=2", "1:\"a\"=\"1\"\n---\n3:\"b\"=\"2\"\n"),
            ("a=1\n!---  \nb=2", "1:\"a\"=\"1\"\n---\n3:\"b\"=\"2\"\n"),
            ("a=1\n #---\nb=2", "1:\"a\"=\"1\"\n3:\"b\"=\"2\"\n"),
            ("a=1\n#----\nb=2", "1:\"a\"=\"1\"\n3:\"b\"=\"2\"\n"),
            ("a=1\n# x\n#---\nb=2", "1:\"a\"=\"1\"\n4:\"b\"=\"2\"\n"),
            ("a=1\n#---\n# x\nb=2", "1:\"a\"=\"1\"\n4:\"b\"=\"2\"\n"),
            ("#---\na=1\n#---\n", "2:\"a\"=\"1\"\n"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_are_utf_8_or_latin_1() {
        assert_eq!(decode("\u{feff}a=é\r\nb=1\rc".as_bytes()), "a=é\nb=1\nc");
        assert_eq!(decode(b"a=\xe9"), "a=é");
    }

    #[test]
    fn a_key_has_a_place() {
        let entry = &parse("\n  key\\ x = 1").unwrap()[0][0];
        assert_eq!((entry.line, entry.column, entry.width), (2, 3, 6));
    }
}
