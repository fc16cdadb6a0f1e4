//! A primary and its synchronous standby, by plain replication, and two nodes that know both: the primary is killed at a random
//! moment while people begin, answer and hand in; the standby is promoted, a fresh standby comes. No acknowledged answer is lost,
//! nothing is awarded twice, and answers are saved again within seconds. `ASSAY_FAILOVERS` says how often, 2 if it says nothing.
//!
//! The control is the same with a standby that nobody waits for: it must find losses.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{thread, time::Duration};

use assay_core::chance::SeededChance;
use assay_fixtures::{PostgresServer, free_port};
use running::{
    Browser,
    knowing::sample_pool,
    people::{Person, Round, Seen, finish},
    site::Site,
    wait_for, wait_long_for,
};
use tokio::time::Instant;

const PEOPLE: usize = 12;
/// Of these, so many hand in while the primary is being killed.
const PASSERS: usize = 6;
const FAILOVERS: usize = 2;

/// Two servers of one database, and what waits for what.
struct Pair {
    primary: PostgresServer,
    standby: PostgresServer,
    waits: bool,
}

impl Pair {
    fn start(waits: bool) -> Option<Self> {
        let names = format!("synchronous_standby_names={}", if waits { "ANY 1 (one, two)" } else { "" });
        let primary = PostgresServer::start("one", free_port(), &[&names])?;
        let standby = PostgresServer::standby_of(&primary, "two", free_port());
        let pair = Self { primary, standby, waits };
        pair.wait();
        Some(pair)
    }

    fn url(&self) -> String {
        format!("postgres://assay@{},{}/postgres?target_session_attrs=read-write", self.primary.place(), self.standby.place())
    }

    fn wait(&self) {
        if self.waits {
            self.primary.wait_for_synchronous_standby();
        } else {
            self.primary.wait_for_any_standby();
        }
    }

    /// The standby takes over, and the other server comes back as its standby, from a fresh copy.
    fn fail_over(&mut self) {
        self.standby.promote();
        std::mem::swap(&mut self.primary, &mut self.standby);
        let (name, port) = (self.standby.name.clone(), self.standby.port);
        self.standby = PostgresServer::standby_of(&self.primary, &name, port);
        self.wait();
    }
}

/// What one story found.
#[derive(Debug, Default)]
struct Found {
    lost: Vec<String>,
    seen: Seen,
    /// From each kill to the first answer that was sent after it and called saved.
    saved_again: Vec<Duration>,
    /// From each kill to the first page after it.
    read_again: Vec<Duration>,
}

/// How a primary is lost in a round.
fn frozen(round: usize) -> bool {
    round % 2 == 1
}

fn live_through(mut pair: Pair, failovers: usize) -> Found {
    let site = Site::over(&pair.url(), 2, if pair.waits { "durability = \"standby\"" } else { "" });
    let pool = sample_pool();
    let nodes = [site.start(0), site.start(1)];
    let urls = [nodes[0].url.clone(), nodes[1].url.clone()];
    let mut people: Vec<Person> = (1..=PEOPLE).map(|number| Person::new(&site, &urls[number % 2], number)).collect();
    people.iter_mut().for_each(|person| person.forbearing = true);
    thread::scope(|scope| {
        for (number, person) in people.iter_mut().take(PASSERS).enumerate() {
            let (url, pool) = (&urls[number % 2], &pool);
            scope.spawn(move || assert!(person.know_everything(url, pool)));
        }
    });

    let chance = SeededChance::new([17; 32]);
    let mut found = Found::default();
    for round in 0..failovers {
        let killed = std::sync::OnceLock::new();
        people.iter_mut().for_each(|person| person.saves.clear());
        let story = Round::new((round, failovers), PASSERS, 900, &chance, &pool);
        // Each node serves each of them now and then.
        let at = |number: usize| urls[(number + round) % 2].as_str();
        let meanwhile = || {
            thread::scope(|scope| {
                let (site, urls, killed) = (&site, &urls, &killed);
                let read_again = scope.spawn(move || {
                    let mut browser = Browser::new();
                    wait_long_for("a page after the kill", || {
                        let killed: &Instant = killed.get()?;
                        let begun = Instant::now();
                        // A badge that nobody has is looked for in the database.
                        let page = browser.get(&format!("{}/b/aaaaaaaaaaaaaaaaaaaaaaaaaa", urls[0])).ok()?;
                        (begun > *killed && page.status == 404).then(|| killed.elapsed())
                    })
                });
                // Somebody begins while it happens.
                let begins = scope.spawn(move || {
                    let number = 100 + round;
                    let url = &urls[round % 2];
                    wait_for("the kill", || killed.get().copied());
                    Person::patient(site, url, number)
                });
                thread::sleep(Duration::from_millis(300 + chance.below(700) as u64));
                if frozen(round) {
                    pair.primary.freeze_replication();
                    thread::sleep(Duration::from_millis(300));
                }
                pair.primary.kill();
                killed.set(Instant::now()).unwrap();
                // Whoever watches the servers takes a moment to decide.
                thread::sleep(Duration::from_millis(chance.below(500) as u64));
                pair.fail_over();
                found.read_again.push(read_again.join().unwrap());
                // Until everybody who waits was told, and a little longer.
                let begins = begins.join().unwrap();
                thread::sleep(Duration::from_millis(500));
                begins
            })
        };
        let begins = story.live(&mut people, at, meanwhile);
        let killed = *killed.get().unwrap();
        let saved = people.iter().flat_map(|person| &person.saves).filter(|(sent, _)| *sent > killed).map(|(_, told)| *told).min();
        found.saved_again.push(saved.expect("answers are saved again").duration_since(killed));
        people.push(begins);
        for (number, person) in people.iter_mut().enumerate() {
            let lost = person.lost(&urls[number % 2]);
            found.lost.extend(lost.into_iter().map(|words| format!("round {round}: {words}")));
        }
        println!(
            "failover {}: pages after {:?}, answers saved after {:?}{}",
            round + 1,
            found.read_again[round],
            found.saved_again[round],
            if frozen(round) { " (replication hung before)" } else { "" }
        );
    }
    people.iter().for_each(|person| found.seen.add(person.seen));
    if pair.waits {
        finish(&site, &urls[0], &mut people[..PASSERS], 0);
        for (what, table) in [("awards", "awards"), ("credentials", "credentials")] {
            assert_eq!(pair.primary.sql(&format!("SELECT COUNT(*) FROM {table}")), PASSERS.to_string(), "{what}");
        }
    }
    for node in nodes {
        assert_eq!(node.terminate().code(), Some(0));
    }
    found
}

#[test]
fn a_primary_that_is_lost_takes_nothing_with_it() {
    let failovers = std::env::var("ASSAY_FAILOVERS").map_or(FAILOVERS, |number| number.parse().unwrap());
    let Some(pair) = Pair::start(true) else { return };
    let found = live_through(pair, failovers);
    println!("{failovers} failovers: {:?}", found.seen);
    let slowest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    println!("slowest: pages after {:?}, answers saved after {:?}", slowest(&found.read_again), slowest(&found.saved_again));
    assert!(found.lost.is_empty(), "{:#?}", found.lost);
    assert!(found.seen.acknowledged > failovers * PEOPLE && found.seen.unanswered > 0, "too little happened: {:?}", found.seen);
    // 15 s are the goal; a test does not fail on time but for what is far beyond it.
    assert!(slowest(&found.saved_again) < Duration::from_secs(150), "{:?}", found.saved_again);
}

/// The proof that the test above can fail: a standby that nobody waits for.
#[test]
fn without_a_synchronous_standby_answers_are_lost() {
    let Some(pair) = Pair::start(false) else { return };
    let found = live_through(pair, 2);
    println!("{} of {} acknowledged answers were lost", found.lost.len(), found.seen.acknowledged);
    assert!(!found.lost.is_empty(), "a loss was not found");
}
