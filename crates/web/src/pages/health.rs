//! For whoever watches the server: does it live, is it ready. Neither says anything about persons, neither is ever shed.

use std::time::Duration;

use assay_store::{StoreError, commands::ProveDurable, queries::IsThere};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout};

use crate::App;

/// A durable write is proved at most this often, however often one asks.
const PROVE_EVERY: Duration = Duration::from_secs(2);
/// What is not done by then is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// What only the program knows of itself; each in words, when something is wrong.
pub trait Vitals: Send + Sync {
    /// The worker after the answers: does it work?
    fn worker(&self) -> Result<(), String>;
    /// Do journal and database agree? Where they do not, badges and mails wait.
    fn journal(&self) -> Result<(), String>;
    /// Can the clock be trusted?
    fn clock(&self) -> Result<(), String>;
}

/// `GET /healthz`: the process answers.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 when everything is well; else 503, and what is not.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let (reads, writes) = tokio::join!(reads(&app), writes(&app));
    let mut checks = vec![("reads", reads), ("durable_writes", writes)];
    if let Some(vitals) = app.vitals() {
        checks.extend([("worker", vitals.worker()), ("journal", vitals.journal()), ("clock", vitals.clock())]);
    }
    let ready = checks.iter().all(|(_, check)| check.is_ok());
    let words = |(name, check): (&str, Result<(), String>)| (name.to_owned(), Value::from(check.err().unwrap_or_else(|| "ok".to_owned())));
    let checks: Map<String, Value> = checks.into_iter().map(words).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "checks": checks }))).into_response()
}

async fn in_time<T>(doing: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match timeout(PATIENCE, doing).await {
        Ok(done) => done.map_err(|e| {
            // A driver's words may say more than a stranger should read.
            tracing::error!(error = %e, "not ready");
            match e {
                StoreError::Busy => "too many writes wait".to_owned(),
                StoreError::Closed => "the database is closed".to_owned(),
                _ => "the database reports an error; the log has it".to_owned(),
            }
        }),
        Err(_) => Err(format!("no answer from the database within {} s", PATIENCE.as_secs())),
    }
}

async fn reads(app: &App) -> Result<(), String> {
    let there = in_time(app.store.read(IsThere { issuer: app.issuer_id })).await?;
    if there { Ok(()) } else { Err("the issuer is not in the database".to_owned()) }
}

/// Something was written through to the disk in the last seconds.
async fn writes(app: &App) -> Result<(), String> {
    // One at a time; whoever waits takes the same answer. A proof that hangs is waited for by all who ask, and none is begun beside it.
    let Ok(mut proved) = timeout(PATIENCE, app.proved().lock_owned()).await else {
        return Err(format!("no answer from the database for more than {} s", PATIENCE.as_secs()));
    };
    if proved.is_some_and(|at| at.elapsed() < PROVE_EVERY) {
        return Ok(());
    }
    let proving = app.store.clone();
    let prove = ProveDurable { issuer: app.issuer_id, mark: app.chance.bytes() };
    // In a task of its own, which keeps the lock until it knows.
    let proof = tokio::spawn(async move {
        proving.run(prove).await?;
        *proved = Some(Instant::now());
        Ok(())
    });
    in_time(async { proof.await.unwrap_or(Err(StoreError::Closed)) }).await
}
