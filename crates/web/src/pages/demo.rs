//! What only a demonstration has: ways in, the outbox, the clock. These routes do not exist in a real server.

use askama::Template;
use assay_core::{
    ids::{PersonId, Secret128},
    mail::Mail,
};
use assay_store::commands::Introduce;
use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
};

use super::plain::Moment;
use crate::{
    App, Demo, SamplePerson,
    error::Fault,
    frame::{Frame, page},
    session::{SESSION_SECONDS, Visitor, session_cookie, token_hash},
};

fn demo(app: &App) -> Result<&dyn Demo, Fault> {
    app.demo.as_deref().ok_or_else(Fault::not_found)
}

#[derive(Template)]
#[template(path = "demo.html")]
struct WaysIn<'a> {
    frame: Frame,
    people: &'a [SamplePerson],
    now: Moment,
}

/// `GET /demo`.
pub(crate) async fn ways_in(State(app): State<App>, visitor: Visitor) -> Result<Response, Fault> {
    let people = demo(&app)?.people();
    page(&WaysIn { frame: Frame::new(&app, &visitor, "Ways into the demonstration").scripted(), people, now: app.now().into() })
}

/// A mail on the page, its links as links.
struct Shown {
    at: String,
    mail: Mail,
    parts: Vec<(bool, String)>,
}

#[derive(Template)]
#[template(path = "outbox.html")]
struct OutboxPage {
    frame: Frame,
    base: String,
    mails: Vec<Shown>,
}

/// Splits a text into pieces that are links of this server (as paths) and pieces that are not.
fn linked(text: &str, base: &str) -> Vec<(bool, String)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(base) {
        let (before, from) = rest.split_at(at);
        let end = from.find(char::is_whitespace).unwrap_or(from.len());
        parts.push((false, before.to_owned()));
        parts.push((true, from[base.len()..end].to_owned()));
        rest = &from[end..];
    }
    parts.push((false, rest.to_owned()));
    parts
}

/// `GET /demo/outbox`.
pub(crate) async fn outbox(State(app): State<App>, visitor: Visitor) -> Result<Response, Fault> {
    let base = &app.settings.base_url;
    let shown = |(at, mail): (assay_core::UtcMillis, Mail)| Shown { at: at.full(), parts: linked(&mail.text, base), mail };
    let mails = demo(&app)?.mails().into_iter().map(shown).collect();
    page(&OutboxPage { frame: Frame::new(&app, &visitor, "Outbox"), base: base.clone(), mails })
}

/// `POST /demo/as/{who}`.
pub(crate) async fn become_sample(State(app): State<App>, Path(who): Path<String>) -> Result<Response, Fault> {
    let person = demo(&app)?.people().iter().find(|p| p.slug == who).ok_or_else(Fault::not_found)?;
    let session = Secret128::random(&*app.chance);
    let command = Introduce {
        issuer: app.issuer_id,
        address: person.address.clone(),
        new_person: PersonId::random(&*app.chance),
        session_hash: token_hash(&session),
        session_expires_at: app.now().plus_seconds(SESSION_SECONDS),
        at: app.now(),
    };
    app.store.run(command).await?;
    Ok(([(header::SET_COOKIE, session_cookie(&app, Some(&session)))], Redirect::to("/me")).into_response())
}

/// `POST /demo/clock`.
pub(crate) async fn day_ahead(State(app): State<App>) -> Result<Response, Fault> {
    demo(&app)?.day_ahead();
    app.bell.ring();
    Ok(Redirect::to("/demo").into_response())
}

#[cfg(test)]
mod tests {
    use super::linked;

    #[test]
    fn links_of_this_server_become_links() {
        let parts = linked("Open\n\nhttp://h/sign-in/abc\n\nnow", "http://h");
        assert_eq!(parts, [(false, "Open\n\n".into()), (true, "/sign-in/abc".into()), (false, "\n\nnow".into())]);
    }
}
