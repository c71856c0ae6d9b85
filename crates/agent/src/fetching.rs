//! What the steps of an offer download from buckets, fetched through the server before the offer is accepted.
//!
//! A part of [`session`](crate::session): no file, no socket. One part is asked for at a time.
//!
//! **Invariant:** no server makes the disk hold more than [`CONTENT_BYTES_MAX`] for an attempt.

use std::collections::VecDeque;

use api::agent::{Content, Failure, Fetch, Offer, failure};
use document::{Action, Source};

use crate::download::FILES_MAX;

/// Bytes that the steps of one attempt may download together.
pub const CONTENT_BYTES_MAX: u64 = 1 << 30;

/// An offer some of whose content is not here yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fetching {
    offer: Offer,
    /// Steps that are not begun, the one that is being fetched first.
    steps: VecDeque<u32>,
    file: u32,
    offset: u64,
    /// Of all files together.
    bytes: u64,
    keeps: Option<Keeps>,
}

/// What follows when the part that is being put on disk is there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keeps {
    Part,
    File,
    Step,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Nothing,
    Fetch(Fetch),
    Complete,
}

impl Fetching {
    /// None where there is nothing to fetch.
    pub(crate) fn of(offer: &Offer) -> Option<Fetching> {
        let wants = |action: &Action| match action {
            Action::Download(wanted) => matches!(wanted.source, Source::S3 { .. }),
            Action::Shell(_) | Action::PowerShell(_) | Action::Job(_) | Action::Document(_) => false,
        };
        let steps = (0..).zip(&offer.plan.steps).filter(|(_, step)| wants(&step.action)).map(|(at, _)| at);
        let steps: VecDeque<u32> = steps.collect();
        let fetching = Fetching { offer: offer.clone(), steps, file: 0, offset: 0, bytes: 0, keeps: None };
        (!fetching.steps.is_empty()).then_some(fetching)
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// What to ask for now.
    pub(crate) fn wanted(&self) -> Fetch {
        let step = self.steps.front().copied().unwrap_or_default();
        Fetch { attempt: self.offer.attempt.clone(), step, file: self.file, offset: self.offset }
    }

    pub(crate) fn awaits(&self, content: &Content) -> bool {
        let Fetch { step, file, offset, .. } = self.wanted();
        self.keeps.is_none() && (content.step, content.file, content.offset) == (step, file, offset)
    }

    /// Takes a part that is awaited: as it is, or as the failure that it is to be.
    pub(crate) fn take(&mut self, mut content: Content) -> Content {
        let text_bytes = content.data.len() as u64;
        if self.bytes.saturating_add(text_bytes / 4 * 3) > CONTENT_BYTES_MAX {
            content = without(content, format!("content has more than {CONTENT_BYTES_MAX} bytes"));
        } else if content.file as usize >= FILES_MAX {
            content = without(content, format!("content has more than {FILES_MAX} files"));
        } else if content.data.is_empty() && !content.file_end && content.failure.is_none() {
            content = without(content, "content does not come".to_owned());
        }
        self.keeps = Some(match (&content.failure, content.file_end, content.last) {
            (Some(_), _, _) | (None, true, true) => Keeps::Step,
            (None, true, false) => Keeps::File,
            (None, false, _) => Keeps::Part,
        });
        content
    }

    /// The part is on disk.
    pub(crate) fn kept(&mut self, bytes: u64) -> Next {
        let Some(keeps) = self.keeps.take() else { return Next::Nothing };
        self.bytes = self.bytes.saturating_add(bytes);
        match keeps {
            Keeps::Part => self.offset = self.offset.saturating_add(bytes),
            Keeps::File => (self.file, self.offset) = (self.file.saturating_add(1), 0),
            Keeps::Step => {
                self.steps.pop_front();
                (self.file, self.offset) = (0, 0);
            }
        }
        if self.steps.is_empty() { Next::Complete } else { Next::Fetch(self.wanted()) }
    }
}

fn without(content: Content, message: String) -> Content {
    let failure = Failure { code: failure::CONTENT_MISSING.to_owned(), message, exit_code: None };
    Content { data: String::new(), failure: Some(failure), ..content }
}
