//! Who publishes what becomes of commands, by what the configuration file says.

use std::sync::Arc;

use runtime::announce::Announcer;
use sns::{EndpointError, Keys, Topics};

use crate::config::Sns;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("use the SNS endpoint")]
    Endpoint(#[from] EndpointError),
    #[error("use the SNS keys: access_key and secret go together")]
    Keys,
}

/// Nobody, where neither an endpoint nor keys are given.
pub(crate) fn open(sns: &Sns) -> Result<Option<Arc<dyn Announcer>>, Error> {
    let keys = match (&sns.access_key, &sns.secret) {
        (Some(access_key), Some(secret)) => Some(Keys {
            access_key: access_key.clone(),
            secret: sigv4::Secret::new(secret.clone()),
            session_token: sns.session_token.clone(),
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(Error::Keys),
    };
    if sns.endpoint.is_none() && keys.is_none() {
        return Ok(None);
    }
    let topics = Topics { endpoint: sns.endpoint.clone(), region: sns.region.clone(), keys };
    Ok(Some(Arc::new(sns::Sns::new(topics)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_publishes_unless_it_is_said_where_or_as_whom() {
        let keys = || Sns { access_key: Some("a".to_owned()), secret: Some("s".to_owned()), ..Sns::default() };
        let endpoint = |url: &str| Sns { endpoint: Some(url.to_owned()), ..Sns::default() };
        assert!(open(&Sns::default()).expect("nothing").is_none());
        assert!(open(&keys()).expect("keys").is_some());
        assert!(open(&endpoint("http://127.0.0.1:1")).expect("an endpoint").is_some());
        assert!(matches!(open(&endpoint("here")), Err(Error::Endpoint(_))));
        assert!(matches!(open(&Sns { secret: None, ..keys() }), Err(Error::Keys)));
        assert!(!format!("{:?}", keys()).contains("secret"));
    }
}
