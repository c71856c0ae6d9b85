//! Where buckets are, by what was typed and by what the configuration file says.

use std::path::PathBuf;

use objects::Buckets;
use objects::s3::{Addressing, Endpoint, EndpointError, Keys};

use crate::config::{Config, S3};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("read '--bucket {0}': it has to be NAME=DIR")]
    Typed(String),
    #[error("open the folder of bucket '{name}'")]
    Folder { name: String, source: std::io::Error },
    #[error("use the S3 endpoint")]
    Endpoint(#[from] EndpointError),
    #[error("use the S3 keys: access_key and secret go together")]
    Keys,
}

/// `NAME=DIR`, each.
pub(crate) fn typed(texts: &[String]) -> Result<Vec<(String, PathBuf)>, Error> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => Ok((name.to_owned(), folder.into())),
        _ => Err(Error::Typed(text.clone())),
    };
    texts.iter().map(parse).collect()
}

pub(crate) fn open(config: &Config) -> Result<Buckets, Error> {
    let mut buckets = Buckets::none();
    for (name, folder) in &config.buckets {
        let cannot = |source| Error::Folder { name: name.clone(), source };
        buckets = buckets.with_folder(name, folder).map_err(cannot)?;
    }
    match endpoint(&config.s3)? {
        Some(endpoint) => Ok(buckets.with_endpoint(endpoint)?),
        None => Ok(buckets),
    }
}

fn endpoint(s3: &S3) -> Result<Option<Endpoint>, Error> {
    let keys = match (&s3.access_key, &s3.secret) {
        (Some(access_key), Some(secret)) => Some(Keys {
            access_key: access_key.clone(),
            secret: sigv4::Secret::new(secret.clone()),
            session_token: s3.session_token.clone(),
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(Error::Keys),
    };
    let region = s3.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    let addressing = |path: bool| if path { Addressing::Path } else { Addressing::Host };
    match (&s3.endpoint, keys) {
        (Some(url), keys) => {
            let addressing = addressing(s3.path_style.unwrap_or(true));
            Ok(Some(Endpoint { url: url.clone(), region, keys, addressing }))
        }
        (None, Some(keys)) => {
            let addressing = addressing(s3.path_style.unwrap_or(false));
            Ok(Some(Endpoint { addressing, ..Endpoint::amazon(region, keys) }))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_names_a_folder() {
        let typed = |text: &str| typed(&[text.to_owned()]);
        assert_eq!(typed("night=/srv/a=b").expect("a bucket"), [("night".to_owned(), PathBuf::from("/srv/a=b"))]);
        for bad in ["night", "=dir", "night="] {
            assert!(typed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_amazons_unless_another_is_given() {
        let keys = || S3 { access_key: Some("a".to_owned()), secret: Some("s".to_owned()), ..S3::default() };
        let url = |s3: S3| endpoint(&s3).expect("keys go together").map(|endpoint| endpoint.url);
        assert_eq!(url(S3::default()), None);
        assert_eq!(url(keys()).as_deref(), Some("https://s3.us-east-1.amazonaws.com"));
        let minio = Some("http://127.0.0.1:9000".to_owned());
        assert_eq!(url(S3 { endpoint: minio.clone(), ..S3::default() }), minio);
        assert!(endpoint(&S3 { secret: None, ..keys() }).is_err());
    }
}
