//! What an expression refers to, found once; and the short way to `$states.input` and its like.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::syntax::{Kind, Member, Name, Node, Stage};

/// What an expression refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Variables, without their `$`, without `states`, functions and what the expression binds itself.
    pub variables: BTreeSet<Arc<str>>,
    /// Members of `$states`: `input`, `result`, `errorOutput`, `context`, or what is none of them.
    pub states: BTreeSet<Arc<str>>,
    /// What it looks for where nothing is: field names and `$` outside any path or predicate; `$$` anywhere.
    pub top_level: BTreeSet<Arc<str>>,
}

/// Looks through the tree, and has it read members of `$states` where they are.
pub(super) fn find(mut tree: Node) -> (Node, References) {
    let mut finder = Finder { found: References::default(), bound: Vec::new() };
    finder.node(&mut tree, true);
    (tree, finder.found)
}

struct Finder {
    found: References,
    /// Names that are bound around the place, innermost last.
    bound: Vec<Name>,
}

impl Finder {
    /// `top`: whether the context is still what the expression begins with.
    fn node(&mut self, node: &mut Node, top: bool) {
        let outside = self.bound.len();
        match &mut node.kind {
            Kind::Path(steps) => {
                self.shorten(steps);
                for (index, step) in steps.iter_mut().enumerate() {
                    self.node(step, top && index == 0);
                    self.bound.extend(step.focus.clone());
                    self.bound.extend(step.index.clone());
                    for stage in &step.stages {
                        if let Stage::Index(name) = stage {
                            self.bound.push(name.clone());
                        }
                    }
                }
            }
            Kind::Name(name) if top => self.nowhere(name),
            Kind::Variable { name, native } => match &**name {
                "" if top => self.nowhere("$"),
                "" => {}
                "$" => self.nowhere("$$"),
                "states" => {}
                bound if self.bound.iter().any(|name| **name == *bound) => {}
                _ if native.is_some() => {}
                _ => {
                    self.found.variables.insert(name.clone());
                }
            },
            Kind::Member(member) => {
                self.found.states.insert(member.name().into());
            }
            Kind::Bind(name, value) => {
                // A function may call itself by the name that it is about to get.
                self.bound.push(name.clone());
                self.node(value, top);
                return;
            }
            Kind::Lambda(lambda) => {
                self.bound.extend(lambda.parameters.iter().cloned());
                self.children(node, top);
                self.bound.truncate(outside);
                return;
            }
            Kind::Transform(_) | Kind::Sort(_) => return self.children(node, false),
            Kind::Block(_) => {
                self.children(node, top);
                self.bound.truncate(outside);
                return;
            }
            _ => return self.children(node, top),
        }
        self.hangers(node);
        self.bound.truncate(outside);
    }

    fn nowhere(&mut self, name: &str) {
        self.found.top_level.insert(name.into());
    }

    /// What a node is made of sees what it sees; what hangs on it sees its value.
    fn children(&mut self, node: &mut Node, top: bool) {
        let predicates = std::mem::take(&mut node.predicates);
        let stages = std::mem::take(&mut node.stages);
        let group = node.group.take();
        node.children_mut(&mut |child| self.node(child, top));
        (node.predicates, node.stages, node.group) = (predicates, stages, group);
        self.hangers(node);
    }

    fn hangers(&mut self, node: &mut Node) {
        node.predicates.iter_mut().for_each(|predicate| self.node(predicate, false));
        for stage in &mut node.stages {
            if let Stage::Filter(filter) = stage {
                self.node(filter, false);
            }
        }
        for (key, value) in node.group.iter_mut().flat_map(|group| &mut group.pairs) {
            self.node(key, false);
            self.node(value, false);
        }
    }

    /// `$states.input` becomes one step.
    fn shorten(&mut self, steps: &mut Vec<Node>) {
        let [first, second, ..] = &mut steps[..] else { return };
        let is_states = matches!(&first.kind, Kind::Variable { name, .. } if **name == *"states");
        if !is_states || !first.is_bare() || self.bound.iter().any(|name| **name == *"states") {
            return;
        }
        let Kind::Name(name) = &second.kind else { return };
        match Member::ALL.into_iter().find(|member| member.name() == &**name) {
            Some(member) if second.ancestor.is_none() && !second.tuple && !second.cons_array => {
                second.kind = Kind::Member(member);
                steps.remove(0);
            }
            Some(member) => {
                self.found.states.insert(member.name().into());
            }
            None => {
                self.found.states.insert(name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::jsonata::Expression;

    fn refers(text: &str, expected: Expect) {
        let expression = Expression::parse(text).expect("an expression");
        let References { variables, states, top_level } = expression.references();
        expected.assert_eq(&format!("variables {variables:?} states {states:?} top level {top_level:?}"));
    }

    #[test]
    fn what_an_expression_refers_to() {
        refers(
            "$states.input.result + $x.y[z = $w] & phone",
            expect![[r#"variables {"w", "x"} states {"input"} top level {"phone"}"#]],
        );
        refers("$states.result.{'a': b, 'c': $.d}", expect![[r#"variables {} states {"result"} top level {}"#]]);
        refers(
            "($a := $b; $map($c, function($v) { $v.n + m }))",
            expect![[r#"variables {"b", "c"} states {} top level {"m"}"#]],
        );
        refers("$sum(price)", expect![[r#"variables {} states {} top level {"price"}"#]]);
        refers("$", expect![[r#"variables {} states {} top level {"$"}"#]]);
        refers("$$.a", expect![[r#"variables {} states {} top level {"$$"}"#]]);
        refers("$states.input.items[$.n > 1]", expect![[r#"variables {} states {"input"} top level {}"#]]);
        refers("$count($states.result[$ = 1])", expect![[r#"variables {} states {"result"} top level {}"#]]);
        refers("$states.input^(>price).name", expect![[r#"variables {} states {"input"} top level {}"#]]);
        refers("$states.input{a: b}", expect![[r#"variables {} states {"input"} top level {}"#]]);
        refers("{'a': b}", expect![[r#"variables {} states {} top level {"b"}"#]]);
        refers("$states.input ~> $f", expect![[r#"variables {"f"} states {"input"} top level {}"#]]);
        refers("$states", expect!["variables {} states {} top level {}"]);
    }
}
