//! The keys of an installation: a server makes them once, refuses to start without them or with others, and `assay rotate` is the one
//! way to change them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use running::{Server, assay, said, sample_pack};

struct Installation {
    folder: tempfile::TempDir,
    config: String,
}

impl Installation {
    /// A server that was started once.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!(
            "data = \"data\"\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\npacks = [{:?}]\n\n[issuer]\nname = \"Office\"\n\
             slug = \"office\"\ncontact = \"badges@example.org\"\n\n[smtp]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"Badges <badges@example.org>\"\n",
            // The small one is read more quickly.
            sample_pack().with_file_name("git-for-teams")
        );
        let config = folder.path().join("assay.toml");
        fs::write(&config, text).unwrap();
        let here = Self { config: config.display().to_string(), folder };
        here.start();
        here
    }

    fn start(&self) {
        assert_eq!(Server::start(["serve", "--config", &self.config]).terminate().code(), Some(0));
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.path().join("data/keys").join(name)
    }

    fn keys(&self) -> [Option<Vec<u8>>; 3] {
        ["signing.key", "server.secret", "issuer-keys.json"].map(|name| fs::read(self.key(name)).ok())
    }

    /// Refused, in these words, by the server and the doctor alike, however often; and nothing is made.
    fn is_refused(&self, words: &[&str]) {
        let before = self.keys();
        for _ in 0..2 {
            let doctor = said(&assay(["doctor", "--config", &self.config])).1;
            let doctor = doctor.lines().filter(|line| line.starts_with("WRONG  keys")).collect::<Vec<_>>().join("\n");
            let (status, server) = said(&assay(["serve", "--config", &self.config]));
            assert_eq!(status, 1, "{server}");
            for words in words {
                assert!(server.contains(words) && doctor.contains(words), "{words}: {server}\n{doctor}");
            }
            assert_eq!(self.keys(), before);
        }
    }

    fn rotate(&self, key: &str) -> (i32, String) {
        said(&assay(["rotate", key, "--config", &self.config]))
    }
}

fn write_key(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_that_is_lost_or_another_s_stops_the_start_in_words() {
    let here = Installation::new();
    let kept = here.keys();
    for (name, number) in [("signing.key", 0), ("server.secret", 1)] {
        let path = here.key(name);
        fs::remove_file(&path).unwrap();
        let root = here.folder.path().join("data");
        let tar = format!("tar -xf BACKUP -C {} keys/{name}", root.display());
        here.is_refused(&[&format!("keys/{name} is missing"), &tar, &format!("assay rotate {name}")]);
        write_key(&path, &[7; 32]);
        here.is_refused(&[&format!("keys/{name} is not the one that the database was last used with"), &tar]);
        write_key(&path, kept[number].as_ref().unwrap());
        here.start();
    }
    fs::remove_file(here.key("issuer-keys.json")).unwrap();
    here.is_refused(&["issuer-keys.json is missing", "tar -xf BACKUP"]);
    let (status, words) = here.rotate("signing.key");
    assert!(status == 1 && words.contains("bring it back first"), "{words}");
    // All of another installation.
    let other = Installation::new();
    for name in ["signing.key", "server.secret", "issuer-keys.json"] {
        fs::copy(other.key(name), here.key(name)).unwrap();
    }
    let history = fs::read_to_string(here.key("issuer-keys.json")).unwrap();
    let port = |installation: &Installation| {
        fs::read_to_string(&installation.config)
            .unwrap()
            .split("listen = \"127.0.0.1:")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    fs::write(here.key("issuer-keys.json"), history.replace(&port(&other), &port(&here))).unwrap();
    here.is_refused(&["keys/signing.key is not the one", "keys/server.secret is not the one"]);
}

#[test]
fn a_key_is_changed_when_somebody_orders_it_and_the_server_is_stopped() {
    let here = Installation::new();
    let server = Server::start(["serve", "--config", &here.config]);
    let before = here.keys();
    let (status, words) = here.rotate("signing.key");
    assert!(status == 1 && words.contains("in use"), "{words}");
    assert_eq!(here.keys(), before);
    assert_eq!(server.terminate().code(), Some(0));

    let (status, words) = here.rotate("signing.key");
    assert!(status == 0 && words.contains("stays valid") && words.contains("Make a backup"), "{words}");
    let after = here.keys();
    assert!(after[0] != before[0] && after[1] == before[1]);
    let history = String::from_utf8(after[2].clone().unwrap()).unwrap();
    assert!(history.contains("#key-1") && history.contains("#key-2"), "{history}");
    here.start();
    assert_eq!(here.keys(), after);
    // The one before is not taken back in silence.
    write_key(&here.key("signing.key"), before[0].as_ref().unwrap());
    here.is_refused(&["keys/signing.key is not the one"]);

    // Lost for good, with no backup.
    for name in ["signing.key", "server.secret"] {
        fs::remove_file(here.key(name)).unwrap();
        let (status, words) = here.rotate(name);
        assert_eq!(status, 0, "{words}");
        assert_eq!(fs::metadata(here.key(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    here.start();
    assert_eq!(said(&assay(["rotate", "nonsense", "--config", &here.config])).0, 64);
}

#[test]
fn a_demonstration_without_its_key_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert_eq!(Server::demo(folder.path()).terminate().code(), Some(0));
    let (status, words) = said(&assay(["rotate", "signing.key", "--data", data]));
    assert!(status == 64 && words.contains("throw-away"), "{words}");
    fs::remove_file(folder.path().join("keys/signing.key")).unwrap();
    let (status, words) = said(&assay(["demo", "--listen", "127.0.0.1:0", "--data", data]));
    assert!(status == 1 && words.contains("signing.key is missing") && words.contains("another folder"), "{words}");
    let (status, words) = said(&assay(["doctor", "--data", data]));
    assert!(status == 1 && words.contains("WRONG  keys") && words.contains("another folder"), "{words}");
    assert!(!folder.path().join("keys/signing.key").exists());
}
