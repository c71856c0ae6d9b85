//! What a person finds who opens the server's address in a browser. The console will be here.

use axum::extract::{Request, State as Extracted};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Response};

use crate::State;
use crate::aws_door;
use crate::gate::header;

pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// AWS's query protocol comes to the same place.
pub(crate) async fn home(state: Extracted<State>, request: Request) -> Response {
    let asks_aws = request.uri().query().is_some()
        || ["authorization", "x-amz-target"].iter().any(|name| request.headers().contains_key(*name));
    match asks_aws {
        true => aws_door::handle(state, request).await,
        false => Html(text(speaks_japanese(request.headers()))).into_response(),
    }
}

/// Whether Japanese comes before English in what the browser would like.
fn speaks_japanese(headers: &HeaderMap) -> bool {
    let languages = header(headers, "accept-language").unwrap_or("").split(',').map(str::trim);
    let known = |tag: &str| {
        ["ja", "en"].into_iter().find(|language| tag.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(language)))
    };
    languages.filter_map(known).next() == Some("ja")
}

fn text(japanese: bool) -> String {
    let (lang, lead, rows) = if japanese { ("ja", LEAD_JA, ROWS_JA) } else { ("en", LEAD_EN, ROWS_EN) };
    let rows: String = rows.iter().map(|(what, how)| format!("<dt>{what}</dt><dd><code>{how}</code></dd>")).collect();
    format!(
        "<!doctype html><html lang=\"{lang}\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Dandori</title>\
         <style>body{{font:1rem/1.6 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}}dd{{margin:0 0 .8rem}}\
         code{{font-size:.95rem}}:root{{color-scheme:light dark}}</style>\
         <h1>Dandori {}</h1><p>{lead}</p><dl>{rows}</dl></html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

const LEAD_EN: &str =
    "A job management system whose jobs are state machines in the Amazon States Language. This server is running.";
const LEAD_JA: &str =
    "Amazon States Language のステートマシンでジョブを動かすジョブ管理システムです。このサーバーは稼働中です。";

const ROWS_EN: &[(&str, &str)] = &[
    ("What runs", "dandori execution list"),
    ("Follow the latest", "dandori execution watch @last"),
    ("Put a definition", "dandori definition put FILE --name NAME"),
    ("With AWS's tools", "aws stepfunctions list-state-machines --endpoint-url http://this-address"),
    ("For programs", "/api/v1/executions, /api/v1/definitions, /api/v1/instances"),
    ("Is it alive", "/healthz"),
];

const ROWS_JA: &[(&str, &str)] = &[
    ("実行の一覧", "dandori execution list"),
    ("最新の実行を監視", "dandori execution watch @last"),
    ("定義の登録", "dandori definition put ファイル --name 定義名"),
    ("AWS のツールから", "aws stepfunctions list-state-machines --endpoint-url http://このアドレス"),
    ("プログラムから", "/api/v1/executions, /api/v1/definitions, /api/v1/instances"),
    ("稼働確認", "/healthz"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_is_known_is_spoken() {
        let check = |text: &'static str| {
            speaks_japanese(&HeaderMap::from_iter([(
                "accept-language".parse().expect("a name"),
                text.parse().expect("a value"),
            )]))
        };
        assert!(check("ja,en-US;q=0.7,en;q=0.3"));
        assert!(check("de, ja-JP;q=0.9, en"));
        assert!(!check("en-GB,ja"));
        assert!(!speaks_japanese(&HeaderMap::new()));
    }

    #[test]
    fn both_pages_say_the_same() {
        assert_eq!(ROWS_EN.len(), ROWS_JA.len());
        assert!(text(true).contains("lang=\"ja\"") && text(false).contains("lang=\"en\""));
    }
}
