//! TLS on the one port: two certificates, by who asks.
//!
//! Agents that know the server's key take no other, and are shown a certificate of exactly that key. Everybody else is
//! shown the operator's certificate, or one that was made at the first start, with an authority that clients are given
//! and whose key nobody has.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use identity::KeyPair as Identity;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme};

use crate::identity_key::write_private;

/// Which certificate clients are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// One of our own.
    Own,
    /// The operator's, in PEM.
    Files { certificate: PathBuf, key: PathBuf },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    #[error("keep a certificate in {}", path.display())]
    Keep { path: PathBuf, source: io::Error },
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("use the certificate")]
    Use(#[from] rustls::Error),
}

/// What clients need to trust a certificate of our own.
pub(crate) const AUTHORITY: &str = "tls/ca.pem";

const CERTIFICATE: &str = "tls/server.pem";
const KEY: &str = "tls/server.key";

/// The configuration for everybody who connects.
pub(crate) fn config(
    certificate: &Certificate,
    identity: &Identity,
    data: &Path,
    listen: SocketAddr,
) -> Result<ServerConfig, Error> {
    let others = match certificate {
        Certificate::Files { certificate, key } => read(certificate, key)?,
        Certificate::Own => {
            if !data.join(KEY).exists() {
                make(data, listen)?;
            }
            read(&data.join(CERTIFICATE), &data.join(KEY))?
        }
    };
    let resolver = TwoFaces { agents: Arc::new(of_identity(identity)?), others: Arc::new(others) };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    Ok(config)
}

#[derive(Debug)]
struct TwoFaces {
    agents: Arc<CertifiedKey>,
    others: Arc<CertifiedKey>,
}

impl ResolvesServerCert for TwoFaces {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Only an agent that knows the key takes this kind and no other.
        let knows_the_key = hello.signature_schemes() == [SignatureScheme::ED25519];
        Some(if knows_the_key { self.agents.clone() } else { self.others.clone() })
    }
}

fn of_identity(identity: &Identity) -> Result<CertifiedKey, Error> {
    let pair = KeyPair::try_from(identity.pkcs8())?;
    let certificate = named("dandori server key", vec![])?.self_signed(&pair)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.pkcs8().to_vec()));
    Ok(CertifiedKey::new(vec![certificate.der().clone()], ring::sign::any_supported_type(&key)?))
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let cannot = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).map_err(cannot(certificate))?.collect();
    let secret = PrivateKeyDer::from_pem_file(key).map_err(cannot(key))?;
    let certified = CertifiedKey::new(chain.map_err(cannot(certificate))?, ring::sign::any_supported_type(&secret)?);
    certified.keys_match()?;
    Ok(certified)
}

fn named(name: &str, names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2099, 12, 31);
    Ok(params)
}

/// An authority for this one certificate: its key is forgotten, so that it vouches for nothing else, ever.
fn make(data: &Path, listen: SocketAddr) -> Result<(), Error> {
    let mut authority = named("Dandori certificate authority", vec![])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_pair = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_pair)?;
    let issuer = Issuer::from_params(&authority, &authority_pair);

    let pair = KeyPair::generate()?;
    let mut server = named("Dandori server", names(listen))?;
    server.use_authority_key_identifier_extension = true;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = server.signed_by(&pair, &issuer)?;

    let keep = |name: &str, text: String| {
        let path = data.join(name);
        let directory = path.parent().expect("a file stands in a directory").to_owned();
        fs::create_dir_all(&directory)
            .and_then(|()| write_private(&directory, &path, text.as_bytes()))
            .map_err(|source| Error::Keep { path, source })
    };
    keep(AUTHORITY, authority_certificate.pem())?;
    keep(CERTIFICATE, certificate.pem())?;
    // Last: where it is, the others are.
    keep(KEY, pair.serialize_pem())
}

/// What this host may be called by.
fn names(listen: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = agent::host::computer_name();
    let is_name =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    names.extend(is_name.then_some(host));
    let address: IpAddr = listen.ip();
    names.extend((!address.is_unspecified() && !address.is_loopback()).then(|| address.to_string()));
    names
}
