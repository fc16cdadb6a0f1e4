//! Disks that stop working for a while.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::{process::Command, time::Duration};

use assay_store::Store;
use assay_torture::{
    faulty::Rule,
    outage::{Outage, SmallDisk, full_disk, full_journal, outage},
};

/// The goal is five seconds; a machine that is busy with other tests gets more.
const SOON: Duration = Duration::from_secs(20);

fn well(name: &str, outage: &Outage) {
    println!("{name}: {outage:?}");
    assert_eq!(outage.faults, Vec::<String>::new(), "{name}");
    assert!(outage.refused > 0 && outage.read > 0, "{name} was none");
    assert!(outage.recovered_after < SOON, "{name}: {:?}", outage.recovered_after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_is_told_at_once_and_forgiven_at_once() {
    for rule in [Rule::NoSync, Rule::Full, Rule::NoWrite, Rule::ReadOnly, Rule::NoOpen] {
        well(&format!("{rule:?}"), &outage(rule).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_disk_that_is_full_is_told_at_once_and_forgiven_at_once() {
    match SmallDisk::mount(3072) {
        Ok(disk) => well("a full tmpfs", &full_disk(&disk).await),
        Err(why) => println!("skipped: {why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_while_the_journal_has_no_room() {
    match SmallDisk::mount(64) {
        Ok(disk) => assert_eq!(full_journal(&disk).await, Vec::<String>::new()),
        Err(why) => println!("skipped: {why}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_is_refused_in_words() {
    match SmallDisk::mount(3072) {
        Ok(disk) => {
            let file = disk.path().join("assay.db");
            Store::open_sqlite(&file).await.unwrap().close().await;
            disk.read_only();
            let words = Store::open_sqlite(&file).await.unwrap_err().to_string();
            println!("{words}");
            assert!(words.contains("cannot be used"), "{words}");
        }
        Err(why) => println!("skipped: {why}"),
    }
}

#[test]
fn a_process_without_file_descriptors_goes_on_when_it_has_some() {
    let words = "ulimit -n 100 && exec \"$0\" descriptors";
    let output = Command::new("sh").args(["-c", words, env!("CARGO_BIN_EXE_assay-torture")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}
