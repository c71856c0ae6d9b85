//! `dandori execution …`

use api::{Event, Execution, ExecutionSummary, Page, Progress, StateProgress};
use base::arn::ExpressArn;
use base::{Json, Timestamp};
use hyper::Method;
use serde::Serialize;

use crate::args::{self, Follow, Format};
use crate::client::{Client, encoded};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ids::{self, execution_path};
use crate::output::Out;
use crate::table::{Cell, Fields, Look, Table};
use crate::watch::{self, Show, Title};
use crate::words::{Column, Say};

const EVENTS_PAGE: u32 = 1000;

pub async fn run(client: &Client, out: &Out, command: args::Execution) -> Result<Exit, Fault> {
    match command {
        args::Execution::List(command) => list(client, out, command).await,
        args::Execution::Show { id } => show(client, out, &id).await,
        args::Execution::Watch(command) => watch(client, out, command).await,
        args::Execution::History(command) => history(client, out, command).await,
        args::Execution::Start(command) => start(client, out, command).await,
        args::Execution::Stop(command) => stop(client, out, command).await,
    }
}

async fn list(client: &Client, out: &Out, command: args::ExecutionList) -> Result<Exit, Fault> {
    let mut query = String::new();
    if let Some(status) = command.status {
        query += &format!("&status={}", api::Status::from(status).name());
    }
    if let Some(definition) = command.definition {
        query += &format!("&definition={}", encoded(&definition));
    }
    let (items, more) = pages::<ExecutionSummary>(client, "/executions", &query, command.limit).await?;
    out.list(&items, executions, Say::NoExecutions)?;
    if more {
        out.message(&out.say(Say::More { shown: items.len() }));
    }
    Ok(Exit::Ok)
}

/// Up to `limit` items of a list, and whether there are more.
pub async fn pages<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
    query: &str,
    limit: u32,
) -> Result<(Vec<T>, bool), Fault> {
    let (mut items, mut token) = (Vec::<T>::new(), String::new());
    loop {
        let left = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let page: Page<T> = client.get(&format!("{path}?limit={}{query}{token}", left.min(api::PAGE_MAX))).await?;
        items.extend(page.items);
        match page.next {
            Some(next) if items.len() < limit as usize => token = format!("&token={}", encoded(&next)),
            next => return Ok((items, next.is_some())),
        }
    }
}

fn executions(items: &[ExecutionSummary]) -> Table {
    let mut table = Table::new([Column::Status, Column::Definition, Column::Name, Column::Start, Column::Duration]);
    table.rows.extend(items.iter().map(|item| {
        let took = item.stopped.unwrap_or_else(watch::now).0 - item.started.0;
        vec![
            Cell::Status(item.status),
            Cell::text(&item.definition),
            Cell::text(&item.name),
            Cell::Time(Some(item.started)),
            Cell::Length(Some(took)),
        ]
    }));
    table
}

async fn show(client: &Client, out: &Out, id: &str) -> Result<Exit, Fault> {
    let arn = ids::execution(client, id, out.look.lang).await?;
    let execution: Execution = client.get(&execution_path(&arn)).await?;
    let states = client.get::<Page<StateProgress>>(&format!("{}/states", execution_path(&arn))).await?.items;
    let shown = Shown { execution, states };
    match out.format {
        Format::Table => out.data(&shown.aligned(watch::now(), &out.look))?,
        Format::Tsv => out.data(&shown.tabbed(watch::now()))?,
        Format::Json => out.json(&shown)?,
        Format::Jsonl => out.json_line(&shown)?,
    }
    Ok(Exit::Ok)
}

/// An execution with its states.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    execution: Execution,
    states: Vec<StateProgress>,
}

impl Shown {
    fn aligned(&self, now: Timestamp, look: &Look) -> String {
        let fields = fields(&self.execution, Format::Table, now).aligned(look);
        let states = watch::whole(&self.states, now, look);
        if states.is_empty() { fields } else { fields + "\n" + &states }
    }

    /// The fields, then each state: `state`, its status, path, entry, seconds, attempt and error.
    fn tabbed(&self, now: Timestamp) -> String {
        let states = states(&self.states, now).tabbed(false);
        let states: String = states.lines().map(|line| format!("{}\t{line}\n", Column::State.key())).collect();
        fields(&self.execution, Format::Tsv, now).tabbed() + &states
    }
}

/// People get the gist of a cause, programs get all of it.
fn fields(execution: &Execution, format: Format, now: Timestamp) -> Fields {
    let Execution { summary, input, output, error, cause } = execution;
    let mut fields = vec![
        (Column::Status, Cell::Status(summary.status)),
        (Column::Definition, Cell::text(&summary.definition)),
        (Column::Name, Cell::text(&summary.name)),
        (Column::Arn, Cell::text(&summary.arn)),
        (Column::Start, Cell::Time(Some(summary.started))),
        (Column::End, Cell::Time(summary.stopped)),
        (Column::Duration, Cell::Length(Some(summary.stopped.unwrap_or(now).0 - summary.started.0))),
        (Column::Input, Cell::text(input.to_string())),
    ];
    fields.extend(output.as_ref().map(|output| (Column::Output, Cell::text(output.to_string()))));
    fields.extend(error.as_ref().map(|error| (Column::Error, Cell::text(error))));
    let causes = match format {
        Format::Table => watch::reasons(None, cause.as_deref()),
        Format::Tsv | Format::Json | Format::Jsonl => cause.iter().cloned().collect(),
    };
    fields.extend(causes.into_iter().map(|line| (Column::Cause, Cell::text(line))));
    Table::fields(fields)
}

fn states(states: &[StateProgress], now: Timestamp) -> Table {
    let mut table =
        Table::new([Column::Status, Column::State, Column::Start, Column::Duration, Column::Attempt, Column::Error]);
    table.rows.extend(states.iter().map(|state| {
        vec![
            Cell::State(state.status),
            Cell::text(&state.path),
            Cell::Time(Some(state.entered)),
            Cell::Length(Some(state.left.unwrap_or(now).0 - state.entered.0)),
            Cell::Number(state.attempt.into()),
            Cell::text(state.error.as_deref().unwrap_or_default()),
        ]
    }));
    table
}

async fn watch(client: &Client, out: &Out, command: args::ExecutionWatch) -> Result<Exit, Fault> {
    let arn = ids::execution(client, &command.id, out.look.lang).await?;
    let execution: Execution = client.get(&execution_path(&arn)).await?;
    watch::follow(client, out, &Title::of(&execution.summary), &command.follow, Show::of(out)).await
}

/// All events of an execution, oldest first, each with the state that it belongs to.
async fn events(client: &Client, arn: &str, query: &str) -> Result<Vec<Event>, Fault> {
    let path = format!("{}/events", execution_path(arn));
    let (mut events, mut token, mut progress) = (vec![], String::new(), Progress::default());
    loop {
        let page: Page<Event> = client.get(&format!("{path}?limit={EVENTS_PAGE}{query}{token}")).await?;
        for mut event in page.items {
            let before = progress.current(event.frame).map(|state| state.name.clone());
            progress.apply(&event);
            // A later page does not know what an earlier one showed.
            event.state = event.state.or(before);
            events.push(event);
        }
        match page.next {
            Some(next) => token = format!("&token={}", encoded(&next)),
            None => return Ok(events),
        }
    }
}

async fn history(client: &Client, out: &Out, command: args::ExecutionHistory) -> Result<Exit, Fault> {
    let arn = ids::execution(client, &command.id, out.look.lang).await?;
    let mut events = events(client, &arn, if command.data { "&data=true" } else { "" }).await?;
    events.retain(|event| command.all || event.id != 0);
    if command.reverse {
        events.reverse();
    }
    out.list(&events, |events| history_table(events, out, command.data), Say::NoExecutions)?;
    Ok(Exit::Ok)
}

fn history_table(events: &[Event], out: &Out, with_data: bool) -> Table {
    let mut columns = vec![Column::Id, Column::Time, Column::Event, Column::State, Column::Detail];
    columns.extend(with_data.then_some(Column::Data));
    let mut table = Table::new(columns);
    table.rows.extend(events.iter().map(|event| {
        let mut row = vec![
            if event.id == 0 { Cell::text("-") } else { Cell::Number(event.id.cast_signed()) },
            Cell::Time(Some(event.at)),
            Cell::text(&event.kind),
            Cell::text(event.state.as_deref().unwrap_or("-")),
            Cell::text(detail(event, out)),
        ];
        row.extend(with_data.then(|| Cell::text(event.detail.data.as_ref().map_or(String::new(), Json::to_string))));
        row
    }));
    table
}

fn detail(event: &Event, out: &Out) -> String {
    let detail = &event.detail;
    let failure = match (&detail.error, &detail.cause) {
        (Some(error), Some(cause)) => Some(format!("{error}: {cause}")),
        (error, cause) => error.clone().or_else(|| cause.clone()),
    };
    let parts = [
        detail.resource.clone(),
        failure,
        detail.due.map(|due| out.say(Say::Until { time: &out.look.clock.time(due) })),
        detail.index.map(|number| out.say(Say::Index { number })),
        detail.length.map(|number| out.say(Say::Items { number })),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

async fn start(client: &Client, out: &Out, command: args::ExecutionStart) -> Result<Exit, Fault> {
    let input = command.input.as_deref().map(input).transpose()?;
    let body = api::ExecutionStart { definition: command.definition, name: command.name, input };
    let started: ExecutionSummary = client.send(Method::POST, "/executions", &body).await?;
    let name = &started.name;
    if ExpressArn::parse(&started.arn).is_some() {
        return express(out, &started, command.watch || command.wait);
    }
    if command.watch {
        out.message(&out.say(Say::Started { name }));
        return watch::follow(client, out, &Title::of(&started), &command.follow, Show::of(out)).await;
    }
    if command.wait {
        return wait(client, out, &started, &command.follow).await;
    }
    out.one(&started, || begun(&started))?;
    out.message(&out.say(Say::HowToWatch { id: &Title::of(&started).id() }));
    Ok(Exit::Ok)
}

/// It has begun, and nobody can ask what became of it (Developer Guide, "Choosing workflow type"): whoever wanted to
/// know that is told so.
fn express(out: &Out, started: &ExecutionSummary, follow: bool) -> Result<Exit, Fault> {
    out.one(started, || begun(started))?;
    out.message(&out.say(Say::ExpressIsNotFollowed { definition: &started.definition }));
    Ok(if follow { Exit::Unreachable } else { Exit::Ok })
}

fn begun(started: &ExecutionSummary) -> Fields {
    Table::fields(vec![
        (Column::Status, Cell::Status(started.status)),
        (Column::Name, Cell::text(&started.name)),
        (Column::Arn, Cell::text(&started.arn)),
    ])
}

async fn wait(client: &Client, out: &Out, started: &ExecutionSummary, follow: &Follow) -> Result<Exit, Fault> {
    let exit = watch::follow(client, out, &Title::of(started), follow, Show::Nothing).await?;
    let execution: Execution = client.get(&execution_path(&started.arn)).await?;
    out.one(&execution, || fields(&execution, out.format, watch::now()))?;
    Ok(exit)
}

/// JSON as it was typed, `@FILE` or `-`.
fn input(text: &str) -> Result<String, Fault> {
    match text.strip_prefix('@') {
        Some(file) => read_file(file),
        None if text == "-" => read_file("-"),
        None => Ok(text.to_owned()),
    }
}

/// The text of a file, or of standard input for `-`.
pub fn read_file(path: &str) -> Result<String, Fault> {
    let read = if path == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    read.map_err(|error| Fault::new(api::Code::FileUnreadable, path, error.to_string()))
}

/// What people type when they mean it.
pub fn is_yes(answer: &str) -> bool {
    ["y", "Y", "yes", "はい"].contains(&answer)
}

async fn stop(client: &Client, out: &Out, command: args::ExecutionStop) -> Result<Exit, Fault> {
    let arn = ids::execution(client, &command.id, out.look.lang).await?;
    let execution: Execution = client.get(&execution_path(&arn)).await?;
    let (name, definition) = (&execution.summary.name, &execution.summary.definition);
    if !command.yes {
        let question = out.say(Say::StopQuestion { name, definition });
        let Some(answer) = out.ask(&question) else {
            return Err(Fault::new(api::Code::Usage, "", out.say(Say::StopNeedsYes)));
        };
        if !is_yes(&answer) {
            out.message(&out.say(Say::NotStopped));
            return Ok(Exit::Usage);
        }
    }
    let body = api::ExecutionStop { error: command.error, cause: command.cause };
    let stopped: ExecutionSummary = client.send(Method::POST, &format!("{}/stop", execution_path(&arn)), &body).await?;
    out.message(&out.say(Say::Stopped { name: &stopped.name }));
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;
    use crate::time::Clock;
    use expect_test::expect;

    const NOW: Timestamp = Timestamp(1_795_402_900_000);

    fn shown() -> Shown {
        let execution = r#"{"arn":"arn:e","name":"夜間-1","definition":"backup-net","definition_arn":"arn:m",
            "status":"failed","started":"2026-11-23T03:00:00Z","stopped":"2026-11-23T03:00:09Z","input":{"a":1},
            "error":"Agent.ExitCode","cause":"{\"Command\":{},\"CommandInvocations\":[{\"InstanceId\":\"mi-2\",\"Status\":\"Failed\",\"Cause\":\"script exited with 1\",\"StandardErrorContent\":\"disk full\"}]}"}"#;
        let states = r#"[
            {"path":"両方","name":"両方","type":"Parallel","frame":0,"depth":0,"status":"failed","attempt":0,
             "entered":"2026-11-23T03:00:00Z","left":"2026-11-23T03:00:09Z"},
            {"path":"両方/0/web","name":"web","type":"Task","frame":1,"depth":1,"parent":0,"status":"stopped","attempt":1,
             "entered":"2026-11-23T03:00:00Z","left":"2026-11-23T03:00:09Z"},
            {"path":"両方/1/db","name":"db","type":"Task","frame":2,"depth":1,"parent":0,"status":"failed","attempt":2,
             "entered":"2026-11-23T03:00:00Z","left":"2026-11-23T03:00:08.5Z","error":"Agent.ExitCode"}]"#;
        Shown {
            execution: serde_json::from_str(execution).expect("an execution"),
            states: serde_json::from_str(states).expect("states"),
        }
    }

    #[test]
    fn people_see_the_states_and_the_gist_of_a_cause() {
        let look = Look { lang: Lang::En, colour: false, headers: true, clock: Clock::utc() };
        expect![[r#"
            STATUS      ✗ Failed
            DEFINITION  backup-net
            NAME        夜間-1
            ARN         arn:e
            START       2026-11-23 03:00:00
            END         2026-11-23 03:00:09
            TIME        9.0s
            INPUT       {"a":1}
            ERROR       Agent.ExitCode
            CAUSE       mi-2: script exited with 1
                        | disk full

              ✗ Failed   両方   03:00:00    9.0s
              ▪ Stopped    web  03:00:00    9.0s
              ✗ Failed     db   03:00:00    8.5s  attempt 2  Agent.ExitCode
        "#]]
        .assert_eq(&shown().aligned(NOW, &look));
    }

    #[test]
    fn programs_get_a_line_for_each_state_and_the_whole_cause() {
        expect![[r#"
            status	failed
            definition	backup-net
            name	夜間-1
            arn	arn:e
            started	2026-11-23T03:00:00.000Z
            stopped	2026-11-23T03:00:09.000Z
            seconds	9.000
            input	{"a":1}
            error	Agent.ExitCode
            cause	{"Command":{},"CommandInvocations":[{"InstanceId":"mi-2","Status":"Failed","Cause":"script exited with 1","StandardErrorContent":"disk full"}]}
            state	failed	両方	2026-11-23T03:00:00.000Z	9.000	0	
            state	stopped	両方/0/web	2026-11-23T03:00:00.000Z	9.000	1	
            state	failed	両方/1/db	2026-11-23T03:00:00.000Z	8.500	2	Agent.ExitCode
        "#]].assert_eq(&shown().tabbed(NOW));
        let json = serde_json::to_value(shown()).expect("a text");
        assert_eq!((&json["name"], &json["states"][1]["path"]), (&"夜間-1".into(), &"両方/0/web".into()));
    }
}
