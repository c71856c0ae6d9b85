//! What is said about commands, in every language.

use api::{Ending, Invocation, Verdict};

use crate::lang::Lang;

#[derive(Debug, Clone, Copy)]
pub(super) enum Told<'a> {
    Sent { id: &'a str, document: &'a str, instances: usize },
    NobodyThere,
    Detached { id: &'a str },
    TimedOut { id: &'a str },
    HowToSee { id: &'a str },
    HowToCancel { id: &'a str },
    NotAllShown { id: &'a str },
    CancelQuestion { id: &'a str },
    CancelNeedsYes,
    NotCancelled,
    Cancelled { id: &'a str },
    NothingChanged,
    StdinTwice,
}

pub(super) fn text(told: Told<'_>, lang: Lang) -> String {
    match lang {
        Lang::En => en(told),
        Lang::Ja => ja(told),
    }
}

fn en(told: Told<'_>) -> String {
    match told {
        Told::Sent { id, document, instances } => format!("Sent {id} ({document}, instances: {instances})."),
        Told::NobodyThere => "No instance matches: nothing was run.".into(),
        Told::Detached { id } => format!("Detached; {id} goes on."),
        Told::TimedOut { id } => format!("Still running after the time given: {id}."),
        Told::HowToSee { id } => format!("To see what became of it: dandori command show {id}"),
        Told::HowToCancel { id } => format!("To cancel it: dandori command cancel {id}"),
        Told::NotAllShown { id } => format!("Not all of its output has come. See: dandori command output {id}"),
        Told::CancelQuestion { id } => format!("Cancel {id}? What has begun is stopped. [y/N] "),
        Told::CancelNeedsYes => "nobody is there to ask: say --yes to cancel it".into(),
        Told::NotCancelled => "Not cancelled.".into(),
        Told::Cancelled { id } => format!("Cancelling {id}."),
        Told::NothingChanged => "It can be done. Nothing was changed (--dry-run).".into(),
        Told::StdinTwice => "standard input can be read once only: as the script or as its input".into(),
    }
}

fn ja(told: Told<'_>) -> String {
    match told {
        Told::Sent { id, document, instances } => {
            format!("{id} を送りました（{document}、インスタンス数 {instances}）。")
        }
        Told::NobodyThere => "該当するインスタンスがありません。何も実行していません。".into(),
        Told::Detached { id } => format!("表示をやめました。{id} は実行を続けています。"),
        Told::TimedOut { id } => format!("指定の時間が過ぎても実行中です: {id}"),
        Told::HowToSee { id } => format!("結果を見るには: dandori command show {id}"),
        Told::HowToCancel { id } => format!("キャンセルするには: dandori command cancel {id}"),
        Told::NotAllShown { id } => format!("出力の一部が届いていません。確認するには: dandori command output {id}"),
        Told::CancelQuestion { id } => format!("{id} をキャンセルしますか？ 実行中のものは停止されます。[y/N] "),
        Told::CancelNeedsYes => "確認できる端末がありません。キャンセルするには --yes を付けてください".into(),
        Told::NotCancelled => "キャンセルしませんでした。".into(),
        Told::Cancelled { id } => format!("{id} をキャンセルしています。"),
        Told::NothingChanged => "実行できます。何も変更していません（--dry-run）。".into(),
        Told::StdinTwice => "標準入力は、スクリプトか入力のどちらか一方にしか使えません".into(),
    }
}

/// In AWS's words: `Failed 3  Agent.ExitCode: script exited with 3`
pub(super) fn ending(ending: &Ending) -> String {
    let mut text = ending.status.clone();
    if ending.finished.is_some() {
        text += &format!(" {}", ending.exit_code);
    }
    if ending.verdict != Verdict::Normal {
        text += &format!(" ({})", ending.verdict.name());
    }
    text + &why(ending.error.as_deref(), ending.cause.as_deref())
}

/// `mi-1: Failed (abnormal)  Agent.ExitCode: script exited with 3`
pub(super) fn invocation(invocation: &Invocation) -> String {
    let mut text = format!("{}: {}", invocation.instance_id, invocation.status_details);
    if let Some(verdict) = invocation.verdict.filter(|verdict| *verdict != Verdict::Normal) {
        text += &format!(" ({})", verdict.name());
    }
    text + &why(invocation.error.as_deref(), invocation.cause.as_deref())
}

fn why(error: Option<&str>, cause: Option<&str>) -> String {
    match (error, cause) {
        (Some(error), Some(cause)) => format!("  {error}: {cause}"),
        (Some(only), None) | (None, Some(only)) => format!("  {only}"),
        (None, None) => String::new(),
    }
}
