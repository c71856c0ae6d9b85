//! What was measured, as plain text and as JSON.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::Fault;
use crate::activity::Worked;
use crate::agent::Agents;
use crate::cold::Cold;
use crate::distributed::Mapped;
use crate::goals::{Verdict, compared, goals, mib};
use crate::load::{Load, Run, Shape};
use crate::process;
use crate::single::Timed;
use crate::waiting::{Held, Waiting, Waking};

#[derive(Serialize)]
pub(crate) struct Report {
    at: String,
    quick: bool,
    processors: usize,
    /// In the order in which they were made: the ceiling, the product, the ceiling.
    pub(crate) loads: Vec<Run>,
    /// The ceiling without a log, beside which a synchronous execution stands.
    pub(crate) mem: Option<Run>,
    pub(crate) singles: Vec<Timed>,
    pub(crate) worked: Option<Worked>,
    pub(crate) mapped: Option<Mapped>,
    pub(crate) waking: Option<Waking>,
    pub(crate) waiting: Option<Held>,
    pub(crate) cold: Option<Cold>,
    pub(crate) agents: Option<Agents>,
}

impl Report {
    pub(crate) fn new(quick: bool) -> Report {
        let processors = std::thread::available_parallelism().map_or(0, Into::into);
        Report {
            at: format!("{:.0}", Timestamp::now()),
            quick,
            processors,
            loads: vec![],
            mem: None,
            singles: vec![],
            worked: None,
            mapped: None,
            waking: None,
            waiting: None,
            cold: None,
            agents: None,
        }
    }

    pub(crate) fn head(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let length = if self.quick { "quick" } else { "full" };
        lines(
            out,
            &[format!(
                "bench, {length}, {}, {} processors, load average {:.2}",
                self.at,
                self.processors,
                process::load()
            )],
        )
    }

    /// The runs of one load, side by side.
    pub(crate) fn load(&self, out: &mut dyn Write, shape: &Shape) -> Result<(), Fault> {
        let runs: Vec<&Run> = self.loads.iter().filter(|run| run.load == shape.load).collect();
        let title = match shape.load {
            Load::W1Loaded => "W1 loaded: ten Pass states, 128 clients",
            Load::W1Idle => "W1 idle: ten Pass states, one client",
            Load::W4 => "W4: starts of a one-state machine, 128 clients",
        };
        let mut table = vec![heading(title, &runs)];
        let mut row = |name: &str, digits: usize, of: &dyn Fn(&Run) -> Option<f64>| {
            let cells: Vec<Option<f64>> = runs.iter().map(|run| of(run)).collect();
            if cells.iter().all(Option::is_none) {
                return;
            }
            let cell = |cell: &Option<f64>| cell.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
            let ratio = compared(self, shape.load, |run| of(run).unwrap_or_default())
                .map(|(product, ceiling)| product / ceiling);
            let ratio = ratio.filter(|ratio| ratio.is_finite()).map_or(String::new(), |ratio| format!("{ratio:.2}"));
            table.push(std::iter::once(name.to_owned()).chain(cells.iter().map(cell)).chain([ratio]).collect());
        };
        row("executions/s", 0, &|run| Some(run.executions_per_s));
        row("transitions/s", 0, &|run| Some(run.transitions_per_s));
        row("server CPU us/transition", 1, &|run| Some(run.cpu_us_per_transition));
        row("server CPU us/execution", 1, &|run| Some(run.cpu_us_per_execution));
        row("server, processors", 2, &|run| Some(run.server_cpu));
        row("driver, processors", 2, &|run| Some(run.driver_cpu));
        row("disk bytes/execution", 0, &|run| Some(run.disk_bytes_per_execution));
        row("describes/execution", 2, &|run| run.end_to_end_ms.map(|_| run.describes_per_execution));
        row("start p50 ms", 3, &|run| Some(run.start_ms.p50));
        row("start p99 ms", 3, &|run| Some(run.start_ms.p99));
        row("end to end p50 ms", 3, &|run| run.end_to_end_ms.map(|spread| spread.p50));
        row("end to end p99 ms", 3, &|run| run.end_to_end_ms.map(|spread| spread.p99));
        row("startDate to stopDate p50 ms", 3, &|run| Some(run.own_ms.p50));
        row("startDate to stopDate p99 ms", 3, &|run| Some(run.own_ms.p99));
        row("RSS MiB", 1, &|run| Some(mib(run.memory.rss_kib)));
        row("load average", 2, &|run| Some(run.load_average));
        print(out, &table)
    }

    /// Executions that ran one after another.
    pub(crate) fn singles(&self, out: &mut dyn Write) -> Result<(), Fault> {
        if self.singles.is_empty() {
            return Ok(());
        }
        let names = ["One at a time", "own p50 ms", "own p99 ms", "end to end p50 ms", "CPU us", "load average"];
        let mut table = vec![names.map(str::to_owned).to_vec()];
        table.extend(self.singles.iter().map(|timed| {
            vec![
                timed.what.title().to_owned(),
                format!("{:.2}", timed.own_ms.p50),
                format!("{:.2}", timed.own_ms.p99),
                format!("{:.2}", timed.end_to_end_ms.p50),
                format!("{:.0}", timed.cpu_us_per_execution),
                format!("{:.2}", timed.load_average),
            ]
        }));
        print(out, &table)
    }

    pub(crate) fn worked(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let Some(worked) = &self.worked else { return Ok(()) };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        print(
            out,
            &[
                row(&format!("W6: activity tasks, {} workers", worked.workers), "product".to_owned()),
                row("steps/s", format!("{:.0}", worked.steps_per_s)),
                row("a step p50 ms", format!("{:.2}", worked.step_ms.p50)),
                row("a step p99 ms", format!("{:.2}", worked.step_ms.p99)),
                row("server CPU us/step", format!("{:.0}", worked.cpu_us_per_step)),
                row("load average", format!("{:.2}", worked.load_average)),
            ],
        )
    }

    pub(crate) fn mapped(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let Some(mapped) = &self.mapped else { return Ok(()) };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        print(
            out,
            &[
                row(&format!("Distributed Map of {} items", mapped.items), "product".to_owned()),
                row("seconds", format!("{:.1}", mapped.seconds)),
                row("items/s", format!("{:.0}", mapped.items_per_s)),
                row("server CPU us/item", format!("{:.0}", mapped.cpu_us_per_item)),
                row("RSS before MiB", format!("{:.1}", mapped.before_rss_mib)),
                row("RSS at most MiB", format!("{:.1}", mapped.peak_rss_mib)),
                row("load average", format!("{:.2}", mapped.load_average)),
            ],
        )
    }

    pub(crate) fn waking(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let Some(waking) = &self.waking else { return Ok(()) };
        let mut table = waiting(&waking.waiting);
        let mut row = |name: &str, value: String| table.push(vec![name.to_owned(), value]);
        row("woken early", waking.early.to_string());
        row("stopDate after due p50 ms", format!("{:.0}", waking.own_ms.p50));
        row("stopDate after due p99 ms", format!("{:.0}", waking.own_ms.p99));
        row("stopDate after due, last, ms", format!("{:.0}", waking.own_ms.max));
        row("seen by clients p50 ms", format!("{:.0}", waking.seen_ms.p50));
        row("seen by clients p99 ms", format!("{:.0}", waking.seen_ms.p99));
        print(out, &table)
    }

    pub(crate) fn waiting(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let Some(held) = &self.waiting else { return Ok(()) };
        let mut table = waiting(&held.waiting);
        let mut row = |name: &str, value: String| table.push(vec![name.to_owned(), value]);
        row("killed and started again: listens after ms", format!("{:.0}", held.restart.ready_ms));
        row("first answer after ms", format!("{:.0}", held.restart.answered_ms));
        row("an open execution is described after ms", format!("{:.0}", held.restart.described_ms));
        row("RSS after that MiB", format!("{:.1}", mib(held.restart.memory.rss_kib)));
        print(out, &table)
    }

    pub(crate) fn cold(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let Some(cold) = &self.cold else { return Ok(()) };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        print(
            out,
            &[
                row("Cold: an empty directory", "product".to_owned()),
                row("listens after p50 ms", format!("{:.0}", cold.ready_ms.p50)),
                row("first answer after p50 ms", format!("{:.0}", cold.answered_ms.p50)),
                row("first answer after, worst, ms", format!("{:.0}", cold.answered_ms.max)),
                row("idle RSS MiB", format!("{:.1}", mib(cold.memory.rss_kib))),
                row("idle CPU, % of a processor", format!("{:.2}", cold.idle_cpu * 100.0)),
                row("load average", format!("{:.2}", cold.load_average)),
            ],
        )
    }

    pub(crate) fn agents(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let Some(agents) = &self.agents else { return Ok(()) };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let ms = |spread: crate::stats::Spread| format!("{:.1} / {:.1}", spread.p50, spread.p99);
        let large = &agents.large;
        let much = format!("a script that writes {} MiB:", large.bytes >> 20);
        print(
            out,
            &[
                row(&format!("A: one agent, {} commands one by one", agents.rounds), "product".to_owned()),
                row("StartExecution to the script's first line p50 / p99 ms", ms(agents.first_line_ms)),
                row(&format!("floor: {} flushes and the script p50 / p99 ms", agents.flushes), ms(agents.floor_ms)),
                row("floor: one flush p50 / p99 ms", ms(agents.flush_ms)),
                row("floor: the script p50 / p99 ms", ms(agents.spawn_ms)),
                row("StartExecution to its end seen p50 / p99 ms", ms(agents.end_to_end_ms)),
                row(&format!("commands/s, {} at a time", agents.at_a_time), format!("{:.0}", agents.commands_per_s)),
                row("idle RSS MiB", format!("{:.1}", mib(agents.idle_memory.rss_kib))),
                row("idle, no file behind it, MiB", format!("{:.1}", mib(agents.idle_memory.anonymous_kib))),
                row("idle CPU, % of a processor", format!("{:.2}", agents.idle_cpu * 100.0)),
                row(&format!("{much} ended after s"), format!("{:.1}", large.ended_s)),
                row("  floor: into a file, s", format!("{:.1}", large.floor_s)),
                row("  all of it readable after s", format!("{:.1}", large.whole_s)),
                row("  first bytes readable after s", large.live_s.map_or("-".to_owned(), |s| format!("{s:.2}"))),
                row("  last bytes as written", if large.last_bytes_read { "yes" } else { "no" }.to_owned()),
                row("  server RSS at most MiB", format!("{:.1}", mib(large.server_peak_kib))),
                row("  agent RSS at most MiB", format!("{:.1}", mib(large.agent_peak_kib))),
                row("load average", format!("{:.2}", agents.load_average)),
            ],
        )
    }

    /// The goals, and whether they are met.
    pub(crate) fn goals(&self, out: &mut dyn Write) -> Result<(), Fault> {
        let mut table = vec![["goal number", "measure", "must", "measured", "verdict"].map(str::to_owned).to_vec()];
        for goal in goals(self) {
            let (measured, verdict) = match goal.result {
                Some((measured, Verdict::Met)) => (measured, "met"),
                Some((measured, Verdict::NotMet)) => (measured, "not met"),
                Some((measured, Verdict::TooFew)) => (measured, "too few to tell"),
                None => ("-".to_owned(), "not measured"),
            };
            table.push(vec![
                goal.item.to_owned(),
                goal.measure.to_owned(),
                goal.must.to_owned(),
                measured,
                verdict.to_owned(),
            ]);
        }
        print_left(out, &table)
    }

    pub(crate) fn write_json(&self, file: Option<&Path>) -> Result<(), Fault> {
        let Some(file) = file else { return Ok(()) };
        let text = serde_json::to_vec_pretty(self).map_err(|error| Fault::Report { source: error.into() })?;
        std::fs::write(file, text).map_err(|source| Fault::Report { source })
    }
}

fn heading(title: &str, runs: &[&Run]) -> Vec<String> {
    let names: Vec<&str> = runs.iter().map(|run| run.who.as_str()).collect();
    let names = match names.as_slice() {
        [_, "product", _] => vec!["ceiling before", "product", "ceiling after", "product/ceiling"],
        names => names.to_vec(),
    };
    std::iter::once(title).chain(names).map(str::to_owned).collect()
}

fn waiting(waiting: &Waiting) -> Vec<Vec<String>> {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    vec![
        vec![format!("W5: {} executions in one Wait", waiting.executions), "product".to_owned()],
        row("starts/s, 64 clients", format!("{:.0}", waiting.starts_per_s)),
        row("RSS before MiB", format!("{:.1}", mib(waiting.before.rss_kib))),
        row("RSS after MiB", format!("{:.1}", mib(waiting.after.rss_kib))),
        row("RSS per execution B", format!("{:.0}", waiting.rss_bytes_each())),
        row("PSS per execution B", format!("{:.0}", waiting.pss_bytes_each())),
        row("anonymous per execution B", format!("{:.0}", waiting.anonymous_bytes_each())),
        row("idle CPU, % of a processor", format!("{:.2}", waiting.idle_cpu * 100.0)),
        row("load average", format!("{:.2}", waiting.load_average)),
    ]
}

/// The first column to the left, figures to the right.
fn print(out: &mut dyn Write, table: &[Vec<String>]) -> Result<(), Fault> {
    let widths = widths(table);
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        cells.collect::<String>()
    };
    lines(out, &std::iter::once(String::new()).chain(table.iter().map(line)).collect::<Vec<_>>())
}

fn print_left(out: &mut dyn Write, table: &[Vec<String>]) -> Result<(), Fault> {
    let widths = widths(table);
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        cells.collect::<String>().trim_end().to_owned()
    };
    lines(out, &std::iter::once(String::new()).chain(table.iter().map(line)).collect::<Vec<_>>())
}

fn widths(table: &[Vec<String>]) -> Vec<usize> {
    let columns = table.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| table.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default();
    (0..columns).map(width).collect()
}

fn lines(out: &mut dyn Write, lines: &[String]) -> Result<(), Fault> {
    lines.iter().try_for_each(|line| writeln!(out, "{}", line.trim_end())).map_err(|source| Fault::Report { source })
}
