//! Copies an installation's database from one engine to the other: rows in the order of their keys, one transaction a batch, then
//! counts and hashes of both sides compared.
//!
//! The source is one read-only snapshot. The target carries a mark while it is half filled: the fingerprint of what is copied into
//! it. A copy that was cut off goes on where it stopped, and only from the same content; whatever else is in a target is refused.

use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use crate::StoreError;

mod side;
mod tables;
#[cfg(test)]
mod tests;

pub use side::Place;
use side::{Content, Servers, Side};
use tables::TABLES;

/// Rows in one transaction.
pub const BATCH: usize = 1000;

/// What a column holds. An id is a UUID with PostgreSQL and its 16 bytes in the embedded engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Bytes,
    Whole,
    Text,
}

/// Why an installation was not copied.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Servers are connected.
    #[error("servers use {place} just now; stop them all first")]
    InUse {
        /// Which.
        place: String,
    },
    /// The source has the schema of another version.
    #[error("{place} has the schema of another version of Assay; start this version's server on it once, stop it, and move then")]
    OtherSchema {
        /// Which.
        place: String,
    },
    /// The source is itself unfinished.
    #[error("{place} is a copy that was not finished; finish it first, by the same command that began it")]
    Unfinished {
        /// Which.
        place: String,
    },
    /// The target is somebody else's.
    #[error(
        "{place} already holds another installation, or another state of this one; nothing was changed in it. Name an empty database, or move the file away"
    )]
    Occupied {
        /// Which.
        place: String,
    },
    /// The target was begun from other content.
    #[error(
        "{place} holds an unfinished copy of something else, or of this installation before it changed; nothing was changed in it. Name an empty database, or remove that copy"
    )]
    OtherCopy {
        /// Which.
        place: String,
    },
    /// What was read back is not what was copied.
    #[error(
        "the copy is not like the source in {tables}: something else wrote into it. Do not use it; remove it and begin again with an empty one"
    )]
    Differs {
        /// The tables.
        tables: String,
    },
    /// Whoever watched stopped it.
    #[error("stopped; the same command goes on where it was")]
    Stopped,
}

impl From<sqlx::Error> for MoveError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Counts and hashes the source.
    Reading,
    /// Copies.
    Copying,
    /// Counts and hashes the target.
    Comparing,
}

/// A sign of life, after each batch.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// The table.
    pub table: &'static str,
    /// Rows of the step so far, over all tables.
    pub rows: u64,
    /// Rows of the source; 0 while they are being counted.
    pub of: u64,
}

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over all its rows in the order of keys, the same on both sides.
    pub sha256: [u8; 32],
}

/// Hears of the progress; `Break` stops after the batch.
pub type Watch<'a> = &'a mut (dyn FnMut(Progress) -> ControlFlow<()> + Send);

/// Refuses while servers are at work on a PostgreSQL database. Of the embedded one the lock of its folder tells.
///
/// # Errors
/// [`MoveError::InUse`], or when the database cannot be asked.
pub async fn refuse_servers(place: &Place) -> Result<(), MoveError> {
    match place {
        Place::File(_) => Ok(()),
        Place::Server(url, _) => Side::server(place, url, Servers::MustBeStopped).await?.close().await,
    }
}

/// The number of a PostgreSQL database's schema; none where it has no table of this program. Nothing is changed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn schema_of_server(url: &str) -> Result<Option<i64>, MoveError> {
    let place = Place::Server(url.to_owned(), crate::Promise::Disk);
    let mut side = Side::server(&place, url, Servers::MayWork).await?;
    let found = if side.has_schema().await? { side.schema().await? } else { None };
    side.close().await?;
    Ok(found)
}

/// Copies everything, or what an earlier run left undone; what it answers was read back from the target.
///
/// # Errors
/// [`MoveError`]. The source is never changed.
pub async fn copy(from: &Place, to: &Place, batch: usize, watch: Watch<'_>) -> Result<Vec<Copied>, MoveError> {
    copy_with(from, to, batch, watch, Servers::MustBeStopped).await
}

/// The same beside servers at work on the source: what is copied is one moment of it.
pub(crate) async fn copy_beside(from: &Place, to: &Place, batch: usize, watch: Watch<'_>) -> Result<Vec<Copied>, MoveError> {
    copy_with(from, to, batch, watch, Servers::MayWork).await
}

async fn copy_with(from: &Place, to: &Place, batch: usize, watch: Watch<'_>, servers: Servers) -> Result<Vec<Copied>, MoveError> {
    let batch = batch.max(1);
    let mut source = Side::source(from, servers).await?;
    if source.mark().await?.is_some() {
        return Err(MoveError::Unfinished { place: from.to_string() });
    }
    let wanted = contents(&mut source, Step::Reading, 0, batch, watch).await?;
    let fingerprint = fingerprint(&wanted);
    let of = wanted.iter().map(|content| content.rows).sum();

    let mut target = Side::target(to).await?;
    match target.mark().await? {
        Some(mark) if mark == fingerprint => {}
        Some(_) => return Err(MoveError::OtherCopy { place: to.to_string() }),
        None if target.is_empty().await? => target.set_mark(&fingerprint).await?,
        None => {
            // Finished before, perhaps, by a run that could not say so.
            let found = contents(&mut target, Step::Comparing, of, batch, watch).await?;
            let same = differing(&wanted, &found).is_empty();
            return if same { Ok(copied(wanted)) } else { Err(MoveError::Occupied { place: to.to_string() }) };
        }
    }
    fill(&mut source, &mut target, of, batch, watch).await?;
    let found = contents(&mut target, Step::Comparing, of, batch, watch).await?;
    let different = differing(&wanted, &found);
    if !different.is_empty() {
        return Err(MoveError::Differs { tables: different.join(", ") });
    }
    target.drop_mark().await?;
    target.close().await?;
    source.close().await?;
    Ok(copied(found))
}

/// Copies batch after batch, each table from the last key that the target has.
async fn fill(source: &mut Side, target: &mut Side, of: u64, batch: usize, watch: Watch<'_>) -> Result<(), MoveError> {
    let mut rows = 0;
    for table in TABLES {
        let mut after = target.last_key(table).await?;
        loop {
            let some = source.rows(table, after.as_deref(), batch).await?;
            let Some(last) = some.last() else { break };
            after = Some(table.key_of(last));
            target.insert(table, &some).await?;
            rows += some.len() as u64;
            go_on(watch(Progress { step: Step::Copying, table: table.name, rows, of }))?;
        }
    }
    Ok(())
}

async fn contents(side: &mut Side, step: Step, of: u64, batch: usize, watch: Watch<'_>) -> Result<Vec<Content>, MoveError> {
    let (mut all, mut rows) = (Vec::with_capacity(TABLES.len()), 0);
    for table in TABLES {
        let mut flow = ControlFlow::Continue(());
        let content = side
            .content(table, batch, |here| {
                if flow.is_continue() {
                    flow = watch(Progress { step, table: table.name, rows: rows + here, of });
                }
            })
            .await?;
        go_on(flow)?;
        rows += content.rows;
        all.push(content);
    }
    Ok(all)
}

fn go_on(flow: ControlFlow<()>) -> Result<(), MoveError> {
    if flow.is_continue() { Ok(()) } else { Err(MoveError::Stopped) }
}

fn fingerprint(contents: &[Content]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for content in contents {
        hash.update(content.rows.to_be_bytes());
        hash.update(content.sha256);
    }
    hash.finalize().to_vec()
}

fn differing(wanted: &[Content], found: &[Content]) -> Vec<&'static str> {
    TABLES.iter().zip(wanted.iter().zip(found)).filter(|(_, (wanted, found))| wanted != found).map(|(table, _)| table.name).collect()
}

fn copied(contents: Vec<Content>) -> Vec<Copied> {
    let one = |(table, content): (&tables::Table, Content)| Copied { table: table.name, rows: content.rows, sha256: content.sha256 };
    TABLES.iter().zip(contents).map(one).collect()
}
