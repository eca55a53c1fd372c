//! Writes JSON values as YAML in block style: enough for generated files, where keys are sorted and text is plain.

use serde_json::Value;

/// The value as a YAML document.
pub(crate) fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, child) in entries {
                pad(out, indent);
                out.push_str(&text(key));
                out.push(':');
                write_child(out, child, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                pad(out, indent);
                out.push('-');
                // The item's first line stands behind the dash.
                let mut nested = String::new();
                write_child(&mut nested, item, indent + 2);
                match nested.strip_prefix('\n') {
                    Some(block) => {
                        out.push(' ');
                        out.push_str(block.trim_start());
                    }
                    None => out.push_str(&nested),
                }
            }
        }
        scalar => {
            pad(out, indent);
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

fn write_child(out: &mut String, child: &Value, indent: usize) {
    let block = match child {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if block {
        out.push('\n');
        write_value(out, child, indent);
    } else {
        out.push(' ');
        out.push_str(&inline(child));
        out.push('\n');
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        other => other.to_string(),
    }
}

/// Plain where no YAML reader could take it for something else; in JSON's quotes otherwise.
fn text(value: &str) -> String {
    let word =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '/' | '-' | '_' | '(' | ')' | ',' | ';' | '\'');
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && !value.ends_with(' ')
        && value.chars().all(word)
        && !matches!(
            value.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn nests_lists_and_maps_and_quotes_what_is_not_text() {
        let value = json!({
            "a": [{"b": 1, "c": [true, "no", "1e3"]}, [], {}],
            "description": "Words: with a colon",
            "plain": "just words",
        });
        expect![[r#"
            a:
              - b: 1
                c:
                  - true
                  - "no"
                  - "1e3"
              - []
              - {}
            description: "Words: with a colon"
            plain: just words
        "#]]
        .assert_eq(&super::to_yaml(&value));
    }
}
