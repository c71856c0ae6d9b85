//! Managed instances: who there is, and who is one no longer.

use std::cmp::Ordering;

use runtime::Page;
use runtime::instances::{Instance, Ping};

use super::page;
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

const RESOURCE_TYPE: &str = "ManagedInstance";

/// Agents come with the server: the server's version is the latest that it knows.
const VERSION_LATEST: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let filters = decode_filters(&mut call.input)?;
    let (instances, token) = find(&mut call, &filters).await?;
    call.out.list("InstanceInformationList", &instances, encode);
    call.out.text_if("NextToken", token.as_deref());
    Ok(())
}

pub(super) async fn properties(mut call: Call<'_>) -> Result<(), Fault> {
    let filters = decode_property_filters(&mut call.input)?;
    let (instances, token) = find(&mut call, &filters).await?;
    call.out.list("InstanceProperties", &instances, encode_properties);
    call.out.text_if("NextToken", token.as_deref());
    Ok(())
}

pub(super) async fn connection(mut call: Call<'_>) -> Result<(), Fault> {
    let target = call.input.required("Target");
    let status = if call.runtime.instance_is_connected(call.caller, &target) { "connected" } else { "notconnected" };
    call.out.text("Target", &target);
    call.out.text("Status", status);
    Ok(())
}

pub(super) async fn deregister(mut call: Call<'_>) -> Result<(), Fault> {
    let instance_id = call.input.required("InstanceId");
    Ok(call.runtime.instance_deregister(call.caller, &instance_id).await?)
}

pub(super) async fn change_role(mut call: Call<'_>) -> Result<(), Fault> {
    let (instance_id, iam_role) = (call.input.required("InstanceId"), call.input.required("IamRole"));
    Ok(call.runtime.instance_change_role(call.caller, &instance_id, iam_role).await?)
}

/// A page of those that all filters let through.
async fn find(call: &mut Call<'_>, filters: &[Filter]) -> Result<(Vec<Instance>, Option<String>), Fault> {
    let Page { limit, mut token } = page(&mut call.input);
    let mut instances = Vec::new();
    loop {
        let left = limit.saturating_sub(instances.len() as u32);
        let found = call.runtime.instance_list(call.caller, Page { limit: left, token }).await?;
        instances.extend(found.items.into_iter().filter(|instance| filters.iter().all(|filter| filter.has(instance))));
        token = found.next;
        if token.is_none() || instances.len() as u32 >= limit {
            return Ok((instances, token));
        }
    }
}

/// What the instance has by this key compares so with one of the values.
#[derive(Debug)]
struct Filter {
    key: Key,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug)]
enum Key {
    Of(fn(&Instance) -> Option<&str>),
    /// The tag with this key.
    Tag(String),
    /// Tags, by their keys.
    AnyTag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    BeginWith,
    LessThan,
    GreaterThan,
}

impl Filter {
    fn has(&self, instance: &Instance) -> bool {
        let found: Vec<&str> = match &self.key {
            Key::Of(member) => member(instance).into_iter().collect(),
            Key::Tag(wanted) => {
                instance.tags.iter().filter(|(key, _)| key == wanted).map(|(_, value)| value.as_str()).collect()
            }
            Key::AnyTag => instance.tags.iter().map(|(key, _)| key.as_str()).collect(),
        };
        match self.operator {
            Operator::NotEqual => !found.iter().any(|found| self.values.iter().any(|value| value == found)),
            operator => found.iter().any(|found| self.values.iter().any(|value| operator.holds(found, value))),
        }
    }
}

impl Operator {
    fn holds(self, found: &str, value: &str) -> bool {
        match self {
            Operator::Equal => found == value,
            Operator::NotEqual => found != value,
            Operator::BeginWith => found.starts_with(value),
            Operator::LessThan => compare(found, value) == Ordering::Less,
            Operator::GreaterThan => compare(found, value) == Ordering::Greater,
        }
    }

    fn parse(text: Option<&str>) -> Operator {
        match text {
            Some("NotEqual") => Operator::NotEqual,
            Some("BeginWith") => Operator::BeginWith,
            Some("LessThan") => Operator::LessThan,
            Some("GreaterThan") => Operator::GreaterThan,
            // The request fits its shape: there is no other.
            _ => Operator::Equal,
        }
    }
}

/// Versions by their numbers, everything else as texts.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    match (numbers(one), numbers(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one.cmp(other),
    }
}

fn decode_filters(input: &mut Input<'_>) -> Result<Vec<Filter>, Error> {
    let old = input.inputs("InstanceInformationFilterList");
    let new = input.inputs("Filters");
    let old = old.into_iter().map(|mut filter| (filter.required("key"), filter.texts("valueSet")));
    let new = new.into_iter().map(|mut filter| (filter.required("Key"), filter.texts("Values")));
    let filters = old.chain(new).map(|(key, values)| {
        filter(&key, Operator::Equal, values.unwrap_or_default(), "InvalidInstanceInformationFilterValue")
    });
    filters.collect()
}

fn decode_property_filters(input: &mut Input<'_>) -> Result<Vec<Filter>, Error> {
    let old = input.inputs("InstancePropertyFilterList").into_iter();
    let old = old.map(|mut filter| (filter.required("key"), filter.texts("valueSet"), Operator::Equal));
    let new = input.inputs("FiltersWithOperator").into_iter().map(|mut filter| {
        (filter.required("Key"), filter.texts("Values"), Operator::parse(filter.text("Operator").as_deref()))
    });
    let filters = old.chain(new.collect::<Vec<_>>()).map(|(key, values, operator)| {
        filter(&key, operator, values.unwrap_or_default(), "InvalidInstancePropertyFilterValue")
    });
    filters.collect()
}

fn filter(key: &str, operator: Operator, values: Vec<String>, invalid: &'static str) -> Result<Filter, Error> {
    const PINGS: [&str; 3] = [Ping::Online.name(), Ping::ConnectionLost.name(), Ping::Inactive.name()];
    let allowed: &[&str] = match key {
        "PingStatus" => &PINGS,
        "PlatformTypes" => &["Windows", "Linux", "MacOS"],
        "ResourceType" => &["ManagedInstance", "EC2Instance"],
        _ => &[],
    };
    if !allowed.is_empty()
        && let Some(value) = values.iter().find(|value| !allowed.contains(&value.as_str()))
    {
        return Err(Error::new(invalid, format!("The filter value {value} is not valid for {key}")));
    }
    Ok(Filter { key: member(key)?, operator, values })
}

fn member(key: &str) -> Result<Key, Error> {
    Ok(Key::Of(match key {
        "InstanceIds" => |instance| Some(&instance.instance_id),
        "AgentVersion" => |instance| Some(&instance.agent_version),
        "PingStatus" => |instance| Some(instance.ping.name()),
        "PlatformTypes" => |instance| Some(&instance.platform_type),
        "ResourceType" => |_| Some(RESOURCE_TYPE),
        "ActivationIds" => |instance| instance.activation_id.as_deref(),
        "IamRole" => |instance| instance.iam_role.as_deref(),
        // There are no associations.
        "AssociationStatus" => |_| None,
        "tag-key" => return Ok(Key::AnyTag),
        key => match key.strip_prefix("tag:") {
            Some(tag) => return Ok(Key::Tag(tag.to_owned())),
            None => return Err(Error::new("InvalidFilterKey", format!("The filter key {key} is not available"))),
        },
    }))
}

fn encode(out: &mut Writer, instance: &Instance) {
    out.text("InstanceId", &instance.instance_id);
    encode_agent(out, instance);
    out.boolean("IsLatestVersion", instance.agent_version == VERSION_LATEST);
    encode_host(out, instance);
    out.text("Name", &instance.name);
}

fn encode_properties(out: &mut Writer, instance: &Instance) {
    out.text("Name", &instance.name);
    out.text("InstanceId", &instance.instance_id);
    encode_agent(out, instance);
    encode_host(out, instance);
}

fn encode_agent(out: &mut Writer, instance: &Instance) {
    out.text("PingStatus", instance.ping.name());
    out.time("LastPingDateTime", instance.last_ping);
    out.text("AgentVersion", &instance.agent_version);
}

fn encode_host(out: &mut Writer, instance: &Instance) {
    out.text("PlatformType", &instance.platform_type);
    out.text("PlatformName", &instance.platform_name);
    out.text("PlatformVersion", &instance.platform_version);
    out.text_if("ActivationId", instance.activation_id.as_deref());
    out.text_if("IamRole", instance.iam_role.as_deref());
    out.time("RegistrationDate", instance.registered);
    out.text("ResourceType", RESOURCE_TYPE);
    out.text_if("IPAddress", Some(&*instance.ip_address).filter(|address| !address.is_empty()));
    out.text("ComputerName", &instance.computer_name);
    out.text("SourceId", &instance.instance_id);
    out.text("SourceType", "AWS::SSM::ManagedInstance");
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::expect;

    use super::*;
    use crate::ssm::SERVICE;
    use crate::tests::{input, text, told};

    fn instance() -> Instance {
        Instance {
            instance_id: "mi-0123456789abcdef0".into(),
            name: "web-1".into(),
            computer_name: "web-1.example.com".into(),
            agent_version: "0.1.0".into(),
            platform_type: "Linux".into(),
            platform_name: "Debian GNU/Linux".into(),
            platform_version: "13".into(),
            ip_address: "192.0.2.1".into(),
            registered: Timestamp(1_551_225_271_984),
            last_ping: Timestamp(1_551_225_272_000),
            ping: Ping::Online,
            activation_id: Some("0d3a0b3e-0000-4000-8000-000000000001".into()),
            iam_role: Some("service-role".into()),
            tags: vec![("Role".into(), "web".into())],
            suspended: false,
        }
    }

    #[test]
    fn an_instance_is_shown() {
        expect![[r#"{"InstanceId":"mi-0123456789abcdef0","PingStatus":"Online","LastPingDateTime":1551225272.000,"AgentVersion":"0.1.0","IsLatestVersion":true,"PlatformType":"Linux","PlatformName":"Debian GNU/Linux","PlatformVersion":"13","ActivationId":"0d3a0b3e-0000-4000-8000-000000000001","IamRole":"service-role","RegistrationDate":1551225271.984,"ResourceType":"ManagedInstance","IPAddress":"192.0.2.1","ComputerName":"web-1.example.com","SourceId":"mi-0123456789abcdef0","SourceType":"AWS::SSM::ManagedInstance","Name":"web-1"}"#]].assert_eq(&text(|out| encode(out, &instance())));
        expect![[r#"{"Name":"web-1","InstanceId":"mi-0123456789abcdef0","PingStatus":"Online","LastPingDateTime":1551225272.000,"AgentVersion":"0.1.0","PlatformType":"Linux","PlatformName":"Debian GNU/Linux","PlatformVersion":"13","ActivationId":"0d3a0b3e-0000-4000-8000-000000000001","IamRole":"service-role","RegistrationDate":1551225271.984,"ResourceType":"ManagedInstance","IPAddress":"192.0.2.1","ComputerName":"web-1.example.com","SourceId":"mi-0123456789abcdef0","SourceType":"AWS::SSM::ManagedInstance"}"#]].assert_eq(&text(|out| encode_properties(out, &instance())));
    }

    #[test]
    fn instances_are_found_by_what_they_are() {
        let found = |body: &str| {
            let operation = SERVICE.operation("DescribeInstanceInformation").expect("an operation");
            let filters = input(operation, body).and_then(|mut input| decode_filters(&mut input));
            filters.map_or_else(told, |filters| filters.iter().all(|filter| filter.has(&instance())).to_string())
        };
        assert_eq!(found("{}"), "true");
        assert_eq!(
            found(
                r#"{"Filters":[{"Key":"InstanceIds","Values":["mi-0","mi-0123456789abcdef0"]},{"Key":"PingStatus","Values":["Online"]}]}"#
            ),
            "true"
        );
        assert_eq!(
            found(r#"{"InstanceInformationFilterList":[{"key":"PingStatus","valueSet":["Inactive"]}]}"#),
            "false"
        );
        let by = |key: &str, value: &str| found(&format!(r#"{{"Filters":[{{"Key":"{key}","Values":["{value}"]}}]}}"#));
        for (key, value) in
            [("tag:Role", "web"), ("tag-key", "Role"), ("IamRole", "service-role"), ("ResourceType", "ManagedInstance")]
        {
            assert_eq!(by(key, value), "true", "{key}");
        }
        for (key, value) in
            [("tag:Role", "db"), ("tag:role", "web"), ("tag-key", "web"), ("AssociationStatus", "Success")]
        {
            assert_eq!(by(key, value), "false", "{key}");
        }
        assert_eq!(by("Colour", "red"), "400 InvalidFilterKey: The filter key Colour is not available");
        assert_eq!(
            by("PingStatus", "Tired"),
            "400 InvalidInstanceInformationFilterValue: The filter value Tired is not valid for PingStatus"
        );
    }

    #[test]
    fn properties_are_compared() {
        let found = |key: &str, operator: &str, value: &str| {
            let operation = SERVICE.operation("DescribeInstanceProperties").expect("an operation");
            let body = format!(
                r#"{{"FiltersWithOperator":[{{"Key":"{key}","Values":["{value}"],"Operator":"{operator}"}}]}}"#
            );
            let filters = input(operation, &body).and_then(|mut input| decode_property_filters(&mut input));
            filters.map_or_else(told, |filters| filters.iter().all(|filter| filter.has(&instance())).to_string())
        };
        for (key, operator, value, expected) in [
            ("AgentVersion", "LessThan", "0.10.0", "true"),
            ("AgentVersion", "GreaterThan", "0.10.0", "false"),
            ("AgentVersion", "GreaterThan", "0.0.9", "true"),
            ("InstanceIds", "BeginWith", "mi-0123", "true"),
            ("tag:Role", "NotEqual", "db", "true"),
            ("tag:Role", "NotEqual", "web", "false"),
            ("PlatformTypes", "Equal", "Linux", "true"),
        ] {
            assert_eq!(found(key, operator, value), expected, "{key} {operator} {value}");
        }
    }
}
