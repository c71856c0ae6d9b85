//! A document in the other format (`GetDocument`, DocumentFormat): the same JSON, written for people.

use std::fmt::Write;

use base::Json;

use crate::content::{self, ContentError, Format};

/// What `text` says, in the format `to`; in its own format it stays as it is.
pub fn convert(text: &str, from: Format, to: Format) -> Result<String, ContentError> {
    if from == to {
        return Ok(text.to_owned());
    }
    let json = content::read(text, from)?;
    let mut out = String::new();
    match to {
        Format::Json => put_json(&json, 0, &mut out),
        Format::Yaml => put_yaml(&json, 0, &mut out),
    }
    Ok(out)
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    indent(out, depth);
}

fn indent(out: &mut String, depth: usize) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn put_scalar(scalar: &Json, out: &mut String) {
    write!(out, "{scalar}").expect("a text takes all");
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

fn put_json(json: &Json, depth: usize, out: &mut String) {
    match json {
        Json::Object(members) if !members.is_empty() => {
            out.push('{');
            for (nth, (key, value)) in members.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                line(out, depth + 1);
                out.push_str(&quoted(key));
                out.push_str(": ");
                put_json(value, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (nth, item) in items.iter().enumerate() {
                out.push_str(if nth > 0 { "," } else { "" });
                line(out, depth + 1);
                put_json(item, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        scalar => put_scalar(scalar, out),
    }
}

/// In block style, as documents are written by hand. What it writes ends with a newline.
fn put_yaml(json: &Json, depth: usize, out: &mut String) {
    match json {
        Json::Object(members) if !members.is_empty() => {
            for (nth, (key, value)) in members.iter().enumerate() {
                if nth > 0 {
                    indent(out, depth);
                }
                out.push_str(&if is_plain(key) { key.to_string() } else { quoted(key) });
                out.push(':');
                put_yaml_value(value, depth, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    indent(out, depth);
                }
                out.push_str("- ");
                put_yaml(item, depth + 1, out);
            }
        }
        Json::String(text) => put_yaml_text(text, depth, out),
        scalar => {
            put_scalar(scalar, out);
            out.push('\n');
        }
    }
}

/// What stands after a key.
fn put_yaml_value(value: &Json, depth: usize, out: &mut String) {
    let deeper = match value {
        Json::Object(members) => !members.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    };
    if deeper {
        line(out, depth + 1);
    } else {
        out.push(' ');
    }
    put_yaml(value, depth + 1, out);
}

/// A script stands as its lines; `depth` is that of its lines.
fn put_yaml_text(text: &str, depth: usize, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        out.push('\n');
    } else if is_block(text) {
        out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
        for one in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            out.push('\n');
            if !one.is_empty() {
                indent(out, depth);
                out.push_str(one);
            }
        }
        out.push('\n');
    } else {
        out.push_str(&quoted(text));
        out.push('\n');
    }
}

/// Whether a text means itself without quotes: it begins with a letter, and is no word that YAML has a meaning for.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let begins = text.starts_with(|char: char| char.is_ascii_alphabetic());
    let body = |char: char| char.is_ascii_alphanumeric() || "_-./ ()".contains(char);
    begins && !text.ends_with(' ') && text.chars().all(body) && !WORDS.contains(&&*text.to_ascii_lowercase())
}

/// Whether a text of several lines can stand as them: nothing at their ends or beginnings that a reader would not see.
fn is_block(text: &str) -> bool {
    let printable = |char: char| char == '\n' || char == '\t' || !char.is_control() && char != '\u{feff}';
    let lines = text.strip_suffix('\n').unwrap_or(text);
    let visible = |one: &str| !one.ends_with([' ', '\t']) && !one.starts_with('\t');
    lines.contains('\n')
        && !lines.ends_with('\n')
        && !lines.starts_with([' ', '\n'])
        && text.chars().all(printable)
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
        && lines.split('\n').all(visible)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    const JSON: &str = r#"{
  "schemaVersion": "2.2",
  "description": "Say: hello # now",
  "parameters": {},
  "mainSteps": [
    {
      "action": "aws:runShellScript",
      "name": "greet",
      "inputs": {
        "timeoutSeconds": 60,
        "runCommand": [
          "cd /tmp",
          "if true\nthen\n  echo \"{{ who }}\"\nfi\n",
          "no",
          ""
        ]
      }
    }
  ]
}"#;

    #[test]
    fn a_document_is_written_in_the_other_format() {
        let yaml = convert(JSON, Format::Json, Format::Yaml).expect("well-formed");
        expect![[r#"
            schemaVersion: "2.2"
            description: "Say: hello # now"
            parameters: {}
            mainSteps:
              - action: "aws:runShellScript"
                name: greet
                inputs:
                  timeoutSeconds: 60
                  runCommand:
                    - cd /tmp
                    - |
                      if true
                      then
                        echo "{{ who }}"
                      fi
                    - "no"
                    - ""
        "#]]
        .assert_eq(&yaml);
        assert_eq!(convert(&yaml, Format::Yaml, Format::Json).as_deref(), Ok(JSON));
        assert_eq!(convert(" {}", Format::Json, Format::Json).as_deref(), Ok(" {}"));
        assert!(convert("{", Format::Json, Format::Yaml).is_err());
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let text = prop_oneof!["[ -~\n\t]{0,12}", "\\PC{0,6}", "(a|b| |\n|:|-|#|'|\"|\\{){0,8}"];
        let scalar = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(|number| Json::from(i64::from(number))),
            text.clone().prop_map(|text| Json::from(text.as_str())),
        ];
        scalar.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::array),
                prop::collection::vec((text.clone(), inner), 0..4).prop_map(Json::object),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_there_and_back_says_the_same(json in any_json()) {
            let json = Json::object([("a", json)]);
            let yaml = convert(&json.to_string(), Format::Json, Format::Yaml).expect("well-formed");
            let back = convert(&yaml, Format::Yaml, Format::Json).expect("well-formed");
            prop_assert_eq!(Json::parse(&back).expect("JSON"), json, "{}", yaml);
        }
    }
}
