//! Lines that the journal is owed: queued in the transaction that had the effect, written here, many with one sync.

use assay_core::ids::JobId;
use assay_store::commands::{FinishLines, Lane, LeaseJobs, LeasedJob, RetryJob};

use crate::{
    Entry,
    worker::{JobError, Worker},
};

/// Most lines of one sync.
const LINES: u16 = 128;
const LEASE_SECONDS: i64 = 60;
const PAUSE_SECONDS: i64 = 5;
const SET_BACK: &str = "the database does not know any more how far the journal was written down in it, so it was set back (by a standby that \
    lagged and was promoted, or by hand): badges and mails wait, and no attempt is begun or closed. Stop every server, gather all journals on \
    one of them, run `assay reconcile` there, start them again";

impl Worker {
    /// Writes what is owed; `true` when there was anything. A line too many, after a crash between the two steps, does no harm.
    pub(crate) async fn write_lines(&self) -> bool {
        if self.held().is_some() {
            return false;
        }
        let (store, at) = (&self.parts.store, self.parts.clock.now());
        let lease = LeaseJobs { owner: self.name.clone(), lane: Lane::Journal, limit: LINES, lease_seconds: LEASE_SECONDS, at };
        let owed = match store.run(lease).await {
            Ok(owed) if owed.is_empty() => return false,
            Ok(owed) => owed,
            Err(error) => {
                tracing::error!(%error, "no lines for the journal could be leased");
                return false;
            }
        };
        let written = self.parts.write_all_down(owed.iter().filter_map(entry).collect()).await;
        let outcome = if written.is_ok() { "done" } else { "later" };
        metrics::counter!("assay_jobs_total", "kind" => "journal", "outcome" => outcome).increment(owed.len() as u64);
        match written {
            Ok(position) => {
                fail_point!("journal::after_lines", |_| true);
                let jobs: Vec<JobId> = owed.iter().map(|job| job.id).collect();
                let finish = FinishLines { jobs, owner: self.name.clone(), position: position.clone(), noted: self.noted() };
                match store.run(finish).await {
                    Ok(true) => self.note(position),
                    Ok(false) => self.hold(SET_BACK.to_owned()),
                    Err(error) => tracing::error!(%error, "lines of the journal are written, but not noted; they will be written again"),
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, lines = owed.len(), "lines could not be written into the journal; tried again");
                self.put_off(&owed, &error).await;
                false
            }
        }
    }

    async fn put_off(&self, owed: &[LeasedJob], error: &JobError) {
        let run_at = self.parts.clock.now().plus_seconds(PAUSE_SECONDS);
        for job in owed {
            let retry = RetryJob { job: job.id, owner: self.name.clone(), error: error.to_string(), run_at, counts: true };
            if let Err(error) = self.parts.store.run(retry).await {
                tracing::error!(%error, "a line could not be put off; its lease will run out");
                return;
            }
        }
    }
}

/// The line; none when it cannot be read, which only another version's can.
fn entry(job: &LeasedJob) -> Option<Entry> {
    let read = serde_json::from_str(&job.payload);
    read.inspect_err(|error| tracing::error!(job = %job.id, %error, "a line for the journal cannot be read and is given up")).ok()
}
