//! The program at its place: the demonstration with the embedded engine, or `serve` over PostgreSQL, killed and started again.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use super::line::Line;
use crate::running::{Browser, Server, between, sample_pack, wait_for};

/// What is started.
pub struct Site {
    folder: tempfile::TempDir,
    /// Settings of `serve`, and the mails that it sends.
    serve: Option<(PathBuf, Mails)>,
    /// Where `serve` listens; it says its public address when it is ready.
    listen: Option<String>,
}

impl Site {
    /// The one that `ASSAY_TEST_ENGINE` says; `None`, with words, where it needs what is not there.
    pub fn new(public: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if !std::env::var("ASSAY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres") {
            return Some(Self { folder, serve: None, listen: None });
        }
        let database = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database())?;
        let (mails, smtp) = Mails::start();
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = format!(
            "data = \"data\"\ndatabase = \"{database}\"\nlisten = \"{listen}\"\npublic_url = \"{public}\"\npacks = [\"{}\"]\n\
             behind_proxy = true\n\n[issuer]\nslug = \"witness\"\nname = \"Witness\"\ncontact = \"help@example.org\"\n\n\
             [smtp]\nurl = \"smtp://127.0.0.1:{smtp}\"\nfrom = \"Witness <witness@example.org>\"\n",
            sample_pack().canonicalize().unwrap().display()
        );
        let config = folder.path().join("assay.toml");
        fs::write(&config, settings).unwrap();
        Some(Self { folder, serve: Some((config, mails)), listen: Some(format!("http://{listen}")) })
    }

    /// Starts it, and leads the line to it.
    pub fn start(&self, line: &Line) -> Server {
        let server = match &self.serve {
            Some((config, _)) => Server::start(["serve", "--config", config.to_str().unwrap()]),
            None => Server::demo(self.folder.path()),
        };
        line.lead_to(Some(self.listen.as_ref().unwrap_or(&server.url)));
        server
    }

    /// Where jobs that a killed process had leased are free at the next start.
    pub fn is_alone(&self) -> bool {
        self.serve.is_none()
    }

    pub fn data(&self) -> PathBuf {
        if self.serve.is_some() { self.folder.path().join("data") } else { self.folder.path().to_owned() }
    }

    /// Somebody comes in by the mailed link.
    pub fn sign_in(&self, url: &str, address: &str) -> Browser {
        let Some((_, mails)) = &self.serve else { return crate::running::signed_in(url, address) };
        let mut browser = Browser::new();
        assert_eq!(browser.post(&format!("{url}/sign-in"), &[("address", address), ("next", "/me")]).unwrap().status, 200);
        let token = wait_for("the mail", || {
            let mail = mails.to(address).pop()?;
            between(&mail, "/sign-in/", "\n").first().map(|token| token.trim().chars().take(26).collect::<String>())
        });
        assert_eq!(browser.post(&format!("{url}/sign-in/{token}"), &[]).unwrap().status, 303);
        browser
    }
}

/// A mail server that takes everything and keeps the texts.
#[derive(Clone, Default)]
struct Mails(Arc<Mutex<Vec<String>>>);

impl Mails {
    fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mails, port) = (Self::default(), listener.local_addr().unwrap().port());
        let taken = mails.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = taken.clone();
                // The program may be killed in the middle of a mail.
                thread::spawn(move || drop(taken.talk(stream)));
            }
        });
        (mails, port)
    }

    fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut out = stream.try_clone()?;
        out.write_all(b"220 mails\r\n")?;
        let (mut text, mut inside) = (String::new(), false);
        for line in BufReader::new(stream).lines() {
            let answer: &[u8] = match (inside, line?.as_str()) {
                (true, ".") => {
                    inside = false;
                    self.0.lock().unwrap().push(std::mem::take(&mut text).replace("=\n", ""));
                    b"250 kept\r\n"
                }
                (true, line) => {
                    text.push_str(line);
                    text.push('\n');
                    continue;
                }
                (false, "DATA") => {
                    inside = true;
                    b"354 go on\r\n"
                }
                (false, "QUIT") => return out.write_all(b"221 bye\r\n"),
                _ => b"250 ok\r\n",
            };
            out.write_all(answer)?;
        }
        Ok(())
    }

    fn to(&self, address: &str) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|mail| mail.contains(&format!("To: {address}"))).cloned().collect()
    }
}

/// How many different signatures each credential has, by the journal.
pub fn signatures(data: &Path) -> Vec<usize> {
    let mut signed: std::collections::BTreeMap<String, std::collections::BTreeSet<String>> = std::collections::BTreeMap::new();
    for line in fs::read_to_string(data.join("journal/signing.jsonl")).unwrap_or_default().lines() {
        // A line that a kill cut short harms no other.
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if entry["event"] == "signed" {
            signed
                .entry(format!("{} {}", entry["award"], entry["revision"]))
                .or_default()
                .insert(format!("{} {}", entry["sha256"], entry["status"]));
        }
    }
    signed.into_values().map(|bytes| bytes.len()).collect()
}
