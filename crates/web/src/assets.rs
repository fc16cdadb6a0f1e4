//! Style and script: embedded, under addresses that change with their content. One stylesheet a page, its last lines the
//! programme's colours, so that a cold question page costs four requests.

use std::sync::LazyLock;

use assay_core::programme::Programme;
use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::{App, error::Fault};

const STYLE: &str = include_str!("../assets/assay.css");
const SCRIPT: &str = include_str!("../assets/assay.js");
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The hash of a text and what is added to it.
fn short_hash(text: &Sha256, more: &[&str]) -> String {
    let mut digest = text.clone();
    more.iter().for_each(|part| digest.update(part));
    digest.finalize().iter().take(6).map(|b| format!("{b:02x}")).collect()
}

fn style_of(programme: Option<&Programme>) -> String {
    let Some(p) = programme else { return STYLE.to_owned() };
    let (light, dark) = (colour(&p.accent), colour(&p.accent_dark));
    format!("{STYLE}:root{{--accent:{light}}}@media(prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n")
}

/// A colour as a pack may give it, or the house's: nothing else gets into a stylesheet.
fn colour(text: &str) -> &str {
    let sound = text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|b| b.is_ascii_hexdigit());
    if sound { text } else { "#0b6e5f" }
}

/// Address of the stylesheet.
pub(crate) fn style_address(programme: Option<&Programme>) -> String {
    // Every page names it: the long part is hashed once.
    static HASHED: LazyLock<Sha256> = LazyLock::new(|| Sha256::new_with_prefix(STYLE));
    static PLAIN: LazyLock<String> = LazyLock::new(|| format!("/assets/assay-{}.css", short_hash(&HASHED, &[])));
    match programme {
        None => PLAIN.clone(),
        Some(p) => format!("/assets/{}-{}.css", p.id, short_hash(&HASHED, &[&p.accent, &p.accent_dark])),
    }
}

/// Address of the script.
pub(crate) fn script_address() -> String {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| format!("/assets/assay-{}.js", short_hash(&Sha256::new_with_prefix(SCRIPT), &[])));
    ADDRESS.clone()
}

fn lasting(kind: &'static str, body: String) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, FOR_EVER)], body).into_response()
}

/// `GET /assets/{name}`. An older hash gets today's content: a page that was open over an upgrade stays usable.
pub(crate) async fn asset(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Fault> {
    let stem = |ending| name.strip_suffix(ending).and_then(|s| s.rsplit_once('-')).map(|(stem, _)| stem);
    if stem(".js") == Some("assay") {
        return Ok(lasting("text/javascript; charset=utf-8", SCRIPT.to_owned()));
    }
    match stem(".css") {
        Some("assay") => Ok(lasting("text/css; charset=utf-8", style_of(None))),
        Some(programme) => Ok(lasting("text/css; charset=utf-8", style_of(Some(&app.programme_ever(programme)?.0.programme)))),
        None => Err(Fault::not_found()),
    }
}

/// `GET /favicon.svg`.
pub(crate) async fn favicon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], assay_art::favicon_svg()).into_response()
}
