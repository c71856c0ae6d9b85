//! What steps download from buckets: read here, piece by piece, for agents that have no keys.
//!
//! **Invariant:** an agent gets what a step of its own present attempt names, and nothing else.

use std::collections::VecDeque;

use api::agent::{Content, Failure, Fetch, OUTPUT_BYTES_MAX, ToAgent, failure};
use base::Caller;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use document::{Action, Source};
use fleet::{AttemptId, InstanceId, Stage};
use objects::source::BucketName;
use objects::{Body, Bucket, StoreError};
use tokio::sync::mpsc;

use crate::Runtime;
use crate::shard::{Ask, Reply};

/// Questions of one agent that wait.
const QUEUE_MAX: usize = 64;

/// Objects below one prefix.
const FILES_MAX: usize = 1_000;

/// Downloads of one agent that are kept open between two pieces.
const OPEN_MAX: usize = 8;

/// Where one agent's questions go in.
pub(crate) struct Fetches {
    queue: mpsc::Sender<Fetch>,
}

impl Fetches {
    pub(crate) fn open(runtime: &Runtime, caller: &Caller, instance: &InstanceId) -> Fetches {
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let reader = Reader {
            runtime: runtime.clone(),
            caller: caller.clone(),
            instance: instance.clone(),
            open: VecDeque::new(),
        };
        tokio::spawn(reader.run(asked));
        Fetches { queue }
    }

    /// Never waits. Who asks faster than it is answered asks again.
    pub(crate) fn ask(&self, fetch: Fetch) {
        if self.queue.try_send(fetch).is_err() {
            tracing::warn!("an agent asks for content faster than it takes it");
        }
    }
}

/// Reads for one agent.
struct Reader {
    runtime: Runtime,
    caller: Caller,
    instance: InstanceId,
    /// The one that was used last is the last.
    open: VecDeque<Download>,
}

/// The content that one step names.
struct Download {
    attempt: String,
    step: u32,
    bucket: Bucket,
    files: Vec<File>,
    /// The file that is being read.
    reading: Option<Reading>,
}

/// An object, and what it is called on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    key: String,
    name: String,
}

struct Reading {
    file: u32,
    /// Bytes that have been read out of `body` and given.
    offset: u64,
    body: Body,
    ready: Bytes,
}

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("this attempt has no such content")]
    NotNamed,
    #[error("there is nothing below s3://{bucket}/{key}")]
    Nothing { bucket: String, key: String },
    #[error("there are more than {FILES_MAX} objects below s3://{bucket}/{key}")]
    TooMany { bucket: String, key: String },
    #[error("the object s3://{bucket}/{key} has no name that a file could have")]
    Name { bucket: String, key: String },
    #[error("s3://{bucket}/{key}: {source}")]
    Store { bucket: String, key: String, source: StoreError },
    #[error("the server could not look")]
    Unknown,
}

impl Reader {
    async fn run(mut self, mut asked: mpsc::Receiver<Fetch>) {
        while let Some(fetch) = asked.recv().await {
            let content = match self.piece(&fetch).await {
                Ok(content) => content,
                Err(missing) => refusal(&fetch, &missing),
            };
            self.runtime.inner.world.hub.send(&self.caller, &self.instance, ToAgent::Content(content));
        }
    }

    async fn piece(&mut self, fetch: &Fetch) -> Result<Content, Missing> {
        let (bucket, key) = self.source(fetch).await?;
        let is_it = |download: &Download| download.attempt == fetch.attempt && download.step == fetch.step;
        let mut download = match self.open.iter().position(is_it).and_then(|at| self.open.remove(at)) {
            Some(download) => download,
            None => self.download(fetch, &bucket, &key).await?,
        };
        let content = download.piece(fetch).await.map_err(|source| match source {
            Some(source) => Missing::Store { bucket, key, source },
            None => Missing::NotNamed,
        })?;
        self.open.push_back(download);
        if self.open.len() > OPEN_MAX {
            self.open.pop_front();
        }
        Ok(content)
    }

    /// The bucket and the key that the step names, of an attempt that this instance was offered and has not ended.
    async fn source(&self, fetch: &Fetch) -> Result<(String, String), Missing> {
        let attempt = AttemptId::from(&*fetch.attempt);
        let (command, instance) = attempt.parts().ok_or(Missing::NotNamed)?;
        if instance != self.instance {
            return Err(Missing::NotNamed);
        }
        let id = crate::keys::run(&self.caller, &command.0);
        let run = match self.runtime.inner.world.ask(id, Ask::LookAtRun).await {
            Ok(Reply::Run(run)) => run,
            Ok(_) | Err(crate::Refused::Missing) => return Err(Missing::NotNamed),
            Err(_) => return Err(Missing::Unknown),
        };
        let holds = run.invocation(&instance).is_some_and(
            |invocation| matches!(&invocation.stage, Stage::Offered { attempt: held, .. } | Stage::Begun { attempt: held, .. } if *held == attempt),
        );
        let step = usize::try_from(fetch.step).ok();
        let named = run.sent().and_then(|(send, _)| send.plan.steps.get(step?)).map(|step| &step.action);
        match named {
            Some(Action::Download(download)) if holds => match &download.source {
                Source::S3 { bucket, key } => Ok((bucket.clone(), key.clone())),
                Source::Local { .. } | Source::Document { .. } => Err(Missing::NotNamed),
            },
            Some(_) | None => Err(Missing::NotNamed),
        }
    }

    async fn download(&self, fetch: &Fetch, bucket_name: &str, key: &str) -> Result<Download, Missing> {
        let (name, prefix) = (bucket_name.to_owned(), key.to_owned());
        let store = |source| Missing::Store { bucket: name.clone(), key: prefix.clone(), source };
        let bucket = self.runtime.buckets().bucket(&BucketName::new(bucket_name)).map_err(store)?;
        let mut keys = vec![];
        if key.is_empty() || key.ends_with('/') {
            let mut listing = bucket.list(key);
            while let Some(page) = listing.next().await.map_err(store)? {
                // What stands for a folder is no file.
                keys.extend(page.into_iter().map(|listed| listed.key).filter(|key| !key.ends_with('/')));
                if keys.len() > FILES_MAX {
                    return Err(Missing::TooMany { bucket: name, key: prefix });
                }
            }
            if keys.is_empty() {
                return Err(Missing::Nothing { bucket: name, key: prefix });
            }
        } else {
            keys.push(key.to_owned());
        }
        let mut files = vec![];
        for key in keys {
            match file_name(&key, &prefix).map(str::to_owned) {
                Some(name) => files.push(File { key, name }),
                None => return Err(Missing::Name { bucket: name, key }),
            }
        }
        Ok(Download { attempt: fetch.attempt.clone(), step: fetch.step, bucket, files, reading: None })
    }
}

impl Download {
    /// The piece that is asked for. None where there is no such file.
    async fn piece(&mut self, fetch: &Fetch) -> Result<Content, Option<StoreError>> {
        let number = usize::try_from(fetch.file).map_err(|_| None)?;
        let file = self.files.get(number).ok_or(None)?;
        let goes_on = |reading: &Reading| reading.file == fetch.file && reading.offset == fetch.offset;
        let mut reading = match self.reading.take().filter(goes_on) {
            Some(reading) => reading,
            None => Reading::open(&self.bucket, file, fetch).await?,
        };
        let bytes = reading.take(OUTPUT_BYTES_MAX).await?;
        let file_end = reading.is_at_end().await?;
        let content = Content {
            attempt: fetch.attempt.clone(),
            step: fetch.step,
            file: fetch.file,
            name: file.name.clone(),
            offset: fetch.offset,
            data: BASE64_STANDARD.encode(&bytes),
            file_end,
            last: file_end && number + 1 == self.files.len(),
            failure: None,
        };
        self.reading = Some(reading);
        Ok(content)
    }
}

impl Reading {
    async fn open(bucket: &Bucket, file: &File, fetch: &Fetch) -> Result<Reading, StoreError> {
        let body = bucket.get(&file.key, None).await?;
        let mut reading = Reading { file: fetch.file, offset: 0, body, ready: Bytes::new() };
        while reading.offset < fetch.offset {
            let left = usize::try_from(fetch.offset - reading.offset).unwrap_or(usize::MAX);
            if reading.take(left.min(OUTPUT_BYTES_MAX)).await?.is_empty() {
                break;
            }
        }
        Ok(reading)
    }

    async fn take(&mut self, max: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![];
        while bytes.len() < max && !self.is_at_end().await? {
            let part = self.ready.split_to(self.ready.len().min(max - bytes.len()));
            bytes.extend_from_slice(&part);
        }
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }

    async fn is_at_end(&mut self) -> Result<bool, StoreError> {
        while self.ready.is_empty() {
            match self.body.next().await? {
                Some(chunk) => self.ready = chunk,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

/// What an object is called on the host: its key behind the prefix, or the key's last part. None where that would lead
/// elsewhere.
fn file_name<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    let name = match prefix.is_empty() || prefix.ends_with('/') {
        true => key.strip_prefix(prefix)?,
        false => key.rsplit('/').next()?,
    };
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\', ':']);
    name.split('/').all(is_part).then_some(name)
}

fn refusal(fetch: &Fetch, missing: &Missing) -> Content {
    let told = Failure { code: failure::CONTENT_MISSING.to_owned(), message: missing.to_string(), exit_code: None };
    Content {
        attempt: fetch.attempt.clone(),
        step: fetch.step,
        file: fetch.file,
        name: String::new(),
        offset: fetch.offset,
        data: String::new(),
        file_end: true,
        last: true,
        failure: Some(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (key, prefix, name) in [
            ("a/b/c.sh", "a/b/c.sh", Some("c.sh")),
            ("a/b/c.sh", "a/", Some("b/c.sh")),
            ("a", "", Some("a")),
            ("a/../../etc/passwd", "a/", None),
            ("a/b/..", "a/b/..", None),
            ("a//b", "a/", None),
            ("a/c:b", "a/", None),
            ("b", "a/", None),
        ] {
            assert_eq!(file_name(key, prefix), name, "{key} below {prefix}");
        }
    }
}
