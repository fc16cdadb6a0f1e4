//! Figures for Prometheus, on an address of their own: is anybody losing answers?
//!
//! The rooms count by the `metrics` facade, which does nothing until a recorder is installed here, once, by `serve`. What can only be
//! asked (jobs that wait, the queue) is asked when the figures are read. No figure is about a person.

use std::{net::SocketAddr, time::Duration};

use assay_core::Clock;
use assay_store::{Store, queries::WaitingJobs};
use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};

use crate::{connections, failure::Failure, server};

/// Upper ends of the steps of all times, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The same of commands in one commit.
const COMMANDS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// Readers of figures at one time.
const READERS: usize = 32;
/// Figures that were not read for so long are folded together, so that they take no room.
const UPKEEP: Duration = Duration::from_secs(5);

/// Every figure with its meaning; counters begin at zero, so that an alarm on one that never moved is no gap.
const COUNTERS: [(&str, &str); 12] = [
    ("assay_answers_saved_total", "Answers that were acknowledged as saved, after they were on the disk."),
    (
        "assay_answers_refused_total",
        "Answers that were not saved, by reason: conflict (a newer one stands), closed (attempt over), no-such-question, busy (queue full), unavailable (database).",
    ),
    ("assay_replays_total", "Transactions that met another one on PostgreSQL and were replayed."),
    ("assay_primary_changes_total", "Times that another PostgreSQL server was found to be the primary."),
    ("assay_commits_failed_total", "Transactions of the writer that failed; nothing of them was acknowledged."),
    ("assay_badges_issued_total", "Badges signed and stored."),
    ("assay_jobs_total", "Jobs that were worked on, by kind and outcome: done, later, clock, held, given-up."),
    ("assay_mails_total", "Mails handed over, by outcome: sent, not-taken, refused, unwritable."),
    ("assay_shed_total", "Requests answered 503 because others come first, by class; a full queue is in assay_answers_refused_total."),
    ("assay_clock_alarms_total", "Times that the machine's clock was found wrong."),
    ("assay_connections_cut_total", "Connections ended by force, by why: slow-head, slow-read, too-long."),
    ("assay_connections_refused_total", "Connections refused because their address had too many."),
];
const GAUGES: [(&str, &str); 12] = [
    ("assay_write_queue", "Commands that wait to be written."),
    ("assay_write_queue_room", "Commands that may wait; the next is answered 503."),
    ("assay_jobs_open", "Jobs that are not done, by kind."),
    ("assay_jobs_troubled", "Of these, with an error on record."),
    ("assay_jobs_oldest_seconds", "How long the oldest job that is not done has been due, by kind."),
    ("assay_connections_open", "Connections that are open, the reader of this one too."),
    ("assay_clock_alarm", "1 while the machine's clock is not to be trusted."),
    ("assay_clock_apart_seconds", "By how much this clock is ahead of the database server's; below zero when it is behind."),
    ("assay_durability_given", "0 while the PostgreSQL server does not give the durability that the settings promise."),
    ("assay_signing_stopped", "1 while nothing is signed because of the clock."),
    ("assay_journal_alarm", "1 while journal and database do not agree: nothing is signed or mailed."),
    ("assay_database_answers", "1 when the database answered just now."),
];
const HISTOGRAMS: [(&str, &str); 3] = [
    ("assay_commit_seconds", "Time that the writer's transactions took, the sync included."),
    ("assay_commit_commands", "Commands in one transaction."),
    ("assay_request_seconds", "Time from a request's head to its answer's, by class."),
];
/// Reasons that are counted from the start, for the same purpose as the zeros.
const REFUSED: [&str; 5] = ["conflict", "closed", "no-such-question", "busy", "unavailable"];

/// Where figures are kept, and where they are read.
pub(crate) struct Figures {
    handle: PrometheusHandle,
    listener: TcpListener,
}

impl Figures {
    /// Counts from now on.
    pub(crate) async fn install(address: SocketAddr) -> Result<Self, Failure> {
        let listener = server::listen(address, "Write another `metrics` into the settings, or delete it.").await?;
        let cannot = |e: metrics_exporter_prometheus::BuildError| Failure::while_doing("figures cannot be kept", e);
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS).map_err(cannot)?;
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &COMMANDS).map_err(cannot)?;
        let handle = builder.install_recorder().map_err(cannot)?;
        COUNTERS.iter().for_each(|(name, words)| metrics::describe_counter!(*name, *words));
        GAUGES.iter().for_each(|(name, words)| metrics::describe_gauge!(*name, *words));
        HISTOGRAMS.iter().for_each(|(name, words)| metrics::describe_histogram!(*name, *words));
        for name in ["assay_answers_saved_total", "assay_commits_failed_total", "assay_badges_issued_total", "assay_clock_alarms_total"] {
            metrics::counter!(name).increment(0);
        }
        metrics::counter!("assay_primary_changes_total").increment(0);
        // Until a PostgreSQL server says otherwise; the embedded engine was asked when it was opened.
        metrics::gauge!("assay_durability_given").set(1.0);
        REFUSED.iter().for_each(|reason| metrics::counter!("assay_answers_refused_total", "reason" => *reason).increment(0));
        metrics::counter!("assay_shed_total", "class" => "browse").increment(0);
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "figures can be read by other machines");
        }
        Ok(Self { handle, listener })
    }

    /// Lets them be read until told to leave.
    pub(crate) async fn serve(self, store: Store, clock: Arc<dyn Clock>, leave: watch::Receiver<bool>) {
        let handle = self.handle.clone();
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP).await;
                handle.run_upkeep();
            }
        };
        let router = Router::new().route("/metrics", get(read)).with_state(Source { handle: self.handle.clone(), store, clock });
        tokio::select! {
            () = connections::serve(self.listener, router, connections::Limits::new(READERS, None), leave) => {}
            () = upkeep => {}
        }
    }
}

#[derive(Clone)]
struct Source {
    handle: PrometheusHandle,
    store: Store,
    clock: Arc<dyn Clock>,
}

/// `GET /metrics`.
async fn read(State(source): State<Source>) -> impl IntoResponse {
    let (waits, room) = source.store.queue();
    metrics::gauge!("assay_write_queue").set(waits as f64);
    metrics::gauge!("assay_write_queue_room").set(room as f64);
    let asked = tokio::time::timeout(Duration::from_secs(3), source.store.read(WaitingJobs {})).await;
    let jobs = asked.ok().and_then(Result::ok);
    metrics::gauge!("assay_database_answers").set(f64::from(u8::from(jobs.is_some())));
    if let Some(jobs) = jobs {
        // A kind that has none left is not in the answer.
        for kind in ["issue", "mail", "result-mail", "fold-exposure", "journal-revoked", "journal"] {
            let of = jobs.iter().find(|jobs| jobs.kind == kind);
            let gauge = |name: &'static str, value: i64| metrics::gauge!(name, "kind" => kind).set(value as f64);
            gauge("assay_jobs_open", of.map_or(0, |jobs| jobs.open));
            gauge("assay_jobs_troubled", of.map_or(0, |jobs| jobs.troubled));
            gauge("assay_jobs_oldest_seconds", of.map_or(0, |jobs| source.clock.now().seconds_since(jobs.oldest).max(0)));
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], source.handle.render())
}
