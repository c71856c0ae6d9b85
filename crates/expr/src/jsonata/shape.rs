//! From the raw tree to the one that is evaluated: steps are gathered into paths, predicates and groups are hung on
//! the steps that they belong to, and each `%` learns which step keeps its value.

use std::sync::Arc;

use base::{Json, Number};

use super::error::{Error, Outcome};
use super::functions;
use super::parse::{Raw, RawKind};
use super::signature::Signature;
use super::syntax::{Ancestor, Group, Kind, Lambda, Name, Node, Operator, SortTerm, Stage, Transform};

pub(super) fn shape(raw: Raw) -> Outcome<Node> {
    let at = raw.at;
    let mut shaper = Shaper { slots: Vec::new() };
    let mut node = shaper.node(raw)?;
    if matches!(node.kind, Kind::Parent(_)) || !node.seeking.is_empty() {
        return Err(Error::plain("S0217").at(at));
    }
    shaper.name_ancestors(&mut node);
    Ok(node)
}

/// One for each `%`: how many steps up it still has to go, and the label that it shares with others of that step.
struct Slot {
    label: usize,
    level: usize,
}

struct Shaper {
    slots: Vec<Slot>,
}

impl Shaper {
    fn node(&mut self, raw: Raw) -> Outcome<Node> {
        let Raw { kind, at, keep_array, .. } = raw;
        let mut node = match kind {
            RawKind::Name(name) => name_path(name, at, keep_array),
            RawKind::Variable(name) => {
                let native = functions::find(&name);
                Node::new(Kind::Variable { name, native }, at)
            }
            RawKind::Text(text) => Node::new(Kind::Text(text), at),
            RawKind::Number(number) => Node::new(Kind::Number(number), at),
            RawKind::Bool(truth) => Node::new(Kind::Bool(truth), at),
            RawKind::Null => Node::new(Kind::Null, at),
            RawKind::Regex(pattern) => Node::new(Kind::Regex(pattern), at),
            RawKind::Wildcard => Node::new(Kind::Wildcard, at),
            RawKind::Descendant => Node::new(Kind::Descendant, at),
            RawKind::Parent => {
                let slot = self.slots.len();
                self.slots.push(Slot { label: slot, level: 1 });
                Node::new(Kind::Parent(Ancestor::Slot(slot)), at)
            }
            RawKind::Negate(operand) => self.negate(*operand, at)?,
            RawKind::Binary(operator, left, right) => self.binary(operator, *left, *right, at, keep_array)?,
            RawKind::SortBy(left, terms) => self.sort(*left, terms, at)?,
            RawKind::GroupBy(left, pairs) => self.group_by(*left, pairs, at)?,
            RawKind::Array(items) => self.array(items, at)?,
            RawKind::Object(pairs) => self.object(pairs, at)?,
            RawKind::Block(parts) => self.block(parts, at)?,
            RawKind::Call(procedure, arguments) => self.call(*procedure, arguments, at)?,
            RawKind::Lambda(parameters, signature, body) => self.lambda(parameters, signature, *body, at)?,
            RawKind::Condition(condition, then, otherwise) => {
                self.condition(*condition, *then, otherwise.map(|raw| *raw), at)?
            }
            RawKind::Transform(pattern, update, delete) => {
                self.transform(*pattern, *update, delete.map(|raw| *raw), at)?
            }
            RawKind::End => return Err(Error::plain("S0207").at(at)),
        };
        node.keep_array |= keep_array;
        Ok(node)
    }

    #[inline(never)]
    fn array(&mut self, items: Vec<Raw>, at: usize) -> Outcome<Node> {
        let mut node = Node::new(Kind::Null, at);
        node.kind = Kind::Array(self.each(items, &mut node)?);
        Ok(node)
    }

    #[inline(never)]
    fn object(&mut self, pairs: Vec<(Raw, Raw)>, at: usize) -> Outcome<Node> {
        let mut node = Node::new(Kind::Null, at);
        let pairs = self.pairs(pairs, Some(&mut node))?;
        node.kind = Kind::Object(Group { pairs, at });
        Ok(node)
    }

    #[inline(never)]
    fn block(&mut self, parts: Vec<Raw>, at: usize) -> Outcome<Node> {
        let mut node = Node::new(Kind::Null, at);
        let parts = self.each(parts, &mut node)?;
        node.cons_array = parts.iter().any(|part| part.cons_array || starts_with_cons(part));
        node.kind = Kind::Block(parts);
        Ok(node)
    }

    #[inline(never)]
    fn lambda(&mut self, parameters: Vec<Name>, signature: Option<Signature>, body: Raw, at: usize) -> Outcome<Node> {
        let body = self.node(body)?;
        Ok(Node::new(Kind::Lambda(Arc::new(Lambda { parameters, signature, body })), at))
    }

    #[inline(never)]
    fn condition(&mut self, condition: Raw, then: Raw, otherwise: Option<Raw>, at: usize) -> Outcome<Node> {
        let mut node = Node::new(Kind::Null, at);
        let condition = self.boxed(condition, &mut node)?;
        let then = self.boxed(then, &mut node)?;
        let otherwise = otherwise.map(|raw| self.boxed(raw, &mut node)).transpose()?;
        node.kind = Kind::Condition(condition, then, otherwise);
        Ok(node)
    }

    #[inline(never)]
    fn transform(&mut self, pattern: Raw, update: Raw, delete: Option<Raw>, at: usize) -> Outcome<Node> {
        let (pattern, update) = (self.node(pattern)?, self.node(update)?);
        let delete = delete.map(|raw| self.node(raw)).transpose()?;
        Ok(Node::new(Kind::Transform(Arc::new(Transform { pattern, update, delete })), at))
    }

    /// A child whose open `%` become its parent's.
    fn child(&mut self, raw: Raw, parent: &mut Node) -> Outcome<Node> {
        let child = self.node(raw)?;
        hand_up(parent, &child);
        Ok(child)
    }

    fn boxed(&mut self, raw: Raw, parent: &mut Node) -> Outcome<Box<Node>> {
        self.child(raw, parent).map(Box::new)
    }

    fn each(&mut self, raws: Vec<Raw>, parent: &mut Node) -> Outcome<Vec<Node>> {
        raws.into_iter().map(|raw| self.child(raw, parent)).collect()
    }

    fn pairs(&mut self, pairs: Vec<(Raw, Raw)>, mut parent: Option<&mut Node>) -> Outcome<Vec<(Node, Node)>> {
        let mut made = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let pair = (self.node(key)?, self.node(value)?);
            if let Some(parent) = parent.as_deref_mut() {
                hand_up(parent, &pair.0);
                hand_up(parent, &pair.1);
            }
            made.push(pair);
        }
        Ok(made)
    }

    fn negate(&mut self, operand: Raw, at: usize) -> Outcome<Node> {
        let mut node = Node::new(Kind::Null, at);
        let mut operand = self.child(operand, &mut node)?;
        if let Kind::Number(number) = &operand.kind {
            operand.kind = Kind::Number(negated(number));
            return Ok(operand);
        }
        node.kind = Kind::Negate(Box::new(operand));
        Ok(node)
    }

    fn call(&mut self, procedure: Raw, arguments: Vec<Option<Raw>>, at: usize) -> Outcome<Node> {
        let mut node = Node::new(Kind::Null, at);
        let mut made = Vec::with_capacity(arguments.len());
        for argument in arguments {
            made.push(argument.map(|raw| self.child(raw, &mut node)).transpose()?);
        }
        let procedure = Box::new(self.node(procedure)?);
        node.kind = if made.iter().all(Option::is_some) {
            Kind::Call(procedure, made.into_iter().flatten().collect())
        } else {
            Kind::Partial(procedure, made)
        };
        Ok(node)
    }

    fn binary(&mut self, operator: &'static str, left: Raw, right: Raw, at: usize, keep_array: bool) -> Outcome<Node> {
        let operator = match operator {
            "." => return self.step(left, right, at),
            "[" => return self.filter(left, right, at),
            "@" => return self.focus(left, right, at, keep_array),
            "#" => return self.index(left, right, at),
            ":=" => {
                let mut node = Node::new(Kind::Null, at);
                let name = variable(left);
                node.kind = Kind::Bind(name, self.boxed(right, &mut node)?);
                return Ok(node);
            }
            "~>" => {
                let (left, right) = (self.node(left)?, self.node(right)?);
                let keep_array = left.keep_array || right.keep_array;
                let mut node = Node::new(Kind::Apply(Box::new(left), Box::new(right)), at);
                node.keep_array = keep_array;
                return Ok(node);
            }
            "+" => Operator::Add,
            "-" => Operator::Subtract,
            "*" => Operator::Multiply,
            "/" => Operator::Divide,
            "%" => Operator::Remainder,
            "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "&" => Operator::Concat,
            ".." => Operator::Range,
            "in" => Operator::In,
            "and" => Operator::And,
            "or" => Operator::Or,
            other => return Err(Error::of_token("S0204", other).at(at)),
        };
        let mut node = Node::new(Kind::Null, at);
        let left = self.boxed(left, &mut node)?;
        node.kind = Kind::Binary(operator, left, self.boxed(right, &mut node)?);
        Ok(node)
    }

    /// `left.right`
    fn step(&mut self, left: Raw, right: Raw, at: usize) -> Outcome<Node> {
        let left = self.node(left)?;
        let mut path = match left.kind {
            Kind::Path(_) => left,
            _ => {
                let mut path = Node::new(Kind::Null, at);
                if let Kind::Parent(Ancestor::Slot(slot)) = left.kind {
                    path.seeking.push(slot);
                }
                path.kind = Kind::Path(vec![left]);
                path
            }
        };
        let mut rest = self.node(right)?;
        let steps = steps_of(&mut path);
        match rest.kind {
            Kind::Path(more) => steps.extend(more),
            _ => {
                rest.stages.extend(rest.predicates.drain(..).map(Stage::Filter));
                steps.push(rest);
            }
        }
        for step in steps.iter_mut() {
            match &step.kind {
                Kind::Number(number) => return Err(Error::of_value("S0213", number.to_string()).at(step.at)),
                Kind::Bool(truth) => return Err(Error::of_value("S0213", truth.to_string()).at(step.at)),
                Kind::Null => return Err(Error::of_value("S0213", "null".to_owned()).at(step.at)),
                Kind::Text(name) => step.kind = Kind::Name(name.clone()),
                _ => {}
            }
        }
        let keep_singleton = steps.iter().any(|step| step.keep_array);
        let last = steps.len() - 1;
        for index in [0, last] {
            if matches!(steps[index].kind, Kind::Array(_)) {
                steps[index].cons_array = true;
            }
        }
        path.keep_singleton |= keep_singleton;
        self.resolve(&mut path)?;
        Ok(path)
    }

    /// `left[right]`
    fn filter(&mut self, left: Raw, right: Raw, at: usize) -> Outcome<Node> {
        let mut node = self.node(left)?;
        let mut filter = self.node(right)?;
        let is_path = matches!(node.kind, Kind::Path(_));
        let step = last_step(&mut node);
        if step.group.is_some() {
            return Err(Error::plain("S0209").at(at));
        }
        for slot in filter.seeking.clone() {
            if self.slots[slot].level == 1 {
                self.seek(step, slot)?;
            } else {
                self.slots[slot].level -= 1;
            }
        }
        hand_up(step, &filter);
        filter.seeking.clear();
        if is_path {
            step.stages.push(Stage::Filter(filter));
        } else {
            step.predicates.push(filter);
        }
        Ok(node)
    }

    fn focus(&mut self, left: Raw, right: Raw, at: usize, keep_array: bool) -> Outcome<Node> {
        let mut node = self.node(left)?;
        let step = last_step(&mut node);
        if !step.stages.is_empty() || !step.predicates.is_empty() {
            return Err(Error::plain("S0215").at(at));
        }
        if matches!(step.kind, Kind::Sort(_)) {
            return Err(Error::plain("S0216").at(at));
        }
        step.keep_array |= keep_array;
        step.focus = Some(variable(right));
        step.tuple = true;
        Ok(node)
    }

    fn index(&mut self, left: Raw, right: Raw, at: usize) -> Outcome<Node> {
        let mut node = self.node(left)?;
        if !matches!(node.kind, Kind::Path(_)) {
            node.stages.extend(node.predicates.drain(..).map(Stage::Filter));
            node = Node::new(Kind::Path(vec![node]), at);
        }
        let step = last_step(&mut node);
        let name = variable(right);
        if step.stages.is_empty() {
            step.index = Some(name);
        } else {
            step.stages.push(Stage::Index(name));
        }
        step.tuple = true;
        Ok(node)
    }

    fn group_by(&mut self, left: Raw, pairs: Vec<(Raw, Raw)>, at: usize) -> Outcome<Node> {
        let mut node = self.node(left)?;
        if node.group.is_some() {
            return Err(Error::plain("S0210").at(at));
        }
        node.group = Some(Group { pairs: self.pairs(pairs, None)?, at });
        Ok(node)
    }

    fn sort(&mut self, left: Raw, terms: Vec<(bool, Raw)>, at: usize) -> Outcome<Node> {
        let mut node = self.node(left)?;
        if !matches!(node.kind, Kind::Path(_)) {
            node = Node::new(Kind::Path(vec![node]), at);
        }
        let mut step = Node::new(Kind::Null, at);
        let mut made = Vec::with_capacity(terms.len());
        for (descending, key) in terms {
            made.push(SortTerm { descending, key: self.child(key, &mut step)? });
        }
        step.kind = Kind::Sort(made);
        steps_of(&mut node).push(step);
        self.resolve(&mut node)?;
        Ok(node)
    }

    /// Finds the step of `path` that each open `%` of its last step means; what goes further up stays open.
    fn resolve(&mut self, path: &mut Node) -> Outcome<()> {
        let Kind::Path(steps) = &mut path.kind else { return Ok(()) };
        let Some((last, before)) = steps.split_last_mut() else { return Ok(()) };
        let mut slots = last.seeking.clone();
        if let Kind::Parent(Ancestor::Slot(slot)) = last.kind {
            slots.push(slot);
        }
        for slot in slots {
            let mut left = before.len();
            while self.slots[slot].level > 0 {
                if left == 0 {
                    path.seeking.push(slot);
                    break;
                }
                left -= 1;
                // Several `@` in a row look at one and the same context.
                while left > 0 && before[left].focus.is_some() && before[left - 1].focus.is_some() {
                    left -= 1;
                }
                self.seek(&mut before[left], slot)?;
            }
        }
        Ok(())
    }

    /// Goes up through `node`; the step at which the slot has arrived keeps its context.
    fn seek(&mut self, node: &mut Node, slot: usize) -> Outcome<()> {
        match &mut node.kind {
            Kind::Name(_) | Kind::Wildcard => {
                self.slots[slot].level -= 1;
                if self.slots[slot].level == 0 {
                    if let Some(Ancestor::Slot(other)) = node.ancestor {
                        self.slots[slot].label = self.slots[other].label;
                    }
                    node.ancestor = Some(Ancestor::Slot(slot));
                    node.tuple = true;
                }
            }
            Kind::Parent(_) => self.slots[slot].level += 1,
            Kind::Block(parts) => {
                if let Some(last) = parts.last_mut() {
                    node.tuple = true;
                    self.seek(last, slot)?;
                }
            }
            Kind::Path(steps) => {
                node.tuple = true;
                for (index, step) in steps.iter_mut().rev().enumerate() {
                    if index > 0 && self.slots[slot].level == 0 {
                        break;
                    }
                    self.seek(step, slot)?;
                }
            }
            _ => return Err(Error::plain("S0217").at(node.at)),
        }
        Ok(())
    }

    /// Slots share labels only once everything is resolved.
    fn name_ancestors(&self, node: &mut Node) {
        let name = |ancestor: &mut Ancestor| {
            if let Ancestor::Slot(slot) = ancestor {
                *ancestor = Ancestor::Name(format!("!{}", self.slots[*slot].label).into());
            }
        };
        if let Kind::Parent(ancestor) = &mut node.kind {
            name(ancestor);
        }
        if let Some(ancestor) = &mut node.ancestor {
            name(ancestor);
        }
        node.seeking = Vec::new();
        node.children_mut(&mut |child| self.name_ancestors(child));
    }
}

fn name_path(name: Name, at: usize, keep_array: bool) -> Node {
    let mut step = Node::new(Kind::Name(name), at);
    step.keep_array = keep_array;
    let mut path = Node::new(Kind::Path(vec![step]), at);
    path.keep_singleton = keep_array;
    path
}

fn hand_up(parent: &mut Node, child: &Node) {
    parent.seeking.extend(&child.seeking);
    if let Kind::Parent(Ancestor::Slot(slot)) = child.kind {
        parent.seeking.push(slot);
    }
}

fn steps_of(path: &mut Node) -> &mut Vec<Node> {
    match &mut path.kind {
        Kind::Path(steps) => steps,
        _ => unreachable!("the caller has a path"),
    }
}

/// The last step of a path; any other node itself.
fn last_step(node: &mut Node) -> &mut Node {
    if matches!(node.kind, Kind::Path(_)) {
        return steps_of(node).last_mut().expect("a path has steps");
    }
    node
}

fn starts_with_cons(node: &Node) -> bool {
    match &node.kind {
        Kind::Path(steps) => steps.first().is_some_and(|step| step.cons_array),
        _ => false,
    }
}

/// The parser has seen that it is one.
fn variable(raw: Raw) -> Name {
    match raw.kind {
        RawKind::Variable(name) => name,
        _ => unreachable!("the parser refuses anything but a variable here"),
    }
}

fn negated(number: &Number) -> Number {
    match number.as_i64().and_then(i64::checked_neg) {
        Some(whole) => whole.into(),
        None => match Json::from(-number.as_f64().unwrap_or_default()) {
            Json::Number(number) => number,
            _ => unreachable!("the opposite of a finite number is finite"),
        },
    }
}
