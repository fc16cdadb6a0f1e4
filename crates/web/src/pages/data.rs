//! Own data: export what is kept, erase the account.

use askama::Template;
use assay_core::ids::RowId;
use assay_store::{
    commands::{Act, Erase},
    queries::{AttemptsOf, BadgesOf, OwnData},
};
use axum::{
    Form,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::sign_in::address_mac;
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::{SignedIn, Visitor, session_cookie},
};

#[derive(Template)]
#[template(path = "data.html")]
struct DataPage {
    frame: Frame,
    error: bool,
}

#[derive(Template)]
#[template(path = "erased.html")]
struct Erased {
    frame: Frame,
}

/// `GET /me/data`.
pub(crate) async fn data(State(app): State<App>, who: SignedIn) -> Result<Response, Fault> {
    page(&DataPage { frame: Frame::new(&app, &who.visitor(), "My data"), error: false })
}

/// `GET /me/data/export`: own answers and marks, badges with the issuer's key history; no keys of questions.
pub(crate) async fn export(State(app): State<App>, who: SignedIn) -> Result<Response, Fault> {
    let learner = who.0.learner;
    // What was shown a moment ago belongs to it; a database that takes nothing now is read all the same.
    app.settle().await;
    let mut data = app.store.read(OwnData { learner }).await?;
    let attempts = app.store.read(AttemptsOf { learner }).await?;
    let attempt = |a: &assay_store::queries::Attempt| {
        serde_json::json!({
            "id": a.id, "programme": a.programme, "started_at": a.started_at.rfc3339(), "submitted_at": a.submitted_at.map(|at| at.rfc3339()),
            "name_for_badge": a.holder_name, "rules": a.rules,
            "outcome": a.outcome, "next_start_at": a.retake_at.map(|at| at.rfc3339()),
        })
    };
    let badges = app.store.read(BadgesOf { learner }).await?;
    let badge = |b: &assay_store::queries::Badge| {
        let credential = b.document.as_deref().and_then(|d| serde_json::from_str::<serde_json::Value>(d).ok());
        serde_json::json!({ "id": b.badge_id, "programme": b.programme, "name": b.holder_name, "visibility": b.visibility, "awarded_at": b.awarded_at.rfc3339(), "revoked_at": b.revoked_at.map(|at| at.rfc3339()), "revoked_reason": b.revoked_reason, "credential": credential })
    };
    data["attempts"] = attempts.iter().map(attempt).collect();
    data["badges"] = badges.iter().map(badge).collect();
    data["issuer_keys"] = serde_json::to_value(&app.issuer.history).unwrap_or_default();
    let text = serde_json::to_string_pretty(&data).map_err(|e| Fault::internal(e.to_string()))?;
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_DISPOSITION, "attachment; filename=\"my-data.json\"")];
    Ok((kind, text).into_response())
}

/// The confirmation.
#[derive(Deserialize)]
pub(crate) struct Confirmed {
    #[serde(default)]
    confirm: String,
}

/// `POST /me/data/erase`.
pub(crate) async fn erase(State(app): State<App>, who: SignedIn, Form(form): Form<Confirmed>) -> Result<Response, Fault> {
    if form.confirm.trim() != "ERASE" {
        let mut response = page(&DataPage { frame: Frame::new(&app, &who.visitor(), "Error: My data"), error: true })?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    }
    let act = Act { row: RowId::random(&*app.chance), actor: "the person".into(), at: app.now() };
    app.store.run(Erase { learner: who.0.learner, address_mac: address_mac(&app, &who.0.address), act }).await?;
    app.store.fold_log().await;
    app.bell.ring();
    let body = page(&Erased { frame: Frame::new(&app, &Visitor(None), "Erased") })?;
    Ok(([(header::SET_COOKIE, session_cookie(&app, None))], body).into_response())
}
