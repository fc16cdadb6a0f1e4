//! Somebody sets the clock of the machine that the real program runs on (by libfaketime; skipped with words where it is not there).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use assay_core::UtcMillis;
use running::{Browser, Server, between, wait_for};

/// Debian keeps it in a folder of its own, below the architecture's.
fn library() -> Option<PathBuf> {
    let below = |folder: &str| {
        fs::read_dir(folder).ok().into_iter().flatten().flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"))
    };
    below("/usr/lib").chain(below("/usr/lib64")).chain([PathBuf::from("/usr/lib/faketime/libfaketime.so.1")]).find(|path| path.is_file())
}

/// By the kernel, not by any clock of this process.
fn now() -> UtcMillis {
    let words = Command::new("date").arg("+%s").output().unwrap().stdout;
    UtcMillis(String::from_utf8(words).unwrap().trim().parse::<i64>().unwrap() * 1000)
}

#[test]
fn a_machine_whose_clock_is_set_signs_nothing_and_says_so() {
    let Some(library) = library() else {
        println!("skipped: libfaketime is not installed (`apt-get install libfaketime`)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hands = folder.path().join("faketime");
    let set = |offset: &str| fs::write(&hands, offset).unwrap();
    set("+0");
    let data = folder.path().join("data");
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &hands).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    let server = Server::spawn(&mut command);
    let url = &server.url;
    let mut person = Browser::new();
    let ready = |browser: &mut Browser| browser.get(&format!("{url}/readyz")).unwrap();
    assert_eq!(ready(&mut person).status, 200);
    person.post(&format!("{url}/demo/as/almost"), &[]).unwrap();
    let me = person.get(&format!("{url}/me")).unwrap().text();
    let attempt = format!("/attempts/{}", between(&me, "/attempts/", "\"")[0].split('/').next().unwrap());

    // Two hours ahead, and three months back: neither is believed.
    for step in ["-7776000", "+7200"] {
        set(step);
        let page = wait_for("the alarm", || Some(ready(&mut person)).filter(|page| page.status == 503));
        let words = page.json()["checks"]["clock"].as_str().unwrap().to_owned();
        assert!(words.contains("nothing is signed"), "{words}");
        let seconds: i64 = step.parse().unwrap();
        let said: i64 = between(&words, "was set by ", " s")[0].parse().unwrap();
        assert!((said - seconds).abs() <= 60, "{words}");
        set("+0");
        wait_for("the end of the alarm", || Some(ready(&mut person)).filter(|page| page.status == 200));
    }

    // While it is two hours ahead, saves and hand-ins go on, and nothing is signed.
    set("+7200");
    wait_for("the alarm", || Some(ready(&mut person)).filter(|page| page.status == 503));
    let question = format!("{url}{attempt}/questions/50");
    let page = person.get(&question).unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let handed_in = person.post(&format!("{url}{attempt}/submit"), &[("confirm", "yes")]).unwrap();
    assert_eq!(handed_in.location, format!("{attempt}/result"));
    let me = person.get(&format!("{url}/me")).unwrap().text();
    let badge = between(&me, "/me/badges/", "\"")[0].to_owned();
    thread::sleep(Duration::from_secs(3));
    assert_ne!(person.get(&format!("{url}/b/{badge}.json")).unwrap().status, 200, "signed while the clock is wrong");

    // The clock comes back: signed, with the true time.
    set("+0");
    let document = wait_for("the badge", || Some(person.get(&format!("{url}/b/{badge}.json")).unwrap()).filter(|page| page.status == 200));
    let from = UtcMillis::parse_rfc3339(document.json()["validFrom"].as_str().unwrap()).unwrap();
    assert!(now().seconds_since(from).abs() < 600, "{from} is not now");
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_node_whose_clock_is_far_from_the_databases_signs_nothing_and_says_so() {
    let Some(library) = library() else {
        println!("skipped: libfaketime is not installed (`apt-get install libfaketime`)");
        return;
    };
    let Some(database) = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database()) else { return };
    let site = running::site::Site::over(&database, 1, "");
    // The programmes are published with the right time.
    assert_eq!(site.start(0).terminate().code(), Some(0));
    // Ahead from the start on: nothing on this machine can tell.
    let server = site.start_with(0, |command| {
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME", "+900")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
    });
    let page = wait_for("the alarm", || {
        Browser::new()
            .get(&format!("{}/readyz", server.url))
            .ok()
            .filter(|page| page.status == 503 && page.json()["checks"]["clock"] != "ok")
    });
    let words = page.json()["checks"]["clock"].as_str().unwrap().to_owned();
    assert!(words.contains("ahead of the database server's") && words.contains("nothing is signed"), "{words}");
    let said: i64 = between(&words, "clock is ", " s")[0].parse().unwrap();
    assert!((said - 900).abs() <= 60, "{words}");
    drop(server);
    let server = site.start(0);
    assert_eq!(Browser::new().get(&format!("{}/readyz", server.url)).unwrap().json()["checks"]["clock"], "ok");
}
