//! One keep-alive connection that speaks just enough HTTP/1.1 for the AWS protocol.
//!
//! It shares the processors with the server that is measured, so it does as little as it can: no pool, no
//! redirects, no chunks, and one buffer each way.

use std::net::SocketAddr;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Fault;

/// Any credentials do on this host; these say for which account and region.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/states/aws4_request, \
                             SignedHeaders=host;x-amz-date, Signature=00";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateStateMachine,
    StartExecution,
    DescribeExecution,
    GetExecutionHistory,
    ListStateMachines,
    StartSyncExecution,
    CreateActivity,
    GetActivityTask,
    SendTaskSuccess,
    ListMapRuns,
    DescribeMapRun,
    /// A route of the product's own.
    Get,
}

/// What `StartExecution` answers, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Started {
    #[serde(rename = "executionArn")]
    pub(crate) arn: String,
}

/// What `DescribeExecution` answers, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Described {
    pub(crate) status: Status,
    #[serde(rename = "startDate")]
    pub(crate) start: f64,
    #[serde(rename = "stopDate")]
    pub(crate) stop: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    PendingRedrive,
}

pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Client, Fault> {
        let talk = |source| Fault::Talk { address, source };
        let stream = TcpStream::connect(address).await.map_err(talk)?;
        stream.set_nodelay(true).map_err(talk)?;
        Ok(Client { address, stream, request: Vec::new(), response: Vec::new() })
    }

    pub(crate) async fn start(&mut self, body: &str) -> Result<Started, Fault> {
        self.ask(Operation::StartExecution, body).await
    }

    pub(crate) async fn describe(&mut self, execution: &str) -> Result<Described, Fault> {
        self.ask(Operation::DescribeExecution, &of_execution(execution)).await
    }

    /// Sends `body` and reads what it is answered.
    pub(crate) async fn ask<A: serde::de::DeserializeOwned>(
        &mut self,
        operation: Operation,
        body: &str,
    ) -> Result<A, Fault> {
        let answer = self.call(operation, body).await?;
        serde_json::from_slice(answer).map_err(|source| Fault::Answer { operation, source })
    }

    /// What a route of the product's own answers.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Got, Fault> {
        let address = self.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {AUTHORIZATION}\r\n\r\n");
        self.request.clear();
        self.request.extend_from_slice(request.as_bytes());
        let head = self.exchange(Operation::Get).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Got { head: text(&self.response[..head.end]), body: self.response[head.end..].to_vec() })
    }

    pub(crate) async fn get_json<A: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<A, Fault> {
        let got = self.get(path).await?;
        serde_json::from_slice(&got.body).map_err(|source| Fault::Answer { operation: Operation::Get, source })
    }

    async fn call(&mut self, operation: Operation, body: &str) -> Result<&[u8], Fault> {
        let (address, length) = (self.address, body.len());
        self.request.clear();
        self.request.extend_from_slice(
            format!(
                "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.0\r\n\
                 X-Amz-Target: AWSStepFunctions.{operation:?}\r\nX-Amz-Date: 20260101T000000Z\r\n\
                 Authorization: {AUTHORIZATION}\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        );
        let head = self.exchange(operation).await?;
        Ok(&self.response[head.end..])
    }

    /// Sends the request and reads the whole response, which must be a good one.
    async fn exchange(&mut self, operation: Operation) -> Result<Head, Fault> {
        let address = self.address;
        let talk = |source| Fault::Talk { address, source };
        self.stream.write_all(&self.request).await.map_err(talk)?;
        self.response.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.response).await.map_err(talk)? == 0 {
                return Err(Fault::HungUp { operation });
            }
            if let Some(head) = Head::read(&self.response) {
                break head.ok_or(Fault::NotHttp { operation })?;
            }
        };
        while self.response.len() < head.end + head.length {
            if self.stream.read_buf(&mut self.response).await.map_err(talk)? == 0 {
                return Err(Fault::HungUp { operation });
            }
        }
        let body = &self.response[head.end..];
        match head.status {
            200 => Ok(head),
            status => Err(Fault::Refused { operation, status, body: String::from_utf8_lossy(body).into_owned() }),
        }
    }
}

/// What a route answered.
pub(crate) struct Got {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

pub(crate) fn of_execution(arn: &str) -> String {
    format!(r#"{{"executionArn":"{arn}"}}"#)
}

struct Head {
    status: u16,
    end: usize,
    length: usize,
}

impl Head {
    /// `None`: not all of it has come; `Some(None)`: it is not what this client understands.
    fn read(bytes: &[u8]) -> Option<Option<Head>> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        Some(std::str::from_utf8(&bytes[..end]).ok().and_then(|text| Head::parse(text, end)))
    }

    fn parse(text: &str, end: usize) -> Option<Head> {
        let mut lines = text.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
        Some(Head { status, end, length: length.1.trim().parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{";
        assert!(Head::read(&text[..20]).is_none());
        let head = Head::read(text).flatten().expect("it is whole");
        assert_eq!((head.status, head.end, head.length), (200, text.len() - 1, 12));
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n\r\n").is_some_and(|head| head.is_none()));
    }
}
