//! The demonstration's sample people, made through the same commands as real people.
//!
//! Right answers are found by asking a key about every set of options: a key can be asked and never read.

use std::collections::BTreeSet;

use assay_core::{
    Chance, UtcMillis,
    attempt::Save,
    badge::Visibility,
    chance::keyed_seed,
    clock::DAY_SECONDS,
    form::{OptionToken, ShownQuestion},
    ids::{AttemptId, AwardId, IssuerId, JobId, Learner, PersonId, Secret128},
};
use assay_items::{Choice, Item, Mark};
use assay_jobs::Worker;
use assay_measure::{DrawRequest, draw};
use assay_store::{
    Store,
    commands::{Introduce, NewJob, NoteShown, SaveAnswer, SetBadge, Shown, StartAttempt, Submit},
    queries::{AttemptOf, AttemptsOf, BadgesOf, CurrentProgramme, Pool, QuestionOf, StandingOf},
};
use assay_web::SamplePerson;
use futures_util::future::try_join_all;

use crate::failure::Failure;

/// Who there is, in the order of the page.
pub(crate) fn people() -> Vec<SamplePerson> {
    let person = |slug: &'static str, title, words| SamplePerson { slug, address: format!("{slug}@example.org"), title, words };
    vec![
        person("fresh", "A new person", "Signed in for the first time: read the programme, or go straight to the assessment."),
        person(
            "almost",
            "49 of 50 answered",
            "One question is open. Answer it, look at the review, hand in, and watch the badge being made.",
        ),
        person(
            "waiting",
            "Failed and waiting",
            "Failed an hour ago. See the result, try to start again too early, then move the clock a day ahead.",
        ),
        person("holder", "Badge held", "Passed three days ago: the badge, its public page, and everything a holder can do with it."),
    ]
}

/// What the sample people are made with.
pub(crate) struct Seeding<'a> {
    /// The database.
    pub(crate) store: &'a Store,
    /// The issuer's rows.
    pub(crate) issuer: IssuerId,
    /// The programme they sit.
    pub(crate) current: &'a CurrentProgramme,
    /// Its pool with keys.
    pub(crate) items: &'a [Item],
    /// The server's secret.
    pub(crate) secret: &'a [u8; 32],
    /// Chance.
    pub(crate) chance: &'a dyn Chance,
    /// Now.
    pub(crate) now: UtcMillis,
}

/// How an attempt is answered.
#[derive(Clone, Copy)]
enum Skill {
    /// Everything right.
    Knows,
    /// Strong in the first domain, weaker from one to the next, not enough to pass.
    Learning,
}

impl Seeding<'_> {
    /// Makes whoever is missing or was left half made by a start that was cut off.
    pub(crate) async fn people(&self, worker: &Worker) -> Result<(), Failure> {
        self.introduce("fresh", self.now).await?;

        let begun = self.now.plus_seconds(-40 * 60);
        let almost = self.introduce("almost", begun).await?;
        if let Some(attempt) = self.attempt(almost, "Alma Almost", begun).await? {
            self.answer(almost, attempt, Skill::Knows, 1, begun).await?;
        }

        let begun = self.now.plus_seconds(-2 * 3600);
        let waiting = self.introduce("waiting", begun).await?;
        if let Some(attempt) = self.attempt(waiting, "Wim Waiting", begun).await? {
            self.answer(waiting, attempt, Skill::Learning, 0, begun).await?;
            self.submit(waiting, attempt, self.now.plus_seconds(-3600)).await?;
        }

        let begun = self.now.plus_seconds(-3 * DAY_SECONDS - 3600);
        let holder = self.introduce("holder", begun).await?;
        if let Some(attempt) = self.attempt(holder, "Helen Holder", begun).await? {
            self.answer(holder, attempt, Skill::Knows, 0, begun).await?;
            self.submit(holder, attempt, self.now.plus_seconds(-3 * DAY_SECONDS)).await?;
        }
        worker.drain().await;
        for badge in self.store.read(BadgesOf { learner: holder }).await? {
            let set = SetBadge {
                learner: holder,
                badge_id: badge.badge_id,
                name: None,
                shown: Some((Visibility::Link, false)),
                job: JobId::random(self.chance),
                at: self.now,
            };
            self.store.run(set).await?;
        }
        Ok(())
    }

    async fn introduce(&self, slug: &str, at: UtcMillis) -> Result<Learner, Failure> {
        // The session that comes with an introduction is known to nobody and ends at once.
        let introduce = Introduce {
            issuer: self.issuer,
            address: format!("{slug}@example.org"),
            new_person: PersonId::random(self.chance),
            session_hash: self.chance.bytes(),
            session_expires_at: at,
            at,
        };
        Ok(self.store.run(introduce).await?.learner)
    }

    /// The attempt to answer: a new one, or the one that is open. None when this person has one behind them.
    async fn attempt(&self, learner: Learner, name: &str, at: UtcMillis) -> Result<Option<AttemptId>, Failure> {
        let programme = &self.current.programme;
        let standing = self.store.read(StandingOf { learner, programme: programme.id.clone(), at: self.now }).await?;
        if standing.open.is_some() || !self.store.read(AttemptsOf { learner }).await?.is_empty() {
            return Ok(standing.open);
        }
        let attempt = AttemptId::random(self.chance);
        let pool = Pool { learner, programme: programme.id.clone(), pool_version: self.current.pool_version.clone() };
        let mut pool = self.store.read(pool).await?;
        pool.sort_by(|a, b| a.item.cmp(&b.item));
        let seed = keyed_seed(self.secret, &[b"form", learner.person.0.as_bytes(), attempt.0.as_bytes()]);
        let request =
            DrawRequest { domains: &programme.domains, pool: &pool, pool_share_percent: programme.entry.pool_share_percent, seed };
        let form = draw(&request).map_err(|e| Failure::while_doing("no form can be drawn for the sample people", e))?;
        let payload = serde_json::json!({ "attempt": attempt, "person": learner.person }).to_string();
        let start = StartAttempt {
            learner,
            attempt,
            programme: programme.id.clone(),
            programme_version: self.current.version.clone(),
            pool_version: self.current.pool_version.clone(),
            badge_version: programme.badge.version.clone(),
            rules: programme.rules.clone(),
            tries_a_year: programme.entry.tries_a_year,
            form,
            drawn_from: pool.iter().map(|c| (c.shown, c.seen)).collect(),
            holder_name: name.to_owned(),
            at,
            fold: NewJob {
                id: JobId::random(self.chance),
                kind: "fold-exposure",
                dedup: attempt.to_string(),
                payload,
                person: Some(learner.person),
                run_at: at,
            },
        };
        let started = self.store.run(start).await?;
        started.map_err(|refused| Failure::Words(format!("a sample person may not start: {refused:?}")))?;
        Ok(Some(attempt))
    }

    /// Answers every question but the last `left`.
    async fn answer(&self, learner: Learner, attempt: AttemptId, skill: Skill, left: usize, from: UtcMillis) -> Result<(), Failure> {
        let Some(state) = self.store.read(AttemptOf { learner, attempt }).await? else { return Ok(()) };
        let open = state.questions.len().saturating_sub(left);
        let questions = state.questions.iter().take(open);
        // In one go: the writer puts them into few transactions.
        let answers = questions.filter(|q| q.is_open()).map(|q| self.answer_one(learner, attempt, q.position, skill, from));
        try_join_all(answers).await?;
        Ok(())
    }

    async fn answer_one(&self, learner: Learner, attempt: AttemptId, position: u16, skill: Skill, from: UtcMillis) -> Result<(), Failure> {
        let Some(row) = self.store.read(QuestionOf { learner, attempt, position }).await? else { return Ok(()) };
        let shown_at = from.plus_seconds(i64::from(position) * 40);
        self.store.run(NoteShown { shown: vec![Shown { learner, attempt, position, at: shown_at }] }).await?;
        let knows = match skill {
            Skill::Knows => true,
            Skill::Learning => self.knows(&row.shown, position),
        };
        let save = Save { chosen: self.choose(&row.shown, knows), base_revision: row.revision, device: "sample".to_owned(), counter: 1 };
        self.store.run(SaveAnswer { learner, attempt, position, save, at: shown_at.plus_seconds(30) }).await?;
        Ok(())
    }

    fn item(&self, shown: &ShownQuestion) -> Option<&Item> {
        self.items.iter().find(|item| item.question.stem == shown.stem)
    }

    /// All of the first domain, ever less of those after it: about three answers in five.
    fn knows(&self, shown: &ShownQuestion, position: u16) -> bool {
        let programme = &self.current.programme;
        let domain = self.item(shown).and_then(|item| programme.domain_of(&item.about.objective));
        let index = domain.and_then(|d| programme.domains.iter().position(|other| other.id == d.id)).unwrap_or(0);
        usize::from(position) % programme.domains.len().max(1) >= index
    }

    /// The set of options that the key calls right; or one that it does not.
    fn choose(&self, shown: &ShownQuestion, right: bool) -> Vec<OptionToken> {
        let Some(item) = self.item(shown) else { return Vec::new() };
        let size = match shown.choice {
            Choice::One => 1,
            Choice::Many(n) => u32::from(n),
        };
        let count = u32::try_from(item.question.options.len()).unwrap_or(0).min(12);
        let sets = (0_u32..1 << count).filter(|bits| bits.count_ones() == size);
        let sets = sets.map(|bits| (0..12_u8).filter(|i| bits >> i & 1 == 1).collect::<BTreeSet<u8>>());
        let wanted = if right { Mark::Right } else { Mark::Wrong };
        let set = sets.into_iter().find(|set| item.key.score(set) == wanted).unwrap_or_default();
        let chosen = set.iter().filter_map(|&i| item.question.options.get(usize::from(i)));
        chosen.filter_map(|html| shown.options.iter().find(|(_, words)| words == html)).map(|(token, _)| token.clone()).collect()
    }

    async fn submit(&self, learner: Learner, attempt: AttemptId, at: UtcMillis) -> Result<(), Failure> {
        let chance = self.chance;
        let jobs = [(); 3].map(|()| JobId::random(chance));
        let award = AwardId::random(chance);
        let submit = Submit { learner, attempt, award, badge_id: Secret128::of_badge(self.secret, award), jobs, at };
        self.store.run(submit).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use assay_core::{Clock, clock::SetClock};
    use assay_jobs::{FileJournal, Outbox, WorkerParts};
    use assay_store::commands::EnsureIssuer;
    use std::sync::Arc;

    use super::*;
    use crate::{packs, server, system::SystemChance, system::timestamp};

    #[tokio::test]
    async fn everyone_is_in_the_state_that_the_page_promises_also_after_a_second_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&folder.path().join("assay.db")).await.unwrap();
        let now = UtcMillis::parse_rfc3339("2026-11-23T09:00:00Z").unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SetClock::new(now));
        let issuer = store.run(EnsureIssuer { slug: "t".into(), id: IssuerId::random(&SystemChance), at: now }).await.unwrap();
        let pack = packs::load_embedded().unwrap().remove(0);
        let current = server::publish(&store, issuer, std::slice::from_ref(&pack), &SystemChance, &*clock).await.unwrap().offered.remove(0);
        let outbox = Arc::new(Outbox::default());
        let worker = Worker::new(WorkerParts {
            secret: [7; 32],
            store: store.clone(),
            clock,
            chance: Arc::new(SystemChance),
            contact: String::new(),
            issuer: Arc::new(assay_badge::Issuer::demonstration("T", "http://127.0.0.1:1", [1; 32], timestamp(now))),
            mailer: outbox.clone(),
            journal: Arc::new(FileJournal::new(folder.path().join("signing.jsonl"))),
            bell: Arc::default(),
        });
        let seeding =
            Seeding { store: &store, issuer, current: &current, items: &pack.items, secret: &[7; 32], chance: &SystemChance, now };
        for _ in 0..2 {
            seeding.people(&worker).await.unwrap();
        }

        let fresh = seeding.introduce("fresh", now).await.unwrap();
        assert!(store.read(AttemptsOf { learner: fresh }).await.unwrap().is_empty());

        let almost = seeding.introduce("almost", now).await.unwrap();
        let standing = store.read(StandingOf { learner: almost, programme: "serverless".into(), at: now }).await.unwrap();
        let attempt = store.read(AttemptOf { learner: almost, attempt: standing.open.unwrap() }).await.unwrap().unwrap();
        let open: Vec<u16> = attempt.questions.iter().filter(|q| q.is_open()).map(|q| q.position).collect();
        assert_eq!(open, [50]);
        seeding.submit(almost, attempt.id, now).await.unwrap();
        let attempt = store.read(AttemptOf { learner: almost, attempt: attempt.id }).await.unwrap().unwrap();
        assert_eq!(attempt.outcome.unwrap().right, 49);

        let waiting = seeding.introduce("waiting", now).await.unwrap();
        let attempts = store.read(AttemptsOf { learner: waiting }).await.unwrap();
        assert_eq!(attempts.len(), 1);
        let outcome = attempts[0].outcome.clone().unwrap();
        assert!(!outcome.passed && outcome.right >= 20, "{}", outcome.right);
        assert_eq!(attempts[0].retake_at, Some(now.plus_seconds(23 * 3600)));

        let holder = seeding.introduce("holder", now).await.unwrap();
        let badges = store.read(BadgesOf { learner: holder }).await.unwrap();
        assert_eq!(badges.len(), 1);
        assert_eq!(badges[0].visibility, Visibility::Link);
        assert!(badges[0].document.as_ref().unwrap().contains("Helen Holder"));
        assert!(outbox.mails().iter().any(|(_, mail)| mail.to == "holder@example.org"));
        store.close().await;
    }
}
