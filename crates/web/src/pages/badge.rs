//! `/b/{id}`: valid or not, who, when, by whom, what was tested and how; machine-readable at the same address. And a person's page.

use askama::Template;
use assay_art::{BadgePicture, Hallmark, badge_svg, hallmark, raster};
use assay_badge::{Outcome, Report, Status, Verdict};
use assay_core::{badge::Visibility, ids::Secret128, programme::Programme};
use assay_store::queries::{Badge, BadgeById, PublicPage};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::{holder::assurance, verify::report};
use crate::{
    App,
    error::Fault,
    frame::{Card, Frame, page},
    limits::{Place, Way},
    session::Visitor,
};

/// Side of the PNG, in pixels.
const PIXELS: u32 = 600;
/// Seconds for which a verification of a public page is kept.
const REPORT_SECONDS: i64 = 60;

/// What the page says first.
struct Standing {
    class: &'static str,
    word: &'static str,
    words: String,
}

#[derive(Template)]
#[template(path = "badge.html")]
struct BadgePage<'a> {
    frame: Frame,
    id: &'a str,
    p: &'a Programme,
    name: &'a str,
    issuer: &'a str,
    issuer_id: &'a str,
    day: String,
    until: Option<String>,
    state: Standing,
    score: Option<String>,
    conditions: Vec<String>,
    demonstration: bool,
    hallmark: String,
    public_url: String,
    only_me: bool,
}

/// What our own verifier says of the document, in words for a passer-by.
async fn standing(app: &App, badge: &Badge, document: &str) -> Result<Standing, Fault> {
    // Kept for a while, so that a badge that many look at is verified once a minute.
    let (revision, is_revoked) = (badge.signed_revision.unwrap_or(0), badge.revoked_at.is_some());
    let name = format!("report/{}/{revision}/{is_revoked}/{}", badge.badge_id, app.is_held());
    let report: Report = match app.kept(&name, REPORT_SECONDS) {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| Fault::internal(e.to_string()))?,
        None => {
            let report = report(app, document.to_owned().into()).await?;
            app.put(&name, serde_json::to_vec(&report).map_err(|e| Fault::internal(e.to_string()))?);
            report
        }
    };
    let failed = || report.checks.iter().find(|c| c.outcome == Outcome::Failed).map_or_else(String::new, |c| c.words.clone());
    Ok(match (report.verdict, report.status, badge.revoked_at) {
        // The list that is published may be some seconds older than the database.
        (_, _, Some(at)) => Standing {
            class: "revoked",
            word: "Revoked",
            words: format!("The issuer took this badge back on {}. It is not valid any more.", at.day()),
        },
        (_, Status::Expired, _) => {
            Standing { class: "expired", word: "Expired", words: "The time for which this badge was given is over.".to_owned() }
        }
        (Verdict::Valid, ..) => Standing {
            class: "valid",
            word: "Valid",
            words: "The signature was checked within the last minute: signed by this issuer, unchanged since, not revoked, not expired."
                .to_owned(),
        },
        (Verdict::NotValid, ..) => Standing { class: "revoked", word: "Not valid", words: failed() },
        _ => Standing {
            class: "expired",
            word: "Not decided",
            words: "A check that is needed could not be made. Try again in a moment.".to_owned(),
        },
    })
}

/// What a badge's picture and hallmark are drawn from: its own id and revision, nothing secret.
fn picture_seed(badge: &Badge) -> [u8; 32] {
    Sha256::digest(format!("{}/{}", badge.badge_id, badge.revision)).into()
}

/// The picture of one credential, without the credential.
fn picture(app: &App, badge: &Badge, p: &Programme) -> String {
    let day = badge.awarded_at.rfc3339()[..10].to_owned();
    badge_svg(&BadgePicture {
        art_svg: &p.badge.art_svg,
        title: &p.badge.title,
        ribbon: match (app.issuer.demonstration, p.questions_public) {
            (true, _) => Some("DEMONSTRATION"),
            (false, true) => Some("PRACTICE"),
            (false, false) => None,
        },
        accent: &p.accent,
        seed: picture_seed(badge),
        date: &day,
        issuer: &app.settings.issuer_name,
    })
}

fn withdrawn() -> Fault {
    Fault::new(
        StatusCode::GONE,
        "Withdrawn by its holder",
        "The person who earned this badge withdrew it. Nothing more is known about it here.",
    )
    .way_out("/", "To the start page")
}

/// A badge this visitor may see. Its holder sees it always; others when it is shared.
async fn visible(app: &App, visitor: &Visitor, id: &str) -> Result<Badge, Fault> {
    let badge_id = Secret128::parse(id).ok_or_else(Fault::not_found)?;
    let badge = app.store.read(BadgeById { issuer: app.issuer_id, badge_id }).await?.ok_or_else(Fault::not_found)?;
    let own = visitor.0.as_ref().is_some_and(|p| p.learner.person == badge.person);
    match badge {
        // One that was never shared never existed for anybody else.
        b if b.withdrawn_at.is_some() && b.visibility != Visibility::OnlyMe => Err(withdrawn()),
        b if own || b.visibility != Visibility::OnlyMe => Ok(b),
        _ => Err(Fault::not_found()),
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let first = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    for kind in first {
        match kind {
            "text/html" | "application/xhtml+xml" => return false,
            "application/json" | "application/ld+json" | "application/vc" | "application/vc+ld+json" => return true,
            _ => {}
        }
    }
    false
}

/// `GET /b/{badge}`, with `.json`, `.png`, `.svg`.
pub(crate) async fn badge(
    State(app): State<App>,
    place: Place,
    Path(name): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let (id, ending) = name.split_once('.').unwrap_or((&name, ""));
    let badge = visible(&app, &visitor, id).await?;
    let document = badge.document.clone().ok_or_else(|| {
        if let Some(at) = badge.revoked_at {
            return Fault::new(
                StatusCode::GONE,
                "Revoked",
                format!("The issuer took this badge back on {}, before it was signed.", at.day()),
            );
        }
        let words =
            "The badge was earned and is being signed. That takes seconds, at most days where a person looks at it. Come back shortly.";
        Fault { retry_after: Some(5), ..Fault::new(StatusCode::SERVICE_UNAVAILABLE, "Not signed yet", words) }
    })?;
    match ending {
        "" if wants_json(&headers) => Ok(([(header::VARY, "Accept")], json(document)).into_response()),
        "" => {
            place.take(&app, Way::Picture)?;
            html(&app, &visitor, &badge, &document).await
        }
        "json" => Ok(json(document)),
        "png" | "svg" => {
            place.take(&app, Way::Picture)?;
            let p = app.programme_version(&badge.programme, &badge.programme_version).await?;
            let picture = picture(&app, &badge, &p);
            let name = format!("{ending}/{}/{}", badge.badge_id, badge.signed_revision.unwrap_or(0));
            let png = ending == "png";
            let bytes = app.keep(&name, 3600, move || bake(&picture, &document, png)).await?;
            let kind = if png { "image/png" } else { "image/svg+xml" };
            Ok(([(header::CONTENT_TYPE, kind)], bytes.to_vec()).into_response())
        }
        _ => Err(Fault::not_found()),
    }
}

fn json(document: String) -> Response {
    let any = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    ([(header::CONTENT_TYPE, "application/vc+ld+json"), any], document).into_response()
}

fn bake(picture: &str, document: &str, png: bool) -> Result<Vec<u8>, Fault> {
    let internal = |e: &dyn std::fmt::Display| Fault::internal(e.to_string());
    if png {
        let flat = raster(picture, PIXELS).map_err(|e| internal(&e))?;
        return assay_badge::png(&flat, document).map_err(|e| internal(&e));
    }
    Ok(assay_badge::svg(picture, document).map_err(|e| internal(&e))?.into_bytes())
}

async fn html(app: &App, visitor: &Visitor, badge: &Badge, document: &str) -> Result<Response, Fault> {
    let p = app.programme_version(&badge.programme, &badge.programme_version).await?;
    let until = p.badge.valid_months.map(|m| badge.awarded_at.plus_months(m));
    let (id, base) = (badge.badge_id.to_string(), &app.settings.base_url);
    let public_url = format!("{base}/b/{id}");
    let name = badge.holder_name.clone().unwrap_or_default();
    let card = Card {
        title: format!("{} - {name}", p.badge.title),
        words: p.badge.description.clone(),
        image: format!("{public_url}.png"),
        url: public_url.clone(),
    };
    let seal = hallmark(picture_seed(badge), &Hallmark::default());
    let frame = Frame::new(app, visitor, format!("{} - {name}", p.badge.title)).of(&p).scripted().card(card);
    let mut response = page(&BadgePage {
        frame,
        id: &id,
        name: &name,
        issuer: &app.settings.issuer_name,
        issuer_id: &app.issuer.history.issuer,
        day: badge.awarded_at.day(),
        until: until.map(|u| u.day()),
        state: standing(app, badge, document).await?,
        score: badge.outcome.as_ref().filter(|_| badge.show_score).map(|o| format!("{} of {}", o.right, o.of)),
        conditions: assurance(&p, &badge.rules, app.issuer.demonstration).sentences(),
        demonstration: app.issuer.demonstration,
        hallmark: seal,
        public_url,
        only_me: badge.visibility == Visibility::OnlyMe,
        p: &p,
    })?;
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Accept"));
    Ok(response)
}

/// A badge on a person's page.
struct Listed {
    id: String,
    title: String,
    name: String,
    day: String,
    revoked: bool,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    handle: String,
    badges: Vec<Listed>,
}

/// `GET /p/{handle}`.
pub(crate) async fn person(State(app): State<App>, Path(handle): Path<String>, visitor: Visitor) -> Result<Response, Fault> {
    let badges = app.store.read(PublicPage { issuer: app.issuer_id, handle: handle.clone() }).await?.ok_or_else(Fault::not_found)?;
    let mut listed = Vec::new();
    for badge in badges.into_iter().filter(|b| b.document.is_some()) {
        let p = app.programme_version(&badge.programme, &badge.programme_version).await?;
        let name = badge.holder_name.clone().unwrap_or_default();
        listed.push(Listed {
            id: badge.badge_id.to_string(),
            title: p.badge.title.clone(),
            name,
            day: badge.awarded_at.day(),
            revoked: badge.revoked_at.is_some(),
        });
    }
    page(&PersonPage { frame: Frame::new(&app, &visitor, format!("Badges of {handle}")), handle, badges: listed })
}
