//! `kill -9` during 20 running attempts at random moments, 50 rounds of it with the same 20 people and then with others: no
//! acknowledged answer is lost, nothing is awarded twice. `ASSAY_KILLS` says how many kills in all, 200 if it says nothing.
//!
//! The server is the real program with the real database; people are browsers. What a person was told is written down here,
//! and after every kill it is compared with what a new process says. Answers that were under way when the server died may
//! have been taken or not; everything that was called saved must stand. `ASSAY_TEST_ENGINE=postgres` has the same told by `serve` over
//! PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use running::{
    knowing::sample_pool,
    people::{Person, Seen, finish},
    site::Site,
};

const PEOPLE: usize = 20;
/// Of these, so many hand in a passing attempt while the server is being killed.
const PASSERS: usize = 10;
/// Kills that the same people live through.
const ROUNDS: usize = 50;
const KILLS: usize = 200;

#[test]
fn no_acknowledged_answer_is_lost_and_nothing_is_awarded_twice() {
    let kills = std::env::var("ASSAY_KILLS").map_or(KILLS, |number| number.parse().unwrap());
    let mut all = Seen::default();
    for story in 0..kills.div_ceil(ROUNDS) {
        let seen = live_through(ROUNDS, story);
        all.add(seen);
        println!("{} kills: {all:?}", (story + 1) * ROUNDS);
    }
    // Slow machines get less done before each kill, but not this little.
    let enough = all.acknowledged > 4 * kills && all.unanswered > kills && all.submits_unanswered > 0;
    assert!(enough, "the rounds were too short to say anything: {all:?}");
}

/// Twenty people through so many kills.
fn live_through(rounds: usize, story: usize) -> Seen {
    let site = Site::new();
    let pool = sample_pool();
    let mut server = site.start(0);
    let url = server.url.clone();
    let mut people: Vec<Person> = (1..=PEOPLE).map(|number| Person::new(&site, &url, number)).collect();
    thread::scope(|scope| {
        people.iter_mut().take(PASSERS).for_each(|person| drop(scope.spawn(|| assert!(person.know_everything(&url, &pool)))))
    });

    let mut seed = [99; 32];
    seed[..8].copy_from_slice(&(story as u64).to_be_bytes());
    let chance = SeededChance::new(seed);
    for round in 0..rounds {
        let url = server.url.clone();
        // Over PostgreSQL, connections have to be made first.
        let pause = Duration::from_millis(20 + chance.below(if site.is_demo() { 280 } else { 1500 }) as u64);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for (number, person) in people.iter_mut().enumerate() {
                // A passer hands in in the middle of a round, and tries again in the next when nobody answered.
                let hands_in = number < PASSERS && round >= number * rounds / PASSERS && !person.submitted;
                let (url, pool, over) = (&url, &pool, &over);
                let wait = Duration::from_millis(chance.below(250) as u64);
                scope.spawn(move || {
                    if hands_in {
                        thread::sleep(wait);
                        person.submit_twice(url);
                    } else {
                        person.work(url, pool, number < PASSERS, over);
                    }
                });
            }
            thread::sleep(pause);
            server.kill();
            over.store(true, Ordering::SeqCst);
        });
        server = site.start(0);
        let url = server.url.clone();
        thread::scope(|scope| {
            people.chunks_mut(5).for_each(|some| drop(scope.spawn(|| some.iter_mut().for_each(|person| person.compare(&url, round)))))
        });
    }
    let mut seen = Seen::default();
    people.iter().for_each(|person| seen.add(person.seen));

    // A demonstration has a sample holder.
    finish(&site, &server.url, &mut people[..PASSERS], usize::from(site.is_demo()));
    assert_eq!(server.terminate().code(), Some(0));
    seen
}
