//! The link: one connection to the server at a time, made again for ever.
//!
//! **It does not know** what the messages mean. What could not be said is dropped: the session says it again.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use api::agent::{CONNECT_PATH, FromAgent, MESSAGE_BYTES_MAX, ToAgent};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::host;

/// How long to wait before connecting again: doubled each time, up and down by half at random.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// How long connecting and saying one thing may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to ping until the server has said how often.
const PING_DEFAULT: Duration = Duration::from_secs(10);

/// After so many pings without a word from the server, it is gone.
const PINGS_UNHEARD_MAX: u32 = 3;

/// Messages that wait to be said. Whoever has more waits.
const OUTGOING_MAX: usize = 16;

/// What a person does about a 401. It is told once in a row; the agent goes on trying.
const SIGNATURE_MISSING: &str = "the server wants a signature: set the environment variables AWS_ACCESS_KEY_ID and \
                                 AWS_SECRET_ACCESS_KEY to a key that it knows, and start the agent again";
const SIGNATURE_REFUSED: &str = "the server wants a signature and does not accept this agent's: set the environment \
                                 variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that it knows, and \
                                 start the agent again";

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `HOST:PORT`, or `HOST`.
    authority: String,
    path: String,
}

/// The request that opens a connection, for whoever signs it.
#[derive(Debug, Clone, Copy)]
pub struct Handshake<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
}

/// Gives the headers that prove who we are. Called for each connection.
pub type Sign = Arc<dyn Fn(Handshake<'_>) -> Vec<(String, String)> + Send + Sync>;

/// What the link tells.
#[derive(Debug)]
pub(crate) enum News {
    /// Say things here, hello first. It is closed when the connection is.
    Connected {
        say: mpsc::Sender<FromAgent>,
        ip: Option<IpAddr>,
    },
    Said(ToAgent),
    Disconnected,
}

impl Address {
    /// Reads `ws://HOST:PORT[/PATH]`, or the same with `http`.
    pub fn parse(url: &str) -> Result<Address, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme, as in ws://HOST:PORT")?;
        match scheme {
            "ws" | "http" => (),
            "wss" | "https" => return Err("TLS is not supported yet"),
            _ => return Err("its scheme is neither ws nor http"),
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains(['@', '?', '#']) {
            return Err("it has no host");
        }
        let path = if path.is_empty() { CONNECT_PATH.to_owned() } else { format!("/{path}") };
        Ok(Address { authority: authority.to_owned(), path })
    }

    /// Where to dial: the port is 80 when it is not said.
    fn dial(&self) -> String {
        let after_host = self.authority.rsplit(']').next().unwrap_or_default();
        if after_host.contains(':') { self.authority.clone() } else { format!("{}:80", self.authority) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.path)
    }
}

/// Connects, carries messages, and connects again, for as long as somebody listens to the news.
pub(crate) async fn keep(address: Address, sign: Option<Sign>, news: mpsc::Sender<News>) {
    let mut backoff = BACKOFF_MIN;
    let mut told_to_sign = false;
    while !news.is_closed() {
        match connect(&address, sign.as_ref()).await {
            Ok(socket) => {
                told_to_sign = false;
                let carried = carry(socket, &news).await;
                tracing::warn!(%address, reason = %carried.reason, "disconnected");
                if carried.welcomed {
                    backoff = BACKOFF_MIN;
                }
                if news.send(News::Disconnected).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%address, %error, "failed to connect");
                if wants_signature(&error) && !told_to_sign {
                    tracing::error!(%address, "{}", if sign.is_some() { SIGNATURE_REFUSED } else { SIGNATURE_MISSING });
                    told_to_sign = true;
                }
            }
        }
        sleep(jittered(backoff)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

fn wants_signature(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Http(response) if response.status() == StatusCode::UNAUTHORIZED)
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(address: &Address, sign: Option<&Sign>) -> Result<Socket, tungstenite::Error> {
    let mut request = address.to_string().into_client_request()?;
    let handshake = Handshake { method: "GET", host: &address.authority, path: &address.path };
    for (name, value) in sign.map(|sign| sign(handshake)).unwrap_or_default() {
        let name = HeaderName::try_from(name).map_err(tungstenite::http::Error::from)?;
        let value = HeaderValue::try_from(value).map_err(tungstenite::http::Error::from)?;
        request.headers_mut().insert(name, value);
    }
    let opening = async {
        let stream = TcpStream::connect(address.dial()).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).read_buffer_size(16 * 1024);
        Ok(client_async_with_config(request, stream, Some(config)).await?.0)
    };
    timeout(PATIENCE, opening)
        .await
        .unwrap_or_else(|_| Err(tungstenite::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// How a connection went.
struct Carried {
    welcomed: bool,
    reason: String,
}

async fn carry(socket: Socket, news: &mpsc::Sender<News>) -> Carried {
    let (say, to_say) = mpsc::channel(OUTGOING_MAX);
    let ip = socket.get_ref().local_addr().ok().map(|address| address.ip());
    if news.send(News::Connected { say, ip }).await.is_err() {
        return Carried { welcomed: false, reason: "nobody listens".to_owned() };
    }
    let (mut sink, mut stream) = socket.split();
    let heard = Heard::default();
    // Side by side: a listener that is slow must not keep us from talking, nor the other way round.
    let broken = tokio::select! {
        broken = listen(&mut stream, news, &heard) => broken,
        broken = talk(&mut sink, to_say, &heard) => broken,
    };
    // The other side need not answer: it may be the one that is gone.
    let _best_effort = timeout(Duration::from_millis(200), sink.close()).await;
    let reason = broken.map_or_else(|error| error.to_string(), str::to_owned);
    Carried { welcomed: heard.ping_seconds.load(Relaxed) > 0, reason }
}

/// What was heard of the server, for the one who talks.
#[derive(Default)]
struct Heard {
    /// Pings since the last word.
    pings_unheard: AtomicU32,
    /// What the welcome asked for; 0 before it.
    ping_seconds: AtomicU64,
}

async fn listen(
    stream: &mut SplitStream<Socket>,
    news: &mpsc::Sender<News>,
    heard: &Heard,
) -> Result<&'static str, tungstenite::Error> {
    while let Some(message) = stream.next().await {
        heard.pings_unheard.store(0, Relaxed);
        let Some(message) = read(&message?) else { continue };
        if let ToAgent::Welcome(welcome) = &message {
            heard.ping_seconds.store(welcome.ping_seconds.max(1), Relaxed);
        }
        if message != ToAgent::Pong && news.send(News::Said(message)).await.is_err() {
            return Ok("nobody listens");
        }
    }
    Ok("the server closed the connection")
}

async fn talk(
    sink: &mut SplitSink<Socket, Message>,
    mut to_say: mpsc::Receiver<FromAgent>,
    heard: &Heard,
) -> Result<&'static str, tungstenite::Error> {
    let mut ping_at = Instant::now() + PING_DEFAULT;
    loop {
        let message = tokio::select! {
            message = to_say.recv() => message,
            () = sleep_until(ping_at) => {
                if heard.pings_unheard.fetch_add(1, Relaxed) >= PINGS_UNHEARD_MAX {
                    return Ok("the server is silent");
                }
                Some(FromAgent::Ping)
            }
        };
        let Some(message) = message else { return Ok("the agent closed the connection") };
        write(sink, &message).await?;
        let asked = Duration::from_secs(heard.ping_seconds.load(Relaxed));
        // Whatever is said tells the server that we are here.
        ping_at = Instant::now() + if asked.is_zero() { PING_DEFAULT } else { asked };
    }
}

fn read(message: &Message) -> Option<ToAgent> {
    let Message::Text(text) = message else { return None };
    match serde_json::from_str(text) {
        Ok(message) => Some(message),
        Err(error) => {
            tracing::error!(%error, "the server said something that is no message");
            None
        }
    }
}

async fn write(sink: &mut SplitSink<Socket, Message>, message: &FromAgent) -> Result<(), tungstenite::Error> {
    let text = serde_json::to_string(message).expect("a message has a text");
    let said = timeout(PATIENCE, sink.send(Message::text(text))).await;
    said.unwrap_or_else(|_| Err(tungstenite::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Between half and one and a half, so that the agents of a restarted server do not come all at once.
fn jittered(backoff: Duration) -> Duration {
    let part = host::random().unwrap_or_else(|_| Instant::now().elapsed().as_nanos() as u64) % 1_000;
    backoff.mul_f64(0.5 + part as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_path() {
        let read = |url: &str| Address::parse(url).map(|address| (address.to_string(), address.dial()));
        let ours = |host: &str| format!("ws://{host}/api/v1/agents/connect");
        assert_eq!(read("ws://127.0.0.1:4566"), Ok((ours("127.0.0.1:4566"), "127.0.0.1:4566".into())));
        assert_eq!(read("http://server/"), Ok((ours("server"), "server:80".into())));
        assert_eq!(read("http://[::1]/"), Ok((ours("[::1]"), "[::1]:80".into())));
        assert_eq!(read("ws://[::1]:1/x/y"), Ok(("ws://[::1]:1/x/y".into(), "[::1]:1".into())));
        for url in ["server:80", "wss://server", "ftp://server", "ws://", "ws:///x", "ws://me@server"] {
            assert!(read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_backoff_stays_near_what_it_is() {
        for _ in 0..100 {
            let near = jittered(Duration::from_secs(1));
            assert!((Duration::from_millis(500)..Duration::from_millis(1500)).contains(&near), "{near:?}");
        }
    }
}
