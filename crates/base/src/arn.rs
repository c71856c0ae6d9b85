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

/// `arn:aws:states:REGION:ACCOUNT:express:MACHINE:NAME:UUID`
pub fn express(caller: &Caller, machine: &str, name: &str, uuid: &str) -> String {
    format!("arn:aws:states:{}:{}:express:{machine}:{name}:{uuid}", caller.region, caller.account)
}

/// `arn:aws:states:REGION:ACCOUNT:activity:NAME`
pub fn activity(caller: &Caller, name: &str) -> String {
    format!("arn:aws:states:{}:{}:activity:{name}", caller.region, caller.account)
}

/// `arn:aws:states:REGION:ACCOUNT:express:MACHINE:NAME:UUID`; of a child of a Map run, whose name is a UUID already.
pub fn express_child(caller: &Caller, machine: &str, name: &str) -> String {
    format!("arn:aws:states:{}:{}:express:{machine}:{name}:{name}", caller.region, caller.account)
}

/// `arn:aws:states:REGION:ACCOUNT:mapRun:MACHINE/LABEL:UUID`
pub fn map_run(caller: &Caller, machine: &str, label: &str, uuid: &str) -> String {
    format!("arn:aws:states:{}:{}:mapRun:{machine}/{label}:{uuid}", caller.region, caller.account)
}

/// `arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`; a name that begins with a slash brings that slash.
pub fn parameter(caller: &Caller, name: &str) -> String {
    let name = name.strip_prefix('/').unwrap_or(name);
    format!("arn:aws:ssm:{}:{}:parameter/{name}", caller.region, caller.account)
}

/// `arn:aws:ssm:REGION:ACCOUNT:document/NAME`
pub fn document(caller: &Caller, name: &str) -> String {
    format!("arn:aws:ssm:{}:{}:document/{name}", caller.region, caller.account)
}

/// What the ARN of an Express execution tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressArn<'a> {
    pub machine: &'a str,
    pub name: &'a str,
}

impl<'a> ExpressArn<'a> {
    pub fn parse(arn: &'a str) -> Option<ExpressArn<'a>> {
        let ("express", rest) = Arn::parse(arn)?.resource_parts() else { return None };
        let (machine, rest) = rest.split_once(':')?;
        let (name, _uuid) = rest.split_once(':')?;
        Some(ExpressArn { machine, name })
    }
}

/// What a Map run's ARN tells: the machine with the Map's label, and the run's own UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRunArn<'a> {
    /// `MACHINE/LABEL`: the name of the state machine that its children run.
    pub labelled: &'a str,
    pub uuid: &'a str,
}

impl<'a> MapRunArn<'a> {
    pub fn parse(arn: &'a str) -> Option<MapRunArn<'a>> {
        let ("mapRun", rest) = Arn::parse(arn)?.resource_parts() else { return None };
        let (labelled, uuid) = rest.split_once(':')?;
        labelled.contains('/').then_some(MapRunArn { labelled, uuid })
    }

    pub fn label(&self) -> &'a str {
        self.labelled.split_once('/').map_or("", |(_, label)| label)
    }
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
        let run = map_run(&Caller::new("111111111111", "us-east-1"), "net", "each", "u");
        assert_eq!(run, "arn:aws:states:us-east-1:111111111111:mapRun:net/each:u");
        assert_eq!(
            MapRunArn::parse(&run).map(|run| (run.labelled, run.label(), run.uuid)),
            Some(("net/each", "each", "u"))
        );
        assert_eq!(MapRunArn::parse(text), None);
        let arn = express(&Caller::new("111111111111", "us-east-1"), "net", "night-1", "u");
        assert_eq!(ExpressArn::parse(&arn), Some(ExpressArn { machine: "net", name: "night-1" }));
        assert_eq!(ExpressArn::parse(text), None);
    }
}
