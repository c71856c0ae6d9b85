//! What this program's own commands say, in every language: their help, and the demo.

use agent::doctor::{Finding, Severity};
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
        "agent policy",
        "The host's own rules: what the server may have done here; /etc/dandori/agent-policy.toml, where it is there, if not given",
        "サーバーに許すことを定めたファイル。省略すると、/etc/dandori/agent-policy.toml があればそれを使う",
    ),
    ("agent output_max", "Bytes of output that one attempt may keep", "1回の実行で保存する出力の上限 (バイト)"),
    (
        "agent log_file",
        "Where the log goes instead of to standard error",
        "標準エラー出力の代わりに、ログを書くファイル",
    ),
    (
        "agent log_file_max",
        "Bytes after which the log goes on in another file; five are kept",
        "この大きさ (バイト) を超えると、ログを次のファイルに切り替える。5個まで残す",
    ),
    (
        "agent doctor",
        "Examine what the agent needs of this host, and say what to do next",
        "エージェントに必要なものがこのホストに揃っているかを調べ、次にすることを示す",
    ),
    ("agent doctor data", "The agent's own directory", "エージェント専用のディレクトリ"),
    (
        "agent doctor server",
        "The server's address; the one that the agent last used if not given",
        "サーバーのアドレス。省略すると、エージェントが最後に使ったもの",
    ),
    (
        "agent doctor policy",
        "The host's own rules; those that the agent last had if not given",
        "サーバーに許すことを定めたファイル。省略すると、エージェントが最後に使ったもの",
    ),
    ("agent status", "Show how the agent of this host stands", "このホストのエージェントの状態を表示する"),
    ("agent status data", "The agent's own directory", "エージェント専用のディレクトリ"),
    (
        "agent drain",
        "Have the agent take nothing new: what it has goes on to its end",
        "エージェントに新しい仕事を受けさせない。受けたものは最後まで実行する",
    ),
    ("agent drain data", "The agent's own directory", "エージェント専用のディレクトリ"),
    ("agent drain wait", "Wait until nothing runs any more", "実行中のものがなくなるまで待つ"),
    ("agent resume", "Have the agent take work again", "エージェントに再び仕事を受けさせる"),
    ("agent resume data", "The agent's own directory", "エージェント専用のディレクトリ"),
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
    Found(&'a Finding),
    NeverRan {
        data: &'a str,
    },
    Status {
        status: &'a agent::journal::Status,
        runs: bool,
        draining: bool,
        /// Attempts that have not ended.
        running: usize,
        /// Attempts of which the server does not have everything.
        waiting: usize,
    },
    Drains,
    Drained,
    Resumed,
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
            Say::Found(finding) => found(finding, Lang::En),
            Say::NeverRan { data } => format!("No agent has run in {data} yet."),
            Say::Status { status, runs, draining, running, waiting } => {
                let runs = match (runs, status.process) {
                    (true, Some(process)) => format!("runs (process {}, version {})", process.pid, status.version),
                    _ => "does not run".to_owned(),
                };
                let connected = match status.connected_since {
                    Some(_) => "connected",
                    None => "not connected",
                };
                let draining = if *draining { "takes nothing new" } else { "takes work" };
                format!(
                    "agent     {runs}, {draining}\ninstance  {}\nserver    {}, {connected}\nattempts  {running} not \
                     ended, {waiting} still to be told",
                    status.instance_id, status.server
                )
            }
            Say::Drains => "The agent takes nothing new, within five seconds.".to_owned(),
            Say::Drained => "Nothing runs any more.".to_owned(),
            Say::Resumed => "The agent takes work again, within five seconds.".to_owned(),
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
            Say::Found(finding) => found(finding, Lang::Ja),
            Say::NeverRan { data } => format!("{data} では、まだエージェントを動かしたことがありません。"),
            Say::Status { status, runs, draining, running, waiting } => {
                let runs = match (runs, status.process) {
                    (true, Some(process)) => {
                        format!("動作中 (プロセス {}、バージョン {})", process.pid, status.version)
                    }
                    _ => "停止".to_owned(),
                };
                let connected = match status.connected_since {
                    Some(_) => "接続中",
                    None => "未接続",
                };
                let draining = if *draining { "新しい仕事は受けない" } else { "仕事を受ける" };
                format!(
                    "エージェント  {runs}、{draining}\nインスタンス  {}\nサーバー      {} ({connected})\n実行          \
                     終わっていないもの {running}、報告が残っているもの {waiting}",
                    status.instance_id, status.server
                )
            }
            Say::Drains => "エージェントは、5秒以内に新しい仕事を受けなくなります。".to_owned(),
            Say::Drained => "実行中のものはなくなりました。".to_owned(),
            Say::Resumed => "エージェントは、5秒以内に再び仕事を受けます。".to_owned(),
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

/// One line of what the doctor says, and what to do about it.
fn found(finding: &Finding, lang: Lang) -> String {
    let mark = match finding.severity() {
        Severity::Ok => "ok  ",
        Severity::Warning => "warn",
        Severity::Failure => "FAIL",
    };
    let (what, next) = match lang {
        Lang::En => found_en(finding),
        Lang::Ja => found_ja(finding),
    };
    let next = match (finding.severity(), lang) {
        (Severity::Ok, _) => String::new(),
        (_, Lang::En) => format!("\n      next: {next}"),
        (_, Lang::Ja) => format!("\n      次に: {next}"),
    };
    format!("{mark}  {what}{next}")
}

fn found_en(finding: &Finding) -> (String, &'static str) {
    match finding {
        Finding::Data { path } => (format!("data directory {}", path.display()), ""),
        Finding::DataMissing { path } => {
            (format!("data directory {} is not there", path.display()), "register this host, or start the agent once")
        }
        Finding::DataNotOurs { path, owner } => (
            format!("data directory {} belongs to {owner}, and this user may not use it", path.display()),
            "run this as the agent's user",
        ),
        Finding::Private => ("nobody else reads the data directory".to_owned(), ""),
        Finding::ReadableByOthers { mode } => {
            (format!("others may read or write the data directory (mode {mode:o})"), "chmod go-rw on it")
        }
        Finding::Runs { pid, version } => (format!("the agent runs (process {pid}, version {version})"), ""),
        Finding::RunsNot => ("the agent does not run".to_owned(), "systemctl start dandori-agent"),
        Finding::Registered => ("this host is registered".to_owned(), ""),
        Finding::NotRegistered => (
            "this host is not registered: the server cannot tell it from others".to_owned(),
            "create an activation on the server, then dandori agent register",
        ),
        Finding::IdentityDamaged { why } => {
            (format!("the agent's identity cannot be read: {why}"), "register the host anew, with --force")
        }
        Finding::Connected { server } => (format!("connected to {server}"), ""),
        Finding::ServerReached { server } => (format!("somebody listens at {server}"), ""),
        Finding::ServerNotReached { server, why } => {
            (format!("{server} cannot be reached: {why}"), "look at the address, name resolution and firewalls")
        }
        Finding::NotLetIn { server } => (
            format!("the agent runs, and {server} does not let it in"),
            "look into the agent's log, and whether the server knows this instance",
        ),
        Finding::ServerUnknown => ("the server's address is not known".to_owned(), "name it with --server"),
        Finding::Clock { ahead_ms } => (
            format!("the server's clock is {:.1} seconds ahead of this host's", *ahead_ms as f64 / 1000.0),
            "have both set by NTP",
        ),
        Finding::PolicyNone => ("no policy file: the server may have anything done".to_owned(), ""),
        Finding::Policy { path } => (format!("policy file {}", path.display()), ""),
        Finding::PolicyBroken { why } => (format!("nothing is allowed: {why}"), "mend the file, or remove it"),
        Finding::PolicyWritable { path } => {
            (format!("others may change the policy file {}", path.display()), "chmod go-w on it")
        }
        Finding::Root => ("jobs may run as any user (this is root)".to_owned(), ""),
        Finding::NotRoot { user } => {
            (format!("jobs run as {user} only"), "run the agent as root if jobs are to run as other users")
        }
        Finding::Groups { path } => (format!("jobs are limited as a whole, below {}", path.display()), ""),
        Finding::NoGroups { why } => (
            format!("limits hold for each process, not for a job as a whole: {why}"),
            "use packaging/dandori-agent.service, with systemd 254 or later",
        ),
        Finding::Disk { mib } => (format!("{mib} MiB are free"), "make room: what scripts write is kept here"),
        Finding::PowerShell => ("PowerShell is there".to_owned(), ""),
        Finding::NoPowerShell => ("no PowerShell (pwsh): documents that need it fail here".to_owned(), ""),
        Finding::Drains => ("the agent takes nothing new".to_owned(), "dandori agent resume"),
    }
}

fn found_ja(finding: &Finding) -> (String, &'static str) {
    match finding {
        Finding::Data { path } => (format!("データディレクトリ {}", path.display()), ""),
        Finding::DataMissing { path } => (
            format!("データディレクトリ {} がありません", path.display()),
            "このホストを登録するか、エージェントを一度起動してください",
        ),
        Finding::DataNotOurs { path, owner } => (
            format!("データディレクトリ {} は {owner} のもので、このユーザーには使えません", path.display()),
            "エージェントのユーザーで実行してください",
        ),
        Finding::Private => ("データディレクトリは他のユーザーから読めません".to_owned(), ""),
        Finding::ReadableByOthers { mode } => (
            format!("データディレクトリを他のユーザーが読み書きできます (モード {mode:o})"),
            "chmod go-rw で権限を外してください",
        ),
        Finding::Runs { pid, version } => {
            (format!("エージェントは動作中です (プロセス {pid}、バージョン {version})"), "")
        }
        Finding::RunsNot => {
            ("エージェントは動いていません".to_owned(), "systemctl start dandori-agent で起動してください")
        }
        Finding::Registered => ("このホストは登録されています".to_owned(), ""),
        Finding::NotRegistered => (
            "このホストは登録されていないため、サーバーは他のホストと区別できません".to_owned(),
            "サーバーでアクティベーションを作成し、dandori agent register を実行してください",
        ),
        Finding::IdentityDamaged { why } => {
            (format!("エージェントの識別情報を読めません: {why}"), "--force を付けてホストを登録し直してください")
        }
        Finding::Connected { server } => (format!("{server} に接続しています"), ""),
        Finding::ServerReached { server } => (format!("{server} は応答しています"), ""),
        Finding::ServerNotReached { server, why } => {
            (format!("{server} に届きません: {why}"), "アドレス、名前解決、ファイアウォールを確認してください")
        }
        Finding::NotLetIn { server } => (
            format!("エージェントは動いていますが、{server} に受け入れられていません"),
            "エージェントのログと、サーバーがこのインスタンスを知っているかを確認してください",
        ),
        Finding::ServerUnknown => {
            ("サーバーのアドレスが分かりません".to_owned(), "--server でアドレスを指定してください")
        }
        Finding::Clock { ahead_ms } => (
            format!("サーバーの時計は、このホストより {:.1} 秒進んでいます", *ahead_ms as f64 / 1000.0),
            "両方の時計を NTP で合わせてください",
        ),
        Finding::PolicyNone => ("ポリシーファイルがないため、サーバーからの要求をすべて許します".to_owned(), ""),
        Finding::Policy { path } => (format!("ポリシーファイル {}", path.display()), ""),
        Finding::PolicyBroken { why } => (format!("何も許していません: {why}"), "ファイルを直すか、取り除いてください"),
        Finding::PolicyWritable { path } => (
            format!("ポリシーファイル {} を他のユーザーが変更できます", path.display()),
            "chmod go-w で権限を外してください",
        ),
        Finding::Root => ("どのユーザーとしてもジョブを実行できます (root)".to_owned(), ""),
        Finding::NotRoot { user } => (
            format!("ジョブは {user} としてのみ実行できます"),
            "他のユーザーとして実行するには、エージェントを root で動かしてください",
        ),
        Finding::Groups { path } => (format!("ジョブ全体に制限を掛けられます ({})", path.display()), ""),
        Finding::NoGroups { why } => (
            format!("制限はジョブ全体ではなく、プロセスごとに掛かります: {why}"),
            "systemd 254 以降で packaging/dandori-agent.service を使ってください",
        ),
        Finding::Disk { mib } => {
            (format!("空き容量 {mib} MiB"), "空き容量を増やしてください。スクリプトの出力はここに保存されます")
        }
        Finding::PowerShell => ("PowerShell があります".to_owned(), ""),
        Finding::NoPowerShell => ("PowerShell (pwsh) はありません。必要とするドキュメントは失敗します".to_owned(), ""),
        Finding::Drains => {
            ("エージェントは新しい仕事を受けていません".to_owned(), "dandori agent resume で再開してください")
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
