//! Conditions and Begin; and the way back into an attempt.

use askama::Template;
use assay_core::{
    attempt::{AttemptState, StartRefused},
    badge::clean_name,
    chance::keyed_seed,
    entry::may_enter,
    ids::{AttemptId, JobId, Learner},
    programme::Programme,
};
use assay_measure::{DrawRequest, draw};
use assay_store::{
    commands::{NewJob, StartAttempt},
    queries::{AttemptOf, AttemptsOf, CurrentProgramme, Pool, Standing, StandingOf},
};
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::plain::{self, Moment};
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    limits::{Limits, Way},
    session::SignedIn,
};

#[derive(Template)]
#[template(path = "assessment.html")]
struct Conditions<'a> {
    frame: Frame,
    p: &'a Programme,
    waits: String,
    time: String,
    name: String,
    error: Option<String>,
    refused: Option<Refusal>,
}

/// Why one cannot begin, with a way on.
struct Refusal {
    title: &'static str,
    words: String,
    until: Option<Moment>,
    link: Option<(String, &'static str)>,
}

fn refusal(refused: &StartRefused) -> Refusal {
    match refused {
        StartRefused::AlreadyOpen { attempt } => Refusal {
            title: "Your attempt is still open",
            words: "Only one attempt at a time. Everything you saved is there.".into(),
            until: None,
            link: Some((format!("/attempts/{attempt}"), "Continue")),
        },
        StartRefused::AlreadyPassed => Refusal {
            title: "You have passed",
            words: "You have passed this version, so the assessment is closed to you until there is a new one.".into(),
            until: None,
            link: Some(("/me".into(), "To your badges")),
        },
        StartRefused::Waiting { until } => Refusal {
            title: "Not yet",
            words: "After a failed attempt there is a wait. Your next try opens on".into(),
            until: Some((*until).into()),
            link: Some(("/me".into(), "What to read until then")),
        },
        StartRefused::TriesUsed { until } => Refusal {
            title: "No tries left for now",
            words: "You have used all tries that this programme allows in 365 days. The next one opens on".into(),
            until: Some((*until).into()),
            link: Some(("/me".into(), "To my learning")),
        },
    }
}

fn standing_refusal(standing: &Standing, p: &Programme) -> Option<StartRefused> {
    if let Some(attempt) = standing.open {
        return Some(StartRefused::AlreadyOpen { attempt });
    }
    if standing.passed_version.as_deref() == Some(&p.badge.version) {
        return Some(StartRefused::AlreadyPassed);
    }
    if let Some(until) = standing.next_start_at {
        return Some(StartRefused::Waiting { until });
    }
    let most = u32::from(p.entry.tries_a_year?);
    let oldest = standing.oldest_start_this_year.filter(|_| standing.starts_this_year >= most)?;
    Some(StartRefused::TriesUsed { until: oldest.plus_seconds(365 * assay_core::clock::DAY_SECONDS) })
}

fn show(
    app: &App,
    who: &SignedIn,
    p: &Programme,
    name: String,
    error: Option<String>,
    refused: Option<Refusal>,
) -> Result<Response, Fault> {
    let status = match (&error, &refused) {
        (Some(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, Some(_)) => StatusCode::CONFLICT,
        (None, None) => StatusCode::OK,
    };
    let prefix = if error.is_some() { "Error: " } else { "" };
    let frame = Frame::new(app, &who.visitor(), format!("{prefix}Before you begin - {}", p.title)).of(p).scripted();
    let mut response = page(&Conditions { frame, p, waits: plain::waits(&p.rules), time: plain::time(&p.rules), name, error, refused })?;
    *response.status_mut() = status;
    Ok(response)
}

/// `GET /programmes/{programme}/assessment`.
pub(crate) async fn conditions(State(app): State<App>, Path(id): Path<String>, who: SignedIn) -> Result<Response, Fault> {
    let p = &app.programme(&id)?.programme;
    let standing = app.store.read(StandingOf { learner: who.0.learner, programme: id, at: app.now() }).await?;
    let refused = match may_enter(&p.entry, &who.0.address) {
        Err(words) => Some(Refusal { title: "Not open to this address", words, until: None, link: None }),
        Ok(()) => standing_refusal(&standing, p).map(|r| refusal(&r)),
    };
    // The name of the last attempt, to be changed or kept.
    let name = app.store.read(AttemptsOf { learner: who.0.learner }).await?.into_iter().next().map_or_else(String::new, |a| a.holder_name);
    let mut response = show(&app, &who, p, name, None, refused)?;
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// The form under the conditions.
#[derive(Deserialize)]
pub(crate) struct Begin {
    #[serde(default)]
    name: String,
    #[serde(default)]
    honesty: String,
}

/// `POST` of the same address: draws the form and starts.
pub(crate) async fn begin(
    State(app): State<App>,
    Path(id): Path<String>,
    who: SignedIn,
    Form(form): Form<Begin>,
) -> Result<Response, Fault> {
    let current = app.programme(&id)?;
    let p = &current.programme;
    if let Err(words) = may_enter(&p.entry, &who.0.address) {
        return show(&app, &who, p, form.name, None, Some(Refusal { title: "Not open to this address", words, until: None, link: None }));
    }
    Limits::take_shared(&app, Way::Write, &who.0.learner.person.to_string()).await?;
    let name = match clean_name(&form.name) {
        Ok(name) if form.honesty == "yes" => name,
        Ok(_) => return show(&app, &who, p, form.name, Some("Tick the honesty statement to begin.".into()), None),
        Err(bad) => return show(&app, &who, p, form.name, Some(bad.to_string()), None),
    };
    app.refuse_held(
        "No attempt can begin until the server's database was reconciled with its journal: a wait or a badge might be forgotten. Try again later.",
    )?;
    let command = start(&app, current, who.0.learner, name).await?;
    let attempt = command.attempt;
    match app.store.run(command).await? {
        Ok(()) => {
            app.bell.ring();
            Ok(Redirect::to(&format!("/attempts/{attempt}/questions/1")).into_response())
        }
        Err(refused) => show(&app, &who, p, form.name, None, Some(refusal(&refused))),
    }
}

/// A start with a form drawn for this person and this attempt.
async fn start(app: &App, current: &CurrentProgramme, learner: Learner, holder_name: String) -> Result<StartAttempt, Fault> {
    let p = &current.programme;
    let attempt = AttemptId::random(&*app.chance);
    let query = Pool { learner, programme: p.id.clone(), pool_version: current.pool_version.clone() };
    let mut pool = app.store.read(query).await?;
    pool.sort_by(|a, b| a.item.cmp(&b.item));
    let seed = keyed_seed(&app.secret, &[b"form", learner.person.0.as_bytes(), attempt.0.as_bytes()]);
    let request = DrawRequest { domains: &p.domains, pool: &pool, pool_share_percent: p.entry.pool_share_percent, seed };
    let form = draw(&request).map_err(|e| Fault::internal(e.to_string()))?;
    let payload = serde_json::json!({ "attempt": attempt, "person": learner.person }).to_string();
    Ok(StartAttempt {
        learner,
        attempt,
        programme: p.id.clone(),
        programme_version: current.version.clone(),
        pool_version: current.pool_version.clone(),
        badge_version: p.badge.version.clone(),
        rules: p.rules.clone(),
        tries_a_year: p.entry.tries_a_year,
        form,
        drawn_from: pool.iter().map(|c| (c.shown, c.seen)).collect(),
        holder_name,
        at: app.now(),
        fold: NewJob {
            id: JobId::random(&*app.chance),
            kind: "fold-exposure",
            dedup: attempt.to_string(),
            payload,
            person: Some(learner.person),
            run_at: app.now(),
        },
    })
}

/// `GET /attempts/{attempt}`: to where it stands: the first question without a whole answer, the review, or the result.
pub(crate) async fn resume(State(app): State<App>, Path(id): Path<AttemptId>, who: SignedIn) -> Result<Response, Fault> {
    let attempt = app.store.read(AttemptOf { learner: who.0.learner, attempt: id }).await?.ok_or_else(Fault::not_found)?;
    let to = match attempt.questions.iter().find(|q| q.chosen != q.asked) {
        _ if attempt.state == AttemptState::Submitted => format!("/attempts/{id}/result"),
        Some(open) => format!("/attempts/{id}/questions/{}", open.position),
        None => format!("/attempts/{id}/review"),
    };
    Ok(Redirect::to(&to).into_response())
}
