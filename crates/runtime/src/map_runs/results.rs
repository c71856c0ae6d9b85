//! How the results of a Map run's children come together: in the state's output, or in a bucket.

use base::{Id, Json, Timestamp};
use engine::{Failure, MapRunOutcome};
use maprun::{Begin, Command};
use objects::writer::{ChildStatus, Form, results};
use objects::{Child, ResultWriter, Target};

use super::read::failure;
use super::steps::Shared;
use crate::shard::Ask;
use crate::value::{ExecutionHead, HeadStatus};
use crate::{Refusal, Runtime};

/// What came of it, and how many results were written.
type Gathered = (MapRunOutcome, u64);

/// Why it came to nothing.
enum Cannot {
    /// Not now.
    Read(Refusal),
    /// The state fails.
    Fail(Failure),
}

impl From<Refusal> for Cannot {
    fn from(refusal: Refusal) -> Cannot {
        Cannot::Read(refusal)
    }
}

impl From<objects::Failure> for Cannot {
    fn from(told: objects::Failure) -> Cannot {
        Cannot::Fail(failure(told))
    }
}

impl Runtime {
    /// Reads what the children gave, in the order of the items. What cannot be read now is read again later.
    pub(super) async fn gather(&self, id: Id, begin: &Shared, children: u32) {
        const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
        let (outcome, written) = loop {
            match self.gathered(begin, children).await {
                Ok(gathered) => break gathered,
                Err(Cannot::Fail(failure)) => break (MapRunOutcome::Failed { failure }, 0),
                Err(Cannot::Read(refusal)) => {
                    tracing::error!(arn = %begin.arn, %refusal, "cannot read the results of a Map run");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        };
        self.inner.world.tell(id, Ask::MapRun(Command::Gathered { task: begin.task, outcome, written }));
    }

    async fn gathered(&self, begin: &Begin, children: u32) -> Result<Gathered, Cannot> {
        let config = begin.plan.writing.as_ref().and_then(|writing| writing.config.clone()).unwrap_or(Json::Null);
        let arguments = begin.plan.writing.as_ref().and_then(|writing| writing.arguments.as_ref());
        match arguments {
            Some(arguments) => self.write(begin, children, Target::of(arguments, &config, &begin.arn)?).await,
            None => self.collect(begin, children, Form::of(&config, false)?).await,
        }
    }

    /// Into the state's output, which has so many bytes and no more.
    async fn collect(&self, begin: &Begin, children: u32, form: Form) -> Result<Gathered, Cannot> {
        let bytes_max = self.inner.world.limits.payload_bytes_max;
        // Brackets; each result comes with a comma, and the first has none.
        let (mut outputs, mut bytes) = (vec![], 1);
        for index in 0..children {
            let Some(child) = self.child(begin, index).await? else { continue };
            for result in results(&child, form.transformation) {
                bytes += result.text_len() + 1;
                if bytes > bytes_max {
                    return Ok((MapRunOutcome::TooLarge, 0));
                }
                outputs.push(result);
            }
        }
        Ok((MapRunOutcome::Succeeded { output: Json::array(outputs) }, 0))
    }

    async fn write(&self, begin: &Begin, children: u32, target: Target) -> Result<Gathered, Cannot> {
        let mut writer = ResultWriter::open(&self.inner.world.buckets, target).await?;
        let mut written = 0;
        for index in 0..children {
            let child = match self.child(begin, index).await {
                Ok(Some(child)) => child,
                Ok(None) => continue,
                Err(refusal) => {
                    writer.abort().await;
                    return Err(refusal.into());
                }
            };
            if let Err(told) = writer.write(&child).await {
                writer.abort().await;
                return Err(told.into());
            }
            written += 1;
        }
        let output = writer.finish().await?;
        Ok((MapRunOutcome::Succeeded { output }, written))
    }

    /// What became of a child, if there is one.
    async fn child(&self, begin: &Begin, index: u32) -> Result<Option<Child>, Refusal> {
        let Some((id, head)) = self.child_head(begin, index).await? else { return Ok(None) };
        let input = match &head.input {
            Some(input) => input.to_string(),
            None => self.input_of(id).await?,
        };
        let output = match &head.output {
            None if head.status == HeadStatus::Succeeded => self.output_of(id).await?,
            output => output.clone(),
        };
        let json = |text: &str| Json::parse(text).map_err(Refusal::internal);
        let (input, output) = (json(&input)?, output.as_deref().map(json).transpose()?);
        Ok(Some(child_of(head, input, output)))
    }
}

fn child_of(head: ExecutionHead, input: Json, output: Option<Json>) -> Child {
    let text = |text: Option<std::sync::Arc<str>>| text.map(|text| text.to_string());
    let (error, cause) = head.failure.map_or((None, None), |failure| (text(failure.error), text(failure.cause)));
    let status = match head.status {
        HeadStatus::Running => ChildStatus::Pending,
        HeadStatus::Succeeded => ChildStatus::Succeeded,
        HeadStatus::Failed => ChildStatus::Failed,
        HeadStatus::TimedOut => ChildStatus::TimedOut,
        HeadStatus::Aborted => ChildStatus::Aborted,
    };
    let redrivable = match status {
        ChildStatus::Succeeded | ChildStatus::Pending => "NOT_REDRIVABLE",
        ChildStatus::Failed | ChildStatus::TimedOut | ChildStatus::Aborted => "REDRIVABLE_BY_MAP_RUN",
    };
    let why = (status == ChildStatus::Succeeded).then(|| "Execution is SUCCEEDED and cannot be redriven".to_owned());
    Child {
        status,
        execution_arn: head.arn.to_string(),
        name: head.name.to_string(),
        state_machine_arn: head.machine.to_string(),
        input,
        output,
        error,
        cause,
        start: Some(head.started).filter(|at| *at > Timestamp(0)),
        stop: head.stopped,
        redrive_count: head.redrives,
        redrive_status: Some(redrivable.to_owned()),
        redrive_status_reason: why,
    }
}
