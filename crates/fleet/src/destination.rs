//! Where outputs go besides our own keeping, by the names that AWS gives them (User Guide, "Run Command command output
//! and Amazon S3", "Configuring Amazon CloudWatch Logs for Run Command").

use document::{Plan, Step};

use crate::message::{InstanceId, Send};

pub use document::Stream;

/// The object of one stream of one step: `PREFIX/COMMAND/INSTANCE/awsrunShellScript/STEP/stdout`.
pub fn object_key(send: &Send, instance: &InstanceId, step: usize, stream: Stream) -> String {
    let names = names(&send.plan, step);
    let prefix = send.destinations.key_prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    format!("{prefix}{}/{instance}/{}/{}/{}", send.command, names.plugin, names.step, stream_name(stream))
}

/// `StandardOutputUrl` and `StandardErrorUrl`: empty where no bucket was asked for.
pub fn object_url(send: &Send, region: &str, instance: &InstanceId, step: usize, stream: Stream) -> String {
    let bucket = &send.destinations.bucket;
    if bucket.is_empty() {
        return String::new();
    }
    let region = if send.destinations.region.is_empty() { region } else { &send.destinations.region };
    format!("https://s3.{region}.amazonaws.com/{bucket}/{}", object_key(send, instance, step, stream))
}

/// The log stream of one stream of one step: `COMMAND/INSTANCE/aws-runShellScript/stdout`.
pub fn log_stream(send: &Send, instance: &InstanceId, step: usize, stream: Stream) -> String {
    let name = send.plan.steps.get(step).map_or("", |step| &step.name);
    // A stream's name has neither of these.
    let name = name.replace([':', '*'], "-");
    let again = match occurrence(&send.plan, step) {
        0 => String::new(),
        again => format!(".{again}"),
    };
    format!("{}/{instance}/{name}{again}/{}", send.command, stream_name(stream))
}

/// The group that logs go to where they are wanted and none was named.
pub fn log_group_default(document_name: &str) -> String {
    format!("/aws/ssm/{document_name}")
}

fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

struct Names {
    /// The action without its colon.
    plugin: String,
    /// The step's own name; where it has none, its number among those of the same plugin.
    step: String,
}

fn names(plan: &Plan, step: usize) -> Names {
    let Some(of) = plan.steps.get(step) else { return Names { plugin: "step".to_owned(), step: step.to_string() } };
    let plugin = of.action.name().replace(':', "");
    let step = match is_named(of) {
        true => part(&of.name),
        false => format!("{}.{plugin}", occurrence(plan, step)),
    };
    Names { plugin, step }
}

/// Documents of schema 1.2 have no names for steps: the plugin's stands there.
fn is_named(step: &Step) -> bool {
    step.name != step.action.name()
}

/// How many steps of the same name come before.
fn occurrence(plan: &Plan, step: usize) -> usize {
    let name = plan.steps.get(step).map(|step| &step.name);
    plan.steps.iter().take(step).filter(|before| Some(&before.name) == name).count()
}

/// A name as one part of a key.
fn part(name: &str) -> String {
    match name {
        "." | ".." => name.replace('.', "_"),
        name => name.replace(['/', ':'], ""),
    }
}

#[cfg(test)]
mod tests {
    use document::{Action, Plan, Script};

    use super::*;
    use crate::message::{CommandId, Destinations};

    fn send(names: &[&str]) -> Send {
        let script = Script {
            text: String::new(),
            working_directory: String::new(),
            execution_timeout_seconds: 1,
            environment: vec![],
        };
        let steps = names.iter().map(|name| Step::new(*name, Action::Shell(script.clone()))).collect();
        let destinations = Destinations { bucket: "night".into(), key_prefix: "/logs/".into(), ..Default::default() };
        let instance = InstanceId::from("mi-0");
        Send { destinations, ..Send::new(CommandId::from("c"), vec![instance], Plan { steps }) }
    }

    #[test]
    fn names_are_those_of_aws() {
        let instance = InstanceId::from("mi-0");
        let old = send(&["aws:runShellScript", "aws:runShellScript"]);
        let new = send(&["fetch", ".."]);
        let key = |send: &Send, step| object_key(send, &instance, step, Stream::Stdout);
        assert_eq!(key(&old, 0), "logs/c/mi-0/awsrunShellScript/0.awsrunShellScript/stdout");
        assert_eq!(key(&old, 1), "logs/c/mi-0/awsrunShellScript/1.awsrunShellScript/stdout");
        assert_eq!(key(&new, 0), "logs/c/mi-0/awsrunShellScript/fetch/stdout");
        assert_eq!(key(&new, 1), "logs/c/mi-0/awsrunShellScript/__/stdout");
        assert_eq!(
            object_url(&old, "eu-west-1", &instance, 0, Stream::Stderr),
            "https://s3.eu-west-1.amazonaws.com/night/logs/c/mi-0/awsrunShellScript/0.awsrunShellScript/stderr"
        );
        assert_eq!(log_stream(&old, &instance, 0, Stream::Stderr), "c/mi-0/aws-runShellScript/stderr");
        assert_eq!(log_stream(&old, &instance, 1, Stream::Stdout), "c/mi-0/aws-runShellScript.1/stdout");
        assert_eq!(log_stream(&new, &instance, 0, Stream::Stdout), "c/mi-0/fetch/stdout");
    }
}
