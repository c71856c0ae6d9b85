//! Amazon Resource Names of Step Functions (`reference: Step Functions API, resource types`).

use std::fmt;

use crate::id::Caller;

/// An ARN taken apart: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. `resource` keeps its colons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        let (partition, service) = (parts.next()?, parts.next()?);
        let (region, account) = (parts.next()?, parts.next()?);
        Some(Arn { partition, service, region, account, resource: parts.next()? })
    }

    /// The resource's first word and the rest: `stateMachine` and `NAME` or `NAME:VERSION`.
    pub fn resource_parts(&self) -> (&'a str, &'a str) {
        self.resource.split_once(':').unwrap_or((self.resource, ""))
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`
pub fn state_machine(caller: &Caller, name: &str) -> String {
    format!("arn:aws:states:{}:{}:stateMachine:{name}", caller.region, caller.account)
}

/// `arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME`
pub fn execution(caller: &Caller, machine: &str, name: &str) -> String {
    format!("arn:aws:states:{}:{}:execution:{machine}:{name}", caller.region, caller.account)
}

/// `arn:aws:states:REGION:ACCOUNT:activity:NAME`
pub fn activity(caller: &Caller, name: &str) -> String {
    format!("arn:aws:states:{}:{}:activity:{name}", caller.region, caller.account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_apart_and_puts_together() {
        let text = "arn:aws:states:us-east-1:111111111111:execution:net:night-1";
        let arn = Arn::parse(text).expect("an ARN");
        assert_eq!((arn.account, arn.resource_parts()), ("111111111111", ("execution", "net:night-1")));
        assert_eq!(arn.to_string(), text);
        assert_eq!(Arn::parse("not_a_valid_arn"), None);
    }
}
