//! A lesson: read, check yourself, mark as done.

use askama::Template;
use assay_core::programme::{Lesson, Programme};
use assay_store::{commands::MarkLesson, queries::LessonsDone};
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    session::{SignedIn, Visitor},
};

#[derive(Template)]
#[template(path = "lesson.html")]
struct LessonPage<'a> {
    frame: Frame,
    p: &'a Programme,
    lesson: &'a Lesson,
    number: usize,
    of: usize,
    done: Option<bool>,
    next: Option<&'a Lesson>,
    previous: Option<&'a Lesson>,
}

/// Whether this is running text: a `summary` may hold nothing else.
fn is_running(html: &str) -> bool {
    !["<p>", "<pre", "<ul", "<ol", "<div", "<blockquote", "<h2", "<h3", "<h4", "<hr"].iter().any(|block| html.contains(block))
}

/// `GET /programmes/{programme}/lessons/{lesson}`.
pub(crate) async fn lesson(State(app): State<App>, Path((id, slug)): Path<(String, String)>, visitor: Visitor) -> Result<Response, Fault> {
    let p = &app.programme(&id)?.programme;
    let all: Vec<&Lesson> = p.lessons().collect();
    let at = all.iter().position(|l| l.id == slug).ok_or_else(Fault::not_found)?;
    let done = match &visitor.0 {
        Some(person) => Some(app.store.read(LessonsDone { learner: person.learner, programme: id }).await?.contains(&slug)),
        None => None,
    };
    let frame = Frame::new(&app, &visitor, format!("{} - {}", all[at].title, p.title)).of(p);
    let previous = at.checked_sub(1).map(|i| all[i]);
    page(&LessonPage { frame, p, lesson: all[at], number: at + 1, of: all.len(), done, next: all.get(at + 1).copied(), previous })
}

/// The form under a lesson.
#[derive(Deserialize)]
pub(crate) struct Mark {
    done: String,
}

/// `POST` of the same address: done, or not done after all.
pub(crate) async fn mark(
    State(app): State<App>,
    Path((id, slug)): Path<(String, String)>,
    who: SignedIn,
    Form(form): Form<Mark>,
) -> Result<Response, Fault> {
    let p = &app.programme(&id)?.programme;
    p.lesson(&slug).ok_or_else(Fault::not_found)?;
    let command =
        MarkLesson { learner: who.0.learner, programme: id.clone(), lesson: slug.clone(), done: form.done == "yes", at: app.now() };
    app.store.run(command).await?;
    Ok(Redirect::to(&format!("/programmes/{id}/lessons/{slug}#done")).into_response())
}
