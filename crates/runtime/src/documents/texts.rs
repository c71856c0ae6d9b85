//! Texts of documents: read from the events that brought them, understood once, written in another form.

use document::ContentError;

use super::*;

/// Understood texts kept in memory.
const KEPT_MAX: usize = 200;

/// A version's text, and what it says.
pub(crate) struct Understood {
    pub(crate) text: Arc<str>,
    pub(crate) document: Arc<document::Document>,
}

/// Why a version's text cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("no event holds the version's text")]
    Missing,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the version's event is damaged")]
    Form(#[from] serde_json::Error),
    #[error("the version's text is no longer valid: {0}")]
    Invalid(String),
}

/// By document and place of the event: what is there never changes.
#[derive(Default)]
pub(crate) struct Texts {
    kept: Mutex<HashMap<(Id, u64), Arc<Understood>>>,
}

impl Texts {
    pub(crate) async fn get(
        &self,
        store: &dyn Store,
        id: Id,
        place: u64,
        format: DocumentFormat,
    ) -> Result<Arc<Understood>, Lost> {
        if let Some(kept) = self.lock().get(&(id, place)) {
            return Ok(kept.clone());
        }
        let text = read(store, id, place).await?;
        let document = understood(&text, format).map_err(|refusal| Lost::Invalid(refusal.to_string()))?;
        let understood = Arc::new(Understood { text, document: Arc::new(document) });
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert((id, place), understood.clone());
        Ok(understood)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Id, u64), Arc<Understood>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(store: &dyn Store, id: Id, place: u64) -> Result<Arc<str>, Lost> {
    let chunks = store.chunks(id, Seq(place), Direction::Forward, 1).await?;
    let chunk = chunks.into_iter().next().ok_or(Lost::Missing)?;
    let events: Vec<Event> = base::json::read_stored(&chunk.bytes)?;
    let within = usize::try_from(place.saturating_sub(chunk.first.0)).unwrap_or(usize::MAX);
    events.into_iter().nth(within).and_then(Event::text).ok_or(Lost::Missing)
}

/// What a text says, or why it is refused.
pub(super) fn understood(text: &str, format: DocumentFormat) -> Result<document::Document, Refusal> {
    let Some(format) = of_document(format) else {
        let why = "a document of the type Command is written in JSON or YAML.".to_owned();
        return Err(DocumentRefusal::InvalidContent(why).into());
    };
    document::Document::parse(text, format).map_err(|error| refusal(error).into())
}

/// `text` in the format `to`, and the format that it then has.
pub(super) fn written(
    text: &str,
    from: DocumentFormat,
    to: DocumentFormat,
) -> Result<(String, DocumentFormat), Refusal> {
    let (Some(given), Some(wanted)) = (of_document(from), of_document(to)) else {
        return Ok((text.to_owned(), from));
    };
    Ok((document::convert(text, given, wanted).map_err(Refusal::internal)?, to))
}

/// None for what has no structure.
pub(super) fn of_document(format: DocumentFormat) -> Option<document::Format> {
    match format {
        DocumentFormat::Json => Some(document::Format::Json),
        DocumentFormat::Yaml => Some(document::Format::Yaml),
        DocumentFormat::Text => None,
    }
}

fn refusal(error: ContentError) -> DocumentRefusal {
    match error {
        ContentError::Invalid { .. } => DocumentRefusal::InvalidContent(error.to_string()),
        ContentError::SchemaVersion(_) => DocumentRefusal::InvalidSchemaVersion(error.to_string()),
        ContentError::TooLarge(_) => DocumentRefusal::TooLarge,
    }
}
