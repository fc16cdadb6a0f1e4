//! The program ends at random moments while 20 people answer and hand in, 50 rounds of it with the same people and then with others: no
//! acknowledged answer is lost, nothing is awarded twice. It ends by `kill -9` (`ASSAY_KILLS` says how often in all, 200 if it says
//! nothing; `ASSAY_LANES` how many such stories go on side by side, one if it says nothing), or because the power goes and takes with
//! it whatever was not synced (`ASSAY_POWER_CUTS`, 20).
//!
//! The server is the real program with the real database; people are browsers. What a person was told is written down here,
//! and after every end it is compared with what a new process says. Answers that were under way when the server died may
//! have been taken or not; everything that was called saved must stand. `ASSAY_TEST_ENGINE=postgres` has the first story told by `serve`
//! over PostgreSQL; for the power of its machine see `server_killed.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use assay_fixtures::Disk;
use running::{
    Server,
    knowing::sample_pool,
    people::{Person, Round, Seen, finish},
    site::Site,
};
use tokio::time::Instant;

const PEOPLE: usize = 20;
/// Of these, so many hand in a passing attempt while the server is ending.
const PASSERS: usize = 10;
/// Ends that the same people live through.
const ROUNDS: usize = 50;
const KILLS: usize = 200;
const POWER_CUTS: usize = 20;

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |number| number.parse().unwrap())
}

#[test]
fn no_acknowledged_answer_is_lost_and_nothing_is_awarded_twice() {
    let kills = number("ASSAY_KILLS", KILLS);
    let (next, lived) = (AtomicUsize::new(0), Mutex::new((0, Seen::default())));
    thread::scope(|scope| {
        for _ in 0..number("ASSAY_LANES", 1) {
            scope.spawn(|| {
                while let Some(story) = Some(next.fetch_add(1, Ordering::SeqCst)).filter(|story| story * ROUNDS < kills) {
                    let seen = live_through(ROUNDS, story, &Site::new(), None);
                    let mut lived = lived.lock().unwrap();
                    lived.0 += ROUNDS;
                    lived.1.add(seen);
                    println!("{} kills: {:?}", lived.0, lived.1);
                }
            });
        }
    });
    let (_, all) = lived.into_inner().unwrap();
    // Slow machines get less done before each kill, but not this little.
    let enough = all.acknowledged > 4 * kills && all.unanswered > kills && all.submits_unanswered > 0;
    assert!(enough, "the rounds were too short to say anything: {all:?}");
}

#[test]
fn nothing_is_lost_when_the_power_goes() {
    let cuts = number("ASSAY_POWER_CUTS", POWER_CUTS);
    let mut all = Seen::default();
    for story in 0..cuts.div_ceil(ROUNDS) {
        let Some(disk) = Disk::new(256) else { return };
        all.add(live_through(cuts.min(ROUNDS), story, &Site::demo_in(&disk.path()), Some(&disk)));
        println!("{} power cuts: {all:?}", (story * ROUNDS) + cuts.min(ROUNDS));
    }
    assert!(all.acknowledged > 4 * cuts && all.unanswered > cuts, "the rounds were too short to say anything: {all:?}");
}

/// Twenty people through so many ends. With a disk it is that disk's power that goes each time.
fn live_through(rounds: usize, story: usize, site: &Site, disk: Option<&Disk>) -> Seen {
    let pool = sample_pool();
    let mut server = site.start(0);
    let url = server.url.clone();
    let mut people: Vec<Person> = (1..=PEOPLE).map(|number| Person::new(site, &url, number)).collect();
    // Without power the server still answers, until it is gone: that it cannot save.
    people.iter_mut().for_each(|person| person.forbearing = disk.is_some());
    thread::scope(|scope| {
        people.iter_mut().take(PASSERS).for_each(|person| drop(scope.spawn(|| assert!(person.know_everything(&url, &pool)))))
    });

    let mut seed = [99; 32];
    seed[..8].copy_from_slice(&(story as u64).to_be_bytes());
    let chance = SeededChance::new(seed);
    for round in 0..rounds {
        // Over PostgreSQL, connections have to be made first.
        let pause = Duration::from_millis(20 + chance.below(if site.is_demo() { 280 } else { 1500 }) as u64);
        let url = server.url.clone();
        let end = || {
            thread::sleep(pause);
            let over = disk.map(|disk| disk.power_off(Instant::now));
            if over.is_some() {
                thread::sleep(Duration::from_millis(50));
            }
            server.kill();
            over
        };
        let over = Round::new((round, rounds), PASSERS, 250, &chance, &pool).live(&mut people, |_| url.as_str(), end);
        if let Some(disk) = disk {
            disk.power_on();
        }
        server = site.start(0);
        let url = server.url.clone();
        thread::scope(|scope| {
            people
                .chunks_mut(5)
                .for_each(|some| drop(scope.spawn(|| some.iter_mut().for_each(|person| person.compare_before(&url, round, over)))))
        });
    }
    let mut seen = Seen::default();
    people.iter().for_each(|person| seen.add(person.seen));

    // A demonstration has a sample holder.
    finish(site, &server.url, &mut people[..PASSERS], usize::from(site.is_demo()));
    assert_eq!(server.terminate().code(), Some(0));
    seen
}

/// The proof that a power cut can be seen: the same program, whose syncs are answered by a tracer and reach no disk.
#[test]
fn a_sync_that_syncs_nothing_is_found_out_when_the_power_goes() {
    let Some(disk) = Disk::new(256) else { return };
    let site = Site::demo_in(&disk.path());
    // A first start that is whole on the disk.
    let (server, pool) = (site.start(0), sample_pool());
    let mut person = Person::new(&site, &server.url, 1);
    assert_eq!(server.terminate().code(), Some(0));
    let careless = |program: &str| {
        let mut strace = Command::new("strace");
        // The tracer stands beside: what is killed is the program.
        strace.args(["-D", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0", program]);
        strace
    };
    match careless("true").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {}
        other => {
            assert!(std::env::var_os("ASSAY_DISK").is_none(), "strace does not work here: {other:?}");
            return println!("skipped: strace does not work here: {other:?}");
        }
    }
    let data = site.root().to_str().unwrap();
    let mut server = Server::spawn(careless(env!("CARGO_BIN_EXE_assay")).args(["demo", "--listen", "127.0.0.1:0", "--data", data]));
    assert!(person.know_everything(&server.url, &pool));
    disk.power_off(|| ());
    server.kill();
    disk.power_on();
    let server = site.start(0);
    let lost = person.lost(&server.url);
    assert!(!lost.is_empty(), "50 answers that were never synced are all there: then a power cut is not seen");
}

/// A first start makes keys, database and journal; whenever the power goes meanwhile, the next start comes up.
#[test]
fn a_first_start_that_loses_its_power_is_made_good() {
    let Some(disk) = Disk::new(256) else { return };
    let chance = SeededChance::new([5; 32]);
    let begin = |site: &Site| {
        let data = site.root().join("data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.args(["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Server { child, url: String::new() }
    };
    for round in 0..number("ASSAY_POWER_CUTS", POWER_CUTS) {
        let site = Site::demo_in(&disk.path());
        let mut first = begin(&site);
        thread::sleep(Duration::from_millis(chance.below(1500) as u64));
        disk.power_off(|| ());
        first.kill();
        disk.power_on();
        // The folder of this story itself may be gone; nothing that was promised was in it.
        let data = site.root().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let server = Server::demo(&data);
        assert_eq!(server.terminate().code(), Some(0), "round {round}");
    }
}
