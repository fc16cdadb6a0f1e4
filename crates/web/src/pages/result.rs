//! The result: k of n, bands, lessons to read again, the exact time of the next try. Never single questions.

use askama::Template;
use assay_core::{
    attempt::AttemptState,
    ids::AttemptId,
    mail::retake_calendar,
    programme::Lesson,
    score::{Band, Outcome, lessons_to_read},
};
use assay_store::queries::{Attempt, AttemptAlone, BadgesOf};
use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
};

use super::{plain::Moment, review::close};
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::SignedIn,
};

/// One domain on the page.
struct DomainRow {
    title: String,
    band: Option<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "result.html")]
struct ResultPage<'a> {
    frame: Frame,
    attempt: &'a Attempt,
    outcome: &'a Outcome,
    programme: &'a str,
    /// Whether it is still offered: its plan and its lessons can be opened.
    offered: bool,
    programme_title: &'a str,
    at: Moment,
    domains: Vec<DomainRow>,
    lessons: Vec<&'a Lesson>,
    retake: Option<Moment>,
    retake_open: bool,
    badge: Option<String>,
    ready: bool,
    time_up: bool,
    share: u8,
}

fn band_words(band: Band) -> (&'static str, &'static str) {
    match band {
        Band::Strong => ("strong", "Strong"),
        Band::OnTheWay => ("way", "On the way"),
        Band::StudyAgain => ("again", "Study again"),
    }
}

/// `GET /attempts/{attempt}/result`.
pub(crate) async fn result(State(app): State<App>, Path(id): Path<AttemptId>, who: SignedIn) -> Result<Response, Fault> {
    let learner = who.0.learner;
    let mut attempt = app.store.read(AttemptAlone { learner, attempt: id }).await?.ok_or_else(Fault::not_found)?;
    if attempt.state == AttemptState::Open {
        if attempt.deadline.is_none_or(|d| d > app.now()) {
            return Ok(Redirect::to(&format!("/attempts/{id}")).into_response());
        }
        // Time ran out and the job has not come by yet: whoever looks first closes it. Nothing is changed that the clock had not.
        close(&app, &who, id).await?;
        attempt = app.store.read(AttemptAlone { learner, attempt: id }).await?.ok_or_else(Fault::not_found)?;
    }
    let offered = app.programme(&attempt.programme).is_ok();
    let outcome = attempt.outcome.clone().ok_or_else(Fault::not_found)?;
    let p = app.programme_version(&attempt.programme, &attempt.programme_version).await?;
    let title_of = |domain: &str| p.domains.iter().find(|d| d.id == domain).map_or_else(String::new, |d| d.title.clone());
    let domains = outcome.domains.iter().map(|d| DomainRow { title: title_of(&d.domain), band: d.band().map(band_words) }).collect();
    let lessons = if outcome.passed { Vec::new() } else { lessons_to_read(&p, &outcome).iter().filter_map(|l| p.lesson(l)).collect() };
    let held = if outcome.passed { app.store.read(BadgesOf { learner }).await? } else { Vec::new() };
    let held = held.into_iter().find(|b| b.programme == attempt.programme && b.programme_version == attempt.programme_version);
    let ready = held.as_ref().is_some_and(|b| b.document.is_some());
    let badge = held.map(|b| b.badge_id.to_string());
    let frame =
        Frame::new(&app, &who.visitor(), format!("{} - {}", if outcome.passed { "Passed" } else { "Not passed this time" }, p.title))
            .of(&p)
            .scripted();
    page(&ResultPage {
        frame,
        at: attempt.deadline.into_iter().chain(attempt.submitted_at).min().unwrap_or(attempt.started_at).into(),
        retake: attempt.retake_at.filter(|_| offered).map(Moment::from),
        retake_open: attempt.retake_at.is_some_and(|at| at <= app.now()),
        attempt: &attempt,
        outcome: &outcome,
        programme: &p.id,
        offered,
        programme_title: &p.title,
        domains,
        lessons,
        badge,
        ready,
        time_up: attempt.deadline.is_some_and(|end| attempt.submitted_at.is_some_and(|at| at >= end.whole_second())),
        share: p.entry.pool_share_percent,
    })
}

/// `GET /attempts/{attempt}/retake.ics`.
pub(crate) async fn calendar(State(app): State<App>, Path(id): Path<AttemptId>, who: SignedIn) -> Result<Response, Fault> {
    let attempt = app.store.read(AttemptAlone { learner: who.0.learner, attempt: id }).await?.ok_or_else(Fault::not_found)?;
    let opens_at = attempt.retake_at.ok_or_else(Fault::not_found)?;
    let p = app.programme_version(&attempt.programme, &attempt.programme_version).await?;
    let url = format!("{}/programmes/{}/assessment", app.settings.base_url, p.id);
    let file = retake_calendar(&p.title, &id.to_string(), app.now(), opens_at, &url);
    let kind =
        [(header::CONTENT_TYPE, "text/calendar; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"next-try.ics\"")];
    Ok((kind, file).into_response())
}
