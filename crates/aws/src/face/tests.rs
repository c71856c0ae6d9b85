use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const SCOPE: &str =
    "AWS4-HMAC-SHA256 Credential=111111111111/20150830/eu-west-1/states/aws4_request, SignedHeaders=host, Signature=00";
const NOW: Timestamp = Timestamp(1_440_938_160_000); // 20150830T123600Z

fn request<'a>(headers: &[(&'a str, &'a str)], body: &'static str) -> Request<'a> {
    Request {
        method: "POST",
        path: "/",
        query: "",
        headers: headers.to_vec(),
        body: Bytes::from(body),
        peer_is_loopback: true,
    }
}

fn told(error: Error) -> String {
    crate::tests::told(error)
}

fn check_route(request: &Request<'_>, expect: Expect) {
    let text = match route(request) {
        Ok(Route::Json(service, operation)) => format!("{} {operation}", service.name),
        Ok(Route::Sts(action)) => format!("sts {action}"),
        Err(error) => told(error),
    };
    expect.assert_eq(&text);
}

#[test]
fn the_scope_says_which_service_is_meant_then_the_target_then_the_action() {
    let json = ("Content-Type", "application/x-amz-json-1.0; charset=utf-8");
    let start = ("X-Amz-Target", "AWSStepFunctions.StartExecution");
    check_route(&request(&[json, start], "{}"), expect!["states StartExecution"]);
    check_route(&request(&[json, ("x-amz-target", "AmazonSSM.SendCommand")], "{}"), expect!["ssm SendCommand"]);
    check_route(&request(&[json, start, ("Authorization", SCOPE)], "{}"), expect!["states StartExecution"]);
    check_route(
        &request(&[json, ("X-Amz-Target", "AmazonSSM.SendCommand"), ("Authorization", SCOPE)], "{}"),
        expect!["400 UnknownOperationException: The operation AmazonSSM.SendCommand is not known"],
    );
    check_route(&request(&[], "Action=GetCallerIdentity&Version=2011-06-15"), expect!["sts GetCallerIdentity"]);
    check_route(
        &request(&[json, ("X-Amz-Target", "AWSEvents.PutEvents")], "{}"),
        expect!["400 UnknownOperationException: The operation AWSEvents.PutEvents is not known"],
    );
    check_route(
        &request(&[("Authorization", &SCOPE.replace("/states/", "/sts/"))], "Action=GetCallerIdentity"),
        expect!["sts GetCallerIdentity"],
    );
    check_route(
        &request(&[json, start, ("Authorization", &SCOPE.replace("/states/", "/events/"))], "{}"),
        expect!["400 UnknownOperationException: The service events is not available in this version of Dandori"],
    );
    check_route(
        &request(&[start], "{}"),
        expect!["404 UnknownOperationException: The request has no X-Amz-Target and Content-Type of an operation"],
    );
    check_route(
        &request(&[json], "{}"),
        expect!["404 UnknownOperationException: The request has no X-Amz-Target and Content-Type of an operation"],
    );
    check_route(
        &Request { method: "GET", ..request(&[json, start], "{}") },
        expect!["404 UnknownOperationException: The request has no X-Amz-Target and Content-Type of an operation"],
    );
}

fn check_who(config: &Config, request: &Request<'_>, expect: Expect) {
    let text = who(config, request).map_or_else(told, |caller| format!("{} {}", caller.account, caller.region));
    expect.assert_eq(&text);
}

#[test]
fn on_this_host_anybody_is_who_they_say() {
    let open = Config::open(|| NOW);
    let scope = |key: &str, region: &str| SCOPE.replace("111111111111", key).replace("eu-west-1", region);
    check_who(&open, &request(&[], ""), expect!["000000000000 us-east-1"]);
    check_who(&open, &request(&[("authorization", SCOPE)], ""), expect!["111111111111 eu-west-1"]);
    check_who(
        &open,
        &request(&[("authorization", &scope("AKIDEXAMPLE", "us-east-1"))], ""),
        expect!["000000000000 us-east-1"],
    );
    check_who(
        &open,
        &request(&[("authorization", &scope("AKIDEXAMPLE", "us:*"))], ""),
        expect!["400 InvalidSignatureException: Credential should be scoped to a valid region, not 'us:*'. "],
    );
    check_who(
        &open,
        &Request { peer_is_loopback: false, ..request(&[("authorization", SCOPE)], "") },
        expect!["403 AccessDeniedException: This server has no access keys, and so serves its own host only."],
    );
}

fn closed() -> Config {
    let key = Key { secret: sigv4::Secret::new("s3cret"), account: "222222222222".to_owned() };
    Config { keys: HashMap::from([("AKIDEXAMPLE".to_owned(), key)]), ..Config::open(|| NOW) }
}

#[test]
fn with_keys_only_signed_requests_are_believed() {
    let secret = sigv4::Secret::new("s3cret");
    let signed = |access_key: &str, body: &'static str| {
        let headers = [("host", "h"), ("x-amz-target", "AWSStepFunctions.ListStateMachines")];
        let unsigned = sigv4::Request { method: "POST", path: "/", query: "", headers: &headers };
        let keys = sigv4::Keys { access_key, secret: &secret, session_token: None };
        let now = sigv4::Time(NOW.0 / 1000);
        let added = sigv4::sign(&unsigned, &sigv4::BodyHash::of(body.as_bytes()), &keys, "eu-west-1", "states", now);
        (headers, added)
    };
    let check = |access_key: &str, signed_body: &'static str, body: &'static str, expect: Expect| {
        let (headers, added) = signed(access_key, signed_body);
        let mut headers = headers.to_vec();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        check_who(&closed(), &request(&headers, body), expect);
    };
    check("AKIDEXAMPLE", "{}", "{}", expect!["222222222222 eu-west-1"]);
    check(
        "AKIDEXAMPLE",
        "{}",
        "{ }",
        expect![
            "400 InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
        ],
    );
    check(
        "111111111111",
        "{}",
        "{}",
        expect!["400 UnrecognizedClientException: The security token included in the request is invalid."],
    );
    check_who(
        &closed(),
        &request(&[], ""),
        expect!["400 MissingAuthenticationTokenException: Missing Authentication Token"],
    );
    check_who(
        &closed(),
        &request(&[("authorization", SCOPE)], ""),
        expect![
            "400 IncompleteSignatureException: Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256 Credential=111111111111/20150830/eu-west-1/states/aws4_request, SignedHeaders=host"
        ],
    );
}

#[test]
fn a_body_that_cannot_be_read_is_told_why() {
    let check = |body: &[u8], expect: Expect| {
        let text = read(body).map_or_else(told, |members| format!("{members:?}"));
        expect.assert_eq(&text);
    };
    check(br#"{"name":"n\u0041","input":null}"#, expect![[r#"[("name", Text("nA")), ("input", Null)]"#]]);
    check(b"", expect!["400 SerializationException: Request body is missing"]);
    check(b"[]", expect!["400 SerializationException: Unexpected value type in payload"]);
    check(
        b"not json",
        expect![
            "400 SerializationException: Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        ],
    );
    check(br#"{"name":"#, expect!["400 SerializationException: Unexpected end-of-input within/between Object entries"]);
    check(
        b"{\"name\":\"\xff\"}",
        expect!["400 SerializationException: invalid unicode code point at line 1 column 10"],
    );
    check(
        "[".repeat(1000).as_bytes(),
        expect!["400 SerializationException: Document nesting depth (128) exceeds the maximum allowed (127)"],
    );
}

#[test]
fn who_reads_xml_is_told_in_xml_that_its_service_is_not_here() {
    let of = |service: &str, body: &'static str| {
        let scope = SCOPE.replace("/states/", &format!("/{service}/"));
        form_asked(&request(&[("Authorization", &scope)], body))
    };
    assert!(matches!(of("s3", ""), Form::Query));
    assert!(matches!(of("sns", "Action=ListTopics&Version=2010-03-31"), Form::Query));
    assert!(matches!(of("lambda", ""), Form::Json(_)));
}

#[test]
fn errors_are_told_in_the_form_of_the_protocol() {
    let error = Error::new("InvalidSignatureException", "a < b & \"c\"");
    let told = |form: Form| String::from_utf8(form.error(&error, "r-1")).expect("UTF-8");
    expect![[r#"{"__type":"InvalidSignatureException","message":"a < b & \"c\""}"#]]
        .assert_eq(&told(Form::Json("application/x-amz-json-1.0")));
    expect![[r#"
        <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
          <Error>
            <Type>Sender</Type>
            <Code>SignatureDoesNotMatch</Code>
            <Message>a &lt; b &amp; "c"</Message>
          </Error>
          <RequestId>r-1</RequestId>
        </ErrorResponse>
    "#]]
    .assert_eq(&told(Form::Query));
    let identity =
        sts::answer("GetCallerIdentity", &Caller::new("111111111111", "us-east-1"), "r-1").expect("an answer");
    expect![[r#"
        <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
          <GetCallerIdentityResult>
            <Arn>arn:aws:iam::111111111111:root</Arn>
            <UserId>111111111111</UserId>
            <Account>111111111111</Account>
          </GetCallerIdentityResult>
          <ResponseMetadata>
            <RequestId>r-1</RequestId>
          </ResponseMetadata>
        </GetCallerIdentityResponse>
    "#]]
    .assert_eq(&String::from_utf8(identity).expect("UTF-8"));
}

#[test]
fn request_ids_differ() {
    let ids = Ids::default();
    let (first, second) = (ids.next(), ids.next());
    assert_ne!(first, second);
    assert_eq!(first.len(), 36);
}

proptest! {
    #[test]
    fn whatever_comes_there_is_an_answer(
        body in proptest::collection::vec(any::<u8>(), 0..60),
        target in "(AWSStepFunctions|AmazonSSM|\\PC{0,5})\\.?\\PC{0,20}",
        authorization in "(AWS4-HMAC-SHA256 Credential=)?\\PC{0,60}",
    ) {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str()), ("authorization", authorization.as_str())];
        let request = Request { body: Bytes::from(body.clone()), ..request(&headers, "") };
        let _ = (route(&request), who(&Config::open(|| NOW), &request), who(&closed(), &request), read(&body));
    }

    /// Any JSON may come as the input of any operation.
    #[test]
    fn any_json_fits_or_is_refused(values in proptest::collection::vec("(null|true|1|-1\\.5|\"\"|\"[a-z]{1,9}\"|\\[\\]|\\[\"a\"\\]|\\[\\{\\}\\]|\\{\\}|\\{\"a\":\\[1\\]\\})", 24)) {
        for operation in SERVICES.iter().flat_map(|service| service.operations) {
            let members = operation.input.iter().zip(&values).map(|(member, value)| format!("{:?}:{value}", member.name));
            let body = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
            let members = read(body.as_bytes()).expect("JSON");
            let _ = crate::shape::check(operation.input, &members);
        }
    }
}
