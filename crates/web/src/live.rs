//! An execution's events: a page of them, or all of them as they happen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Extracted;
use axum::http::HeaderMap;
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response, sse};
use futures_util::stream;
use runtime::executions::Watch;
use serde::Deserialize;
use tokio::sync::watch;

use crate::State;
use crate::extract::{Asked, Name, Paging, Who};
use crate::gate::header;
use crate::refusal::Refused;
use crate::serve::ended;
use crate::wire::{self, Events};

/// How often a live stream says that it lives.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    reverse: bool,
    /// With inputs and outputs.
    #[serde(default)]
    data: bool,
    limit: Option<u32>,
    token: Option<String>,
}

pub(crate) async fn events(
    Extracted(state): Extracted<State>,
    Who(caller): Who,
    Name(arn): Name,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refused> {
    let mut events = Events::with(wanted.data);
    if wanted.follow {
        let watch = state.runtime.execution_watch(&caller, &arn).await?;
        let seen = header(&headers, "last-event-id").and_then(|id| id.parse().ok()).unwrap_or(0);
        return Ok(follow(Following::new(watch, events, seen, state.ending.subscribe())));
    }
    let page = Paging::new(wanted.limit, wanted.token).page();
    let paged = state.runtime.execution_history(&caller, &arn, wanted.reverse, page).await?;
    // Backwards, a state's end comes before its beginning: nothing tells which state an event belongs to.
    Ok(Json(wire::page(paged, |event| events.event(&event))).into_response())
}

fn follow(following: Following) -> Response {
    let messages = stream::unfold(following, |mut following| async move {
        let message = following.next().await?;
        Some((Ok::<_, Infallible>(message), following))
    });
    Sse::new(messages).keep_alive(KeepAlive::new().interval(ALIVE_INTERVAL)).into_response()
}

/// One client's stream. Each event is numbered from 1, ours included, so that a client can ask for the rest.
struct Following {
    watch: Watch,
    events: Events,
    ready: VecDeque<api::Event>,
    number: u64,
    /// Numbers up to this one have been told before.
    seen: u64,
    stage: Stage,
    ending: watch::Receiver<bool>,
}

enum Stage {
    Live,
    /// The execution has ended; that is still to be said.
    Ended,
    Over,
}

impl Following {
    fn new(watch: Watch, events: Events, seen: u64, ending: watch::Receiver<bool>) -> Following {
        Following { watch, events, ready: VecDeque::new(), number: 0, seen, stage: Stage::Live, ending }
    }

    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.number += 1;
                if wire::ends(&event) {
                    self.stage = Stage::Ended;
                }
                if self.number > self.seen {
                    return Some(message("event", &event).id(self.number.to_string()));
                }
                continue;
            }
            match self.stage {
                Stage::Over => return None,
                Stage::Ended => {
                    self.stage = Stage::Over;
                    return Some(message("end", &()));
                }
                // A stream that ends without saying `end` is asked for again.
                Stage::Live => tokio::select! {
                    batch = self.watch.events.recv() => self.ready.extend(batch?.iter().map(|event| self.events.event(event))),
                    () = ended(&mut self.ending) => return None,
                },
            }
        }
    }
}

fn message(kind: &str, data: &impl serde::Serialize) -> sse::Event {
    sse::Event::default().event(kind).data(serde_json::to_string(data).expect("a wire type has a text"))
}
