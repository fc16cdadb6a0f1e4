//! `/me/badges/{b}`: look at it, choose who may see it, download and share; correct the name once, by a form of its own. After a
//! revocation: when and why.

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
    /// As it stands on the badge.
    name: String,
    /// As it stands in the field.
    typed: String,
    name_corrected: bool,
    visibility: Visibility,
    show_score: bool,
    score: String,
    ready: bool,
    revoked_on: Option<String>,
    reason: Option<String>,
    public_url: String,
    linkedin: String,
    handle: Option<String>,
    saved: Option<&'static str>,
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
    saved: Option<&'static str>,
) -> Result<Response, Fault> {
    let p = app.programme_version(&badge.programme, &badge.programme_version).await?;
    let public_url = format!("{}/b/{}", app.settings.base_url, badge.badge_id);
    let title = p.badge.title.clone();
    let prefix = if error.is_some() { "Error: " } else { "" };
    page(&HolderPage {
        frame: Frame::new(app, &who.visitor(), format!("{prefix}My badge - {title}")).of(&p).scripted(),
        id: badge.badge_id.to_string(),
        name: badge.holder_name.clone().unwrap_or_default(),
        typed: typed.or_else(|| badge.holder_name.clone()).unwrap_or_default(),
        name_corrected: badge.name_corrected,
        visibility: badge.visibility,
        show_score: badge.show_score,
        score: badge.outcome.as_ref().map_or_else(String::new, |o| format!("{} of {}", o.right, o.of)),
        ready: badge.signed_revision == Some(badge.revision),
        revoked_on: badge.revoked_at.map(|at| at.day()),
        reason: badge.revoked_reason.clone(),
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
    let saved = match after.saved.as_str() {
        "yes" => Some("Saved."),
        // Until it is signed anew, the page says so in a notice of its own.
        "name" => Some("The name is corrected. Copies of the old badge are not valid any more: load them again."),
        _ => None,
    };
    show(&app, &who, &badge, None, None, saved).await
}

/// Who may see it.
#[derive(Deserialize)]
pub(crate) struct Choices {
    visibility: String,
    #[serde(default)]
    show_score: String,
}

/// `POST` of the same address: who may see it. The name stays as it is.
pub(crate) async fn set(
    State(app): State<App>,
    Path(id): Path<String>,
    who: SignedIn,
    Form(form): Form<Choices>,
) -> Result<Response, Fault> {
    let (_, badge_id) = own(&app, &who, &id).await?;
    let visibility = Visibility::parse(&form.visibility).ok_or_else(|| Fault::bad("Choose who may see the badge."))?;
    let shown = Some((visibility, form.show_score == "yes"));
    let command = SetBadge { learner: who.0.learner, badge_id, name: None, shown, job: JobId::random(&*app.chance), at: app.now() };
    app.store.run(command).await?.ok_or_else(Fault::not_found)?;
    Ok(Redirect::to(&format!("/me/badges/{id}?saved=yes")).into_response())
}

/// The corrected name.
#[derive(Deserialize)]
pub(crate) struct Correction {
    #[serde(default)]
    name: String,
}

/// Corrects the name, or says why not.
async fn correct_name(app: &App, who: &SignedIn, badge: &Badge, typed: &str) -> Result<Result<(), String>, Fault> {
    let name = match clean_name(typed) {
        Ok(name) if badge.holder_name.as_ref() != Some(&name) => name,
        Ok(_) => return Ok(Err("This is the name on the badge already. Nothing was changed.".to_owned())),
        Err(bad) => return Ok(Err(bad.to_string())),
    };
    let (badge_id, job) = (badge.badge_id.clone(), JobId::random(&*app.chance));
    let command = SetBadge { learner: who.0.learner, badge_id, name: Some(name), shown: None, job, at: app.now() };
    let before = "The name stays as it is: it was corrected once already, or the badge was taken back. Ask the issuer if it is wrong.";
    Ok(match app.store.run(command).await?.ok_or_else(Fault::not_found)? {
        BadgeSet::Done => Ok(()),
        BadgeSet::NameCorrectedBefore => Err(before.to_owned()),
    })
}

/// `POST …/name`: corrects the name, once. Who may see the badge stays as it is.
pub(crate) async fn correct(
    State(app): State<App>,
    Path(id): Path<String>,
    who: SignedIn,
    Form(form): Form<Correction>,
) -> Result<Response, Fault> {
    let (badge, _) = own(&app, &who, &id).await?;
    let Err(refused) = correct_name(&app, &who, &badge, &form.name).await? else {
        app.bell.ring();
        return Ok(Redirect::to(&format!("/me/badges/{id}?saved=name")).into_response());
    };
    let mut response = show(&app, &who, &badge, Some(form.name), Some(refused), None).await?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}
