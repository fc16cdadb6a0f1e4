//! Slow and many connections, with times short enough for a test. What is asserted is who is closed and who is served, never how fast.

use std::net::Ipv4Addr;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Longest that a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn short() -> Limits {
    Limits {
        head: Duration::from_millis(400),
        idle: Duration::from_secs(600),
        idle_scarce: Duration::from_millis(200),
        stall: Duration::from_millis(400),
        exchange: Duration::from_secs(600),
        ..Limits::new(100, None)
    }
}

/// So slow that no test sees the end of it.
fn patient() -> Limits {
    let long = Duration::from_secs(600);
    Limits { head: long, idle: long, idle_scarce: long, stall: long, exchange: long, ..Limits::new(100, None) }
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let router = Router::new()
            .route("/", get(|| async { "here\n" }))
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
            .route("/slow", get(|| async { sleep(Duration::from_millis(700)).await }))
            .route("/never", get(|| async { std::future::pending::<()>().await }))
            .route("/echo", post(|body: String| async { body }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, leave) = watch::channel(false);
        Self { address, stop, serving: tokio::spawn(serve(listener, router, limits, leave)) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects, writes, and hands the connection over.
    async fn write(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn is_served(&self) -> bool {
        let mut stream = self.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        rest(&mut stream).await.is_some_and(|text| text.contains("200 OK"))
    }
}

/// All that comes until the other end closes; `None` when it does not.
async fn rest(stream: &mut TcpStream) -> Option<String> {
    let mut all = Vec::new();
    timeout(PATIENCE, async {
        let mut buffer = [0; 4096];
        // A reset is an end as well.
        while let Ok(1..) = stream.read(&mut buffer).await.inspect(|n| all.extend_from_slice(&buffer[..*n])) {}
    })
    .await
    .ok()?;
    Some(String::from_utf8_lossy(&all).into_owned())
}

/// One answer of a connection that stays open.
async fn one(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let n = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

/// Whether the other end leaves this one open for a while that is long against the short limits.
async fn stays(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    timeout(Duration::from_millis(1500), stream.read(&mut byte)).await.is_err()
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Server::start(short()).await;
    let mut slow =
        vec![server.connect().await, server.write(b"GET / HTTP/1.1\r\nhost:").await, server.write(b"PRI * HTTP/2.0\r\n\r\nSM").await];
    // A second request may be as slow as the first, no slower.
    let mut kept = server.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(one(&mut kept).await.contains("here"));
    kept.write_all(b"GET ").await.unwrap();
    slow.push(kept);
    // Dripping on does not help.
    let mut dripping = server.connect().await;
    let dripped = tokio::spawn(async move {
        while dripping.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    for stream in &mut slow {
        assert_eq!(rest(stream).await.as_deref(), Some(""));
    }
    timeout(PATIENCE, dripped).await.unwrap().unwrap();
    assert!(server.is_served().await);

    let server = Server::start(patient()).await;
    assert!(stays(&mut server.write(b"GET / HTTP/1.1\r\nhost:").await).await, "it is the limit that closes");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_not_kept() {
    let server = Server::start(short()).await;
    let mut stream = server.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // Nothing is read for longer than a stall may last; then less is there than was to come.
    sleep(Duration::from_secs(2)).await;
    let taken = rest(&mut stream).await.unwrap().len();
    assert!(taken < 64 << 20, "{taken}");
    // Whoever reads gets all of it; a busy machine may keep the reader from it for a while.
    let server = Server::start(Limits { stall: Duration::from_secs(20), ..short() }).await;
    let mut stream = server.write(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(rest(&mut stream).await.unwrap().len() > 64 << 20);

    let server = Server::start(patient()).await;
    let mut stream = server.write(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    sleep(Duration::from_secs(2)).await;
    assert!(rest(&mut stream).await.unwrap().len() > 64 << 20, "it is the limit that closes");
}

#[tokio::test]
async fn idle_connections_are_kept_until_places_are_scarce() {
    let server = Server::start(Limits { total: 8, ..short() }).await;
    let mut kept = server.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(one(&mut kept).await.contains("here"));
    assert!(stays(&mut kept).await);
    kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(one(&mut kept).await.contains("here"));
    // Requests that never end take seven of eight places.
    let mut busy = Vec::new();
    for _ in 0..6 {
        busy.push(server.write(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await);
    }
    assert_eq!(rest(&mut kept).await.as_deref(), Some(""));
    assert!(server.is_served().await);
}

#[tokio::test]
async fn an_exchange_that_never_ends_is_ended() {
    let server = Server::start(Limits { exchange: Duration::from_millis(400), ..patient() }).await;
    assert_eq!(rest(&mut server.write(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await).await.as_deref(), Some(""));
    assert!(server.is_served().await);
}

#[tokio::test]
async fn at_the_cap_new_connections_wait_for_a_place() {
    let server = Server::start(Limits { total: 2, ..patient() }).await;
    let held =
        (server.write(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await, server.write(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await);
    let mut third = server.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(stays(&mut third).await);
    drop(held);
    assert!(rest(&mut third).await.unwrap().contains("here"));
}

#[tokio::test]
async fn one_address_has_its_share_and_no_more() {
    let server = Server::start(Limits { per_address: Some(2), ..patient() }).await;
    let held = (server.connect().await, server.connect().await);
    let third = timeout(PATIENCE, async {
        loop {
            // The first two may not have been counted yet.
            if let Some(text) = rest(&mut server.connect().await).await {
                break text;
            }
        }
    });
    assert!(third.await.unwrap().starts_with("HTTP/1.1 503 "));
    drop(held);
    timeout(PATIENCE, async { while !server.is_served().await {} }).await.unwrap();
}

#[tokio::test]
async fn leaving_answers_what_is_under_way_and_what_was_just_connected() {
    let server = Server::start(patient()).await;
    let mut under_way = server.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut kept = server.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(one(&mut kept).await.contains("here"));
    let (mut fresh, mut silent) = (server.connect().await, server.connect().await);
    // All have been accepted when one that came later was.
    assert!(server.is_served().await);
    server.stop.send(true).unwrap();
    sleep(Duration::from_millis(100)).await;
    fresh.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = rest(&mut fresh).await.unwrap();
    assert!(answer.contains("here") && answer.contains("connection: close"), "{answer}");
    assert!(rest(&mut under_way).await.unwrap().contains("200 OK"));
    assert_eq!(rest(&mut kept).await.as_deref(), Some(""));
    assert_eq!(rest(&mut silent).await.as_deref(), Some(""));
    timeout(PATIENCE, server.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn both_versions_are_spoken_and_a_silent_one_of_http2_is_not_kept() {
    let server = Server::start(short()).await;
    // The preface and empty settings; what comes first in return are settings as well (RFC 9113, 3.4).
    let mut stream = server.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut frame = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4);
    assert!(rest(&mut stream).await.is_some(), "still open");
    assert!(server.is_served().await);
}

#[tokio::test]
async fn errors_of_taking_a_connection_are_survived() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    // Too many open files (of the process, of the system), no memory for sockets, a connection that went away.
    let faults = Mutex::new(vec![24, 23, 105, 103]);
    let accept = || async {
        let fault = faults.lock().unwrap().pop();
        match fault {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => listener.accept().await,
        }
    };
    let taken = timeout(PATIENCE, take(accept, &Arc::new(Semaphore::new(1)))).await.unwrap();
    assert!(taken.is_some() && faults.lock().unwrap().is_empty());
}

#[test]
fn a_subscriber_of_ipv6_is_one_place() {
    let coarse = |text: &str| coarse(text.parse().unwrap()).to_string();
    assert_eq!(coarse("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(coarse("::ffff:192.0.2.7"), "192.0.2.7");
}
