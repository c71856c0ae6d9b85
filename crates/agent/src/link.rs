//! The link: one connection to the server at a time, made again for ever.
//!
//! **It does not know** what the messages mean. What could not be said is dropped: the session says it again.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use api::agent::{CONNECT_PATH, FromAgent, MESSAGE_BYTES_MAX, NONCE_HEADER, ToAgent};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use identity::{Nonce, PublicKey, Session, Statement};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::host;
use crate::tls::{self, Stream, Trust};

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

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `HOST:PORT`, or `HOST`.
    authority: String,
    path: String,
    encrypted: bool,
}

/// How the server is known.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) instance_id: String,
    pub(crate) server: PublicKey,
}

/// A server that has shown who it is: what is signed for this connection is signed over this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) session: Session,
    pub(crate) server: PublicKey,
}

/// Bytes of a message that is heard: a signed one holds another as text, with its quotes escaped.
const HEARD_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX + 1_024;

/// What the link tells.
#[derive(Debug)]
pub(crate) enum News {
    /// Say things here, hello first. It is closed when the connection is.
    Connected {
        say: mpsc::Sender<FromAgent>,
        ip: Option<IpAddr>,
        /// None where there is nobody to be sure of: the agent never registered.
        met: Option<Met>,
    },
    Said(ToAgent),
    Disconnected,
}

impl Address {
    /// Reads `ws://HOST:PORT[/PATH]`, or the same with `http`, `wss` or `https`.
    pub fn parse(url: &str) -> Result<Address, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme, as in ws://HOST:PORT")?;
        let encrypted = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err("its scheme is none of ws, wss, http and https"),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains(['@', '?', '#']) {
            return Err("it has no host");
        }
        let path = if path.is_empty() { CONNECT_PATH.to_owned() } else { format!("/{path}") };
        Ok(Address { authority: authority.to_owned(), path, encrypted })
    }

    /// Where to dial: the port is 80 when it is not said, 443 where it is encrypted.
    pub(crate) fn dial(&self) -> String {
        let port = if self.encrypted { 443 } else { 80 };
        if self.says_port() { self.authority.clone() } else { format!("{}:{port}", self.authority) }
    }

    /// The name without a port, and an address without its brackets.
    pub(crate) fn host(&self) -> &str {
        let host = match self.says_port() {
            true => self.authority.rsplit_once(':').map_or(&*self.authority, |(host, _)| host),
            false => &self.authority,
        };
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    fn says_port(&self) -> bool {
        self.authority.rsplit(']').next().unwrap_or_default().contains(':')
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.encrypted { "wss" } else { "ws" }, self.authority, self.path)
    }
}

/// Connects, carries messages, and connects again, for as long as somebody listens to the news.
pub(crate) async fn keep(address: Address, trust: Trust, known: Option<Known>, news: mpsc::Sender<News>) {
    let mut backoff = BACKOFF_MIN;
    while !news.is_closed() {
        match connect(&address, &trust, known.as_ref()).await {
            Ok(connection) => {
                let carried = carry(connection, known.as_ref(), &news).await;
                tracing::warn!(%address, reason = %carried.reason, "disconnected");
                if carried.welcomed {
                    backoff = BACKOFF_MIN;
                }
                if news.send(News::Disconnected).await.is_err() {
                    return;
                }
            }
            Err(Failed::Stranger) => tracing::error!(
                %address,
                "whoever answers there is not the server that this agent registered with: nothing is said to it"
            ),
            Err(Failed::Connection(error)) => tracing::warn!(%address, %error, "failed to connect"),
        }
        sleep(jittered(backoff)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

type Socket = WebSocketStream<Box<dyn Stream>>;

struct Connection {
    socket: Socket,
    ip: Option<IpAddr>,
    met: Option<Met>,
}

/// Why there is no connection.
enum Failed {
    /// It cannot show the key that is known.
    Stranger,
    Connection(tungstenite::Error),
}

impl<E: Into<tungstenite::Error>> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed::Connection(error.into())
    }
}

async fn connect(address: &Address, trust: &Trust, known: Option<&Known>) -> Result<Connection, Failed> {
    let opening = async {
        let nonce = known.map(|_| Nonce::draw());
        let mut request = address.to_string().into_client_request()?;
        if let Some(nonce) = nonce {
            let value = HeaderValue::try_from(nonce.to_string()).map_err(tungstenite::http::Error::from)?;
            request.headers_mut().insert(NONCE_HEADER, value);
        }
        let (stream, ip) = tls::connect(address, trust).await?;
        let config = WebSocketConfig::default().max_message_size(Some(HEARD_BYTES_MAX)).read_buffer_size(16 * 1024);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        let met = match (known, nonce) {
            (Some(known), Some(nonce)) => Some(meet(&mut socket, known, nonce).await?),
            _ => None,
        };
        Ok(Connection { socket, ip, met })
    };
    let late = || Failed::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err(late()))
}

/// Hears who is there, before anything is said.
async fn meet(socket: &mut Socket, known: &Known, agent: Nonce) -> Result<Met, Failed> {
    let Some(first) = socket.next().await else { return Err(tungstenite::Error::ConnectionClosed.into()) };
    let Some(ToAgent::Challenge(challenge)) = read(&first?) else { return Err(Failed::Stranger) };
    let server = Nonce::parse(&challenge.nonce).ok_or(Failed::Stranger)?;
    let session = Session { agent, server };
    match known.server.verifies(&Statement::Challenge { session }, &challenge.signature) {
        true => Ok(Met { session, server: known.server }),
        false => Err(Failed::Stranger),
    }
}

/// How a connection went.
struct Carried {
    welcomed: bool,
    reason: String,
}

async fn carry(connection: Connection, known: Option<&Known>, news: &mpsc::Sender<News>) -> Carried {
    let Connection { socket, ip, met } = connection;
    let (say, to_say) = mpsc::channel(OUTGOING_MAX);
    if news.send(News::Connected { say, ip, met }).await.is_err() {
        return Carried { welcomed: false, reason: "nobody listens".to_owned() };
    }
    let mut ear =
        Ear { met, instance_id: known.map(|known| known.instance_id.as_str()).unwrap_or_default(), number: 0 };
    let (mut sink, mut stream) = socket.split();
    let heard = Heard::default();
    // Side by side: a listener that is slow must not keep us from talking, nor the other way round.
    let broken = tokio::select! {
        broken = listen(&mut stream, &mut ear, news, &heard) => broken,
        broken = talk(&mut sink, to_say, &heard) => broken,
    };
    // The other side need not answer: it may be the one that is gone.
    let _best_effort = timeout(Duration::from_millis(200), sink.close()).await;
    let reason = broken.map_or_else(|error| error.to_string(), str::to_owned);
    Carried { welcomed: heard.ping_seconds.load(Relaxed) > 0, reason }
}

/// Hears what is meant for us, by whom we know, and for the first time.
struct Ear<'a> {
    met: Option<Met>,
    instance_id: &'a str,
    /// Of the last signed message.
    number: u64,
}

impl Ear<'_> {
    /// The message as it was meant. None when it is not believed.
    fn hear(&mut self, message: ToAgent) -> Option<ToAgent> {
        let Some(met) = self.met else { return Some(message) };
        match message {
            ToAgent::Signed(signed) => {
                let statement = Statement::Message {
                    session: met.session,
                    instance_id: self.instance_id,
                    number: signed.number,
                    text: &signed.message,
                };
                let believed = signed.number > self.number && met.server.verifies(&statement, &signed.signature);
                if !believed {
                    tracing::error!(
                        number = signed.number,
                        "a message is not signed by the server, or comes again: not taken"
                    );
                    return None;
                }
                self.number = signed.number;
                parse(&signed.message)
            }
            // What is run, when it begins, or what becomes a file that may be run.
            ToAgent::Offer(_) | ToAgent::Go { .. } | ToAgent::Content(_) => {
                tracing::error!("an offer, a go, or a file is not signed by the server: not taken");
                None
            }
            other => Some(other),
        }
    }
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
    ear: &mut Ear<'_>,
    news: &mpsc::Sender<News>,
    heard: &Heard,
) -> Result<&'static str, tungstenite::Error> {
    while let Some(message) = stream.next().await {
        heard.pings_unheard.store(0, Relaxed);
        let Some(message) = read(&message?).and_then(|message| ear.hear(message)) else { continue };
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
    parse(text)
}

fn parse(text: &str) -> Option<ToAgent> {
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
        let wss = "wss://server/api/v1/agents/connect".to_owned();
        assert_eq!(read("https://server"), Ok((wss, "server:443".into())));
        let host = |url: &str| Address::parse(url).expect("an address").host().to_owned();
        assert_eq!(
            (host("https://[::1]:1"), host("wss://a.b:1"), host("https://[::1]")),
            ("::1".into(), "a.b".into(), "::1".into())
        );
        for url in ["server:80", "ftp://server", "ws://", "ws:///x", "ws://me@server"] {
            assert!(read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_offer_is_believed_once_and_only_from_the_server() {
        let (server, other) = (identity::KeyPair::generate(), identity::KeyPair::generate());
        let session = Session { agent: Nonce::draw(), server: Nonce::draw() };
        let mut ear = Ear { met: Some(Met { session, server: server.public() }), instance_id: "mi-1", number: 0 };
        let signed = |pair: &identity::KeyPair, instance_id: &str, number: u64| {
            let message = r#"{"type":"go","attempt":"a"}"#.to_owned();
            let signature = pair.sign(&Statement::Message { session, instance_id, number, text: &message });
            ToAgent::Signed(api::agent::Signed { message, number, signature })
        };
        let go = ToAgent::Go { attempt: "a".to_owned() };
        assert_eq!(ear.hear(signed(&server, "mi-1", 1)), Some(go.clone()));
        assert_eq!(ear.hear(signed(&server, "mi-1", 1)), None);
        assert_eq!(ear.hear(signed(&other, "mi-1", 2)), None);
        assert_eq!(ear.hear(signed(&server, "mi-2", 2)), None);
        assert_eq!(ear.hear(signed(&server, "mi-1", 2)), Some(go));
        let bare = r#"{"type":"offer","attempt":"a","script":"","execution_timeout_seconds":1,"expires_at":0}"#;
        assert_eq!(ear.hear(serde_json::from_str(bare).expect("an offer")), None);
        assert_eq!(ear.hear(ToAgent::Go { attempt: "a".to_owned() }), None);
    }

    #[test]
    fn a_backoff_stays_near_what_it_is() {
        for _ in 0..100 {
            let near = jittered(Duration::from_secs(1));
            assert!((Duration::from_millis(500)..Duration::from_millis(1500)).contains(&near), "{near:?}");
        }
    }
}
