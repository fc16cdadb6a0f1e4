//! One question a page: answer, clear, flag. Answers are saved as they are chosen; without scripts by the form's buttons.

use askama::Template;
use assay_core::{
    attempt::{AttemptState, Save, Saved},
    form::OptionToken,
    ids::{AttemptId, Learner, Secret128},
};
use assay_items::Choice;
use assay_store::{
    StoreError,
    commands::{SaveAnswer, SetFlag, Shown},
    queries::{QuestionOf, QuestionRow},
};
use axum::{
    Form, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};

use super::plain::Moment;
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::SignedIn,
};

/// An option on the page.
struct ShownOption {
    token: String,
    html: String,
    chosen: bool,
    /// Chosen on the other device; only when there is a conflict.
    theirs: bool,
}

#[derive(Template)]
#[template(path = "question.html")]
struct QuestionPage {
    frame: Frame,
    attempt: AttemptId,
    n: u16,
    of: u16,
    title: String,
    stem: String,
    many: Option<u8>,
    /// How many are chosen, where that is not how many are asked for.
    chosen_instead: Option<usize>,
    options: Vec<ShownOption>,
    revision: i64,
    device: String,
    saved_at: Option<String>,
    flagged: bool,
    /// Where to look things up: the plan of an open-book programme that is still offered.
    plan: Option<String>,
    deadline: Option<Moment>,
    /// By the server's clock: the device's may be hours off.
    seconds_left: i64,
    /// When the answer on another device was saved, if it differs from what was sent.
    conflict: Option<String>,
}

fn closed(attempt: AttemptId) -> Fault {
    Fault::new(StatusCode::GONE, "This attempt is over", "It was handed in, or its time ran out, so answers cannot be changed any more.")
        .way_out(format!("/attempts/{attempt}/result"), "To the result")
}

async fn row(app: &App, learner: Learner, attempt: AttemptId, position: u16) -> Result<QuestionRow, Fault> {
    app.store.read(QuestionOf { learner, attempt, position }).await?.ok_or_else(Fault::not_found)
}

/// Renders a question; `sent` is an answer that met a newer one and was not saved.
async fn render(
    app: &App,
    who: &SignedIn,
    attempt: AttemptId,
    n: u16,
    row: &QuestionRow,
    sent: Option<&[OptionToken]>,
) -> Result<Response, Fault> {
    let p = app.programme_version(&row.programme, &row.programme_version).await?;
    let standing = |token: &OptionToken| row.chosen.contains(token);
    let option = |(token, html): &(OptionToken, assay_items::Html)| ShownOption {
        token: token.0.clone(),
        html: html.as_str().to_owned(),
        chosen: sent.map_or_else(|| standing(token), |sent| sent.contains(token)),
        theirs: sent.is_some() && standing(token),
    };
    let title = format!("Question {n} of {} - {}", row.of, p.title);
    page(&QuestionPage {
        frame: Frame::new(app, &who.visitor(), title).of(&p).scripted(),
        attempt,
        n,
        of: row.of,
        title: p.title.clone(),
        stem: row.shown.stem.as_str().to_owned(),
        chosen_instead: match row.shown.choice {
            Choice::Many(count) => Some(row.chosen.len()).filter(|&n| n > 0 && n != usize::from(count)),
            Choice::One => None,
        },
        many: match row.shown.choice {
            Choice::One => None,
            Choice::Many(count) => Some(count),
        },
        options: row.shown.options.iter().map(option).collect(),
        revision: row.revision,
        device: Secret128::random(&*app.chance).to_string(),
        saved_at: row.saved_at.map(|at| at.time_of_day()),
        flagged: row.flagged,
        plan: app.programme(&p.id).ok().filter(|_| p.rules.open_book).map(|current| current.programme.id.clone()),
        seconds_left: row.deadline.map_or(0, |end| end.seconds_since(app.now())),
        deadline: row.deadline.map(Moment::from),
        conflict: sent.and(row.saved_at).map(|at| at.time_of_day()),
    })
}

/// `GET /attempts/{attempt}/questions/{position}`.
pub(crate) async fn question(State(app): State<App>, Path((attempt, n)): Path<(AttemptId, u16)>, who: SignedIn) -> Result<Response, Fault> {
    let row = row(&app, who.0.learner, attempt, n).await?;
    if row.state == AttemptState::Submitted || row.deadline.is_some_and(|d| d <= app.now()) {
        return Ok(Redirect::to(&format!("/attempts/{attempt}/result")).into_response());
    }
    if !row.shown_before {
        app.note_shown(Shown { learner: who.0.learner, attempt, position: n, at: app.now() });
    }
    render(&app, &who, attempt, n, &row, None).await
}

/// A question's form as it was sent: one `choice` for each chosen option.
#[derive(Debug, Default)]
struct Sent {
    chosen: Vec<OptionToken>,
    revision: i64,
    device: String,
    counter: i64,
    go: String,
    keep: String,
}

impl Sent {
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut sent = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "choice" => sent.chosen.push(OptionToken(value)),
                "revision" => sent.revision = value.parse().unwrap_or(0),
                "device" => sent.device = value,
                "counter" => sent.counter = value.parse().unwrap_or(0),
                "go" => sent.go = value,
                "keep" => sent.keep = value,
                _ => {}
            }
        }
        sent
    }
}

/// Names of devices are random and short; whatever else comes is cut, it only serves to tell two apart.
fn device(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

/// Saves, and counts what became of it: is anybody losing answers?
async fn save_answer(app: &App, save: SaveAnswer) -> Result<Option<Saved>, StoreError> {
    let saved = app.store.run(save).await;
    let refused = match &saved {
        Ok(Some(Saved::Stands { .. })) => None,
        Ok(Some(Saved::NewerExists { .. })) => Some("conflict"),
        Ok(Some(Saved::Closed)) => Some("closed"),
        Ok(None) => Some("no-such-question"),
        Err(StoreError::Busy) => Some("busy"),
        Err(_) => Some("unavailable"),
    };
    match refused {
        None => metrics::counter!("assay_answers_saved_total").increment(1),
        Some(reason) => metrics::counter!("assay_answers_refused_total", "reason" => reason).increment(1),
    }
    saved
}

/// `POST` of the same address: the form without scripts.
pub(crate) async fn without_scripts(
    State(app): State<App>,
    Path((attempt, n)): Path<(AttemptId, u16)>,
    who: SignedIn,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Fault> {
    let learner = who.0.learner;
    let mut sent = Sent::read(pairs);
    let row = row(&app, learner, attempt, n).await?;
    if sent.go == "clear" {
        sent.chosen.clear();
    }
    let same = sent.chosen.len() == row.chosen.len() && sent.chosen.iter().all(|t| row.chosen.contains(t));
    // "Keep theirs" and an unchanged answer leave what stands.
    if !same && sent.keep != "theirs" {
        let save = Save { chosen: sent.chosen.clone(), base_revision: sent.revision, device: device(&sent.device), counter: sent.counter };
        match save_answer(&app, SaveAnswer { learner, attempt, position: n, save, at: app.now() }).await? {
            Some(Saved::Stands { .. }) => {}
            Some(Saved::NewerExists { .. }) => {
                let newer = self::row(&app, learner, attempt, n).await?;
                let mut response = render(&app, &who, attempt, n, &newer, Some(&sent.chosen)).await?;
                *response.status_mut() = StatusCode::CONFLICT;
                return Ok(response);
            }
            Some(Saved::Closed) => return Err(closed(attempt)),
            None => {
                return Err(Fault::bad("An option that was sent does not belong to this question, so nothing was saved. Reload the page."));
            }
        }
    }
    if let "flag" | "unflag" = sent.go.as_str() {
        app.store.run(SetFlag { learner, attempt, position: n, flagged: sent.go == "flag" }).await?;
    }
    Ok(Redirect::to(&next_address(attempt, n, row.of, &sent.go)).into_response())
}

fn next_address(attempt: AttemptId, n: u16, of: u16, go: &str) -> String {
    match go {
        "next" if n < of => format!("/attempts/{attempt}/questions/{}", n + 1),
        "previous" if n > 1 => format!("/attempts/{attempt}/questions/{}", n - 1),
        "next" | "review" => format!("/attempts/{attempt}/review"),
        _ => format!("/attempts/{attempt}/questions/{n}"),
    }
}

/// A save by the script.
#[derive(Deserialize)]
pub(crate) struct AnswerBody {
    chosen: Vec<OptionToken>,
    base_revision: i64,
    device: String,
    counter: i64,
}

#[derive(Serialize)]
struct Newer {
    revision: i64,
    chosen: Vec<OptionToken>,
    at: String,
}

/// `POST …/answer`: says `saved` only when the database has it.
pub(crate) async fn answer(
    State(app): State<App>,
    Path((attempt, n)): Path<(AttemptId, u16)>,
    who: SignedIn,
    Json(body): Json<AnswerBody>,
) -> Result<Response, Fault> {
    let save = Save { chosen: body.chosen, base_revision: body.base_revision, device: device(&body.device), counter: body.counter };
    let saved = save_answer(&app, SaveAnswer { learner: who.0.learner, attempt, position: n, save, at: app.now() }).await?;
    Ok(match saved {
        Some(Saved::Stands { revision, at }) => {
            Json(serde_json::json!({ "saved": true, "revision": revision, "at": at.time_of_day() })).into_response()
        }
        Some(Saved::NewerExists { revision, chosen, at }) => {
            let newer = Newer { revision, chosen, at: at.time_of_day() };
            (StatusCode::CONFLICT, Json(serde_json::json!({ "saved": false, "newer": newer }))).into_response()
        }
        Some(Saved::Closed) => return Err(closed(attempt)),
        None => return Err(Fault::not_found()),
    })
}

/// A flag by the script.
#[derive(Deserialize, Serialize)]
pub(crate) struct FlagBody {
    flagged: bool,
}

/// `POST …/flag`.
pub(crate) async fn flag(
    State(app): State<App>,
    Path((attempt, n)): Path<(AttemptId, u16)>,
    who: SignedIn,
    Json(body): Json<FlagBody>,
) -> Result<Response, Fault> {
    let done = app.store.run(SetFlag { learner: who.0.learner, attempt, position: n, flagged: body.flagged }).await?;
    if done { Ok(Json(body).into_response()) } else { Err(closed(attempt)) }
}
