//! Whole requests against a whole server with a store in memory.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use api::agent::{Ended, Finished, FromAgent, Hello, PROTOCOL, ToAgent};
use aws::{Config, Face, Request, Tasks};
use base::{Caller, Json, Timestamp};
use bytes::Bytes;
use expect_test::{Expect, expect};
use runtime::Runtime;
use runtime::agents::Comes;
use store::memory::MemoryStore;

const INSTANCE: &str = "mi-0123456789abcdef0";
const SCOPE: &str = "AWS4-HMAC-SHA256 Credential=111111111111/20150830/us-east-1/SERVICE/aws4_request, SignedHeaders=host, Signature=00";

/// How often to look, 5 ms apart, before giving up.
const PATIENCE: usize = 2_000;

struct Server {
    runtime: Runtime,
    face: Face,
}

impl Server {
    async fn open() -> Server {
        let runtime =
            Runtime::open(runtime::Config::default(), Arc::new(MemoryStore::new()), Arc::new(Tasks::default()))
                .await
                .expect("a store in memory opens");
        Server { face: Face::new(runtime.clone(), Config::open(|| Timestamp(0))), runtime }
    }

    /// The answer's status and body.
    async fn ask(&self, operation: &str, body: &str) -> (u16, String) {
        let (service, prefix) = match operation {
            known if known.contains("Parameter") || known.contains("Document") => ("ssm", "AmazonSSM"),
            "SendCommand"
            | "CancelCommand"
            | "ListCommands"
            | "ListCommandInvocations"
            | "GetCommandInvocation"
            | "DescribeInstanceInformation" => ("ssm", "AmazonSSM"),
            _ => ("states", "AWSStepFunctions"),
        };
        let (target, scope) = (format!("{prefix}.{operation}"), SCOPE.replace("SERVICE", service));
        let headers = vec![
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
            ("authorization", scope.as_str()),
        ];
        let request = Request {
            method: "POST",
            path: "/",
            query: "",
            headers,
            body: Bytes::from(body.to_owned()),
            peer_is_loopback: true,
        };
        let response = self.face.handle(request).await;
        assert!(response.headers.iter().any(|(name, id)| *name == "x-amzn-RequestId" && id.len() == 36));
        (response.status, String::from_utf8(response.body.to_vec()).expect("JSON is UTF-8"))
    }

    async fn json(&self, operation: &str, body: &str) -> Json {
        Json::parse(&self.ask(operation, body).await.1).expect("an answer is JSON")
    }

    /// Asks each line (`Operation {body}`), and tells what was answered; times and ids are not told.
    async fn check(&self, lines: &str, expect: Expect) {
        let mut told = String::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (operation, body) = line.split_once(' ').unwrap_or((line, "{}"));
            let (status, answer) =
                self.ask(operation, &body.replace("ARN:", "arn:aws:states:us-east-1:111111111111:")).await;
            writeln!(told, "{operation}: {status} {}", quiet(&answer)).expect("a text takes all");
        }
        expect.assert_eq(&told);
    }

    /// Creates `net` with that definition, starts it as `n-1` and waits for its end.
    async fn run(&self, definition: &str) -> Json {
        let create = Json::object([
            ("name", "net".into()),
            ("definition", definition.into()),
            ("roleArn", "arn:aws:iam::111111111111:role/r".into()),
        ]);
        let (status, answer) = self.ask("CreateStateMachine", &create.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        self.ask("StartExecution", r#"{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:net","name":"n-1","input":"{ }"}"#).await;
        for _ in 0..PATIENCE {
            let execution = self
                .json(
                    "DescribeExecution",
                    r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:net:n-1"}"#,
                )
                .await;
            if execution.get("status").and_then(Json::as_str) != Some("RUNNING") {
                return execution;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the execution did not end in time");
    }

    /// An agent that runs everything and ends it with `ended`.
    async fn agent(&self, ended: Ended) {
        let hello = Hello {
            protocol: PROTOCOL,
            instance_id: INSTANCE.into(),
            name: "web-1".into(),
            agent_version: "0.1.0".into(),
            platform_type: "Linux".into(),
            platform_name: "Debian GNU/Linux".into(),
            platform_version: "13".into(),
            ip: None,
            computer_name: "web-1".into(),
            boot_id: "b".into(),
            incarnation: 1,
            concurrency_max: None,
            attempts: Vec::new(),
            credentials: None,
        };
        let mut link = self
            .runtime
            .agent_connect(&Caller::new("111111111111", "us-east-1"), hello, Comes::FromThisHost)
            .await
            .expect("the agent is let in");
        let (runtime, session) = (self.runtime.clone(), link.session());
        tokio::spawn(async move {
            while let Some(message) = link.outgoing.recv().await {
                let answers = match message {
                    ToAgent::Offer(offer) => vec![FromAgent::Accepted { attempt: offer.attempt }],
                    ToAgent::Go { attempt } => {
                        let finished = Finished {
                            attempt: attempt.clone(),
                            ended: ended.clone(),
                            stdout: "backed up\n".into(),
                            stderr: String::new(),
                            stdout_truncated: false,
                            stderr_truncated: false,
                            started_at: Some(Timestamp(0)),
                            finished_at: Some(Timestamp(20)),
                            verdict: Default::default(),
                            steps: vec![],
                        };
                        vec![FromAgent::Started { attempt, started_at: Timestamp(0) }, FromAgent::Finished(finished)]
                    }
                    _ => Vec::new(),
                };
                for answer in answers {
                    runtime.agent_message(&session, answer).await.expect("the agent is heard");
                }
            }
        });
    }
}

/// Without what differs each time.
fn quiet(text: &str) -> String {
    let text = text.replace("arn:aws:states:us-east-1:111111111111:", "ARN:");
    let mut told = String::new();
    let mut rest = text.as_str();
    while let Some(char) = rest.chars().next() {
        let word: String = rest.chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '-').collect();
        let digits = word.len() >= 10 && word.bytes().all(|byte| byte.is_ascii_digit());
        let token = word.len() >= 48 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if token {
            told.push_str("TOKEN");
        } else if word.len() == 36 && word.matches('-').count() == 4 {
            told.push_str("UUID");
        } else if digits && rest[word.len()..].starts_with('.') {
            told.push_str("TIME");
            rest = &rest[word.len() + 4..];
            continue;
        } else if word.is_empty() {
            told.push(char);
            rest = &rest[char.len_utf8()..];
            continue;
        } else {
            told.push_str(&word);
        }
        rest = &rest[word.len()..];
    }
    told
}

#[tokio::test]
async fn a_state_machine_lives_and_dies() {
    let server = Server::open().await;
    let execution = server.run(r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#).await;
    assert_eq!(execution.get("status").and_then(Json::as_str), Some("SUCCEEDED"));
    server
        .check(
            r#"
            DescribeStateMachine {"stateMachineArn":"ARN:stateMachine:net"}
            DescribeStateMachineForExecution {"executionArn":"ARN:execution:net:n-1","includedData":"METADATA_ONLY"}
            DescribeExecution {"executionArn":"ARN:execution:net:n-1"}
            GetExecutionHistory {"executionArn":"ARN:execution:net:n-1"}
            GetExecutionHistory {"executionArn":"ARN:execution:net:n-1","reverseOrder":true,"maxResults":1,"includeExecutionData":false}
            ListExecutions {"stateMachineArn":"ARN:stateMachine:net","statusFilter":"SUCCEEDED"}
            ListExecutions {"stateMachineArn":"ARN:stateMachine:net","statusFilter":"PENDING_REDRIVE"}
            ListStateMachines
            TagResource {"resourceArn":"ARN:stateMachine:net","tags":[{"key":"team","value":"web"}]}
            ListTagsForResource {"resourceArn":"ARN:stateMachine:net"}
            UntagResource {"resourceArn":"ARN:stateMachine:net","tagKeys":["team"]}
            UpdateStateMachine {"stateMachineArn":"ARN:stateMachine:net"}
            UpdateStateMachine {"stateMachineArn":"ARN:stateMachine:net","roleArn":"arn:aws:iam::111111111111:role/other"}
            StopExecution {"executionArn":"ARN:execution:net:n-1"}
            DeleteStateMachine {"stateMachineArn":"ARN:stateMachine:net"}
            DescribeStateMachine {"stateMachineArn":"ARN:stateMachine:net"}
            "#,
            expect![[r#"
                DescribeStateMachine: 200 {"stateMachineArn":"ARN:stateMachine:net","name":"net","status":"ACTIVE","definition":"{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"End\":true}}}","roleArn":"arn:aws:iam::111111111111:role/r","type":"STANDARD","creationDate":TIME,"loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}
                DescribeStateMachineForExecution: 200 {"stateMachineArn":"ARN:stateMachine:net","name":"net","definition":"{}","roleArn":"arn:aws:iam::111111111111:role/r","updateDate":TIME,"loggingConfiguration":{"level":"OFF","includeExecutionData":false},"tracingConfiguration":{"enabled":false},"encryptionConfiguration":{"type":"AWS_OWNED_KEY"}}
                DescribeExecution: 200 {"executionArn":"ARN:execution:net:n-1","stateMachineArn":"ARN:stateMachine:net","name":"n-1","status":"SUCCEEDED","startDate":TIME,"stopDate":TIME,"input":"{ }","inputDetails":{"included":true},"output":"{}","outputDetails":{"included":true},"redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is SUCCEEDED and cannot be redriven"}
                GetExecutionHistory: 200 {"events":[{"timestamp":TIME,"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{ }","inputDetails":{"truncated":false},"roleArn":"arn:aws:iam::111111111111:role/r"}},{"timestamp":TIME,"type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"P","input":"{}","inputDetails":{"truncated":false}}},{"timestamp":TIME,"type":"PassStateExited","id":3,"previousEventId":2,"stateExitedEventDetails":{"name":"P","output":"{}","outputDetails":{"truncated":false}}},{"timestamp":TIME,"type":"ExecutionSucceeded","id":4,"previousEventId":3,"executionSucceededEventDetails":{"output":"{}","outputDetails":{"truncated":false}}}]}
                GetExecutionHistory: 200 {"events":[{"timestamp":TIME,"type":"ExecutionSucceeded","id":4,"previousEventId":3,"executionSucceededEventDetails":{}}],"nextToken":"TOKEN"}
                ListExecutions: 200 {"executions":[{"executionArn":"ARN:execution:net:n-1","stateMachineArn":"ARN:stateMachine:net","name":"n-1","status":"SUCCEEDED","startDate":TIME,"stopDate":TIME,"redriveCount":0}]}
                ListExecutions: 200 {"executions":[]}
                ListStateMachines: 200 {"stateMachines":[{"stateMachineArn":"ARN:stateMachine:net","name":"net","type":"STANDARD","creationDate":TIME}]}
                TagResource: 200 {}
                ListTagsForResource: 200 {"tags":[{"key":"team","value":"web"}]}
                UntagResource: 200 {}
                UpdateStateMachine: 400 {"__type":"MissingRequiredParameter","message":"Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"}
                UpdateStateMachine: 200 {"updateDate":TIME,"revisionId":"UUID"}
                StopExecution: 200 {"stopDate":TIME}
                DeleteStateMachine: 200 {}
                DescribeStateMachine: 400 {"__type":"StateMachineDoesNotExist","message":"State Machine Does Not Exist: 'ARN:stateMachine:net'"}
            "#]],
        )
        .await;
}

#[tokio::test]
async fn what_is_refused_is_refused_in_awss_words() {
    let server = Server::open().await;
    server.run(r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#).await;
    server
        .check(
            r#"
            CreateStateMachine {"name":"a b","definition":"{}","roleArn":"arn:aws:iam::111111111111:role/r"}
            CreateStateMachine {"name":"ab","definition":"{}","roleArn":"arn:aws:iam::111111111111:role/r"}
            CreateStateMachine {"name":"net","definition":"{\"StartAt\":\"Q\",\"States\":{\"Q\":{\"Type\":\"Succeed\"}}}","roleArn":"arn:aws:iam::111111111111:role/r"}
            StartExecution {"stateMachineArn":"ARN:stateMachine:net","name":"n-1","input":"1"}
            StartExecution {"stateMachineArn":"ARN:stateMachine:net","input":"not json"}
            StartExecution {"stateMachineArn":"ARN:stateMachine:net","input":""}
            StartExecution {"stateMachineArn":"ARN:stateMachine:other"}
            StartExecution {"stateMachineArn":"not_a_valid_arn"}
            StartExecution
            DescribeExecution {"executionArn":"ARN:execution:net:other"}
            GetExecutionHistory {"executionArn":"ARN:execution:net:n-1","nextToken":"garbage"}
            ListExecutions {"stateMachineArn":"ARN:stateMachine:net","maxResults":1001}
            TagResource {"resourceArn":"ARN:stateMachine:other","tags":[]}
            RedriveExecution {"executionArn":"e"}
            Nonsense
            SendCommand {"DocumentName":"AWS-RunShellScript","InstanceIds":["mi-0123456789abcdef0"],"Parameters":{"commands":["ls"]}}
            SendCommand {"DocumentName":"AWS-RunPython","InstanceIds":["mi-0123456789abcdef0"]}
            GetCommandInvocation {"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-0123456789abcdef0"}
            ListCommandInvocations {"CommandId":"0d3a0b3e-0000-4000-8000-000000000001"}
            ListCommands {"NextToken":"garbage"}
            ListCommandInvocations {"NextToken":"garbage"}
            CancelCommand {"CommandId":"0d3a0b3e-0000-4000-8000-000000000001"}
            "#,
            expect![[r#"
                CreateStateMachine: 400 {"__type":"InvalidName","message":"Invalid Name: 'a b'"}
                CreateStateMachine: 400 {"__type":"InvalidDefinition","message":"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'"}
                CreateStateMachine: 400 {"__type":"StateMachineAlreadyExists","message":"State Machine Already Exists: 'ARN:stateMachine:net'"}
                StartExecution: 400 {"__type":"ExecutionAlreadyExists","message":"Execution Already Exists: 'ARN:execution:net:n-1'"}
                StartExecution: 400 {"__type":"InvalidExecutionInput","message":"Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')'"}
                StartExecution: 400 {"__type":"InvalidExecutionInput","message":"Invalid State Machine Execution Input: 'Invalid execution input.'"}
                StartExecution: 400 {"__type":"StateMachineDoesNotExist","message":"State Machine Does Not Exist: 'ARN:stateMachine:other'"}
                StartExecution: 400 {"__type":"InvalidArn","message":"Invalid Arn: 'Invalid ARN prefix: not_a_valid_arn'"}
                StartExecution: 400 {"__type":"ValidationException","message":"1 validation error detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null"}
                DescribeExecution: 400 {"__type":"ExecutionDoesNotExist","message":"Execution Does Not Exist: 'ARN:execution:net:other'"}
                GetExecutionHistory: 400 {"__type":"InvalidToken","message":"Invalid Token: 'Invalid token'"}
                ListExecutions: 400 {"__type":"ValidationException","message":"1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"}
                TagResource: 400 {"__type":"ResourceNotFound","message":"Resource not found: 'ARN:stateMachine:other'","resourceName":"ARN:stateMachine:other"}
                RedriveExecution: 400 {"__type":"InvalidArn","message":"Invalid Arn: 'Invalid ARN prefix: e'"}
                Nonsense: 400 {"__type":"UnknownOperationException","message":"The operation Nonsense is not known"}
                SendCommand: 400 {"__type":"InvalidInstanceId","message":"Instances [[mi-0123456789abcdef0]] not in a valid state for account 111111111111"}
                SendCommand: 400 {"__type":"InvalidDocument","message":"Document with name AWS-RunPython does not exist."}
                GetCommandInvocation: 400 {"__type":"InvocationDoesNotExist"}
                ListCommandInvocations: 200 {"CommandInvocations":[]}
                ListCommands: 400 {"__type":"InvalidNextToken","message":"The specified token is not valid."}
                ListCommandInvocations: 400 {"__type":"InvalidNextToken","message":"The specified token is not valid."}
                CancelCommand: 400 {"__type":"InvalidCommandId"}
            "#]],
        )
        .await;
}

/// Runs one task and tells its events, from `TaskScheduled` on.
#[tokio::test]
async fn a_definition_is_checked_and_not_kept() {
    let server = Server::open().await;
    let lines = r#"
        ValidateStateMachineDefinition {"definition":"{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"End\":true}}}"}
        ValidateStateMachineDefinition {"definition":""}
        ValidateStateMachineDefinition {"definition":"not a definition"}
        ValidateStateMachineDefinition {"definition":"{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"Parameters\":{\"a\":\"$.b\"},\"End\":true}}}"}
        ValidateStateMachineDefinition {"definition":"{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"Parameters\":{\"a\":\"$.b\"},\"End\":true}}}","severity":"WARNING"}
        ValidateStateMachineDefinition {"definition":"{\"StartAt\":1,\"States\":1}","maxResults":1}
        ValidateStateMachineDefinition {"definition":"{\"StartAt\":1,\"States\":1}","maxResults":0}
        ValidateStateMachineDefinition {"definition":"{}","maxResults":101}
        ValidateStateMachineDefinition {"definition":"{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::sqs:sendMessage.waitForTaskToken\",\"End\":true}}}","type":"EXPRESS"}
        "#;
    server.check(lines, expect![[r#"
        ValidateStateMachineDefinition: 200 {"result":"OK","diagnostics":[],"truncated":false}
        ValidateStateMachineDefinition: 200 {"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"Definition must be a valid JSON object"}],"truncated":false}
        ValidateStateMachineDefinition: 200 {"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"INVALID_JSON_DESCRIPTION","message":"Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]","location":"[Source: (String)\"not a definition\"; line: 1, column: 4]"}],"truncated":false}
        ValidateStateMachineDefinition: 200 {"result":"OK","diagnostics":[],"truncated":false}
        ValidateStateMachineDefinition: 200 {"result":"OK","diagnostics":[{"severity":"WARNING","code":"NO_DOLLAR","message":"No '.$' on the field 'a', whose value appears to be a JSONPath or an intrinsic function","location":"/States/P/Parameters/a"}],"truncated":false}
        ValidateStateMachineDefinition: 200 {"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"Expected value of type [OBJECT]","location":"/States"}],"truncated":true}
        ValidateStateMachineDefinition: 200 {"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"Expected value of type [OBJECT]","location":"/States"},{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"Expected value of type [STRING]","location":"/StartAt"}],"truncated":false}
        ValidateStateMachineDefinition: 400 {"__type":"ValidationException","message":"1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"}
        ValidateStateMachineDefinition: 200 {"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"Express state machine does not support '.waitForTaskToken' service integration ","location":"/States/T/Resource"}],"truncated":false}
    "#]]).await;
}

async fn check_task(state: &str, ended: Ended, expect: Expect) {
    let server = Server::open().await;
    server.agent(ended).await;
    server.run(&format!(r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","End":true,{state}}}}}}}"#)).await;
    let history = server
        .json("GetExecutionHistory", r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:net:n-1"}"#)
        .await;
    let mut told = String::new();
    for event in history.get("events").and_then(Json::as_array).unwrap_or_default().iter().skip(2) {
        let event = event.as_object().expect("an event");
        let kind = event["type"].as_str().unwrap_or_default();
        let details = event
            .iter()
            .find(|(key, _)| key.ends_with("EventDetails"))
            .map(|(_, details)| details.to_string())
            .unwrap_or_default();
        writeln!(told, "{kind} {}", quiet_times(&quiet(&details))).expect("a text takes all");
    }
    expect.assert_eq(&told);
}

/// `2026-08-28T20:34:59.712Z` differs each time, too, but for what the agent said.
fn quiet_times(text: &str) -> String {
    text.split('"')
        .map(|part| if part.starts_with("20") && part.contains("Z\\") { "TIME\\" } else { part })
        .collect::<Vec<_>>()
        .join("\"")
}

const GREET: &str = r#"{\"schemaVersion\":\"2.2\",\"mainSteps\":[{\"action\":\"aws:runShellScript\",\"name\":\"greet\",\"inputs\":{\"runCommand\":[\"echo hello\"]}}]}"#;

#[tokio::test]
async fn a_documents_story_is_told_in_answers() {
    let server = Server::open().await;
    let lines = r#"
        CreateDocument {"Name":"Greet","Content":"TEXT","VersionName":"first","Tags":[{"Key":"team","Value":"web"}]}
        CreateDocument {"Name":"Greet","Content":"TEXT"}
        UpdateDocument {"Name":"Greet","Content":"TEXT","DocumentVersion":"$LATEST"}
        UpdateDocument {"Name":"Greet","Content":" TEXT","DocumentVersion":"1"}
        UpdateDocumentDefaultVersion {"Name":"Greet","DocumentVersion":"2"}
        GetDocument {"Name":"Greet","DocumentFormat":"YAML"}
        ListDocuments {"Filters":[{"Key":"tag:team","Values":["web"]}]}
        ListDocumentVersions {"Name":"Greet","MaxResults":1}
        ModifyDocumentPermission {"Name":"Greet","PermissionType":"Share","AccountIdsToAdd":["222222222222"]}
        DescribeDocumentPermission {"Name":"Greet","PermissionType":"Share"}
        DeleteDocument {"Name":"Greet"}
        DeleteDocument {"Name":"Greet","DocumentVersion":"1"}
        DescribeDocument {"Name":"Greet","DocumentVersion":"1"}
    "#;
    server.check(&lines.replace("TEXT", GREET), expect![[r#"
        CreateDocument: 200 {"DocumentDescription":{"Hash":"TOKEN","HashType":"Sha256","Name":"Greet","VersionName":"first","Owner":"111111111111","CreatedDate":TIME,"Status":"Active","DocumentVersion":"1","Parameters":[],"PlatformTypes":["Linux","MacOS"],"DocumentType":"Command","SchemaVersion":"2.2","LatestVersion":"1","DefaultVersion":"1","DocumentFormat":"JSON","Tags":[{"Key":"team","Value":"web"}]}}
        CreateDocument: 400 {"__type":"DocumentAlreadyExists","message":"Document with same name Greet already exists"}
        UpdateDocument: 400 {"__type":"DuplicateDocumentContent","message":"The content of the association document matches another document. Change the content of the document and try again."}
        UpdateDocument: 200 {"DocumentDescription":{"Hash":"TOKEN","HashType":"Sha256","Name":"Greet","Owner":"111111111111","CreatedDate":TIME,"Status":"Active","DocumentVersion":"2","Parameters":[],"PlatformTypes":["Linux","MacOS"],"DocumentType":"Command","SchemaVersion":"2.2","LatestVersion":"2","DefaultVersion":"1","DocumentFormat":"JSON","Tags":[{"Key":"team","Value":"web"}]}}
        UpdateDocumentDefaultVersion: 200 {"Description":{"Name":"Greet","DefaultVersion":"2"}}
        GetDocument: 200 {"Name":"Greet","CreatedDate":TIME,"DocumentVersion":"2","Status":"Active","Content":"schemaVersion: \"2.2\"\nmainSteps:\n  - action: \"aws:runShellScript\"\n    name: greet\n    inputs:\n      runCommand:\n        - echo hello\n","DocumentType":"Command","DocumentFormat":"YAML","AttachmentsContent":[]}
        ListDocuments: 200 {"DocumentIdentifiers":[{"Name":"Greet","CreatedDate":TIME,"Owner":"111111111111","PlatformTypes":["Linux","MacOS"],"DocumentVersion":"2","DocumentType":"Command","SchemaVersion":"2.2","DocumentFormat":"JSON","Tags":[{"Key":"team","Value":"web"}]}]}
        ListDocumentVersions: 200 {"DocumentVersions":[{"Name":"Greet","DocumentVersion":"2","CreatedDate":TIME,"IsDefaultVersion":true,"DocumentFormat":"JSON","Status":"Active"}],"NextToken":"TOKEN"}
        ModifyDocumentPermission: 200 {}
        DescribeDocumentPermission: 200 {"AccountIds":["222222222222"],"AccountSharingInfoList":[{"AccountId":"222222222222","SharedDocumentVersion":"$DEFAULT"}]}
        DeleteDocument: 400 {"__type":"InvalidDocumentOperation","message":"You attempted to delete a document while it is still shared. You must stop sharing the document before you can delete it."}
        DeleteDocument: 200 {}
        DescribeDocument: 400 {"__type":"InvalidDocumentVersion","message":"Document version 1 is not valid or does not exist."}
    "#]]).await;
}

#[tokio::test]
async fn a_task_sends_a_command_as_a_client_would() {
    check_task(
        r#""Resource":"arn:aws:states:::aws-sdk:ssm:sendCommand","Parameters":{"DocumentName":"AWS-RunShellScript","InstanceIds":["mi-0123456789abcdef0"],"Parameters":{"commands":["backup"]}},"OutputPath":"$.Command.InstanceIds""#,
        Ended::ExitCode(0),
        expect![[r#"
            TaskScheduled {"resourceType":"aws-sdk:ssm","resource":"sendCommand","region":"us-east-1","parameters":"{\"DocumentName\":\"AWS-RunShellScript\",\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Parameters\":{\"commands\":[\"backup\"]}}"}
            TaskStarted {"resourceType":"aws-sdk:ssm","resource":"sendCommand"}
            TaskSucceeded {"resourceType":"aws-sdk:ssm","resource":"sendCommand","output":"{\"Command\":{\"CommandId\":\"UUID\",\"DocumentName\":\"AWS-RunShellScript\",\"DocumentVersion\":\"$DEFAULT\",\"Comment\":\"\",\"ExpiresAfter\":\"TIME\",\"Parameters\":{\"commands\":[\"backup\"]},\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Targets\":[],\"RequestedDateTime\":\"TIME\",\"Status\":\"Pending\",\"StatusDetails\":\"Pending\",\"OutputS3BucketName\":\"\",\"OutputS3KeyPrefix\":\"\",\"MaxConcurrency\":\"50\",\"MaxErrors\":\"0\",\"TargetCount\":1,\"CompletedCount\":0,\"ErrorCount\":0,\"DeliveryTimedOutCount\":0,\"ServiceRole\":\"\",\"NotificationConfig\":{\"NotificationArn\":\"\",\"NotificationEvents\":[],\"NotificationType\":\"\"},\"CloudWatchOutputConfig\":{\"CloudWatchLogGroupName\":\"\",\"CloudWatchOutputEnabled\":false},\"TimeoutSeconds\":3600}}","outputDetails":{"truncated":false}}
            TaskStateExited {"name":"T","output":"[\"mi-0123456789abcdef0\"]","outputDetails":{"truncated":false}}
            ExecutionSucceeded {"output":"[\"mi-0123456789abcdef0\"]","outputDetails":{"truncated":false}}
        "#]],
    )
    .await;
    check_task(
        r#""Resource":"arn:aws:states:::aws-sdk:ssm:sendCommand","Parameters":{"DocumentName":"AWS-RunShellScript","InstanceIds":["mi-00000000000000000"],"Parameters":{"commands":["backup"]}}"#,
        Ended::ExitCode(0),
        expect![[r#"
            TaskScheduled {"resourceType":"aws-sdk:ssm","resource":"sendCommand","region":"us-east-1","parameters":"{\"DocumentName\":\"AWS-RunShellScript\",\"InstanceIds\":[\"mi-00000000000000000\"],\"Parameters\":{\"commands\":[\"backup\"]}}"}
            TaskStarted {"resourceType":"aws-sdk:ssm","resource":"sendCommand"}
            TaskFailed {"resourceType":"aws-sdk:ssm","resource":"sendCommand","error":"Ssm.InvalidInstanceIdException","cause":"Instances [[mi-00000000000000000]] not in a valid state for account 111111111111 (Service: Ssm, Status Code: 400, Request ID: UUID)"}
            ExecutionFailed {"error":"Ssm.InvalidInstanceIdException","cause":"Instances [[mi-00000000000000000]] not in a valid state for account 111111111111 (Service: Ssm, Status Code: 400, Request ID: UUID)"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_sync_task_waits_for_the_commands_end() {
    let sync = r#""Resource":"arn:aws:states:::ssm:sendCommand.sync","Parameters":{"DocumentName":"AWS-RunShellScript","InstanceIds":["mi-0123456789abcdef0"],"Parameters":{"commands":["backup"]}},"OutputPath":"$.CommandInvocations[0].StandardOutputContent""#;
    check_task(sync, Ended::ExitCode(0), expect![[r#"
        TaskScheduled {"resourceType":"ssm","resource":"sendCommand.sync","region":"us-east-1","parameters":"{\"DocumentName\":\"AWS-RunShellScript\",\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Parameters\":{\"commands\":[\"backup\"]}}"}
        TaskStarted {"resourceType":"ssm","resource":"sendCommand.sync"}
        TaskSubmitted {"resourceType":"ssm","resource":"sendCommand.sync","output":"{\"Command\":{\"CommandId\":\"UUID\",\"DocumentName\":\"AWS-RunShellScript\",\"DocumentVersion\":\"$DEFAULT\",\"Comment\":\"\",\"ExpiresAfter\":\"TIME\",\"Parameters\":{\"commands\":[\"backup\"]},\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Targets\":[],\"RequestedDateTime\":\"TIME\",\"Status\":\"Pending\",\"StatusDetails\":\"Pending\",\"OutputS3BucketName\":\"\",\"OutputS3KeyPrefix\":\"\",\"MaxConcurrency\":\"50\",\"MaxErrors\":\"0\",\"TargetCount\":1,\"CompletedCount\":0,\"ErrorCount\":0,\"DeliveryTimedOutCount\":0,\"ServiceRole\":\"\",\"NotificationConfig\":{\"NotificationArn\":\"\",\"NotificationEvents\":[],\"NotificationType\":\"\"},\"CloudWatchOutputConfig\":{\"CloudWatchLogGroupName\":\"\",\"CloudWatchOutputEnabled\":false},\"TimeoutSeconds\":3600}}","outputDetails":{"truncated":false}}
        TaskSucceeded {"resourceType":"ssm","resource":"sendCommand.sync","output":"{\"Command\":{\"CommandId\":\"UUID\",\"DocumentName\":\"AWS-RunShellScript\",\"DocumentVersion\":\"$DEFAULT\",\"Comment\":\"\",\"ExpiresAfter\":\"TIME\",\"Parameters\":{\"commands\":[\"backup\"]},\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Targets\":[],\"RequestedDateTime\":\"TIME\",\"Status\":\"Success\",\"StatusDetails\":\"Success\",\"OutputS3BucketName\":\"\",\"OutputS3KeyPrefix\":\"\",\"MaxConcurrency\":\"50\",\"MaxErrors\":\"0\",\"TargetCount\":1,\"CompletedCount\":1,\"ErrorCount\":0,\"DeliveryTimedOutCount\":0,\"ServiceRole\":\"\",\"NotificationConfig\":{\"NotificationArn\":\"\",\"NotificationEvents\":[],\"NotificationType\":\"\"},\"CloudWatchOutputConfig\":{\"CloudWatchLogGroupName\":\"\",\"CloudWatchOutputEnabled\":false},\"TimeoutSeconds\":3600},\"CommandInvocations\":[{\"InstanceId\":\"mi-0123456789abcdef0\",\"Status\":\"Success\",\"StatusDetails\":\"Success\",\"ResponseCode\":0,\"ExecutionStartDateTime\":\"1970-01-01T00:00:00.000Z\",\"ExecutionEndDateTime\":\"1970-01-01T00:00:00.020Z\",\"StandardOutputContent\":\"backed up\\n\",\"StandardErrorContent\":\"\"}]}","outputDetails":{"truncated":false}}
        TaskStateExited {"name":"T","output":"\"backed up\\n\"","outputDetails":{"truncated":false}}
        ExecutionSucceeded {"output":"\"backed up\\n\"","outputDetails":{"truncated":false}}
    "#]]).await;
    check_task(sync, Ended::ExitCode(3), expect![[r#"
        TaskScheduled {"resourceType":"ssm","resource":"sendCommand.sync","region":"us-east-1","parameters":"{\"DocumentName\":\"AWS-RunShellScript\",\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Parameters\":{\"commands\":[\"backup\"]}}"}
        TaskStarted {"resourceType":"ssm","resource":"sendCommand.sync"}
        TaskSubmitted {"resourceType":"ssm","resource":"sendCommand.sync","output":"{\"Command\":{\"CommandId\":\"UUID\",\"DocumentName\":\"AWS-RunShellScript\",\"DocumentVersion\":\"$DEFAULT\",\"Comment\":\"\",\"ExpiresAfter\":\"TIME\",\"Parameters\":{\"commands\":[\"backup\"]},\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Targets\":[],\"RequestedDateTime\":\"TIME\",\"Status\":\"Pending\",\"StatusDetails\":\"Pending\",\"OutputS3BucketName\":\"\",\"OutputS3KeyPrefix\":\"\",\"MaxConcurrency\":\"50\",\"MaxErrors\":\"0\",\"TargetCount\":1,\"CompletedCount\":0,\"ErrorCount\":0,\"DeliveryTimedOutCount\":0,\"ServiceRole\":\"\",\"NotificationConfig\":{\"NotificationArn\":\"\",\"NotificationEvents\":[],\"NotificationType\":\"\"},\"CloudWatchOutputConfig\":{\"CloudWatchLogGroupName\":\"\",\"CloudWatchOutputEnabled\":false},\"TimeoutSeconds\":3600}}","outputDetails":{"truncated":false}}
        TaskFailed {"resourceType":"ssm","resource":"sendCommand.sync","error":"Agent.ExitCode","cause":"{\"Command\":{\"CommandId\":\"UUID\",\"DocumentName\":\"AWS-RunShellScript\",\"DocumentVersion\":\"$DEFAULT\",\"Comment\":\"\",\"ExpiresAfter\":\"TIME\",\"Parameters\":{\"commands\":[\"backup\"]},\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Targets\":[],\"RequestedDateTime\":\"TIME\",\"Status\":\"Failed\",\"StatusDetails\":\"Failed\",\"OutputS3BucketName\":\"\",\"OutputS3KeyPrefix\":\"\",\"MaxConcurrency\":\"50\",\"MaxErrors\":\"0\",\"TargetCount\":1,\"CompletedCount\":1,\"ErrorCount\":1,\"DeliveryTimedOutCount\":0,\"ServiceRole\":\"\",\"NotificationConfig\":{\"NotificationArn\":\"\",\"NotificationEvents\":[],\"NotificationType\":\"\"},\"CloudWatchOutputConfig\":{\"CloudWatchLogGroupName\":\"\",\"CloudWatchOutputEnabled\":false},\"TimeoutSeconds\":3600},\"CommandInvocations\":[{\"InstanceId\":\"mi-0123456789abcdef0\",\"Status\":\"Failed\",\"StatusDetails\":\"Failed\",\"ResponseCode\":3,\"ExecutionStartDateTime\":\"1970-01-01T00:00:00.000Z\",\"ExecutionEndDateTime\":\"1970-01-01T00:00:00.020Z\",\"StandardOutputContent\":\"backed up\\n\",\"StandardErrorContent\":\"\",\"Error\":\"Agent.ExitCode\",\"Cause\":\"script exited with 3\"}]}"}
        ExecutionFailed {"error":"Agent.ExitCode","cause":"{\"Command\":{\"CommandId\":\"UUID\",\"DocumentName\":\"AWS-RunShellScript\",\"DocumentVersion\":\"$DEFAULT\",\"Comment\":\"\",\"ExpiresAfter\":\"TIME\",\"Parameters\":{\"commands\":[\"backup\"]},\"InstanceIds\":[\"mi-0123456789abcdef0\"],\"Targets\":[],\"RequestedDateTime\":\"TIME\",\"Status\":\"Failed\",\"StatusDetails\":\"Failed\",\"OutputS3BucketName\":\"\",\"OutputS3KeyPrefix\":\"\",\"MaxConcurrency\":\"50\",\"MaxErrors\":\"0\",\"TargetCount\":1,\"CompletedCount\":1,\"ErrorCount\":1,\"DeliveryTimedOutCount\":0,\"ServiceRole\":\"\",\"NotificationConfig\":{\"NotificationArn\":\"\",\"NotificationEvents\":[],\"NotificationType\":\"\"},\"CloudWatchOutputConfig\":{\"CloudWatchLogGroupName\":\"\",\"CloudWatchOutputEnabled\":false},\"TimeoutSeconds\":3600},\"CommandInvocations\":[{\"InstanceId\":\"mi-0123456789abcdef0\",\"Status\":\"Failed\",\"StatusDetails\":\"Failed\",\"ResponseCode\":3,\"ExecutionStartDateTime\":\"1970-01-01T00:00:00.000Z\",\"ExecutionEndDateTime\":\"1970-01-01T00:00:00.020Z\",\"StandardOutputContent\":\"backed up\\n\",\"StandardErrorContent\":\"\",\"Error\":\"Agent.ExitCode\",\"Cause\":\"script exited with 3\"}]}"}
    "#]]).await;
}

#[tokio::test]
async fn a_command_is_followed_by_a_client() {
    let server = Server::open().await;
    server.agent(Ended::ExitCode(0)).await;
    let sent = server.json("SendCommand", r#"{"DocumentName":"AWS-RunShellScript","InstanceIds":["mi-0123456789abcdef0"],"Parameters":{"commands":["ls"]}}"#).await;
    let command_id =
        sent.get("Command").and_then(|command| command.get("CommandId")).and_then(Json::as_str).expect("an id");
    let invocation = format!(r#"{{"CommandId":"{command_id}","InstanceId":"{INSTANCE}"}}"#);
    for _ in 0..PATIENCE {
        if server.json("GetCommandInvocation", &invocation).await.get("Status") == Some(&"Success".into()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lines = format!(
        "GetCommandInvocation {invocation}\nListCommandInvocations {{\"CommandId\":\"{command_id}\",\"Details\":true}}\nListCommands {{\"InstanceId\":\"{INSTANCE}\"}}\nDescribeInstanceInformation"
    );
    server.check(&lines, expect![[r#"
        GetCommandInvocation: 200 {"CommandId":"UUID","InstanceId":"mi-0123456789abcdef0","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":0,"ExecutionStartDateTime":"1970-01-01T00:00:00.000Z","ExecutionElapsedTime":"PT0.02S","ExecutionEndDateTime":"1970-01-01T00:00:00.020Z","Status":"Success","StatusDetails":"Success","StandardOutputContent":"backed up\n","StandardOutputUrl":"","StandardErrorContent":"","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}
        ListCommandInvocations: 200 {"CommandInvocations":[{"CommandId":"UUID","InstanceId":"mi-0123456789abcdef0","InstanceName":"web-1","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","RequestedDateTime":TIME,"Status":"Success","StatusDetails":"Success","StandardOutputUrl":"","StandardErrorUrl":"","CommandPlugins":[{"Name":"aws:runShellScript","Status":"Success","StatusDetails":"Success","ResponseCode":0,"ResponseStartDateTime":0.000,"ResponseFinishDateTime":0.020,"Output":"backed up\n","StandardOutputUrl":"","StandardErrorUrl":"","OutputS3BucketName":"","OutputS3KeyPrefix":""}],"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}]}
        ListCommands: 200 {"Commands":[{"CommandId":"UUID","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":TIME,"Parameters":{"commands":["ls"]},"InstanceIds":["mi-0123456789abcdef0"],"Targets":[],"RequestedDateTime":TIME,"Status":"Success","StatusDetails":"Success","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":1,"CompletedCount":1,"ErrorCount":0,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600}]}
        DescribeInstanceInformation: 200 {"InstanceInformationList":[{"InstanceId":"mi-0123456789abcdef0","PingStatus":"Online","LastPingDateTime":TIME,"AgentVersion":"0.1.0","IsLatestVersion":true,"PlatformType":"Linux","PlatformName":"Debian GNU/Linux","PlatformVersion":"13","RegistrationDate":TIME,"ResourceType":"ManagedInstance","ComputerName":"web-1","SourceId":"mi-0123456789abcdef0","SourceType":"AWS::SSM::ManagedInstance","Name":"web-1"}]}
    "#]]).await;
}

#[tokio::test]
async fn parameters_have_versions_labels_and_secrets() {
    let server = Server::open().await;
    server
        .check(
            r#"
            PutParameter {"Name":"/net/a","Value":"one","Type":"String","Description":"d"}
            PutParameter {"Name":"/net/a","Value":"two"}
            PutParameter {"Name":"/net/a","Value":"two","Overwrite":true}
            LabelParameterVersion {"Name":"/net/a","ParameterVersion":1,"Labels":["prod","1st"]}
            GetParameter {"Name":"/net/a:prod"}
            GetParameter {"Name":"/net/a:3"}
            GetParameterHistory {"Name":"/net/a"}
            PutParameter {"Name":"/net/b","Value":"canary","Type":"SecureString","Tier":"Advanced"}
            GetParameter {"Name":"/net/b","WithDecryption":true}
            DescribeParameters {"ParameterFilters":[{"Key":"Type","Values":["SecureString"]}]}
            GetParametersByPath {"Path":"/net","MaxResults":1}
            GetParameters {"Names":["/net/none","/net/a"]}
            UnlabelParameterVersion {"Name":"/net/a","ParameterVersion":1,"Labels":["prod","test"]}
            DeleteParameters {"Names":["/net/none","/net/a"]}
            DeleteParameter {"Name":"/net/a"}
            "#,
            expect![[r#"
                PutParameter: 200 {"Version":1,"Tier":"Standard"}
                PutParameter: 400 {"__type":"ParameterAlreadyExists","message":"The parameter already exists. To overwrite this value, set the overwrite option in the request to true."}
                PutParameter: 200 {"Version":2,"Tier":"Standard"}
                LabelParameterVersion: 200 {"InvalidLabels":["1st"],"ParameterVersion":1}
                GetParameter: 200 {"Parameter":{"Name":"/net/a","Type":"String","Value":"one","Version":1,"Selector":":prod","LastModifiedDate":TIME,"ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/a","DataType":"text"}}
                GetParameter: 400 {"__type":"ParameterVersionNotFound","message":"Systems Manager could not find version 3 of /net/a. Verify the version and try again."}
                GetParameterHistory: 200 {"Parameters":[{"Name":"/net/a","Value":"one","Labels":["prod"],"Type":"String","LastModifiedDate":TIME,"LastModifiedUser":"arn:aws:iam::111111111111:root","Description":"d","Version":1,"Tier":"Standard","Policies":[],"DataType":"text"},{"Name":"/net/a","Value":"two","Labels":[],"Type":"String","LastModifiedDate":TIME,"LastModifiedUser":"arn:aws:iam::111111111111:root","Description":"d","Version":2,"Tier":"Standard","Policies":[],"DataType":"text"}]}
                PutParameter: 200 {"Version":1,"Tier":"Advanced"}
                GetParameter: 200 {"Parameter":{"Name":"/net/b","Type":"SecureString","Value":"canary","Version":1,"LastModifiedDate":TIME,"ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/b","DataType":"text"}}
                DescribeParameters: 200 {"Parameters":[{"Name":"/net/b","ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/b","Type":"SecureString","KeyId":"alias/aws/ssm","LastModifiedDate":TIME,"LastModifiedUser":"arn:aws:iam::111111111111:root","Version":1,"Tier":"Advanced","Policies":[],"DataType":"text"}]}
                GetParametersByPath: 200 {"Parameters":[{"Name":"/net/a","Type":"String","Value":"two","Version":2,"LastModifiedDate":TIME,"ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/a","DataType":"text"}],"NextToken":"TOKEN"}
                GetParameters: 200 {"Parameters":[{"Name":"/net/a","Type":"String","Value":"two","Version":2,"LastModifiedDate":TIME,"ARN":"arn:aws:ssm:us-east-1:111111111111:parameter/net/a","DataType":"text"}],"InvalidParameters":["/net/none"]}
                UnlabelParameterVersion: 200 {"RemovedLabels":["prod"],"InvalidLabels":["test"]}
                DeleteParameters: 200 {"DeletedParameters":["/net/a"],"InvalidParameters":["/net/none"]}
                DeleteParameter: 400 {"__type":"ParameterNotFound"}
            "#]],
        )
        .await;
}
