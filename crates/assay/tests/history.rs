//! Many people with two devices each over a line that cuts, swallows, delays and repeats, to a program that is killed again and again:
//! every request and answer is written down, and an order must explain all of it (`witness`). Nothing lost, nothing stale, nothing doubled.
//!
//! `ASSAY_HISTORY_SECONDS` says for how long, six if it says nothing; `ASSAY_TEST_ENGINE=postgres` over which engine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;
mod witness;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use running::{knowing::sample_pool, wait_for};
use tokio::time::Instant;
use witness::{
    Kind, Options, Said, Whole,
    line::{Lie, Line},
    people::{Device, Judged, Person},
    settle,
    site::{Site, signatures},
};

const PEOPLE: usize = 5;
/// Of these, so many know every answer in the end.
const PASSERS: usize = 2;
/// Longest that the same people are at it.
const STORY: Duration = Duration::from_secs(6);

fn seed(story: usize, person: usize, device: usize) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(story as u64).to_be_bytes());
    (seed[8], seed[9]) = (person as u8, device as u8);
    seed
}

#[test]
fn everything_that_was_told_can_be_explained() {
    let seconds = std::env::var("ASSAY_HISTORY_SECONDS").map_or(STORY.as_secs(), |text| text.parse().unwrap());
    let (begun, whole) = (Instant::now(), Duration::from_secs(seconds));
    let mut all = Judged::default();
    let (mut kills, mut stories) = (0, 0);
    while stories == 0 || begun.elapsed() < whole {
        let left = whole.saturating_sub(begun.elapsed()).clamp(Duration::from_secs(4), STORY);
        let Some((judged, killed)) = story(stories, left) else { return };
        all.add(judged);
        kills += killed;
        stories += 1;
        println!("{stories} stories, {kills} kills: {all:?}");
        let words: Vec<&str> = all.faults.iter().map(|fault| fault.words.as_str()).collect();
        assert!(words.is_empty(), "{}", words.join("\n"));
    }
    // Slow machines get less done, but not this little.
    let enough =
        all.saved > 100 * stories && all.unanswered > 20 * stories && all.newer > stories && all.looks > 50 * stories && all.over > 0;
    assert!(enough && kills >= stories, "too little happened to say anything: {kills} kills, {all:?}");
    assert_eq!(all.passed, PASSERS * stories);
}

/// The same people for so long; what came of it, and how often the program was killed.
fn story(number: usize, length: Duration) -> Option<(Judged, usize)> {
    let line = Line::start(seed(number, 0, 0));
    let site = Site::new(&line.url())?;
    let mut server = Some(site.start(&line));
    let (url, pool, start) = (line.url(), sample_pool(), Instant::now());
    let people: Vec<Person> = (1..=PEOPLE).map(|n| Person::new(&url, &format!("Person {n}"), start)).collect();
    let browsers: Vec<_> = thread::scope(|scope| {
        let come = |n| {
            scope.spawn({
                let (site, url) = (&site, &url);
                move || site.sign_in(url, &format!("person-{n}-{number}@example.org"))
            })
        };
        let coming: Vec<_> = (1..=PEOPLE).map(come).collect();
        coming.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (over, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    line.be_bad(true);
    let kills = thread::scope(|scope| {
        let killing = scope.spawn(|| {
            let chance = SeededChance::new(seed(number, 255, 0));
            let mut kills = 0;
            while !ended.load(Ordering::SeqCst) {
                // After so many answers, however long they take here.
                let due = line.done.answers.load(Ordering::SeqCst) + 60 + chance.below(240);
                while line.done.answers.load(Ordering::SeqCst) < due && !ended.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                }
                if let Some(mut old) = server.take() {
                    old.kill();
                    kills += 1;
                    line.lead_to(None);
                    server = Some(site.start(&line));
                }
            }
            kills
        });
        let sitting: Vec<_> = people
            .iter()
            .zip(&browsers)
            .enumerate()
            .map(|(n, (person, browser))| {
                let (pool, over) = (&pool, &over);
                scope.spawn(move || sit(person, [1, 2].map(|d| Device::new(person, pool, browser, d, seed(number, n, d.into()))), n, over))
            })
            .collect();
        thread::sleep(length);
        over.store(true, Ordering::SeqCst);
        let outcomes: Vec<_> = sitting.into_iter().map(thread::ScopedJoinHandle::join).collect();
        // Before a failure is told, so that the scope can end.
        ended.store(true, Ordering::SeqCst);
        let kills = killing.join().unwrap();
        outcomes.into_iter().for_each(|outcome| outcome.unwrap());
        kills
    });
    line.be_bad(false);
    println!("the line: {:?}", line.done);
    let mut judged = Judged::default();
    for (person, browser) in people.iter().zip(browsers) {
        let mut patient = browser.patient(false);
        let mut own = person.judge(&mut patient);
        // Over PostgreSQL, what a killed process had leased is free after two minutes only; that is not waited for.
        if own.unsigned > 0 && site.is_alone() {
            own = wait_for("the signature", || Some(person.judge(&mut patient)).filter(|judged| judged.unsigned == 0));
        }
        judged.add(own);
    }
    judged.faults.extend(settle(&Whole { signed: signatures(&site.data()), ..Whole::default() }).err());
    drop(server);
    Some((judged, kills))
}

/// One person with two devices: both begin, both wander; then answers and hand-ins of both.
fn sit(person: &Person, devices: [Device<'_>; 2], n: usize, over: &AtomicBool) {
    let [mut one, mut other] = devices;
    thread::scope(|scope| {
        for device in [&mut one, &mut other] {
            scope.spawn(|| {
                device.begin();
                device.wander(over, 50);
            });
        }
    });
    if n < PASSERS {
        one.know_everything();
        thread::scope(|scope| {
            scope.spawn(|| one.hand_in());
            other.hand_in();
        });
    } else {
        // Saves that race with the hand-in.
        thread::scope(|scope| {
            scope.spawn(|| other.wander(over, 40));
            one.wander(over, 10);
            one.hand_in();
            one.wander(over, 10);
        });
    }
    println!("{} is done", person.name);
}

#[test]
fn a_planted_fault_is_found() {
    let line = Line::start([1; 32]);
    let Some(site) = Site::new(&line.url()) else { return };
    let _server = site.start(&line);
    let pool = sample_pool();
    let cases = [
        (None, None),
        (Some(Lie::Swear), Some(Kind::Lost)),
        (Some(Lie::OldPage), Some(Kind::Stale)),
        (Some(Lie::OtherNumber), Some(Kind::Doubled)),
    ];
    for (n, (lie, kind)) in cases.into_iter().enumerate() {
        let browser = site.sign_in(&line.url(), &format!("planted-{n}@example.org"));
        let person = Person::new(&line.url(), "Planted", Instant::now());
        let mut device = Device::new(&person, &pool, &browser.patient(false), 1, [2; 32]);
        device.begin();
        let question = 1 + n;
        device.look(question);
        assert_eq!(device.save(question, Options(1)), Said::Saved { revision: 1 });
        line.lie(lie);
        device.look(question);
        assert_eq!(device.save(question, Options(2)), Said::Saved { revision: 2 });
        device.look(question);
        line.lie(None);
        let judged = person.judge(&mut browser.patient(false));
        let found: Vec<Kind> = judged.faults.iter().map(|fault| fault.kind).collect();
        assert_eq!(found, Vec::from_iter(kind), "{lie:?}: {:?}", judged.faults);
    }
}
