//! The agent as a command, and inside a server.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::args;
use crate::fail;

/// The hidden word with which this program starts the supervisor of one script.
pub(crate) const SUPERVISE: &str = "agent-supervise";

/// The service name in a signature of our own API.
const SERVICE: &str = "dandori";

pub(crate) async fn main(options: args::Agent) -> ExitCode {
    let mut config = match agent::Config::new(options.server, options.data) {
        Ok(config) => config,
        Err(error) => return fail("start an agent", &error),
    };
    config.instance_id = options.instance_id;
    config.name = options.name.unwrap_or(config.name);
    config.concurrency_max = options.concurrency.max(1);
    config.sign = signer_from_environment();
    match agent::run(config, interrupted()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("run the agent", &error),
    }
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn interrupted() {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => (),
        _ = term.recv() => (),
    }
}

/// The same, or the terminal is gone.
pub(crate) async fn interrupted_or_hung_up() {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return interrupted().await };
    tokio::select! {
        () = interrupted() => (),
        _ = hangup.recv() => (),
    }
}

/// Signs with the keys that AWS's tools would use, where there are any.
fn signer_from_environment() -> Option<agent::Sign> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let access_key = variable("AWS_ACCESS_KEY_ID")?;
    let secret = variable("AWS_SECRET_ACCESS_KEY")?;
    let region =
        variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).unwrap_or_else(|| "us-east-1".to_owned());
    Some(signer(access_key, secret, region))
}

/// Signs each connection anew.
pub(crate) fn signer(access_key: String, secret: String, region: String) -> agent::Sign {
    let secret = sigv4::Secret::new(secret);
    Arc::new(move |handshake: agent::Handshake<'_>| {
        let keys = sigv4::Keys { access_key: &access_key, secret: &secret, session_token: None };
        let headers = [("host", handshake.host)];
        let request = sigv4::Request { method: handshake.method, path: handshake.path, query: "", headers: &headers };
        let now = sigv4::Time(agent::host::now().0.div_euclid(1000));
        let signed = sigv4::sign(&request, &sigv4::BodyHash::of(b""), &keys, &region, SERVICE, now);
        signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    })
}
