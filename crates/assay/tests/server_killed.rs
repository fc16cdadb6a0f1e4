//! Every process of a PostgreSQL server is killed at a random moment while 20 people answer and hand in, and the server starts again on
//! the same data folder: no acknowledged answer is lost, nothing is awarded twice. In every second round somebody switches
//! `synchronous_commit` off under the running program. `ASSAY_SERVER_KILLS` says how often, 3 if it says nothing.
//!
//! `kill -9` is not the loss of the machine: what the server had handed to the kernel stays, synced or not. So in a second story the file
//! system that it lies on loses its power. The control of both is a client beside the program that does not wait for the disk: it must lose
//! what it was told of. (A kill alone does that, too; that a power cut takes more is shown in `kill.rs`.)
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use assay_fixtures::{Disk, PostgresServer, free_port};
use running::{
    knowing::sample_pool,
    people::{Person, Round, Seen, finish},
    readiness,
    site::Site,
    wait_for,
};
use tokio::time::Instant;

const PEOPLE: usize = 20;
/// Of these, so many hand in while the server is being killed.
const PASSERS: usize = 6;
const KILLS: usize = 3;

/// A client that counts in a table, one commit after the other, without waiting for the disk.
struct Careless {
    psql: Child,
    /// The last number that it was told is committed.
    told: thread::JoinHandle<i64>,
}

impl Careless {
    fn begin(url: &str, from: i64) -> Self {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-Atq", "-d", url]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut psql = psql.spawn().unwrap();
        let (mut says, hears) = (psql.stdin.take().unwrap(), psql.stdout.take().unwrap());
        thread::spawn(move || {
            let begun = says.write_all(b"SET synchronous_commit = off; CREATE TABLE IF NOT EXISTS careless (n BIGINT);\n");
            // Until the server and then the client are gone.
            begun.and_then(|()| (from + 1..).try_for_each(|n| writeln!(says, "INSERT INTO careless VALUES ({n}) RETURNING n;")))
        });
        let told = thread::spawn(move || {
            let numbers = BufReader::new(hears).lines().map_while(Result::ok).filter_map(|line| line.parse().ok());
            numbers.last().unwrap_or(from)
        });
        Self { psql, told }
    }

    fn end(mut self) -> i64 {
        self.psql.wait().unwrap();
        self.told.join().unwrap()
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    seen: Seen,
    lost: Vec<String>,
    /// Commits that the careless client was told of, and those of them that were lost.
    careless: (i64, i64),
}

/// With a disk it is that disk's power that goes each time, and the server with it.
fn live_through(server: &mut PostgresServer, kills: usize, disk: Option<&Disk>) -> Found {
    let url = format!("postgres://assay@{}/postgres", server.place());
    let site = Site::over(&url, 1, "");
    let pool = sample_pool();
    let node = site.start(0);
    let mut people: Vec<Person> = (1..=PEOPLE).map(|number| Person::new(&site, &node.url, number)).collect();
    people.iter_mut().for_each(|person| person.forbearing = true);
    thread::scope(|scope| {
        people.iter_mut().take(PASSERS).for_each(|person| drop(scope.spawn(|| assert!(person.know_everything(&node.url, &pool)))))
    });
    let chance = SeededChance::new([23; 32]);
    let (mut found, mut counted) = (Found::default(), 0);
    for round in 0..kills {
        let story = Round::new((round, kills), PASSERS, 900, &chance, &pool);
        let over = story.live(
            &mut people,
            |_| node.url.as_str(),
            || {
                let careless = Careless::begin(&url, counted);
                thread::sleep(Duration::from_millis(chance.below(500) as u64));
                if round % 2 == 1 {
                    server.sql("ALTER SYSTEM SET synchronous_commit = off");
                    server.sql("SELECT pg_reload_conf()");
                }
                thread::sleep(Duration::from_millis(200 + chance.below(500) as u64));
                let over = disk.map(|disk| disk.power_off(Instant::now));
                server.kill();
                let told = careless.end();
                thread::sleep(Duration::from_millis(chance.below(300) as u64));
                if let Some(disk) = disk {
                    disk.power_on();
                }
                server.start_again();
                let stands: i64 = server.sql("SELECT COALESCE(MAX(n), 0) FROM careless").parse().unwrap();
                found.careless.0 += told - counted;
                found.careless.1 += told - stands;
                counted = stands;
                wait_for("the node", || (readiness(&node)["ready"] == true).then_some(()));
                // Until those who wait were told, and some more was saved.
                thread::sleep(Duration::from_millis(500));
                over
            },
        );
        for person in &mut people {
            found.lost.extend(person.lost_before(&node.url, over).into_iter().map(|words| format!("round {round}: {words}")));
        }
    }
    people.iter().for_each(|person| found.seen.add(person.seen));
    finish(&site, &node.url, &mut people[..PASSERS], 0);
    for table in ["awards", "credentials"] {
        assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM {table}")), PASSERS.to_string(), "{table}");
    }
    assert_eq!(node.terminate().code(), Some(0));
    found
}

fn kills() -> usize {
    std::env::var("ASSAY_SERVER_KILLS").map_or(KILLS, |number| number.parse().unwrap())
}

fn must_hold(kills: usize, Found { seen, lost, careless: (told, gone) }: Found) {
    println!("{kills} times: {seen:?}; of {told} careless commits {gone} are lost");
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(seen.acknowledged > kills * PEOPLE && seen.unanswered > 0, "too little happened: {seen:?}");
    assert!(gone > 0, "nothing that was not on the disk is lost: then this test sees nothing");
}

#[test]
fn a_database_server_that_is_killed_takes_nothing_with_it_that_was_acknowledged() {
    let Some(mut server) = PostgresServer::start("killed", free_port(), &[]) else { return };
    let found = live_through(&mut server, kills(), None);
    must_hold(kills(), found);
}

#[test]
fn a_machine_that_loses_its_power_takes_nothing_with_it_that_was_acknowledged() {
    let Some(disk) = Disk::new(1024) else { return };
    let Some(mut server) = PostgresServer::start_in(&disk.path(), "dark", free_port(), &[]) else { return };
    let found = live_through(&mut server, kills(), Some(&disk));
    must_hold(kills(), found);
}
