//! What the product must reach, as ratios to the ceiling where the machine matters most.

use crate::agent::Large;
use crate::load::{Load, Run};
use crate::report::Report;
use crate::single::{Single, Timed};

/// One line of the goals.
pub(crate) struct Goal {
    /// Its number among the goals of the executions; `A` of the agents'.
    pub(crate) item: &'static str,
    pub(crate) measure: &'static str,
    pub(crate) must: &'static str,
    /// What came out, and whether it will do. `None`: it was not measured.
    pub(crate) result: Option<(String, Verdict)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    NotMet,
    /// Measured with so few executions that it says nothing about the goal.
    TooFew,
}

/// How many executions the goals are about.
pub(crate) const WOKEN: usize = 10_000;
pub(crate) const HELD: usize = 100_000;
pub(crate) const MAPPED: usize = 100_000;

const STEPS_MIN: f64 = 6_000.0;
const SYNC_RATIO_MAX: f64 = 2.0;
const MAP_MS_MAX: f64 = 60.0;
const LOOP_MS_MAX: f64 = 15.0;
const JSONATA_RATIO_MAX: f64 = 3.0;

const DURABLE_RATIO_MIN: f64 = 0.6;
const CPU_US_MAX: f64 = 40.0;
const IDLE_P50_RATIO_MAX: f64 = 1.5;
const IDLE_P99_RATIO_MAX: f64 = 2.0;
const WAITING_BYTES_MAX: f64 = 2_048.0;
const WAKE_P50_MS_MAX: f64 = 300.0;
const WAKE_P99_MS_MAX: f64 = 800.0;
const COLD_MS_MAX: f64 = 100.0;
const COLD_FULL_MS_MAX: f64 = 1_000.0;
const IDLE_MIB_MAX: f64 = 30.0;
const IDLE_CPU_MAX: f64 = 0.005;

const FIRST_LINE_MS_MAX: f64 = 20.0;
const AGENT_IDLE_MIB_MAX: f64 = 15.0;
/// Two of the ticks that Linux counts in, over however many seconds: less cannot be told from nothing.
const AGENT_IDLE_CPU_SECONDS_MAX: f64 = 0.02;
const LARGE_MIB_MAX: f64 = 200.0;
pub(crate) const LARGE_BYTES: u64 = 1 << 30;

/// The goals, in the order of their numbers.
pub(crate) fn goals(report: &Report) -> Vec<Goal> {
    vec![
        Goal {
            item: "1",
            measure: "W1 durable transitions/s, 128 clients",
            must: ">= 0.6 x ceiling ends",
            result: compared(report, Load::W1Loaded, |run| run.transitions_per_s)
                .map(|(product, ceiling)| at_least(product, ceiling)),
        },
        Goal {
            item: "2",
            measure: "W4 durable starts to ends/s",
            must: ">= 0.6 x ceiling ends",
            result: compared(report, Load::W4, |run| run.executions_per_s)
                .map(|(product, ceiling)| at_least(product, ceiling)),
        },
        Goal {
            item: "3",
            measure: "server CPU per transition, W1 loaded",
            must: "<= 40 us",
            result: compared(report, Load::W1Loaded, |run| run.cpu_us_per_transition).map(|(product, ceiling)| {
                (format!("{product:.1} us (ceiling {ceiling:.1})"), met(product <= CPU_US_MAX))
            }),
        },
        Goal {
            item: "4",
            measure: "W6 activity steps/s, durable",
            must: ">= 6,000",
            result: report
                .worked
                .as_ref()
                .map(|worked| (format!("{:.0}", worked.steps_per_s), met(worked.steps_per_s >= STEPS_MIN))),
        },
        Goal {
            item: "5",
            measure: "W1 idle, end to end",
            must: "p50 <= 1.5 x, p99 <= 2 x ceiling ends",
            result: idle(report),
        },
        Goal {
            item: "6",
            measure: "W1 by StartSyncExecution, idle, end to end p50",
            must: "<= 2 x ceiling mem",
            result: sync(report),
        },
        Goal {
            item: "7",
            measure: "W2 inline Map of 1,000, end to end p50",
            must: "<= 60 ms",
            result: end_to_end_p50(report, Single::Map).map(|ms| (format!("{ms:.1} ms"), met(ms <= MAP_MS_MAX))),
        },
        Goal {
            item: "8",
            measure: "W3 loop of 100 rounds, end to end p50",
            must: "<= 15 ms",
            result: end_to_end_p50(report, Single::Loop).map(|ms| (format!("{ms:.1} ms"), met(ms <= LOOP_MS_MAX))),
        },
        Goal { item: "8", measure: "W3 in JSONata, end to end p50", must: "<= 3 x JSONPath", result: jsonata(report) },
        Goal {
            item: "9",
            measure: "memory per waiting execution",
            must: "<= 2 KiB at 100,000",
            result: waiting(report),
        },
        Goal {
            item: "10",
            measure: "wake of 10,000 due at once",
            must: "never early, p50 <= 300, p99 <= 800 ms",
            result: waking(report),
        },
        Goal {
            item: "13",
            measure: "cold start, empty",
            must: "<= 100 ms",
            result: report.cold.as_ref().map(|cold| {
                let p50 = cold.answered_ms.p50;
                (format!("p50 {p50:.0} ms, worst {:.0} ms", cold.answered_ms.max), met(p50 <= COLD_MS_MAX))
            }),
        },
        Goal {
            item: "13",
            measure: "cold start, 100,000 open",
            must: "<= 1 s, after kill -9",
            result: report.waiting.as_ref().map(|held| {
                let answered = held.restart.answered_ms;
                (
                    format!("{answered:.0} ms with {}", held.waiting.executions),
                    met_with(held.waiting.executions, HELD, answered <= COLD_FULL_MS_MAX),
                )
            }),
        },
        Goal {
            item: "14",
            measure: "idle with 10,000 waiting",
            must: "<= 30 MiB, <= 0.5 % of a core",
            result: idle_waiting(report),
        },
        Goal {
            item: "A",
            measure: "StartExecution to a script's first line, idle",
            must: "p50 < 20 ms",
            result: report.agents.as_ref().map(|agents| {
                let (first, floor) = (agents.first_line_ms, agents.floor_ms);
                (
                    format!("p50 {:.1}, p99 {:.1} ms (floor {:.1}, {:.1})", first.p50, first.p99, floor.p50, floor.p99),
                    met(first.p50 < FIRST_LINE_MS_MAX),
                )
            }),
        },
        Goal {
            item: "A",
            measure: "an idle agent",
            must: "< 15 MiB, no measurable CPU",
            result: report.agents.as_ref().map(|agents| {
                let mib = mib(agents.idle_memory.rss_kib);
                let good = mib < AGENT_IDLE_MIB_MAX
                    && agents.idle_cpu * agents.idle_seconds <= AGENT_IDLE_CPU_SECONDS_MAX + 1e-6;
                (format!("{mib:.1} MiB, {:.2} %", agents.idle_cpu * 100.0), met(good))
            }),
        },
        Goal {
            item: "A",
            measure: "1 GiB of output: memory at most, end and live view",
            must: "< 200 MiB each, both read",
            result: report.agents.as_ref().map(|agents| large(&agents.large)),
        },
    ]
}

fn timed(report: &Report, what: Single) -> Option<&Timed> {
    report.singles.iter().find(|timed| timed.what == what)
}

fn end_to_end_p50(report: &Report, what: Single) -> Option<f64> {
    timed(report, what).map(|timed| timed.end_to_end_ms.p50)
}

fn sync(report: &Report) -> Option<(String, Verdict)> {
    let product = timed(report, Single::Sync)?.end_to_end_ms.p50;
    let ceiling = report.mem.as_ref()?.end_to_end_ms?.p50;
    let ratio = product / ceiling;
    Some((format!("{ratio:.2} x ({product:.2} / {ceiling:.2} ms)"), met(ratio <= SYNC_RATIO_MAX)))
}

fn jsonata(report: &Report) -> Option<(String, Verdict)> {
    let path = end_to_end_p50(report, Single::Loop)?;
    let jsonata = end_to_end_p50(report, Single::LoopJsonata)?;
    let ratio = jsonata / path;
    Some((format!("{ratio:.2} x ({jsonata:.2} / {path:.2} ms)"), met(ratio <= JSONATA_RATIO_MAX)))
}

/// A figure of the product and the mean of its neighbours'.
pub(crate) fn compared(report: &Report, load: Load, of: impl Fn(&Run) -> f64) -> Option<(f64, f64)> {
    let runs: Vec<&Run> = report.loads.iter().filter(|run| run.load == load).collect();
    match runs.as_slice() {
        [before, product, after] if product.who == "product" => {
            Some((of(product), f64::midpoint(of(before), of(after))))
        }
        _ => None,
    }
}

fn met(good: bool) -> Verdict {
    if good { Verdict::Met } else { Verdict::NotMet }
}

fn met_with(executions: usize, wanted: usize, good: bool) -> Verdict {
    if executions < wanted { Verdict::TooFew } else { met(good) }
}

fn at_least(product: f64, ceiling: f64) -> (String, Verdict) {
    let ratio = product / ceiling;
    (format!("{ratio:.2} x ({product:.0} / {ceiling:.0})"), met(ratio >= DURABLE_RATIO_MIN))
}

fn idle(report: &Report) -> Option<(String, Verdict)> {
    let ratio =
        |of: &dyn Fn(&Run) -> f64| compared(report, Load::W1Idle, of).map(|(product, ceiling)| product / ceiling);
    let p50 = ratio(&|run| run.end_to_end_ms.map_or(0.0, |spread| spread.p50))?;
    let p99 = ratio(&|run| run.end_to_end_ms.map_or(0.0, |spread| spread.p99))?;
    Some((format!("p50 {p50:.2} x, p99 {p99:.2} x"), met(p50 <= IDLE_P50_RATIO_MAX && p99 <= IDLE_P99_RATIO_MAX)))
}

fn waiting(report: &Report) -> Option<(String, Verdict)> {
    let waiting = &report.waiting.as_ref()?.waiting;
    let each = waiting.rss_bytes_each();
    Some((
        format!("{each:.0} B with {}", waiting.executions),
        met_with(waiting.executions, HELD, each <= WAITING_BYTES_MAX),
    ))
}

fn waking(report: &Report) -> Option<(String, Verdict)> {
    let waking = report.waking.as_ref()?;
    let (p50, p99) = (waking.own_ms.p50.max(waking.seen_ms.p50), waking.own_ms.p99.max(waking.seen_ms.p99));
    let good = waking.early == 0 && p50 <= WAKE_P50_MS_MAX && p99 <= WAKE_P99_MS_MAX;
    Some((
        format!("{} early, p50 {p50:.0}, p99 {p99:.0} ms with {}", waking.early, waking.waiting.executions),
        met_with(waking.waiting.executions, WOKEN, good),
    ))
}

fn idle_waiting(report: &Report) -> Option<(String, Verdict)> {
    let waiting = &report.waking.as_ref()?.waiting;
    let mib = mib(waiting.after.rss_kib);
    let text = format!("{mib:.1} MiB, {:.1} % with {}", waiting.idle_cpu * 100.0, waiting.executions);
    let good = mib <= IDLE_MIB_MAX && waiting.idle_cpu <= IDLE_CPU_MAX;
    Some((text, met_with(waiting.executions, WOKEN, good)))
}

fn large(large: &Large) -> (String, Verdict) {
    let (server, agent) = (mib(large.server_peak_kib), mib(large.agent_peak_kib));
    let read = large.last_bytes_read && large.live_s.is_some();
    let text = format!(
        "server {server:.0}, agent {agent:.0} MiB, {}; {:.1} s beside {:.1} s",
        if read { "read" } else { "not read" },
        large.whole_s,
        large.floor_s
    );
    let verdict = match large.bytes < LARGE_BYTES {
        true => Verdict::TooFew,
        false => met(server < LARGE_MIB_MAX && agent < LARGE_MIB_MAX && read),
    };
    (text, verdict)
}

pub(crate) fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1_024.0
}
