//! `/me`: the next step; the attempt to continue; when a retake opens; badges. And the own page's address.

use askama::Template;
use assay_core::{badge::Visibility, programme::Programme};
use assay_store::{
    commands::SetHandle,
    queries::{Attempt, AttemptsOf, Badge, BadgesOf, LessonsDone, StandingOf},
};
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::plain::Moment;
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::SignedIn,
};

/// One programme on the page.
struct Way<'a> {
    p: &'a Programme,
    open: Option<String>,
    waits_until: Option<Moment>,
    passed: bool,
    lessons_done: usize,
    lessons: usize,
    next_lesson: Option<&'a str>,
}

/// One badge on the page.
struct Held {
    id: String,
    title: String,
    state: &'static str,
    since: String,
}

/// One past attempt on the page.
struct Past {
    id: String,
    title: String,
    at: String,
    words: String,
}

#[derive(Template)]
#[template(path = "me.html")]
struct Me<'a> {
    frame: Frame,
    ways: Vec<Way<'a>>,
    badges: Vec<Held>,
    past: Vec<Past>,
    handle: Option<String>,
}

/// What a badge's state is called for its holder.
pub(crate) fn state_words(badge: &Badge) -> &'static str {
    match badge {
        Badge { withdrawn_at: Some(_), .. } => "withdrawn",
        Badge { revoked_at: Some(_), .. } => "revoked",
        b if b.signed_revision != Some(b.revision) => "being signed",
        Badge { visibility: Visibility::OnlyMe, .. } => "visible to you only",
        Badge { visibility: Visibility::Link, .. } => "visible to anyone with the link",
        Badge { visibility: Visibility::Listed, .. } => "listed on your page",
    }
}

/// `GET /me`.
pub(crate) async fn me(State(app): State<App>, who: SignedIn) -> Result<Response, Fault> {
    let learner = who.0.learner;
    let mut ways = Vec::new();
    for current in &app.programmes {
        let p = &current.programme;
        let standing = app.store.read(StandingOf { learner, programme: p.id.clone(), at: app.now() }).await?;
        let done = app.store.read(LessonsDone { learner, programme: p.id.clone() }).await?;
        ways.push(Way {
            p,
            open: standing.open.map(|a| a.to_string()),
            waits_until: standing.next_start_at.map(Moment::from),
            passed: standing.passed_version.as_deref() == Some(&p.badge.version),
            lessons_done: p.lessons().filter(|l| done.contains(&l.id)).count(),
            lessons: p.lessons().count(),
            next_lesson: p.lessons().find(|l| !done.contains(&l.id)).map(|l| l.id.as_str()),
        });
    }
    let title_of = |id: &str| app.programme_ever(id).map_or_else(|_| id.to_owned(), |(p, _)| p.programme.title.clone());
    let badges = app.store.read(BadgesOf { learner }).await?;
    let held =
        |b: &Badge| Held { id: b.badge_id.to_string(), title: title_of(&b.programme), state: state_words(b), since: b.awarded_at.day() };
    let past = app.store.read(AttemptsOf { learner }).await?;
    let past = past.iter().filter_map(|a| past_attempt(a, &title_of(&a.programme))).collect();
    let frame = Frame::new(&app, &who.visitor(), "My learning").scripted();
    page(&Me { frame, ways, badges: badges.iter().map(held).collect(), past, handle: who.0.handle })
}

fn past_attempt(attempt: &Attempt, title: &str) -> Option<Past> {
    let outcome = attempt.outcome.as_ref()?;
    let verdict = if outcome.passed { "passed" } else { "not passed" };
    let at = attempt.submitted_at.unwrap_or(attempt.started_at).day();
    Some(Past { id: attempt.id.to_string(), title: title.to_owned(), at, words: format!("{} of {}, {verdict}", outcome.right, outcome.of) })
}

#[derive(Template)]
#[template(path = "me_page.html")]
struct PageForm {
    frame: Frame,
    handle: String,
    has_page: bool,
    base: String,
    error: Option<String>,
}

/// `GET /me/page`.
pub(crate) async fn page_form(State(app): State<App>, who: SignedIn) -> Result<Response, Fault> {
    let (has_page, handle) = (who.0.handle.is_some(), who.0.handle.clone().unwrap_or_default());
    page(&PageForm {
        frame: Frame::new(&app, &who.visitor(), "My page"),
        handle,
        has_page,
        base: app.settings.base_url.clone(),
        error: None,
    })
}

/// Handles that would speak for the issuer or the server.
const RESERVED: [&str; 20] = [
    "about",
    "abuse",
    "admin",
    "administrator",
    "assay",
    "badge",
    "badges",
    "help",
    "info",
    "issuer",
    "mail",
    "official",
    "operator",
    "root",
    "security",
    "staff",
    "support",
    "system",
    "verify",
    "www",
];

/// The form of the own page.
#[derive(Deserialize)]
pub(crate) struct HandleForm {
    handle: String,
    #[serde(default)]
    go: String,
}

/// `POST /me/page`.
pub(crate) async fn set_page(State(app): State<App>, who: SignedIn, Form(form): Form<HandleForm>) -> Result<Response, Fault> {
    let handle = form.handle.trim().to_lowercase();
    let sound = (3..=40).contains(&handle.len())
        && handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !handle.contains("--")
        && !handle.starts_with('-')
        && !handle.ends_with('-');
    let remove = form.go == "remove";
    let error = match () {
        () if remove => None,
        () if RESERVED.contains(&handle.as_str()) => Some("This word could be taken for the issuer. Choose another."),
        () if !sound => Some("Use 3 to 40 letters a to z, digits and hyphens, not beginning or ending with a hyphen."),
        () => None,
    };
    let set = match error {
        Some(words) => Err(words),
        None if app.store.run(SetHandle { learner: who.0.learner, handle: (!remove).then(|| handle.clone()) }).await? => Ok(()),
        None => Err("Somebody else has this address already. Choose another."),
    };
    match set {
        Ok(()) => Ok(Redirect::to("/me").into_response()),
        Err(words) => {
            let frame = Frame::new(&app, &who.visitor(), "Error: My page");
            let mut response = page(&PageForm {
                frame,
                handle,
                has_page: who.0.handle.is_some(),
                base: app.settings.base_url.clone(),
                error: Some(words.into()),
            })?;
            *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}
