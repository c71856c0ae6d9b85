//! Managed instances.

use runtime::Page;
use runtime::commands::Instance;

use super::page;
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let filters = decode_filters(&mut call.input)?;
    let Page { limit, mut token } = page(&mut call.input);
    let mut instances = Vec::new();
    loop {
        let left = limit.saturating_sub(instances.len() as u32);
        let found = call.runtime.instance_list(call.caller, Page { limit: left, token }).await?;
        instances.extend(found.items.into_iter().filter(|instance| filters.iter().all(|filter| filter.has(instance))));
        token = found.next;
        if token.is_none() || instances.len() as u32 >= limit {
            break;
        }
    }
    call.out.list("InstanceInformationList", &instances, encode);
    call.out.text_if("NextToken", token.as_deref());
    Ok(())
}

const RESOURCE_TYPE: &str = "ManagedInstance";

/// One of `values` is the instance's.
#[derive(Debug)]
struct Filter {
    of: fn(&Instance) -> &str,
    values: Vec<String>,
}

impl Filter {
    fn has(&self, instance: &Instance) -> bool {
        self.values.iter().any(|value| value == (self.of)(instance))
    }
}

fn decode_filters(input: &mut Input<'_>) -> Result<Vec<Filter>, Error> {
    let old = input
        .inputs("InstanceInformationFilterList")
        .into_iter()
        .map(|mut filter| (filter.required("key"), filter.texts("valueSet")));
    let old: Vec<_> = old.collect();
    let new = input.inputs("Filters").into_iter().map(|mut filter| (filter.required("Key"), filter.texts("Values")));
    let filters = old
        .into_iter()
        .chain(new)
        .map(|(key, values)| Ok(Filter { of: member(&key)?, values: values.unwrap_or_default() }));
    filters.collect()
}

fn member(key: &str) -> Result<fn(&Instance) -> &str, Error> {
    Ok(match key {
        "InstanceIds" => |instance| &instance.instance_id,
        "AgentVersion" => |instance| &instance.agent_version,
        "PingStatus" => |instance| instance.ping.name(),
        "PlatformTypes" => |instance| &instance.platform_type,
        "ResourceType" => |_| RESOURCE_TYPE,
        key => return Err(Error::new("InvalidFilterKey", format!("The filter key {key} is not available"))),
    })
}

fn encode(out: &mut Writer, instance: &Instance) {
    out.text("InstanceId", &instance.instance_id);
    out.text("PingStatus", instance.ping.name());
    out.time("LastPingDateTime", instance.last_ping);
    out.text("AgentVersion", &instance.agent_version);
    out.boolean("IsLatestVersion", true);
    out.text("PlatformType", &instance.platform_type);
    out.text("PlatformName", &instance.platform_name);
    out.text("PlatformVersion", &instance.platform_version);
    out.time("RegistrationDate", instance.registered);
    out.text("ResourceType", RESOURCE_TYPE);
    out.text("Name", &instance.name);
    out.text_if("IPAddress", Some(&*instance.ip_address).filter(|address| !address.is_empty()));
    out.text("ComputerName", &instance.computer_name);
    out.text("SourceId", &instance.instance_id);
    out.text("SourceType", "AWS::SSM::ManagedInstance");
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::expect;
    use runtime::commands::Ping;

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
        }
    }

    #[test]
    fn an_instance_is_shown() {
        expect![[r#"{"InstanceId":"mi-0123456789abcdef0","PingStatus":"Online","LastPingDateTime":1551225272.000,"AgentVersion":"0.1.0","IsLatestVersion":true,"PlatformType":"Linux","PlatformName":"Debian GNU/Linux","PlatformVersion":"13","RegistrationDate":1551225271.984,"ResourceType":"ManagedInstance","Name":"web-1","IPAddress":"192.0.2.1","ComputerName":"web-1.example.com","SourceId":"mi-0123456789abcdef0","SourceType":"AWS::SSM::ManagedInstance"}"#]].assert_eq(&text(|out| encode(out, &instance())));
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
        assert_eq!(
            found(r#"{"Filters":[{"Key":"tag:Role","Values":["web"]}]}"#),
            "400 InvalidFilterKey: The filter key tag:Role is not available"
        );
    }
}
