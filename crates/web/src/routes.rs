//! Every URL of the server, in one place.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer};

use crate::{App, assets, compress, guard, pages::*, shed, told};

/// Largest body of an ordinary form, in bytes.
const FORM_BYTES: usize = 64 * 1024;
/// Largest upload to the verifier: several badges at once.
const UPLOAD_BYTES: usize = 24 * 1024 * 1024;

/// The server as a router.
pub fn app(app: App) -> Router {
    let mut router = Router::new()
        // What anyone may read.
        .route("/", get(home::home))
        .route("/programmes/{programme}", get(programme::programme))
        .route("/programmes/{programme}/standard", get(programme::standard))
        .route("/programmes/{programme}/badge.svg", get(programme::art))
        .route("/programmes/{programme}/glossary", get(programme::glossary))
        .route("/programmes/{programme}/lessons/{lesson}", get(lesson::lesson).post(lesson::mark))
        // Signing in.
        .route("/sign-in", get(sign_in::ask).post(sign_in::send))
        .route("/sign-in/{token}", get(sign_in::confirm).post(sign_in::consume))
        .route("/sign-out", post(sign_in::sign_out))
        // The learner.
        .route("/me", get(me::me))
        .route("/me/page", get(me::page_form).post(me::set_page))
        .route("/me/data", get(data::data))
        .route("/me/data/export", get(data::export))
        .route("/me/data/erase", post(data::erase))
        .route("/me/badges/{badge}", get(holder::holder).post(holder::set))
        .route("/me/badges/{badge}/name", post(holder::correct))
        // The assessment.
        .route("/programmes/{programme}/assessment", get(assessment::conditions).post(assessment::begin))
        .route("/attempts/{attempt}", get(assessment::resume))
        .route("/attempts/{attempt}/questions/{position}", get(question::question).post(question::without_scripts))
        .route("/attempts/{attempt}/questions/{position}/answer", post(question::answer))
        .route("/attempts/{attempt}/questions/{position}/flag", post(question::flag))
        .route("/attempts/{attempt}/questions/{position}/report", get(report::form).post(report::report))
        .route("/attempts/{attempt}/review", get(review::review))
        .route("/attempts/{attempt}/submit", get(review::confirm).post(review::submit))
        .route("/attempts/{attempt}/result", get(result::result))
        .route("/attempts/{attempt}/retake.ics", get(result::calendar))
        // Whoever verifies.
        .route("/b/{badge}", get(badge::badge))
        .route("/p/{handle}", get(badge::person))
        .route("/verify", get(verify::form).post(verify::verify).layer(DefaultBodyLimit::max(UPLOAD_BYTES)))
        .route("/status/{list}", get(issuer::status_list))
        .route("/issuer/keys.json", get(issuer::keys))
        .route("/.well-known/did.json", get(issuer::did))
        // Machinery.
        .route("/assets/{name}", get(assets::asset))
        .route("/favicon.svg", get(assets::favicon))
        .route("/robots.txt", get(issuer::robots))
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::ready));
    if app.demo.is_some() {
        router = router
            .route("/demo", get(demo::ways_in))
            .route("/demo/outbox", get(demo::outbox))
            .route("/demo/as/{who}", post(demo::become_sample))
            .route("/demo/clock", post(demo::day_ahead));
    }
    // Behind a proxy that rewrites Host, the public address still counts as ours.
    let csrf = CsrfLayer::new().add_trusted_origin(&app.settings.base_url).unwrap_or_else(|_| CsrfLayer::new());
    // One after another from the outside in, as one layer: each that the router is given by itself becomes a boxed service of its own, copied
    // and allocated for every request.
    let around = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), told::tell))
        .layer(from_fn(compress::compress))
        .layer(from_fn_with_state(app.clone(), guard::headers))
        .layer(from_fn_with_state(app.clone(), guard::faults))
        .layer(from_fn_with_state(app.clone(), shed::shed))
        .layer(from_fn_with_state(app.clone(), guard::body_in_time))
        .layer(CatchPanicLayer::new())
        .layer(csrf)
        .layer(DefaultBodyLimit::max(FORM_BYTES));
    router.layer(around).with_state(app)
}
