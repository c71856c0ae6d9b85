//! What this server counts: Step Functions' metrics under their names in Prometheus' style, and its own.
//!
//! Counted from what was committed, in memory: a new start begins at 0, as scrapers expect.
//!
//! **Invariant:** labels have an end. What is beyond [`LABELS_MAX`] machines, activities, functions or integrations is
//! counted together, as `other`.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::{Arn, Id, Timestamp};
use engine::{Event, Fact};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelSetEncoder, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::Runtime;
use crate::logs::delivery::Counts;
use crate::value::EXECUTION;

/// Machines, activities, functions and integrations that are counted apart.
const LABELS_MAX: usize = 1_000;

/// The content type of [`Runtime::metrics`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is counted. Cheap to clone; all clones are the same.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    machines: Labels,
    executions: Executions,
    activities: Tasks,
    functions: Tasks,
    integrations: Tasks,
    throttled: Counter,
    pub(crate) open_executions: Gauge,
    pub(crate) commits: Family<Outcome, Counter>,
    pub(crate) commit_seconds: Histogram,
    pub(crate) turn_requests: Histogram,
    pub(crate) shard_queue: Family<ShardLabel, Gauge>,
    agents: Gauge,
    pub(crate) output_bytes: Counter,
    logs: LogMetrics,
    spans: Family<Outcome, Counter>,
    untraced: Counter,
    process: Process,
}

#[derive(Debug)]
struct Executions {
    started: PerArn,
    succeeded: PerArn,
    failed: PerArn,
    aborted: PerArn,
    timed_out: PerArn,
    seconds: Family<Label, Histogram, Seconds>,
}

type PerArn = Family<Label, Counter>;

/// How tasks of one family fare.
#[derive(Debug)]
struct Tasks {
    labels: Labels,
    scheduled: PerArn,
    started: PerArn,
    succeeded: PerArn,
    failed: PerArn,
    timed_out: PerArn,
    heartbeat_timed_out: PerArn,
}

#[derive(Debug, Default)]
struct LogMetrics {
    waiting: Gauge,
    written: Counter,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct Process {
    memory: Gauge,
    open_files: Gauge,
}

/// Buckets for times from a millisecond to days.
#[derive(Debug, Clone)]
struct Seconds;

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        const MINUTE: f64 = 60.0;
        const HOUR: f64 = 60.0 * MINUTE;
        let short = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, MINUTE];
        let long = [5.0 * MINUTE, 15.0 * MINUTE, HOUR, 4.0 * HOUR, 12.0 * HOUR, 24.0 * HOUR, 7.0 * 24.0 * HOUR];
        Histogram::new(short.into_iter().chain(long))
    }
}

/// Names that are counted apart.
#[derive(Debug)]
struct Labels {
    name: &'static str,
    known: RwLock<HashSet<Arc<str>>>,
}

/// An ARN as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Label {
    name: &'static str,
    arn: Arc<str>,
}

impl EncodeLabelSet for Label {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        [(self.name, &*self.arn)].encode(encoder)
    }
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Outcome(pub(crate) &'static str);

impl EncodeLabelSet for Outcome {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        [("outcome", self.0)].encode(encoder)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ShardLabel(pub(crate) u16);

impl EncodeLabelSet for ShardLabel {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        [("shard", Number(self.0))].encode(encoder)
    }
}

#[derive(Debug)]
struct Number(u16);

impl EncodeLabelValue for Number {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        u64::from(self.0).encode(encoder)
    }
}

impl Labels {
    fn new(name: &'static str) -> Labels {
        Labels { name, known: RwLock::default() }
    }

    fn of(&self, arn: &Arc<str>) -> Label {
        let label = |arn: Arc<str>| Label { name: self.name, arn };
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(arn) {
            return label(arn.clone());
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= LABELS_MAX && !known.contains(arn) {
            return label("other".into());
        }
        known.insert(arn.clone());
        label(arn.clone())
    }
}

impl Tasks {
    fn new(label: &'static str) -> Tasks {
        Tasks {
            labels: Labels::new(label),
            scheduled: Family::default(),
            started: Family::default(),
            succeeded: Family::default(),
            failed: Family::default(),
            timed_out: Family::default(),
            heartbeat_timed_out: Family::default(),
        }
    }

    fn register(&self, registry: &mut Registry, name: &str, what: &str) {
        let all = [
            ("scheduled", "were scheduled", &self.scheduled),
            ("started", "began", &self.started),
            ("succeeded", "succeeded", &self.succeeded),
            ("failed", "failed", &self.failed),
            ("timed_out", "timed out", &self.timed_out),
            ("heartbeat_timed_out", "were not heard of in time", &self.heartbeat_timed_out),
        ];
        for (end, did, family) in all {
            registry.register(format!("{name}_{end}"), format!("{what} that {did}"), family.clone());
        }
    }

    fn count(&self, of: &PerArn, resource: &Arc<str>) {
        of.get_or_create(&self.labels.of(resource)).inc();
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::default(),
            machines: Labels::new("state_machine_arn"),
            executions: Executions {
                started: Family::default(),
                succeeded: Family::default(),
                failed: Family::default(),
                aborted: Family::default(),
                timed_out: Family::default(),
                seconds: Family::new_with_constructor(Seconds),
            },
            activities: Tasks::new("activity_arn"),
            functions: Tasks::new("lambda_function_arn"),
            integrations: Tasks::new("service_integration_resource_arn"),
            throttled: Counter::default(),
            open_executions: Gauge::default(),
            commits: Family::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 17)),
            turn_requests: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            shard_queue: Family::default(),
            agents: Gauge::default(),
            output_bytes: Counter::default(),
            logs: LogMetrics::default(),
            spans: Family::default(),
            untraced: Counter::default(),
            process: Process::default(),
        };
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        metrics.registry = registry;
        metrics
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        let states = registry.sub_registry_with_prefix("states");
        let executions = &self.executions;
        let all = [
            ("executions_started", "Executions that began", &executions.started),
            ("executions_succeeded", "Executions that succeeded", &executions.succeeded),
            ("executions_failed", "Executions that failed", &executions.failed),
            ("executions_aborted", "Executions that were stopped", &executions.aborted),
            ("executions_timed_out", "Executions that timed out", &executions.timed_out),
        ];
        for (name, help, family) in all {
            states.register(name, help, family.clone());
        }
        states.register("execution_time_seconds", "From an execution's begin to its end", executions.seconds.clone());
        states.register("execution_throttled", "Starts that were refused for want of room", self.throttled.clone());
        states.register("open_execution_count", "Executions that run", self.open_executions.clone());
        self.activities.register(states, "activities", "Tasks of activities");
        self.functions.register(states, "lambda_functions", "Tasks of functions");
        self.integrations.register(states, "service_integrations", "Tasks of services");

        let ours = registry.sub_registry_with_prefix("dandori");
        ours.register("commits", "Commits of turns", self.commits.clone());
        ours.register("commit_seconds", "How long a commit took", self.commit_seconds.clone());
        ours.register("turn_requests", "Requests decided in one turn", self.turn_requests.clone());
        ours.register("shard_queue_length", "Requests that wait for their shard", self.shard_queue.clone());
        ours.register("agents_connected", "Agents that are connected", self.agents.clone());
        ours.register("output_bytes", "Bytes of outputs taken from agents", self.output_bytes.clone());
        ours.register("log_events_waiting", "Events of executions that wait to be logged", self.logs.waiting.clone());
        ours.register("log_events_written", "Events of executions that were logged", self.logs.written.clone());
        ours.register("log_events_dropped", "Events of executions that were not logged", self.logs.dropped.clone());
        ours.register("spans", "Spans of executions, by what became of them", self.spans.clone());
        ours.register(
            "executions_untraced",
            "Executions that ended faster than traces are sent",
            self.untraced.clone(),
        );
        registry.register("process_resident_memory_bytes", "Memory in use", self.process.memory.clone());
        registry.register("process_open_fds", "Open files", self.process.open_files.clone());
    }

    /// Counts what a step of an execution of `machine` recorded.
    pub(crate) fn count(&self, machine: &Arc<str>, started: Timestamp, events: &[Event]) {
        for event in events {
            self.count_fact(machine, started, event);
        }
    }

    fn count_fact(&self, machine: &Arc<str>, started: Timestamp, event: &Event) {
        let executions = &self.executions;
        let ended = match &event.fact {
            Fact::ExecutionStarted { .. } => {
                executions.started.get_or_create(&self.machines.of(machine)).inc();
                self.open_executions.inc();
                return;
            }
            Fact::ExecutionRedriven { .. } => {
                self.open_executions.inc();
                return;
            }
            Fact::ExecutionSucceeded { .. } => &executions.succeeded,
            Fact::ExecutionFailed { .. } => &executions.failed,
            Fact::ExecutionAborted { .. } => &executions.aborted,
            Fact::ExecutionTimedOut { .. } => &executions.timed_out,
            other => return self.count_task(other),
        };
        let label = self.machines.of(machine);
        ended.get_or_create(&label).inc();
        let took = event.at.0.saturating_sub(started.0).max(0);
        executions.seconds.get_or_create(&label).observe(took as f64 / 1000.0);
        self.open_executions.dec();
    }

    fn count_task(&self, fact: &Fact) {
        let (resource, counter): (_, fn(&Tasks) -> &PerArn) = match fact {
            Fact::TaskScheduled { resource, .. } => (resource, |tasks| &tasks.scheduled),
            Fact::TaskStarted { resource, .. } => (resource, |tasks| &tasks.started),
            Fact::TaskSucceeded { resource, .. } => (resource, |tasks| &tasks.succeeded),
            Fact::TaskFailed { resource, .. } => (resource, |tasks| &tasks.failed),
            Fact::TaskTimedOut { resource, failure, .. } => match failure.error.as_deref() {
                Some("States.HeartbeatTimeout") => (resource, |tasks| &tasks.heartbeat_timed_out),
                _ => (resource, |tasks| &tasks.timed_out),
            },
            _ => return,
        };
        let tasks = self.family(resource);
        tasks.count(counter(tasks), resource);
    }

    /// A function, an activity or a service: as the ARN of a task's resource says.
    fn family(&self, resource: &str) -> &Tasks {
        match Arn::parse(resource) {
            Some(arn) if arn.service == "lambda" => &self.functions,
            Some(arn) if arn.service == "states" && arn.resource.starts_with("activity:") => &self.activities,
            Some(_) | None => &self.integrations,
        }
    }

    /// A start was refused for want of room.
    pub(crate) fn count_throttled(&self) {
        self.throttled.inc();
    }

    pub(crate) fn count_spans(&self, count: usize, taken: bool) {
        let outcome = if taken { "sent" } else { "dropped" };
        self.spans.get_or_create(&Outcome(outcome)).inc_by(count as u64);
    }

    pub(crate) fn count_untraced(&self) {
        self.untraced.inc();
    }

    pub(crate) fn count_commit(&self, outcome: &'static str, requests: usize, took: Duration) {
        self.commits.get_or_create(&Outcome(outcome)).inc();
        self.commit_seconds.observe(took.as_secs_f64());
        self.turn_requests.observe(requests as f64);
    }

    /// Everything as text, with what is looked at only now.
    fn render(&self, agents: usize, logs: &Counts) -> String {
        use std::sync::atomic::Ordering::Relaxed;
        let gauge = |gauge: &Gauge, value: usize| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        gauge(&self.agents, agents);
        gauge(&self.logs.waiting, logs.waiting.load(Relaxed));
        self.logs.written.inner().store(logs.written.load(Relaxed), Relaxed);
        self.logs.dropped.inner().store(logs.dropped.load(Relaxed), Relaxed);
        gauge(&self.process.memory, resident_bytes().unwrap_or(0));
        gauge(&self.process.open_files, open_files().unwrap_or(0));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing into memory cannot fail");
        text
    }
}

/// What Linux tells of this process; 0 elsewhere.
fn resident_bytes() -> Option<usize> {
    const KIB: usize = 1024;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<usize>().ok().map(|kib| kib * KIB)
}

fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

impl Runtime {
    /// Adds the executions that were running when the server started: those among `pending`, whatever has become of them
    /// since, for what ends is taken off by itself.
    pub(crate) async fn count_open(self, pending: Vec<BTreeSet<Id>>) {
        for id in pending.into_iter().flatten() {
            match self.store().head(id).await {
                Ok(Some(head)) if head.kind == EXECUTION => {
                    self.inner.world.metrics.open_executions.inc();
                }
                Ok(_) => (),
                Err(error) => tracing::warn!(%id, %error, "an execution is missing in the count of open ones"),
            }
        }
    }

    /// What is counted, in the text format of Prometheus and OpenMetrics. Of all accounts: it is for the operator.
    pub fn metrics(&self) -> String {
        let world = &self.inner.world;
        world.metrics.render(world.hub.connected(), world.logs.counts())
    }
}

#[cfg(test)]
mod tests {
    use engine::{Failure, FrameId, Identity, TaskId};
    use expect_test::expect;

    use super::*;

    fn event(at: i64, fact: Fact) -> Event {
        Event { at: Timestamp(at), frame: FrameId::ROOT, id: 1, previous: 0, fact }
    }

    fn started() -> Event {
        let fact = Fact::ExecutionStarted {
            identity: Identity::default(),
            input: base::Json::Null,
            text: None,
            block: 0,
            timeout: None,
        };
        event(0, fact)
    }

    fn task(resource: &str) -> Vec<Event> {
        let (task, resource): (_, Arc<str>) = (TaskId(1), resource.into());
        let late = Failure::named("States.HeartbeatTimeout");
        vec![
            event(1, Fact::TaskSucceeded { task, resource: resource.clone(), output: base::Json::Null }),
            event(2, Fact::TaskTimedOut { task, resource, failure: late }),
        ]
    }

    #[test]
    fn events_are_counted_by_machine_and_by_resource() {
        let metrics = Metrics::default();
        let mut events = vec![started()];
        events.extend(task("arn:aws:states:::ssm:sendCommand.sync"));
        events.extend(task("arn:aws:lambda:us-east-1:111111111111:function:f"));
        events.extend(task("arn:aws:states:us-east-1:111111111111:activity:a"));
        events.push(event(2_500, Fact::ExecutionFailed { failure: Failure::default() }));
        metrics.count(&"arn:m".into(), Timestamp(0), &events);
        metrics.count(&"arn:n".into(), Timestamp(0), &[started()]);
        let text = metrics.render(0, &Counts::default());
        let told = |line: &&str| {
            let counted = line.starts_with("states_") && !line.ends_with(" 0");
            counted && !line.contains("_bucket{")
        };
        let mut lines: Vec<&str> = text.lines().filter(told).collect();
        lines.sort_unstable();
        expect![[r#"
            states_activities_heartbeat_timed_out_total{activity_arn="arn:aws:states:us-east-1:111111111111:activity:a"} 1
            states_activities_succeeded_total{activity_arn="arn:aws:states:us-east-1:111111111111:activity:a"} 1
            states_execution_time_seconds_count{state_machine_arn="arn:m"} 1
            states_execution_time_seconds_sum{state_machine_arn="arn:m"} 2.5
            states_executions_failed_total{state_machine_arn="arn:m"} 1
            states_executions_started_total{state_machine_arn="arn:m"} 1
            states_executions_started_total{state_machine_arn="arn:n"} 1
            states_lambda_functions_heartbeat_timed_out_total{lambda_function_arn="arn:aws:lambda:us-east-1:111111111111:function:f"} 1
            states_lambda_functions_succeeded_total{lambda_function_arn="arn:aws:lambda:us-east-1:111111111111:function:f"} 1
            states_open_execution_count 1
            states_service_integrations_heartbeat_timed_out_total{service_integration_resource_arn="arn:aws:states:::ssm:sendCommand.sync"} 1
            states_service_integrations_succeeded_total{service_integration_resource_arn="arn:aws:states:::ssm:sendCommand.sync"} 1
        "#]].assert_eq(&(lines.join("\n") + "\n"));
        assert!(
            text.contains(r#"states_execution_time_seconds_bucket{le="5.0",state_machine_arn="arn:m"} 1"#),
            "{text}"
        );
    }

    #[test]
    fn labels_have_an_end() {
        let metrics = Metrics::default();
        for number in 0..LABELS_MAX + 5 {
            metrics.count(&format!("arn:{number}").into(), Timestamp(0), &[started()]);
        }
        let text = metrics.render(0, &Counts::default());
        let lines = text.lines().filter(|line| line.starts_with("states_executions_started_total"));
        assert_eq!(lines.clone().count(), LABELS_MAX + 1);
        assert!(lines.clone().any(|line| line == r#"states_executions_started_total{state_machine_arn="other"} 5"#));
    }
}
