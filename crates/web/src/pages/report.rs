//! Report a problem with a question.

use askama::Template;
use assay_core::ids::{AttemptId, RowId};
use assay_store::{commands::ReportProblem, queries::QuestionOf};
use axum::{
    Form,
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;

use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    limits::{Limits, Way},
    session::SignedIn,
};

/// Longest report, in characters.
const LONGEST: usize = 2000;

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    frame: Frame,
    attempt: AttemptId,
    n: u16,
    words: String,
    error: Option<String>,
    sent: bool,
}

/// `GET …/report`.
pub(crate) async fn form(State(app): State<App>, Path((attempt, n)): Path<(AttemptId, u16)>, who: SignedIn) -> Result<Response, Fault> {
    let row = app.store.read(QuestionOf { learner: who.0.learner, attempt, position: n }).await?.ok_or_else(Fault::not_found)?;
    let frame = Frame::new(&app, &who.visitor(), format!("Report a problem with question {n}"))
        .of(&*app.programme_version(&row.programme, &row.programme_version).await?);
    page(&ReportPage { frame, attempt, n, words: String::new(), error: None, sent: false })
}

/// A report.
#[derive(Deserialize)]
pub(crate) struct ReportForm {
    words: String,
}

/// `POST …/report`.
pub(crate) async fn report(
    State(app): State<App>,
    Path((attempt, n)): Path<(AttemptId, u16)>,
    who: SignedIn,
    Form(form): Form<ReportForm>,
) -> Result<Response, Fault> {
    let row = app.store.read(QuestionOf { learner: who.0.learner, attempt, position: n }).await?.ok_or_else(Fault::not_found)?;
    let words = form.words.trim().to_owned();
    let error = match words.chars().count() {
        0 => Some("Say what is wrong with the question.".to_owned()),
        count if count > LONGEST => Some(format!("At most {LONGEST} characters; this has {count}.")),
        _ => None,
    };
    let sent = error.is_none();
    if sent {
        Limits::take_shared(&app, Way::Write, &who.0.learner.person.to_string()).await?;
        let report = RowId::random(&*app.chance);
        app.store.run(ReportProblem { learner: who.0.learner, report, attempt, position: n, words: words.clone(), at: app.now() }).await?;
    }
    let title = if sent { "Thank you" } else { "Error: Report a problem" };
    let frame = Frame::new(&app, &who.visitor(), title).of(&*app.programme_version(&row.programme, &row.programme_version).await?);
    page(&ReportPage { frame, attempt, n, words, error, sent })
}
