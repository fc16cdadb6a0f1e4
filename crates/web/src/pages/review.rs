//! All questions as answered, incomplete, not answered, flagged; then submit, confirmed.

use askama::Template;
use assay_core::{
    attempt::AttemptState,
    ids::{AttemptId, AwardId, JobId, Secret128},
};
use assay_store::{
    commands::Submit,
    queries::{Attempt, AttemptAlone, AttemptOf, QuestionState},
};
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::plain::{self, Moment};
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::SignedIn,
};

#[derive(Template)]
#[template(path = "review.html")]
struct Review {
    frame: Frame,
    attempt: Attempt,
    answered: usize,
    incomplete: usize,
    flagged: usize,
    deadline: Option<Moment>,
}

#[derive(Template)]
#[template(path = "submit.html")]
struct Confirm {
    frame: Frame,
    attempt: Attempt,
    open: usize,
    incomplete: Vec<QuestionState>,
    wait: String,
    error: bool,
}

async fn open_attempt(app: &App, who: &SignedIn, id: AttemptId) -> Result<Result<Attempt, Response>, Fault> {
    let attempt = app.store.read(AttemptOf { learner: who.0.learner, attempt: id }).await?.ok_or_else(Fault::not_found)?;
    Ok(if is_over(app, &attempt) { Err(to_result(id)) } else { Ok(attempt) })
}

fn is_over(app: &App, attempt: &Attempt) -> bool {
    attempt.state == AttemptState::Submitted || attempt.deadline.is_some_and(|d| d <= app.now())
}

fn to_result(id: AttemptId) -> Response {
    Redirect::to(&format!("/attempts/{id}/result")).into_response()
}

/// `GET /attempts/{attempt}/review`.
pub(crate) async fn review(State(app): State<App>, Path(id): Path<AttemptId>, who: SignedIn) -> Result<Response, Fault> {
    let attempt = match open_attempt(&app, &who, id).await? {
        Ok(attempt) => attempt,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let p = app.programme_version(&attempt.programme, &attempt.programme_version).await?;
    let frame = Frame::new(&app, &who.visitor(), format!("Review - {}", p.title)).of(&p).scripted();
    let count = |is: fn(&QuestionState) -> bool| attempt.questions.iter().filter(|q| is(q)).count();
    let (incomplete, flagged) = (count(QuestionState::is_incomplete), count(|q| q.flagged));
    let answered = attempt.questions.len() - incomplete - count(QuestionState::is_open);
    let deadline = attempt.deadline.map(Moment::from);
    page(&Review { frame, attempt, answered, incomplete, flagged, deadline })
}

async fn confirmation(app: &App, who: &SignedIn, attempt: Attempt, error: bool) -> Result<Response, Fault> {
    let p = app.programme_version(&attempt.programme, &attempt.programme_version).await?;
    let prefix = if error { "Error: " } else { "" };
    let frame = Frame::new(app, &who.visitor(), format!("{prefix}Hand in - {}", p.title)).of(&p).scripted();
    let open = attempt.questions.iter().filter(|q| q.is_open()).count();
    let incomplete = attempt.questions.iter().filter(|q| q.is_incomplete()).cloned().collect();
    let wait = plain::waits(&attempt.rules);
    page(&Confirm { frame, attempt, open, incomplete, wait, error })
}

/// `GET /attempts/{attempt}/submit`.
pub(crate) async fn confirm(State(app): State<App>, Path(id): Path<AttemptId>, who: SignedIn) -> Result<Response, Fault> {
    match open_attempt(&app, &who, id).await? {
        Ok(attempt) => confirmation(&app, &who, attempt, false).await,
        Err(elsewhere) => Ok(elsewhere),
    }
}

/// The confirmation.
#[derive(Deserialize)]
pub(crate) struct Confirmed {
    #[serde(default)]
    confirm: String,
}

/// Closes and scores an attempt.
pub(crate) async fn close(app: &App, who: &SignedIn, id: AttemptId) -> Result<(), Fault> {
    app.refuse_held(
        "Attempts are not closed until the server's database was reconciled with its journal. Your answers are saved, and nothing is lost: \
         hand in again later. Where time is up, the attempt is closed with the answers that were saved in time.",
    )?;
    let chance = &*app.chance;
    let jobs = [(); 3].map(|()| JobId::random(chance));
    let award = AwardId::random(chance);
    let submit =
        Submit { learner: who.0.learner, attempt: id, award, badge_id: Secret128::of_badge(&app.secret, award), jobs, at: app.now() };
    app.store.run(submit).await?.ok_or_else(Fault::not_found)?;
    app.bell.ring();
    Ok(())
}

/// `POST /attempts/{attempt}/submit`.
pub(crate) async fn submit(
    State(app): State<App>,
    Path(id): Path<AttemptId>,
    who: SignedIn,
    Form(form): Form<Confirmed>,
) -> Result<Response, Fault> {
    if form.confirm != "yes" {
        let attempt = match open_attempt(&app, &who, id).await? {
            Ok(attempt) => attempt,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let mut response = confirmation(&app, &who, attempt, true).await?;
        *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    }
    let attempt = app.store.read(AttemptAlone { learner: who.0.learner, attempt: id }).await?.ok_or_else(Fault::not_found)?;
    if !is_over(&app, &attempt) {
        close(&app, &who, id).await?;
    }
    Ok(to_result(id))
}
