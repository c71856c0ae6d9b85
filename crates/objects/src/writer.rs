//! What the children of a Map gave, as files (Developer Guide, "ResultWriter (Map)").
//!
//! `⟨prefix⟩/⟨map run⟩/SUCCEEDED_0.json` and so on, `FAILED_n` (failed, timed out, aborted) and `PENDING_n` (never
//! begun), and at last `manifest.json`, which names them.
//!
//! **Invariant:** the manifest that names files is written after all of them. Writing everything once more, from the
//! first child, gives the same.

use base::{Json, Timestamp};

use crate::failure::{Failure, StoreError};
use crate::source::BucketName;
use crate::store::{Bucket, Buckets, Upload};

/// The bytes of a file before the next one begins ("5 GB").
pub const FILE_BYTES_MAX: u64 = 5_000_000_000;

/// Where to write, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub bucket: BucketName,
    pub prefix: String,
    pub map_run_arn: String,
    pub form: Form,
    /// [`FILE_BYTES_MAX`]
    pub file_bytes_max: u64,
}

/// A `WriterConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    pub output: OutputType,
    pub transformation: Transformation,
}

/// `OutputType`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// An array.
    Json,
    /// One value on each line.
    JsonLines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transformation {
    /// All that is known of a child.
    None,
    /// Its output.
    Compact,
    /// Its output, or the elements of it when it is an array.
    Flatten,
}

/// What is known of a child that will not go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    pub status: ChildStatus,
    pub execution_arn: String,
    pub name: String,
    pub state_machine_arn: String,
    pub input: Json,
    /// Only of those that succeeded.
    pub output: Option<Json>,
    pub error: Option<String>,
    pub cause: Option<String>,
    pub start: Option<Timestamp>,
    pub stop: Option<Timestamp>,
    pub redrive_count: u64,
    /// `REDRIVABLE_BY_MAP_RUN`, `NOT_REDRIVABLE`
    pub redrive_status: Option<String>,
    pub redrive_status_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildStatus {
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    /// Never begun, since the Map Run ended before.
    Pending,
}

impl ChildStatus {
    fn as_str(self) -> &'static str {
        match self {
            ChildStatus::Succeeded => "SUCCEEDED",
            ChildStatus::Failed => "FAILED",
            ChildStatus::TimedOut => "TIMED_OUT",
            ChildStatus::Aborted => "ABORTED",
            ChildStatus::Pending => "PENDING",
        }
    }
}

impl Form {
    /// Reads a `WriterConfig`, or what holds without one: `NONE` when results are exported, else `COMPACT`.
    pub fn of(config: &Json, is_exported: bool) -> Result<Form, Failure> {
        let transformation = match flag(config, "Transformation")? {
            Some("NONE") => Transformation::None,
            Some("COMPACT") => Transformation::Compact,
            Some("FLATTEN") => Transformation::Flatten,
            Some(other) => return Err(unsupported("Transformation", other)),
            None if is_exported => Transformation::None,
            None => Transformation::Compact,
        };
        let output = match flag(config, "OutputType")? {
            Some("JSON") | None => OutputType::Json,
            Some("JSONL") => OutputType::JsonLines,
            Some(other) => return Err(unsupported("OutputType", other)),
        };
        Ok(Form { output, transformation })
    }
}

impl Target {
    /// Reads the evaluated `Parameters` or `Arguments` and the `WriterConfig` of a `ResultWriter`.
    pub fn of(arguments: &Json, config: &Json, map_run_arn: &str) -> Result<Target, Failure> {
        let bucket = flag(arguments, "Bucket")?.filter(|name| !name.is_empty());
        let bucket =
            bucket.ok_or_else(|| Failure::writer("The field 'Bucket' is required but was missing".to_owned()))?;
        Ok(Target {
            bucket: BucketName {
                name: bucket.to_owned(),
                owner: flag(arguments, "ExpectedBucketOwner")?.map(str::to_owned),
            },
            prefix: flag(arguments, "Prefix")?.unwrap_or_default().to_owned(),
            map_run_arn: map_run_arn.to_owned(),
            form: Form::of(config, true)?,
            file_bytes_max: FILE_BYTES_MAX,
        })
    }

    /// `⟨prefix⟩/⟨map run⟩/⟨file⟩`
    fn key(&self, file: &str) -> String {
        let run = self.map_run_arn.rsplit(':').next().unwrap_or_default();
        match self.prefix.trim_end_matches('/') {
            "" => format!("{run}/{file}"),
            prefix => format!("{prefix}/{run}/{file}"),
        }
    }
}

fn flag<'a>(json: &'a Json, name: &str) -> Result<Option<&'a str>, Failure> {
    match json.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::writer(format!("The value for the field '{name}' must be a STRING"))),
    }
}

fn unsupported(field: &str, value: &str) -> Failure {
    Failure::writer(format!("The value '{value}' for the field '{field}' is not supported here"))
}

/// What `child` is in a file or in the state's output. A child without success stays as it is, whatever the
/// transformation.
pub fn results(child: &Child, transformation: Transformation) -> Vec<Json> {
    match (transformation, &child.output) {
        (Transformation::Flatten, Some(Json::Array(elements))) => elements.to_vec(),
        (Transformation::Compact | Transformation::Flatten, Some(output)) => vec![output.clone()],
        (Transformation::None, _) | (Transformation::Compact | Transformation::Flatten, None) => vec![whole(child)],
    }
}

/// All that is known of a child, as `DescribeExecution` names it.
fn whole(child: &Child) -> Json {
    let text = |text: &Option<String>| text.as_deref().map(Json::from);
    let time = |time: Option<Timestamp>| time.map(|time| Json::from(time.to_string()));
    let included = || Some(Json::object([("Included", Json::from(true))]));
    let members = [
        ("Cause", text(&child.cause)),
        ("Error", text(&child.error)),
        ("ExecutionArn", Some(child.execution_arn.as_str().into())),
        ("Input", Some(child.input.to_string().into())),
        ("InputDetails", included()),
        ("Name", Some(child.name.as_str().into())),
        ("Output", child.output.as_ref().map(|output| output.to_string().into())),
        ("OutputDetails", child.output.as_ref().and_then(|_| included())),
        ("RedriveCount", Some(child.redrive_count.into())),
        ("RedriveStatus", text(&child.redrive_status)),
        ("RedriveStatusReason", text(&child.redrive_status_reason)),
        ("StartDate", time(child.start)),
        ("StateMachineArn", Some(child.state_machine_arn.as_str().into())),
        ("Status", Some(child.status.as_str().into())),
        ("StopDate", time(child.stop)),
    ];
    Json::object(members.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// Writes the children of one Map Run.
pub struct ResultWriter {
    target: Target,
    bucket: Bucket,
    succeeded: Files,
    failed: Files,
    pending: Files,
}

impl ResultWriter {
    /// Writes a manifest without files, as Step Functions does before a Map begins: that it may write shows before the
    /// work is done. AWS puts `An error occurred while executing the state '…' (entered at the event id #…). ` before
    /// the cause.
    pub async fn open(buckets: &Buckets, target: Target) -> Result<ResultWriter, Failure> {
        let bucket = buckets.bucket(&target.bucket).map_err(|error| Failure::writer(untried(&error)))?;
        let writer = ResultWriter {
            succeeded: Files::new("SUCCEEDED"),
            failed: Files::new("FAILED"),
            pending: Files::new("PENDING"),
            bucket,
            target,
        };
        writer.write_manifest().await.map_err(|error| Failure::writer(untried(&error)))?;
        Ok(writer)
    }

    /// Writes the next child.
    pub async fn write(&mut self, child: &Child) -> Result<(), Failure> {
        let files = match child.status {
            ChildStatus::Succeeded => &mut self.succeeded,
            ChildStatus::Failed | ChildStatus::TimedOut | ChildStatus::Aborted => &mut self.failed,
            ChildStatus::Pending => &mut self.pending,
        };
        for result in results(child, self.target.form.transformation) {
            let written = files.write(&self.bucket, &self.target, &result.to_string()).await;
            written.map_err(|error| Failure::unwritten(&error))?;
        }
        Ok(())
    }

    /// There are no more children. Gives the state's output.
    pub async fn finish(mut self) -> Result<Json, Failure> {
        for files in [&mut self.succeeded, &mut self.failed, &mut self.pending] {
            files.close(&self.target).await.map_err(|error| Failure::unwritten(&error))?;
        }
        self.write_manifest().await.map_err(|error| Failure::unwritten(&error))?;
        let details = Json::object([
            ("Bucket", Json::from(self.target.bucket.name.as_str())),
            ("Key", Json::from(self.target.key(MANIFEST))),
        ]);
        Ok(Json::object([("MapRunArn", self.target.map_run_arn.as_str().into()), ("ResultWriterDetails", details)]))
    }

    /// Gives up: files that are not whole are taken back.
    pub async fn abort(self) {
        for files in [self.succeeded, self.failed, self.pending] {
            if let Some(file) = files.open {
                file.upload.abort().await;
            }
        }
    }

    async fn write_manifest(&self) -> Result<(), StoreError> {
        let files = [&self.failed, &self.pending, &self.succeeded];
        let manifest = Json::object([
            ("DestinationBucket", Json::from(self.target.bucket.name.as_str())),
            ("MapRunArn", Json::from(self.target.map_run_arn.as_str())),
            ("ResultFiles", Json::object(files.map(|files| (files.kind, Json::array(files.written.clone()))))),
        ]);
        self.bucket.put(&self.target.key(MANIFEST), manifest.to_string().into()).await
    }
}

const MANIFEST: &str = "manifest.json";

/// AWS's text where it is known: that of a bucket that the role may not write to.
fn untried(error: &StoreError) -> String {
    let denied = match error.code() {
        Some("AccessDenied") => {
            " Access denied. Ensure the correct permissions are added to your state machine's execution role."
        }
        _ => "",
    };
    format!("Failed to write a test manifest into the specified output bucket.{denied} | Message from S3: {error}")
}

/// The files of one kind.
struct Files {
    kind: &'static str,
    /// `{"Key":…,"Size":…}` of those that are whole.
    written: Vec<Json>,
    open: Option<File>,
}

struct File {
    key: String,
    upload: Upload,
    size: u64,
}

impl File {
    async fn write(&mut self, text: &str) -> Result<(), StoreError> {
        self.size += text.len() as u64;
        self.upload.write(text.as_bytes()).await
    }
}

impl Files {
    fn new(kind: &'static str) -> Files {
        Files { kind, written: vec![], open: None }
    }

    async fn write(&mut self, bucket: &Bucket, target: &Target, text: &str) -> Result<(), StoreError> {
        let is_full = self.open.as_ref().is_some_and(|file| file.size + text.len() as u64 + 2 > target.file_bytes_max);
        if is_full {
            self.close(target).await?;
        }
        let (first, between, after) = match target.form.output {
            OutputType::Json => ("[", ",", ""),
            OutputType::JsonLines => ("", "", "\n"),
        };
        let (file, before) = match &mut self.open {
            Some(file) => (file, between),
            none => {
                let key = target.key(&file_name(self.kind, self.written.len(), target.form.output));
                let upload = bucket.upload(&key).await?;
                (none.insert(File { key, upload, size: 0 }), first)
            }
        };
        file.write(before).await?;
        file.write(text).await?;
        file.write(after).await
    }

    async fn close(&mut self, target: &Target) -> Result<(), StoreError> {
        let Some(mut file) = self.open.take() else { return Ok(()) };
        if target.form.output == OutputType::Json {
            file.write("]").await?;
        }
        file.upload.finish().await?;
        self.written.push(Json::object([("Key", Json::from(file.key)), ("Size", Json::from(file.size))]));
        Ok(())
    }
}

/// `SUCCEEDED_0.json`
fn file_name(kind: &str, number: usize, output: OutputType) -> String {
    match output {
        OutputType::Json => format!("{kind}_{number}.json"),
        OutputType::JsonLines => format!("{kind}_{number}.jsonl"),
    }
}

#[cfg(test)]
mod tests;
