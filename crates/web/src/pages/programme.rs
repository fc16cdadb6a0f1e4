//! A programme before sign-in: plan, blueprint, rules; the standard behind its badge; its art.

use askama::Template;
use assay_core::{badge::Assurance, programme::Programme};
use assay_store::queries::{Figures, LessonsDone, ProgrammeFigures, StandingOf};
use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};

use super::plain;
use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    pages::holder::assurance,
    session::Visitor,
};

#[derive(Template)]
#[template(path = "programme.html")]
struct ProgrammePage<'a> {
    frame: Frame,
    p: &'a Programme,
    done: Vec<String>,
    open: Option<String>,
    passed: bool,
    waits: String,
    time: String,
    entry: String,
}

/// `GET /programmes/{programme}`.
pub(crate) async fn programme(State(app): State<App>, Path(id): Path<String>, visitor: Visitor) -> Result<Response, Fault> {
    let p = &app.programme(&id)?.programme;
    let (mut done, mut open, mut passed) = (Vec::new(), None, false);
    if let Some(person) = &visitor.0 {
        done = app.store.read(LessonsDone { learner: person.learner, programme: id.clone() }).await?;
        let standing = app.store.read(StandingOf { learner: person.learner, programme: id, at: app.now() }).await?;
        open = standing.open.map(|a| a.to_string());
        passed = standing.passed_version.as_deref() == Some(&p.badge.version);
    }
    let frame = Frame::new(&app, &visitor, &p.title).of(p);
    page(&ProgrammePage {
        frame,
        p,
        done,
        open,
        passed,
        waits: plain::waits(&p.rules),
        time: plain::time(&p.rules),
        entry: plain::entry(&p.entry),
    })
}

#[derive(Template)]
#[template(path = "standard.html")]
struct StandardPage<'a> {
    frame: Frame,
    p: &'a Programme,
    offered: bool,
    figures: ProgrammeFigures,
    assurance: Assurance,
    waits: String,
    entry: String,
    objectives: Vec<(&'a str, u8, Vec<&'a str>)>,
}

/// Fewest submitted attempts from which a pass rate is shown: below it, it would tell about single people.
const FIGURES_FROM: i64 = 20;

/// `GET /programmes/{programme}/standard`. Badges link here, so it stays when the programme is offered no more.
pub(crate) async fn standard(State(app): State<App>, Path(id): Path<String>, visitor: Visitor) -> Result<Response, Fault> {
    let (current, offered) = app.programme_ever(&id)?;
    let p = &current.programme;
    let figures = app.store.read(Figures { issuer: app.issuer_id, programme: id }).await?;
    let of_domain = |d: &str| p.objectives.iter().filter(|o| o.domain == d).map(|o| o.statement.as_str()).collect();
    let objectives = p.domains.iter().map(|d| (d.title.as_str(), d.weight_percent, of_domain(&d.id))).collect();
    let frame = Frame::new(&app, &visitor, format!("The standard behind {}", p.badge.title)).of(p);
    let assurance = assurance(p, &p.rules, app.issuer.demonstration);
    let (waits, entry) = (plain::waits(&p.rules), plain::entry(&p.entry));
    page(&StandardPage { frame, p, offered, figures, assurance, waits, entry, objectives })
}

#[derive(Template)]
#[template(path = "glossary.html")]
struct GlossaryPage<'a> {
    frame: Frame,
    p: &'a Programme,
}

/// `GET /programmes/{programme}/glossary`, where the programme has one.
pub(crate) async fn glossary(State(app): State<App>, Path(id): Path<String>, visitor: Visitor) -> Result<Response, Fault> {
    let p = &app.programme(&id)?.programme;
    if p.glossary.is_empty() {
        return Err(Fault::not_found());
    }
    page(&GlossaryPage { frame: Frame::new(&app, &visitor, format!("Glossary - {}", p.title)).of(p), p })
}

/// `GET /programmes/{programme}/badge.svg`: the art alone. Badges name it, so it stays as the standard does.
pub(crate) async fn art(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Fault> {
    let art = app.programme_ever(&id)?.0.programme.badge.art_svg.clone();
    Ok(([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=3600")], art).into_response())
}
