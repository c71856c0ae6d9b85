//! The door for agents: frames of a WebSocket on one side, the runtime's port on the other.

use std::time::Duration;

use api::agent::{FromAgent, Hello, MESSAGE_BYTES_MAX, PROTOCOL, ToAgent};
use axum::Extension;
use axum::extract::State as Extracted;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use base::Caller;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use runtime::Runtime;
use runtime::agents::Session;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::State;
use crate::extract::Who;
use crate::refusal::Refused;
use crate::serve::{Place, ended};

/// How long a new connection may keep silent.
const HELLO_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an agent may keep silent: as long as the runtime waits before it counts it lost.
const SILENCE_MAX: Duration = Duration::from_secs(fleet::limits::LOST_AFTER_SECONDS as u64);
/// How long an agent may take to take a message.
const SEND_TIME_MAX: Duration = Duration::from_secs(15);

type Outgoing = SplitSink<WebSocket, Message>;
type Incoming = SplitStream<WebSocket>;

pub(crate) async fn connect(
    Extracted(state): Extracted<State>,
    Who(caller): Who,
    place: Option<Extension<Place>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade = upgrade.map_err(|error| Refused::from(api::Error::new(api::Code::Malformed, error.body_text())))?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        session(state, caller, socket).await;
        drop(place);
    }))
}

/// One connection, from its hello to its end.
async fn session(state: State, caller: Caller, socket: WebSocket) {
    let (mut outgoing, mut incoming) = socket.split();
    let hello = match timeout(HELLO_TIME_MAX, next(&mut incoming)).await {
        Ok(Some(FromAgent::Hello(hello))) => hello,
        Ok(_) | Err(_) => return refuse(&mut outgoing, "Agent.NoHello", "an agent says Hello first").await,
    };
    if hello.protocol != PROTOCOL {
        return refuse(
            &mut outgoing,
            "Agent.Protocol",
            &format!("this server speaks version {PROTOCOL} of the protocol, not {}", hello.protocol),
        )
        .await;
    }
    let instance_id = hello.instance_id.clone();
    let link = match connected(&state.runtime, &caller, hello).await {
        Ok(link) => link,
        Err(error) => return refuse(&mut outgoing, error.code.as_str(), &error.message).await,
    };
    tracing::info!(instance = %instance_id, account = %caller.account, region = %caller.region, "agent connected");
    let session = link.session();
    // Whichever ends first ends the other: half a connection is none.
    let reason = tokio::select! {
        reason = hear(&state.runtime, &session, &mut incoming) => reason,
        reason = tell(link.outgoing, &mut outgoing, state.ending.subscribe()) => reason,
    };
    tracing::info!(instance = %instance_id, reason, "agent disconnected");
    let _ = timeout(SEND_TIME_MAX, outgoing.close()).await;
}

async fn connected(
    runtime: &Runtime,
    caller: &Caller,
    hello: Hello,
) -> Result<runtime::agents::AgentLink, Box<api::Error>> {
    runtime.agent_connect(caller, hello).await.map_err(|refusal| Refused::from(refusal).0)
}

/// The next message that makes sense to somebody; none when the connection is over.
async fn next(incoming: &mut Incoming) -> Option<FromAgent> {
    loop {
        match incoming.next().await?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

async fn hear(runtime: &Runtime, session: &Session, incoming: &mut Incoming) -> &'static str {
    loop {
        let message = match timeout(SILENCE_MAX, next(incoming)).await {
            Ok(Some(message)) => message,
            Ok(None) => return "it went",
            Err(_) => return "it kept silent",
        };
        // What was not taken is told again when it is back.
        if let Err(refusal) = runtime.agent_message(session, message).await {
            tracing::warn!(%refusal, "what an agent said was not taken");
            return "what it said was not taken";
        }
    }
}

async fn tell(
    mut messages: mpsc::Receiver<ToAgent>,
    outgoing: &mut Outgoing,
    mut ending: watch::Receiver<bool>,
) -> &'static str {
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            () = ended(&mut ending) => return "the server ends",
        };
        let Some(message) = message else { return "another connection took its place" };
        if !send(outgoing, &message).await {
            return "it takes no messages";
        }
    }
}

async fn send(outgoing: &mut Outgoing, message: &ToAgent) -> bool {
    let text = serde_json::to_string(message).expect("a wire type has a text");
    matches!(timeout(SEND_TIME_MAX, outgoing.send(Message::Text(text.into()))).await, Ok(Ok(())))
}

async fn refuse(outgoing: &mut Outgoing, code: &str, message: &str) {
    tracing::warn!(code, message, "agent refused");
    send(outgoing, &ToAgent::Refused { code: code.to_owned(), message: message.to_owned() }).await;
    let _ = timeout(SEND_TIME_MAX, outgoing.close()).await;
}
