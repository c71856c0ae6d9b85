//! What a Map in distributed mode has its run do: everything that was evaluated when the state was entered.
//!
//! The run is a value of its own (crate `maprun`); its children are executions of their own. [`child_input`] is what
//! one item becomes on its way into a child: pure, so that whoever reads items can say it without the execution.

use std::sync::Arc;

use asl::{BlockId, Body, Machine};
use base::{Id, Json, Timestamp};
use expr::Scope;
use serde::{Deserialize, Serialize};

use crate::Env;
use crate::data::{self, Fault};
use crate::event::Failure;
use crate::scope::Chance;
use crate::step::within_limit;

/// Everything that a Map run needs to know of its state, evaluated. `D` as in [`Event`](crate::Event).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapPlan<D = Json> {
    /// The block of the definition in which the Map stands, and its name.
    pub block: u32,
    pub state: Arc<str>,
    /// The number of its `MapStateEntered`, which causes of its failures name.
    pub entered: u64,
    /// The block that each child runs.
    pub processor: u32,
    /// Whether the children are Express executions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub express: bool,
    pub source: MapSource<D>,
    /// What `ItemSelector` sees beside the item; none without one.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub selecting: Option<Selecting<D>>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub batching: Option<Batching<D>>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub writing: Option<Writing<D>>,
    /// `MaxConcurrency`; 0 is as many as may be.
    pub concurrency: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated_percentage: Option<f64>,
}

/// Where the items come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MapSource<D = Json> {
    /// The state's own data: an array, or an object, whose members are the items.
    Items(D),
    /// `ItemReader`.
    Reader {
        /// `s3:listObjectsV2` rather than `s3:getObject`.
        listing: bool,
        /// `Parameters` or `Arguments`.
        arguments: D,
        /// `ReaderConfig` without `MaxItems`.
        config: D,
        /// As it was given: a negative number is the reader's to refuse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        items_max: Option<i64>,
    },
}

/// What an `ItemSelector` sees beside the item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selecting<D = Json> {
    /// The state's effective input.
    pub input: D,
    /// The context object as it was when the Map was entered.
    pub context: D,
    /// The variables that the state refers to.
    #[serde(default = "Vec::default", skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<(Arc<str>, D)>,
}

/// `ItemBatcher`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batching<D = Json> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_max: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
    /// `BatchInput`
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub input: Option<D>,
}

/// `ResultWriter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Writing<D = Json> {
    /// `Parameters` or `Arguments`: the bucket and the prefix. Without, the results stay in the state's output.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub arguments: Option<D>,
    /// `WriterConfig`
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub config: Option<D>,
}

impl<D> MapPlan<D> {
    /// The same plan with each payload replaced by what `to` makes of it.
    pub(crate) fn map<E, X>(self, to: &mut impl FnMut(D) -> Result<E, X>) -> Result<MapPlan<E>, X> {
        let source = match self.source {
            MapSource::Items(items) => MapSource::Items(to(items)?),
            MapSource::Reader { listing, arguments, config, items_max } => {
                MapSource::Reader { listing, arguments: to(arguments)?, config: to(config)?, items_max }
            }
        };
        let selecting = match self.selecting {
            Some(Selecting { input, context, variables }) => {
                let variables = variables.into_iter().map(|(name, value)| Ok((name, to(value)?)));
                let variables = variables.collect::<Result<_, X>>()?;
                Some(Selecting { input: to(input)?, context: to(context)?, variables })
            }
            None => None,
        };
        let batching = match self.batching {
            Some(Batching { items_max, bytes_max, input }) => {
                Some(Batching { items_max, bytes_max, input: input.map(&mut *to).transpose()? })
            }
            None => None,
        };
        let writing = match self.writing {
            Some(Writing { arguments, config }) => Some(Writing {
                arguments: arguments.map(&mut *to).transpose()?,
                config: config.map(&mut *to).transpose()?,
            }),
            None => None,
        };
        Ok(MapPlan {
            block: self.block,
            state: self.state,
            entered: self.entered,
            processor: self.processor,
            express: self.express,
            source,
            selecting,
            batching,
            writing,
            concurrency: self.concurrency,
            tolerated_count: self.tolerated_count,
            tolerated_percentage: self.tolerated_percentage,
        })
    }
}

/// How a Map run ended, as its state hears it.
#[derive(Debug, Clone, PartialEq)]
pub enum MapRunOutcome {
    Succeeded {
        output: Json,
    },
    /// All went well, and the children's results are too much for the state.
    TooLarge,
    Failed {
        failure: Failure,
    },
}

/// One item on its way into a child.
#[derive(Debug, Clone)]
pub struct MapItem<'a> {
    pub index: u64,
    /// The member's name, of an item that is a member of an object.
    pub key: Option<&'a str>,
    pub value: &'a Json,
    /// `STATE_DATA`, or the S3 URI that it was read from.
    pub source: &'a str,
}

/// What a Map iterates over: the items of an array, or the members of an object with their names.
pub fn members(items: &Json) -> impl Iterator<Item = (Option<&str>, &Json)> {
    let array = items.as_array().unwrap_or_default().iter().map(|item| (None, item));
    let object = items.as_object().into_iter().flatten().map(|(key, value)| (Some(&**key), value));
    array.chain(object)
}

/// A member of an object as an item of its own.
fn whole(item: &MapItem<'_>) -> Json {
    match item.key {
        Some(key) => Json::object([("Key", Json::from(key)), ("Value", item.value.clone())]),
        None => item.value.clone(),
    }
}

/// What a child gets for `item`: the item itself, or what the `ItemSelector` makes of it, within the limit on
/// payloads. The failure is the Map state's.
pub fn child_input(machine: &Machine, plan: &MapPlan, item: &MapItem<'_>, env: Env) -> Result<Json, Failure> {
    let state = machine.state(BlockId(plan.block), &plan.state);
    let Body::Map(map) = &state.body else { unreachable!("only a Map has a Map run") };
    let made = match (&map.item_selector, &plan.selecting) {
        (Some(selector), Some(selecting)) => {
            let context = with_item(&selecting.context, item);
            let scope = ItemScope { selecting, context, chance: Chance::new(env.entropy), now: env.now };
            data::payload(Some(selector), "ItemSelector", &scope).map_err(|fault| failed(plan, fault))?
        }
        (_, _) => whole(item),
    };
    within_limit(made, &plan.state, env.limits.payload_bytes_max)
}

fn failed(plan: &MapPlan, fault: Fault) -> Failure {
    let (error, text) = match fault {
        Fault::Runtime(text) => ("States.Runtime", text),
        Fault::Query { text, .. } => (crate::step::QUERY_ERROR, text),
    };
    let (name, entered) = (&plan.state, plan.entered);
    let cause =
        format!("An error occurred while executing the state '{name}' (entered at the event id #{entered}). {text}");
    Failure::new(error, cause)
}

/// `$$.Map.Item` (Developer Guide, "Accessing context object data for Map states").
pub(crate) fn with_item(context: &Json, item: &MapItem<'_>) -> Json {
    let key = item.key.map(|key| ("Key", Json::from(key)));
    let members = [("Index", Json::from(item.index)), ("Value", item.value.clone())];
    let item = Json::object(members.into_iter().chain(key).chain([("Source", Json::from(item.source))]));
    let map = ("Map".into(), Json::object([("Item", item)]));
    let around = context.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    Json::object(around.chain([map]).collect::<Vec<(Arc<str>, Json)>>())
}

struct ItemScope<'a> {
    selecting: &'a Selecting,
    context: Json,
    chance: Chance,
    now: Timestamp,
}

impl Scope for ItemScope<'_> {
    fn input(&self) -> &Json {
        &self.selecting.input
    }

    fn context(&self) -> &Json {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Json> {
        self.selecting.variables.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    fn chance(&self) -> u64 {
        self.chance.next()
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

/// A Map run's ARN. The label, where the definition gives none, is one that this Map always has; the run's own name
/// begins with its time.
pub(crate) fn arn(machine_arn: &str, label: Option<&str>, block: u32, state: &str, at: Timestamp, id: Id) -> Arc<str> {
    // A child's own machine is the labelled one.
    let machine = machine_arn.split_once('/').map_or(machine_arn, |(machine, _)| machine);
    let label = match label {
        Some(label) => label.to_owned(),
        None => Id::of("map label", &format!("{machine}/{block}/{state}")).to_uuid(),
    };
    let arn = machine.replacen(":stateMachine:", ":mapRun:", 1);
    format!("{arn}/{label}:{}", id.to_uuid_at(at)).into()
}

#[cfg(test)]
mod tests;
