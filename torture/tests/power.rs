//! Power cuts, in minutes; `cargo xtask torture power` is the same for hours.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use assay_torture::{
    image::Cut,
    power::{Cuts, Found, cut, tell},
    story::{Fault, Plan},
};

fn run(people: usize, seed: u8, fault: Fault, manners: &[Cut], most: usize, enough: usize) -> Found {
    let found = cut(&tell(Plan { people, seed, fault }), seed, &Cuts { manners: manners.to_vec(), most, enough });
    println!("{}", found.line());
    found.faults.iter().take(5).for_each(|fault| println!("  {fault}"));
    found
}

#[test]
fn nothing_that_was_told_is_lost_when_the_power_goes() {
    let found = run(16, 200, Fault::None, &Cut::ALL, 2080, 20);
    assert_eq!(found.bad, 0, "{:#?}", found.faults);
    assert!(found.all() >= 2000, "{}", found.line());
}

#[test]
fn with_synchronous_normal_the_test_finds_lost_answers() {
    let found = run(4, 201, Fault::NormalSync, &[Cut::Power], 300, 300);
    assert!(found.faults.iter().any(|fault| fault.contains("lost answer")), "{:#?}", found.faults);
}

#[test]
fn with_a_disk_that_lies_about_syncing_the_test_finds_losses() {
    let found = run(4, 202, Fault::IgnoredSync, &[Cut::Power], 300, 300);
    assert!(found.faults.iter().any(|fault| fault.contains("lost")), "{:#?}", found.faults);
}

#[test]
fn with_a_journal_that_is_not_synced_the_test_finds_unwritten_signatures() {
    let found = run(4, 203, Fault::JournalUnsynced, &[Cut::Power], 2000, 1);
    assert!(found.faults.iter().any(|fault| fault.contains("not in the journal")), "{:#?}", found.faults);
}

#[test]
fn nothing_is_told_without_being_on_the_disk_while_the_disk_fails_now_and_then() {
    let found = run(8, 204, Fault::FailingDisk, &Cut::ALL, 1200, 20);
    assert!(found.failures > 10, "{}", found.line());
    assert_eq!(found.bad, 0, "{:#?}", found.faults);
}
