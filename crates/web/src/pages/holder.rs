//! `/me/badges/{b}`: look at it, correct the name once, choose who may see it; then download and share.

use askama::Template;
use assay_core::{
    badge::{Assurance, Level, Visibility, clean_name},
    ids::{JobId, Secret128},
    programme::{Programme, Rules},
};
use assay_store::{
    commands::{BadgeSet, SetBadge},
    queries::{Badge, BadgeById},
};
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::SignedIn,
};

/// What is known of the conditions under these rules.
pub(crate) fn assurance(p: &Programme, rules: &Rules, demonstration: bool) -> Assurance {
    Assurance {
        level: if p.questions_public { Level::Practice } else { Level::SelfTaken },
        demonstration,
        pass_mark: (rules.pass_mark, rules.questions),
        open_book: rules.open_book,
        time_limit_seconds: rules.time_limit_seconds,
    }
}

#[derive(Template)]
#[template(path = "holder.html")]
struct HolderPage {
    frame: Frame,
    id: String,
    title: String,
    name: String,
    name_corrected: bool,
    visibility: Visibility,
    show_score: bool,
    score: String,
    ready: bool,
    revoked: bool,
    public_url: String,
    linkedin: String,
    handle: Option<String>,
    saved: bool,
    error: Option<String>,
}

async fn own(app: &App, who: &SignedIn, id: &str) -> Result<(Badge, Secret128), Fault> {
    let badge_id = Secret128::parse(id).ok_or_else(Fault::not_found)?;
    let badge = app.store.read(BadgeById { issuer: app.issuer_id, badge_id: badge_id.clone() }).await?;
    let badge = badge.filter(|b| b.person == who.0.learner.person && b.withdrawn_at.is_none()).ok_or_else(Fault::not_found)?;
    Ok((badge, badge_id))
}

/// LinkedIn's add-to-profile address: fields of its public form.
fn linkedin(app: &App, badge: &Badge, title: &str, url: &str) -> String {
    let (year, month) = badge.awarded_at.year_month();
    let e = |text: &str| escape(text);
    format!(
        "https://www.linkedin.com/profile/add?startTask=CERTIFICATION_NAME&name={}&organizationName={}&issueYear={year}&issueMonth={month}&certUrl={}&certId={}",
        e(title),
        e(&app.settings.issuer_name),
        e(url),
        badge.badge_id
    )
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
fn escape(text: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

async fn show(
    app: &App,
    who: &SignedIn,
    badge: &Badge,
    typed: Option<String>,
    error: Option<String>,
    saved: bool,
) -> Result<Response, Fault> {
    let p = app.programme_version(&badge.programme, &badge.programme_version).await?;
    let public_url = format!("{}/b/{}", app.settings.base_url, badge.badge_id);
    let title = p.badge.title.clone();
    let prefix = if error.is_some() { "Error: " } else { "" };
    page(&HolderPage {
        frame: Frame::new(app, &who.visitor(), format!("{prefix}My badge - {title}")).of(&p).scripted(),
        id: badge.badge_id.to_string(),
        name: typed.unwrap_or_else(|| badge.holder_name.clone().unwrap_or_default()),
        name_corrected: badge.name_corrected,
        visibility: badge.visibility,
        show_score: badge.show_score,
        score: badge.outcome.as_ref().map_or_else(String::new, |o| format!("{} of {}", o.right, o.of)),
        ready: badge.signed_revision == Some(badge.revision),
        revoked: badge.revoked_at.is_some(),
        linkedin: linkedin(app, badge, &title, &public_url),
        public_url,
        title,
        handle: who.0.handle.clone(),
        saved,
        error,
    })
}

/// Whether the page was reached after saving.
#[derive(Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    saved: String,
}

/// `GET /me/badges/{badge}`.
pub(crate) async fn holder(
    State(app): State<App>,
    Path(id): Path<String>,
    axum::extract::Query(after): axum::extract::Query<After>,
    who: SignedIn,
) -> Result<Response, Fault> {
    let (badge, _) = own(&app, &who, &id).await?;
    show(&app, &who, &badge, None, None, after.saved == "yes").await
}

/// What the holder may change.
#[derive(Deserialize)]
pub(crate) struct Choices {
    #[serde(default)]
    name: Option<String>,
    visibility: String,
    #[serde(default)]
    show_score: String,
}

/// `POST` of the same address.
pub(crate) async fn set(
    State(app): State<App>,
    Path(id): Path<String>,
    who: SignedIn,
    Form(form): Form<Choices>,
) -> Result<Response, Fault> {
    let (badge, badge_id) = own(&app, &who, &id).await?;
    let visibility = Visibility::parse(&form.visibility).ok_or_else(|| Fault::bad("Choose who may see the badge."))?;
    let unprocessable = |mut response: Response| {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        response
    };
    let name = match form.name.as_deref().map(clean_name).transpose() {
        Ok(name) => name,
        Err(bad) => return show(&app, &who, &badge, form.name, Some(bad.to_string()), false).await.map(unprocessable),
    };
    let command = SetBadge {
        learner: who.0.learner,
        badge_id,
        name,
        visibility,
        show_score: form.show_score == "yes",
        job: JobId::random(&*app.chance),
        at: app.now(),
    };
    match app.store.run(command).await?.ok_or_else(Fault::not_found)? {
        BadgeSet::Done => {
            app.bell.ring();
            Ok(Redirect::to(&format!("/me/badges/{id}?saved=yes")).into_response())
        }
        BadgeSet::NameCorrectedBefore => {
            let words = "The name was corrected once already, so it stays as it is. Ask the issuer if it is still wrong.";
            show(&app, &who, &badge, None, Some(words.into()), false).await.map(unprocessable)
        }
    }
}
