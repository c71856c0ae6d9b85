//! What a definition says, after it was found valid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Json, Timestamp};
use expr::intrinsic::Intrinsic;
use expr::{Path, ReferencePath, Template};

use crate::resource::Resource;

/// A state's name.
pub type Name = Arc<str>;

/// A valid state machine. `blocks[0]` is the machine itself; every Parallel branch and every Map's
/// processor is a block of its own, named by its [`BlockId`].
#[derive(Debug, Clone)]
pub struct Machine {
    pub blocks: Vec<Block>,
    pub timeout: Option<MachineTimeout>,
    pub(crate) references: VariableReferences,
}

/// Which variables each state looks at; a state that looks at none is not there.
pub type VariableReferences = BTreeMap<Name, BTreeSet<Arc<str>>>;

/// The machine's own `TimeoutSeconds`.
#[derive(Debug, Clone)]
pub enum MachineTimeout {
    Literal(u64),
    /// Sees the context object and nothing else.
    Jsonata(Jsonata),
}

/// Index into [`Machine::blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

impl Machine {
    pub const ROOT: BlockId = BlockId(0);

    pub fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.0 as usize]
    }

    /// `DescribeStateMachine`'s `variableReferences`: states inside others are there under their own names.
    pub fn variable_references(&self) -> &VariableReferences {
        &self.references
    }

    pub fn state(&self, block: BlockId, name: &str) -> &State {
        self.block(block).states.get(name).expect("machine is validated: every state named in it exists")
    }
}

/// A `StartAt` and its `States`. Every [`Then::Next`] inside names a state of the same block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it stands, as diagnostics write it: `/States/Fan/Branches[1]`; empty for the machine.
    pub location: Arc<str>,
    pub start_at: Name,
    pub states: BTreeMap<Name, State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineKind {
    Standard,
    Express,
}

/// One state. What only JSONPath has is at its default in the body of a JSONata state.
#[derive(Debug, Clone)]
pub struct State {
    pub name: Name,
    pub flow: Flow,
    /// `Assign`: an object whose members become variables when the state is left. A choice rule and a catcher have
    /// their own instead.
    pub assign: Option<Payload>,
    pub body: Body,
}

/// How a state's input becomes its work's, and what its work gives its output.
#[derive(Debug, Clone)]
pub enum Flow {
    JsonPath {
        input: Select,
        output: Select,
    },
    /// Without `Output`: the result of a Task, a Parallel or a Map; the input of any other.
    Jsonata {
        output: Option<Jsonata>,
    },
}

/// What a field gives, in the language of its state.
#[derive(Debug, Clone)]
pub enum Payload {
    JsonPath(Template),
    Jsonata(Jsonata),
}

/// A field of a JSONata state: JSON in which a text `{% … %}` is an expression.
pub use expr::jsonata::Template as Jsonata;

/// `InputPath`, `OutputPath`: the whole (the default, `$`), nothing (`null`: `{}`), or a part.
#[derive(Debug, Clone)]
pub enum Select {
    All,
    Nothing,
    Path(Path),
}

/// Where a state leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    Next(Name),
    End,
}

#[derive(Debug, Clone)]
pub enum Body {
    Pass(Pass),
    Task(Task),
    Choice(Choice),
    Wait(Wait),
    Succeed,
    Fail(Fail),
    Parallel(Parallel),
    Map(Map),
}

#[derive(Debug, Clone)]
pub struct Pass {
    pub parameters: Option<Template>,
    /// Literal; wins over `parameters` as what the state gives.
    pub result: Option<Json>,
    pub result_path: ResultPath,
    pub then: Then,
}

#[derive(Debug, Clone)]
pub struct Task {
    pub resource: Resource,
    /// `Parameters` or `Arguments`.
    pub parameters: Option<Payload>,
    pub credentials: Option<Payload>,
    pub timeout: Option<Seconds>,
    pub heartbeat: Option<Seconds>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
    pub then: Then,
}

#[derive(Debug, Clone)]
pub struct Choice {
    /// Never empty.
    pub rules: Vec<ChoiceRule>,
    pub default: Option<Name>,
}

#[derive(Debug, Clone)]
pub struct ChoiceRule {
    pub when: When,
    /// The rule's own: the state's is for the default.
    pub assign: Option<Payload>,
    pub next: Name,
}

/// What a choice rule asks, in the language of its state.
#[derive(Debug, Clone)]
pub enum When {
    Test(Test),
    /// The rule's own `Output`: the state's is for the default.
    Condition {
        condition: Jsonata,
        output: Option<Jsonata>,
    },
}

/// JSONPath's condition.
#[derive(Debug, Clone)]
pub enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    /// `IsPresent`: true when `variable` finds something, negated when `expected` is false.
    IsPresent {
        variable: Path,
        expected: bool,
    },
    /// `IsNull`, `IsNumeric`, …: negated when `expected` is false.
    Is {
        variable: Path,
        kind: JsonKind,
        expected: bool,
    },
    Compare {
        variable: Path,
        operator: Compare,
        with: Operand,
    },
    /// `StringMatches`: `*` is any run of characters, `\\*` a star.
    Matches {
        variable: Path,
        pattern: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    Null,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// `TimestampLessThanEquals` is `Compare { domain: Timestamp, order: LessEqual }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compare {
    pub domain: Domain,
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Equal,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
}

/// What a variable is compared with: a value in the definition, or (`…Path`) one in the data.
#[derive(Debug, Clone)]
pub enum Operand {
    Literal(Json),
    Path(Path),
}

#[derive(Debug, Clone)]
pub struct Wait {
    pub until: Until,
    pub then: Then,
}

#[derive(Debug, Clone)]
pub enum Until {
    Seconds(u64),
    SecondsPath(Path),
    Timestamp(Timestamp),
    TimestampPath(Path),
    /// `Seconds` as an expression.
    SecondsJsonata(Jsonata),
    /// `Timestamp` as an expression.
    TimestampJsonata(Jsonata),
}

#[derive(Debug, Clone)]
pub struct Fail {
    pub error: Option<FailText>,
    pub cause: Option<FailText>,
}

#[derive(Debug, Clone)]
pub enum FailText {
    Literal(Arc<str>),
    Path(Path),
    Intrinsic(Intrinsic),
    Jsonata(Jsonata),
}

#[derive(Debug, Clone)]
pub struct Parallel {
    /// Never empty.
    pub branches: Vec<BlockId>,
    /// `Parameters` or `Arguments`.
    pub parameters: Option<Payload>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
    pub then: Then,
}

#[derive(Debug, Clone)]
pub struct Map {
    pub processor: BlockId,
    pub mode: MapMode,
    pub items: Items,
    /// `ItemSelector`, or the older `Parameters`.
    pub item_selector: Option<Payload>,
    pub concurrency: Concurrency,
    pub tolerated: Tolerated,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
    pub then: Then,
}

/// What a Map iterates over: `ItemsPath` or `Items`; its input when not given.
/// JSONata's `Items` is an array, an object, or an expression that gives one.
#[derive(Debug, Clone)]
pub enum Items {
    JsonPath(Option<ReferencePath>),
    Jsonata(Option<Jsonata>),
}

/// How a Map runs its iterations.
#[derive(Debug, Clone)]
pub enum MapMode {
    Inline,
    /// Child executions of their own.
    Distributed(Box<Distributed>),
}

/// What only a Map in distributed mode has (Developer Guide, "Distributed mode").
#[derive(Debug, Clone)]
pub struct Distributed {
    /// `ExecutionType`.
    pub children: MachineKind,
    /// `Label`: a part of the Map run's ARN.
    pub label: Option<Arc<str>>,
    pub reader: Option<ItemReader>,
    pub batcher: Option<ItemBatcher>,
    pub writer: Option<ResultWriter>,
}

/// How many iterations may fail before the Map does. An inline Map may say so too, and nothing comes of it.
#[derive(Debug, Clone, Default)]
pub struct Tolerated {
    /// `ToleratedFailureCount` or its path; 0 when not given.
    pub count: Option<Quantity>,
    /// `ToleratedFailurePercentage` or its path: 0 to 100; 0 when not given.
    pub percentage: Option<Quantity>,
}

/// A number that is given, found in the data, or computed.
#[derive(Debug, Clone)]
pub enum Quantity {
    Literal(f64),
    Path(ReferencePath),
    Jsonata(Jsonata),
}

/// Where the items come from, if not from the state's input.
#[derive(Debug, Clone)]
pub struct ItemReader {
    pub from: ReadFrom,
    /// `Parameters` or `Arguments`: bucket, key, prefix.
    pub arguments: Option<Payload>,
    /// `ReaderConfig` as it was written, without its `MaxItems`; checked.
    pub config: Json,
    /// `MaxItems` or its path.
    pub items_max: Option<Quantity>,
}

/// An `ItemReader`'s `Resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// `arn:aws:states:::s3:getObject`
    Object,
    /// `arn:aws:states:::s3:listObjectsV2`
    Listing,
}

/// Several items for each child execution.
#[derive(Debug, Clone)]
pub struct ItemBatcher {
    /// `MaxItemsPerBatch` or its path.
    pub items_max: Option<Quantity>,
    /// `MaxInputBytesPerBatch` or its path.
    pub bytes_max: Option<Quantity>,
    /// `BatchInput`.
    pub input: Option<Payload>,
}

/// Where the results go, if not into the state's output.
#[derive(Debug, Clone)]
pub struct ResultWriter {
    /// `Parameters` or `Arguments`: bucket and prefix. Without, the results are formatted and stay in the output.
    pub arguments: Option<Payload>,
    /// `WriterConfig` as it was written; checked.
    pub config: Option<Json>,
}

/// How many iterations at a time; 0 is "as many as may be".
#[derive(Debug, Clone)]
pub enum Concurrency {
    Literal(u64),
    Path(ReferencePath),
    Jsonata(Jsonata),
}

/// `TimeoutSeconds` or `TimeoutSecondsPath`; the same for heartbeats.
#[derive(Debug, Clone)]
pub enum Seconds {
    Literal(u64),
    Path(ReferencePath),
    Jsonata(Jsonata),
}

/// `ResultPath`: replace the input (the default, `$`), drop the result (`null`), or put it into the input.
#[derive(Debug, Clone)]
pub enum ResultPath {
    Replace,
    Discard,
    At(ReferencePath),
}

#[derive(Debug, Clone)]
pub struct Retrier {
    pub error_equals: Vec<Arc<str>>,
    /// 1 when not given.
    pub interval_seconds: u64,
    /// 3 when not given.
    pub max_attempts: u64,
    /// 2.0 when not given.
    pub backoff_rate: f64,
    pub max_delay_seconds: Option<u64>,
    pub jitter: Jitter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    None,
    /// Uniform between nothing and the whole delay.
    Full,
}

#[derive(Debug, Clone)]
pub struct Catcher {
    pub error_equals: Vec<Arc<str>>,
    pub next: Name,
    pub output: CatchOutput,
    /// The catcher's own: the state's is for its success.
    pub assign: Option<Payload>,
}

/// What a state gives that caught an error.
#[derive(Debug, Clone)]
pub enum CatchOutput {
    /// The error and its cause, placed.
    ResultPath(ResultPath),
    Output(Jsonata),
}

impl State {
    pub fn kind(&self) -> StateKind {
        match &self.body {
            Body::Pass(_) => StateKind::Pass,
            Body::Task(_) => StateKind::Task,
            Body::Choice(_) => StateKind::Choice,
            Body::Wait(_) => StateKind::Wait,
            Body::Succeed => StateKind::Succeed,
            Body::Fail(_) => StateKind::Fail,
            Body::Parallel(_) => StateKind::Parallel,
            Body::Map(_) => StateKind::Map,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKind {
    Pass,
    Task,
    Choice,
    Wait,
    Succeed,
    Fail,
    Parallel,
    Map,
}

impl StateKind {
    /// As the `Type` field and the history write it.
    pub fn name(self) -> &'static str {
        match self {
            StateKind::Pass => "Pass",
            StateKind::Task => "Task",
            StateKind::Choice => "Choice",
            StateKind::Wait => "Wait",
            StateKind::Succeed => "Succeed",
            StateKind::Fail => "Fail",
            StateKind::Parallel => "Parallel",
            StateKind::Map => "Map",
        }
    }
}
