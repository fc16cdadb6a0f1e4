//! `/verify`: paste a link or a document, drop files, several at once; every check is named with its outcome.

use askama::Template;
use assay_badge::{Outcome, Report, Verdict, VerifyOptions};
use assay_core::{badge::Visibility, ids::Secret128};
use assay_store::queries::BadgeById;
use axum::{
    body::Bytes,
    extract::{Multipart, State},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;

use crate::{
    App,
    error::Fault,
    frame::{Frame, page},
    limits::{Place, Way},
    pages::issuer::list_bytes,
    session::Visitor,
};

/// Most badges verified at once.
const MOST: usize = 20;
const FILE_BYTES: usize = 10 * 1024 * 1024;
const LINK_BYTES: usize = 2000;

/// One thing that was verified.
struct Verified {
    name: String,
    class: &'static str,
    verdict: &'static str,
    words: String,
    report: Option<Report>,
    error: Option<String>,
    /// A link elsewhere, to be fetched on a press of a button.
    elsewhere: Option<String>,
}

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    frame: Frame,
    results: Vec<Verified>,
    link: String,
}

fn outcome_words(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::NotChecked => "could not be checked",
    }
}

/// The verdict in plain words: class, heading, sentence.
fn verdict_words(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Valid => ("valid", "Valid", "Signed by this issuer, unchanged since, not revoked and not expired."),
        Verdict::ValidStatusUnchecked => (
            "open",
            "Valid, status not checked",
            "Signed by this issuer and unchanged since; whether it was revoked could not be looked up.",
        ),
        Verdict::SelfConsistentOnly => (
            "open",
            "Self-consistent only",
            "Unchanged since it was signed, but this server cannot say who signed it: the issuer is not one it knows.",
        ),
        Verdict::NotValid => ("failed", "Not valid", "At least one check failed; it is named below."),
        Verdict::CannotDecide => ("open", "Cannot be decided", "A check that is needed could not be made; it is named below."),
        Verdict::Unreadable => ("failed", "Not readable as a badge", "There is no Open Badge in this that could be read."),
    }
}

/// `GET /verify`.
pub(crate) async fn form(State(app): State<App>, visitor: Visitor) -> Result<Response, Fault> {
    page(&VerifyPage { frame: Frame::new(&app, &visitor, "Verify a badge").scripted(), results: Vec::new(), link: String::new() })
}

/// What was sent.
#[derive(Default)]
struct Sent {
    links: Vec<String>,
    fetch: String,
    documents: Vec<(String, Bytes)>,
}

fn unread(error: axum::extract::multipart::MultipartError) -> Fault {
    let words = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "The upload is larger than 24 MB. Send fewer or smaller files.",
        _ => "The upload was cut off, or is not in the shape that a browser sends. Load the page again and send it once more.",
    };
    // An upload that breaks off is no fault of ours.
    let status = if error.status().is_server_error() { StatusCode::BAD_REQUEST } else { error.status() };
    Fault::new(status, "The upload could not be read", words)
}

/// The id of a badge, as people type it.
fn bare_id(text: &str) -> Option<String> {
    (text.len() == 26 && text.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| text.to_ascii_lowercase())
}

/// What people paste where the document belongs: a link, or the bare id of a badge.
fn is_link(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let one = text.len() <= LINK_BYTES && !text.contains(char::is_whitespace);
    one && (begins("https://") || begins("http://")) || bare_id(text).is_some()
}

async fn read(mut body: Multipart) -> Result<Sent, Fault> {
    let (mut sent, mut parts) = (Sent::default(), 0);
    while let Some(field) = body.next_field().await.map_err(unread)? {
        let (name, file) = (field.name().unwrap_or_default().to_owned(), field.file_name().map(str::to_owned));
        parts += 1;
        if parts > MOST + 5 {
            return Err(Fault::bad(format!("At most {MOST} badges at once. Send the rest afterwards.")));
        }
        let bytes = field.bytes().await.map_err(unread)?;
        if bytes.len() > if matches!(name.as_str(), "link" | "fetch") { LINK_BYTES } else { FILE_BYTES } {
            return Err(Fault::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too large",
                "A badge is at most 10 MB, a link at most 2,000 characters.",
            ));
        }
        let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
        match (name.as_str(), file) {
            ("link", _) if !text().is_empty() => sent.links.push(text()),
            ("fetch", _) => sent.fetch = text(),
            ("text", _) if is_link(&text()) => sent.links.push(text()),
            ("text", _) if !text().is_empty() => sent.documents.push(("the pasted text".to_owned(), bytes)),
            ("file", Some(file)) if !bytes.is_empty() => sent.documents.push((file.chars().take(80).collect(), bytes)),
            _ => {}
        }
    }
    Ok(sent)
}

/// `POST /verify`.
pub(crate) async fn verify(State(app): State<App>, place: Place, visitor: Visitor, body: Multipart) -> Result<Response, Fault> {
    place.take(&app, Way::Verify)?;
    let _permit = app.may_verify()?;
    let sent = read(body).await?;
    if sent.documents.len() > MOST {
        return Err(Fault::bad(format!("At most {MOST} badges at once; this was {}. Send the rest afterwards.", sent.documents.len())));
    }
    let mut results = Vec::new();
    for address in &sent.links {
        results.push(link(&app, &visitor, address, !sent.fetch.is_empty()).await?);
    }
    for (name, bytes) in sent.documents {
        results.push(check(&app, name, bytes).await?);
    }
    if results.is_empty() {
        results.push(refused(String::new(), "Nothing was sent: paste a link or a badge, or choose a file.".into()));
    }
    page(&VerifyPage {
        frame: Frame::new(&app, &visitor, "Verify a badge: result").scripted(),
        results,
        link: sent.links.into_iter().next().unwrap_or_default(),
    })
}

fn refused(name: String, words: String) -> Verified {
    Verified { name, class: "failed", verdict: "Not checked", words: String::new(), report: None, error: Some(words), elsewhere: None }
}

/// A link of this server is looked up here; one elsewhere is fetched only when the button was pressed.
async fn link(app: &App, visitor: &Visitor, link: &str, fetch: bool) -> Result<Verified, Fault> {
    // A bare id is the end of one of our links.
    let id = bare_id(link);
    let own = id.as_deref().or_else(|| link.strip_prefix(&app.settings.base_url).and_then(|path| path.strip_prefix("/b/")));
    if let Some(rest) = own {
        let id = rest.split(['.', '?', '#', '/']).next().and_then(Secret128::parse);
        let badge = match id {
            Some(badge_id) => app.store.read(BadgeById { issuer: app.issuer_id, badge_id }).await?,
            None => None,
        };
        let may = |b: &assay_store::queries::Badge| {
            b.visibility != Visibility::OnlyMe || visitor.0.as_ref().is_some_and(|p| p.learner.person == b.person)
        };
        return match badge.filter(may) {
            Some(b) if b.withdrawn_at.is_some() => Ok(refused(link.to_owned(), "The person who earned this badge withdrew it.".into())),
            Some(b) => match b.document {
                Some(document) => check(app, link.to_owned(), document.into()).await,
                None => Ok(refused(link.to_owned(), "This badge is not signed yet. Try again in a minute.".into())),
            },
            None => Ok(refused(link.to_owned(), "There is no badge at this address, or its holder does not share it.".into())),
        };
    }
    if !link.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return Ok(refused(
            link.to_owned(),
            format!(
                "This is not a link to a badge. A link of this server begins with {}/b/, one elsewhere with https://.",
                app.settings.base_url
            ),
        ));
    }
    if !fetch {
        let words = "This link leads to another server, which would see that it is being looked at. Press the button to fetch it, or drop the badge's file here instead.";
        return Ok(Verified { elsewhere: Some(link.to_owned()), ..refused(link.to_owned(), words.into()) });
    }
    match app.egress.get(link).await {
        Ok(bytes) => check(app, link.to_owned(), bytes.into()).await,
        Err(words) => Ok(refused(link.to_owned(), words)),
    }
}

/// Verifies with this server's keys and its own status lists; the same code as on the command line.
pub(crate) async fn report(app: &App, bytes: Bytes) -> Result<Report, Fault> {
    let trust = [app.issuer.history.clone()];
    let now = Timestamp::from_millisecond(app.now().0).map_err(|e| Fault::internal(e.to_string()))?;
    let (app, runtime) = (app.clone(), tokio::runtime::Handle::current());
    let verify = move || {
        let status = |url: &str| {
            let list = url.strip_prefix(&app.settings.base_url)?.strip_prefix("/status/")?.parse().ok()?;
            runtime.block_on(list_bytes(&app, list)).ok()
        };
        assay_badge::verify(&bytes, &VerifyOptions::new(now, &trust, &status))
    };
    tokio::task::spawn_blocking(verify).await.map_err(|e| Fault::internal(e.to_string()))
}

async fn check(app: &App, name: String, bytes: Bytes) -> Result<Verified, Fault> {
    let report = report(app, bytes).await?;
    let (class, verdict, words) = verdict_words(report.verdict);
    let failed = report.checks.iter().find(|c| c.outcome == Outcome::Failed).map(|c| c.words.clone());
    let words = failed.unwrap_or_else(|| words.to_owned());
    Ok(Verified { name, class, verdict, words, report: Some(report), error: None, elsewhere: None })
}
