//! The way to the server: a stream, encrypted where the address says so, to nobody but the one who is trusted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::link::Address;

/// Who may stand at the other end of an encrypted connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Exactly the server with the key of this fingerprint.
    Key(String),
    /// Whom these authorities vouch for: certificates in PEM.
    Authority(String),
    /// Whom this system's authorities vouch for.
    System,
}

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Bytes of an answer to [`post`], and how long it may take.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// Connects. Also returns our own address there.
pub(crate) async fn connect(
    address: &Address,
    trust: &Trust,
) -> io::Result<(Box<dyn Stream>, Option<std::net::IpAddr>)> {
    let stream = TcpStream::connect(address.dial()).await?;
    stream.set_nodelay(true)?;
    let ours = stream.local_addr().ok().map(|ours| ours.ip());
    if !address.is_encrypted() {
        return Ok((Box::new(stream), ours));
    }
    let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(config(trust)?)).connect(name, stream).await?;
    Ok((Box::new(stream), ours))
}

/// One request with a body of JSON, without anything else that HTTP can do. Returns whether it went well, and the answer.
pub(crate) async fn post(address: &Address, trust: &Trust, path: &str, body: Vec<u8>) -> io::Result<(bool, Vec<u8>)> {
    let asking = async {
        let (mut stream, _) = connect(address, trust).await?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            address.authority(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        stream.flush().await?;
        let mut answer = vec![];
        match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await {
            // Not every server says goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => (),
            read => drop(read?),
        }
        answered(&answer)
    };
    timeout(ANSWER_TIME_MAX, asking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The status and the body of an answer whose end is the connection's.
fn answered(answer: &[u8]) -> io::Result<(bool, Vec<u8>)> {
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "what it answers is not HTTP");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(strange)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| strange())?;
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.get(..3)?.parse().ok()).ok_or_else(strange)?;
    Ok(((200..300).contains(&status), answer[end + 4..].to_vec()))
}

fn config(trust: &Trust) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config = match trust {
        Trust::Key(fingerprint) => {
            let verifier =
                OneKey { fingerprint: fingerprint.clone(), algorithms: provider.signature_verification_algorithms };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        Trust::Authority(pem) => builder.with_root_certificates(authorities(pem)?).with_no_client_auth(),
        Trust::System => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(config)
}

fn authorities(pem: &str) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    match roots.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no certificate of an authority")),
        false => Ok(roots),
    }
}

/// Takes exactly one key, whatever its certificate says of names and times.
#[derive(Debug)]
struct OneKey {
    fingerprint: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for OneKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        match identity::fingerprint_of(&key) == self.fingerprint {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::Error::General("the server has another key than the one that is known".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    /// The server's own key is of this kind, and it shows that key to whoever asks for no other.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_head_and_a_body() {
        let read =
            |text: &str| answered(text.as_bytes()).ok().map(|(ok, body)| (ok, String::from_utf8(body).expect("text")));
        assert_eq!(read("HTTP/1.1 200 OK\r\na: b\r\n\r\n{}"), Some((true, "{}".to_owned())));
        assert_eq!(read("HTTP/1.1 409 Conflict\r\n\r\n"), Some((false, String::new())));
        for garbage in ["", "HTTP/1.1 200 OK\r\n", "x\r\n\r\n", "HTTP/1.1 あ\r\n\r\n"] {
            assert_eq!(read(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn an_authority_that_is_none_is_refused() {
        assert!(authorities("").is_err());
        assert!(authorities("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_err());
    }
}
