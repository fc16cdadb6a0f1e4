//! Sessions: a random token in a cookie, its hash in the database.
//!
//! tower-sessions was looked at: it hands its store the raw id and an opaque blob, while a session here is one row that names a
//! person, is found by a hash, and goes when the person is erased; the adapter was longer than this file.

use assay_core::ids::Secret128;
use assay_store::{
    commands::TokenHash,
    queries::{Person, WhoIs},
};
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use sha2::{Digest, Sha256};

use crate::{App, error::Fault};

/// How long a session lives: longer than any sensible attempt, so that none dies inside one.
pub(crate) const SESSION_SECONDS: i64 = 30 * 86_400;

/// What the database keeps instead of a token.
pub(crate) fn token_hash(token: &Secret128) -> TokenHash {
    Sha256::digest(token.as_str()).into()
}

fn cookie_name(app: &App) -> &'static str {
    // `__Host-` needs https; on loopback over http browsers would drop the cookie.
    if app.settings.base_url.starts_with("https://") { "__Host-assay" } else { "assay" }
}

/// The header that sets the session's cookie, or takes it away.
pub(crate) fn session_cookie(app: &App, token: Option<&Secret128>) -> HeaderValue {
    let secure = if app.settings.base_url.starts_with("https://") { "; Secure" } else { "" };
    let (value, age) = token.map_or(("", 0), |t| (t.as_str(), SESSION_SECONDS));
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", cookie_name(app));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The session's token, if the request carries one.
pub(crate) fn token(app: &App, headers: &HeaderMap) -> Option<Secret128> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut pairs = cookies.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie_name(app)).and_then(|(_, value)| Secret128::parse(value))
}

/// Whoever asks: signed in or not.
pub(crate) struct Visitor(pub(crate) Option<Person>);

impl FromRequestParts<App> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let Some(token) = token(app, &parts.headers) else { return Ok(Self(None)) };
        Ok(Self(app.store.read(WhoIs { issuer: app.issuer_id, token_hash: token_hash(&token), at: app.now() }).await?))
    }
}

/// Somebody who is signed in; others are asked to, and come back.
pub(crate) struct SignedIn(pub(crate) Person);

impl SignedIn {
    /// As a visitor, for the frame.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor(Some(self.0.clone()))
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let visitor = <Visitor as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        visitor.0.map(Self).ok_or_else(|| {
            let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |u| &u.0);
            let next = if parts.method == axum::http::Method::GET { uri.path() } else { "/me" };
            Fault::new(
                StatusCode::UNAUTHORIZED,
                "Sign in first",
                "This page is yours alone, so it needs to know who you are. You come back here afterwards.",
            )
            .way_out(format!("/sign-in?next={next}"), "Sign in")
        })
    }
}

impl OptionalFromRequestParts<App> for SignedIn {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Fault> {
        let visitor = <Visitor as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(visitor.0.map(Self))
    }
}
