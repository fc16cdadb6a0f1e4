//! Whole attempts through pgbouncer in transaction mode, with the real program: people sign in, begin, answer, hand in, and have
//! their badges. Skipped, with words, where there is no PostgreSQL or no pgbouncer.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use assay_fixtures::{Pooler, psql};
use running::{
    knowing::sample_pool,
    people::{Person, finish},
    site::Site,
};

const PEOPLE: usize = 6;

#[test]
fn whole_attempts_go_through_a_pooler() {
    let Some(direct) = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database()) else { return };
    let Some(pooler) = Pooler::before(&direct) else { return };
    let site = Site::over(&format!("{}?statement-cache-capacity=0", pooler.url), 2, "");
    let pool = sample_pool();
    let nodes = [site.start(0), site.start(1)];
    let urls = [nodes[0].url.clone(), nodes[1].url.clone()];
    let mut people: Vec<Person> = (1..=PEOPLE).map(|number| Person::new(&site, &urls[number % 2], number)).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (number, person) in people.iter_mut().enumerate() {
            let (url, pool, over) = (&urls[number % 2], &pool, &over);
            scope.spawn(move || {
                assert!(person.know_everything(url, pool));
                person.work(url, pool, true, over);
                person.submit_twice(url);
            });
        }
        thread::sleep(Duration::from_secs(8));
        over.store(true, Ordering::SeqCst);
    });
    people.iter_mut().for_each(|person| person.compare(&urls[0], 0));
    assert!(people.iter().all(|person| person.submitted && person.seen.unanswered == 0));
    finish(&site, &urls[0], &mut people, 0);
    println!("{} answers through the pooler", people.iter().map(|person| person.seen.acknowledged).sum::<usize>());
    for table in ["awards", "credentials"] {
        assert_eq!(psql(&direct, &format!("SELECT COUNT(*) FROM {table}")), PEOPLE.to_string(), "{table}");
    }
    for node in nodes {
        assert_eq!(node.terminate().code(), Some(0));
    }
}
