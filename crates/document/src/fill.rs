//! A step's inputs with everything filled in.

use base::Json;
use base::json::Object;

use crate::content::{DEPTH_MAX, has_nul};
use crate::document::StepText;
use crate::parameter::text_of;
use crate::plan::Variable;
use crate::shell::{self, Dialect, Part};
use crate::template::{From, Piece, Template};
use crate::values::{Refusal, Scope, Value, invalid};

/// The inputs of one step, and what its parameters are.
pub(crate) struct Inputs<'a> {
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) step: &'a StepText,
}

impl Inputs<'_> {
    /// What the input says; none where it is not there or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(json) = self.step.inputs.get(name) else { return Ok(None) };
        let text = match json.as_str() {
            Some(text) => self.scope.expand(&Template::parse(text, From::Document))?,
            None => text_of(json),
        };
        if text.contains('\0') {
            return Err(invalid(format!("input {name} of step {} has a NUL character", self.step.name)));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    pub(crate) fn needed(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| invalid(format!("input {name} of step {} is empty", self.step.name)))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(format!("input {name} of step {} has to be true or false", self.step.name))),
        }
    }

    /// A number, which may come as a text.
    pub(crate) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse::<u64>().ok().filter(|number| (min..=max).contains(number));
        let fail =
            || invalid(format!("input {name} of step {} has to be a number from {min} to {max}", self.step.name));
        number.map(Some).ok_or_else(fail)
    }

    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let mut all = vec![];
        match self.step.inputs.get(name) {
            None => {}
            Some(Json::Array(items)) => items.iter().try_for_each(|item| self.items(&text_of(item), &mut all))?,
            Some(json) => {
                self.items(&text_of(json), &mut all)?;
                // A parameter of the type String that is left empty is no item.
                all.retain(|text| !text.is_empty());
            }
        }
        if all.iter().any(|text| text.contains('\0')) {
            return Err(invalid(format!("input {name} of step {} has a NUL character", self.step.name)));
        }
        Ok(all)
    }

    fn items(&self, text: &str, all: &mut Vec<String>) -> Result<(), Refusal> {
        let template = Template::parse(text, From::Document);
        match template.whole() {
            Some(Piece::Parameter(name)) => match self.scope.value(name) {
                Value::List(items) => {
                    for item in items {
                        all.push(self.scope.expand(item)?);
                    }
                }
                Value::Text(_) | Value::Json(_) => all.push(self.scope.text_of(name)?),
            },
            Some(Piece::Store(name)) => all.extend(self.scope.store(name)?.iter().cloned()),
            _ => all.push(self.scope.expand(&template)?),
        }
        Ok(())
    }

    /// An object; a text has to hold one in JSON, or nothing.
    pub(crate) fn map(&self, name: &str) -> Result<Object, Refusal> {
        let fail = || invalid(format!("input {name} of step {} has to be an object", self.step.name));
        let Some(json) = self.step.inputs.get(name) else { return Ok(Object::new()) };
        let filled = match json {
            Json::String(text) => {
                let template = Template::parse(text, From::Document);
                match template.whole() {
                    Some(Piece::Parameter(name)) => match self.scope.value(name) {
                        Value::Json(json) => json.clone(),
                        Value::Text(_) | Value::List(_) => object(&self.scope.text_of(name)?).ok_or_else(fail)?,
                    },
                    _ => object(&self.json_text(&template)?).ok_or_else(fail)?,
                }
            }
            json => self.json(json)?,
        };
        let Json::Object(members) = filled else { return Err(fail()) };
        if has_nul(&Json::Object(members.clone())) {
            return Err(invalid(format!("input {name} of step {} has a NUL character", self.step.name)));
        }
        Ok((*members).clone())
    }

    /// Every text in it filled; one that is a whole parameter becomes what that is.
    fn json(&self, json: &Json) -> Result<Json, Refusal> {
        Ok(match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
            Json::String(text) => {
                let template = Template::parse(text, From::Document);
                match template.whole() {
                    Some(Piece::Parameter(name)) => match self.scope.value(name) {
                        Value::Json(json) => {
                            self.scope.spend(json.text_len())?;
                            json.clone()
                        }
                        Value::List(items) => {
                            let items = items.iter().map(|item| self.scope.expand(item).map(Json::from));
                            Json::array(items.collect::<Result<Vec<_>, _>>()?)
                        }
                        Value::Text(text) => self.scope.expand(text)?.into(),
                    },
                    _ => self.scope.expand(&template)?.into(),
                }
            }
            Json::Array(items) => Json::array(items.iter().map(|item| self.json(item)).collect::<Result<Vec<_>, _>>()?),
            Json::Object(members) => {
                let members = members.iter().map(|(key, value)| Ok((key.clone(), self.json(value)?)));
                Json::object(members.collect::<Result<Vec<_>, Refusal>>()?)
            }
        })
    }

    /// JSON with references: inside of a text's quotes a value is escaped, outside of them it is JSON by itself, so
    /// that no value can end the text in which it stands.
    fn json_text(&self, template: &Template) -> Result<String, Refusal> {
        let (mut whole, mut quoted, mut escaped) = (String::new(), false, false);
        for piece in &template.pieces {
            let value: Json = match piece {
                Piece::Text(text) => {
                    for char in text.chars() {
                        match char {
                            _ if escaped => escaped = false,
                            '\\' if quoted => escaped = true,
                            '"' => quoted = !quoted,
                            _ => {}
                        }
                    }
                    whole.push_str(text);
                    continue;
                }
                Piece::Parameter(name) => match self.scope.value(name) {
                    Value::Json(json) => {
                        self.scope.spend(json.text_len())?;
                        json.clone()
                    }
                    Value::Text(_) | Value::List(_) => self.scope.text_of(name)?.into(),
                },
                Piece::Store(name) => self.scope.store(name)?.join(",").into(),
                Piece::Global(global) => self.scope.global(*global).into(),
            };
            if escaped {
                return Err(invalid(format!("step {}: a reference after a backslash", self.step.name)));
            }
            match quoted {
                true => {
                    let text = Json::from(text_of(&value)).to_string();
                    whole.push_str(&text[1..text.len() - 1]);
                }
                false => whole.push_str(&value.to_string()),
            }
        }
        Ok(whole)
    }

    /// The script, each parameter in it quoted for where it stands. A reference that is all of a text or of a line is
    /// the script itself.
    pub(crate) fn script(&self, name: &str, dialect: Dialect) -> Result<Option<String>, Refusal> {
        let mut lines: Vec<Vec<Part>> = vec![];
        match self.step.inputs.get(name) {
            None => return Ok(None),
            Some(Json::Array(items)) => items.iter().try_for_each(|item| self.lines(&text_of(item), &mut lines))?,
            Some(json) => self.lines(&text_of(json), &mut lines)?,
        }
        if lines.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let mut parts = vec![];
        for line in lines {
            parts.extend(line);
            parts.push(Part::Script("\n".to_owned()));
        }
        let text = shell::render(&parts, dialect).map_err(|why| {
            invalid(format!(
                "parameter {} cannot be put {} of step {} as data: its value has characters that would mean something there",
                why.name, why.place, self.step.name
            ))
        })?;
        if text.contains('\0') {
            return Err(invalid(format!("input {name} of step {} has a NUL character", self.step.name)));
        }
        Ok(Some(text))
    }

    fn lines(&self, text: &str, lines: &mut Vec<Vec<Part>>) -> Result<(), Refusal> {
        let template = Template::parse(text, From::Document);
        match template.whole() {
            Some(Piece::Parameter(name)) if !self.is_variable(name) => match self.scope.value(name) {
                Value::Text(template) => lines.push(self.given_line(template)?),
                Value::List(items) => {
                    for item in items {
                        lines.push(self.given_line(item)?);
                    }
                }
                Value::Json(json) => lines.push(vec![Part::Script(text_of(json))]),
            },
            Some(Piece::Store(name)) => {
                lines.extend(self.scope.store(name)?.iter().map(|text| vec![Part::Script(text.clone())]));
            }
            _ => lines.push(self.parts(&template)?),
        }
        Ok(())
    }

    /// The input as what is written and what is put in; none where it is empty. A reference that is all of it is what
    /// is written.
    pub(crate) fn parts_of(&self, name: &str) -> Result<Option<Vec<Part>>, Refusal> {
        if self.text(name)?.is_none() {
            return Ok(None);
        }
        let mut lines = vec![];
        self.lines(&self.step.inputs.get(name).map(text_of).unwrap_or_default(), &mut lines)?;
        Ok(lines.pop())
    }

    /// A line that was given as script: what it takes from the Parameter Store is data, unless that is all of it.
    fn given_line(&self, template: &Template) -> Result<Vec<Part>, Refusal> {
        match template.whole() {
            Some(Piece::Store(name)) => Ok(vec![Part::Script(self.scope.store(name)?.join("\n"))]),
            _ => self.parts(template),
        }
    }

    fn parts(&self, template: &Template) -> Result<Vec<Part>, Refusal> {
        let data = |name: &str, text: String| Part::Data { name: name.to_owned(), text };
        let mut parts = vec![];
        for piece in &template.pieces {
            parts.push(match piece {
                Piece::Text(text) => Part::Script(text.clone()),
                Piece::Parameter(name) if self.is_variable(name) => {
                    Part::Variable { name: format!("SSM_{name}"), text: self.scope.text_of(name)? }
                }
                Piece::Parameter(name) => data(name, self.scope.text_of(name)?),
                Piece::Store(name) => data(name, self.scope.store(name)?.join(",")),
                Piece::Global(global) => data("global", self.scope.global(*global)),
            });
        }
        Ok(parts)
    }

    fn is_variable(&self, name: &str) -> bool {
        self.scope.document.parameter(name).is_some_and(|parameter| parameter.is_variable)
    }

    /// The parameters that scripts get as variables.
    pub(crate) fn variables(&self) -> Result<Vec<Variable>, Refusal> {
        let variables = self.scope.document.parameters.iter().filter(|parameter| parameter.is_variable);
        variables
            .map(|one| Ok(Variable { name: format!("SSM_{}", one.name), value: self.scope.text_of(&one.name)? }))
            .collect()
    }
}

fn object(text: &str) -> Option<Json> {
    if text.trim().is_empty() {
        return Some(Json::empty_object());
    }
    let json = Json::parse(text).ok()?;
    (nesting(&json) <= DEPTH_MAX).then_some(json)
}

fn nesting(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
        Json::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(nesting).max().unwrap_or(0),
    }
}
