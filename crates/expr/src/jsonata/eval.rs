//! Evaluates the tree. Each rule is that of the reference implementation; see its documentation for why.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use base::{Json, Timestamp};

use super::budget::Budget;
use super::error::{Details, Error, Outcome};
use super::functions::{self, Given, Native};
use super::regex::Pattern;
use super::syntax::{Ancestor, Group, Kind, Lambda, Member, Name, Node, Operator, SortTerm, Stage, Transform};
use super::value::{
    Array, Builder, Levels, MEMBER_BYTES, Object, ObjectBuilder, Owned, Text, Type, Value, compare_texts, detached,
    equal, listed, singleton,
};

/// What surrounds an expression.
pub(super) trait World {
    /// What `$$` is, and what the expression starts with.
    fn root(&self) -> Value;
    fn variable(&self, name: &str) -> Option<Value>;
    fn member(&self, member: Member) -> Option<Json>;
    fn now(&self) -> Timestamp;
    fn chance(&self) -> u64;
    /// Which functions there are.
    fn knows(&self, native: &Native) -> bool;
}

pub(super) enum Function {
    Native(&'static Native),
    Lambda {
        lambda: Arc<Lambda>,
        input: Value,
        env: Rc<Frame>,
    },
    /// Arguments of which some are still open.
    Partial {
        of: Value,
        arguments: Vec<Option<Value>>,
    },
    /// `f ~> g`
    Composed(Value, Value),
    Regex(Arc<Pattern>),
    /// The next match of a regular expression in a text.
    NextMatch {
        pattern: Arc<Pattern>,
        text: Text,
        from: usize,
    },
    Transform {
        transform: Arc<Transform>,
        env: Rc<Frame>,
    },
}

/// One value of a stream, with the names that were bound on the way to it.
#[derive(Clone)]
pub(super) struct Tuple {
    context: Value,
    names: Vec<(Name, Value)>,
}

impl Tuple {
    fn bind(&mut self, name: &Name, value: Value) {
        match self.names.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.names.push((name.clone(), value)),
        }
    }
}

/// The names of one block, lambda or tuple.
pub(super) struct Frame {
    names: RefCell<Vec<(Name, Value)>>,
    parent: Option<Rc<Frame>>,
    /// Some function holds on to it.
    captured: Cell<bool>,
    levels: Cell<Levels>,
}

impl Frame {
    fn new(parent: &Rc<Frame>) -> Rc<Frame> {
        Frame::with(Some(Rc::clone(parent)), Vec::new())
    }

    fn with(parent: Option<Rc<Frame>>, names: Vec<(Name, Value)>) -> Rc<Frame> {
        let around = parent.as_ref().map_or(Levels::default(), |parent| parent.levels.get());
        let levels = names.iter().fold(around, |levels, (_, value)| levels.max(Levels::of(value)));
        let (captured, levels) = (Cell::new(false), Cell::new(levels));
        Rc::new(Frame { names: RefCell::new(names), parent, captured, levels })
    }

    fn bind(&self, name: &Name, value: Value) {
        self.levels.set(self.levels.get().max(Levels::of(&value)));
        let mut names = self.names.borrow_mut();
        match names.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => names.push((name.clone(), value)),
        }
    }

    fn get(&self, name: &str) -> Option<Value> {
        let mut frame = self;
        loop {
            if let Some((_, value)) = frame.names.borrow().iter().find(|(known, _)| **known == *name) {
                return Some(value.clone());
            }
            frame = frame.parent.as_deref()?;
        }
    }
}

/// One evaluation.
pub(super) struct Run<'w> {
    pub(super) world: &'w dyn World,
    pub(super) budget: Rc<Budget>,
    /// Frames that functions hold on to. Functions lie in frames too; the circle is broken at the end.
    captured: RefCell<Vec<Weak<Frame>>>,
    /// How many of them there were when the dead were last thrown out.
    captured_alive: Cell<usize>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        for frame in self.captured.borrow().iter().filter_map(Weak::upgrade) {
            let names = frame.names.take();
            drop(names);
        }
    }
}

/// What the last thing that a function does comes to: a value, or one more call that needs no place on the stack.
enum Flow {
    Value(Value),
    Call { procedure: Value, arguments: Vec<Value>, name: Option<Name>, at: usize },
}

impl<'w> Run<'w> {
    pub(super) fn new(world: &'w dyn World, budget: Rc<Budget>) -> Run<'w> {
        Run { world, budget, captured: RefCell::default(), captured_alive: Cell::new(64) }
    }

    /// The whole expression. An array as input is wrapped, so that it is one context and not many.
    pub(super) fn whole(&self, node: &Node) -> Outcome<Value> {
        let env = Frame::with(None, Vec::new());
        let input = self.outer(self.world.root())?;
        self.eval(node, &input, &env)
    }

    fn outer(&self, input: Value) -> Outcome<Value> {
        match input {
            Value::Array(array) if !array.sequence => {
                let mut wrapped = singleton(&self.budget, Value::Array(array))?;
                wrapped.outer = true;
                Ok(Value::Array(wrapped))
            }
            other => Ok(other),
        }
    }

    pub(super) fn eval(&self, node: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let depth = self.budget.depth();
        self.budget.enter()?;
        let value = self.kind(node, input, env)?;
        let value = self.finish(node, value, env)?;
        self.budget.leave(depth);
        Ok(value)
    }

    /// What hangs on a node happens to its value; a sequence of one is that one, an empty one is nothing.
    fn finish(&self, node: &Node, mut value: Value, env: &Rc<Frame>) -> Outcome<Value> {
        for predicate in &node.predicates {
            value = self.filter(predicate, value, env)?;
        }
        if let (Some(group), false) = (&node.group, matches!(node.kind, Kind::Path(_))) {
            value = self.group(group, value, env)?;
        }
        Ok(match value {
            Value::Array(mut array) if array.sequence => {
                array.keep_singleton |= node.keep_array;
                match array.len() {
                    0 => Value::Undefined,
                    1 if !array.keep_singleton => array.get(0).unwrap_or(Value::Undefined),
                    _ => Value::Array(array),
                }
            }
            other => other,
        })
    }

    fn kind(&self, node: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        Ok(match &node.kind {
            Kind::Path(steps) => return self.path(node, steps, input, env),
            Kind::Name(name) => return self.lookup(input, name),
            Kind::Text(text) => Value::shared(text),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Bool(truth) => Value::Bool(*truth),
            Kind::Null => Value::Null,
            Kind::Wildcard => return self.wildcard(input),
            Kind::Descendant => return self.descendants(input),
            Kind::Parent(Ancestor::Name(name)) => env.get(name).unwrap_or(Value::Undefined),
            Kind::Parent(Ancestor::Slot(_)) => Value::Undefined,
            Kind::Variable { name, native } => return self.variable(name, *native, input, env),
            Kind::Member(member) => self.member(*member),
            Kind::Regex(pattern) => return self.regex(pattern),
            Kind::Negate(operand) => return self.negate(node, operand, input, env),
            Kind::Array(items) => return self.array(node, items, input, env),
            Kind::Object(group) => return self.group(group, input.clone(), env),
            Kind::Binary(operator, left, right) => return self.binary(node, *operator, left, right, input, env),
            Kind::Bind(name, value) => return self.bind(name, value, input, env),
            Kind::Apply(left, right) => return self.apply_to(node, left, right, input, env),
            Kind::Condition(condition, then, otherwise) => {
                return self.condition(condition, then, otherwise.as_deref(), input, env);
            }
            Kind::Block(parts) => return self.block(parts, input, env),
            Kind::Call(procedure, arguments) => return self.call(node, procedure, arguments, None, input, env),
            Kind::Partial(procedure, arguments) => return self.partial(node, procedure, arguments, input, env),
            Kind::Lambda(lambda) => return self.lambda(lambda, input, env),
            Kind::Transform(transform) => return self.transformer(transform, env),
            Kind::Sort(terms) => return self.sort(node, terms, listed(&self.budget, input.clone())?, env),
        })
    }

    #[inline(never)]
    fn regex(&self, pattern: &Arc<Pattern>) -> Outcome<Value> {
        Value::function(&self.budget, Function::Regex(Arc::clone(pattern)), Levels::default())
    }

    #[inline(never)]
    fn lambda(&self, lambda: &Arc<Lambda>, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        self.capture(env)?;
        let below = env.levels.get().max(Levels::of(input));
        let function = Function::Lambda { lambda: Arc::clone(lambda), input: input.clone(), env: Rc::clone(env) };
        Value::function(&self.budget, function, below)
    }

    #[inline(never)]
    fn transformer(&self, transform: &Arc<Transform>, env: &Rc<Frame>) -> Outcome<Value> {
        self.capture(env)?;
        let function = Function::Transform { transform: Arc::clone(transform), env: Rc::clone(env) };
        Value::function(&self.budget, function, env.levels.get())
    }

    #[inline(never)]
    fn bind(&self, name: &Name, value: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let value = self.eval(value, input, env)?;
        env.bind(name, value.clone());
        Ok(value)
    }

    #[inline(never)]
    fn condition(
        &self,
        condition: &Node,
        then: &Node,
        otherwise: Option<&Node>,
        input: &Value,
        env: &Rc<Frame>,
    ) -> Outcome<Value> {
        match self.branch(condition, then, otherwise, input, env)? {
            Some(branch) => self.eval(branch, input, env),
            None => Ok(Value::Undefined),
        }
    }

    /// Remembers the frame, whose names may hold the very function that holds it.
    fn capture(&self, env: &Rc<Frame>) -> Outcome<()> {
        if env.captured.replace(true) {
            return Ok(());
        }
        let mut captured = self.captured.borrow_mut();
        if captured.len() >= 2 * self.captured_alive.get() {
            self.budget.step(captured.len())?;
            captured.retain(|frame| frame.strong_count() > 0);
            self.captured_alive.set(captured.len().max(64));
        }
        captured.push(Rc::downgrade(env));
        Ok(())
    }

    fn variable(&self, name: &Name, native: Option<&'static Native>, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        if name.is_empty() {
            return Ok(match input {
                Value::Array(array) if array.outer => array.get(0).unwrap_or(Value::Undefined),
                other => other.clone(),
            });
        }
        if let Some(value) = env.get(name).or_else(|| self.world.variable(name)) {
            return Ok(value);
        }
        match &**name {
            "$" => return self.outer(self.world.root()).and_then(|root| self.variable(&"".into(), None, &root, env)),
            "states" => return self.states(),
            _ => {}
        }
        match native.filter(|native| self.world.knows(native)) {
            Some(native) => Value::function(&self.budget, Function::Native(native), Levels::default()),
            None => Ok(Value::Undefined),
        }
    }

    fn member(&self, member: Member) -> Value {
        self.world.member(member).as_ref().map_or(Value::Undefined, Value::json)
    }

    /// `$states` as a whole: the members that there are.
    fn states(&self) -> Outcome<Value> {
        let mut states = ObjectBuilder::new(&self.budget)?;
        for member in Member::ALL {
            if let Some(value) = self.world.member(member) {
                states.insert(member.name().into(), Value::json(&value))?;
            }
        }
        if states.len() == 0 { Ok(Value::Undefined) } else { states.value() }
    }

    // Paths.

    fn path(&self, node: &Node, steps: &[Node], input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let first = &steps[0];
        let starts_anew = matches!(first.kind, Kind::Variable { .. } | Kind::Member(_));
        let mut current = match input {
            Value::Array(array) if !starts_anew => array.clone(),
            other => {
                if let Some(value) = self.straight(node, steps, other, env)? {
                    return Ok(value);
                }
                singleton(&self.budget, other.clone())?
            }
        };
        let mut tuples: Option<Vec<Tuple>> = None;
        let mut is_stream = false;
        for (index, step) in steps.iter().enumerate() {
            is_stream |= step.tuple;
            if index == 0 && step.cons_array {
                match self.eval(step, &Value::Array(current), env)? {
                    Value::Undefined => current = Array::empty(),
                    value => current = listed(&self.budget, value)?,
                }
            } else if is_stream {
                tuples = Some(self.tuple_step(step, &current, tuples, env)?);
                continue;
            } else {
                current = self.step(step, &current, index + 1 == steps.len(), env)?;
            }
            if !is_stream && current.len() == 0 {
                break;
            }
        }
        let mut value = match (tuples, node.tuple || node.group.is_some()) {
            (Some(tuples), true) => self.stream(tuples)?,
            (Some(tuples), false) => {
                let mut items = Builder::new(&self.budget)?;
                tuples.into_iter().try_for_each(|tuple| items.push(tuple.context))?;
                items.sequence()?
            }
            (None, _) => Value::Array(current),
        };
        if let (Value::Array(array), true) = (&mut value, node.keep_singleton) {
            if array.cons && !array.sequence {
                *array = singleton(&self.budget, Value::Array(array.clone()))?;
            }
            array.keep_singleton = true;
        }
        match &node.group {
            Some(group) => self.group(group, value, env),
            None => Ok(value),
        }
    }

    /// The common path: names in objects, one value all the way. Nothing when it is not that.
    fn straight(&self, node: &Node, steps: &[Node], input: &Value, env: &Rc<Frame>) -> Outcome<Option<Value>> {
        if node.keep_singleton || node.group.is_some() {
            return Ok(None);
        }
        let simple = |step: &Node| {
            step.is_bare() && matches!(step.kind, Kind::Name(_) | Kind::Variable { .. } | Kind::Member(_))
        };
        if !steps.iter().all(simple) {
            return Ok(None);
        }
        let mut value = input.clone();
        for (index, step) in steps.iter().enumerate() {
            value = match &step.kind {
                Kind::Name(name) => match &value {
                    Value::Object(object) => object.get(name).unwrap_or(Value::Undefined),
                    _ => Value::Undefined,
                },
                Kind::Variable { name, native } => self.variable(name, *native, &value, env)?,
                Kind::Member(member) => self.member(*member),
                _ => return Ok(None),
            };
            match value {
                Value::Array(array) if index + 1 < steps.len() => {
                    return self.rest(&steps[index + 1..], array, env).map(Some);
                }
                Value::Undefined => return Ok(Some(Value::Undefined)),
                _ => {}
            }
        }
        self.budget.step(steps.len())?;
        Ok(Some(value))
    }

    /// The rest of a straight path that has met an array.
    fn rest(&self, steps: &[Node], array: Array, env: &Rc<Frame>) -> Outcome<Value> {
        let mut current = array;
        for (index, step) in steps.iter().enumerate() {
            if current.len() == 0 {
                break;
            }
            current = self.step(step, &current, index + 1 == steps.len(), env)?;
        }
        Ok(Value::Array(current))
    }

    fn step(&self, step: &Node, input: &Array, is_last: bool, env: &Rc<Frame>) -> Outcome<Array> {
        if let Kind::Sort(terms) = &step.kind {
            let mut sorted = self.sort(step, terms, input.clone(), env)?;
            for stage in &step.stages {
                if let Stage::Filter(filter) = stage {
                    sorted = self.filter(filter, sorted, env)?;
                }
            }
            return listed(&self.budget, sorted);
        }
        let mut results = Builder::new(&self.budget)?;
        for item in input.iter() {
            let mut value = self.eval(step, &item, env)?;
            for stage in &step.stages {
                if let Stage::Filter(filter) = stage {
                    value = self.filter(filter, value, env)?;
                }
            }
            if !value.is_undefined() {
                results.push(value)?;
            }
        }
        if let (true, [Value::Array(only)]) = (is_last, results.items())
            && !only.sequence
        {
            return Ok(only.clone());
        }
        if results.items().iter().all(|value| !matches!(value, Value::Array(array) if !array.cons)) {
            return Ok(results.array()?.into_sequence());
        }
        let mut flat = Builder::new(&self.budget)?;
        for value in results.items() {
            match value {
                Value::Array(array) if !array.cons => {
                    self.budget.step(array.len())?;
                    array.iter().try_for_each(|item| flat.push(item))?;
                }
                other => flat.push(other.clone())?,
            }
        }
        Ok(flat.array()?.into_sequence())
    }

    fn stream(&self, tuples: Vec<Tuple>) -> Outcome<Value> {
        let charge = self.budget.charge(tuples.len() * size_of::<Tuple>())?;
        Ok(Value::Tuples(Owned::new(tuples, charge)))
    }

    fn frame_of(&self, tuple: &Tuple, env: &Rc<Frame>) -> Rc<Frame> {
        Frame::with(Some(Rc::clone(env)), tuple.names.clone())
    }

    fn tuple_step(
        &self,
        step: &Node,
        input: &Array,
        tuples: Option<Vec<Tuple>>,
        env: &Rc<Frame>,
    ) -> Outcome<Vec<Tuple>> {
        if let Kind::Sort(terms) = &step.kind {
            let sorted = match tuples {
                Some(tuples) => self.sort_tuples(step, terms, tuples, env)?,
                None => {
                    let sorted = self.sort(step, terms, input.clone(), env)?;
                    let mut tuples = Vec::new();
                    for (index, item) in listed(&self.budget, sorted)?.iter().enumerate() {
                        let names = step.index.iter().map(|name| (name.clone(), Value::count(index))).collect();
                        tuples.push(Tuple { context: item, names });
                    }
                    tuples
                }
            };
            return self.stages(&step.stages, sorted, env);
        }
        let tuples =
            tuples.unwrap_or_else(|| input.iter().map(|context| Tuple { context, names: Vec::new() }).collect());
        let mut results: Vec<Tuple> = Vec::new();
        let mut charge = self.budget.charge(0)?;
        for tuple in &tuples {
            let value = self.eval(step, &tuple.context, &self.frame_of(tuple, env))?;
            let mut add = |results: &mut Vec<Tuple>, made: Tuple| {
                self.budget.step(1)?;
                charge.add(2 * size_of::<Tuple>() + 2 * made.names.len() * size_of::<(Name, Value)>())?;
                results.push(made);
                Outcome::Ok(())
            };
            let items = match value {
                Value::Undefined => continue,
                Value::Tuples(stream) => {
                    for inner in stream.iter() {
                        let mut made = Tuple { context: inner.context.clone(), names: tuple.names.clone() };
                        inner.names.iter().for_each(|(name, value)| made.bind(name, value.clone()));
                        add(&mut results, made)?;
                    }
                    continue;
                }
                Value::Array(items) => items,
                value => singleton(&self.budget, value)?,
            };
            for (index, item) in items.iter().enumerate() {
                let mut made = tuple.clone();
                match &step.focus {
                    Some(focus) => made.bind(focus, item),
                    None => made.context = item,
                }
                if let Some(name) = &step.index {
                    made.bind(name, Value::count(index));
                }
                if let Some(Ancestor::Name(name)) = &step.ancestor {
                    made.bind(name, tuple.context.clone());
                }
                add(&mut results, made)?;
            }
        }
        self.stages(&step.stages, results, env)
    }

    fn stages(&self, stages: &[Stage], mut tuples: Vec<Tuple>, env: &Rc<Frame>) -> Outcome<Vec<Tuple>> {
        for stage in stages {
            match stage {
                Stage::Filter(filter) => tuples = self.filter_tuples(filter, tuples, env)?,
                Stage::Index(name) => {
                    for (index, tuple) in tuples.iter_mut().enumerate() {
                        tuple.bind(name, Value::count(index));
                    }
                }
            }
        }
        Ok(tuples)
    }

    fn filter(&self, filter: &Node, input: Value, env: &Rc<Frame>) -> Outcome<Value> {
        let array = match input {
            Value::Tuples(tuples) => {
                let kept = self.filter_tuples(filter, tuples.to_vec(), env)?;
                return self.stream(kept);
            }
            // `undefined` in a sequence of its own is one item to a filter that does not look at it.
            other => listed(&self.budget, other)?,
        };
        if let Kind::Number(number) = &filter.kind {
            return Ok(match place(super::value::float(number), array.len()).and_then(|index| array.get(index)) {
                Some(Value::Array(item)) => Value::Array(item),
                Some(Value::Undefined) | None => Value::Array(Array::empty().into_sequence()),
                Some(item) => Value::Array(singleton(&self.budget, item)?),
            });
        }
        let mut kept = Builder::new(&self.budget)?;
        for (index, item) in array.iter().enumerate() {
            let answer = self.eval(filter, &item, env)?;
            for _ in 0..self.admits(&answer, index, array.len())? {
                kept.push(item.clone())?;
            }
        }
        kept.sequence()
    }

    fn filter_tuples(&self, filter: &Node, tuples: Vec<Tuple>, env: &Rc<Frame>) -> Outcome<Vec<Tuple>> {
        if let Kind::Number(number) = &filter.kind {
            let index = place(super::value::float(number), tuples.len());
            return Ok(index.and_then(|index| tuples.get(index).cloned()).into_iter().collect());
        }
        let mut kept = Vec::new();
        let len = tuples.len();
        for (index, tuple) in tuples.into_iter().enumerate() {
            let answer = self.eval(filter, &tuple.context, &self.frame_of(&tuple, env))?;
            for _ in 0..self.admits(&answer, index, len)? {
                kept.push(tuple.clone());
            }
        }
        Ok(kept)
    }

    /// How often a filter's answer lets the item at `index` through: numbers are places, all else is yes or no.
    fn admits(&self, answer: &Value, index: usize, len: usize) -> Outcome<usize> {
        if let Some(number) = answer.numeric()? {
            return Ok(usize::from(place(number, len) == Some(index)));
        }
        if let Value::Array(array) = answer {
            self.budget.step(array.len())?;
            let mut count = 0;
            let mut all_numbers = true;
            for item in array.iter() {
                match item.numeric()? {
                    Some(number) => count += usize::from(place(number, len) == Some(index)),
                    None => {
                        all_numbers = false;
                        break;
                    }
                }
            }
            if all_numbers {
                return Ok(count);
            }
        }
        answer.truth().map(usize::from)
    }

    pub(super) fn lookup(&self, input: &Value, name: &str) -> Outcome<Value> {
        match input {
            Value::Object(object) => Ok(object.get(name).unwrap_or(Value::Undefined)),
            Value::Array(array) => {
                self.budget.step(array.len())?;
                let mut found = Builder::new(&self.budget)?;
                for item in array.iter() {
                    match self.lookup(&item, name)? {
                        Value::Undefined => {}
                        value => found.extend(value)?,
                    }
                }
                found.sequence()
            }
            _ => Ok(Value::Undefined),
        }
    }

    fn wildcard(&self, input: &Value) -> Outcome<Value> {
        let unwrapped = match input {
            Value::Array(array) if array.outer => array.get(0).unwrap_or(Value::Undefined),
            other => other.clone(),
        };
        let mut found = Builder::new(&self.budget)?;
        let mut is_sequence = true;
        let mut each = |value: Value| match value {
            array @ Value::Array(_) => {
                is_sequence = false;
                self.flatten(&array, &mut found)
            }
            other => found.push(other),
        };
        match &unwrapped {
            Value::Object(object) => object.iter().try_for_each(|(_, value)| each(value))?,
            Value::Array(array) => array.iter().try_for_each(each)?,
            _ => {}
        }
        if is_sequence { found.sequence() } else { found.value() }
    }

    fn flatten(&self, value: &Value, found: &mut Builder) -> Outcome<()> {
        self.budget.step(1)?;
        match value {
            Value::Array(array) => array.iter().try_for_each(|item| self.flatten(&item, found)),
            other => found.push(other.clone()),
        }
    }

    fn descendants(&self, input: &Value) -> Outcome<Value> {
        if input.is_undefined() {
            return Ok(Value::Undefined);
        }
        let mut found = Builder::new(&self.budget)?;
        self.descend(input, &mut found)?;
        match found.items() {
            [only] => Ok(only.clone()),
            _ => found.sequence(),
        }
    }

    fn descend(&self, value: &Value, found: &mut Builder) -> Outcome<()> {
        self.budget.step(1)?;
        match value {
            Value::Array(array) => return array.iter().try_for_each(|item| self.descend(&item, found)),
            other => found.push(other.clone())?,
        }
        match value {
            Value::Object(object) => object.iter().try_for_each(|(_, member)| self.descend(&member, found)),
            _ => Ok(()),
        }
    }

    // Operators.

    fn negate(&self, node: &Node, operand: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let value = self.eval(operand, input, env)?;
        match value.numeric()? {
            _ if value.is_undefined() => Ok(Value::Undefined),
            Some(number) => Ok(Value::number(-number)),
            None => Err(Error::of_value("D1002", value.shown()).at(node.at)),
        }
    }

    fn array(&self, node: &Node, nodes: &[Node], input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let mut items = Builder::new(&self.budget)?;
        for item in nodes {
            let value = self.eval(item, input, env)?;
            match (&item.kind, value) {
                (_, Value::Undefined) => {}
                (Kind::Array(_), value) => items.push(value)?,
                (_, Value::Array(range)) if nodes.len() == 1 && range.is_range() => {
                    let mut array = range;
                    (array.sequence, array.cons) = (false, node.cons_array);
                    return Ok(Value::Array(array));
                }
                (_, value) => {
                    if let Value::Array(array) = &value {
                        self.budget.step(array.len())?;
                    }
                    items.extend(value)?;
                }
            }
        }
        let mut array = items.array()?;
        array.cons = node.cons_array;
        Ok(Value::Array(array))
    }

    fn binary(
        &self,
        node: &Node,
        operator: Operator,
        left: &Node,
        right: &Node,
        input: &Value,
        env: &Rc<Frame>,
    ) -> Outcome<Value> {
        let left = self.eval(left, input, env)?;
        match (operator, left.truth()) {
            (Operator::And | Operator::Or, Err(error)) => return Err(error),
            (Operator::And, Ok(false)) => return Ok(Value::Bool(false)),
            (Operator::Or, Ok(true)) => return Ok(Value::Bool(true)),
            (Operator::And | Operator::Or, Ok(_)) => {
                return Ok(Value::Bool(self.eval(right, input, env)?.truth()?));
            }
            (_, _) => {}
        }
        let right = self.eval(right, input, env)?;
        let done = match operator {
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                arithmetic(operator, &left, &right)
            }
            Operator::Equal | Operator::NotEqual => {
                if left.is_undefined() || right.is_undefined() {
                    Ok(Value::Bool(false))
                } else {
                    equal(&self.budget, &left, &right).map(|equal| Value::Bool(equal == (operator == Operator::Equal)))
                }
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.compare(operator, &left, &right)
            }
            Operator::Concat => self.concat(&left, &right),
            Operator::Range => self.range(&left, &right),
            Operator::In => self.is_in(&left, right),
            Operator::And | Operator::Or => unreachable!("decided above"),
        };
        done.map_err(|error| error.name(operator.text()).at(node.at))
    }

    fn compare(&self, operator: Operator, left: &Value, right: &Value) -> Outcome<Value> {
        let comparable = |value: &Value| matches!(value.kind(), Type::Undefined | Type::Number | Type::Text);
        if !comparable(left) || !comparable(right) {
            let odd = if comparable(left) { right } else { left };
            return Err(Error::of_value("T2010", odd.shown()));
        }
        let order = match (left, right) {
            (Value::Undefined, _) | (_, Value::Undefined) => return Ok(Value::Undefined),
            (Value::Text(left), Value::Text(right)) => {
                self.budget.scan(left.len().min(right.len()))?;
                Some(compare_texts(left, right))
            }
            (left, right) => match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => left.partial_cmp(&right),
                (_, _) => {
                    let (value, value2) = (Some(left.shown()), Some(right.shown()));
                    return Err(Error::with("T2009", Details { value, value2, ..Details::default() }));
                }
            },
        };
        Ok(Value::Bool(match operator {
            Operator::Less => order == Some(Ordering::Less),
            Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Operator::Greater => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }))
    }

    fn concat(&self, left: &Value, right: &Value) -> Outcome<Value> {
        let mut text = String::new();
        for value in [left, right] {
            match value {
                Value::Undefined => {}
                Value::Text(more) => {
                    if text.len() + more.len() > self.budget.limits.text_bytes_max {
                        return Err(Error::memory());
                    }
                    text.push_str(more);
                }
                other => text.push_str(&self.to_text(other, None)?),
            }
        }
        Value::text(&self.budget, text)
    }

    /// What `$string` gives.
    pub(super) fn to_text(&self, value: &Value, indent: Option<usize>) -> Outcome<String> {
        match value {
            Value::Text(text) => Ok(text.to_string()),
            Value::Function(_) => Ok(String::new()),
            Value::NonFinite(_) => Err(Error::plain("D3001")),
            other => {
                let mut text = String::new();
                super::text::write(&mut text, other, indent, 0, self.budget.limits.text_bytes_max)?;
                self.budget.scan(8 * text.len())?;
                Ok(text)
            }
        }
    }

    fn range(&self, left: &Value, right: &Value) -> Outcome<Value> {
        let whole = |value: &Value, code| match value {
            Value::Undefined => Ok(None),
            Value::Number(number) => match super::value::float(number) {
                number if number.fract() == 0.0 && number.abs() <= 9e15 => Ok(Some(number as i64)),
                _ => Err(Error::plain(code)),
            },
            _ => Err(Error::plain(code)),
        };
        let (Some(start), Some(end)) = (whole(left, "T2003")?, whole(right, "T2004")?) else {
            whole(right, "T2004")?;
            return Ok(Value::Undefined);
        };
        if start > end {
            return Ok(Value::Undefined);
        }
        let len = (end - start + 1) as usize;
        if len > 10_000_000 {
            return Err(Error::of_value("D2014", len.to_string()));
        }
        if len > self.budget.limits.range_max {
            return Err(Error::memory());
        }
        Ok(Value::Array(Array::range(start, len).into_sequence()))
    }

    fn is_in(&self, left: &Value, right: Value) -> Outcome<Value> {
        if left.is_undefined() || right.is_undefined() {
            return Ok(Value::Bool(false));
        }
        let array = listed(&self.budget, right)?;
        self.budget.step(array.len())?;
        for item in array.iter() {
            let scalar = matches!(item.kind(), Type::Text | Type::Number | Type::Bool | Type::Null);
            if scalar && equal(&self.budget, left, &item)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    // Groups.

    fn group(&self, group: &Group, input: Value, env: &Rc<Frame>) -> Outcome<Value> {
        if let Value::Tuples(tuples) = &input {
            return self.group_tuples(group, tuples, env);
        }
        // An empty array still makes the object, over nothing.
        let array = match listed(&self.budget, input)? {
            array if array.len() == 0 => singleton(&self.budget, Value::Undefined)?,
            array => array,
        };
        let mut groups: indexmap::IndexMap<Arc<str>, (usize, Gathered)> = indexmap::IndexMap::new();
        let mut charge = self.budget.charge(0)?;
        for item in array.iter() {
            for (index, (key, _)) in group.pairs.iter().enumerate() {
                let Some(key) = self.key(group, key, &item, env)? else { continue };
                match groups.get_mut(&key) {
                    Some((first, _)) if *first != index => {
                        return Err(Error::of_value("D1009", super::error::quoted(&key)).at(group.at));
                    }
                    Some((_, gathered)) => gathered.add(self, item.clone())?,
                    None => {
                        charge.add(2 * MEMBER_BYTES)?;
                        groups.insert(key, (index, Gathered::One(item.clone())));
                    }
                }
            }
        }
        let mut object = ObjectBuilder::new(&self.budget)?;
        for (key, (index, gathered)) in groups {
            let value = self.eval(&group.pairs[index].1, &gathered.value()?, env)?;
            if !value.is_undefined() {
                object.insert(key, value)?;
            }
        }
        object.value()
    }

    fn key(&self, group: &Group, key: &Node, item: &Value, env: &Rc<Frame>) -> Outcome<Option<Arc<str>>> {
        match self.eval(key, item, env)? {
            Value::Undefined => Ok(None),
            Value::Text(text) => Ok(Some(text.to_arc())),
            other => Err(Error::of_value("T1003", other.shown()).at(group.at)),
        }
    }

    fn group_tuples(&self, group: &Group, tuples: &[Tuple], env: &Rc<Frame>) -> Outcome<Value> {
        let mut groups: indexmap::IndexMap<Arc<str>, (usize, Vec<&Tuple>)> = indexmap::IndexMap::new();
        for tuple in tuples {
            let frame = self.frame_of(tuple, env);
            for (index, (key, _)) in group.pairs.iter().enumerate() {
                let Some(key) = self.key(group, key, &tuple.context, &frame)? else { continue };
                let entry = groups.entry(key.clone()).or_insert((index, Vec::new()));
                if entry.0 != index {
                    return Err(Error::of_value("D1009", super::error::quoted(&key)).at(group.at));
                }
                entry.1.push(tuple);
            }
        }
        let mut object = ObjectBuilder::new(&self.budget)?;
        for (key, (index, tuples)) in groups {
            let merged = self.merge(&tuples)?;
            let frame = self.frame_of(&merged, env);
            let value = self.eval(&group.pairs[index].1, &merged.context, &frame)?;
            if !value.is_undefined() {
                object.insert(key, value)?;
            }
        }
        object.value()
    }

    /// Several tuples as one, each name with all of its values.
    fn merge(&self, tuples: &[&Tuple]) -> Outcome<Tuple> {
        let mut merged = Tuple { context: Value::Undefined, names: Vec::new() };
        let Some((first, rest)) = tuples.split_first() else { return Ok(merged) };
        let mut context = Gathered::One(first.context.clone());
        let mut names: Vec<(Name, Gathered)> =
            first.names.iter().map(|(name, value)| (name.clone(), Gathered::One(value.clone()))).collect();
        for tuple in rest {
            context.add(self, tuple.context.clone())?;
            for (name, value) in &tuple.names {
                match names.iter_mut().find(|(known, _)| known == name) {
                    Some((_, gathered)) => gathered.add(self, value.clone())?,
                    None => names.push((name.clone(), Gathered::One(value.clone()))),
                }
            }
        }
        merged.context = context.value()?;
        for (name, gathered) in names {
            merged.names.push((name, gathered.value()?));
        }
        Ok(merged)
    }

    // Control.

    fn branch<'n>(
        &self,
        condition: &Node,
        then: &'n Node,
        otherwise: Option<&'n Node>,
        input: &Value,
        env: &Rc<Frame>,
    ) -> Outcome<Option<&'n Node>> {
        Ok(if self.eval(condition, input, env)?.truth()? { Some(then) } else { otherwise })
    }

    fn block(&self, parts: &[Node], input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let frame = Frame::new(env);
        let mut value = Value::Undefined;
        for part in parts {
            value = self.eval(part, input, &frame)?;
        }
        Ok(value)
    }

    /// The value of a function's body, or the call that it ends with.
    fn flow(&self, node: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Flow> {
        if !node.predicates.is_empty() || node.group.is_some() {
            return self.eval(node, input, env).map(Flow::Value);
        }
        let depth = self.budget.depth();
        let flow = match &node.kind {
            Kind::Condition(condition, then, otherwise) => {
                self.budget.enter()?;
                match self.branch(condition, then, otherwise.as_deref(), input, env)? {
                    Some(branch) => self.flow(branch, input, env)?,
                    None => Flow::Value(Value::Undefined),
                }
            }
            Kind::Block(parts) => {
                self.budget.enter()?;
                let frame = Frame::new(env);
                let Some((last, before)) = parts.split_last() else { return Ok(Flow::Value(Value::Undefined)) };
                for part in before {
                    self.eval(part, input, &frame)?;
                }
                self.flow(last, input, &frame)?
            }
            Kind::Call(procedure, arguments) => {
                let name = called(procedure).cloned();
                let procedure = self.procedure(node, procedure, input, env)?;
                let arguments = self.arguments(arguments, None, input, env)?;
                Flow::Call { procedure, arguments, name, at: node.at }
            }
            _ => return self.eval(node, input, env).map(Flow::Value),
        };
        self.budget.leave(depth);
        Ok(flow)
    }

    // Calls.

    fn procedure(&self, node: &Node, procedure: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let value = self.eval(procedure, input, env)?;
        if value.is_undefined() && self.is_function_without_dollar(procedure, env) {
            let name = called(procedure).cloned().unwrap_or_else(|| "".into());
            return Err(Error::of_token("T1005", &name).at(node.at));
        }
        Ok(value)
    }

    /// `sum(x)` where `$sum(x)` was meant.
    fn is_function_without_dollar(&self, procedure: &Node, env: &Rc<Frame>) -> bool {
        match (&procedure.kind, called(procedure)) {
            (Kind::Path(_), Some(name)) => {
                env.get(name).or_else(|| self.world.variable(name)).is_some_and(|value| !value.is_undefined())
                    || functions::find(name).is_some_and(|native| self.world.knows(native))
            }
            (_, _) => false,
        }
    }

    fn arguments(&self, nodes: &[Node], first: Option<Value>, input: &Value, env: &Rc<Frame>) -> Outcome<Vec<Value>> {
        let mut arguments = Vec::with_capacity(nodes.len() + 1);
        arguments.extend(first);
        for node in nodes {
            arguments.push(self.eval(node, input, env)?);
        }
        Ok(arguments)
    }

    fn call(
        &self,
        node: &Node,
        procedure: &Node,
        arguments: &[Node],
        first: Option<Value>,
        input: &Value,
        env: &Rc<Frame>,
    ) -> Outcome<Value> {
        let called = called(procedure);
        let procedure = self.procedure(node, procedure, input, env)?;
        let arguments = self.arguments(arguments, first, input, env)?;
        self.apply(&procedure, arguments, input).map_err(|error| {
            let error = error.at(node.at);
            match called {
                Some(name) => error.name(name),
                None => error,
            }
        })
    }

    fn partial(
        &self,
        node: &Node,
        procedure: &Node,
        arguments: &[Option<Node>],
        input: &Value,
        env: &Rc<Frame>,
    ) -> Outcome<Value> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(argument.as_ref().map(|node| self.eval(node, input, env)).transpose()?);
        }
        let of = self.eval(procedure, input, env)?;
        if !matches!(of, Value::Function(_)) {
            let code = if self.is_function_without_dollar(procedure, env) { "T1007" } else { "T1008" };
            let name = called(procedure).cloned().unwrap_or_else(|| "".into());
            return Err(Error::of_token(code, &name).at(node.at));
        }
        let below = values.iter().flatten().map(Levels::of).fold(Levels::of(&of), Levels::max);
        Value::function(&self.budget, Function::Partial { of, arguments: values }, below)
    }

    fn apply_to(&self, node: &Node, left: &Node, right: &Node, input: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        let left = self.eval(left, input, env)?;
        if let Kind::Call(procedure, arguments) = &right.kind {
            let value = self.call(right, procedure, arguments, Some(left), input, env)?;
            return self.finish(right, value, env);
        }
        let function = self.eval(right, input, env)?;
        if !matches!(function, Value::Function(_)) {
            return Err(Error::of_value("T2006", function.shown()).at(node.at));
        }
        if matches!(left, Value::Function(_)) {
            let below = Levels::of(&left).max(Levels::of(&function));
            return Value::function(&self.budget, Function::Composed(left, function), below);
        }
        self.apply(&function, vec![left], &Value::Null)
    }

    /// Calls `procedure`; `input` is what a missing argument may be taken from. A call in last place takes its
    /// caller's place on the stack.
    pub(super) fn apply(&self, procedure: &Value, arguments: Vec<Value>, input: &Value) -> Outcome<Value> {
        let mut flow = self.apply_once(procedure, arguments, input)?;
        loop {
            match flow {
                Flow::Value(value) => return Ok(value),
                Flow::Call { procedure, arguments, name, at } => {
                    self.budget.step(1)?;
                    flow = self.apply_once(&procedure, arguments, input).map_err(|error| {
                        let error = error.at(at);
                        match &name {
                            Some(name) => error.name(name),
                            None => error,
                        }
                    })?;
                }
            }
        }
    }

    /// Calls a function that a function was given.
    pub(super) fn call_back(&self, procedure: &Value, arguments: Vec<Value>) -> Outcome<Value> {
        let depth = self.budget.depth();
        self.budget.enter()?;
        let value = self.apply(procedure, arguments, &Value::Null)?;
        self.budget.leave(depth);
        Ok(value)
    }

    fn apply_once(&self, procedure: &Value, arguments: Vec<Value>, input: &Value) -> Outcome<Flow> {
        let Value::Function(function) = procedure else { return Err(Error::plain("T1006")) };
        match &***function {
            Function::Native(native) => {
                let arguments = native.signature.validate(&self.budget, arguments, input)?;
                self.native(native, &arguments, input).map(Flow::Value)
            }
            Function::Lambda { lambda, input: own, env } => {
                let arguments = match &lambda.signature {
                    Some(signature) => signature.validate(&self.budget, arguments, input)?,
                    None => arguments,
                };
                self.body(lambda, arguments, own, env)
            }
            Function::Partial { of, arguments: given } => self.apply_partial(of, given, arguments),
            Function::Composed(first, second) => {
                let middle = self.call_back(first, arguments)?;
                let (procedure, arguments) = (second.clone(), vec![middle]);
                Ok(Flow::Call { procedure, arguments, name: None, at: 0 })
            }
            Function::Regex(pattern) => {
                let Some(Value::Text(text)) = arguments.first() else { return Ok(Flow::Value(Value::Undefined)) };
                self.next_match(pattern, text, 0).map(Flow::Value)
            }
            Function::NextMatch { pattern, text, from } => {
                if *from >= text.len() {
                    return Ok(Flow::Value(Value::Undefined));
                }
                let found = self.next_match(pattern, text, *from)?;
                if let Value::Object(object) = &found
                    && object.get("match").is_some_and(|text| text.as_text().is_some_and(|text| text.is_empty()))
                {
                    return Err(Error::plain("D1004"));
                }
                Ok(Flow::Value(found))
            }
            Function::Transform { transform, env } => {
                let arguments = functions::TRANSFORM.validate(&self.budget, arguments, input)?;
                let subject = arguments.into_iter().next().unwrap_or(Value::Undefined);
                self.transform(transform, &subject, env).map(Flow::Value)
            }
        }
    }

    fn native(&self, native: &'static Native, arguments: &[Value], input: &Value) -> Outcome<Value> {
        self.budget.step(2)?;
        (native.run)(&Given { run: self, values: arguments, input })
    }

    fn body(&self, lambda: &Lambda, arguments: Vec<Value>, input: &Value, env: &Rc<Frame>) -> Outcome<Flow> {
        let mut arguments = arguments.into_iter();
        let names = lambda.parameters.iter().cloned();
        let names = names.map(|name| (name, arguments.next().unwrap_or(Value::Undefined))).collect();
        let frame = Frame::with(Some(Rc::clone(env)), names);
        self.flow(&lambda.body, input, &frame)
    }

    /// Open places are filled in order. As in the reference, nothing checks the signature any more.
    fn apply_partial(&self, of: &Value, given: &[Option<Value>], arguments: Vec<Value>) -> Outcome<Flow> {
        let mut rest = arguments.into_iter();
        let all: Vec<Value> =
            given.iter().map(|value| value.clone().or_else(|| rest.next()).unwrap_or(Value::Undefined)).collect();
        match of {
            Value::Function(function) => match &***function {
                Function::Native(native) => self.native(native, &all, &Value::Undefined).map(Flow::Value),
                Function::Lambda { lambda, input, env } => self.body(lambda, all, input, env),
                Function::Partial { .. }
                | Function::Composed(..)
                | Function::Regex(_)
                | Function::NextMatch { .. }
                | Function::Transform { .. } => self.apply_once(of, all, &Value::Null),
            },
            _ => Err(Error::plain("T1006")),
        }
    }

    /// How many arguments a function looks at.
    pub(super) fn arity(function: &Value) -> usize {
        let Value::Function(function) = function else { return 0 };
        match &***function {
            Function::Native(native) => native.arity,
            Function::Lambda { lambda, .. } => lambda.parameters.len(),
            Function::Partial { arguments, .. } => arguments.iter().filter(|argument| argument.is_none()).count(),
            Function::Composed(..) | Function::Transform { .. } => 1,
            Function::Regex(_) => 2,
            Function::NextMatch { .. } => 0,
        }
    }

    /// The object that a regular expression gives for its first match at or after `from`.
    fn next_match(&self, pattern: &Arc<Pattern>, text: &Text, from: usize) -> Outcome<Value> {
        self.budget.step(pattern.cost(text.len() - from))?;
        let Some(found) = pattern.find(text, from) else { return Ok(Value::Undefined) };
        let mut groups = Builder::new(&self.budget)?;
        for group in &found.groups {
            groups.push(match group {
                Some(range) => Value::text(&self.budget, text[range.clone()].to_owned())?,
                None => Value::Undefined,
            })?;
        }
        let (start, end) = (found.whole.start, found.whole.end);
        // JavaScript does not move on after an empty match either; asking again fails.
        let next = Function::NextMatch { pattern: Arc::clone(pattern), text: text.clone(), from: end };
        let units = |text: &str| Value::count(text.encode_utf16().count());
        let mut object = ObjectBuilder::new(&self.budget)?;
        object.insert("match".into(), Value::text(&self.budget, text[start..end].to_owned())?)?;
        object.insert("start".into(), units(&text[..start]))?;
        object.insert("end".into(), units(&text[..end]))?;
        object.insert("groups".into(), groups.value()?)?;
        object.insert("next".into(), Value::function(&self.budget, next, Levels::default())?)?;
        object.value()
    }

    fn transform(&self, transform: &Transform, subject: &Value, env: &Rc<Frame>) -> Outcome<Value> {
        if subject.is_undefined() {
            return Ok(Value::Undefined);
        }
        let copy = detached(&self.budget, subject)?;
        let matches = match self.eval(&transform.pattern, &copy, env)? {
            Value::Undefined => return Ok(copy),
            value => listed(&self.budget, value)?,
        };
        for found in matches.iter() {
            match self.eval(&transform.update, &found, env)? {
                Value::Undefined => {}
                Value::Object(update) => {
                    for (key, value) in update.iter() {
                        // What is put in is a copy: an object may not come to hold itself.
                        let value = detached(&self.budget, &value)?;
                        if let Value::Object(Object::Made(members)) = &found {
                            members.borrow_mut().insert(key, value);
                        }
                    }
                }
                other => return Err(Error::of_value("T2011", other.shown()).at(transform.update.at)),
            }
            let Some(delete) = &transform.delete else { continue };
            let keys = match self.eval(delete, &found, env)? {
                Value::Undefined => continue,
                value => listed(&self.budget, value)?,
            };
            if keys.iter().any(|key| key.as_text().is_none()) {
                return Err(Error::of_value("T2012", Value::Array(keys).shown()).at(delete.at));
            }
            for key in keys.iter() {
                if let (Value::Object(Object::Made(members)), Some(key)) = (&found, key.as_text()) {
                    members.borrow_mut().shift_remove(&**key);
                }
            }
        }
        Ok(copy)
    }

    // Order.

    fn sort(&self, node: &Node, terms: &[SortTerm], input: Array, env: &Rc<Frame>) -> Outcome<Value> {
        let mut keyed = Vec::with_capacity(input.len());
        for item in input.iter() {
            keyed.push((self.keys(terms, &item, env)?, item));
        }
        let sorted = self.sorted(keyed, |left, right| compare_keys(node, terms, left, right))?;
        let mut items = Builder::new(&self.budget)?;
        sorted.into_iter().try_for_each(|item| items.push(item))?;
        items.sequence()
    }

    fn sort_tuples(&self, node: &Node, terms: &[SortTerm], tuples: Vec<Tuple>, env: &Rc<Frame>) -> Outcome<Vec<Tuple>> {
        let mut keyed = Vec::with_capacity(tuples.len());
        for tuple in tuples {
            keyed.push((self.keys(terms, &tuple.context, &self.frame_of(&tuple, env))?, tuple));
        }
        self.sorted(keyed, |left, right| compare_keys(node, terms, left, right))
    }

    fn keys(&self, terms: &[SortTerm], item: &Value, env: &Rc<Frame>) -> Outcome<Vec<Value>> {
        terms.iter().map(|term| self.eval(&term.key, item, env)).collect()
    }

    /// Stable, and ends with the first error of a comparison.
    fn sorted<T>(
        &self,
        mut keyed: Vec<(Vec<Value>, T)>,
        compare: impl Fn(&[Value], &[Value]) -> Outcome<Ordering>,
    ) -> Outcome<Vec<T>> {
        let mut failure = None;
        keyed.sort_by(|(left, _), (right, _)| {
            if failure.is_some() {
                return Ordering::Equal;
            }
            match self.budget.step(1).and_then(|()| compare(left, right)) {
                Ok(order) => order,
                Err(error) => {
                    failure = Some(error);
                    Ordering::Equal
                }
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
        }
    }

    /// The expression in `text`, over `input`. (`$eval`)
    pub(super) fn evaluate(&self, text: &str, input: &Value) -> Outcome<Value> {
        let quoted = |error: Box<Error>| super::error::quoted(&error.message);
        let node = super::compile(text).map_err(|error| Error::of_value("D3120", quoted(error)))?;
        let env = Frame::with(None, Vec::new());
        let input = self.outer(input.clone())?;
        self.eval(&node, &input, &env).map_err(|error| match error.code {
            Some(_) => Error::of_value("D3121", quoted(error)),
            None => error,
        })
    }
}

/// What several items of one group come to.
enum Gathered {
    One(Value),
    Many(Builder),
}

impl Gathered {
    fn add(&mut self, run: &Run<'_>, value: Value) -> Outcome<()> {
        run.budget.step(1)?;
        if value.is_undefined() {
            return Ok(());
        }
        if let Gathered::One(first) = self {
            if first.is_undefined() {
                *self = Gathered::One(value);
                return Ok(());
            }
            let mut items = Builder::new(&run.budget)?;
            items.extend(first.clone())?;
            *self = Gathered::Many(items);
        }
        match self {
            Gathered::Many(items) => items.extend(value),
            Gathered::One(_) => Ok(()),
        }
    }

    fn value(self) -> Outcome<Value> {
        match self {
            Gathered::One(value) => Ok(value),
            Gathered::Many(items) => items.value(),
        }
    }
}

/// The name that a procedure is called by.
fn called(procedure: &Node) -> Option<&Name> {
    match &procedure.kind {
        Kind::Variable { name, .. } => Some(name),
        Kind::Path(steps) => match &steps[0].kind {
            Kind::Name(name) | Kind::Variable { name, .. } => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// Where a number points to in an array: rounded down, counted from the end when negative.
fn place(number: f64, len: usize) -> Option<usize> {
    let index = number.floor();
    let index = if index < 0.0 { len as f64 + index } else { index };
    (index >= 0.0 && index < len as f64).then_some(index as usize)
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Outcome<Value> {
    let side = |value: &Value, code| match value.numeric()? {
        Some(number) => Ok(Some(number)),
        None if value.is_undefined() => Ok(None),
        None => Err(Error::of_value(code, value.shown())),
    };
    let (a, b) = (side(left, "T2001")?, side(right, "T2002")?);
    let (Some(a), Some(b)) = (a, b) else { return Ok(Value::Undefined) };
    // Whole numbers stay exact, as far as they reach.
    if let (Value::Number(left), Value::Number(right)) = (left, right)
        && let (Some(left), Some(right)) = (left.as_i64(), right.as_i64())
    {
        let exact = match operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            _ => None,
        };
        if let Some(exact) = exact {
            return Ok(Value::Number(exact.into()));
        }
    }
    Ok(Value::number(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => a % b,
    }))
}

fn compare_keys(node: &Node, terms: &[SortTerm], left: &[Value], right: &[Value]) -> Outcome<Ordering> {
    for ((term, left), right) in terms.iter().zip(left).zip(right) {
        let order = match (left, right) {
            (Value::Undefined, Value::Undefined) => Ordering::Equal,
            // What has no value comes last, whatever the direction.
            (Value::Undefined, _) => return Ok(Ordering::Greater),
            (_, Value::Undefined) => return Ok(Ordering::Less),
            (Value::Text(left), Value::Text(right)) => compare_texts(left, right),
            (left, right) => match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
                (a, b) => {
                    let sortable = |value: &Value, number: Option<f64>| number.is_some() || value.as_text().is_some();
                    if sortable(left, a) && sortable(right, b) {
                        let (value, value2) = (Some(left.shown()), Some(right.shown()));
                        let details = Details { value, value2, ..Details::default() };
                        return Err(Error::with("T2007", details).at(node.at));
                    }
                    return Err(Error::plain("T2008").at(node.at));
                }
            },
        };
        match if term.descending { order.reverse() } else { order } {
            Ordering::Equal => {}
            decided => return Ok(decided),
        }
    }
    Ok(Ordering::Equal)
}
