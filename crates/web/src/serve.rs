//! Connections: each is taken, served and ended on its own, within limits.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use runtime::Runtime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::gate::Peer;
use crate::routes::router;
use crate::{Config, State};

/// Connections at a time; the next waits until one ends.
const CONNECTIONS_MAX: usize = 10_000;
/// How long a request's headers may take to arrive, and how long a connection may idle.
const HEADERS_TIME_MAX: Duration = Duration::from_secs(60);
/// How long the handshake of TLS may take.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's line and headers. There may be 100 headers, which is hyper's own limit.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// How long a client may take none of what it is sent.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// How long requests may take to finish when the server ends.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause after an accept that failed: the system is short of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves what comes to `listener` until `shutdown`, then lets requests that are under way finish.
///
/// ```no_run
/// # async fn example(runtime: runtime::Runtime, config: web::Config) -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8333").await?;
/// web::serve(listener, runtime, config, std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
pub async fn serve(listener: TcpListener, runtime: Runtime, config: Config, shutdown: impl Future<Output = ()>) {
    let state = State::new(runtime, &config);
    let tls = config.tls.map(TlsAcceptor::from);
    let router = router(state.clone());
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            taken = take(&listener, &room) => match taken {
                Ok((stream, peer, place)) => {
                    let (router, ending) = (router.clone(), state.ending.subscribe());
                    drop(tokio::spawn(accepted(stream, tls.clone(), peer, router, ending, place)));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    state.ending.send_replace(true);
    // A place that is free again is a connection that has ended.
    let all = room.acquire_many(CONNECTIONS_MAX as u32);
    if timeout(FAREWELL_TIME_MAX, all).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

async fn take(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, Peer, Place)> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, Peer(peer), Place { _permit: Arc::new(permit) }))
}

async fn accepted(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: Peer,
    router: Router,
    ending: watch::Receiver<bool>,
    place: Place,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
        return;
    }
    let Some(tls) = tls else { return connection(stream, peer, router, ending, place).await };
    match timeout(HANDSHAKE_TIME_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, router, ending, place).await,
        Ok(Err(error)) => tracing::debug!(peer = %peer.0, %error, "no handshake"),
        Err(_) => tracing::debug!(peer = %peer.0, "a handshake took too long"),
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    mut ending: watch::Receiver<bool>,
    place: Place,
) {
    let service = tower_service(router, peer, place);
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_TIME_MAX)
            .max_header_size(HEADERS_BYTES_MAX)
            .serve_connection(TokioIo::new(Patient::new(stream)), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = ended(&mut ending) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.0, %error, "a connection broke");
    }
}

/// Waits until the server ends.
pub(crate) async fn ended(ending: &mut watch::Receiver<bool>) {
    // The sender lives as long as the server's state; without it there is nothing to wait for.
    let _ = ending.wait_for(|&ending| ending).await;
}

/// A connection's place among all of them. Whoever takes the connection over keeps it.
#[derive(Clone)]
pub(crate) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

fn tower_service(
    router: Router,
    peer: Peer,
    place: Place,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future = impl Send,
> + Send {
    let service = TowerToHyperService::new(router);
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(place.clone());
        hyper::service::Service::call(&service, request)
    })
}

/// A stream that gives up on a client that takes nothing for too long.
struct Patient<S> {
    stream: S,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn new(stream: S) -> Patient<S> {
        Patient { stream, stalled: None }
    }

    /// `written` as it is, unless nothing could be written for too long.
    fn patience<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_STALL_MAX)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patience(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.patience(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patience(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
