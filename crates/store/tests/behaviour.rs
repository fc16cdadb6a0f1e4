//! One suite of behaviour for every engine: the rules that the database itself holds.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::collections::HashSet;

use assay_core::{
    UtcMillis,
    attempt::{Save, SaveVerdict, Saved, StandingAnswer, StartRefused, judge_save},
    badge::Visibility,
    chance::SeededChance,
    clock::DAY_SECONDS,
    form::{Candidate, OptionToken},
    ids::{AttemptId, AwardId, JobId, Learner, RowId, Secret128},
};
use assay_fixtures::{START, World, items, programme};
use assay_store::{
    commands::*,
    queries::{
        AttemptOf, AuditLog, BadgeById, BadgesOf, DrawnFrom, Figures, JobCounts, OwnData, Pool, QuestionOf, RevokedIndexes, StandingOf,
        WhoIs,
    },
};

struct Room {
    world: World,
    published: Published,
    programme: assay_core::programme::Programme,
}

/// A world with a programme of four questions, pass mark three, twenty items a domain; option 1 is always right.
async fn room() -> Room {
    let world = World::new().await;
    let programme = programme(4, 3);
    let published = world.publish(&programme, items(&programme, 20, |_| 1)).await;
    Room { world, published, programme }
}

impl Room {
    async fn start_command(&self, learner: Learner, at: UtcMillis) -> StartAttempt {
        let pool = Pool { learner, programme: "sample".into(), pool_version: self.published.pool_version.clone() };
        let pool = self.world.store.read(pool).await.unwrap();
        let attempt = AttemptId::random(&self.world.chance);
        let mut candidates = pool;
        candidates.sort_by(|a, b| a.item.cmp(&b.item));
        let seed = assay_core::chance::keyed_seed(&[1; 32], &[attempt.0.as_bytes()]);
        let request = assay_measure::DrawRequest { domains: &self.programme.domains, pool: &candidates, pool_share_percent: 50, seed };
        StartAttempt {
            learner,
            attempt,
            programme: "sample".into(),
            programme_version: self.published.version.clone(),
            pool_version: self.published.pool_version.clone(),
            badge_version: "1".into(),
            rules: self.programme.rules.clone(),
            tries_a_year: None,
            form: assay_measure::draw(&request).unwrap(),
            drawn_from: candidates.iter().map(|c| (c.shown, c.seen)).collect(),
            holder_name: "Ada Example".into(),
            at,
            fold: self.world.job("fold-exposure", attempt.to_string()),
        }
    }

    async fn start(&self, learner: Learner, at: UtcMillis) -> AttemptId {
        let command = self.start_command(learner, at).await;
        let id = command.attempt;
        assert_eq!(self.world.store.run(command).await.unwrap(), Ok(()));
        id
    }

    async fn token(&self, learner: Learner, attempt: AttemptId, position: u16, option: u8) -> OptionToken {
        let row = self.world.store.read(QuestionOf { learner, attempt, position }).await.unwrap().unwrap();
        let starts = format!("Option {option} ");
        row.shown.options.iter().find(|(_, html)| html.as_str().starts_with(&starts)).unwrap().0.clone()
    }

    async fn answer(&self, learner: Learner, attempt: AttemptId, position: u16, option: u8, at: UtcMillis) -> Option<Saved> {
        let save =
            Save { chosen: vec![self.token(learner, attempt, position, option).await], base_revision: 0, device: "d".into(), counter: 1 };
        self.world.store.run(SaveAnswer { learner, attempt, position, save, at }).await.unwrap()
    }

    fn submit_command(&self, learner: Learner, attempt: AttemptId, at: UtcMillis) -> Submit {
        let chance = &self.world.chance;
        let jobs = [(); 3].map(|()| JobId::random(chance));
        Submit { learner, attempt, award: AwardId::random(chance), badge_id: Secret128::random(chance), jobs, at }
    }

    /// Sits a whole attempt with so many right answers.
    async fn sit(&self, learner: Learner, right: u16, at: UtcMillis) -> Submitted {
        let attempt = self.start(learner, at).await;
        for position in 1..=4 {
            self.answer(learner, attempt, position, if position <= right { 1 } else { 2 }, at).await.unwrap();
        }
        self.world.store.run(self.submit_command(learner, attempt, at)).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_whole_story_fail_wait_refused_retake_pass() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let failed = room.sit(ada, 2, START).await;
    assert_eq!((failed.outcome.right, failed.outcome.of, failed.outcome.passed), (2, 4, false));

    let early = room.start_command(ada, START.plus_seconds(DAY_SECONDS - 1)).await;
    assert_eq!(room.world.store.run(early).await.unwrap(), Err(StartRefused::Waiting { until: START.plus_seconds(DAY_SECONDS) }));

    let later = START.plus_seconds(DAY_SECONDS);
    let passed = room.sit(ada, 3, later).await;
    assert!(passed.outcome.passed);
    let badges = room.world.store.read(BadgesOf { learner: ada }).await.unwrap();
    assert_eq!(badges.len(), 1);
    assert_eq!(badges[0].holder_name.as_deref(), Some("Ada Example"));
    assert_eq!(badges[0].visibility, Visibility::OnlyMe);

    let again = room.start_command(ada, later.plus_seconds(1)).await;
    assert_eq!(room.world.store.run(again).await.unwrap(), Err(StartRefused::AlreadyPassed));
    let mut new_version = room.start_command(ada, later.plus_seconds(2)).await;
    new_version.badge_version = "2".into();
    assert_eq!(room.world.store.run(new_version).await.unwrap(), Ok(()), "a new badge version opens the assessment again");
}

#[tokio::test]
async fn a_form_can_be_derived_again_from_what_is_kept() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    room.sit(ada, 0, START).await;
    let command = room.start_command(ada, START.plus_seconds(DAY_SECONDS)).await;
    let (attempt, form) = (command.attempt, command.form.clone());
    assert_eq!(room.world.store.run(command).await.unwrap(), Ok(()));
    let kept = room.world.store.read(DrawnFrom { learner: ada, attempt }).await.unwrap().unwrap();
    assert!(kept.iter().any(|(_, seen)| *seen));
    let pool = Pool { learner: ada, programme: "sample".into(), pool_version: room.published.pool_version.clone() };
    let mut pool = room.world.store.read(pool).await.unwrap();
    pool.sort_by(|a, b| a.item.cmp(&b.item));
    let candidate = |(c, (shown, seen)): (Candidate, (i64, bool))| Candidate { shown, seen, ..c };
    let pool: Vec<_> = pool.into_iter().zip(kept).map(candidate).collect();
    let seed = assay_core::chance::keyed_seed(&[1; 32], &[attempt.0.as_bytes()]);
    let request = assay_measure::DrawRequest { domains: &room.programme.domains, pool: &pool, pool_share_percent: 50, seed };
    assert_eq!(assay_measure::draw(&request).unwrap(), form);
}

#[tokio::test]
async fn erasing_in_the_middle_of_an_attempt_counts_as_failing_it() {
    let room = room().await;
    let eve = room.world.person("eve@example.org").await;
    room.start(eve, START).await;
    room.world.store.run(Erase { learner: eve, address_mac: [2; 32], act: room.world.act(START) }).await.unwrap();
    let request = RequestSignIn {
        issuer: room.world.issuer,
        address: "eve@example.org".into(),
        token_hash: [9; 32],
        next_path: "/".into(),
        at: START,
        expires_at: START.plus_seconds(900),
        mail: room.world.job("mail", "back"),
    };
    room.world.store.run(request).await.unwrap();
    let consume = ConsumeSignIn {
        issuer: room.world.issuer,
        token_hash: [9; 32],
        new_person: assay_core::ids::PersonId::random(&room.world.chance),
        address_mac: [2; 32],
        session_hash: [10; 32],
        session_expires_at: START.plus_seconds(900),
        at: START,
    };
    let (back, _) = room.world.store.run(consume).await.unwrap().unwrap();
    let again = room.start_command(back.learner, START.plus_seconds(1)).await;
    assert_eq!(room.world.store.run(again).await.unwrap(), Err(StartRefused::Waiting { until: START.plus_seconds(DAY_SECONDS) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_starts_leave_nobody_with_two_attempts() {
    let room = room().await;
    let mut people = Vec::new();
    for n in 0..200 {
        people.push(room.world.person(&format!("p{n}@example.org")).await);
    }
    let mut all = tokio::task::JoinSet::new();
    for learner in &people {
        for _ in 0..8 {
            let command = room.start_command(*learner, START).await;
            let store = room.world.store.clone();
            all.spawn(async move { (command.learner, store.run(command).await) });
        }
    }
    let mut started: Vec<Learner> = Vec::new();
    while let Some(done) = all.join_next().await {
        let (learner, result) = done.unwrap();
        match result.unwrap() {
            Ok(()) => started.push(learner),
            Err(refused) => assert!(matches!(refused, StartRefused::AlreadyOpen { .. }), "{refused:?}"),
        }
    }
    assert_eq!(started.len(), 200);
    assert_eq!(started.iter().map(|l| l.person).collect::<HashSet<_>>().len(), 200);
}

#[tokio::test]
async fn tries_a_year_are_counted_from_their_starts() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    room.sit(ada, 0, START).await;
    room.sit(ada, 0, START.plus_seconds(2 * DAY_SECONDS)).await;
    let mut third = room.start_command(ada, START.plus_seconds(4 * DAY_SECONDS)).await;
    third.tries_a_year = Some(2);
    assert_eq!(
        room.world.store.run(third.clone()).await.unwrap(),
        Err(StartRefused::TriesUsed { until: START.plus_seconds(365 * DAY_SECONDS) })
    );
    third.at = START.plus_seconds(365 * DAY_SECONDS + 1);
    assert_eq!(room.world.store.run(third).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn two_devices_never_hide_an_answer() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    let (one, two) = (room.token(ada, attempt, 1, 1).await, room.token(ada, attempt, 1, 2).await);
    let save = |chosen: &OptionToken, base_revision, device: &str, counter| SaveAnswer {
        learner: ada,
        attempt,
        position: 1,
        save: Save { chosen: vec![chosen.clone()], base_revision, device: device.into(), counter },
        at: START,
    };
    let run = |command| room.world.store.run(command);
    let stands = |revision| Some(Saved::Stands { revision, at: START });
    assert_eq!(run(save(&one, 0, "phone", 1)).await.unwrap(), stands(1));
    assert_eq!(run(save(&one, 0, "phone", 1)).await.unwrap(), stands(1), "a repeat is harmless");
    assert_eq!(run(save(&two, 1, "laptop", 1)).await.unwrap(), stands(2), "based on what stands");
    assert_eq!(
        run(save(&one, 1, "phone", 2)).await.unwrap(),
        Some(Saved::NewerExists { revision: 2, chosen: vec![two.clone()], at: START })
    );
    assert_eq!(run(save(&one, 2, "phone", 3)).await.unwrap(), stands(3), "mine, knowing theirs");
}

#[tokio::test]
async fn an_option_of_another_question_is_refused() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    let (own, foreign) = (room.token(ada, attempt, 1, 1).await, room.token(ada, attempt, 2, 1).await);
    for chosen in [vec![foreign], vec![own.clone(), own.clone()], vec![OptionToken("x".into())]] {
        let save = Save { chosen, base_revision: 0, device: "d".into(), counter: 1 };
        assert_eq!(room.world.store.run(SaveAnswer { learner: ada, attempt, position: 1, save, at: START }).await.unwrap(), None);
    }
    let eve = room.world.person("eve@example.org").await;
    let save = Save { chosen: vec![own], base_revision: 0, device: "d".into(), counter: 1 };
    assert_eq!(
        room.world.store.run(SaveAnswer { learner: eve, attempt, position: 1, save, at: START }).await.unwrap(),
        None,
        "not her attempt"
    );
}

#[tokio::test]
async fn a_closed_attempt_takes_no_answer_and_one_submit_scores() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    for position in 1..=3 {
        room.answer(ada, attempt, position, 1, START).await.unwrap();
    }
    let (first, second) = (room.submit_command(ada, attempt, START), room.submit_command(ada, attempt, START));
    let (a, b) = tokio::join!(room.world.store.run(first), room.world.store.run(second));
    let (a, b) = (a.unwrap().unwrap(), b.unwrap().unwrap());
    assert_eq!(a.outcome, b.outcome);
    assert!(a.by_this_call != b.by_this_call);
    assert_eq!(room.answer(ada, attempt, 4, 1, START).await, Some(Saved::Closed));
    assert_eq!(room.world.store.read(BadgesOf { learner: ada }).await.unwrap().len(), 1);
    assert!(!room.world.store.run(SetFlag { learner: ada, attempt, position: 1, flagged: true }).await.unwrap());
}

#[tokio::test]
async fn the_deadline_is_the_databases_to_hold() {
    let mut room = room().await;
    room.programme.rules.time_limit_seconds = Some(600);
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    assert!(matches!(room.answer(ada, attempt, 1, 1, START.plus_seconds(599)).await, Some(Saved::Stands { .. })));
    assert_eq!(room.answer(ada, attempt, 2, 1, START.plus_seconds(600)).await, Some(Saved::Closed));
    let act = room.world.act(START);
    assert!(room.world.store.run(GrantTime { learner: ada, attempt, extra_seconds: 300, act }).await.unwrap());
    assert!(matches!(room.answer(ada, attempt, 2, 1, START.plus_seconds(899)).await, Some(Saved::Stands { .. })));
    let closed = room.world.store.run(room.submit_command(ada, attempt, START.plus_seconds(5000))).await.unwrap().unwrap();
    assert_eq!(closed.outcome.right, 2);
    let row = room.world.store.read(AttemptOf { learner: ada, attempt }).await.unwrap().unwrap();
    assert_eq!(row.retake_at, Some(START.plus_seconds(900 + DAY_SECONDS)), "the wait runs from the deadline, not from when it was noticed");
}

#[tokio::test]
async fn editing_a_bank_changes_no_running_attempt() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    // The new bank calls option 2 right; the running form keeps the versions it was drawn with.
    room.world.publish(&room.programme, items(&room.programme, 20, |_| 2)).await;
    for position in 1..=4 {
        room.answer(ada, attempt, position, 1, START).await.unwrap();
    }
    let result = room.world.store.run(room.submit_command(ada, attempt, START)).await.unwrap().unwrap();
    assert_eq!(result.outcome.right, 4);
}

#[tokio::test]
async fn one_intent_and_one_credential_per_revision_whoever_comes_first() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    room.sit(ada, 4, START).await;
    let badge = room.world.store.read(BadgesOf { learner: ada }).await.unwrap().remove(0);
    let intent = |index, unsigned: &str| RecordIntent {
        issuer: ada.issuer,
        person: ada.person,
        award: badge.award,
        kind: "ob3",
        revision: 1,
        intent: Intent {
            status_list: 1,
            status_index: index,
            unsigned: unsigned.into(),
            verification_method: "k".into(),
            intended_at: START,
        },
    };
    let first = room.world.store.run(intent(7, "a")).await.unwrap().unwrap();
    let second = room.world.store.run(intent(9, "b")).await.unwrap().unwrap();
    assert_eq!(first, second);
    let eve = room.world.person("eve@example.org").await;
    room.sit(eve, 4, START).await;
    let other = room.world.store.read(BadgesOf { learner: eve }).await.unwrap().remove(0);
    let mut taken = intent(7, "c");
    (taken.person, taken.award) = (eve.person, other.award);
    assert_eq!(room.world.store.run(taken).await.unwrap(), None, "a status index belongs to one badge");

    let pass_over = PassOver { issuer: eve.issuer, person: eve.person, award: other.award, revision: 1, at: START };
    let mut of_eve = intent(8, "d");
    (of_eve.person, of_eve.award) = (eve.person, other.award);
    room.world.store.run(of_eve).await.unwrap();
    for _ in 0..2 {
        room.world.store.run(pass_over.clone()).await.unwrap();
        let next = room.world.store.read(BadgesOf { learner: eve }).await.unwrap().remove(0);
        assert_eq!(next.revision, 2, "only the newest revision is passed over");
    }
    assert_eq!(room.world.store.read(RevokedIndexes { issuer: eve.issuer, status_list: 1 }).await.unwrap().unwrap(), [8]);

    for document in ["first", "second"] {
        let store = StoreCredential {
            issuer: ada.issuer,
            person: ada.person,
            award: badge.award,
            kind: "ob3",
            revision: 1,
            document: document.into(),
            sha256: [0; 32],
            mail: Some(room.world.job("mail", "badge")),
            at: START,
        };
        room.world.store.run(store).await.unwrap();
    }
    let badge = room.world.store.read(BadgeById { issuer: ada.issuer, badge_id: badge.badge_id }).await.unwrap().unwrap();
    assert_eq!(badge.document.as_deref(), Some("first"));
    let of_ada = PassOver { issuer: ada.issuer, person: ada.person, award: badge.award, revision: 1, at: START };
    room.world.store.run(of_ada).await.unwrap();
    assert_eq!(room.world.store.read(BadgesOf { learner: ada }).await.unwrap().remove(0).revision, 1, "what is signed is not passed over");
    assert_eq!(room.world.store.read(RevokedIndexes { issuer: ada.issuer, status_list: 1 }).await.unwrap().unwrap(), [8]);
    let revoke = Revoke {
        issuer: ada.issuer,
        badge_id: badge.badge_id.clone(),
        reason: "test".into(),
        job: JobId::random(&room.world.chance),
        line: JobId::random(&room.world.chance),
        act: room.world.act(START),
    };
    assert_eq!(room.world.store.run(revoke.clone()).await.unwrap(), Some(true));
    let mut again = revoke;
    again.act = room.world.act(START);
    assert_eq!(room.world.store.run(again).await.unwrap(), Some(false));
    assert_eq!(room.world.store.read(RevokedIndexes { issuer: ada.issuer, status_list: 1 }).await.unwrap().unwrap(), [7, 8]);
}

#[tokio::test]
async fn a_name_is_corrected_once() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    room.sit(ada, 4, START).await;
    let badge = room.world.store.read(BadgesOf { learner: ada }).await.unwrap().remove(0);
    let set = |name: &str| SetBadge {
        learner: ada,
        badge_id: badge.badge_id.clone(),
        name: Some(name.into()),
        shown: Some((Visibility::Link, false)),
        job: JobId::random(&room.world.chance),
        at: START,
    };
    assert_eq!(room.world.store.run(set("Ada Example")).await.unwrap(), Some(BadgeSet::Done), "the same name is no correction");
    assert_eq!(room.world.store.run(set("Ada B. Example")).await.unwrap(), Some(BadgeSet::Done));
    assert_eq!(room.world.store.run(set("Somebody Else")).await.unwrap(), Some(BadgeSet::NameCorrectedBefore));
    let badge = room.world.store.read(BadgesOf { learner: ada }).await.unwrap().remove(0);
    assert_eq!((badge.holder_name.as_deref(), badge.revision), (Some("Ada B. Example"), 2));
}

#[tokio::test]
async fn links_work_once_and_only_in_time() {
    let room = room().await;
    let request = |n: u8| RequestSignIn {
        issuer: room.world.issuer,
        address: "ada@example.org".into(),
        token_hash: [n; 32],
        next_path: "/me".into(),
        at: START,
        expires_at: START.plus_seconds(900),
        mail: room.world.job("mail", format!("m{n}")),
    };
    let consume = |n: u8, at| ConsumeSignIn {
        issuer: room.world.issuer,
        token_hash: [n; 32],
        new_person: assay_core::ids::PersonId::random(&room.world.chance),
        address_mac: [0; 32],
        session_hash: [100 + n; 32],
        session_expires_at: START.plus_seconds(10_000),
        at,
    };
    room.world.store.run(request(1)).await.unwrap();
    room.world.store.run(request(2)).await.unwrap();
    let (first, path) = room.world.store.run(consume(1, START)).await.unwrap().unwrap();
    assert_eq!(path, "/me");
    assert!(room.world.store.run(consume(1, START)).await.unwrap().is_none(), "used up");
    assert!(room.world.store.run(consume(2, START.plus_seconds(900))).await.unwrap().is_none(), "expired");
    let who = room.world.store.read(WhoIs { issuer: room.world.issuer, token_hash: [101; 32], at: START }).await.unwrap().unwrap();
    assert_eq!(who.learner, first.learner);
    assert!(
        room.world
            .store
            .read(WhoIs { issuer: room.world.issuer, token_hash: [101; 32], at: START.plus_seconds(10_000) })
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn erasing_leaves_no_trace_of_the_person_and_keeps_the_wait() {
    let room = room().await;
    let ada = room.world.person("ada-canary@example.org").await;
    room.sit(ada, 4, START).await;
    let eve = room.world.person("eve-canary@example.org").await;
    room.sit(eve, 0, START).await;
    let data = room.world.store.read(OwnData { learner: ada }).await.unwrap();
    assert!(data.to_string().contains("ada-canary"));
    assert!(!data.to_string().contains("RATIONALE"), "an export holds no keys");
    for (learner, mac) in [(ada, 1u8), (eve, 2)] {
        room.world.store.run(Erase { learner, address_mac: [mac; 32], act: room.world.act(START) }).await.unwrap();
    }
    // She comes back with the same address: her wait is still running.
    room.world
        .store
        .run(RequestSignIn {
            issuer: room.world.issuer,
            address: "eve-canary@example.org".into(),
            token_hash: [9; 32],
            next_path: "/".into(),
            at: START,
            expires_at: START.plus_seconds(900),
            mail: room.world.job("mail", "back"),
        })
        .await
        .unwrap();
    let consume = ConsumeSignIn {
        issuer: room.world.issuer,
        token_hash: [9; 32],
        new_person: assay_core::ids::PersonId::random(&room.world.chance),
        address_mac: [2; 32],
        session_hash: [10; 32],
        session_expires_at: START.plus_seconds(900),
        at: START.plus_seconds(1),
    };
    let (back, _) = room.world.store.run(consume).await.unwrap().unwrap();
    assert_ne!(back.learner.person, eve.person);
    let standing =
        room.world.store.read(StandingOf { learner: back.learner, programme: "sample".into(), at: START.plus_seconds(1) }).await.unwrap();
    assert_eq!(standing.next_start_at, Some(START.plus_seconds(DAY_SECONDS)));

    room.world.store.close().await;
    if room.world.url.is_some() {
        // Rows are looked at by the test of moving; PostgreSQL's files are its own.
        return;
    }
    let mut bytes = std::fs::read(room.world.folder.path().join("assay.db")).unwrap();
    if let Ok(wal) = std::fs::read(room.world.folder.path().join("assay.db-wal")) {
        bytes.extend(wal);
    }
    let holds = |needle: &str| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
    assert!(!holds("ada-canary"), "an erased address is on the disk still");
    assert!(!holds("Ada Example"), "an erased name is on the disk still");
}

#[tokio::test]
async fn exposure_is_folded_in_once_and_jobs_are_leased_to_one_worker() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    let lease = |owner: &str, at| LeaseJobs { owner: owner.into(), lane: Lane::Work, limit: 10, lease_seconds: 60, at };
    let jobs = room.world.store.run(lease("a", START)).await.unwrap();
    let fold = jobs.iter().find(|j| j.kind == "fold-exposure").unwrap();
    assert!(room.world.store.run(lease("b", START)).await.unwrap().is_empty(), "leased to another");
    assert_eq!(room.world.store.run(lease("b", START.plus_seconds(60))).await.unwrap().len(), jobs.len(), "the lease ran out");
    room.world.store.run(ReleaseLeases {}).await.unwrap();
    assert_eq!(room.world.store.run(lease("c", START.plus_seconds(60))).await.unwrap().len(), jobs.len(), "taken over after a crash");
    for _ in 0..3 {
        let command = FoldExposure { issuer: ada.issuer, person: ada.person, attempt, job: fold.id, at: START };
        room.world.store.run(command).await.unwrap();
    }
    let pool = Pool { learner: ada, programme: "sample".into(), pool_version: room.published.pool_version.clone() };
    let pool = room.world.store.read(pool).await.unwrap();
    assert_eq!(pool.iter().map(|p| p.shown).sum::<i64>(), 4);
    assert!(pool.iter().all(|p| (p.shown == 1) == p.seen));
    assert_eq!(room.world.store.read(JobCounts { at: START }).await.unwrap().done, 1);
}

#[tokio::test]
async fn problem_reports_and_first_views_are_kept() {
    let room = room().await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    for seconds in [5, 50] {
        room.world
            .store
            .run(NoteShown { shown: vec![Shown { learner: ada, attempt, position: 1, at: START.plus_seconds(seconds) }] })
            .await
            .unwrap();
    }
    let report = RowId::random(&room.world.chance);
    let words = "two options are the same".to_owned();
    assert!(room.world.store.run(ReportProblem { learner: ada, report, attempt, position: 1, words, at: START }).await.unwrap());
    let data = room.world.store.read(OwnData { learner: ada }).await.unwrap();
    assert_eq!(data["answers"][0]["first_shown_at"], START.plus_seconds(5).rfc3339());
    assert_eq!(data["reports"][0]["words"], "two options are the same");
    assert_eq!(data["answers"].as_array().unwrap().len(), 1, "questions that were never shown are not exported");
}

/// The guard in SQL and the rule in words decide alike, whatever order devices come in.
#[test]
fn the_saves_guard_and_the_rule_agree() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let room = room().await;
        let ada = room.world.person("ada@example.org").await;
        let attempt = room.start(ada, START).await;
        let tokens = [room.token(ada, attempt, 1, 0).await, room.token(ada, attempt, 1, 1).await];
        let chance = SeededChance::new([5; 32]);
        let mut standing: Option<(i64, Save)> = None;
        for _ in 0..1500 {
            let latest = standing.as_ref().map_or(0, |s| s.0);
            let save = Save {
                chosen: vec![tokens[chance.below(2)].clone()],
                base_revision: (latest - chance.below(3) as i64).max(0),
                device: ["a", "b", "c"][chance.below(3)].into(),
                counter: standing.as_ref().map_or(1, |s| s.1.counter) + chance.below(4) as i64 - 1,
            };
            let answer = |(revision, s): &(i64, Save)| (*revision, s.device.clone(), s.counter, s.chosen.clone());
            let before = standing.as_ref().map(answer);
            let before = before.as_ref().map(|(revision, device, counter, chosen)| StandingAnswer {
                revision: *revision,
                device,
                counter: *counter,
                chosen,
            });
            let verdict = judge_save(&save, before);
            let command = SaveAnswer { learner: ada, attempt, position: 1, save: save.clone(), at: START };
            let saved = room.world.store.run(command).await.unwrap().unwrap();
            match (verdict, saved) {
                (SaveVerdict::Take, Saved::Stands { revision, .. }) => {
                    assert_eq!(revision, latest + 1);
                    standing = Some((revision, save));
                }
                (SaveVerdict::Repeat, Saved::Stands { revision, .. }) => assert_eq!(revision, latest),
                (SaveVerdict::Conflict, Saved::NewerExists { revision, .. }) => assert_eq!(revision, latest),
                other => panic!("{other:?} for {save:?} on {standing:?}"),
            }
        }
    });
}

#[tokio::test]
async fn what_a_person_with_power_does_stands_in_the_audit_log() {
    let mut room = room().await;
    room.programme.rules.time_limit_seconds = Some(600);
    room.world.publish(&room.programme, items(&room.programme, 20, |_| 1)).await;
    let ada = room.world.person("ada@example.org").await;
    let attempt = room.start(ada, START).await;
    let act = room.world.act(START);
    room.world.store.run(GrantTime { learner: ada, attempt, extra_seconds: 60, act }).await.unwrap();
    for position in 1..=4 {
        room.answer(ada, attempt, position, 1, START).await.unwrap();
    }
    room.world.store.run(room.submit_command(ada, attempt, START)).await.unwrap();
    let badge = room.world.store.read(BadgesOf { learner: ada }).await.unwrap().remove(0);
    let revoke = Revoke {
        issuer: ada.issuer,
        badge_id: badge.badge_id,
        reason: "test".into(),
        job: JobId::random(&room.world.chance),
        line: JobId::random(&room.world.chance),
        act: room.world.act(START),
    };
    room.world.store.run(revoke).await.unwrap();
    let lines = room.world.store.read(AuditLog { issuer: room.world.issuer, limit: 10 }).await.unwrap();
    let mut acts: Vec<(&str, &str)> = lines.iter().map(|line| (line.action.as_str(), line.actor.as_str())).collect();
    acts.sort_unstable();
    assert_eq!(acts, [("grant-time", "operator"), ("publish", "operator"), ("publish", "operator"), ("revoke", "operator")]);
}

#[tokio::test]
async fn turns_are_counted_for_all_nodes_together() {
    let world = World::new().await;
    let take =
        |at: UtcMillis, who: u8| world.store.run(TakeTurn { way: "mail", key_hash: [who; 32], period_ms: 20 * 60_000, burst: 3, at });
    for _ in 0..3 {
        assert_eq!(take(START, 1).await.unwrap(), None);
    }
    let again = START.plus_seconds(20 * 60);
    assert_eq!(take(START, 1).await.unwrap(), Some(again), "the fourth at once waits for one period");
    assert_eq!(take(START, 2).await.unwrap(), None, "somebody else is free");
    assert!(take(again.plus_seconds(-1), 1).await.unwrap().is_some());
    assert_eq!(take(again, 1).await.unwrap(), None);
    assert!(take(again, 1).await.unwrap().is_some());
}

#[tokio::test]
async fn parallel_turns_are_not_counted_twice() {
    let world = World::new().await;
    let take = |_| world.store.run(TakeTurn { way: "mail", key_hash: [1; 32], period_ms: 1000, burst: 5, at: START });
    let taken = futures_util::future::join_all((0..20).map(take)).await;
    assert_eq!(taken.into_iter().filter(|turn| turn.as_ref().unwrap().is_none()).count(), 5);
}

#[tokio::test]
async fn what_nodes_must_share_is_the_first_ones() {
    let world = World::new().await;
    let agree = |value: u8| world.store.run(Agree { name: "secret", value: vec![value] });
    assert_eq!(agree(1).await.unwrap(), [1]);
    assert_eq!(agree(2).await.unwrap(), [1]);
}

#[tokio::test]
async fn public_figures_are_folded_in_once() {
    let room = room().await;
    let (ada, eve) = (room.world.person("ada@example.org").await, room.world.person("eve@example.org").await);
    room.sit(ada, 4, START).await;
    room.sit(eve, 0, START).await;
    let lease = LeaseJobs { owner: "w".into(), lane: Lane::Work, limit: 20, lease_seconds: 60, at: START };
    for job in room.world.store.run(lease).await.unwrap().into_iter().filter(|job| job.kind == "fold-figures") {
        let passed = job.payload.contains("true");
        let fold = FoldFigures { issuer: ada.issuer, programme: "sample".into(), passed, job: job.id, at: START };
        for _ in 0..3 {
            room.world.store.run(fold.clone()).await.unwrap();
        }
    }
    let figures = room.world.store.read(Figures { issuer: ada.issuer, programme: "sample".into() }).await.unwrap();
    assert_eq!((figures.submitted, figures.passed), (2, 1));
}

#[tokio::test]
async fn a_worker_that_was_too_slow_ends_nothing() {
    let world = World::new().await;
    world.store.run(Enqueue { issuer: world.issuer, job: world.job("mail", "m") }).await.unwrap();
    let lease = |owner: &str, at| LeaseJobs { owner: owner.into(), lane: Lane::Mail, limit: 1, lease_seconds: 60, at };
    let slow = world.store.run(lease("slow", START)).await.unwrap().remove(0);
    let later = START.plus_seconds(61);
    assert_eq!(world.store.run(lease("quick", later)).await.unwrap().len(), 1);
    world.store.run(FinishJob { job: slow.id, owner: "slow".into(), at: later }).await.unwrap();
    world.store.run(RetryJob { job: slow.id, owner: "slow".into(), error: "late".into(), run_at: later, counts: true }).await.unwrap();
    let figures = world.store.read(JobCounts { at: later }).await.unwrap();
    assert_eq!((figures.open, figures.troubled, figures.done), (1, 0, 0));
    world.store.run(FinishJob { job: slow.id, owner: "quick".into(), at: later }).await.unwrap();
    assert_eq!(world.store.read(JobCounts { at: later }).await.unwrap().done, 1);
}
