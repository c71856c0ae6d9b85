//! What this program's own commands say, in every language: their help, and the demo.

use cli::Lang;

/// The help of `server`, `agent` and `demo`: what it is about, in English and in Japanese.
pub(crate) const HELP: &[cli::help::Entry] = &[
    (
        "",
        "Job management: state machines in the Amazon States Language, on your own machines",
        "ジョブ管理: Amazon States Language のステートマシンを自分のマシンで動かします",
    ),
    (
        "server",
        "Run a server: the AWS door, the API, and the engine behind them",
        "サーバーを動かす: AWS互換の入口、API、実行エンジン",
    ),
    (
        "server listen",
        "Where to listen; port 0 lets the system choose",
        "待ち受けるアドレス。ポート0ならシステムが選ぶ",
    ),
    ("server data", "Where everything is kept", "すべてのデータを置くディレクトリ"),
    (
        "server store",
        "Which store: sqlite (in the data directory) or memory (forgets when it ends)",
        "ストアの種類: sqlite (データディレクトリの中) または memory (終了すると消える)",
    ),
    (
        "server config",
        "A configuration file in TOML; what is typed wins over it",
        "TOMLの設定ファイル。コマンドラインの指定が優先する",
    ),
    (
        "server buckets",
        "A folder that is a bucket to Maps and tasks; may be given again",
        "Mapやタスクにバケットとして見せるフォルダー。複数指定できる",
    ),
    (
        "server s3_endpoint",
        "The S3 endpoint of all other buckets, as in http://HOST:PORT",
        "それ以外のバケットのS3エンドポイント。例: http://HOST:PORT",
    ),
    ("server agent", "Hold an agent for this machine inside", "このマシンのエージェントを内蔵する"),
    (
        "server log",
        "The form of the log on standard error; text if not given",
        "標準エラー出力に書くログの形式。省略すると text",
    ),
    (
        "server level",
        "What is logged: a level, or one for each part, as in info,runtime=debug",
        "ログの範囲: レベル、または部分ごとのレベル。例: info,runtime=debug",
    ),
    (
        "agent",
        "Run an agent: connect to a server and run the scripts that it sends",
        "エージェントを動かす: サーバーに接続し、送られたスクリプトを実行する",
    ),
    ("agent server", "The server's address, as in http://HOST:PORT", "サーバーのアドレス。例: http://HOST:PORT"),
    ("agent data", "The agent's own directory", "エージェント専用のディレクトリ"),
    (
        "agent instance_id",
        "Made up at the first start, and kept",
        "インスタンスID。省略すると最初の起動時に決まり、以後変わらない",
    ),
    (
        "agent name",
        "What people call this agent; the host's name if not given",
        "エージェントの呼び名。省略するとホスト名",
    ),
    ("agent concurrency", "Scripts that run at a time", "同時に実行するスクリプトの数"),
    (
        "agent log",
        "The form of the log on standard error; text if not given",
        "標準エラー出力に書くログの形式。省略すると text",
    ),
    (
        "agent level",
        "What is logged: a level, or one for each part, as in info,runtime=debug",
        "ログの範囲: レベル、または部分ごとのレベル。例: info,runtime=debug",
    ),
    (
        "demo",
        "Show the backup job net run on this machine, from nothing",
        "バックアップのジョブネットを、このマシンで一から動かして見せる",
    ),
    ("demo listen", "Where to listen; the system chooses if not given", "待ち受けるアドレス。省略するとシステムが選ぶ"),
    (
        "demo polling",
        "The polling form of the job net, as it is built on AWS",
        "AWSで組むのと同じ、終了を問い合わせる形のジョブネットを使う",
    ),
];

/// One line of the demo.
pub(crate) enum Say<'a> {
    Intro,
    Server {
        url: &'a str,
    },
    Services {
        home: &'a str,
    },
    Put {
        name: &'a str,
    },
    Started {
        arn: &'a str,
    },
    Verifying,
    AllWell {
        jobs: usize,
    },
    JobsMissing {
        succeeded: usize,
        wanted: usize,
    },
    ExecutionFailed,
    VerifyFailed,
    /// `program`: how this program was called.
    Try {
        program: &'a str,
        url: &'a str,
        arn: &'a str,
    },
    Waiting,
    Cleaning,
    Failed {
        why: &'a str,
    },
}

impl Say<'_> {
    pub(crate) fn in_language(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.english(),
            Lang::Ja => self.japanese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Say::Intro => {
                "The backup job net: stop web -> stop DB -> back both up in parallel -> start DB -> start web."
                    .to_owned()
            }
            Say::Server { url } => format!("A server with an agent for this machine runs at {url}"),
            Say::Services { home } => format!("A web server and a database that is being written to run below {home}"),
            Say::Put { name } => format!("The definition '{name}' was put with the AWS API (CreateStateMachine)"),
            Say::Started { arn } => format!("Started (StartExecution): {arn}"),
            Say::Verifying => "Restoring both backups and comparing them with what there was ...".to_owned(),
            Say::AllWell { jobs } => format!("All {jobs} jobs SUCCEEDED, and both backups are verified."),
            Say::JobsMissing { succeeded, wanted } => format!("Only {succeeded} of {wanted} jobs succeeded."),
            Say::ExecutionFailed => "The execution did not succeed.".to_owned(),
            Say::VerifyFailed => "A backup does not restore to what there was.".to_owned(),
            Say::Try { program, url, arn } => format!(
                "Try next, in another terminal:\n\
                 \x20 export DANDORI_URL={url}\n\
                 \x20 {program} execution list\n\
                 \x20 {program} execution history @last\n\
                 or with the AWS command line (any credentials will do on this machine):\n\
                 \x20 export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1\n\
                 \x20 aws stepfunctions describe-execution --endpoint-url {url} --execution-arn {arn}\n\
                 \x20 aws stepfunctions get-execution-history --endpoint-url {url} --execution-arn {arn}\n\
                 \x20 aws ssm list-command-invocations --details --endpoint-url {url}"
            ),
            Say::Waiting => "The server stays up while you look. Ctrl-C ends it and removes everything.".to_owned(),
            Say::Cleaning => "Stopping the services and the server, and removing what they kept ...".to_owned(),
            Say::Failed { why } => format!("The demo could not go on: {why}"),
        }
    }

    fn japanese(&self) -> String {
        match self {
            Say::Intro => {
                "バックアップ ジョブネット: Web停止 → DB停止 → 両方を並行してバックアップ → DB起動 → Web起動".to_owned()
            }
            Say::Server { url } => format!("サーバーと、このマシンのエージェントが {url} で動いています"),
            Say::Services { home } => {
                format!("Webサーバーと、書き込まれ続けているデータベースが {home} で動いています")
            }
            Say::Put { name } => format!("定義「{name}」をAWSのAPI (CreateStateMachine) で登録しました"),
            Say::Started { arn } => format!("開始しました (StartExecution): {arn}"),
            Say::Verifying => "両方のバックアップを復元し、元の内容と比べています…".to_owned(),
            Say::AllWell { jobs } => {
                format!("{jobs}個のジョブがすべて SUCCEEDED (正常終了) し、両方のバックアップを検証しました。")
            }
            Say::JobsMissing { succeeded, wanted } => {
                format!("{wanted}個のジョブのうち、正常終了は{succeeded}個だけです。")
            }
            Say::ExecutionFailed => "実行は正常終了しませんでした。".to_owned(),
            Say::VerifyFailed => "バックアップを復元した内容が、元の内容と一致しません。".to_owned(),
            Say::Try { program, url, arn } => format!(
                "次に、別の端末で試してみてください:\n\
                 \x20 export DANDORI_URL={url}\n\
                 \x20 {program} execution list\n\
                 \x20 {program} execution history @last\n\
                 AWS CLIでも同じことができます (このマシンの中では認証情報は何でも構いません):\n\
                 \x20 export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1\n\
                 \x20 aws stepfunctions describe-execution --endpoint-url {url} --execution-arn {arn}\n\
                 \x20 aws stepfunctions get-execution-history --endpoint-url {url} --execution-arn {arn}\n\
                 \x20 aws ssm list-command-invocations --details --endpoint-url {url}"
            ),
            Say::Waiting => "見ている間、サーバーは動き続けます。Ctrl-Cで終了し、すべて片付けます。".to_owned(),
            Say::Cleaning => "サービスとサーバーを止め、残したものを片付けています…".to_owned(),
            Say::Failed { why } => format!("デモを続けられませんでした: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// A command or an option that is added without its words fails here.
    #[test]
    fn every_command_and_option_of_ours_has_its_words() {
        let has = |key: &str| HELP.iter().any(|(entry, en, ja)| *entry == key && !en.is_empty() && !ja.is_empty());
        let command = crate::args::Args::command();
        for name in ["server", "agent", "demo"] {
            let of_ours = command.find_subcommand(name).expect("the command is there");
            assert!(has(name), "{name} has no words");
            for option in of_ours.get_arguments().filter(|option| !option.is_global_set()) {
                let key = format!("{name} {}", option.get_id());
                assert!(has(&key), "{key} has no words");
            }
        }
    }
}
