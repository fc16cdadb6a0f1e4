//! The program as a process, and a browser without a screen.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests that each use a part")]

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use ureq::{Agent, http::Response};

pub mod knowing;
pub mod mails;
pub mod people;
pub mod site;

/// Runs the program to its end.
pub fn assay<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay")).args(args).stdin(Stdio::null()).output().unwrap()
}

/// Exit status, and what was said on both streams.
pub fn said(output: &Output) -> (i32, String) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), text)
}

/// The sample programme's folder.
pub fn sample_pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/serverless")
}

/// What a server says on standard error, as it comes.
pub struct Words(Arc<Mutex<String>>);

impl Words {
    /// Everything so far, once this was said.
    pub fn words_until(&self, mark: &str) -> String {
        wait_for(mark, || Some(self.0.lock().unwrap().clone()).filter(|said| said.contains(mark)))
    }
}

/// A server that is killed when it goes out of scope.
pub struct Server {
    pub child: Child,
    pub url: String,
}

impl Server {
    /// Starts `assay ARGS` and waits until it can take requests.
    pub fn start<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Self {
        Self::start_listening(args).0
    }

    /// The same, with what it says on standard error.
    pub fn start_listening<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> (Self, Words) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        Self::heard(command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The same, however it is started.
    pub fn spawn(command: &mut Command) -> Self {
        Self::ready(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until it can take requests.
    pub fn ready(child: Child) -> Self {
        Self::heard(child).0
    }

    fn heard(mut child: Child) -> (Self, Words) {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("Assay is ready at ") else {
            let mut words = String::new();
            child.stderr.take().map(|mut stream| stream.read_to_string(&mut words));
            panic!("not ready: {line:?} {words}");
        };
        let url = url.to_owned();
        // Whoever does not read it stops the server once the pipe is full.
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        if let Some(mut words) = child.stderr.take() {
            thread::spawn(move || {
                let mut part = [0; 4096];
                while let Ok(read @ 1..) = words.read(&mut part) {
                    heard.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..read]));
                }
            });
        }
        (Self { child, url }, Words(said))
    }

    pub fn demo(data: &Path) -> Self {
        Self::start(["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
    }

    /// As the operating system, a service manager or `kill` asks.
    pub fn terminate(mut self) -> ExitStatus {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// No warning, no goodbye.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}

/// What came back.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub bytes: Vec<u8>,
}

impl Page {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }
}

fn agent(patience: Duration, kept: usize) -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
    config.timeout_global(Some(patience)).max_idle_connections(kept).build().new_agent()
}

/// One browser: its cookie, and no idea where the server is this time.
#[derive(Clone)]
pub struct Browser {
    agent: Agent,
    cookie: String,
    /// What a proxy in front would say where it comes from.
    from: Option<String>,
}

impl Browser {
    pub fn new() -> Self {
        Self { agent: agent(Duration::from_secs(20), 10), cookie: String::new(), from: None }
    }

    /// From this network address, as the server's own proxy would say.
    pub fn behind_proxy(from: &str) -> Self {
        Self { from: Some(from.to_owned()), ..Self::new() }
    }

    /// The same person on a browser that waits long, and keeps its connections or makes a new one each time.
    pub fn patient(&self, keeps: bool) -> Self {
        Self { agent: agent(Duration::from_secs(180), if keeps { 10 } else { 0 }), cookie: self.cookie.clone(), from: self.from.clone() }
    }

    /// The same person on a browser that gives up soon, and makes a new connection each time.
    pub fn hasty(&self, patience: Duration) -> Self {
        Self { agent: agent(patience, 0), cookie: self.cookie.clone(), from: self.from.clone() }
    }

    fn page(&mut self, response: Response<ureq::Body>) -> Result<Page, ureq::Error> {
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let set = header("set-cookie");
        if let Some(cookie) = set.split(';').next().filter(|c| !c.is_empty()) {
            self.cookie = cookie.to_owned();
        }
        let (status, location) = (response.status().as_u16(), header("location"));
        let bytes = response.into_body().read_to_vec()?;
        Ok(Page { status, location, bytes })
    }

    pub fn get(&mut self, url: &str) -> Result<Page, ureq::Error> {
        let mut request = self.agent.get(url).header("cookie", &self.cookie);
        if let Some(from) = &self.from {
            request = request.header("x-forwarded-for", from);
        }
        let response = request.call()?;
        self.page(response)
    }

    pub fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Result<Page, ureq::Error> {
        let mut request = self.agent.post(url).header("cookie", &self.cookie);
        if let Some(from) = &self.from {
            request = request.header("x-forwarded-for", from);
        }
        let response = request.send_form(form.iter().copied())?;
        self.page(response)
    }

    pub fn post_json(&mut self, url: &str, body: &serde_json::Value) -> Result<Page, ureq::Error> {
        let request = self.agent.post(url).header("cookie", &self.cookie).header("content-type", "application/json");
        let response = request.send(body.to_string())?;
        self.page(response)
    }
}

/// Everything between two marks, for each time they stand in a text.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

/// Asks again until there is an answer, for a minute at most.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(found) = ask() {
            return found;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain for {what}");
}

/// The same for four minutes: whatever hangs on a lease that must run out first.
pub fn wait_long_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(found) = ask() {
            return found;
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("waited in vain for {what}");
}

/// A person who came in by the mailed link. One after the other: the newest mail stands first.
pub fn signed_in(url: &str, address: &str) -> Browser {
    let mut browser = Browser::new();
    assert_eq!(browser.post(&format!("{url}/sign-in"), &[("address", address), ("next", "/me")]).unwrap().status, 200);
    let link = wait_for("the mail", || {
        let outbox = browser.get(&format!("{url}/demo/outbox")).unwrap().text();
        let first = outbox.split(address).nth(1)?.to_owned();
        between(&first, "/sign-in/", "\"").first().map(|token| format!("{url}/sign-in/{token}"))
    });
    assert_eq!(browser.post(&link, &[]).unwrap().status, 303);
    browser
}

/// Begins an attempt; its address from the root, `/attempts/{id}`.
pub fn begin(browser: &mut Browser, url: &str, name: &str) -> String {
    let begun = browser.post(&format!("{url}/programmes/serverless/assessment"), &[("name", name), ("honesty", "yes")]).unwrap();
    let id = between(&begun.location, "/attempts/", "/").first().map(|id| (*id).to_owned());
    format!("/attempts/{}", id.unwrap_or_else(|| panic!("not begun: {} {}", begun.status, begun.text())))
}

/// `/readyz` of a server.
pub fn readiness(server: &Server) -> serde_json::Value {
    Browser::new().get(&format!("{}/readyz", server.url)).unwrap().json()
}

/// The tokens of a question's options, as its page has them.
pub fn tokens(page: &str) -> Vec<String> {
    let inputs = between(page, "name=\"choice\"", ">");
    inputs.iter().filter_map(|input| between(input, "value=\"", "\"").first().map(|token| (*token).to_owned())).collect()
}
