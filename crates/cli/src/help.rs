//! The words of `--help`, in each language. What clap derives carries none of its own.

use crate::lang::Lang;

/// The path of a command or of an argument (`*` for one that several commands have), English, Japanese.
pub type Entry = (&'static str, &'static str, &'static str);

/// The command with its help in `lang`. What has no entry keeps the words that it came with.
pub fn localised(command: clap::Command, lang: Lang) -> clap::Command {
    localised_with(command, lang, &[])
}

/// The same for a program that has commands of its own, with their entries.
pub fn localised_with(command: clap::Command, lang: Lang, own: &[Entry]) -> clap::Command {
    let entries: Vec<Entry> = own.iter().chain(ENTRIES).copied().collect();
    translate(command, "", lang, &entries)
}

fn translate(mut command: clap::Command, path: &str, lang: Lang, entries: &[Entry]) -> clap::Command {
    let text = |key: &str| {
        let (_, en, ja) = entries.iter().find(|(entry, _, _)| *entry == key)?;
        Some(match lang {
            Lang::En => *en,
            Lang::Ja => *ja,
        })
    };
    if let Some(about) = text(path) {
        command = command.about(about);
    }
    if let Some((_, en, ja)) = AFTER.iter().find(|(entry, _, _)| *entry == path) {
        command = command.after_help(match lang {
            Lang::En => format!("{en}\n\n{TABLE}"),
            Lang::Ja => format!("{ja}\n\n{TABLE}"),
        });
    }
    let words = Words::of(lang);
    command = command.mut_args(|arg| {
        let key = format!("{path} {}", arg.get_id()).trim_start().to_owned();
        let anywhere = format!("* {}", arg.get_id());
        let heading = match (arg.is_positional(), arg.is_global_set()) {
            (true, _) => words.arguments,
            (false, true) => words.everywhere,
            (false, false) => words.options,
        };
        let arg = if arg.get_help_heading().is_none() { arg.help_heading(heading) } else { arg };
        match text(&key).or_else(|| text(&anywhere)) {
            Some(help) => arg.help(help),
            None => arg,
        }
    });
    // clap's own help speaks English only.
    let flag = |id: &'static str, short, action, help| {
        clap::Arg::new(id).short(short).long(id).action(action).help(help).help_heading(words.everywhere)
    };
    command = command.disable_help_flag(true).disable_help_subcommand(true).arg(flag(
        "help",
        'h',
        clap::ArgAction::Help,
        words.help,
    ));
    if command.get_version().is_some() {
        command = command.disable_version_flag(true).arg(flag("version", 'V', clap::ArgAction::Version, words.version));
    }
    command = command.help_template(words.template).subcommand_help_heading(words.commands);
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
        translate(sub, &path, lang, entries)
    })
}

/// The words around the entries.
struct Words {
    template: &'static str,
    commands: &'static str,
    arguments: &'static str,
    options: &'static str,
    everywhere: &'static str,
    help: &'static str,
    version: &'static str,
}

impl Words {
    fn of(lang: Lang) -> Words {
        match lang {
            Lang::En => Words {
                template: "{about-with-newline}\nUsage: {usage}\n\n{all-args}{after-help}",
                commands: "Commands",
                arguments: "Arguments",
                options: "Options",
                everywhere: "Options of every command",
                help: "Show this help",
                version: "Show the version",
            },
            Lang::Ja => Words {
                template: "{about-with-newline}\n使い方: {usage}\n\n{all-args}{after-help}",
                commands: "コマンド",
                arguments: "引数",
                options: "オプション",
                everywhere: "共通オプション",
                help: "この説明を表示する",
                version: "バージョンを表示する",
            },
        }
    }
}

const ENTRIES: &[Entry] = &[
    (
        "endpoint_url",
        "Address of the server [default: http://127.0.0.1:8333]",
        "サーバーのアドレス［既定値: http://127.0.0.1:8333］",
    ),
    (
        "ca",
        "Certificate of the authority that vouches for an https server, in PEM [default: this system's]",
        "https のサーバーの証明書を発行した認証局の証明書（PEM）［既定値: システムのもの］",
    ),
    (
        "region",
        "Region [default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1]",
        "リージョン［既定値: AWS_REGION、AWS_DEFAULT_REGION、us-east-1］",
    ),
    (
        "output",
        "Form of the output [default: table on a terminal, tsv elsewhere]",
        "出力形式［既定値: 端末では table、それ以外では tsv］",
    ),
    ("no_headers", "Leave out the line of column names", "見出し行を省く"),
    ("lang", "Language [default: from LC_ALL, LANG]", "言語［既定値: LC_ALL、LANG による］"),
    (
        "color",
        "When to use colour [default: auto; NO_COLOR is respected]",
        "色を使う条件［既定値: auto。NO_COLOR に従う］",
    ),
    ("execution", "Executions: start, follow, stop, look back", "実行: 開始、監視、停止、履歴"),
    ("execution list", "List executions, newest first", "実行を新しい順に一覧する"),
    ("execution list status", "Only those with this status", "この状態のものだけ"),
    ("execution list definition", "Only those of this definition", "この定義のものだけ"),
    ("* limit", "At most so many lines", "最大行数"),
    (
        "* id",
        "Name, unique prefix, DEFINITION:NAME, ARN, @last or @last-failed",
        "名前、一意な先頭部分、定義名:名前、ARN、@last、@last-failed のいずれか",
    ),
    ("execution show", "Show one execution with its states", "実行とその各ステートを表示する"),
    (
        "execution watch",
        "Follow an execution live; ends as the execution ends, Ctrl-C detaches",
        "実行を監視する。終了コードは実行の結果に従う。Ctrl-C で監視だけをやめる",
    ),
    (
        "* warn_exit",
        "End with 4 when it succeeded but a state was left by a Catch",
        "成功しても Catch で続行したステートがあれば終了コード 4 で終わる",
    ),
    ("* timeout", "Follow for at most so long, then end with 8", "この秒数で監視をやめ、終了コード 8 で終わる"),
    ("execution history", "Show what happened in an execution", "実行の履歴を表示する"),
    ("execution history reverse", "Newest first", "新しい順"),
    ("execution history data", "With inputs and outputs", "入力と出力も含める"),
    ("execution history all", "With the events that AWS does not have", "AWS にない事象も含める"),
    ("execution start", "Start an execution", "実行を開始する"),
    ("execution start definition", "Name or ARN of the definition", "定義の名前または ARN"),
    (
        "execution start input",
        "Input as JSON; @FILE reads a file, - reads standard input [default: {}]",
        "入力の JSON。@FILE でファイル、- で標準入力から読む［既定値: {}］",
    ),
    ("execution start name", "Name of the execution [default: made up]", "実行の名前［既定値: 自動］"),
    ("execution start watch", "Follow it live", "開始後に監視する"),
    ("execution start wait", "Wait for its end and show that alone", "終了を待ち、結果だけを表示する"),
    ("execution stop", "Stop an execution", "実行を中断する"),
    ("execution stop error", "Error to record", "記録するエラー名"),
    ("execution stop cause", "Reason to record", "記録する理由"),
    ("* yes", "Do not ask", "確認しない"),
    ("definition", "Definitions of state machines (job nets)", "ステートマシン（ジョブネット）の定義"),
    ("definition list", "List definitions", "定義を一覧する"),
    ("definition show", "Show one definition", "定義を表示する"),
    ("definition show id", "Name or ARN of the definition", "定義の名前または ARN"),
    ("definition put", "Create a definition or bring it up to date", "定義を登録または更新する"),
    (
        "definition put file",
        "File in the Amazon States Language; - reads standard input",
        "Amazon States Language のファイル。- で標準入力から読む",
    ),
    ("definition put name", "Name of the definition", "定義の名前"),
    (
        "definition lint",
        "Check definitions without a server: AWS's diagnostics, and what is doubtful",
        "サーバーなしで定義を検査する。AWS の診断に加え、疑わしい点も示す",
    ),
    ("definition lint files", "Files in the Amazon States Language", "Amazon States Language のファイル"),
    (
        "definition lint kind",
        "Type of the state machines: standard or express",
        "ステートマシンの種類: standard または express",
    ),
    ("definition lint strict", "End with 10 on warnings too", "警告だけでも終了コード 10 で終わる"),
    (
        "definition test",
        "Run tables of tests against a definition: tasks are mocked, hours pass at once",
        "定義をテスト表で試す。タスクは模擬応答に置き換わり、待ち時間は一瞬で過ぎる",
    ),
    (
        "definition test files",
        "Tables: AWS Step Functions Local's mock configuration, with Input and Expect beside the mocks",
        "テスト表のファイル。AWS Step Functions Local のモック設定に Input と Expect を加えた形式",
    ),
    (
        "definition test definition",
        "The definition, where the table names none",
        "表に Definition がないときに使う定義のファイル",
    ),
    ("definition test case", "Only cases with this in their name", "名前にこの文字列を含むケースだけ"),
    (
        "definition put role",
        "Role to record [default: this server's own]",
        "記録するロール［既定値: サーバー自身のもの］",
    ),
    ("document", "Documents: what commands run", "ドキュメント: コマンドが実行する内容"),
    (
        "document list",
        "List documents: yours, then those that come with Dandori, then those shared with you",
        "ドキュメントを一覧する。自分のもの、Dandori に備わるもの、共有されたものの順",
    ),
    ("document get", "Show a document's text", "ドキュメントの本文を表示する"),
    ("document get id", "Name or ARN of the document", "ドキュメントの名前または ARN"),
    ("* which", "This version only: a number, $DEFAULT or $LATEST", "対象のバージョン: 番号、$DEFAULT、$LATEST"),
    ("document get form", "How to write it [default: as it was put]", "表示の形式［既定値: 登録したときの形式］"),
    (
        "document put",
        "Create a document, or give it a new version that becomes the default",
        "ドキュメントを作成する。既にあれば新しいバージョンを加え、既定のバージョンにする",
    ),
    ("document put file", "File with the document, - for standard input", "ドキュメントのファイル。- は標準入力"),
    ("document put name", "Name of the document", "ドキュメント名"),
    (
        "document put form",
        "How it is written [default: yaml for .yaml and .yml, else json]",
        "本文の形式［既定値: .yaml と .yml は yaml、ほかは json］",
    ),
    ("document put version_name", "A name for the version", "バージョンに付ける名前"),
    (
        "document delete",
        "Delete a document, or one version of it",
        "ドキュメント、またはその一つのバージョンを削除する",
    ),
    ("document delete id", "Name of the document", "ドキュメント名"),
    ("document delete yes", "Do not ask", "確認せずに削除する"),
    ("instance", "Managed instances: the hosts with an agent", "管理対象インスタンス: エージェントが動くホスト"),
    ("instance list", "List instances", "インスタンスを一覧する"),
    ("* agent", "Logical name or id of the instance", "実行エージェント名またはインスタンスの ID"),
    ("* reason", "Why, for the record", "理由（記録に残す）"),
    ("* dry_run", "Check it, and change nothing", "確認だけを行い、何も変更しない"),
    ("* description", "What people are told about it", "説明"),
    ("* jobs", "At most so many jobs at a time", "同時に実行するジョブ数の上限"),
    ("* no_limit", "Any number of jobs at a time", "同時実行数を制限しない"),
    (
        "instance show",
        "Show one instance, and why nothing runs on it",
        "インスタンスと、ジョブが動かない理由を表示する",
    ),
    ("instance drain", "Send it nothing new; what runs goes on", "新しいジョブを送らない（実行中のものは続く）"),
    ("instance resume", "Send it jobs again, first those that wait", "ジョブの送信を再開する（待っているものから）"),
    ("instance limit", "Set how many jobs it runs at a time", "同時に実行するジョブ数を決める"),
    ("instance limit unset", "As many as its agent was started with", "エージェントの起動時の値に戻す"),
    (
        "instance remove",
        "Deregister it: its agent is sent away and not let in again",
        "登録を解除する。エージェントは切断され、再び接続できない",
    ),
    ("name", "Logical names of agents: what jobs call them", "実行エージェント名: ジョブが指定する論理名"),
    ("name list", "List logical names", "実行エージェント名を一覧する"),
    ("name set", "Create a logical name or change it", "実行エージェント名を登録または変更する"),
    ("* name", "Its name", "名前"),
    ("name set instance", "The instance that it stands for", "指すインスタンスの ID"),
    (
        "name set restriction",
        "effective; ineffective: refuses jobs; hold: jobs wait; blockade: both",
        "転送制限: effective（有効）、ineffective（無効: 受け付けない）、hold（保留: 待たせる）、blockade（閉塞: 受け付けず、待たせる）",
    ),
    ("name delete", "Delete a logical name", "実行エージェント名を削除する"),
    ("group", "Groups of agents, of which one is chosen for each job", "実行エージェントグループ"),
    ("group list", "List groups", "グループを一覧する"),
    ("group show", "Show one group with its members", "グループとメンバーを表示する"),
    ("group put", "Create a group or change it", "グループを登録または変更する"),
    (
        "group put members",
        "A member: logical name or instance, priority 1 to 16, higher first [default: 16]; may be given again",
        "メンバー: 実行エージェント名またはインスタンスの ID と優先順位 1～16（大きいほど優先）［既定値: 16］。複数指定できる",
    ),
    (
        "group put policy",
        "balance: the freest of the highest priority; failover: the highest priority; all: each",
        "割り当て: balance（優先順位の高いもののうち最も空いているもの）、failover（優先順位順）、all（全員）",
    ),
    ("group delete", "Delete a group", "グループを削除する"),
    (
        "activation",
        "Activations: with which hosts become instances",
        "アクティベーション: ホストを管理対象として登録するためのもの",
    ),
    (
        "activation create",
        "Make an activation, and show what to type on the host",
        "アクティベーションを作り、ホストで実行するコマンドを表示する",
    ),
    ("activation create name", "What the instances are called", "登録されるインスタンスの名前"),
    ("activation create description", "What it is for", "説明"),
    ("activation create registrations", "So many hosts may use it", "登録できるホストの数"),
    ("activation create hours", "So many hours it may be used", "有効期間（時間）"),
    (
        "activation create tags",
        "A tag of the instances; may be given again",
        "インスタンスに付けるタグ。複数指定できる",
    ),
    ("activation create role", "Role to record [default: dandori]", "記録するロール［既定値: dandori］"),
    ("activation list", "List activations, newest first", "アクティベーションを新しい順に一覧する"),
    (
        "activation delete",
        "Delete an activation; hosts that have registered stay",
        "アクティベーションを削除する。登録済みのホストはそのまま残る",
    ),
    ("activation delete id", "Id of the activation", "アクティベーションの ID"),
    (
        "command",
        "Commands: run on instances, look at, cancel",
        "コマンド: インスタンスでの実行、結果の表示、キャンセル",
    ),
    (
        "command run",
        "Run a command on instances and show what it writes; ends as the command ends, Ctrl-C detaches",
        "インスタンスでコマンドを実行し、出力を表示する。終了コードは結果に従う。Ctrl-C で表示だけをやめる",
    ),
    ("command run instances", "On this instance; may be given again", "実行するインスタンスの ID。複数指定できる"),
    (
        "command run tags",
        "On instances with this tag; may be given again",
        "このタグを持つインスタンスで実行する。複数指定できる",
    ),
    (
        "command run groups",
        "On one of this group's agents, or on each, as the group's policy says; may be given again",
        "この実行エージェントグループで実行する（どのメンバーかはグループの割り当てに従う）。複数指定できる",
    ),
    (
        "command run names",
        "On the agent of this logical name; may be given again",
        "この実行エージェント名が指すインスタンスで実行する。複数指定できる",
    ),
    ("command run all", "On all instances", "すべてのインスタンスで実行する"),
    (
        "command run document",
        "The document to run [default: AWS-RunShellScript; Dandori-RunJob with --user, --cwd, --env or --stdin]",
        "実行するドキュメント［既定値: AWS-RunShellScript。--user、--cwd、--env、--stdin があれば Dandori-RunJob］",
    ),
    (
        "command run document_which",
        "Its version: a number, $DEFAULT or $LATEST",
        "ドキュメントのバージョン: 番号、$DEFAULT、$LATEST",
    ),
    (
        "command run parameters",
        "A parameter of the document; again for another, or for another line of a list",
        "ドキュメントのパラメーター。複数指定できる。同じ名前を繰り返すとリストになる",
    ),
    (
        "command run script",
        "Run the script in this file; - reads standard input",
        "このファイルのスクリプトを実行する。- は標準入力",
    ),
    (
        "command run user",
        "As this user of the host [default: the agent's own]",
        "実行するユーザー［既定値: エージェントのユーザー］",
    ),
    ("command run cwd", "In this directory of the host", "作業ディレクトリー"),
    ("command run env", "With this variable; may be given again", "環境変数。複数指定できる"),
    (
        "command run stdin",
        "What it reads from its standard input: a file's text, or with - what this command reads",
        "標準入力として渡すファイル。- はこのコマンドの標準入力",
    ),
    (
        "command run max_concurrency",
        "On so many instances at a time [default: 50]",
        "同時に実行するインスタンスの数または割合［既定値: 50］",
    ),
    (
        "command run max_errors",
        "After more failures it is sent to no other instance [default: 0]",
        "これを超えて失敗したら、残りのインスタンスに送らない［既定値: 0］",
    ),
    (
        "command run delivery_timeout",
        "It has so many seconds to begin on an instance [default: 3600]",
        "インスタンスで開始されるまでの制限時間（秒）［既定値: 3600］",
    ),
    ("command run comment", "A comment, for the record", "コメント（記録に残す）"),
    ("command run no_wait", "Send it and do not wait for its end", "送るだけで、終了を待たない"),
    ("command run warn_exit", "End with 4 when it succeeded with a warning", "警告終了があれば終了コード 4 で終わる"),
    (
        "command run words",
        "One word is a script; several are a program and its arguments, passed as they are",
        "一語ならスクリプト、複数ならプログラムと引数（そのまま渡す）",
    ),
    (
        "command cancel",
        "Cancel a command; what has begun is stopped",
        "コマンドをキャンセルする。実行中のものは停止する",
    ),
    ("command cancel id", "Id of the command", "コマンドの ID"),
    ("command cancel instances", "On these instances only [default: on all]", "対象のインスタンス［既定値: すべて］"),
    ("command list", "List commands, newest first", "コマンドを新しい順に一覧する"),
    ("command show", "Show one command with its output", "コマンドとその出力を表示する"),
    ("command show id", "Id of the command", "コマンドの ID"),
    ("command output", "Show the whole output of a command", "コマンドの出力全体を表示する"),
    ("command output id", "Id of the command", "コマンドの ID"),
    (
        "command output instance",
        "The instance; may be left out when there is one only",
        "インスタンス（一つだけのときは省略できる）",
    ),
    (
        "command output step",
        "Name of the step, or its number from 0 [default: the first]",
        "ステップの名前、または 0 からの番号［既定値: 最初のステップ］",
    ),
    (
        "command output attempt",
        "Number of the attempt from 1 [default: the latest]",
        "1 からの試行番号［既定値: 最新］",
    ),
    ("command output stderr", "Standard error instead of standard output", "標準出力の代わりに標準エラーを表示する"),
    ("command output follow", "Go on as it grows, to its end", "増えるのに合わせて、最後まで表示し続ける"),
    ("command output tail", "Begin so many bytes before the end", "末尾からこのバイト数だけ前から始める"),
    ("command output from", "Begin after so many bytes", "先頭からこのバイト数だけ後から始める"),
];

/// What stands below the options: the form of a table of tests, with [`TABLE`] as an example.
const AFTER: &[Entry] = &[(
    "definition test",
    "\
A table is JSON. StateMachines and MockedResponses are those of AWS Step Functions Local; the rest is:
  Definition  the file of the definition, beside the table
  Input       of the execution [default: {}]
  StartTime   when it begins, as 2026-01-01T00:00:00Z
  Mocks       for each state, what its task answers: a name under MockedResponses, or the answers themselves
  Expect      any of these; without it, the execution has to succeed
    Status      SUCCEEDED, FAILED or TIMED_OUT
    Output      of the execution, the whole
    Error       with which it failed; Cause likewise
    Path        the states that it entered, in order, without those inside of Map and Parallel
    Calls       for each state, how often it called its task
    Parameters  for each state, what its task was given the first time
    Seconds     from start to end, of the virtual clock
An answer is for a call (\"0\" is the first, \"1-3\" are three more): Return with a result, or Throw with Error and Cause. After
is how many seconds the task takes. Comment may stand in a table, at a state machine and in a case. An example:",
    "\
テスト表は JSON です。StateMachines と MockedResponses は AWS Step Functions Local の形式で、次の項目を加えられます。
  Definition  定義のファイル（テスト表からの相対パス）
  Input       実行の入力［既定値: {}］
  StartTime   開始時刻。例: 2026-01-01T00:00:00Z
  Mocks       ステートごとのタスクの応答。MockedResponses の名前、または応答そのもの
  Expect      期待すること。次のうち必要なものだけを書く。省略すると、正常終了を期待する
    Status      SUCCEEDED、FAILED、TIMED_OUT のいずれか
    Output      実行の出力の全体
    Error       失敗のエラー名。原因は Cause
    Path        通ったステートを順に（Map と Parallel の内側は除く）
    Calls       ステートごとの、タスクを呼んだ回数
    Parameters  ステートごとの、最初の呼び出しでタスクに渡したもの
    Seconds     開始から終了までの仮想時間（秒）
応答は呼び出しの番号（\"0\" が最初、\"1-3\" は続く 3 回）ごとに、結果なら Return、失敗なら Throw（Error と Cause）で書きます。After は
タスクにかかる秒数です。Comment はテスト表、ステートマシン、ケースに書けます。例:",
)];

/// A table of tests that shows each part once.
const TABLE: &str = r#"  {
    "StateMachines": {
      "orders": {
        "Definition": "orders.asl.json",
        "TestCases": {
          "busy at first": {
            "Input": {"order": 1},
            "Mocks": {"Charge": "Busy twice", "Ship": {"0": {"Return": {"shipped": true}, "After": 60}}},
            "Expect": {"Status": "SUCCEEDED", "Path": ["Charge", "Ship"], "Calls": {"Charge": 3}}
          }
        }
      }
    },
    "MockedResponses": {
      "Busy twice": {
        "0-1": {"Throw": {"Error": "Busy", "Cause": "try again"}},
        "2": {"Return": {"paid": true}}
      }
    }
  }"#;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Subcommand};

    fn keys(command: &clap::Command, path: &str, into: &mut Vec<(String, String)>) {
        for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
            into.push((format!("{path} {}", arg.get_id()).trim_start().to_owned(), format!("* {}", arg.get_id())));
        }
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
            into.push((path.clone(), path.clone()));
            keys(sub, &path, into);
        }
    }

    #[test]
    fn the_table_in_the_help_is_one() {
        let suite = rehearsal::Suite::parse(TABLE).expect("a table");
        assert_eq!(suite.machines.len(), 1);
        for word in rehearsal::suite::EXPECTATIONS {
            assert!(AFTER.iter().all(|(_, en, ja)| en.contains(word) && ja.contains(word)), "{word} is not explained");
        }
    }

    #[test]
    fn everything_that_can_be_typed_is_explained_and_nothing_else() {
        let command =
            crate::args::Global::augment_args(crate::args::Command::augment_subcommands(clap::Command::new("dandori")));
        let mut all = vec![];
        keys(&command, "", &mut all);
        let has = |key: &String| ENTRIES.iter().any(|(entry, _, _)| entry == key);
        let missing: Vec<_> = all.iter().filter(|(own, shared)| !has(own) && !has(shared)).collect();
        assert!(missing.is_empty(), "without help: {missing:?}");
        let stale: Vec<_> = ENTRIES
            .iter()
            .filter(|(entry, _, _)| !all.iter().any(|(own, shared)| own == entry || shared == entry))
            .collect();
        assert!(stale.is_empty(), "help for nothing: {stale:?}");
    }
}
