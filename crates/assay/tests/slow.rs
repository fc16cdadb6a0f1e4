//! A thousand connections that are slow on purpose (heads, bodies, reading), against the real program; people save meanwhile.
//!
//! What is asserted: every save is taken, and every slow connection is ended by the server. How long saves took is printed,
//! beside how long they took before there was any slow connection: on a busy machine the one says little without the other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use running::{Server, begin, signed_in, tokens};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// Connections of each kind.
const EACH: usize = 334;
const SAVERS: usize = 4;
/// Longest that the slow ones are waited for; the longest limit they meet is 30 s.
const PATIENCE: Duration = Duration::from_secs(300);
/// People save for so long before the slow ones come.
const BEFORE: Duration = Duration::from_secs(10);

#[test]
fn a_thousand_slow_connections_are_ended_and_saves_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path());
    let url = server.url.clone();
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut people: Vec<_> = (0..SAVERS)
        .map(|n| {
            let mut browser = signed_in(&url, &format!("saver-{n}@example.org"));
            let attempt = begin(&mut browser, &url, &format!("Saver {n}"));
            let options = tokens(&browser.get(&format!("{url}{attempt}/questions/1")).unwrap().text());
            (browser, attempt, options)
        })
        .collect();

    let (over, attacked) = (AtomicBool::new(false), AtomicBool::new(false));
    let (took, ended) = thread::scope(|scope| {
        let savers: Vec<_> = people
            .iter_mut()
            .map(|(browser, attempt, options)| {
                let (url, over, attacked) = (&url, &over, &attacked);
                scope.spawn(move || {
                    let mut took = Vec::new();
                    while !over.load(Ordering::SeqCst) {
                        let counter = took.len() + 1;
                        let chosen = [&options[counter % options.len()]];
                        let body = serde_json::json!({ "chosen": chosen, "base_revision": 0, "device": "slow", "counter": counter });
                        let (began, beside) = (Instant::now(), attacked.load(Ordering::SeqCst));
                        let answer = browser.post_json(&format!("{url}{attempt}/questions/1/answer"), &body).unwrap();
                        took.push((beside, began.elapsed()));
                        assert_eq!((answer.status, answer.json()["saved"].as_bool()), (200, Some(true)), "{}", answer.text());
                        thread::sleep(Duration::from_millis(50));
                    }
                    took
                })
            })
            .collect();
        thread::sleep(BEFORE);
        attacked.store(true, Ordering::SeqCst);
        let ended = tokio::runtime::Runtime::new().unwrap().block_on(attack(address));
        // Some saves more, now that it is over.
        thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::SeqCst);
        (savers.into_iter().flat_map(|saver| saver.join().unwrap()).collect::<Vec<_>>(), ended)
    });
    let (beside, before): (Vec<_>, Vec<_>) = took.into_iter().partition(|(beside, _)| *beside);
    for (saves, slow) in [(&before, 0), (&beside, 3 * EACH)] {
        let mut took: Vec<Duration> = saves.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let at = |share: usize| took.get(took.len() * share / 100).or(took.last()).map_or(0, Duration::as_millis);
        println!("{} saves beside {slow} slow connections: p50 {} ms, p99 {} ms, longest {} ms", took.len(), at(50), at(99), at(100));
    }
    assert_eq!(ended, [EACH; 3], "ended by the server: slow heads, slow bodies, slow readers");
    assert!(beside.len() > 100, "too few saves to say anything");
    // And the server holds nothing of them any more.
    if let Ok(files) = fs::read_dir(format!("/proc/{}/fd", server.child.id())) {
        assert!(files.count() < 100);
    }
    assert_eq!(server.terminate().code(), Some(0));
}

/// How many of each kind were ended by the other end.
async fn attack(address: SocketAddr) -> [usize; 3] {
    let mut all = Vec::new();
    for n in 0..3 * EACH {
        all.push((
            n % 3,
            tokio::spawn(async move {
                let kind = match n % 3 {
                    0 => timeout(PATIENCE, slow_head(address)).await,
                    1 => timeout(PATIENCE, slow_body(address)).await,
                    _ => timeout(PATIENCE, slow_reader(address)).await,
                };
                kind.is_ok()
            }),
        ));
    }
    let mut ended = [0; 3];
    for (kind, one) in all {
        ended[kind] += usize::from(one.await.unwrap());
    }
    ended
}

/// Goes on writing a byte a second until the other end is gone.
async fn drip(mut stream: TcpStream, start: &str) {
    stream.write_all(start.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let ended = async {
        let mut buffer = [0; 4096];
        while let Ok(1..) = reader.read(&mut buffer).await {}
    };
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = dripping => {}
    }
}

async fn slow_head(address: SocketAddr) {
    drip(TcpStream::connect(address).await.unwrap(), "GET / HTTP/1.1\r\nhost: assay\r\nx-filler: ").await;
}

async fn slow_body(address: SocketAddr) {
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 5000\r\n\r\naddress="
    );
    drip(TcpStream::connect(address).await.unwrap(), &head).await;
}

/// Asks for more than the kernels between would hold, takes ten bytes a second of it, and sees by its writing that the other end is
/// gone: what the kernel has could still be read then.
async fn slow_reader(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let requests = format!("GET /assets/assay-0.css HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(300);
    let (mut reader, mut writer) = stream.split();
    let write = async {
        // The server stops reading when its answers are not taken.
        let mut rest = requests.as_bytes();
        while writer.write_all(rest).await.is_ok() {
            rest = b"\r\n";
            sleep(Duration::from_secs(1)).await;
        }
    };
    let read = async {
        let mut buffer = [0; 10];
        while let Ok(1..) = reader.read(&mut buffer).await {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}
