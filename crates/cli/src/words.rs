//! The catalogue: every word that people read, in every language.
//!
//! **Invariant:** a [`Say`] without a text in one of the languages does not compile.

use api::{Code, StateStatus, Status};

use crate::lang::Lang;

/// One thing to say.
#[derive(Debug, Clone, Copy)]
pub enum Say<'a> {
    /// Labels and columns.
    Column(Column),
    Status(Status),
    State(StateStatus),

    /// Heads of messages.
    Error,
    Hint,

    NoExecutions,
    NoDefinitions,
    NoDocuments,
    NoInstances,
    NoAgentNames,
    NoAgentGroups,
    NoCommands,
    /// A command has several instances, and none is named.
    WhichInstance {
        instances: &'a str,
    },
    /// Of an output more was written than is kept.
    OutputCut,
    NoActivations,
    ActivationDeleted {
        id: &'a str,
    },
    /// The command that was shown is for the host.
    RegisterThere,
    /// There are more lines than were shown.
    More {
        shown: usize,
    },
    Started {
        name: &'a str,
    },
    DefinitionPut {
        name: &'a str,
        arn: &'a str,
    },
    Stopped {
        name: &'a str,
    },
    DocumentPut {
        name: &'a str,
        version: u64,
    },
    DeleteQuestion {
        name: &'a str,
    },
    DeleteNeedsYes,
    Deleted {
        name: &'a str,
    },
    NotDeleted,
    StopQuestion {
        name: &'a str,
        definition: &'a str,
    },
    StopNeedsYes,
    NotStopped,
    Detached {
        name: &'a str,
    },
    HowToStop {
        id: &'a str,
    },
    HowToWatch {
        id: &'a str,
    },
    HowToSeeHistory {
        id: &'a str,
    },
    ExpressIsNotFollowed {
        definition: &'a str,
    },
    TimedOutWatching {
        name: &'a str,
    },
    Reconnecting,
    /// States that have no room on the screen.
    Hidden {
        count: usize,
    },
    Ended {
        status: Status,
        took: &'a str,
    },
    Attempt {
        number: u32,
    },
    Until {
        time: &'a str,
    },
    Index {
        number: u64,
    },
    Items {
        number: u64,
    },

    /// What an error code means. `about` is what it is about, quoted; empty when nobody said.
    Fault {
        code: Code,
        about: &'a str,
    },
    /// The next step after it.
    NextStep {
        code: Code,
    },
    Candidates {
        list: &'a str,
    },
    BadUrl {
        url: &'a str,
    },
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Status,
    Definition,
    Name,
    Start,
    End,
    Duration,
    State,
    Kind,
    Attempt,
    Error,
    Cause,
    Input,
    Output,
    Arn,
    Time,
    Id,
    Event,
    Detail,
    Data,
    Created,
    Updated,
    Role,
    Instance,
    Computer,
    Agent,
    Platform,
    Address,
    LastPing,
    AgentNames,
    Tags,
    Groups,
    Running,
    Limit,
    Queued,
    Members,
    Policy,
    Restriction,
    Waits,
    Reason,
    Document,
    Owner,
    Version,
    Comment,
    ExitCode,
    Stdout,
    Stderr,
    Verdict,
    Step,
    DeliveryProblem,
    Late,
    Code,
    Expires,
    Registrations,
    ServerKey,
    Command,
}

impl Column {
    #[cfg(test)]
    pub const ALL: &[Column] = &[
        Column::Status,
        Column::Definition,
        Column::Name,
        Column::Start,
        Column::End,
        Column::Duration,
        Column::State,
        Column::Kind,
        Column::Attempt,
        Column::Error,
        Column::Cause,
        Column::Input,
        Column::Output,
        Column::Arn,
        Column::Time,
        Column::Id,
        Column::Event,
        Column::Detail,
        Column::Data,
        Column::Created,
        Column::Updated,
        Column::Role,
        Column::Instance,
        Column::Computer,
        Column::Agent,
        Column::Platform,
        Column::Address,
        Column::LastPing,
        Column::AgentNames,
        Column::Tags,
        Column::Groups,
        Column::Running,
        Column::Limit,
        Column::Queued,
        Column::Members,
        Column::Policy,
        Column::Restriction,
        Column::Waits,
        Column::Reason,
        Column::Document,
        Column::Owner,
        Column::Version,
        Column::Comment,
        Column::ExitCode,
        Column::Stdout,
        Column::Stderr,
        Column::Verdict,
        Column::Step,
        Column::DeliveryProblem,
        Column::Late,
        Column::Code,
        Column::Expires,
        Column::Registrations,
        Column::ServerKey,
        Column::Command,
    ];

    /// The name that scripts see, whatever the language.
    pub fn key(self) -> &'static str {
        match self {
            Column::Status => "status",
            Column::Definition => "definition",
            Column::Name => "name",
            Column::Start => "started",
            Column::End => "stopped",
            Column::Duration => "seconds",
            Column::State => "state",
            Column::Kind => "type",
            Column::Attempt => "attempt",
            Column::Error => "error",
            Column::Cause => "cause",
            Column::Input => "input",
            Column::Output => "output",
            Column::Arn => "arn",
            Column::Time => "at",
            Column::Id => "id",
            Column::Event => "event",
            Column::Detail => "detail",
            Column::Data => "data",
            Column::Created => "created",
            Column::Updated => "updated",
            Column::Role => "role_arn",
            Column::Instance => "instance_id",
            Column::Computer => "computer_name",
            Column::Agent => "agent_version",
            Column::Platform => "platform",
            Column::Address => "ip_address",
            Column::LastPing => "last_ping",
            Column::AgentNames => "names",
            Column::Tags => "tags",
            Column::Groups => "groups",
            Column::Running => "running",
            Column::Limit => "limit",
            Column::Queued => "queued",
            Column::Members => "members",
            Column::Policy => "policy",
            Column::Restriction => "restriction",
            Column::Waits => "waits",
            Column::Reason => "reason",
            Column::Document => "document",
            Column::Owner => "owner",
            Column::Version => "version",
            Column::Comment => "comment",
            Column::ExitCode => "exit_code",
            Column::Stdout => "stdout",
            Column::Stderr => "stderr",
            Column::Verdict => "verdict",
            Column::Step => "step",
            Column::DeliveryProblem => "delivery_problem",
            Column::Late => "late",
            Column::Code => "code",
            Column::Expires => "expires",
            Column::Registrations => "registrations",
            Column::ServerKey => "server_key",
            Column::Command => "command",
        }
    }
}

impl Say<'_> {
    pub fn text(self, lang: Lang) -> String {
        match lang {
            Lang::En => self.en(),
            Lang::Ja => self.ja(),
        }
    }

    fn en(self) -> String {
        match self {
            Say::Column(column) => column_en(column).into(),
            Say::Status(status) => status_en(status).into(),
            Say::State(status) => state_en(status).into(),
            Say::Error => "error".into(),
            Say::Hint => "hint".into(),
            Say::NoExecutions => "No executions. Start one: dandori execution start DEFINITION".into(),
            Say::NoDefinitions => "No definitions. Put one: dandori definition put FILE --name NAME".into(),
            Say::NoDocuments => "No documents. Put one: dandori document put FILE --name NAME".into(),
            Say::NoAgentNames => "No logical names. Set one: dandori name set NAME --instance INSTANCE".into(),
            Say::NoAgentGroups => "No groups. Put one: dandori group put GROUP --member AGENT".into(),
            Say::NoInstances => "No instances. Register a host: dandori activation create".into(),
            Say::NoActivations => "No activations. Make one: dandori activation create".into(),
            Say::ActivationDeleted { id } => format!("deleted {id}"),
            Say::RegisterThere => {
                "Type the command on the host, as the user that the agent runs as. The code is shown this once.".into()
            }
            Say::NoCommands => "No commands have been sent.".into(),
            Say::WhichInstance { instances } => format!("name one of its instances: {instances}"),
            Say::OutputCut => "More was written than is kept.".into(),
            Say::More { shown } => format!("{shown} shown; there are more. See --limit."),
            Say::Started { name } => format!("Started {name}."),
            Say::DefinitionPut { name, arn } => format!("Put {name} ({arn})."),
            Say::Stopped { name } => format!("Stopped {name}."),
            Say::DocumentPut { name, version } => format!("Put {name}, version {version}."),
            Say::DeleteQuestion { name } => format!("Delete {name}? It cannot be brought back. [y/N] "),
            Say::DeleteNeedsYes => "nobody is there to ask: say --yes to delete it".into(),
            Say::Deleted { name } => format!("Deleted {name}."),
            Say::NotDeleted => "Not deleted.".into(),
            Say::StopQuestion { name, definition } => {
                format!("Stop {name} of {definition}? What it has begun is abandoned. [y/N] ")
            }
            Say::StopNeedsYes => "nobody is there to ask: say --yes to stop it".into(),
            Say::NotStopped => "Not stopped.".into(),
            Say::Detached { name } => format!("Detached; {name} goes on."),
            Say::HowToStop { id } => format!("To stop it: dandori execution stop {id}"),
            Say::HowToWatch { id } => format!("To follow it: dandori execution watch {id}"),
            Say::HowToSeeHistory { id } => format!("What happened: dandori execution history {id}"),
            Say::ExpressIsNotFollowed { definition } => format!(
                "It is Express: it is not listed, followed or described. What it does is in the log group of {definition}, if it has one; StartSyncExecution waits for its end."
            ),
            Say::TimedOutWatching { name } => format!("Still running after the time given: {name}."),
            Say::Reconnecting => "The connection is lost; trying again ...".into(),
            Say::Hidden { count } => format!("{count} more"),
            Say::Ended { status, took } => format!("{} after {took}", status_en(status)),
            Say::Attempt { number } => format!("attempt {number}"),
            Say::Until { time } => format!("until {time}"),
            Say::Index { number } => format!("index {number}"),
            Say::Items { number } => format!("items {number}"),
            Say::Fault { code, about } => fault_en(code, about),
            Say::NextStep { code } => next_en(code).into(),
            Say::Candidates { list } => format!("it could be: {list}"),
            Say::BadUrl { url } => format!("{url} is not an address such as http://127.0.0.1:8333"),
        }
    }

    fn ja(self) -> String {
        match self {
            Say::Column(column) => column_ja(column).into(),
            Say::Status(status) => status_ja(status).into(),
            Say::State(status) => state_ja(status).into(),
            Say::Error => "エラー".into(),
            Say::Hint => "対処".into(),
            Say::NoExecutions => "実行はありません。開始するには: dandori execution start 定義名".into(),
            Say::NoDefinitions => "定義はありません。登録するには: dandori definition put ファイル --name 定義名".into(),
            Say::NoDocuments => "ドキュメントはありません。登録するには: dandori document put ファイル --name 名前".into(),
            Say::NoAgentNames => "実行エージェント名はありません。登録するには: dandori name set 名前 --instance インスタンス".into(),
            Say::NoAgentGroups => "グループはありません。登録するには: dandori group put グループ名 --member エージェント".into(),
            Say::NoInstances => "インスタンスがありません。ホストを登録してください: dandori activation create".into(),
            Say::NoActivations => "アクティベーションがありません。作成: dandori activation create".into(),
            Say::ActivationDeleted { id } => format!("{id} を削除しました"),
            Say::RegisterThere => "このコマンドを、ホスト上でエージェントを動かすユーザーとして実行してください。コードが表示されるのは今回だけです。".into(),
            Say::NoCommands => "送られたコマンドはありません。".into(),
            Say::WhichInstance { instances } => format!("インスタンスを一つ指定してください: {instances}"),
            Say::OutputCut => "保存されている量より多く書き出されました。".into(),
            Say::More { shown } => format!("{shown} 件を表示しました。続きがあります（--limit で指定）。"),
            Say::Started { name } => format!("{name} を開始しました。"),
            Say::DefinitionPut { name, arn } => format!("{name} を登録しました（{arn}）。"),
            Say::Stopped { name } => format!("{name} を中断しました。"),
            Say::DocumentPut { name, version } => format!("{name} のバージョン {version} を登録しました。"),
            Say::DeleteQuestion { name } => format!("{name} を削除しますか？ 元には戻せません。[y/N] "),
            Say::DeleteNeedsYes => "確認できる端末がありません。削除するには --yes を付けてください".into(),
            Say::Deleted { name } => format!("{name} を削除しました。"),
            Say::NotDeleted => "削除しませんでした。".into(),
            Say::StopQuestion { name, definition } => format!("{definition} の実行 {name} を中断しますか？ 開始済みの処理は打ち切られます。[y/N] "),
            Say::StopNeedsYes => "確認できる端末がありません。中断するには --yes を付けてください".into(),
            Say::NotStopped => "中断しませんでした。".into(),
            Say::Detached { name } => format!("監視をやめました。{name} は実行を続けています。"),
            Say::HowToStop { id } => format!("中断するには: dandori execution stop {id}"),
            Say::HowToWatch { id } => format!("監視するには: dandori execution watch {id}"),
            Say::HowToSeeHistory { id } => format!("履歴を見るには: dandori execution history {id}"),
            Say::ExpressIsNotFollowed { definition } => format!("Express の実行なので、一覧、監視、表示はできません。経過は {definition} のロググループ（設定した場合）に残ります。終了を待つには StartSyncExecution を使ってください。"),
            Say::TimedOutWatching { name } => format!("指定の時間が過ぎても実行中です: {name}"),
            Say::Reconnecting => "接続が切れました。再接続しています…".into(),
            Say::Hidden { count } => format!("ほか {count} 件"),
            Say::Ended { status, took } => format!("{}（{took}）", status_ja(status)),
            Say::Attempt { number } => format!("試行 {number}"),
            Say::Until { time } => format!("{time} まで"),
            Say::Index { number } => format!("番号 {number}"),
            Say::Items { number } => format!("項目数 {number}"),
            Say::Fault { code, about } => fault_ja(code, about),
            Say::NextStep { code } => next_ja(code).into(),
            Say::Candidates { list } => format!("候補: {list}"),
            Say::BadUrl { url } => format!("{url} はアドレスではありません（例: http://127.0.0.1:8333）"),
        }
    }
}

fn status_en(status: Status) -> &'static str {
    match status {
        Status::Running => "Running",
        Status::Succeeded => "Succeeded",
        Status::Failed => "Failed",
        Status::TimedOut => "Failed (timed out)",
        Status::Aborted => "Stopped",
    }
}

fn status_ja(status: Status) -> &'static str {
    match status {
        Status::Running => "実行中",
        Status::Succeeded => "正常終了",
        Status::Failed => "異常終了",
        Status::TimedOut => "異常終了（時間切れ）",
        Status::Aborted => "中断",
    }
}

fn state_en(status: StateStatus) -> &'static str {
    match status {
        StateStatus::Running => "Running",
        StateStatus::Waiting => "Waiting",
        StateStatus::Succeeded => "Succeeded",
        StateStatus::Warning => "Warning",
        StateStatus::Failed => "Failed",
        StateStatus::Stopped => "Stopped",
    }
}

fn state_ja(status: StateStatus) -> &'static str {
    match status {
        StateStatus::Running => "実行中",
        StateStatus::Waiting => "待機",
        StateStatus::Succeeded => "正常終了",
        StateStatus::Warning => "警告終了",
        StateStatus::Failed => "異常終了",
        StateStatus::Stopped => "中断",
    }
}

fn column_en(column: Column) -> &'static str {
    match column {
        Column::Status => "STATUS",
        Column::Definition => "DEFINITION",
        Column::Name => "NAME",
        Column::Start => "START",
        Column::End => "END",
        Column::Duration => "TIME",
        Column::State => "STATE",
        Column::Kind => "TYPE",
        Column::Attempt => "ATTEMPT",
        Column::Error => "ERROR",
        Column::Cause => "CAUSE",
        Column::Input => "INPUT",
        Column::Output => "OUTPUT",
        Column::Arn => "ARN",
        Column::Time => "AT",
        Column::Id => "ID",
        Column::Event => "EVENT",
        Column::Detail => "DETAIL",
        Column::Data => "DATA",
        Column::Created => "CREATED",
        Column::Updated => "UPDATED",
        Column::Role => "ROLE",
        Column::Instance => "INSTANCE",
        Column::Computer => "HOST",
        Column::Agent => "AGENT",
        Column::Platform => "PLATFORM",
        Column::Address => "ADDRESS",
        Column::LastPing => "LAST PING",
        Column::AgentNames => "AGENT NAMES",
        Column::Tags => "TAGS",
        Column::Groups => "GROUPS",
        Column::Running => "RUNNING",
        Column::Limit => "LIMIT",
        Column::Queued => "QUEUED",
        Column::Members => "MEMBERS",
        Column::Policy => "POLICY",
        Column::Restriction => "RESTRICTION",
        Column::Waits => "WAITS",
        Column::Reason => "REASON",
        Column::Document => "DOCUMENT",
        Column::Owner => "OWNER",
        Column::Version => "VERSION",
        Column::Comment => "COMMENT",
        Column::ExitCode => "EXIT CODE",
        Column::Stdout => "STDOUT",
        Column::Stderr => "STDERR",
        Column::Verdict => "VERDICT",
        Column::Step => "STEP",
        Column::DeliveryProblem => "DELIVERY",
        Column::Late => "LATE",
        Column::Code => "CODE",
        Column::Expires => "EXPIRES",
        Column::Registrations => "REGISTRATIONS",
        Column::ServerKey => "SERVER KEY",
        Column::Command => "COMMAND",
    }
}

fn column_ja(column: Column) -> &'static str {
    match column {
        Column::Status => "状態",
        Column::Definition => "定義",
        Column::Name => "名前",
        Column::Start => "開始",
        Column::End => "終了",
        Column::Duration => "時間",
        Column::State => "ステート",
        Column::Kind => "種類",
        Column::Attempt => "試行",
        Column::Error => "エラー",
        Column::Cause => "原因",
        Column::Input => "入力",
        Column::Output => "出力",
        Column::Arn => "ARN",
        Column::Time => "時刻",
        Column::Id => "ID",
        Column::Event => "事象",
        Column::Detail => "詳細",
        Column::Data => "データ",
        Column::Created => "登録",
        Column::Updated => "更新",
        Column::Role => "ロール",
        Column::Instance => "インスタンス",
        Column::Computer => "ホスト",
        Column::Agent => "エージェント",
        Column::Platform => "プラットフォーム",
        Column::Address => "アドレス",
        Column::LastPing => "最終応答",
        Column::AgentNames => "実行エージェント名",
        Column::Tags => "タグ",
        Column::Groups => "グループ",
        Column::Running => "実行中",
        Column::Limit => "上限",
        Column::Queued => "待ち",
        Column::Members => "メンバー",
        Column::Policy => "割り当て",
        Column::Restriction => "転送制限",
        Column::Waits => "待ちの理由",
        Column::Reason => "理由",
        Column::Document => "ドキュメント",
        Column::Owner => "所有者",
        Column::Version => "バージョン",
        Column::Comment => "コメント",
        Column::ExitCode => "終了コード",
        Column::Stdout => "標準出力",
        Column::Stderr => "標準エラー出力",
        Column::Verdict => "判定",
        Column::Step => "ステップ",
        Column::DeliveryProblem => "出力の送付",
        Column::Late => "遅れた結果",
        Column::Code => "コード",
        Column::Expires => "有効期限",
        Column::Registrations => "登録数",
        Column::ServerKey => "サーバーの鍵",
        Column::Command => "コマンド",
    }
}

/// Prose that reads well with and without the thing that it is about.
fn named(noun: &str, about: &str) -> String {
    if about.is_empty() { noun.to_owned() } else { format!("{noun} \"{about}\"") }
}

fn fault_en(code: Code, about: &str) -> String {
    let the = |noun: &str| named(noun, about);
    match code {
        Code::Malformed => "the server could not read the request".into(),
        Code::NoSuchRoute => "the server does not know this request".into(),
        Code::NoSuchMethod => "the server does not take this request in this way".into(),
        Code::TooLarge => "what was sent is too large".into(),
        Code::TooSlow => "the request did not arrive in time".into(),
        Code::Usage => "this cannot be asked".into(),
        Code::FileUnreadable => format!("{} cannot be read", the("the file")),
        Code::TableInvalid => format!("{} is not a table of tests", the("the file")),
        Code::Unauthenticated => "the server does not know who asks".into(),
        Code::NotPermitted => "this is not permitted".into(),
        Code::ExecutionNotFound => format!("there is no {}", the("execution")),
        Code::DefinitionNotFound => format!("there is no {}", the("definition")),
        Code::InstanceNotFound => format!("there is no {}", the("instance")),
        Code::ActivationNotFound => {
            "the activation is not valid: it may have been deleted, or the id and the code do not match".to_owned()
        }
        Code::ActivationOver => "the activation has expired, or has been used up".to_owned(),
        Code::CommandNotFound => format!("there is no {}", the("command")),
        Code::AgentGroupNotFound => format!("there is no {}", the("agent group")),
        Code::AgentNameNotFound => format!("there is no {}", the("agent name")),
        Code::AgentNameTaken => format!("{} is in use for something else", the("the name")),
        Code::AgentNameInUse => format!("{} is a member of a group", the("the agent name")),
        Code::AgentTakesNoJobs => format!("{} takes no jobs", the("the agent")),
        Code::DocumentNotFound => format!("there is no {}", the("document or version")),
        Code::Ambiguous => format!("{} fits several", the("the id")),
        Code::ExecutionNotRedrivable => format!("{} cannot be redriven", the("the execution")),
        Code::ExecutionExists => format!("{} exists already, with another input or ended", the("the execution")),
        Code::DefinitionExists => format!("{} exists already and differs", the("the definition")),
        Code::DefinitionDeleting => format!("{} is being deleted", the("the definition")),
        Code::ExecutionNotRunning => format!("{} is not running", the("the execution")),
        Code::DefinitionInvalid => format!("{} is not valid", the("the definition")),
        Code::InputInvalid => "the input is not valid".into(),
        Code::NameInvalid => format!("{} is not valid", the("the name")),
        Code::ArnInvalid => format!("{} is not valid", the("the ARN")),
        Code::TokenInvalid => "the page asked for is not there any more".into(),
        Code::ValueInvalid => "a value is not valid".into(),
        Code::DocumentInvalid => "the document is not valid".into(),
        Code::StoreFull => "the server's store is full: it takes no new work".into(),
        Code::Unknown => "the server cannot say whether it happened".into(),
        Code::TooMany => "there are too many already".into(),
        Code::Internal => "the server failed".into(),
        Code::Unreachable => format!("{} cannot be reached", the("the server")),
        Code::TimedOut => format!("{} does not answer", the("the server")),
        Code::AnswerStrange => format!("{} gave an answer that is not Dandori's", the("the server")),
        Code::UrlInvalid => "the server's address is not valid".into(),
    }
}

fn fault_ja(code: Code, about: &str) -> String {
    let the = |noun: &str| if about.is_empty() { noun.to_owned() } else { format!("{noun}「{about}」") };
    match code {
        Code::Malformed => "サーバーが要求を読み取れませんでした".into(),
        Code::NoSuchRoute => "サーバーはこの要求を知りません".into(),
        Code::NoSuchMethod => "サーバーはこの方法での要求を受け付けません".into(),
        Code::TooLarge => "送ったデータが大きすぎます".into(),
        Code::TooSlow => "要求が時間内に届きませんでした".into(),
        Code::Usage => "この指定はできません".into(),
        Code::FileUnreadable => format!("{}を読み取れません", the("ファイル")),
        Code::TableInvalid => format!("{}はテスト表として正しくありません", the("ファイル")),
        Code::Unauthenticated => "サーバーが要求元を確認できません".into(),
        Code::NotPermitted => "権限がありません".into(),
        Code::ExecutionNotFound => format!("{}はありません", the("実行")),
        Code::DefinitionNotFound => format!("{}はありません", the("定義")),
        Code::InstanceNotFound => format!("{}はありません", the("インスタンス")),
        Code::ActivationNotFound => {
            "アクティベーションが有効ではありません。削除されたか、ID とコードが一致しません".to_owned()
        }
        Code::ActivationOver => "アクティベーションは期限切れか、登録数の上限に達しています".to_owned(),
        Code::CommandNotFound => format!("{}はありません", the("コマンド")),
        Code::AgentGroupNotFound => format!("{}はありません", the("実行エージェントグループ")),
        Code::AgentNameNotFound => format!("{}はありません", the("実行エージェント名")),
        Code::AgentNameTaken => format!("{}は別のものに使われています", the("名前")),
        Code::AgentNameInUse => format!("{}はグループのメンバーです", the("実行エージェント名")),
        Code::AgentTakesNoJobs => format!("{}はジョブを受け付けません", the("実行エージェント")),
        Code::DocumentNotFound => format!("{}はありません", the("ドキュメントまたはバージョン")),
        Code::Ambiguous => format!("{}に当てはまるものが複数あります", the("ID")),
        Code::ExecutionNotRedrivable => format!("{}は再駆動できません", the("実行")),
        Code::ExecutionExists => format!("{}はすでにあります（入力が異なるか、終了しています）", the("実行")),
        Code::DefinitionExists => format!("{}はすでにあり、内容が異なります", the("定義")),
        Code::DefinitionDeleting => format!("{}は削除中です", the("定義")),
        Code::ExecutionNotRunning => format!("{}は実行中ではありません", the("実行")),
        Code::DefinitionInvalid => format!("{}が正しくありません", the("定義")),
        Code::InputInvalid => "入力が正しくありません".into(),
        Code::NameInvalid => format!("{}が正しくありません", the("名前")),
        Code::ArnInvalid => format!("{}が正しくありません", the("ARN")),
        Code::TokenInvalid => "要求されたページはもうありません".into(),
        Code::ValueInvalid => "値が正しくありません".into(),
        Code::DocumentInvalid => "ドキュメントが正しくありません".into(),
        Code::StoreFull => "サーバーの保存領域がいっぱいで、新しい仕事を受け付けません".into(),
        Code::Unknown => "行われたかどうか、サーバーにも分かりません".into(),
        Code::TooMany => "数が上限に達しています".into(),
        Code::Internal => "サーバーで障害が起きました".into(),
        Code::Unreachable => format!("{}に接続できません", the("サーバー")),
        Code::TimedOut => format!("{}が応答しません", the("サーバー")),
        Code::AnswerStrange => format!("{}の応答が Dandori のものではありません", the("サーバー")),
        Code::UrlInvalid => "サーバーのアドレスが正しくありません".into(),
    }
}

/// Empty where there is nothing more useful to say than what went wrong.
fn next_en(code: Code) -> &'static str {
    match code {
        Code::Malformed | Code::NoSuchRoute | Code::NoSuchMethod => {
            "the server may be of another version: compare `dandori --version` on both sides"
        }
        Code::TooLarge => "definitions may have 1 MiB, inputs 262,144 bytes",
        Code::TooSlow | Code::TimedOut => "try again; look at the server's log if it stays so",
        Code::Usage => "see --help",
        Code::FileUnreadable => "check the path and its permissions",
        Code::TableInvalid => "correct the table: dandori definition test --help names its form",
        Code::Unauthenticated => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of this server, and check this host's clock"
        }
        Code::NotPermitted => "ask whoever keeps the server's keys",
        Code::ExecutionNotFound => "dandori execution list",
        Code::DefinitionNotFound => "dandori definition list",
        Code::InstanceNotFound => "dandori instance list",
        Code::ActivationNotFound => "dandori activation list",
        Code::ActivationOver => "dandori activation create",
        Code::CommandNotFound => "dandori command list",
        Code::AgentGroupNotFound => "dandori group list",
        Code::AgentNameNotFound => "dandori name list",
        Code::AgentNameTaken => "an agent and a group cannot share a name: choose another",
        Code::AgentNameInUse => "take it out of the group first: dandori group show GROUP",
        Code::AgentTakesNoJobs => "see its restriction: dandori name list",
        Code::DocumentNotFound => "dandori document list",
        Code::Ambiguous => "give more of the name, or DEFINITION:NAME",
        Code::ExecutionNotRedrivable => "start it anew: dandori execution start DEFINITION",
        Code::ExecutionExists => "choose another --name, or leave it out",
        Code::DefinitionExists => "dandori definition show NAME",
        Code::DefinitionDeleting => "try again when its last execution has ended",
        Code::ExecutionNotRunning => "dandori execution show NAME",
        Code::DefinitionInvalid => "correct the definition and put it again",
        Code::InputInvalid => "the input must be JSON; quote it for the shell, or use --input @FILE",
        Code::NameInvalid => "1 to 80 letters, digits, - and _; no spaces",
        Code::ArnInvalid => "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME or ...:execution:DEFINITION:NAME",
        Code::TokenInvalid => "ask again from the first page",
        Code::ValueInvalid => "see --help",
        Code::DocumentInvalid => "correct the document and put it again",
        Code::StoreFull => "make room on the server's disk; work that had begun goes on",
        Code::Unknown => "ask again: the same name with the same input is started once",
        Code::TooMany => "wait for some to end, or stop some",
        Code::Internal => "look at the server's log",
        Code::Unreachable => {
            "is it running? dandori server; another address: --endpoint-url or DANDORI_URL; its certificate: --ca or DANDORI_CA"
        }
        Code::AnswerStrange => "check --endpoint-url and DANDORI_URL",
        Code::UrlInvalid => "check --endpoint-url and DANDORI_URL",
    }
}

fn next_ja(code: Code) -> &'static str {
    match code {
        Code::Malformed | Code::NoSuchRoute | Code::NoSuchMethod => {
            "サーバーと版が異なる可能性があります。双方の `dandori --version` を比べてください"
        }
        Code::TooLarge => "上限は定義が 1 MiB、入力が 262,144 バイトです",
        Code::TooSlow | Code::TimedOut => "もう一度試してください。続く場合はサーバーのログを確認してください",
        Code::Usage => "--help を参照してください",
        Code::FileUnreadable => "パスと権限を確認してください",
        Code::TableInvalid => "表を直してください。形式は dandori definition test --help を参照",
        Code::Unauthenticated => {
            "AWS_ACCESS_KEY_ID と AWS_SECRET_ACCESS_KEY にこのサーバーのキーを設定し、このホストの時計を確認してください"
        }
        Code::NotPermitted => "サーバーのキーの管理者に相談してください",
        Code::ExecutionNotFound => "dandori execution list",
        Code::DefinitionNotFound => "dandori definition list",
        Code::InstanceNotFound => "dandori instance list",
        Code::ActivationNotFound => "dandori activation list",
        Code::ActivationOver => "dandori activation create",
        Code::CommandNotFound => "dandori command list",
        Code::AgentGroupNotFound => "dandori group list",
        Code::AgentNameNotFound => "dandori name list",
        Code::AgentNameTaken => "実行エージェント名とグループ名は同じにできません。別の名前にしてください",
        Code::AgentNameInUse => "先にグループから外してください: dandori group show グループ名",
        Code::AgentTakesNoJobs => "転送制限を確認してください: dandori name list",
        Code::DocumentNotFound => "dandori document list",
        Code::Ambiguous => "名前をより長く指定するか、定義名:名前 の形で指定してください",
        Code::ExecutionNotRedrivable => "新しく開始してください: dandori execution start 定義名",
        Code::ExecutionExists => "別の --name を指定するか、省略してください",
        Code::DefinitionExists => "dandori definition show 定義名",
        Code::DefinitionDeleting => "最後の実行が終わってから、もう一度試してください",
        Code::ExecutionNotRunning => "dandori execution show 名前",
        Code::DefinitionInvalid => "定義を直して、もう一度登録してください",
        Code::InputInvalid => "入力は JSON です。シェルに合わせて引用符で囲むか、--input @ファイル を使ってください",
        Code::NameInvalid => "文字、数字、-、_ で 1～80 文字です。空白は使えません",
        Code::ArnInvalid => {
            "arn:aws:states:リージョン:アカウント:stateMachine:名前 または …:execution:定義名:名前 です"
        }
        Code::TokenInvalid => "最初のページから要求し直してください",
        Code::ValueInvalid => "--help を参照してください",
        Code::DocumentInvalid => "ドキュメントを直して、もう一度登録してください",
        Code::StoreFull => "サーバーのディスクに空きを作ってください。開始済みの仕事は続きます",
        Code::Unknown => "もう一度要求してください。同じ名前と入力なら、開始は一度だけです",
        Code::TooMany => "終わるのを待つか、いくつか中断してください",
        Code::Internal => "サーバーのログを確認してください",
        Code::Unreachable => {
            "サーバーは動いていますか（dandori server）。別のアドレスは --endpoint-url か DANDORI_URL、証明書は --ca か DANDORI_CA で指定します"
        }
        Code::AnswerStrange => "--endpoint-url と DANDORI_URL を確認してください",
        Code::UrlInvalid => "--endpoint-url と DANDORI_URL を確認してください",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_japanese(text: &str) -> bool {
        text.chars().any(|c| ('\u{3040}'..='\u{30ff}').contains(&c) || ('\u{4e00}'..='\u{9fff}').contains(&c))
    }

    #[test]
    fn every_code_is_explained_in_both_languages() {
        for &code in Code::ALL {
            let (en, ja) =
                (Say::Fault { code, about: "x" }.text(Lang::En), Say::Fault { code, about: "x" }.text(Lang::Ja));
            assert!(!en.is_empty() && !is_japanese(&en), "{code}: {en}");
            assert!(is_japanese(&ja), "{code}: {ja}");
            assert!(
                !Say::NextStep { code }.text(Lang::En).is_empty() && !Say::NextStep { code }.text(Lang::Ja).is_empty(),
                "{code}"
            );
        }
    }

    #[test]
    fn columns_have_one_key_each() {
        let mut keys: Vec<_> = Column::ALL.iter().map(|column| column.key()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), Column::ALL.len());
    }
}
