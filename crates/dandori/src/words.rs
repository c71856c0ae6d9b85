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
    (
        "server tls",
        "Encrypt connections, with a certificate that is made at the first start",
        "通信を暗号化する。証明書は最初の起動時に作られる",
    ),
    ("server tls_cert", "Encrypt connections with this certificate, in PEM", "この証明書 (PEM) で通信を暗号化する"),
    ("server tls_key", "The certificate's key, in PEM", "証明書の秘密鍵 (PEM)"),
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
    (
        "agent server",
        "The server's address, as in http://HOST:PORT; where the agent registered if not given",
        "サーバーのアドレス。例: http://HOST:PORT。省略すると登録したサーバー",
    ),
    (
        "agent register",
        "Make this host a managed instance, with an activation",
        "アクティベーションを使い、このホストを管理対象として登録する",
    ),
    (
        "agent register server",
        "The server's address, as in https://HOST:PORT",
        "サーバーのアドレス。例: https://HOST:PORT",
    ),
    ("agent register id", "The activation's id", "アクティベーションの ID"),
    ("agent register code", "The activation's code", "アクティベーションのコード"),
    (
        "agent register server_key",
        "The fingerprint of the server's key: nobody else is registered with",
        "サーバーの鍵のフィンガープリント。一致しない相手には登録しない",
    ),
    (
        "agent register name",
        "What people call this agent; the host's name if not given",
        "エージェントの呼び名。省略するとホスト名",
    ),
    ("agent register data", "The agent's own directory", "エージェント専用のディレクトリ"),
    (
        "agent register force",
        "Become another instance where this one is one already",
        "登録済みでも、別のインスタンスとして登録し直す",
    ),
    ("agent rotate-key", "Have the agent make itself another key", "エージェントの鍵を新しくする"),
    ("agent rotate-key data", "The agent's own directory", "エージェント専用のディレクトリ"),
    (
        "agent rotate-key wait",
        "Wait so many seconds until the server has the key",
        "サーバーが新しい鍵を受け取るまで待つ秒数",
    ),
    (
        "agent rotate_key_days",
        "After so many days the agent makes itself another key",
        "エージェントが自分の鍵を新しくするまでの日数",
    ),
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

/// One line of the demo, or of a command of the agent's.
pub(crate) enum Say<'a> {
    Registered {
        instance: &'a str,
        /// The fingerprint of the server's.
        key: &'a str,
        data: &'a str,
    },
    NotRegistered {
        data: &'a str,
    },
    Rotated,
    RotatesLater,
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
            Say::Registered { instance, key, data } => format!(
                "This host is now the instance {instance}.\nThe server's key is {key}\nStart the agent: dandori agent --data {data}"
            ),
            Say::NotRegistered { data } => format!("The agent in {data} is not registered: it has no key."),
            Say::Rotated => "The agent has a new key, and the server knows it.".to_owned(),
            Say::RotatesLater => "The agent changes its key as soon as it is connected.".to_owned(),
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
            Say::Registered { instance, key, data } => format!(
                "このホストをインスタンス {instance} として登録しました。\nサーバーの鍵: {key}\nエージェントの起動: dandori agent --data {data}"
            ),
            Say::NotRegistered { data } => format!("{data} のエージェントは登録されていないため、鍵がありません。"),
            Say::Rotated => "エージェントの鍵を新しくし、サーバーに登録しました。".to_owned(),
            Say::RotatesLater => "エージェントは、次に接続したときに鍵を新しくします。".to_owned(),
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
            let beneath = of_ours.get_subcommands().map(|command| (format!("{name} {}", command.get_name()), command));
            for (path, command) in std::iter::once((name.to_owned(), of_ours)).chain(beneath) {
                assert!(has(&path), "{path} has no words");
                for option in command.get_arguments().filter(|option| !option.is_global_set()) {
                    let key = format!("{path} {}", option.get_id());
                    assert!(has(&key), "{key} has no words");
                }
            }
        }
    }
}
