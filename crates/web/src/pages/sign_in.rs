//! Sign-in by a mailed one-time link. The link opens a page whose button uses it up: mail scanners follow links, they press no
//! buttons. Known and unknown addresses get the same answer.

use askama::Template;
use assay_core::{
    entry::normalise_address,
    ids::{PersonId, Secret128},
    mail::Mail,
};
use assay_store::{
    commands::{CloseSession, ConsumeSignIn, RequestSignIn, TokenHash},
    queries::LinkAddress,
};
use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    limits::{Limits, Place, Way},
    session::{SESSION_SECONDS, Visitor, session_cookie, token, token_hash},
};

/// How long a link works.
const LINK_MINUTES: i64 = 15;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Ask {
    frame: Frame,
    next: String,
    address: String,
    error: Option<String>,
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// A path on this server and nothing else: an address elsewhere would make the link a way to lead people astray.
fn safe_next(next: &str) -> String {
    let sound =
        next.starts_with('/') && !next.starts_with("//") && next.len() <= 300 && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if sound { next.to_owned() } else { "/me".to_owned() }
}

/// `GET /sign-in`.
pub(crate) async fn ask(State(app): State<App>, visitor: Visitor, Query(query): Query<Next>) -> Result<Response, Fault> {
    page(&Ask { frame: Frame::new(&app, &visitor, "Sign in"), next: safe_next(&query.next), address: String::new(), error: None })
}

/// The sign-in form.
#[derive(Deserialize)]
pub(crate) struct AskForm {
    address: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in_sent.html")]
struct Sent {
    frame: Frame,
    address: String,
    minutes: i64,
}

/// `POST /sign-in`.
pub(crate) async fn send(State(app): State<App>, place: Place, visitor: Visitor, Form(form): Form<AskForm>) -> Result<Response, Fault> {
    let address = match normalise_address(&form.address) {
        Ok(address) => address,
        Err(bad) => {
            let frame = Frame::new(&app, &visitor, "Error: Sign in");
            let mut response = page(&Ask { frame, next: safe_next(&form.next), address: form.address, error: Some(bad.to_string()) })?;
            *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
    };
    place.take_shared(&app, Way::AskForLink).await?;
    // By place and address, so that a stranger cannot lock an address out by asking for links to it.
    Limits::take_shared(&app, Way::MailTo, &format!("{address} {}", place.0)).await?;
    Limits::take_shared(&app, Way::MailToAnywhere, &address).await?;
    let token = Secret128::random(&*app.chance);
    let (at, expires_at) = (app.now(), app.now().plus_seconds(LINK_MINUTES * 60));
    let mail = link_mail(&app, &address, &token);
    let mail = app.mail_job(&mail, format!("sign-in/{}/{}", hex(&address_mac(&app, &address)), hex(&token_hash(&token))), None)?;
    let command = RequestSignIn {
        issuer: app.issuer_id,
        address: address.clone(),
        token_hash: token_hash(&token),
        next_path: safe_next(&form.next),
        at,
        expires_at,
        mail,
    };
    app.store.run(command).await?;
    app.bell.ring();
    page(&Sent { frame: Frame::new(&app, &visitor, "Look into your mail"), address, minutes: LINK_MINUTES })
}

fn hex(bytes: &TokenHash) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn link_mail(app: &App, address: &str, token: &Secret128) -> Mail {
    let (issuer, base) = (&app.settings.issuer_name, &app.settings.base_url);
    let text = format!(
        "Open this link to sign in at {issuer}:\n\n{base}/sign-in/{token}\n\n\
         It works once, for {LINK_MINUTES} minutes.\n\n\
         If you did not ask for it, do nothing: nobody gets in without this mail.\n"
    );
    let useless_after = Some(app.now().plus_seconds(LINK_MINUTES * 60));
    Mail { to: address.to_owned(), subject: format!("Sign in at {issuer}"), text, calendar: None, useless_after }
}

#[derive(Template)]
#[template(path = "sign_in_confirm.html")]
struct Confirm {
    frame: Frame,
    token: String,
    address: String,
}

fn spent() -> Fault {
    Fault::new(
        axum::http::StatusCode::GONE,
        "This link does not work any more",
        format!("A sign-in link works once, for {LINK_MINUTES} minutes. Ask for a new one."),
    )
    .way_out("/sign-in", "Ask for a new link")
}

/// `GET /sign-in/{token}`.
pub(crate) async fn confirm(State(app): State<App>, place: Place, visitor: Visitor, Path(token): Path<String>) -> Result<Response, Fault> {
    place.take_shared(&app, Way::TryLink).await?;
    let token = Secret128::parse(&token).ok_or_else(spent)?;
    let query = LinkAddress { issuer: app.issuer_id, token_hash: token_hash(&token), at: app.now() };
    let address = match app.store.read(query).await? {
        Some(address) => address,
        // Whoever goes back to the mail after signing in is where they wanted to be.
        None if visitor.0.is_some() => return Ok(Redirect::to("/me").into_response()),
        None => return Err(spent()),
    };
    page(&Confirm { frame: Frame::new(&app, &visitor, "Sign in"), token: token.to_string(), address })
}

/// Keyed hash of an address: by it a wait outlives an erased account.
pub(crate) fn address_mac(app: &App, address: &str) -> TokenHash {
    assay_core::entry::address_mac(&app.secret, address)
}

/// `POST /sign-in/{token}`.
pub(crate) async fn consume(State(app): State<App>, place: Place, Path(token): Path<String>) -> Result<Response, Fault> {
    place.take_shared(&app, Way::TryLink).await?;
    let token = Secret128::parse(&token).ok_or_else(spent)?;
    let query = LinkAddress { issuer: app.issuer_id, token_hash: token_hash(&token), at: app.now() };
    let address = app.store.read(query).await?.ok_or_else(spent)?;
    let session = Secret128::random(&*app.chance);
    let command = ConsumeSignIn {
        issuer: app.issuer_id,
        token_hash: token_hash(&token),
        new_person: PersonId::random(&*app.chance),
        address_mac: address_mac(&app, &address),
        session_hash: token_hash(&session),
        session_expires_at: app.now().plus_seconds(SESSION_SECONDS),
        at: app.now(),
    };
    let (_, next) = app.store.run(command).await?.ok_or_else(spent)?;
    Ok(([(header::SET_COOKIE, session_cookie(&app, Some(&session)))], Redirect::to(&next)).into_response())
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Fault> {
    if let Some(token) = token(&app, &headers) {
        app.store.run(CloseSession { token_hash: token_hash(&token) }).await?;
    }
    Ok(([(header::SET_COOKIE, session_cookie(&app, None))], Redirect::to("/")).into_response())
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn a_sign_in_leads_nowhere_else() {
        assert_eq!(safe_next("/programmes/serverless"), "/programmes/serverless");
        for elsewhere in ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nb", "javascript:alert(1)"] {
            assert_eq!(safe_next(elsewhere), "/me", "{elsewhere}");
        }
    }
}
