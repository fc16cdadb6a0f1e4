//! Mail over a real SMTP server (aiosmtpd, from Debian's packages), and what happens while there is none.
//! Skipped, with words, where that server is not installed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use assay_badge::Issuer;
use assay_core::{
    Chance, Clock,
    chance::SeededChance,
    clock::{DAY_SECONDS, SetClock},
    ids::JobId,
    mail::Mail,
};
use assay_fixtures::{START, World};
use assay_jobs::{FileJournal, SmtpMailer, Worker, WorkerParts};
use assay_store::{
    commands::{Enqueue, NewJob},
    queries::JobCounts,
};

/// A mail server that prints what it gets, and somebody who reads it: whoever does not stops the server once the pipe is full.
struct Server(Child, Option<JoinHandle<String>>);

impl Server {
    fn start(port: u16) -> Option<Self> {
        let listen = format!("127.0.0.1:{port}");
        // Debian's interpreter first: it is the one that has Debian's package.
        let python = ["/usr/bin/python3", "python3"]
            .into_iter()
            .find(|p| Command::new(p).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success()))?;
        let mut child = Command::new(python)
            .args(["-u", "-m", "aiosmtpd", "-n", "-l", &listen, "-c", "aiosmtpd.handlers.Debugging", "stdout"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            said.read_to_string(&mut text).unwrap();
            text
        });
        let server = Self(child, Some(reader));
        for _ in 0..100 {
            if TcpStream::connect(&listen).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the mail server did not start");
    }

    /// Ends it and answers what it got.
    fn stop(mut self) -> String {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        self.1.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Room {
    world: World,
    worker: Worker,
    clock: SetClock,
}

async fn room(port: u16) -> Room {
    let world = World::new().await;
    let clock = SetClock::new(START);
    let chance: Arc<dyn Chance> = Arc::new(SeededChance::new([5; 32]));
    let from = jiff::Timestamp::from_millisecond(START.0).unwrap();
    let worker = Worker::new(WorkerParts {
        secret: [1; 32],
        store: world.store.clone(),
        clock: Arc::new(clock.clone()),
        chance,
        issuer: Arc::new(Issuer::demonstration("Test", "http://assay.test", [1; 32], from)),
        contact: String::new(),
        mailer: Arc::new(SmtpMailer::new(&format!("smtp://127.0.0.1:{port}"), "Assay <badges@assay.test>").unwrap()),
        journal: Arc::new(FileJournal::new(world.folder.path().join("signing.jsonl"))),
        bell: Arc::default(),
    });
    Room { world, worker, clock }
}

impl Room {
    async fn queue(&self, n: u32, useless_after_seconds: Option<i64>) {
        let mail = Mail {
            to: format!("person{n}@example.org"),
            subject: format!("Mail {n}: ä and “quotes”"),
            text: format!("This is mail number {n}.\n"),
            calendar: (n == 1).then(|| "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_owned()),
            useless_after: useless_after_seconds.map(|s| START.plus_seconds(s)),
        };
        let payload = serde_json::to_string(&mail).unwrap();
        let run_at = START.plus_seconds(i64::from(n));
        let job = NewJob { id: JobId::random(&self.world.chance), kind: "mail", dedup: format!("m{n}"), payload, person: None, run_at };
        self.world.store.run(Enqueue { issuer: self.world.issuer, job }).await.unwrap();
    }

    async fn open(&self) -> i64 {
        self.world.store.read(JobCounts { at: self.clock.now() }).await.unwrap().open
    }
}

#[tokio::test]
async fn mails_wait_while_the_server_is_down_and_go_out_once_when_it_is_back() {
    let port = free_port();
    let Some(first) = Server::start(port) else {
        println!("skipped: aiosmtpd is not installed (Debian package python3-aiosmtpd)");
        return;
    };
    first.stop();
    let room = room(port).await;
    for n in 1..=5 {
        room.queue(n, None).await;
    }
    room.queue(6, Some(900)).await;
    // Five days without a mail server: tries, pauses, nothing lost.
    for _ in 0..40 {
        room.clock.advance_seconds(5 * DAY_SECONDS / 40);
        room.worker.drain().await;
    }
    assert_eq!(room.open().await, 5, "five wait; the sixth was of no use any more");
    let server = Server::start(port).unwrap();
    room.clock.advance_seconds(3600);
    room.worker.drain().await;
    assert_eq!(room.open().await, 0);
    let got = server.stop();
    for n in 1..=5 {
        assert_eq!(got.matches(&format!("This is mail number {n}.")).count(), 1, "{got}");
        assert_eq!(got.matches(&format!("To: person{n}@example.org")).count(), 1);
    }
    assert!(!got.contains("mail number 6"));
    assert!(got.contains("next-try.ics") && got.contains("From: Assay <badges@assay.test>") && got.contains("Message-ID: <"));
}

#[tokio::test]
async fn hundreds_of_mails_of_five_days_go_out_once_each() {
    const MAILS: u32 = 300;
    let port = free_port();
    let Some(first) = Server::start(port) else {
        println!("skipped: aiosmtpd is not installed (Debian package python3-aiosmtpd)");
        return;
    };
    first.stop();
    let room = room(port).await;
    for n in 1..=MAILS {
        room.queue(n, None).await;
    }
    for _ in 0..5 {
        room.clock.advance_seconds(DAY_SECONDS);
        room.worker.drain().await;
    }
    assert_eq!(room.open().await, i64::from(MAILS));
    let server = Server::start(port).unwrap();
    room.clock.advance_seconds(3600);
    room.worker.drain().await;
    assert_eq!(room.open().await, 0);
    let got = server.stop();
    let order: Vec<u32> = got.split("This is mail number ").skip(1).map(|rest| rest.split('.').next().unwrap().parse().unwrap()).collect();
    assert_eq!(order.len(), MAILS as usize);
    let once: std::collections::BTreeSet<u32> = order.iter().copied().collect();
    assert_eq!(once.len(), MAILS as usize, "each went out once");
}

#[tokio::test]
async fn a_mail_that_cannot_be_written_is_given_up_and_holds_no_other_back() {
    let port = free_port();
    let Some(server) = Server::start(port) else {
        println!("skipped: aiosmtpd is not installed (Debian package python3-aiosmtpd)");
        return;
    };
    let room = room(port).await;
    let mail = Mail { to: "not an address".into(), subject: "x".into(), text: "x".into(), calendar: None, useless_after: None };
    let payload = serde_json::to_string(&mail).unwrap();
    let job = NewJob { id: JobId::random(&room.world.chance), kind: "mail", dedup: "bad".into(), payload, person: None, run_at: START };
    room.world.store.run(Enqueue { issuer: room.world.issuer, job }).await.unwrap();
    room.queue(2, None).await;
    room.clock.advance_seconds(10);
    room.worker.drain().await;
    assert_eq!(room.open().await, 0);
    assert!(server.stop().contains("mail number 2"));
}
