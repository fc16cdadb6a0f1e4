//! What every handler can reach.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use assay_badge::Issuer;
use assay_core::{
    Chance, Clock, UtcMillis,
    ids::{IssuerId, JobId, PersonId},
    mail::Mail,
    programme::Programme,
};
use assay_store::{Bell, Store, commands::NewJob, queries::CurrentProgramme};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{Vitals, error::Fault, limits::Limits, shed::Load, shown::Notes};

/// Settings of this room.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Public address, without a slash at the end.
    pub base_url: String,
    /// The issuer's name for people.
    pub issuer_name: String,
    /// How people reach the issuer; shown where something cannot be put right by oneself.
    pub contact: String,
    /// Take the client's address from `X-Forwarded-For`'s last entry: set when a proxy of ours stands in front.
    pub behind_proxy: bool,
}

/// A sample person of the demonstration.
#[derive(Clone, Debug)]
pub struct SamplePerson {
    /// As in `/demo/as/{slug}`.
    pub slug: &'static str,
    /// Address by which they are known.
    pub address: String,
    /// Whom one becomes.
    pub title: &'static str,
    /// What there is to try.
    pub words: &'static str,
}

/// What only a demonstration can do.
pub trait Demo: Send + Sync {
    /// Mails, newest first.
    fn mails(&self) -> Vec<(UtcMillis, Mail)>;
    /// Moves the clock on by a day.
    fn day_ahead(&self);
    /// Sample people.
    fn people(&self) -> &[SamplePerson];
}

/// What came back from outside: bytes, or the reason in words.
pub type Fetched = Result<Vec<u8>, String>;
/// A fetch in progress.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Fetched> + Send + 'a>>;

/// The one way out of this server: refuses private addresses after resolving.
pub trait Egress: Send + Sync {
    /// Fetches a small document.
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a>;
}

/// Everything a server of pages is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// Who signs.
    pub issuer: Arc<Issuer>,
    /// The issuer's rows.
    pub issuer_id: IssuerId,
    /// The server's secret: seeds of forms, keyed hashes.
    pub secret: [u8; 32],
    /// Settings.
    pub settings: Settings,
    /// Programmes, in order.
    pub programmes: Vec<CurrentProgramme>,
    /// Programmes that were offered once and are in the settings no more: badges link to the standard behind them.
    pub former: Vec<CurrentProgramme>,
    /// Rung when a job was queued.
    pub bell: Arc<Bell>,
    /// Ways in are limited.
    pub limits: Limits,
    /// The way out.
    pub egress: Arc<dyn Egress>,
    /// Present in a demonstration.
    pub demo: Option<Arc<dyn Demo>>,
}

/// The shared state.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// Rendered pictures and status lists by name; small, emptied when full.
    kept: Mutex<HashMap<String, Kept>>,
    /// Uploads that are verified at once: each may hold its whole upload, so they are few.
    verifying: Semaphore,
    /// What is under way.
    load: Load,
    /// Questions that were shown.
    notes: Notes,
    /// What the program knows of itself, once it runs.
    vitals: OnceLock<Arc<dyn Vitals>>,
    /// When a durable write was last proved.
    proved: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

/// A programme as it was in a version, wherever it is kept.
pub(crate) enum Version<'a> {
    Current(&'a Programme),
    Former(Arc<Programme>),
}

impl std::ops::Deref for Version<'_> {
    type Target = Programme;

    fn deref(&self) -> &Programme {
        match self {
            Self::Current(programme) => programme,
            Self::Former(programme) => programme,
        }
    }
}

/// When it was made, and what.
type Kept = (UtcMillis, Arc<[u8]>);

const VERIFY_AT_ONCE: usize = 3;
/// Rendered things kept at most.
const KEEP: usize = 256;

impl App {
    /// Wraps the parts.
    pub fn new(parts: Parts) -> Self {
        let load = Load::new(parts.limits.at_once);
        Self(Arc::new(Shared {
            parts,
            load,
            notes: Notes::default(),
            kept: Mutex::default(),
            verifying: Semaphore::new(VERIFY_AT_ONCE),
            vitals: OnceLock::new(),
            proved: Arc::default(),
        }))
    }

    /// Tells `/readyz` whom to ask about worker and clock; the first one told stays.
    pub fn watched_by(&self, vitals: Arc<dyn Vitals>) {
        let _stays = self.0.vitals.set(vitals);
    }

    pub(crate) fn load(&self) -> &Load {
        &self.0.load
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.0.notes
    }

    pub(crate) fn vitals(&self) -> Option<&Arc<dyn Vitals>> {
        self.0.vitals.get()
    }

    /// Refuses, with these words, while journal and database do not agree: what this database does not know might be undone.
    pub(crate) fn refuse_held(&self, words: &str) -> Result<(), Fault> {
        if self.is_held() { Err(Fault::held(words)) } else { Ok(()) }
    }

    /// Whether journal and database do not agree.
    pub(crate) fn is_held(&self) -> bool {
        self.vitals().is_some_and(|vitals| vitals.journal().is_err())
    }

    pub(crate) fn proved(&self) -> Arc<tokio::sync::Mutex<Option<Instant>>> {
        Arc::clone(&self.0.proved)
    }

    /// Leave to verify an upload, taken before it is read.
    pub(crate) fn may_verify(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.0
            .verifying
            .try_acquire()
            .map_err(|_| Fault::busy("Others are verifying right now. Nothing was checked; try again in a few seconds."))
    }

    /// Now.
    pub(crate) fn now(&self) -> UtcMillis {
        self.clock.now()
    }

    /// The current version of a programme that is offered.
    pub(crate) fn programme(&self, id: &str) -> Result<&CurrentProgramme, Fault> {
        self.programmes.iter().find(|p| p.programme.id == id).ok_or_else(|| match self.former.iter().any(|p| p.programme.id == id) {
            true => Fault::no_longer_offered(id),
            false => Fault::not_found(),
        })
    }

    /// The last version of a programme, and whether it is still offered.
    pub(crate) fn programme_ever(&self, id: &str) -> Result<(&CurrentProgramme, bool), Fault> {
        let former = || self.former.iter().find(|p| p.programme.id == id).map(|p| (p, false)).ok_or_else(Fault::not_found);
        self.programmes.iter().find(|p| p.programme.id == id).map_or_else(former, |p| Ok((p, true)))
    }

    /// The programme as it was in a version: from memory when it is the current one. Its attempts and badges outlive its place in the
    /// settings.
    pub(crate) async fn programme_version(&self, id: &str, version: &str) -> Result<Version<'_>, Fault> {
        if let Some(current) = self.programmes.iter().find(|p| p.programme.id == id && p.version == version) {
            return Ok(Version::Current(&current.programme));
        }
        let query =
            assay_store::queries::ProgrammeVersion { issuer: self.issuer_id, programme: id.to_owned(), version: version.to_owned() };
        self.store.read(query).await?.map(Version::Former).ok_or_else(Fault::not_found)
    }

    /// A mail as a job.
    pub(crate) fn mail_job(&self, mail: &Mail, dedup: String, person: Option<PersonId>) -> Result<NewJob, Fault> {
        let payload = serde_json::to_string(mail).map_err(|e| Fault::internal(e.to_string()))?;
        Ok(NewJob { id: JobId::random(&*self.chance), kind: "mail", dedup, payload, person, run_at: self.now() })
    }

    /// Something costly by name, made anew when older than `seconds`. Slow makers run off the threads that serve pages.
    pub(crate) async fn keep(
        &self,
        name: &str,
        seconds: i64,
        make: impl FnOnce() -> Result<Vec<u8>, Fault> + Send + 'static,
    ) -> Result<Arc<[u8]>, Fault> {
        if let Some(bytes) = self.kept(name, seconds) {
            return Ok(bytes);
        }
        let made = tokio::task::spawn_blocking(make).await.map_err(|e| Fault::internal(e.to_string()))??;
        Ok(self.put(name, made))
    }

    /// Something kept by name, unless it is older than `seconds`.
    pub(crate) fn kept(&self, name: &str, seconds: i64) -> Option<Arc<[u8]>> {
        let now = self.now();
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was moved back makes everything old.
        kept.get(name).filter(|(at, _)| *at <= now && now.seconds_since(*at) < seconds).map(|(_, bytes)| Arc::clone(bytes))
    }

    /// Keeps something by name.
    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) -> Arc<[u8]> {
        let bytes: Arc<[u8]> = bytes.into();
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEEP {
            kept.clear();
        }
        kept.insert(name.to_owned(), (self.now(), Arc::clone(&bytes)));
        bytes
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
