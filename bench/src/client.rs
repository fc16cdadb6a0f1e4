//! One person's browser, as far as the server can tell: a kept connection, cookies, an `Origin`.
//!
//! HTTP by hand over one socket (see `wire`): thousands of people fit on the driver's core, and a connection can be cut in the
//! middle of a request, which a client library takes care never to do.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::wire::{Broken, Head, MOST_BYTES, converse};

/// How long one request may take, unless somebody has less patience.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time of a benchmark is real time.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// An answer of the server.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Path and query of a redirection to this server; empty without one.
    pub(crate) location: String,
    pub(crate) content_type: String,
    pub(crate) encoding: String,
    /// The body, decoded; text that is not UTF-8 is replaced.
    pub(crate) text: String,
    /// Bytes of the body as they came over the wire, without the frames of chunks.
    pub(crate) wire_bytes: u64,
    /// From sending the request to the last byte of the body.
    pub(crate) took: Duration,
}

/// Why a step of a person went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// No answer, or half of one.
    #[error("{what}: no answer: {why}")]
    NoAnswer { what: String, why: String },
    /// An answer, and not the one that a person would need.
    #[error("{what}: expected {expected}, got {got}")]
    Unexpected { what: String, expected: String, got: String, status: u16 },
    /// The driver cut the connection, as it was told to.
    #[error("{what}: the connection was cut on purpose")]
    Cut { what: String },
}

impl Trouble {
    /// Whether the server said that it has too much to do.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Unexpected { status: 503, .. })
    }
}

impl Answer {
    /// The answer if it has this status.
    pub(crate) fn expect_status(self, what: &str, status: u16) -> Result<Self, Trouble> {
        if self.status == status { Ok(self) } else { Err(self.unexpected(what, &format!("status {status}"))) }
    }

    /// The trouble of having got this in place of what was expected.
    pub(crate) fn unexpected(&self, what: &str, expected: &str) -> Trouble {
        let mut got = format!("status {}", self.status);
        if !self.location.is_empty() {
            got.push_str(&format!(" to {}", self.location));
        } else if let Some(words) = crate::html::gist(&self.text) {
            got.push_str(&format!(" ({words})"));
        }
        Trouble::Unexpected { what: what.to_owned(), expected: expected.to_owned(), got, status: self.status }
    }
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In the middle of the request: the server never has all of it.
    Half,
    /// After the request, before its answer: the server may have done what it was asked.
    Unread,
}

/// A browser of one person.
pub(crate) struct Client {
    /// `http://host:port`, without a slash at the end.
    base: String,
    /// `host:port`.
    authority: String,
    /// Address on this machine that connections come from, where one is not enough for all.
    source: Option<IpAddr>,
    stream: Option<TcpStream>,
    cookies: BTreeMap<String, String>,
    /// How long one request may take.
    pub(crate) patience: Duration,
    /// What happens to the next request.
    pub(crate) cut_next: Option<Cut>,
    /// Requests sent so far.
    pub(crate) requests: u64,
}

impl Client {
    /// A browser without cookies. `base` is `http://host:port`; what follows the port is dropped.
    pub(crate) fn new(base: &str, source: Option<IpAddr>) -> Self {
        let base = origin(base);
        let authority = base.split_once("://").map_or_else(String::new, |(_, rest)| rest.to_owned());
        let (stream, cookies) = (None, BTreeMap::new());
        Self { base, authority, source, stream, cookies, patience: PATIENCE, cut_next: None, requests: 0 }
    }

    /// Gets a page.
    pub(crate) async fn get(&mut self, what: &str, path: &str) -> Result<Answer, Trouble> {
        let head = self.head("GET", path, "text/html,*/*;q=0.5");
        self.exchange(what, head + "\r\n").await
    }

    /// Sends a form.
    pub(crate) async fn post_form(&mut self, what: &str, path: &str, fields: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let body: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", form_encoded(k), form_encoded(v))).collect();
        self.post(what, path, "application/x-www-form-urlencoded", "text/html", &body.join("&")).await
    }

    /// Sends JSON.
    pub(crate) async fn post_json(&mut self, what: &str, path: &str, body: &serde_json::Value) -> Result<Answer, Trouble> {
        self.post(what, path, "application/json", "application/json", &body.to_string()).await
    }

    async fn post(&mut self, what: &str, path: &str, content_type: &str, accept: &str, body: &str) -> Result<Answer, Trouble> {
        // A browser sends `Origin` with every POST; the server refuses those of other sites.
        let (head, base, length) = (self.head("POST", path, accept), &self.base, body.len());
        let request = format!("{head}Origin: {base}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}");
        self.exchange(what, request).await
    }

    fn head(&self, method: &str, path: &str, accept: &str) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: assay-bench/{}\r\nAccept: {accept}\r\nAccept-Encoding: gzip\r\n",
            self.authority,
            env!("CARGO_PKG_VERSION")
        );
        if !self.cookies.is_empty() {
            let line = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; ");
            head.push_str(&format!("Cookie: {line}\r\n"));
        }
        head
    }

    /// Sends one request and reads its answer, within this person's patience.
    async fn exchange(&mut self, what: &str, request: String) -> Result<Answer, Trouble> {
        self.requests += 1;
        let no_answer = |why: String| Trouble::NoAnswer { what: what.to_owned(), why };
        let patience = self.patience;
        if let Some(cut) = self.cut_next.take() {
            let sent = timeout(patience, self.send_and_cut(request.as_bytes(), cut)).await;
            return Err(match sent {
                Ok(Ok(())) => Trouble::Cut { what: what.to_owned() },
                Ok(Err(e)) => no_answer(e.to_string()),
                Err(_) => no_answer("the request could not be sent".to_owned()),
            });
        }
        let sent = now();
        // Whatever is dropped half way takes its connection with it.
        let read = timeout(patience, self.talk(request.as_bytes())).await;
        let read = read.map_err(|_| no_answer(format!("none within {} s", patience.as_secs())))?;
        let (head, body) = read.map_err(|broken| no_answer(broken.why))?;
        let took = sent.elapsed();
        for line in &head.cookies {
            take_cookie(&mut self.cookies, line);
        }
        let wire_bytes = body.len() as u64;
        let plain = if head.encoding == "gzip" { unzip(&body).map_err(|e| no_answer(format!("broken gzip: {e}")))? } else { body };
        let location = head.location.strip_prefix(&self.base).unwrap_or(&head.location).to_owned();
        let text = String::from_utf8(plain).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Ok(Answer { status: head.status, location, content_type: head.content_type, encoding: head.encoding, text, wire_bytes, took })
    }

    async fn send_and_cut(&mut self, request: &[u8], cut: Cut) -> io::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let bytes = if cut == Cut::Half { &request[..request.len() / 2] } else { request };
        stream.write_all(bytes).await
    }

    /// A connection that the server closed meanwhile is replaced once, as browsers do; never after the first byte of an answer.
    async fn talk(&mut self, request: &[u8]) -> Result<(Head, Vec<u8>), Broken> {
        if let Some(kept) = self.stream.take() {
            match converse(kept, request).await {
                Err(broken) if broken.untouched => {}
                read => return read.map(|(stream, head, body)| self.keep(stream, head, body)),
            }
        }
        let fresh = self.connect().await.map_err(|e| Broken { untouched: true, why: e.to_string() })?;
        converse(fresh, request).await.map(|(stream, head, body)| self.keep(stream, head, body))
    }

    fn keep(&mut self, stream: TcpStream, head: Head, body: Vec<u8>) -> (Head, Vec<u8>) {
        self.stream = (!head.closes).then_some(stream);
        (head, body)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = match (self.source, self.authority.parse::<SocketAddr>()) {
            (Some(source), Ok(peer)) => {
                let socket = if peer.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                socket.bind(SocketAddr::new(source, 0))?;
                socket.connect(peer).await?
            }
            _ => TcpStream::connect(&self.authority).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Scheme, host and port of an address, which is also the `Origin` that a browser sends.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

/// Keeps a cookie from a `Set-Cookie` line; `Max-Age=0` or an empty value removes it, as sign-out does.
fn take_cookie(cookies: &mut BTreeMap<String, String>, line: &str) {
    let mut parts = line.split(';').map(str::trim);
    let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
    if value.is_empty() || parts.any(|p| p.eq_ignore_ascii_case("max-age=0")) {
        cookies.remove(name);
    } else {
        cookies.insert(name.to_owned(), value.to_owned());
    }
}

fn unzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len() * 4);
    GzDecoder::new(bytes).take(MOST_BYTES as u64).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Percent-encoding of a form field (the URL Standard's application/x-www-form-urlencoded serializer).
fn form_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_replaced_and_removed() {
        let mut jar = BTreeMap::new();
        take_cookie(&mut jar, "assay=one; Path=/; HttpOnly");
        take_cookie(&mut jar, "assay=two=2; Path=/");
        assert_eq!(jar.get("assay").map(String::as_str), Some("two=2"));
        take_cookie(&mut jar, "assay=gone; Max-Age=0");
        take_cookie(&mut jar, "nonsense");
        assert!(jar.is_empty());
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form_encoded("Ann O'Né +1@x"), "Ann+O%27N%C3%A9+%2B1%40x");
    }

    #[test]
    fn an_origin_has_no_path() {
        assert_eq!(origin("http://127.0.0.1:8080/demo"), "http://127.0.0.1:8080");
        assert_eq!(origin("127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}
