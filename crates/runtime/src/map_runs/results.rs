//! How the results of a Map run's children come together.

use base::{Id, Json};
use engine::{Failure, MapRunOutcome};
use maprun::{Begin, Command};

use super::steps::Shared;
use crate::shard::Ask;
use crate::value::HeadStatus;
use crate::{Refusal, Runtime};

impl Runtime {
    /// Reads what the children gave, in the order of the items. What cannot be read now is read again later.
    pub(super) async fn gather(&self, id: Id, begin: &Shared, children: u32) {
        const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
        let (outcome, written) = loop {
            match self.gathered(begin, children).await {
                Ok(gathered) => break gathered,
                Err(refusal) => {
                    tracing::error!(arn = %begin.arn, %refusal, "cannot read the results of a Map run");
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        };
        self.inner.world.tell(id, Ask::MapRun(Command::Gathered { outcome, written }));
    }

    async fn gathered(&self, begin: &Begin, children: u32) -> Result<(MapRunOutcome, u64), Refusal> {
        let bytes_max = self.inner.world.limits.payload_bytes_max;
        // Brackets and commas.
        let (mut outputs, mut bytes) = (vec![], 2);
        for index in 0..children {
            let Some((id, head)) = self.child_head(begin, index).await? else { continue };
            if head.status != HeadStatus::Succeeded {
                continue;
            }
            let output = match head.output {
                Some(output) => output,
                None => self.output_of(id).await?.unwrap_or_default(),
            };
            bytes += output.len() + 1;
            if bytes > bytes_max + 1 {
                return Ok((MapRunOutcome::TooLarge, 0));
            }
            match Json::parse(&output) {
                Ok(output) => outputs.push(output),
                Err(error) => {
                    let failure = Failure::new("States.Runtime", format!("A child's output is not JSON: {error}"));
                    return Ok((MapRunOutcome::Failed { failure }, 0));
                }
            }
        }
        Ok((MapRunOutcome::Succeeded { output: Json::array(outputs) }, 0))
    }
}
