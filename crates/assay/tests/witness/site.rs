//! The program at its place: the demonstration with the embedded engine, or `serve` over PostgreSQL, killed and started again.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use super::line::Line;
use crate::running::{Browser, Server, between, mails::Mails, sample_pack, wait_for};

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
