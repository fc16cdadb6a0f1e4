//! What is told of every request, to the log and to figures: route, status, time. Never an address, a name, a token or a body.

use assay_core::ids::Secret128;
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::Instrument;

use crate::{App, shed::Class};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What ties the lines of one request together; it stands on error pages too.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The proxy's, if there is one and it is short and plain; else a new one.
    fn of(app: &App, request: &Request) -> Self {
        let theirs = request.headers().get(REQUEST_ID).filter(|_| app.settings.behind_proxy).and_then(|id| id.to_str().ok());
        let plain = |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        theirs.filter(plain).map_or_else(|| Self(Secret128::random(&*app.chance).as_str()[..10].to_owned()), |id| Self(id.to_owned()))
    }
}

/// The route's pattern: paths hold sign-in tokens and badge ids.
fn route(request: &Request) -> String {
    request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned())
}

/// Anybody may make up a method.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "another",
    }
}

/// The layer.
pub(crate) async fn tell(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (id, route, method) = (RequestId::of(&app, &request), route(&request), known(request.method()));
    let class = Class::of(&route).as_str();
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = id.0, method, route);
    let answering = async {
        let began = Instant::now();
        let mut response = next.run(request).await;
        let (took, status) = (began.elapsed(), response.status());
        metrics::counter!("assay_requests_total", "class" => class, "status" => status.as_u16().to_string()).increment(1);
        metrics::histogram!("assay_request_seconds", "class" => class).record(took);
        tracing::info!(status = status.as_u16(), ms = took.as_secs_f64() * 1000.0, "answered");
        if let Ok(id) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    };
    answering.instrument(span).await
}
