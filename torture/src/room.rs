//! A programme, people, and what they do; the same for every kind of fault.

use std::sync::Arc;

use assay_badge::Issuer;
use assay_core::{
    Chance,
    attempt::{Save, Saved, StartRefused},
    chance::SeededChance,
    clock::SetClock,
    form::OptionToken,
    ids::{AttemptId, AwardId, IssuerId, JobId, Learner, PersonId, RowId, Secret128},
    programme::Programme,
};
use assay_fixtures::{START, items, programme};
use assay_jobs::{Journal, Mailer, Worker, WorkerParts};
use assay_store::{
    Bell, Store, StoreError,
    commands::{Act, EnsureIssuer, Introduce, NewJob, Publish, Published, SaveAnswer, StartAttempt, Submit, Submitted},
    queries::Pool,
};

/// Does something, and again after a moment while it is refused, as often as people in this room try.
macro_rules! again {
    ($room:expr, $act:expr) => {{
        let mut left = $room.tries;
        loop {
            let outcome = $act;
            left -= 1;
            if outcome.is_ok() || left == 0 {
                break outcome;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }};
}
pub(crate) use again;

/// Questions of an attempt.
pub const QUESTIONS: u16 = 6;
/// Right answers that pass.
pub const PASS_MARK: u16 = 4;

/// A store with a published programme.
#[derive(Clone)]
pub struct Room {
    /// The store.
    pub store: Store,
    /// The issuer.
    pub issuer: IssuerId,
    /// Rung when there is work.
    pub bell: Arc<Bell>,
    /// How often people try, as browsers do; once where no fault is expected.
    pub tries: usize,
    chance: Arc<SeededChance>,
    programme: Arc<Programme>,
    published: Published,
}

/// One person's attempt, as they see it.
#[derive(Clone, Debug)]
pub struct Sitting {
    /// Who.
    pub learner: Learner,
    /// Their address.
    pub address: String,
    /// Which attempt.
    pub attempt: AttemptId,
    /// For each question the right option and a wrong one.
    pub options: Vec<(OptionToken, OptionToken)>,
}

impl Room {
    /// Makes the issuer exist and publishes.
    ///
    /// # Errors
    /// The store's.
    pub async fn new(store: Store, seed: u32) -> Result<Self, StoreError> {
        let chance = Arc::new(seeded(seed));
        // Its id is the same whatever the seed, as it is after a restart.
        let id = IssuerId::random(&SeededChance::new([42; 32]));
        let issuer = store.run(EnsureIssuer { slug: "test".into(), id, at: START }).await?;
        let programme = programme(QUESTIONS, PASS_MARK);
        let items = items(&programme, 8, |_| 1);
        let act = Act { row: RowId::random(&*chance), actor: "operator".into(), at: START };
        let published = store.run(Publish { issuer, programme: programme.clone(), items, act }).await?;
        Ok(Self { store, issuer, bell: Arc::default(), tries: 1, chance, programme: Arc::new(programme), published })
    }

    /// The chance that ids come from.
    pub fn chance(&self) -> &SeededChance {
        &self.chance
    }

    /// A person with this address.
    ///
    /// # Errors
    /// The store's.
    pub async fn person(&self, address: &str) -> Result<Learner, StoreError> {
        let introduce = || Introduce {
            issuer: self.issuer,
            address: address.into(),
            new_person: PersonId::random(&*self.chance),
            session_hash: (&*self.chance as &dyn Chance).bytes(),
            session_expires_at: START.plus_seconds(1_000_000),
            at: START,
        };
        Ok(again!(self, self.store.run(introduce()).await)?.learner)
    }

    /// Draws a form and begins.
    ///
    /// # Errors
    /// The store's.
    pub async fn start(&self, learner: Learner, address: &str) -> Result<Sitting, StoreError> {
        let pool = Pool { learner, programme: "sample".into(), pool_version: self.published.pool_version.clone() };
        let mut pool = again!(self, self.store.read(pool.clone()).await)?;
        pool.sort_by(|a, b| a.item.cmp(&b.item));
        let attempt = AttemptId::random(&*self.chance);
        let seed = assay_core::chance::keyed_seed(&[1; 32], &[attempt.0.as_bytes()]);
        let request = assay_measure::DrawRequest { domains: &self.programme.domains, pool: &pool, pool_share_percent: 50, seed };
        let form = assay_measure::draw(&request).unwrap();
        let option = |right: bool| move |o: &&assay_core::form::PlacedOption| (o.authored == 1) == right;
        let pick = |item: &assay_core::form::FormItem, right| item.options.iter().find(option(right)).unwrap().token.clone();
        let options = form.iter().map(|item| (pick(item, true), pick(item, false))).collect();
        let fold = NewJob {
            id: JobId::random(&*self.chance),
            kind: "fold-exposure",
            dedup: attempt.to_string(),
            payload: serde_json::json!({ "attempt": attempt, "person": learner.person }).to_string(),
            person: Some(learner.person),
            run_at: START,
        };
        let start = StartAttempt {
            learner,
            attempt,
            programme: "sample".into(),
            programme_version: self.published.version.clone(),
            pool_version: self.published.pool_version.clone(),
            badge_version: "1".into(),
            rules: self.programme.rules.clone(),
            tries_a_year: None,
            form,
            drawn_from: pool.iter().map(|c| (c.shown, c.seen)).collect(),
            holder_name: format!("Name of {address}"),
            at: START,
            fold,
        };
        match again!(self, self.store.run(start.clone()).await)? {
            Ok(()) => {}
            // A try before this one was said to have failed, and stands after all.
            Err(StartRefused::AlreadyOpen { attempt: open }) if open == attempt => {}
            Err(refused) => panic!("{address} cannot begin: {refused:?}"),
        }
        Ok(Sitting { learner, address: address.into(), attempt, options })
    }

    /// Saves an answer, as the device's `counter`-th for this question; answers its revision.
    ///
    /// # Errors
    /// The store's.
    pub async fn save(&self, sitting: &Sitting, position: u16, counter: i64, right: bool) -> Result<i64, StoreError> {
        let (yes, no) = &sitting.options[usize::from(position) - 1];
        let chosen = vec![if right { yes } else { no }.clone()];
        let save = Save { chosen, base_revision: counter - 1, device: "device".into(), counter };
        let command = SaveAnswer { learner: sitting.learner, attempt: sitting.attempt, position, save, at: START };
        match again!(self, self.store.run(command.clone()).await)? {
            Some(Saved::Stands { revision, .. }) => Ok(revision),
            other => panic!("{} was answered {other:?}", sitting.address),
        }
    }

    /// Hands in.
    ///
    /// # Errors
    /// The store's.
    pub async fn submit(&self, learner: Learner, attempt: AttemptId) -> Result<Option<Submitted>, StoreError> {
        let chance = &*self.chance;
        let jobs = [(); 3].map(|()| JobId::random(chance));
        let submit = Submit { learner, attempt, award: AwardId::random(chance), badge_id: Secret128::random(chance), jobs, at: START };
        let submitted = again!(self, self.store.run(submit.clone()).await);
        self.bell.ring();
        submitted
    }
}

/// The worker's chance must not repeat the room's: ids come from both.
pub const WORKER: u32 = 1 << 16;
/// Nor that of whoever starts again after a crash.
pub const AFTERWARDS: u32 = 2 << 16;

fn seeded(seed: u32) -> SeededChance {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    SeededChance::new(bytes)
}

/// The issuer that signs in all of these tests: the same after every restart.
pub fn signer() -> Arc<Issuer> {
    Arc::new(Issuer::demonstration("Test", "http://assay.test", [1; 32], jiff::Timestamp::from_millisecond(START.0).unwrap()))
}

/// A worker by this clock.
pub fn worker(store: &Store, seed: u32, clock: &SetClock, mailer: Arc<dyn Mailer>, journal: Arc<dyn Journal>, bell: Arc<Bell>) -> Worker {
    Worker::new(WorkerParts {
        secret: [1; 32],
        store: store.clone(),
        clock: Arc::new(clock.clone()),
        chance: Arc::new(seeded(seed | WORKER)),
        issuer: signer(),
        contact: String::new(),
        mailer,
        journal,
        bell,
    })
}
