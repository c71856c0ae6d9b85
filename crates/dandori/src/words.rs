//! What the demo says, in every language.

use cli::Lang;

/// One line of the demo.
pub(crate) enum Say<'a> {
    Intro,
    Server { url: &'a str },
    Services { home: &'a str },
    Put { name: &'a str },
    Started { arn: &'a str },
    Verifying,
    AllWell { jobs: usize },
    JobsMissing { succeeded: usize, wanted: usize },
    ExecutionFailed,
    VerifyFailed,
    Try { url: &'a str, arn: &'a str },
    Waiting,
    Cleaning,
    Failed { why: &'a str },
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
            Say::Intro => "The backup job net: stop web -> stop DB -> back both up in parallel -> start DB -> start web.".to_owned(),
            Say::Server { url } => format!("A server with an agent for this machine runs at {url}"),
            Say::Services { home } => format!("A web server and a database that is being written to run below {home}"),
            Say::Put { name } => format!("The definition '{name}' was put with the AWS API (CreateStateMachine)"),
            Say::Started { arn } => format!("Started (StartExecution): {arn}"),
            Say::Verifying => "Restoring both backups and comparing them with what there was ...".to_owned(),
            Say::AllWell { jobs } => format!("All {jobs} jobs SUCCEEDED, and both backups are verified."),
            Say::JobsMissing { succeeded, wanted } => format!("Only {succeeded} of {wanted} jobs succeeded."),
            Say::ExecutionFailed => "The execution did not succeed.".to_owned(),
            Say::VerifyFailed => "A backup does not restore to what there was.".to_owned(),
            Say::Try { url, arn } => format!(
                "Try next, in another terminal:\n\
                 \x20 export DANDORI_URL={url}\n\
                 \x20 dandori execution list\n\
                 \x20 dandori execution history @last\n\
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
            Say::Intro => "バックアップ ジョブネット: Web停止 → DB停止 → 両方を並行してバックアップ → DB起動 → Web起動".to_owned(),
            Say::Server { url } => format!("サーバーと、このマシンのエージェントが {url} で動いています"),
            Say::Services { home } => format!("Webサーバーと、書き込まれ続けているデータベースが {home} で動いています"),
            Say::Put { name } => format!("定義「{name}」をAWSのAPI (CreateStateMachine) で登録しました"),
            Say::Started { arn } => format!("開始しました (StartExecution): {arn}"),
            Say::Verifying => "両方のバックアップを復元し、元の内容と比べています…".to_owned(),
            Say::AllWell { jobs } => format!("{jobs}個のジョブがすべて SUCCEEDED (正常終了) し、両方のバックアップを検証しました。"),
            Say::JobsMissing { succeeded, wanted } => format!("{wanted}個のジョブのうち、正常終了は{succeeded}個だけです。"),
            Say::ExecutionFailed => "実行は正常終了しませんでした。".to_owned(),
            Say::VerifyFailed => "バックアップを復元した内容が、元の内容と一致しません。".to_owned(),
            Say::Try { url, arn } => format!(
                "次に、別の端末で試してみてください:\n\
                 \x20 export DANDORI_URL={url}\n\
                 \x20 dandori execution list\n\
                 \x20 dandori execution history @last\n\
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
