//! What the issuer publishes for machines: status lists, key history, DID document.

use assay_badge::{StatusList, did_web_document, list_credential};
use assay_store::queries::RevokedIndexes;
use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;

use crate::{App, error::Fault};

/// Seconds a signed list is kept: a revocation shows within this time, and verifiers may cache it as long.
const LIST_SECONDS: i64 = 60;

/// A signed status list as bytes. The first one is there before the first badge.
pub(crate) async fn list_bytes(app: &App, list: i64) -> Result<Vec<u8>, Fault> {
    // A list by this database might call valid what was revoked: better none, which verifiers say.
    app.refuse_held("The list of revoked badges cannot be given until the server's database was reconciled with its journal.")?;
    let revoked = app.store.read(RevokedIndexes { issuer: app.issuer_id, status_list: list }).await?;
    let revoked = revoked.or((list == 1).then(Vec::new)).ok_or_else(Fault::not_found)?;
    // Signed anew when it changes or grows old; the name holds what would change it.
    let name = format!("status/{list}/{}/{}", revoked.len(), revoked.iter().sum::<i64>());
    let (issuer, now) = (std::sync::Arc::clone(&app.issuer), app.now());
    let bytes = app.keep(&name, LIST_SECONDS, move || {
        let internal = |e: &dyn std::fmt::Display| Fault::internal(e.to_string());
        let indexes = revoked.iter().filter_map(|&i| u32::try_from(i).ok());
        let bits = StatusList::from_revoked(indexes).map_err(|e| internal(&e))?;
        let now = Timestamp::from_millisecond(now.0).map_err(|e| internal(&e))?;
        let url = format!("{}/status/{list}", issuer.base_url);
        let unsigned = list_credential(&bits, &url, &issuer.history.issuer, "revocation", now).map_err(|e| internal(&e))?;
        let signed = issuer.sign(&unsigned, now).map_err(|e| internal(&e))?;
        serde_json::to_vec(&signed).map_err(|e| internal(&e))
    });
    Ok(bytes.await?.to_vec())
}

/// `GET /status/{list}`.
pub(crate) async fn status_list(State(app): State<App>, Path(list): Path<i64>) -> Result<Response, Fault> {
    let kind = [
        (header::CONTENT_TYPE, "application/vc+ld+json"),
        (header::CACHE_CONTROL, "public, max-age=60"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((kind, list_bytes(&app, list).await?).into_response())
}

/// `GET /issuer/keys.json`: every key this issuer ever signed with; what `assay verify --trust` reads.
pub(crate) async fn keys(State(app): State<App>) -> Response {
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(&app.issuer.history)).into_response()
}

/// `GET /.well-known/did.json`.
pub(crate) async fn did(State(app): State<App>) -> Result<Response, Fault> {
    if !app.issuer.history.issuer.starts_with("did:web:") {
        return Err(Fault::not_found());
    }
    Ok((
        [(header::CONTENT_TYPE, "application/did+json"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")],
        did_web_document(&app.issuer.history).to_string(),
    )
        .into_response())
}

/// `GET /robots.txt`: badges are found by whoever was given their link.
pub(crate) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /attempts/\nDisallow: /me\nDisallow: /b/\nDisallow: /p/\nDisallow: /sign-in\n"
}
