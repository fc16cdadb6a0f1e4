//! Restarts under load: the socket stays with whoever started the server (as systemd's socket units do), and no request fails.
//!
//! Ten rounds, or as many as `ASSAY_RESTARTS` says. In every other round the new server is there before the old one is told to stop,
//! and waits for the data folder; in the others there is none for a while, and connections wait in the socket.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use running::{Browser, Page, Server, begin, between, signed_in, tokens};

/// Hands the socket over as a service manager does. The shell puts it where `LISTEN_FDS` wants it, and becomes the server.
const MANAGER: &str = r#"export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@" 3<&0 0</dev/null"#;

fn start(socket: &TcpListener, data: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", MANAGER, env!("CARGO_BIN_EXE_assay"), "demo", "--data", data.to_str().unwrap()]);
    command.stdin(OwnedFd::from(socket.try_clone().unwrap())).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[derive(Default)]
struct Seen {
    saves: AtomicUsize,
    views: AtomicUsize,
    /// A kept connection that was closed under a request; browsers then ask again on a new one, and so does this test.
    asked_again: AtomicUsize,
    failed: AtomicUsize,
}

/// One request by somebody who keeps connections, and asks once more when a kept one was closed.
fn asked(seen: &Seen, browser: &mut Browser, keeps: bool, ask: impl Fn(&mut Browser) -> Result<Page, ureq::Error>) -> Option<Page> {
    let answer = match ask(browser) {
        Err(_) if keeps => {
            seen.asked_again.fetch_add(1, Ordering::SeqCst);
            ask(browser)
        }
        answer => answer,
    };
    match answer {
        Ok(page) if page.status == 200 => Some(page),
        other => {
            seen.failed.fetch_add(1, Ordering::SeqCst);
            println!("failed: {}", other.map_or_else(|e| e.to_string(), |page| format!("{} {}", page.status, page.text())));
            None
        }
    }
}

/// Saves and looks until it is over; the last answer that was called saved.
fn sit(seen: &Seen, url: &str, attempt: &str, question: usize, browser: &mut Browser, keeps: bool, over: &AtomicBool) -> String {
    let path = format!("{url}{attempt}/questions/{question}");
    let options = tokens(&browser.get(&path).unwrap().text());
    let mut last = String::new();
    for counter in 1.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let token = &options[counter % options.len()];
        let body = serde_json::json!({ "chosen": [token], "base_revision": 0, "device": format!("d{question}"), "counter": counter });
        if asked(seen, browser, keeps, |browser| browser.post_json(&format!("{path}/answer"), &body)).is_some() {
            seen.saves.fetch_add(1, Ordering::SeqCst);
            last.clone_from(token);
        }
        if asked(seen, browser, keeps, |browser| browser.get(&path)).is_some() {
            seen.views.fetch_add(1, Ordering::SeqCst);
        }
        thread::sleep(Duration::from_millis(20));
    }
    last
}

#[test]
fn restarts_under_load_fail_no_request() {
    let rounds: usize = std::env::var("ASSAY_RESTARTS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let first = Server::ready(start(&socket, folder.path()));
    assert_eq!(first.url, url);
    let mut server = Some(first);
    let mut people: Vec<(Browser, String)> = (0..4)
        .map(|n| {
            let mut browser = signed_in(&url, &format!("restart-{n}@example.org"));
            let attempt = begin(&mut browser, &url, &format!("Restart {n}"));
            (browser, attempt)
        })
        .collect();

    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let last: Vec<String> = thread::scope(|scope| {
        let sitting: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(n, (browser, attempt))| {
                let (seen, over, url, keeps) = (&seen, &over, &url, n % 2 == 0);
                let mut browser = browser.patient(keeps);
                scope.spawn(move || sit(seen, url, attempt, n + 1, &mut browser, keeps, over))
            })
            .collect();
        for round in 0..rounds {
            thread::sleep(Duration::from_millis(150));
            let next = if round % 2 == 0 {
                let next = start(&socket, folder.path());
                // Let it come as far as the lock.
                thread::sleep(Duration::from_millis(100));
                assert_eq!(server.take().unwrap().terminate().code(), Some(0));
                next
            } else {
                assert_eq!(server.take().unwrap().terminate().code(), Some(0));
                start(&socket, folder.path())
            };
            server = Some(Server::ready(next));
        }
        thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::SeqCst);
        sitting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |n: &AtomicUsize| n.load(Ordering::SeqCst);
    println!(
        "{rounds} restarts: {} saves, {} pages, {} asked again on a closed connection, {} failed",
        count(&seen.saves),
        count(&seen.views),
        count(&seen.asked_again),
        count(&seen.failed)
    );
    assert_eq!(count(&seen.failed), 0);
    assert!(count(&seen.saves) > 4 * rounds, "too few to say anything");
    // What was begun on the first process and saved on many ends on the last.
    for (n, (browser, attempt)) in people.iter_mut().enumerate() {
        let page = browser.get(&format!("{url}{attempt}/questions/{}", n + 1)).unwrap().text();
        let chosen = between(&page, "name=\"choice\"", ">").into_iter().find(|input| input.contains(" checked")).unwrap();
        assert!(chosen.contains(&last[n]), "{chosen} stands, {} was saved last", last[n]);
        let handed_in = browser.post(&format!("{url}{attempt}/submit"), &[("confirm", "yes")]).unwrap();
        assert_eq!(handed_in.location, format!("{attempt}/result"));
    }
    assert_eq!(server.take().unwrap().terminate().code(), Some(0));
}

#[test]
fn a_service_manager_is_told_of_beginning_life_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let notices = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    notices.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let n = notices.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..n]).trim().to_owned()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "600000"));
    assert_eq!([next(), next(), next()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!(server.terminate().code(), Some(0));
    let last = std::iter::from_fn(|| Some(next())).find(|notice| notice != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

/// What the kept socket is for: without it, a restart is felt.
#[test]
fn without_a_kept_socket_a_restart_fails_requests() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path());
    let url = server.url.clone();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(Browser::new().get(&format!("{url}/")).is_err());
}

#[test]
fn a_socket_too_many_is_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let two = MANAGER.replace("LISTEN_FDS=1", "LISTEN_FDS=2").replace("3<&0", "3<&0 4<&0");
    let mut command = Command::new("sh");
    command.args(["-c", &two, env!("CARGO_BIN_EXE_assay"), "demo", "--data", folder.path().to_str().unwrap()]);
    let output = command.stdin(OwnedFd::from(socket)).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 sockets were handed over"), "{output:?}");
}

/// What `assay serve` says that is given this socket and refuses it, where `metrics` is as given.
fn refused(socket: TcpListener, metrics: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("assay.toml");
    let pack = running::sample_pack();
    let text = format!(
        "data = \"data\"\nlisten = \"127.0.0.1:8080\"\nmetrics = {metrics:?}\npublic_url = \"http://localhost:8080\"\npacks = [{pack:?}]\n\n\
         [issuer]\nname = \"Example\"\nslug = \"example\"\ncontact = \"a@example.org\"\n\n\
         [smtp]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"A <a@example.org>\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", MANAGER, env!("CARGO_BIN_EXE_assay"), "serve", "--config", config.to_str().unwrap()]);
    let output = command.stdin(OwnedFd::from(socket)).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_socket_that_others_reach_is_refused_without_tls() {
    // Nobody listens at `listen` then, so that `metrics` may have its port.
    let words = refused(TcpListener::bind("0.0.0.0:0").unwrap(), "127.0.0.1:8080");
    assert!(words.contains("other machines can reach") && words.contains("TLS"), "{words}");
}

#[test]
fn figures_at_the_socket_that_was_handed_over_are_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let words = refused(socket, &address);
    assert!(words.contains("the socket that was handed over is") && words.contains("both cannot have one port"), "{words}");
}
