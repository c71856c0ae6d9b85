//! What is said about agents, in every language.

use api::agents::{AgentStatus, Why};

use crate::lang::Lang;
use crate::table::Look;

/// What has become of what was typed.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    Drained(&'a str),
    Resumed(&'a str),
    Limited(&'a str, Option<u32>),
    RemoveQuestion(&'a str),
    RemoveNeedsYes,
    NotRemoved,
    Removed(&'a str),
    NameSet(&'a str),
    NameDeleted(&'a str),
    GroupPut(&'a str),
    GroupDeleted(&'a str),
    NothingChanged,
    /// What to do with an agent that was there twice.
    Suspended(&'a str),
}

pub fn text(told: Told<'_>, lang: Lang) -> String {
    match lang {
        Lang::En => en(told),
        Lang::Ja => ja(told),
    }
}

fn en(told: Told<'_>) -> String {
    match told {
        Told::Drained(agent) => format!("{agent} is sent nothing new. What runs goes on; what waits, waits."),
        Told::Resumed(agent) => format!("{agent} is sent jobs again."),
        Told::Limited(agent, Some(limit)) => format!("{agent} runs at most {limit} jobs at a time."),
        Told::Limited(agent, None) => format!("{agent} runs as many jobs at a time as its agent was started with."),
        Told::RemoveQuestion(agent) => {
            format!("Deregister {agent}? Its agent is not let in again, and what runs there is not heard of. [y/N] ")
        }
        Told::RemoveNeedsYes => "nobody is there to ask: say --yes to deregister it".into(),
        Told::NotRemoved => "Not deregistered.".into(),
        Told::Removed(agent) => format!("Deregistered {agent}."),
        Told::NameSet(name) => format!("Set {name}."),
        Told::NameDeleted(name) | Told::GroupDeleted(name) => format!("Deleted {name}."),
        Told::GroupPut(name) => format!("Put {name}."),
        Told::Suspended(agent) => format!(
            "{agent} was there twice: its data directory was copied or restored. Deregister it (dandori instance remove {agent}), then \
             register each host anew (dandori agent register --force)."
        ),
        Told::NothingChanged => "It can be done. Nothing was changed (--dry-run).".into(),
    }
}

fn ja(told: Told<'_>) -> String {
    match told {
        Told::Drained(agent) => {
            format!("{agent} に新しいジョブを送りません。実行中のものは続き、待っているものは待ち続けます。")
        }
        Told::Resumed(agent) => format!("{agent} へのジョブの送信を再開しました。"),
        Told::Limited(agent, Some(limit)) => format!("{agent} の同時実行数を {limit} にしました。"),
        Told::Limited(agent, None) => format!("{agent} の同時実行数を、エージェントの起動時の値に戻しました。"),
        Told::RemoveQuestion(agent) => format!(
            "{agent} の登録を解除しますか？ エージェントは再び接続できず、実行中のジョブの結果も届きません。[y/N] "
        ),
        Told::RemoveNeedsYes => "確認できる端末がありません。登録を解除するには --yes を付けてください".into(),
        Told::NotRemoved => "登録を解除しませんでした。".into(),
        Told::Removed(agent) => format!("{agent} の登録を解除しました。"),
        Told::NameSet(name) => format!("{name} を設定しました。"),
        Told::NameDeleted(name) | Told::GroupDeleted(name) => format!("{name} を削除しました。"),
        Told::GroupPut(name) => format!("{name} を登録しました。"),
        Told::Suspended(agent) => format!(
            "{agent} は重複しています（データディレクトリーのコピーまたは復元）。登録を解除し（dandori instance remove {agent}）、\
             各ホストを登録し直してください（dandori agent register --force）。"
        ),
        Told::NothingChanged => "実行できます。何も変更していません（--dry-run）。".into(),
    }
}

pub fn status(status: AgentStatus, lang: Lang) -> &'static str {
    match (status, lang) {
        (AgentStatus::Up, Lang::En) => "Up",
        (AgentStatus::Up, Lang::Ja) => "稼働中",
        (AgentStatus::Stale, Lang::En) => "Stale",
        (AgentStatus::Stale, Lang::Ja) => "応答遅れ",
        (AgentStatus::Draining, Lang::En) => "Draining",
        (AgentStatus::Draining, Lang::Ja) => "転送停止中",
        (AgentStatus::Lost, Lang::En) => "Lost",
        (AgentStatus::Lost, Lang::Ja) => "応答なし",
        (AgentStatus::Suspended, Lang::En) => "Suspended",
        (AgentStatus::Suspended, Lang::Ja) => "停止（重複）",
        (AgentStatus::Unknown, Lang::En) => "Unknown",
        (AgentStatus::Unknown, Lang::Ja) => "不明",
    }
}

/// Why a command has not begun.
pub fn why(why: &Why, look: &Look) -> String {
    match look.lang {
        Lang::En => match why {
            Why::Offline { since } => format!("the agent is away since {}", look.clock.date_and_time(*since)),
            Why::Drained(drained) => format!("drained since {}", look.clock.date_and_time(drained.since)),
            Why::Held { name } => format!("held back by the restriction of {name}"),
            Why::AtLimit { running, limit } => format!("{running} run, and {limit} may"),
            Why::Group { group } => format!("as many of the group {group} run as may"),
            Why::Command => "the command's MaxConcurrency".into(),
            Why::Retry { at } => format!("tried again at {}", look.clock.date_and_time(*at)),
            Why::Asked => "the agent was asked and has not answered yet".into(),
            Why::Unknown => "unknown".into(),
        },
        Lang::Ja => match why {
            Why::Offline { since } => {
                format!("エージェントが {} から応答していません", look.clock.date_and_time(*since))
            }
            Why::Drained(drained) => {
                format!("{} から転送を停止しています", look.clock.date_and_time(drained.since))
            }
            Why::Held { name } => format!("{name} の転送制限で保留しています"),
            Why::AtLimit { running, limit } => format!("上限 {limit} に対して {running} 件を実行中です"),
            Why::Group { group } => format!("グループ {group} の同時実行数が上限に達しています"),
            Why::Command => "コマンドの MaxConcurrency による待ちです".into(),
            Why::Retry { at } => format!("{} に再試行します", look.clock.date_and_time(*at)),
            Why::Asked => "エージェントの返事を待っています".into(),
            Why::Unknown => "不明です".into(),
        },
    }
}
