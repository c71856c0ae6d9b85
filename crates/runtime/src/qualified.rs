//! The ARN of a state machine, and what may follow its name there: a version's number, an alias's name, a Map's label.

use std::sync::Arc;

use base::Caller;

use crate::machines::{owned, states_arn, wrong_resource};
use crate::refusal::{Refusal, ValidationReason};

/// A state machine of the caller's, and which part of it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MachineArn {
    /// Of the machine itself.
    pub(crate) machine: Arc<str>,
    pub(crate) part: Part,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Version(u64),
    Alias(Arc<str>),
    /// A Map in distributed mode.
    Label(Arc<str>),
}

impl MachineArn {
    /// Another account's or region's machine does not exist for the caller.
    pub(crate) fn parse(caller: &Caller, text: &str) -> Result<MachineArn, Refusal> {
        let arn = states_arn(text)?;
        let rest = match arn.resource_parts() {
            ("stateMachine", rest) if !rest.is_empty() => rest,
            (other, _) => return Err(wrong_resource(other)),
        };
        if !owned(caller, &arn) {
            return Err(Refusal::StateMachineDoesNotExist(text.to_owned()));
        }
        let machine = |name: &str| Arc::from(&text[..text.len() - rest.len() + name.len()]);
        Ok(match (rest.split_once('/'), rest.split_once(':')) {
            (Some((name, label)), _) => MachineArn { machine: machine(name), part: Part::Label(label.into()) },
            (None, Some((name, qualifier))) => MachineArn { machine: machine(name), part: part(qualifier) },
            (None, None) => MachineArn { machine: text.into(), part: Part::Whole },
        })
    }

    /// The machine itself: for what versions and aliases do not have, they do not exist.
    pub(crate) fn whole(self) -> Result<Arc<str>, Refusal> {
        match self.part {
            Part::Whole => Ok(self.machine),
            Part::Version(_) | Part::Alias(_) => Err(self.missing()),
            Part::Label(_) => Err(labelled()),
        }
    }

    /// As it was written.
    pub(crate) fn text(&self) -> String {
        match &self.part {
            Part::Whole => self.machine.to_string(),
            Part::Version(number) => version_arn(&self.machine, *number),
            Part::Alias(name) => alias_arn(&self.machine, name),
            Part::Label(label) => format!("{}/{label}", self.machine),
        }
    }

    pub(crate) fn missing(&self) -> Refusal {
        Refusal::StateMachineDoesNotExist(self.text())
    }
}

/// A number is a version, whether it exists or not: an alias's name is never a number.
fn part(qualifier: &str) -> Part {
    match qualifier.parse::<u64>() {
        Ok(number) if number.to_string() == qualifier => Part::Version(number),
        _ => Part::Alias(qualifier.into()),
    }
}

pub(crate) fn version_arn(machine: &str, number: u64) -> String {
    format!("{machine}:{number}")
}

pub(crate) fn alias_arn(machine: &str, name: &str) -> String {
    format!("{machine}:{name}")
}

pub(crate) fn labelled() -> Refusal {
    Refusal::ValidationFor {
        reason: ValidationReason::LabelledArn,
        why: "This operation does not support labeled state machine ARNs.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(resource: &str, expect: Expect) {
        let caller = Caller::new("111111111111", "us-east-1");
        let told = match MachineArn::parse(&caller, &format!("arn:aws:states:us-east-1:{resource}")) {
            Ok(arn) => {
                assert_eq!(arn.text(), format!("arn:aws:states:us-east-1:{resource}"));
                format!("{} {:?}", arn.machine.rsplit(':').next().unwrap_or_default(), arn.part)
            }
            Err(refusal) => refusal.to_string(),
        };
        expect.assert_eq(&told);
    }

    #[test]
    fn what_follows_a_machines_name_says_which_part_is_meant() {
        check("111111111111:stateMachine:net", expect!["net Whole"]);
        check("111111111111:stateMachine:net:7", expect!["net Version(7)"]);
        check("111111111111:stateMachine:net:PROD", expect![[r#"net Alias("PROD")"#]]);
        check("111111111111:stateMachine:net:07", expect![[r#"net Alias("07")"#]]);
        check("111111111111:stateMachine:net:99999999999999999999", expect![[r#"net Alias("99999999999999999999")"#]]);
        check("111111111111:stateMachine:net:", expect![[r#"net Alias("")"#]]);
        check("111111111111:stateMachine:net/each", expect![[r#"net Label("each")"#]]);
        check("111111111111:stateMachine:夜間:1", expect!["夜間 Version(1)"]);
        check(
            "111111111111:execution:net:1",
            expect!["invalid ARN: Resource type not valid in this context: execution"],
        );
        check(
            "111111111111:stateMachine:",
            expect!["invalid ARN: Resource type not valid in this context: stateMachine"],
        );
        check(
            "222222222222:stateMachine:net",
            expect!["state machine arn:aws:states:us-east-1:222222222222:stateMachine:net does not exist"],
        );
    }
}
