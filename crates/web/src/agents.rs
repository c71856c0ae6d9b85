//! The door for agents: frames of a WebSocket on one side, the runtime's port on the other.

use std::sync::Arc;
use std::time::Duration;

use api::agent::{
    Challenge, Credentials, FromAgent, Hello, MESSAGE_BYTES_MAX, NONCE_HEADER, PROTOCOL, RotateKey, Signed, ToAgent,
};
use axum::Extension;
use axum::extract::State as Extracted;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::Response;
use base::Caller;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use identity::{KeyPair, Nonce, PublicKey, Statement};
use runtime::agents::{Comes, Session};
use runtime::{Refusal, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::State;
use crate::gate::header;
use crate::refusal::Refused;
use crate::serve::{Place, ended};

/// How long a new connection may keep silent.
const HELLO_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an agent may keep silent: as long as the runtime waits before it counts it lost.
const SILENCE_MAX: Duration = Duration::from_secs(fleet::limits::LOST_AFTER_SECONDS as u64);
/// On whose behalf an agent comes that does not say.
const ACCOUNT_DEFAULT: &str = "000000000000";
const REGION_DEFAULT: &str = "us-east-1";
const REGION_CHARS_MAX: usize = 32;
/// How long an agent may take to take a message.
const SEND_TIME_MAX: Duration = Duration::from_secs(15);

/// All that an agent is told that is not let in.
const REFUSED: (&str, &str) = ("Agent.Refused", "this server does not take this agent");

type Outgoing = SplitSink<WebSocket, Message>;
type Incoming = SplitStream<WebSocket>;

pub(crate) async fn connect(
    Extracted(state): Extracted<State>,
    place: Option<Extension<Place>>,
    parts: Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refused> {
    let upgrade = upgrade.map_err(|error| Refused::from(api::Error::new(api::Code::Malformed, error.body_text())))?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    let agent = header(&parts.headers, NONCE_HEADER).and_then(Nonce::parse);
    let meeting = Meeting {
        session: agent.map(|agent| identity::Session { agent, server: Nonce::draw() }),
        server: state.identity.clone(),
        stranger: state.gate.stranger(&parts),
    };
    Ok(upgrade.on_upgrade(move |socket| async move {
        session(state, meeting, socket).await;
        drop(place);
    }))
}

/// What is known of a connection before its hello.
struct Meeting {
    /// None when the agent sent no nonce: then it cannot show anything.
    session: Option<identity::Session>,
    server: Arc<KeyPair>,
    /// What an agent comes with that shows nothing.
    stranger: Comes,
}

impl Meeting {
    fn challenge(&self) -> ToAgent {
        let sign = |session: &identity::Session| self.server.sign(&Statement::Challenge { session: *session });
        ToAgent::Challenge(Challenge {
            nonce: self.session.map(|session| session.server.to_string()).unwrap_or_default(),
            server_key: self.server.public().to_string(),
            signature: self.session.as_ref().map(sign).unwrap_or_default(),
        })
    }

    /// What the hello shows. None when what it shows is wrong.
    fn comes(&self, hello: &Hello) -> Option<Comes> {
        let Some(Credentials { account, region, proof: Some(proof), .. }) = hello.credentials.as_deref() else {
            return Some(self.stranger.clone());
        };
        let statement = Statement::Hello {
            session: self.session?,
            server: self.server.public(),
            instance_id: &hello.instance_id,
            account,
            region,
            incarnation: hello.incarnation,
        };
        let key = PublicKey::parse(&proof.key).ok()?;
        key.verifies(&statement, &proof.signature).then(|| Comes::With(proof.key.clone()))
    }

    /// The key that comes next, when the one before says so.
    fn rotation(&self, session: &Session, rotate: &RotateKey) -> Option<(String, String)> {
        let (key, next) = (PublicKey::parse(&rotate.key).ok()?, PublicKey::parse(&rotate.next).ok()?);
        let statement = Statement::Rotation { session: self.session?, instance_id: session.instance_id(), next };
        key.verifies(&statement, &rotate.signature).then(|| (rotate.key.clone(), rotate.next.clone()))
    }
}

/// On whose behalf an agent comes: its account and region become part of names.
fn caller_of(hello: &Hello) -> Option<Caller> {
    let Some(Credentials { account, region, .. }) = hello.credentials.as_deref() else {
        return Some(Caller::new(ACCOUNT_DEFAULT, REGION_DEFAULT));
    };
    let account_is_one = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let region_is_one = (1..=REGION_CHARS_MAX).contains(&region.len())
        && region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    (account_is_one && region_is_one).then(|| Caller::new(account, region))
}

/// One connection, from its hello to its end.
async fn session(state: State, meeting: Meeting, socket: WebSocket) {
    let (mut outgoing, mut incoming) = socket.split();
    if !send(&mut outgoing, &meeting.challenge()).await {
        return;
    }
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
    let (Some(caller), Some(comes)) = (caller_of(&hello), meeting.comes(&hello)) else {
        tracing::warn!(instance = %instance_id.escape_debug(), "an agent shows what it has not");
        return refuse(&mut outgoing, REFUSED.0, REFUSED.1).await;
    };
    let link = match state.runtime.agent_connect(&caller, hello, comes).await {
        Ok(link) => link,
        Err(Refusal::Enrolment(_)) => return refuse(&mut outgoing, REFUSED.0, REFUSED.1).await,
        Err(refusal) => {
            let error = Refused::from(refusal).0;
            return refuse(&mut outgoing, error.code.as_str(), &error.message).await;
        }
    };
    tracing::info!(instance = %instance_id, account = %caller.account, region = %caller.region, "agent connected");
    let session = link.session();
    // Whichever ends first ends the other: half a connection is none.
    let reason = tokio::select! {
        reason = hear(&state.runtime, &meeting, &session, &mut incoming) => reason,
        reason = tell(link.outgoing, &meeting, &session, &mut outgoing, state.ending.subscribe()) => reason,
    };
    tracing::info!(instance = %instance_id, reason, "agent disconnected");
    let _ = timeout(SEND_TIME_MAX, outgoing.close()).await;
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

async fn hear(runtime: &Runtime, meeting: &Meeting, session: &Session, incoming: &mut Incoming) -> &'static str {
    loop {
        let message = match timeout(SILENCE_MAX, next(incoming)).await {
            Ok(Some(message)) => message,
            Ok(None) => return "it went",
            Err(_) => return "it kept silent",
        };
        let taken = match message {
            FromAgent::RotateKey(rotate) => match meeting.rotation(session, &rotate) {
                Some((key, next)) => runtime.agent_rotate_key(session, key, next).await,
                None => return "its next key is not named by its present one",
            },
            message => runtime.agent_message(session, message).await,
        };
        // What was not taken is told again when it is back.
        if let Err(refusal) = taken {
            tracing::warn!(%refusal, "what an agent said was not taken");
            return "what it said was not taken";
        }
    }
}

async fn tell(
    mut messages: mpsc::Receiver<ToAgent>,
    meeting: &Meeting,
    session: &Session,
    outgoing: &mut Outgoing,
    mut ending: watch::Receiver<bool>,
) -> &'static str {
    let mut number = 0;
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            () = ended(&mut ending) => return "the server ends",
        };
        let Some(message) = message else { return "another connection took its place" };
        let message = match meeting.session {
            Some(of) if must_be_signed(&message) => {
                number += 1;
                signed(&meeting.server, of, session.instance_id(), number, &message)
            }
            Some(_) | None => message,
        };
        if !send(outgoing, &message).await {
            return "it takes no messages";
        }
    }
}

/// What is run, when it begins, or what becomes a file that may be run.
fn must_be_signed(message: &ToAgent) -> bool {
    matches!(message, ToAgent::Offer(_) | ToAgent::Go { .. } | ToAgent::Content(_))
}

/// What runs on a host is what this server said to it, in this connection and once.
fn signed(server: &KeyPair, session: identity::Session, instance_id: &str, number: u64, message: &ToAgent) -> ToAgent {
    let message = serde_json::to_string(message).expect("a wire type has a text");
    let statement = Statement::Message { session, instance_id, number, text: &message };
    let signature = server.sign(&statement);
    ToAgent::Signed(Signed { message, number, signature })
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
