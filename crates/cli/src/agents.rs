//! `dandori instance …`, `dandori name …` and `dandori group …`: agents as operators see and set them.

pub mod words;

use api::Code;
use api::agents::{
    Agent, AgentDetail, AgentGroup, AgentGroupPut, AgentGroupSet, AgentLimit, AgentName, AgentNamePut, AgentNameSet,
    Change, GroupMember, GroupPolicy, Restriction,
};
use hyper::Method;
use serde::Serialize;

use crate::args::{self, Bounds, Format, How};
use crate::client::{Client, encoded};
use crate::execution::pages;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;
use crate::table::{Cell, Fields, Table};
use crate::words::{Column, Say};
use words::Told;

/// What one list shows.
const LISTED_MAX: u32 = 10_000;

const PRIORITY_HIGHEST: u8 = 16;

pub async fn instance(client: &Client, out: &Out, command: args::Instance) -> Result<Exit, Fault> {
    match command {
        args::Instance::List => {
            let (items, _) = pages::<Agent>(client, "/agents", "", LISTED_MAX).await?;
            out.list(&items, agents, Say::NoInstances)?;
            for agent in items.iter().filter(|agent| agent.suspended) {
                out.message(&words::text(Told::Suspended(&agent.id), out.look.lang));
            }
        }
        args::Instance::Show { agent } => {
            let detail: AgentDetail = client.get(&path(&agent)).await?;
            out.one(&detail, || shown(&detail, out))?;
        }
        args::Instance::Drain(args::InstanceChange { agent, how }) => {
            let detail = change(client, &format!("{}/drain", path(&agent)), &how).await?;
            done(out, &how, Told::Drained(&agent), &detail, || shown(&detail, out))?;
        }
        args::Instance::Resume(args::InstanceChange { agent, how }) => {
            let detail = change(client, &format!("{}/resume", path(&agent)), &how).await?;
            done(out, &how, Told::Resumed(&agent), &detail, || shown(&detail, out))?;
        }
        args::Instance::Limit(args::InstanceLimit { agent, jobs, unset: _, how }) => {
            let body = AgentLimit { limit: jobs, change: changing(&how) };
            let detail: AgentDetail = client.send(Method::PUT, &format!("{}/limit", path(&agent)), &body).await?;
            done(out, &how, Told::Limited(&agent, jobs), &detail, || shown(&detail, out))?;
        }
        args::Instance::Remove(args::InstanceRemove { agent, yes, how }) => {
            return remove(client, out, &agent, yes, &how).await;
        }
    }
    Ok(Exit::Ok)
}

async fn change(client: &Client, path: &str, how: &How) -> Result<AgentDetail, Fault> {
    client.send(Method::POST, path, &changing(how)).await
}

async fn remove(client: &Client, out: &Out, agent: &str, yes: bool, how: &How) -> Result<Exit, Fault> {
    if !yes && !how.dry_run {
        let Some(answer) = out.ask(&words::text(Told::RemoveQuestion(agent), out.look.lang)) else {
            return Err(Fault::new(Code::Usage, "", words::text(Told::RemoveNeedsYes, out.look.lang)));
        };
        if !["y", "Y", "yes", "はい"].contains(&answer.as_str()) {
            out.message(&words::text(Told::NotRemoved, out.look.lang));
            return Ok(Exit::Usage);
        }
    }
    client.delete(&format!("{}{}", path(agent), query(how))).await?;
    told(out, how, Told::Removed(agent));
    Ok(Exit::Ok)
}

pub async fn name(client: &Client, out: &Out, command: args::Name) -> Result<Exit, Fault> {
    match command {
        args::Name::List => {
            let (items, _) = pages::<AgentName>(client, "/agent-names", "", LISTED_MAX).await?;
            out.list(&items, names, Say::NoAgentNames)?;
        }
        args::Name::Set(command) => name_set(client, out, command).await?,
        args::Name::Delete(args::Named { name, how }) => {
            client.delete(&format!("/agent-names/{}{}", encoded(&name), query(&how))).await?;
            told(out, &how, Told::NameDeleted(&name));
        }
    }
    Ok(Exit::Ok)
}

async fn name_set(client: &Client, out: &Out, command: args::NameSet) -> Result<(), Fault> {
    let args::NameSet { name, instance, restriction, bounds, how } = command;
    let path = format!("/agent-names/{}", encoded(&name));
    let before = match client.get::<AgentName>(&path).await {
        Ok(known) => known.set,
        Err(fault) => match &instance {
            Some(instance_id) if is(&fault, Code::AgentNameNotFound) => AgentNameSet {
                instance_id: instance_id.clone(),
                description: String::new(),
                limit: None,
                restriction: Restriction::Effective,
            },
            Some(_) | None => return Err(fault),
        },
    };
    let set = AgentNameSet {
        instance_id: instance.unwrap_or(before.instance_id),
        restriction: restriction.map_or(before.restriction, Restriction::from),
        limit: limit(&bounds, before.limit),
        description: bounds.description.unwrap_or(before.description),
    };
    let put: AgentName = client.send(Method::PUT, &path, &AgentNamePut { set, change: changing(&how) }).await?;
    done(out, &how, Told::NameSet(&name), &put, || {
        Table::fields([
            (Column::Name, Cell::text(&put.name)),
            (Column::Instance, Cell::text(&put.set.instance_id)),
            (Column::Restriction, Cell::text(put.set.restriction.name())),
            (Column::Limit, number(put.set.limit)),
            (Column::Comment, Cell::text(&put.set.description)),
        ])
    })
}

pub async fn group(client: &Client, out: &Out, command: args::Group) -> Result<Exit, Fault> {
    match command {
        args::Group::List => {
            let (items, _) = pages::<AgentGroup>(client, "/agent-groups", "", LISTED_MAX).await?;
            out.list(&items, groups, Say::NoAgentGroups)?;
        }
        args::Group::Show { name } => {
            let group: AgentGroup = client.get(&group_path(&name)).await?;
            out.one(&group, || group_fields(&group))?;
        }
        args::Group::Put(command) => group_put(client, out, command).await?,
        args::Group::Delete(args::Named { name, how }) => {
            client.delete(&format!("{}{}", group_path(&name), query(&how))).await?;
            told(out, &how, Told::GroupDeleted(&name));
        }
    }
    Ok(Exit::Ok)
}

async fn group_put(client: &Client, out: &Out, command: args::GroupPut) -> Result<(), Fault> {
    let args::GroupPut { name, members, policy, bounds, how } = command;
    let before = match client.get::<AgentGroup>(&group_path(&name)).await {
        Ok(known) => known.set,
        Err(fault) if is(&fault, Code::AgentGroupNotFound) => {
            AgentGroupSet { description: String::new(), members: vec![], policy: GroupPolicy::Balance, limit: None }
        }
        Err(fault) => return Err(fault),
    };
    let set = AgentGroupSet {
        members: if members.is_empty() { before.members } else { members.iter().map(|text| member(text)).collect() },
        policy: policy.map_or(before.policy, GroupPolicy::from),
        limit: limit(&bounds, before.limit),
        description: bounds.description.unwrap_or(before.description),
    };
    let body = AgentGroupPut { set, change: changing(&how) };
    let put: AgentGroup = client.send(Method::PUT, &group_path(&name), &body).await?;
    done(out, &how, Told::GroupPut(&name), &put, || group_fields(&put))
}

/// `AGENT` or `AGENT:PRIORITY`; names have no colon.
fn member(text: &str) -> GroupMember {
    let (agent, priority) = text.split_once(':').unwrap_or((text, ""));
    // What is no number is none that the server takes.
    let priority = if priority.is_empty() { PRIORITY_HIGHEST } else { priority.parse().unwrap_or(0) };
    GroupMember { agent: agent.to_owned(), priority }
}

fn limit(bounds: &Bounds, before: Option<u32>) -> Option<u32> {
    if bounds.no_limit { None } else { bounds.jobs.or(before) }
}

fn is(fault: &Fault, code: Code) -> bool {
    matches!(fault, Fault::Error(error) if error.code == code)
}

fn path(agent: &str) -> String {
    format!("/agents/{}", encoded(agent))
}

fn group_path(name: &str) -> String {
    format!("/agent-groups/{}", encoded(name))
}

/// How a change is asked for.
pub fn changing(how: &How) -> Change {
    Change { reason: how.reason.clone().unwrap_or_default(), dry_run: how.dry_run }
}

fn query(how: &How) -> String {
    format!("?dry_run={}&reason={}", how.dry_run, encoded(how.reason.as_deref().unwrap_or_default()))
}

/// People are told that it is done; programs get what has become of it.
fn done<T: Serialize>(
    out: &Out,
    how: &How,
    what: Told<'_>,
    item: &T,
    fields: impl FnOnce() -> Fields,
) -> Result<(), Fault> {
    if out.format != Format::Table {
        out.one(item, fields)?;
    }
    told(out, how, what);
    Ok(())
}

fn told(out: &Out, how: &How, what: Told<'_>) {
    let what = if how.dry_run { Told::NothingChanged } else { what };
    out.message(&words::text(what, out.look.lang));
}

fn agents(items: &[Agent]) -> Table {
    let mut table = Table::new([
        Column::Status,
        Column::Instance,
        Column::Name,
        Column::AgentNames,
        Column::Groups,
        Column::Running,
        Column::Limit,
        Column::Queued,
        Column::Platform,
        Column::Address,
        Column::Agent,
        Column::LastPing,
    ]);
    table.rows.extend(items.iter().map(|item| {
        vec![
            Cell::Agent(item.status),
            Cell::text(&item.id),
            Cell::text(&item.name),
            Cell::text(item.names.join(",")),
            Cell::text(item.groups.join(",")),
            Cell::Number(item.running.into()),
            number(item.limit),
            Cell::Number(item.queued.into()),
            Cell::text(&item.platform),
            Cell::text(&item.ip_address),
            Cell::text(&item.agent_version),
            Cell::Time(Some(item.last_heard)),
        ]
    }));
    table
}

fn shown(detail: &AgentDetail, out: &Out) -> Fields {
    let agent = &detail.agent;
    let tags: Vec<_> = agent.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut fields = vec![
        (Column::Status, Cell::Agent(agent.status)),
        (Column::Instance, Cell::text(&agent.id)),
        (Column::Name, Cell::text(&agent.name)),
        (Column::AgentNames, Cell::text(agent.names.join(","))),
        (Column::Groups, Cell::text(agent.groups.join(","))),
        (Column::Tags, Cell::text(tags.join(","))),
        (Column::Computer, Cell::text(&agent.computer_name)),
        (Column::Platform, Cell::text(&agent.platform)),
        (Column::Address, Cell::text(&agent.ip_address)),
        (Column::Agent, Cell::text(&agent.agent_version)),
        (Column::LastPing, Cell::Time(Some(agent.last_heard))),
        (Column::Running, Cell::Number(agent.running.into())),
        (Column::Limit, number(agent.limit)),
        (Column::Queued, Cell::Number(agent.queued.into())),
    ];
    let drained = agent.drained.as_ref().map(|drained| (Column::Reason, Cell::text(&drained.reason)));
    let suspended = || Cell::text(words::text(Told::Suspended(&agent.id), out.look.lang));
    fields.extend(agent.suspended.then(|| (Column::Reason, suspended())));
    fields.extend(drained.filter(|_| agent.drained.as_ref().is_some_and(|drained| !drained.reason.is_empty())));
    fields.extend(detail.pending.iter().map(|pending| {
        let why = words::why(&pending.why, &out.look);
        (Column::Waits, Cell::text(format!("{}  {}  {why}", pending.command, pending.document)))
    }));
    fields.extend(detail.more.then(|| (Column::Waits, Cell::text("..."))));
    Table::fields(fields)
}

fn names(items: &[AgentName]) -> Table {
    let mut table = Table::new([Column::Name, Column::Instance, Column::Restriction, Column::Limit, Column::Comment]);
    table.rows.extend(items.iter().map(|item| {
        vec![
            Cell::text(&item.name),
            Cell::text(&item.set.instance_id),
            Cell::text(item.set.restriction.name()),
            number(item.set.limit),
            Cell::text(&item.set.description),
        ]
    }));
    table
}

fn groups(items: &[AgentGroup]) -> Table {
    let mut table = Table::new([Column::Name, Column::Policy, Column::Limit, Column::Members, Column::Comment]);
    table.rows.extend(items.iter().map(|item| {
        vec![
            Cell::text(&item.name),
            Cell::text(item.set.policy.name()),
            number(item.set.limit),
            Cell::text(members(item).join(",")),
            Cell::text(&item.set.description),
        ]
    }));
    table
}

fn group_fields(group: &AgentGroup) -> Fields {
    let mut fields = vec![
        (Column::Name, Cell::text(&group.name)),
        (Column::Policy, Cell::text(group.set.policy.name())),
        (Column::Limit, number(group.set.limit)),
        (Column::Comment, Cell::text(&group.set.description)),
    ];
    fields.extend(members(group).into_iter().map(|member| (Column::Members, Cell::text(member))));
    Table::fields(fields)
}

/// As they are typed.
fn members(group: &AgentGroup) -> Vec<String> {
    group.set.members.iter().map(|member| format!("{}:{}", member.agent, member.priority)).collect()
}

fn number(number: Option<u32>) -> Cell {
    number.map_or_else(|| Cell::text(""), |number| Cell::Number(number.into()))
}
