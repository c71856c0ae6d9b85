//! Tags on what Systems Manager has: documents, parameters, managed instances.

use base::Caller;
use runtime::parameters::TagChange;
use runtime::refusal::{CommandRefusal, DocumentRefusal, EnrolmentRefusal, ParameterRefusal};
use runtime::{Refusal, Runtime};

use super::documents::{decode_tags, encode_tags};
use super::parameters;
use crate::operation::{Call, Fault, Operation};
use crate::shape::{ANY_TEXT, Shape, list, required};
use crate::value::Input;

pub(super) const ADD: Operation = Operation {
    name: "AddTagsToResource",
    input: &[required("ResourceType", TYPE), required("ResourceId", ANY_TEXT), required("Tags", parameters::TAGS)],
    run: |call| Box::pin(add(call)),
};

pub(super) const REMOVE: Operation = Operation {
    name: "RemoveTagsFromResource",
    input: &[
        required("ResourceType", TYPE),
        required("ResourceId", ANY_TEXT),
        required("TagKeys", list(&parameters::TAG_KEY, 0, usize::MAX)),
    ],
    run: |call| Box::pin(remove(call)),
};

pub(super) const LIST: Operation = Operation {
    name: "ListTagsForResource",
    input: &[required("ResourceType", TYPE), required("ResourceId", ANY_TEXT)],
    run: |call| Box::pin(list_tags(call)),
};

const TYPE: Shape = Shape::Enum(&[
    "Document",
    "ManagedInstance",
    "MaintenanceWindow",
    "Parameter",
    "PatchBaseline",
    "OpsItem",
    "OpsMetadata",
    "Automation",
    "Association",
    "CloudConnector",
]);

async fn add(mut call: Call<'_>) -> Result<(), Fault> {
    let resource = decode(&mut call.input)?;
    let change = TagChange::Add(decode_tags(&mut call.input, "Tags"));
    Ok(resource.tag(call.runtime, call.caller, change).await?)
}

async fn remove(mut call: Call<'_>) -> Result<(), Fault> {
    let resource = decode(&mut call.input)?;
    let change = TagChange::Remove(call.input.texts("TagKeys").unwrap_or_default());
    Ok(resource.tag(call.runtime, call.caller, change).await?)
}

async fn list_tags(mut call: Call<'_>) -> Result<(), Fault> {
    let tags = decode(&mut call.input)?.tags(call.runtime, call.caller).await?;
    encode_tags(call.out, "TagList", &tags);
    Ok(())
}

/// What has tags.
enum Resource {
    Document(String),
    Parameter(String),
    Instance(String),
}

fn decode(input: &mut Input<'_>) -> Result<Resource, Refusal> {
    let id = input.required("ResourceId");
    match &*input.required("ResourceType") {
        "Document" => Ok(Resource::Document(id)),
        "Parameter" => Ok(Resource::Parameter(id)),
        "ManagedInstance" => Ok(Resource::Instance(id)),
        _ => Err(DocumentRefusal::InvalidResourceType.into()),
    }
}

impl Resource {
    async fn tag(&self, runtime: &Runtime, caller: &Caller, change: TagChange) -> Result<(), Refusal> {
        match self {
            Resource::Document(name) => runtime.document_tag(caller, name, change).await,
            Resource::Parameter(name) => runtime.parameter_tag(caller, name, change).await.map_err(told),
            Resource::Instance(id) => runtime.instance_tag(caller, id, change).await.map_err(told),
        }
    }

    async fn tags(&self, runtime: &Runtime, caller: &Caller) -> Result<Vec<(String, String)>, Refusal> {
        match self {
            Resource::Document(name) => runtime.document_tags(caller, name).await,
            Resource::Parameter(name) => runtime.parameter_tags(caller, name).await.map_err(told),
            Resource::Instance(id) => runtime.instance_tags(caller, id).await.map_err(told),
        }
    }
}

/// The operations on tags know one error for what is not there, and one for tags that are too many.
fn told(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Parameter(ParameterRefusal::NotFound)
        | Refusal::Enrolment(EnrolmentRefusal::InstanceUnknown)
        | Refusal::Command(CommandRefusal::InvalidInstanceId(_)) => DocumentRefusal::InvalidResourceId.into(),
        Refusal::Enrolment(EnrolmentRefusal::TooManyTags) => DocumentRefusal::TooManyTags.into(),
        other => other,
    }
}
