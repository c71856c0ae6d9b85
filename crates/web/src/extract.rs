//! Takes requests apart, and says in our own form what is wrong with them.

use api::Code;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use base::Caller;
use bytes::Bytes;
use runtime::Page;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::gate::header;
use crate::refusal::Refused;

/// Who asks, as the gate found out.
pub(crate) struct Who(pub Caller);

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who, Refused> {
        let caller = parts.extensions.get::<Caller>().cloned();
        // A route that nobody guards tells nobody anything.
        caller.map(Who).ok_or_else(|| api::Error::new(Code::Unauthenticated, "nobody said who asks").into())
    }
}

/// The one part of a path that varies: an ARN or a name.
pub(crate) struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name, Refused> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Name(text)).map_err(|error| malformed(error.body_text()))
    }
}

/// The two parts of a path that vary.
pub(crate) struct Names(pub (String, String));

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Names, Refused> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        path.map(|Path(texts)| Names(texts)).map_err(|error| malformed(error.body_text()))
    }
}

/// The query.
pub(crate) struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Refused> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Asked(asked)).map_err(|error| malformed(error.body_text()))
    }
}

/// A body of JSON. Must say so: what a browser sends for any page without asking says something else.
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Refused> {
        let media = header(request.headers(), "content-type").unwrap_or("").split(';').next().unwrap_or("").trim();
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(malformed("the Content-Type is not application/json".to_owned()));
        }
        let body = Bytes::from_request(request, state).await.map_err(|error| malformed(error.body_text()))?;
        serde_json::from_slice(&body).map(Body).map_err(|error| malformed(error.to_string()))
    }
}

fn malformed(why: String) -> Refused {
    api::Error::new(Code::Malformed, why).into()
}

/// Which page of a list is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Paging {
    limit: Option<u32>,
    token: Option<String>,
}

impl Paging {
    pub(crate) fn new(limit: Option<u32>, token: Option<String>) -> Paging {
        Paging { limit, token }
    }

    pub(crate) fn page(self) -> Page {
        Page { limit: self.limit.unwrap_or(api::PAGE_DEFAULT).clamp(1, api::PAGE_MAX), token: self.token }
    }
}
