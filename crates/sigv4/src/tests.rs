//! Signatures of AWS's own test suite and of botocore, and what happens to a request that was tampered with.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::*;

const KEY: &str = "AKIDEXAMPLE";
const NOW: Time = Time(1_440_938_160); // 20150830T123600Z

fn secret() -> Secret {
    Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
}

fn lookup(key: &str) -> Option<Secret> {
    (key == KEY).then(secret)
}

/// A request that owns its parts, so that a test can change one.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn new(method: &str, target: &str, host: &str, headers: &[(&str, &str)], body: &str) -> Sent {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut all = vec![("host".to_owned(), host.to_owned())];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Sent { method: method.into(), path: path.into(), query: query.into(), headers: all, body: body.into() }
    }

    fn with<T>(&self, then: impl FnOnce(&Request<'_>, &BodyHash) -> T) -> T {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        then(
            &Request { method: &self.method, path: &self.path, query: &self.query, headers: &headers },
            &BodyHash::of(&self.body),
        )
    }

    fn signed(mut self, service: &str, token: Option<&str>) -> Sent {
        let keys = Keys { access_key: KEY, secret: &secret(), session_token: token };
        let added = self.with(|request, body| sign(request, body, &keys, "us-east-1", service, NOW));
        self.headers.extend(added.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }

    fn header(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(key, _)| key == name);
        &mut found.expect("the request has this header").1
    }

    fn verify(&self, now: Time) -> Result<Verified, Refusal> {
        self.with(|request, body| verify(request, body, lookup, now, 5))
    }
}

fn start() -> Sent {
    let headers = [("x-amz-target", "AWSStepFunctions.StartExecution"), ("content-type", "application/x-amz-json-1.0")];
    let body = r#"{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night"}"#;
    Sent::new("POST", "/", "127.0.0.1:8333", &headers, body)
}

fn check_signature(sent: Sent, service: &str, signed: &str, signature: &str) {
    check_signature_with(sent, service, None, signed, signature);
}

fn check_signature_with(sent: Sent, service: &str, token: Option<&str>, signed: &str, signature: &str) {
    let mut sent = sent.signed(service, token);
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, SignedHeaders={signed}, Signature={signature}"
    );
    assert_eq!(*sent.header("authorization"), expected);
    let verified = sent.verify(NOW).expect("what we sign we accept");
    assert_eq!((&*verified.access_key, &*verified.region, &*verified.service), (KEY, "us-east-1", service));
}

/// AWS's published test suite (`aws-sig-v4-test-suite`).
#[test]
fn signs_as_the_test_suite_of_aws_says() {
    let get = |target: &str, headers: &[(&str, &str)]| Sent::new("GET", target, "example.amazonaws.com", headers, "");
    let post = |headers: &[(&str, &str)], body: &str| Sent::new("POST", "/", "example.amazonaws.com", headers, body);
    let plain = "host;x-amz-date";
    check_signature(
        get("/", &[]),
        "service",
        plain,
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    );
    check_signature(
        post(&[], ""),
        "service",
        plain,
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    );
    check_signature(
        get("/?Param2=value2&Param1=value1", &[]),
        "service",
        plain,
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    );
    check_signature(
        get("/?Param1=value1", &[]),
        "service",
        plain,
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    );
    check_signature(
        get("/ሴ", &[]),
        "service",
        plain,
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    );
    check_signature(
        get("/example space/", &[]),
        "service",
        plain,
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    );
    check_signature(
        get("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", &[]),
        "service",
        plain,
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    );
    check_signature(
        get("/", &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")]),
        "service",
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    );
    check_signature(
        post(&[("Content-Type", "application/x-www-form-urlencoded")], "Param1=value1"),
        "service",
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    );
}

/// Made with botocore 1.43.11 (`SigV4Auth.add_auth` at a fixed time).
#[test]
fn signs_as_botocore_does() {
    let local = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        Sent::new(method, target, "127.0.0.1:8333", headers, body)
    };
    check_signature(
        start(),
        "states",
        "content-type;host;x-amz-date;x-amz-target",
        "3a4b6c8f1384421a31cc2a77b4fc15513f7d3c3ad38ce46ab10fe422c6550c65",
    );
    check_signature_with(
        local(
            "POST",
            "/",
            &[("X-Amz-Target", "AmazonSSM.ListCommands"), ("Content-Type", "application/x-amz-json-1.1")],
            "{}",
        ),
        "ssm",
        Some("FwoGZXIvYXdzEXAMPLETOKEN//=="),
        "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
        "ff4de8dfc2f95f90e42644904be474515ad20b2b133524955edc7e70c8fe0d64",
    );
    check_signature(
        local("GET", "/schedules/night%20net/%E6%97%A5?groupName=a%2Fb&x=&NextToken=%2B%3D%20y", &[], ""),
        "scheduler",
        "host;x-amz-date",
        "611f3e36ad92ba3891a6a2d2b3e5a43ad5fcc1316a11c3dd7ec4d6e88897c52f",
    );
    check_signature(
        local("GET", "/a/./b/../c//d/", &[], ""),
        "scheduler",
        "host;x-amz-date",
        "258868621e19fc95882823960775cc988e6debef8ced9d91040687284c095b05",
    );
}

fn check_refusal(change: impl FnOnce(&mut Sent), expect: Expect) {
    expect.assert_eq(&told(change));
}

/// What a signed request that was changed since is told.
fn told(change: impl FnOnce(&mut Sent)) -> String {
    let mut sent = start().signed("states", None);
    change(&mut sent);
    match sent.verify(NOW) {
        Ok(verified) => format!("{verified:?}"),
        Err(refusal) => format!("{}: {refusal}", refusal.code()),
    }
}

#[test]
fn a_changed_request_is_refused() {
    let changes: [fn(&mut Sent); 11] = [
        |sent| sent.body.push(b' '),
        |sent| sent.method = "PUT".into(),
        |sent| sent.path = "/x".into(),
        |sent| sent.query = "x=1".into(),
        |sent| *sent.header("x-amz-target") = "AWSStepFunctions.DeleteStateMachine".into(),
        |sent| *sent.header("host") = "127.0.0.2:8333".into(),
        |sent| replace(sent, "us-east-1", "eu-west-1"),
        |sent| replace(sent, "/states/", "/ssm/"),
        |sent| replace(sent, "content-type;host", "host;content-type"),
        |sent| replace(sent, "Signature=3a4b", "Signature=3A4B"),
        |sent| replace(sent, "Signature=3a4b", "Signature="),
    ];
    for change in changes {
        let text = told(change);
        assert!(text.starts_with("InvalidSignatureException: The request signature we calculated does not match the signature you provided."), "{text}");
    }
}

fn replace(sent: &mut Sent, from: &str, to: &str) {
    let header = sent.header("authorization");
    assert!(header.contains(from));
    *header = header.replace(from, to);
}

#[test]
fn an_unknown_key_is_not_told_from_a_wrong_signature_under_it() {
    for key in ["AKIDNOBODY", ""] {
        check_refusal(
            |sent| replace(sent, KEY, key),
            expect!["UnrecognizedClientException: The security token included in the request is invalid."],
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    check_refusal(
        |sent| drop(sent.headers.pop()),
        expect!["MissingAuthenticationTokenException: Missing Authentication Token"],
    );
    check_refusal(
        |sent| *sent.header("authorization") = "AWS4-HMAC-SHA256".into(),
        expect![
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256"
        ],
    );
    check_refusal(
        |sent| sent.headers.retain(|(name, _)| name != "x-amz-date"),
        expect![
            "IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/states/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target"
        ],
    );
    check_refusal(
        |sent| *sent.header("authorization") = "Bearer abc".into(),
        expect!["IncompleteSignatureException: Unsupported AWS 'algorithm': 'Bearer'."],
    );
    check_refusal(
        |sent| replace(sent, "/aws4_request", "/aws5_request"),
        expect![
            "InvalidSignatureException: Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."
        ],
    );
    check_refusal(
        |sent| replace(sent, "/states/aws4_request", ""),
        expect![
            "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20150830/us-east-1'."
        ],
    );
    check_refusal(
        |sent| *sent.header("x-amz-date") = "today".into(),
        expect![
            "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got 'today'. See http://en.wikipedia.org/wiki/ISO_8601"
        ],
    );
}

#[test]
fn what_carries_meaning_must_be_signed() {
    check_refusal(
        |sent| replace(sent, ";host", ""),
        expect!["InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."],
    );
    check_refusal(
        |sent| replace(sent, ";x-amz-target", ""),
        expect!["InvalidSignatureException: 'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."],
    );
    check_refusal(
        |sent| replace(sent, ";x-amz-date", ""),
        expect!["InvalidSignatureException: 'x-amz-date' must be a 'SignedHeader' in the AWS Authorization."],
    );
    check_refusal(
        |sent| sent.headers.push(("X-Amz-Target".into(), "AWSStepFunctions.DeleteStateMachine".into())),
        expect!["InvalidSignatureException: The header 'x-amz-target' must not be repeated."],
    );
}

#[test]
fn only_whole_requests_are_taken() {
    check_refusal(
        |sent| sent.query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00".into(),
        expect!["InvalidSignatureException: Presigned requests are not supported: sign in the 'Authorization' header."],
    );
    for hash in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        check_refusal(
            |sent| sent.headers.push(("x-amz-content-sha256".into(), hash.into())),
            expect![
                "InvalidSignatureException: The provided 'x-amz-content-sha256' header does not match what was computed."
            ],
        );
    }
}

#[test]
fn time_may_be_off_by_so_much() {
    let sent = start().signed("states", None);
    let told = |minutes: i64, seconds: i64| {
        sent.verify(Time(NOW.0 + minutes * 60 + seconds)).map_err(|refusal| refusal.to_string()).err()
    };
    assert_eq!((told(5, 0), told(-5, 0)), (None, None));
    expect!["Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"]
        .assert_eq(&told(5, 1).unwrap_or_default());
    expect![
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"
    ]
    .assert_eq(&told(-5, -1).unwrap_or_default());
    check_refusal(
        |sent| replace(sent, "/20150830/", "/20150829/"),
        expect![
            "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'."
        ],
    );
}

#[test]
fn a_secret_does_not_show() {
    assert_eq!(format!("{:?}", secret()), "Secret(..)");
}

prop_compose! {
    fn any_request()(
        method in "[A-Z]{1,7}",
        path in "(/[!-~&&[^?#]]{0,8}){1,4}",
        query in "([a-wA-W][a-z0-9_.~%-]{0,5}=[!-~&&[^&=#]]{0,8}(&|)){0,3}",
        extra in "[ -~]{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) -> Sent {
        Sent { method, path, query, headers: vec![("host".into(), "h".into()), ("x-extra".into(), extra)], body }
    }
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted(sent in any_request()) {
        prop_assert!(sent.signed("states", Some("token")).verify(NOW).is_ok());
    }

    /// Wherever a byte of the request changes, the signature no longer holds. (A header's blanks may be folded and
    /// letters' cases of its name may change on the way, so neither counts.)
    #[test]
    fn a_changed_byte_is_refused(sent in any_request(), part in 0..4_usize, at in any::<prop::sample::Index>(), to in b'!'..=b'~') {
        let signed = sent.signed("states", None);
        let mut changed = signed.clone();
        let changed_header = changed.headers.len();
        let place = match part {
            0 => &mut changed.method,
            1 => &mut changed.path,
            2 => &mut changed.headers[at.index(changed_header)].1,
            _ => {
                if let Some(byte) = (!changed.body.is_empty()).then(|| at.get_mut(&mut changed.body)) {
                    *byte ^= to & 0x1f | 1;
                    prop_assert!(changed.verify(NOW).is_err());
                }
                return Ok(());
            }
        };
        let mut bytes = place.clone().into_bytes();
        prop_assume!(!bytes.is_empty() && bytes.iter().all(u8::is_ascii));
        let index = at.index(bytes.len());
        prop_assume!(bytes[index] != to && bytes[index] != b' ' && !(part == 1 && (to == b'/' || to == b'.' || bytes[index] == b'/' || bytes[index] == b'.')));
        bytes[index] = to;
        *place = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert!(changed.verify(NOW).is_err(), "{changed:?}");
    }

    #[test]
    fn nothing_that_is_sent_makes_it_panic(authorization in "(AWS4-HMAC-SHA256 )?\\PC{0,120}", date in "\\PC{0,20}", query in "\\PC{0,30}") {
        let mut sent = start();
        sent.query = query;
        sent.headers.push(("authorization".into(), authorization));
        sent.headers.push(("x-amz-date".into(), date));
        prop_assert!(sent.verify(NOW).is_err());
    }
}
