//! What stands around every handler: security headers, error pages, ids for the log.

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use assay_store::queries::WhoIs;
use tokio::time::Instant;
use tower_http::timeout::DeadlineBody;

use crate::{
    App,
    error::Fault,
    frame::Frame,
    session::{Visitor, token, token_hash},
    told::RequestId,
};

/// No inline anything, nothing from elsewhere.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer. `no-referrer` would make browsers send `Origin: null` with forms, so `same-origin`.
pub(crate) async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if app.settings.base_url.starts_with("https://") {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    let all = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in all {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // What a person sees is theirs and changes; only what says so itself is kept by caches.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    frame: Frame,
    title: String,
    words: String,
    way_out: Option<(String, String)>,
    id: String,
}

/// Turns refusals and faults into pages with a sentence and an id; or into JSON where JSON was asked for.
pub(crate) async fn faults(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let wants_json = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("application/json"))
        || request.headers().get(header::CONTENT_TYPE).is_some_and(|v| v == "application/json");
    let session = token(&app, request.headers());
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let known = response.extensions_mut().remove::<Fault>();
    if known.is_none() && !is_plain(&response) {
        return response;
    }
    let fault = known.unwrap_or_else(|| unknown(status));
    if let Some(internal) = &fault.internal {
        tracing::error!(internal, "a request failed");
    }
    let mut answer = if wants_json {
        Json(serde_json::json!({ "title": fault.title, "detail": fault.words, "status": status.as_u16(), "id": id })).into_response()
    } else {
        // The page says who is signed in if it can; the database may be what is broken, or has enough to do.
        let person = match session {
            Some(token) if status != StatusCode::SERVICE_UNAVAILABLE => {
                app.store.read(WhoIs { issuer: app.issuer_id, token_hash: token_hash(&token), at: app.now() }).await.unwrap_or_default()
            }
            _ => None,
        };
        let page = FaultPage {
            frame: Frame::new(&app, &Visitor(person), &fault.title),
            title: fault.title,
            words: fault.words,
            way_out: fault.way_out,
            id,
        };
        page.render().map_or_else(|_| Body::from("Something broke on our side.").into_response(), |html| Html(html).into_response())
    };
    *answer.status_mut() = status;
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = response.headers_mut().remove(&name) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// The whole body of a request must be there in time, however steadily it drips.
pub(crate) async fn body_in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let upload = request.extensions().get::<MatchedPath>().is_some_and(|route| route.as_str() == "/verify");
    let time = if upload { app.limits.upload_time } else { app.limits.form_time };
    let began = Instant::now();
    let response = next.run(request.map(|body| Body::new(DeadlineBody::new(time, body)))).await;
    // To whoever was reading the body, it only broke off.
    let broke_off = response.status() == StatusCode::BAD_REQUEST && began.elapsed() >= time;
    if broke_off { unknown(StatusCode::REQUEST_TIMEOUT).into_response() } else { response }
}

/// Answers of the framework itself (a form that cannot be read, a body that is too large) come as plain text or empty.
fn is_plain(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_none_or(|v| v.as_bytes().starts_with(b"text/plain"))
}

fn unknown(status: StatusCode) -> Fault {
    match status {
        StatusCode::NOT_FOUND => Fault::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Fault::new(status, "Not possible here", "This address does not take that kind of request."),
        StatusCode::PAYLOAD_TOO_LARGE => Fault::new(status, "Too large", "That is larger than this page takes. Send less at once."),
        StatusCode::FORBIDDEN => Fault::new(
            status,
            "Refused",
            "This request did not come from a page of this server, so nothing was done. Open the page here and try again.",
        ),
        StatusCode::REQUEST_TIMEOUT => Fault::new(status, "Too slow", "The request did not arrive in time. Try again."),
        s if s.is_server_error() => Fault::internal("a handler broke".to_owned()),
        _ => {
            Fault { status, ..Fault::bad("Part of the request is missing or in the wrong shape. Go back, reload the page and try again.") }
        }
    }
}
