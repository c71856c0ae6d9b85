//! What arguments a function takes: `<s-nn?:s>`.

use std::rc::Rc;

use super::budget::Budget;
use super::error::{Details, Error, Outcome};
use super::value::{Type, Value, singleton};

#[derive(Debug, Clone)]
pub(super) struct Signature {
    parameters: Vec<Parameter>,
}

#[derive(Debug, Clone)]
struct Parameter {
    /// The letters of the kinds that it takes.
    kinds: String,
    is_array: bool,
    /// What an array's items are.
    items: Option<String>,
    may_use_context: bool,
    is_optional: bool,
    is_repeated: bool,
}

impl Signature {
    pub(super) fn parse(text: &str) -> Outcome<Signature> {
        let signs: Vec<char> = text.chars().collect();
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut at = 1;
        while at < signs.len() && signs[at] != ':' {
            match signs[at] {
                kind @ ('s' | 'n' | 'b' | 'l' | 'o') => parameters.push(Parameter::of(&format!("{kind}m"))),
                'a' => parameters.push(Parameter { is_array: true, ..Parameter::of("asnblfom") }),
                'f' => parameters.push(Parameter::of("f")),
                'j' => parameters.push(Parameter::of("asnblom")),
                'x' => parameters.push(Parameter::of("asnblfom")),
                '(' => {
                    let end = closing(&signs, at, '(', ')');
                    let choice: String = signs[at + 1..end].iter().collect();
                    if choice.contains('<') {
                        return Err(Error::plain("S0402"));
                    }
                    parameters.push(Parameter::of(&format!("{choice}m")));
                    at = end;
                }
                '<' => {
                    let end = closing(&signs, at, '<', '>');
                    match parameters.last_mut() {
                        Some(last) if last.is_array || last.kinds == "f" => {
                            last.items = Some(signs[at + 1..end].iter().collect());
                        }
                        _ => return Err(Error::plain("S0401")),
                    }
                    at = end;
                }
                modifier => {
                    if let Some(last) = parameters.last_mut() {
                        last.may_use_context |= modifier == '-';
                        last.is_optional |= matches!(modifier, '-' | '?');
                        last.is_repeated |= modifier == '+';
                    }
                }
            }
            at += 1;
        }
        Ok(Signature { parameters })
    }

    /// The arguments as the function wants them: what is missing taken from the context, single values in arrays.
    pub(super) fn validate(&self, budget: &Rc<Budget>, arguments: Vec<Value>, context: &Value) -> Outcome<Vec<Value>> {
        let letters: Vec<char> = arguments.iter().map(letter).collect();
        let mut counts = Vec::with_capacity(self.parameters.len());
        if !split(&self.parameters, &letters, true, &mut counts) {
            return Err(self.mismatch(&letters));
        }
        let mut valid = Vec::with_capacity(arguments.len().max(self.parameters.len()));
        let mut arguments = arguments.into_iter().enumerate();
        for (parameter, count) in self.parameters.iter().zip(counts) {
            if count == 0 {
                if parameter.may_use_context {
                    if !parameter.kinds.contains(letter(context)) {
                        let index = Some(arguments.next().map_or(letters.len(), |(index, _)| index) + 1);
                        return Err(Error::with("T0411", Details { index, ..Details::default() }));
                    }
                    valid.push(context.clone());
                } else {
                    valid.push(arguments.next().map_or(Value::Undefined, |(_, value)| value));
                }
            }
            for _ in 0..count {
                let Some((index, value)) = arguments.next() else { break };
                valid.push(if parameter.is_array { parameter.array(budget, value, index)? } else { value });
            }
        }
        Ok(valid)
    }

    /// The first argument that nothing fits any more.
    fn mismatch(&self, letters: &[char]) -> Box<Error> {
        let mut good = 0;
        for known in 1..=self.parameters.len() {
            let mut counts = Vec::new();
            if !split(&self.parameters[..known], letters, false, &mut counts) {
                break;
            }
            good = counts.iter().sum();
        }
        Error::with("T0410", Details { index: Some(good + 1), ..Details::default() })
    }
}

impl Parameter {
    fn of(kinds: &str) -> Parameter {
        Parameter {
            kinds: kinds.to_owned(),
            is_array: false,
            items: None,
            may_use_context: false,
            is_optional: false,
            is_repeated: false,
        }
    }

    fn array(&self, budget: &Rc<Budget>, value: Value, index: usize) -> Outcome<Value> {
        if value.is_undefined() {
            return Ok(value);
        }
        let fits = match (&self.items, &value) {
            (None, _) => true,
            (Some(items), Value::Array(array)) => {
                budget.step(array.len())?;
                array.is_range() || array.iter().all(|item| items.starts_with(letter(&item)))
            }
            (Some(items), value) => *items == letter(value).to_string(),
        };
        if !fits {
            let kind = match self.items.as_deref() {
                Some("a") => "arrays",
                Some("b") => "booleans",
                Some("f") => "functions",
                Some("n") => "numbers",
                Some("o") => "objects",
                _ => "strings",
            };
            return Err(Error::with(
                "T0412",
                Details { index: Some(index + 1), kind: Some(kind), ..Details::default() },
            ));
        }
        match value {
            Value::Array(_) => Ok(value),
            single => {
                let mut array = singleton(budget, single)?;
                array.sequence = false;
                Ok(Value::Array(array))
            }
        }
    }
}

/// How many arguments each parameter takes, as a regular expression would find out: as many as it can, giving back
/// where the rest would not fit.
fn split(parameters: &[Parameter], letters: &[char], to_the_end: bool, counts: &mut Vec<usize>) -> bool {
    let Some((parameter, rest)) = parameters.split_first() else { return !to_the_end || letters.is_empty() };
    let fitting = letters.iter().take_while(|letter| parameter.kinds.contains(**letter)).count();
    let most = if parameter.is_repeated { fitting } else { fitting.min(1) };
    let least = usize::from(!parameter.is_optional);
    for count in (least..=most).rev() {
        counts.push(count);
        if split(rest, &letters[count..], to_the_end, counts) {
            return true;
        }
        counts.pop();
    }
    false
}

fn letter(value: &Value) -> char {
    match value.kind() {
        Type::Undefined => 'm',
        Type::Null => 'l',
        Type::Bool => 'b',
        Type::Number => 'n',
        Type::Text => 's',
        Type::Array => 'a',
        Type::Object => 'o',
        Type::Function => 'f',
    }
}

fn closing(signs: &[char], start: usize, open: char, close: char) -> usize {
    let mut depth = 1;
    for (at, sign) in signs.iter().enumerate().skip(start + 1) {
        if *sign == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        } else if *sign == open {
            depth += 1;
        }
    }
    signs.len().saturating_sub(1).max(start + 1).min(signs.len())
}
