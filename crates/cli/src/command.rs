//! `dandori command …`

mod run;
mod words;

use std::time::Duration;

use api::{Code, Command, CommandCancel, Invocation, OutputEnd, OutputPiece, Verdict};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;

use crate::agents::changing;
use crate::args;
use crate::client::{Client, Stream, encoded};
use crate::execution::{is_yes, pages};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::table::{Cell, Table, Tone};
use crate::words::{Column, Say};
use words::Told;

pub async fn sent(client: &Client, out: &Out, command: args::Sent) -> Result<Exit, Fault> {
    match command {
        args::Sent::Run(asked) => run::run(client, out, *asked).await,
        args::Sent::Cancel(asked) => cancel(client, out, asked).await,
        args::Sent::List { limit } => {
            let (items, more) = pages::<Command>(client, "/commands", "", limit).await?;
            out.list(&items, commands, Say::NoCommands)?;
            if more {
                out.message(&out.say(Say::More { shown: items.len() }));
            }
            Ok(Exit::Ok)
        }
        args::Sent::Show { id } => {
            let command: Command = client.get(&path(&id)).await?;
            show(out, &command)?;
            Ok(Exit::Ok)
        }
        args::Sent::Output(asked) => output(client, out, asked).await,
    }
}

async fn cancel(client: &Client, out: &Out, asked: args::SentCancel) -> Result<Exit, Fault> {
    let args::SentCancel { id, instances, yes, how } = asked;
    let say = |told| words::text(told, out.look.lang);
    if !yes && !how.dry_run {
        let Some(answer) = out.ask(&say(Told::CancelQuestion { id: &id })) else {
            return Err(Fault::new(Code::Usage, "", say(Told::CancelNeedsYes)));
        };
        if !is_yes(&answer) {
            out.message(&say(Told::NotCancelled));
            return Ok(Exit::Usage);
        }
    }
    let body = CommandCancel { instances, change: changing(&how) };
    let command: Command = client.send(Method::POST, &format!("{}/cancel", path(&id)), &body).await?;
    if out.format != args::Format::Table {
        show(out, &command)?;
    }
    out.message(&say(if how.dry_run { Told::NothingChanged } else { Told::Cancelled { id: &id } }));
    Ok(Exit::Ok)
}

fn path(id: &str) -> String {
    format!("/commands/{}", encoded(id))
}

async fn output(client: &Client, out: &Out, asked: args::SentOutput) -> Result<Exit, Fault> {
    let instance = match &asked.instance {
        Some(instance) => instance.clone(),
        None => only_instance(client, out, &asked.id).await?,
    };
    let path = format!("/commands/{}/invocations/{}/output", encoded(&asked.id), encoded(&instance));
    let mut query = format!("stream={}", if asked.stderr { "stderr" } else { "stdout" });
    query += &asked.step.as_ref().map(|step| format!("&step={}", encoded(step))).unwrap_or_default();
    query += &asked.attempt.map(|attempt| format!("&attempt={attempt}")).unwrap_or_default();
    query += &asked.tail.map(|bytes| -bytes).or(asked.from).map(|from| format!("&from={from}")).unwrap_or_default();
    match asked.follow {
        true => follow_output(client, out, &format!("{path}/live?{query}")).await,
        false => {
            let mut download = client.download(&format!("{path}?{query}")).await?;
            while let Some(bytes) = download.next().await? {
                out.bytes(&bytes)?;
            }
            Ok(Exit::Ok)
        }
    }
}

async fn only_instance(client: &Client, out: &Out, id: &str) -> Result<String, Fault> {
    let command: Command = client.get(&path(id)).await?;
    match &*command.invocations {
        [one] => Ok(one.instance_id.clone()),
        several => {
            let names: Vec<_> = several.iter().map(|invocation| invocation.instance_id.as_str()).collect();
            let text = out.say(Say::WhichInstance { instances: &names.join(", ") });
            Err(Fault::new(Code::Ambiguous, id, text))
        }
    }
}

/// Shows an output to its end.
async fn follow_output(client: &Client, out: &Out, path: &str) -> Result<Exit, Fault> {
    let mut tail = Tail::new(client, path.to_owned());
    while let Some(bytes) = tail.next().await? {
        out.bytes(&bytes)?;
    }
    if tail.cut {
        out.message(&out.say(Say::OutputCut));
    }
    Ok(Exit::Ok)
}

/// An output as it grows, whatever becomes of connections on the way.
struct Tail<'c> {
    client: &'c Client,
    path: String,
    stream: Option<Stream>,
    last: Option<String>,
    /// How often it was tried since something came.
    tries: u32,
    cut: bool,
}

impl Tail<'_> {
    fn new(client: &Client, path: String) -> Tail<'_> {
        Tail { client, path, stream: None, last: None, tries: 0, cut: false }
    }

    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        const TRIES: u32 = 10;
        loop {
            let Some(stream) = &mut self.stream else {
                match self.client.stream(&self.path, self.last.as_deref()).await {
                    Ok(stream) => self.stream = Some(stream),
                    // Where it was once, it will be again; where it never was, somebody should know.
                    Err(fault) if self.last.is_none() || self.tries >= TRIES => return Err(fault),
                    Err(_) => self.pause().await,
                }
                continue;
            };
            let Some(message) = stream.next().await else {
                self.stream = None;
                self.pause().await;
                continue;
            };
            self.tries = 0;
            match &*message.kind {
                "output" => {
                    let piece: OutputPiece = read(&message.data)?;
                    let bytes = BASE64_STANDARD.decode(piece.data);
                    self.last = message.id.or(self.last.take());
                    return bytes.map(Some).map_err(|error| strange(&error.to_string()));
                }
                "end" => {
                    self.cut = read::<OutputEnd>(&message.data)?.cut;
                    return Ok(None);
                }
                _ => (),
            }
        }
    }

    async fn pause(&mut self) {
        self.tries += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn read<T: serde::de::DeserializeOwned>(data: &str) -> Result<T, Fault> {
    serde_json::from_str(data).map_err(|error| strange(&error.to_string()))
}

fn strange(why: &str) -> Fault {
    Fault::new(Code::AnswerStrange, "", why)
}

fn commands(items: &[Command]) -> Table {
    let mut table =
        Table::new([Column::Status, Column::Id, Column::Document, Column::Time, Column::Instance, Column::Comment]);
    table.rows.extend(items.iter().map(|item| {
        let instances: Vec<_> = item.invocations.iter().map(|invocation| invocation.instance_id.as_str()).collect();
        vec![
            Cell::Word(item.status.clone(), tone(&item.status)),
            Cell::text(&item.id),
            Cell::text(&item.document),
            Cell::Time(Some(item.requested)),
            Cell::text(instances.join(",")),
            Cell::text(&item.comment),
        ]
    }));
    table
}

fn show(out: &Out, command: &Command) -> Result<(), Fault> {
    out.one(command, || {
        let mut fields = vec![
            (Column::Status, Cell::Word(status(command).to_owned(), tone(&command.status))),
            (Column::Id, Cell::text(&command.id)),
            (Column::Document, Cell::text(&command.document)),
            (Column::Time, Cell::Time(Some(command.requested))),
            (Column::Comment, Cell::text(&command.comment)),
        ];
        command.invocations.iter().for_each(|invocation| fields.extend(of_invocation(invocation)));
        Table::fields(fields)
    })
}

/// As exact as the server said.
fn status(command: &Command) -> &str {
    if command.status_details.is_empty() { &command.status } else { &command.status_details }
}

fn of_invocation(invocation: &Invocation) -> Vec<(Column, Cell)> {
    let mut fields = vec![
        (Column::Instance, Cell::text(&invocation.instance_id)),
        (Column::Status, Cell::Word(invocation.status_details.clone(), tone(&invocation.status))),
    ];
    fields.extend(invocation.exit_code.map(|code| (Column::ExitCode, Cell::Number(code))));
    // What is normal needs no word.
    let told = invocation.verdict.filter(|verdict| *verdict != Verdict::Normal);
    fields.extend(told.map(|verdict| (Column::Verdict, Cell::text(verdict.name()))));
    fields.extend(invocation.error.as_ref().map(|error| (Column::Error, Cell::text(error))));
    fields.extend(invocation.cause.as_ref().map(|cause| (Column::Cause, Cell::text(cause))));
    fields.extend(invocation.attempts.iter().map(|attempt| {
        let ending = words::ending(&attempt.ending);
        (Column::Attempt, Cell::text(format!("{}  {ending}", attempt.number)))
    }));
    // One step is the invocation.
    let steps = if invocation.steps.len() > 1 { &*invocation.steps } else { &[] };
    fields.extend(steps.iter().map(|step| {
        let ending = words::ending(&step.ending);
        (Column::Step, Cell::text(format!("{}  {ending}", step.name)))
    }));
    fields.extend(invocation.delivery_problem.as_ref().map(|why| (Column::DeliveryProblem, Cell::text(why))));
    fields.extend(invocation.late.as_ref().map(|late| (Column::Late, Cell::text(words::ending(late)))));
    let outputs = [(Column::Stdout, &invocation.stdout), (Column::Stderr, &invocation.stderr)];
    let given = outputs
        .into_iter()
        .filter_map(|(column, text)| text.as_ref().filter(|text| !text.is_empty()).map(|text| (column, text)));
    fields.extend(given.map(|(column, text)| (column, Cell::text(text.trim_end()))));
    fields
}

fn tone(status: &str) -> Tone {
    match status {
        "Success" => Tone::Good,
        "Failed" | "TimedOut" => Tone::Bad,
        "InProgress" => Tone::Busy,
        "Pending" | "Delayed" => Tone::Waiting,
        _ => Tone::Over,
    }
}
