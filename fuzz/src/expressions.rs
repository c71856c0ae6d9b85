//! Expressions: a line with the expression, an empty line, and the JSON that it sees as its input.

use base::Json;
use expr::{Path, ReferencePath, jsonata, template};

use crate::parts;
use crate::world::World;

/// JSONPath: evaluated, and written to where it can be.
pub fn path(bytes: &[u8]) {
    let (text, input) = parts(bytes);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let world = World::new(input);
    match Path::parse(text) {
        Ok(path) => {
            assert_eq!(path.text(), text);
            let _ = (path.variable(), path.leading_names());
            if let Ok(value) = path.eval(&world) {
                let _ = value.is_too_deep();
            }
        }
        Err(error) => assert!(error.at <= text.len() && !error.message.is_empty()),
    }
    if let Ok(path) = ReferencePath::parse(text)
        && let Ok(whole) = path.set(expr::Scope::input(&world), "written".into())
    {
        assert!(whole.to_string().contains("written"));
    }
}

/// A field whose name ends in `.$`: a path or a call; and a template, where the text is JSON.
pub fn intrinsic(bytes: &[u8]) {
    let (text, input) = parts(bytes);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let world = World::new(input);
    match template::Expression::parse(text) {
        Ok(expression) => {
            let _ = (expression.paths(), expression.eval_field("f.$", &world));
        }
        Err(error) => assert!(error.at <= text.len() && !error.message.is_empty()),
    }
    if let Ok(source) = Json::parse(text)
        && let Ok(template) = expr::Template::parse(&source)
    {
        let _ = (template.expressions(), template.eval(&world));
    }
}

/// JSONata: what may stand between `{%` and `%}`; and a template, where the text is JSON.
pub fn jsonata(bytes: &[u8]) {
    let (text, input) = parts(bytes);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let world = World::new(input);
    match jsonata::Expression::parse(text) {
        Ok(expression) => {
            let _ = expression.references();
            if let Ok(value) = expression.eval("Output", &world) {
                assert!(!value.is_too_deep(), "a value that could not be read back");
            }
        }
        Err(error) => assert!(error.at <= text.len() && !error.message.is_empty()),
    }
    if let Ok(source) = Json::parse(text)
        && let Ok(template) = jsonata::Template::parse(&source)
    {
        let _ = (template.expressions(), template.eval_as("Output", jsonata::Kind::Object, &world));
    }
}
