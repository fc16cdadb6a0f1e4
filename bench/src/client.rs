//! One person's browser, as far as the server can tell: a kept connection, cookies, an `Origin`.

use std::{
    collections::BTreeMap,
    io::Read as _,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;

/// Longest answer that is read, in bytes; a page is some thousands.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time of a benchmark is real time.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Path and query of a redirection to this server; empty without one.
    pub(crate) location: String,
    pub(crate) content_type: String,
    pub(crate) encoding: String,
    /// The body, decoded; text that is not UTF-8 is replaced.
    pub(crate) text: String,
    /// Bytes of the body as they came over the wire.
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
    Unexpected { what: String, expected: String, got: String },
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
        Trouble::Unexpected { what: what.to_owned(), expected: expected.to_owned(), got }
    }
}

/// A browser of one person.
pub(crate) struct Client {
    agent: ureq::Agent,
    /// `http://host:port`, without a slash at the end.
    base: String,
    cookies: BTreeMap<String, String>,
    /// Requests sent so far.
    pub(crate) requests: u64,
}

impl Client {
    /// A browser without cookies. `base` is `http://host:port`; what follows the port is dropped.
    pub(crate) fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .user_agent(concat!("assay-bench/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), base: origin(base), cookies: BTreeMap::new(), requests: 0 }
    }

    /// Gets a page.
    pub(crate) fn get(&mut self, what: &str, path: &str) -> Result<Answer, Trouble> {
        let request = self.agent.get(format!("{}{path}", self.base)).header("Accept", "text/html,*/*;q=0.5");
        let request = request.header("Accept-Encoding", "gzip").header("Cookie", self.cookie_line());
        let sent = now();
        let answer = request.call();
        self.read(what, sent, answer)
    }

    /// Sends a form.
    pub(crate) fn post_form(&mut self, what: &str, path: &str, fields: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let body: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", form_encoded(k), form_encoded(v))).collect();
        self.post(what, path, "application/x-www-form-urlencoded", "text/html", &body.join("&"))
    }

    /// Sends JSON.
    pub(crate) fn post_json(&mut self, what: &str, path: &str, body: &serde_json::Value) -> Result<Answer, Trouble> {
        self.post(what, path, "application/json", "application/json", &body.to_string())
    }

    fn post(&mut self, what: &str, path: &str, content_type: &str, accept: &str, body: &str) -> Result<Answer, Trouble> {
        // A browser sends `Origin` with every POST; the server refuses those of other sites.
        let request = self.agent.post(format!("{}{path}", self.base)).header("Origin", &self.base);
        let request = request.header("Content-Type", content_type).header("Accept", accept);
        let request = request.header("Accept-Encoding", "gzip").header("Cookie", self.cookie_line());
        let sent = now();
        let answer = request.send(body);
        self.read(what, sent, answer)
    }

    fn read(
        &mut self,
        what: &str,
        sent: Instant,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, Trouble> {
        self.requests += 1;
        let broken = |why: String| Trouble::NoAnswer { what: what.to_owned(), why };
        let mut answer = answer.map_err(|e| broken(e.to_string()))?;
        let bytes = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(|e| broken(e.to_string()))?;
        let took = sent.elapsed();
        let headers = answer.headers();
        for line in headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()) {
            take_cookie(&mut self.cookies, line);
        }
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let encoding = header("content-encoding");
        let wire_bytes = bytes.len() as u64;
        let plain = if encoding == "gzip" { unzip(&bytes).map_err(|e| broken(format!("broken gzip: {e}")))? } else { bytes };
        let location = header("location");
        Ok(Answer {
            status: answer.status().as_u16(),
            location: location.strip_prefix(&self.base).unwrap_or(&location).to_owned(),
            content_type: header("content-type"),
            encoding,
            text: String::from_utf8_lossy(&plain).into_owned(),
            wire_bytes,
            took,
        })
    }

    fn cookie_line(&self) -> String {
        self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; ")
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

fn unzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).take(MOST_BYTES).read_to_end(&mut plain)?;
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
