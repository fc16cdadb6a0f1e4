//! Where a story takes place: a demonstration over the embedded database, or nodes over one PostgreSQL.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests that each use a part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use assay_fixtures::free_port;

use super::{Browser, Server, between, mails::Mails, sample_pack, wait_for};

/// See the module.
pub struct Site {
    root: tempfile::TempDir,
    /// Settings of the nodes; none for a demonstration.
    nodes: Vec<PathBuf>,
    mails: Mails,
}

impl Site {
    /// A demonstration.
    pub fn demo() -> Self {
        Self::demo_in(&std::env::temp_dir())
    }

    /// A demonstration in a folder of that one.
    pub fn demo_in(within: &Path) -> Self {
        Self { root: tempfile::tempdir_in(within).unwrap(), nodes: Vec::new(), mails: Mails::default() }
    }

    /// So many nodes over a database. `more` are lines of their settings.
    pub fn over(database: &str, nodes: usize, more: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (mails, smtp) = Mails::start();
        let public = free_port();
        let nodes = (0..nodes).map(|n| node(root.path(), &format!("node{n}"), database, free_port(), public, smtp)).collect();
        let site = Self { root, nodes, mails };
        for config in &site.nodes {
            let settings = fs::read_to_string(config).unwrap();
            fs::write(config, format!("{more}\n{settings}")).unwrap();
        }
        site
    }

    /// Over PostgreSQL where `ASSAY_TEST_ENGINE` says so, else a demonstration.
    pub fn new() -> Self {
        if std::env::var("ASSAY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres") {
            let database = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database());
            Self::over(&database.expect("ASSAY_TEST_ENGINE=postgres needs a server"), 1, "")
        } else {
            Self::demo()
        }
    }

    pub fn is_demo(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Starts a node (the first of all makes the keys, and the others need a copy). Its address is not the public one.
    pub fn start(&self, n: usize) -> Server {
        self.start_with(n, |_| ())
    }

    /// The same, with something set for the process.
    pub fn start_with(&self, n: usize, set: impl Fn(&mut Command)) -> Server {
        let Some(config) = self.nodes.get(n) else { return Server::demo(self.root.path()) };
        let (first, own) = (self.data(0).join("keys"), self.data(n).join("keys"));
        if n > 0 && !own.exists() {
            fs::create_dir_all(&own).unwrap();
            for file in fs::read_dir(first).unwrap() {
                let path = file.unwrap().path();
                fs::copy(&path, own.join(path.file_name().unwrap())).unwrap();
            }
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        set(command.args(["serve", "--config", config.to_str().unwrap()]));
        let mut server = Server::spawn(&mut command);
        let settings = fs::read_to_string(config).unwrap();
        server.url = format!("http://{}", between(&settings, "listen = \"", "\"")[0]);
        server
    }

    fn data(&self, n: usize) -> PathBuf {
        if self.is_demo() { self.root.path().to_owned() } else { self.nodes[n].parent().unwrap().join("data") }
    }

    /// A node's settings.
    pub fn config(&self, n: usize) -> &str {
        self.nodes[n].to_str().unwrap()
    }

    /// The journal of a node, or of the demonstration.
    pub fn journal(&self, n: usize) -> PathBuf {
        self.data(n).join("journal/signing.jsonl")
    }

    /// Somebody comes in by the mailed link.
    pub fn sign_in(&self, url: &str, address: &str) -> Browser {
        let mut browser = Browser::new();
        assert_eq!(browser.post(&format!("{url}/sign-in"), &[("address", address), ("next", "/me")]).unwrap().status, 200);
        let link = wait_for("the mail", || self.link(&mut browser, url, address));
        assert_eq!(browser.post(&link, &[]).unwrap().status, 303);
        browser
    }

    /// The way in that was mailed last.
    pub fn link(&self, browser: &mut Browser, url: &str, address: &str) -> Option<String> {
        let token = if self.is_demo() {
            let outbox = browser.get(&format!("{url}/demo/outbox")).unwrap().text();
            // The newest mail stands first, and one person signs in after the other.
            let first = outbox.split(address).nth(1)?.to_owned();
            between(&first, "/sign-in/", "\"").first().map(|token| (*token).to_owned())
        } else {
            let mail = self.mails.to(address).pop()?;
            between(&mail, "/sign-in/", "\n").first().map(|token| token.trim().chars().take(26).collect())
        };
        token.map(|token| format!("{url}/sign-in/{token}"))
    }

    /// Jobs that a killed process had taken are free again when their lease is over: a day ahead it is. Elsewhere it takes two minutes.
    pub fn let_leases_end(&self, url: &str) {
        if self.is_demo() {
            Browser::new().post(&format!("{url}/demo/clock"), &[]).unwrap();
        }
    }

    /// The public keys.
    pub fn keys(&self) -> PathBuf {
        if self.is_demo() { self.root.path().join("issuer-keys.json") } else { self.data(0).join("keys/issuer-keys.json") }
    }

    /// The journals of all nodes.
    pub fn journals(&self) -> String {
        let all = (0..self.nodes.len().max(1)).map(|n| fs::read_to_string(self.journal(n)).unwrap_or_default());
        all.collect::<Vec<_>>().join("\n")
    }
}

/// A data folder with its settings. The keys are the first node's.
pub fn node(root: &Path, name: &str, database: &str, listen: u16, public: u16, smtp: u16) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    let settings = format!(
        "data = \"data\"\ndatabase = \"{database}\"\nlisten = \"127.0.0.1:{listen}\"\npublic_url = \"http://127.0.0.1:{public}\"\n\
         packs = [\"{}\"]\nbehind_proxy = true\n\n[issuer]\nslug = \"nodes\"\nname = \"Nodes\"\ncontact = \"help@example.org\"\n\n\
         [smtp]\nurl = \"smtp://127.0.0.1:{smtp}\"\nfrom = \"Nodes <nodes@example.org>\"\n",
        sample_pack().canonicalize().unwrap().display()
    );
    let config = folder.join("assay.toml");
    fs::write(&config, settings).unwrap();
    config
}
