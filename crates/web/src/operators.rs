//! Agents as operators see and set them: their list, drain and limits, logical names, groups.

use api::Page;
use api::agents::{
    Agent, AgentDetail, AgentGroup, AgentGroupPut, AgentGroupSet, AgentLimit, AgentName, AgentNamePut, AgentNameSet,
    AgentStatus, Change, Drained, GroupMember, GroupPolicy, Pending, Restriction, Why,
};
use axum::Json;
use axum::extract::State as Extracted;
use base::Caller;
use runtime::Runtime;
use runtime::directories::Changing;
use runtime::directory;
use runtime::overview::{self, AgentView};

use crate::State;
use crate::extract::{Asked, Body, Name, Paging, Who};
use crate::refusal::{Answer, Refused};
use crate::wire::page;

pub(crate) async fn agents(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<Agent>> {
    let paged = state.runtime.agent_list(&caller, paging.page()).await?;
    Ok(Json(page(paged, agent)))
}

pub(crate) async fn show(state: Extracted<State>, Who(caller): Who, Name(id): Name) -> Answer<AgentDetail> {
    detail(&state.runtime, &caller, &id).await
}

pub(crate) async fn drain(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(change): Body<Change>,
) -> Answer<AgentDetail> {
    state.runtime.agent_drain(&caller, &id, changing(change)).await?;
    detail(&state.runtime, &caller, &id).await
}

pub(crate) async fn resume(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(change): Body<Change>,
) -> Answer<AgentDetail> {
    state.runtime.agent_resume(&caller, &id, changing(change)).await?;
    detail(&state.runtime, &caller, &id).await
}

pub(crate) async fn limit(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(body): Body<AgentLimit>,
) -> Answer<AgentDetail> {
    state.runtime.agent_limit(&caller, &id, body.limit, changing(body.change)).await?;
    detail(&state.runtime, &caller, &id).await
}

pub(crate) async fn remove(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Asked(change): Asked<Change>,
) -> Answer<serde_json::Value> {
    state.runtime.agent_remove(&caller, &id, changing(change)).await?;
    done()
}

pub(crate) async fn names(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<AgentName>> {
    let paged = state.runtime.agent_name_list(&caller, paging.page()).await?;
    Ok(Json(page(paged, name)))
}

pub(crate) async fn name_show(state: Extracted<State>, Who(caller): Who, Name(id): Name) -> Answer<AgentName> {
    Ok(Json(name(state.runtime.agent_name(&caller, &id).await?)))
}

pub(crate) async fn name_put(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(put): Body<AgentNamePut>,
) -> Answer<AgentName> {
    let set = put.set;
    let wanted = directory::Name {
        name: id.into(),
        instance_id: set.instance_id.into(),
        description: set.description,
        concurrency_max: set.limit,
        restriction: match set.restriction {
            Restriction::Effective => directory::Restriction::Effective,
            Restriction::Ineffective => directory::Restriction::Ineffective,
            Restriction::Hold => directory::Restriction::Hold,
            Restriction::Blockade => directory::Restriction::Blockade,
        },
    };
    Ok(Json(name(state.runtime.agent_name_put(&caller, wanted, changing(put.change)).await?)))
}

pub(crate) async fn name_remove(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Asked(change): Asked<Change>,
) -> Answer<serde_json::Value> {
    state.runtime.agent_name_delete(&caller, &id, changing(change)).await?;
    done()
}

pub(crate) async fn groups(
    state: Extracted<State>,
    Who(caller): Who,
    Asked(paging): Asked<Paging>,
) -> Answer<Page<AgentGroup>> {
    let paged = state.runtime.agent_group_list(&caller, paging.page()).await?;
    Ok(Json(page(paged, group)))
}

pub(crate) async fn group_show(state: Extracted<State>, Who(caller): Who, Name(id): Name) -> Answer<AgentGroup> {
    Ok(Json(group(state.runtime.agent_group(&caller, &id).await?)))
}

pub(crate) async fn group_put(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Body(put): Body<AgentGroupPut>,
) -> Answer<AgentGroup> {
    let set = put.set;
    let member = |member: GroupMember| directory::Member { agent: member.agent.into(), priority: member.priority };
    let wanted = directory::Group {
        name: id.into(),
        description: set.description,
        members: set.members.into_iter().map(member).collect(),
        policy: match set.policy {
            GroupPolicy::Balance => directory::Policy::Balance,
            GroupPolicy::Failover => directory::Policy::Failover,
            GroupPolicy::All => directory::Policy::All,
        },
        concurrency_max: set.limit,
    };
    Ok(Json(group(state.runtime.agent_group_put(&caller, wanted, changing(put.change)).await?)))
}

pub(crate) async fn group_remove(
    state: Extracted<State>,
    Who(caller): Who,
    Name(id): Name,
    Asked(change): Asked<Change>,
) -> Answer<serde_json::Value> {
    state.runtime.agent_group_delete(&caller, &id, changing(change)).await?;
    done()
}

fn done() -> Answer<serde_json::Value> {
    Ok(Json(serde_json::json!({})))
}

fn changing(change: Change) -> Changing {
    Changing { reason: change.reason, dry_run: change.dry_run }
}

async fn detail(runtime: &Runtime, caller: &Caller, id: &str) -> Answer<AgentDetail> {
    let view = runtime.agent(caller, id).await?;
    let (waits, more) = runtime.agent_pending(caller, &view).await.map_err(Refused::from)?;
    Ok(Json(AgentDetail { agent: agent(view), pending: waits.into_iter().map(pending).collect(), more }))
}

fn agent(view: AgentView) -> Agent {
    let texts = |names: Vec<std::sync::Arc<str>>| names.iter().map(|name| name.to_string()).collect();
    let instance = view.instance;
    Agent {
        status: match view.status {
            overview::AgentStatus::Up => AgentStatus::Up,
            overview::AgentStatus::Stale => AgentStatus::Stale,
            overview::AgentStatus::Draining => AgentStatus::Draining,
            overview::AgentStatus::Lost => AgentStatus::Lost,
            overview::AgentStatus::Suspended => AgentStatus::Suspended,
        },
        names: texts(view.names),
        groups: texts(view.groups),
        running: view.running,
        queued: view.queued,
        limit: view.limit,
        limit_set: view.limit_set,
        drained: view.drained.map(|drained| Drained { since: drained.at, reason: drained.reason }),
        held_by: view.held_by.map(|name| name.to_string()),
        id: instance.instance_id,
        name: instance.name,
        tags: instance.tags.into_iter().collect(),
        computer_name: instance.computer_name,
        platform_type: instance.platform_type,
        platform: format!("{} {}", instance.platform_name, instance.platform_version).trim().to_owned(),
        agent_version: instance.agent_version,
        ip_address: instance.ip_address,
        suspended: instance.suspended,
        last_heard: instance.last_ping,
        registered: instance.registered,
    }
}

fn pending(pending: overview::Pending) -> Pending {
    Pending {
        command: pending.command_id,
        document: pending.document,
        requested: pending.requested,
        why: match pending.why {
            overview::Why::Offline { since } => Why::Offline { since },
            overview::Why::Drained { since, reason } => Why::Drained(Drained { since, reason }),
            overview::Why::Held { name } => Why::Held { name: name.to_string() },
            overview::Why::AtLimit { running, limit } => Why::AtLimit { running, limit },
            overview::Why::Group { group } => Why::Group { group: group.to_string() },
            overview::Why::Command => Why::Command,
            overview::Why::Retry { at } => Why::Retry { at },
            overview::Why::Asked => Why::Asked,
        },
    }
}

fn name(name: directory::Name) -> AgentName {
    AgentName {
        name: name.name.to_string(),
        set: AgentNameSet {
            instance_id: name.instance_id.to_string(),
            description: name.description,
            limit: name.concurrency_max,
            restriction: match name.restriction {
                directory::Restriction::Effective => Restriction::Effective,
                directory::Restriction::Ineffective => Restriction::Ineffective,
                directory::Restriction::Hold => Restriction::Hold,
                directory::Restriction::Blockade => Restriction::Blockade,
            },
        },
    }
}

fn group(group: directory::Group) -> AgentGroup {
    let member = |member: directory::Member| GroupMember { agent: member.agent.to_string(), priority: member.priority };
    AgentGroup {
        name: group.name.to_string(),
        set: AgentGroupSet {
            description: group.description,
            members: group.members.into_iter().map(member).collect(),
            policy: match group.policy {
                directory::Policy::Balance => GroupPolicy::Balance,
                directory::Policy::Failover => GroupPolicy::Failover,
                directory::Policy::All => GroupPolicy::All,
            },
            limit: group.concurrency_max,
        },
    }
}
