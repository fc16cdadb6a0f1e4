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
    process::Command,
};

use assay_badge::{CheckName, KeyHistory, Outcome, SigningKey, VerifyOptions, sign, verify};
use jiff::Timestamp;
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
            // One that is not refused would serve for ever.
            let mut server = Command::new("timeout");
            let (status, server) =
                said(&server.args(["60", env!("CARGO_BIN_EXE_assay"), "serve", "--config", &self.config]).output().unwrap());
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
    assert!(status == 1 && words.contains("bring keys/issuer-keys.json back first") && !words.contains("start the server"), "{words}");
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

/// Whether a key was in use when it signed, as a verifier finds that reads this installation's history.
fn is_in_use(here: &Installation, seed: &[u8], method: &str, created: Timestamp) -> bool {
    let history: KeyHistory = serde_json::from_slice(&fs::read(here.key("issuer-keys.json")).unwrap()).unwrap();
    let document = serde_json::json!({
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
        "id": "urn:uuid:0190f5d4-7f6c-7a0a-9a55-2b1f2c3d4e5f",
        "type": ["VerifiableCredential"],
        "issuer": history.issuer,
        "credentialSubject": { "id": "urn:uuid:0190f5d4-7f6c-7a0a-9a55-2b1f2c3d4e50" },
    });
    let signed = sign(&document, &SigningKey::from_seed(seed.try_into().unwrap()), method, created).unwrap();
    let trust = [history];
    let report = verify(signed.to_string().as_bytes(), &VerifyOptions::new(created, &trust, &|_| None));
    assert_eq!(report.outcome(CheckName::Signature), Outcome::Passed, "{report:?}");
    report.outcome(CheckName::KeyBelongsToIssuer) == Outcome::Passed
}

#[test]
fn a_key_that_was_changed_signs_no_more_and_what_it_signed_stays_valid() {
    let here = Installation::new();
    let old = here.keys()[0].clone().unwrap();
    let records = || {
        let history: KeyHistory = serde_json::from_slice(&fs::read(here.key("issuer-keys.json")).unwrap()).unwrap();
        history.keys
    };
    let first = records().remove(0);
    let end_of_time: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    assert!(is_in_use(&here, &old, &first.verification_method, end_of_time), "before the change");
    assert_eq!(here.rotate("signing.key").0, 0);
    let end = records()[0].valid_until.expect("an end");
    assert!(is_in_use(&here, &old, &first.verification_method, first.valid_from));
    assert!(!is_in_use(&here, &old, &first.verification_method, end));
    assert!(!is_in_use(&here, &old, &first.verification_method, end_of_time));
    let second = records().remove(1);
    assert!(second.valid_from < end, "no second without a key");
    assert!(is_in_use(&here, &here.keys()[0].clone().unwrap(), &second.verification_method, end_of_time));

    // A change that was cut off after the history, as by a full disk: refused, and mended by the same command.
    let whole = here.keys();
    assert_eq!(here.rotate("signing.key").0, 0);
    write_key(&here.key("signing.key"), whole[0].as_ref().unwrap());
    let database = rusqlite::Connection::open(here.folder.path().join("data/assay.db")).unwrap();
    let known = SigningKey::from_seed(whole[0].clone().unwrap().try_into().unwrap()).public_multibase();
    assert_eq!(database.execute("UPDATE installation SET value = ?1 WHERE name = 'public key'", [known.as_bytes()]).unwrap(), 1);
    drop(database);
    here.is_refused(&["keys/signing.key is retired in the key history", "assay rotate signing.key"]);
    assert_eq!(here.rotate("signing.key").0, 0);
    here.start();
    let names: Vec<String> = records().into_iter().map(|record| record.verification_method).collect();
    assert!(names.iter().enumerate().all(|(at, name)| name.ends_with(&format!("#key-{}", at + 1))), "{names:?}");
}

#[test]
fn a_history_of_another_installation_at_the_same_address_is_refused() {
    let (here, other) = (Installation::new(), Installation::new());
    let whole = here.keys();
    let history = |installation: &Installation| -> KeyHistory {
        serde_json::from_slice(&fs::read(installation.key("issuer-keys.json")).unwrap()).unwrap()
    };
    let mut foreign = history(&other);
    let own = history(&here);
    foreign.issuer.clone_from(&own.issuer);
    foreign.keys[0].verification_method.clone_from(&own.keys[0].verification_method);
    fs::write(here.key("issuer-keys.json"), serde_json::to_vec(&foreign).unwrap()).unwrap();
    here.is_refused(&["is not in the key history", "keys/issuer-keys.json`"]);
    let before = here.keys();
    let (status, words) = here.rotate("signing.key");
    assert!(status == 1 && words.contains("bring keys/issuer-keys.json back"), "{words}");
    assert_eq!(here.keys(), before);
    // A name is not given twice, whatever is missing in between.
    let mut gone = own.clone();
    gone.keys[0].verification_method = format!("{}#key-7", own.issuer);
    fs::write(here.key("issuer-keys.json"), serde_json::to_vec(&gone).unwrap()).unwrap();
    assert_eq!(here.rotate("signing.key").0, 0);
    assert!(history(&here).keys[1].verification_method.ends_with("#key-8"));
    assert_ne!(here.keys()[0], whole[0]);
}

#[test]
fn a_key_that_is_cut_off_or_open_can_be_changed() {
    let here = Installation::new();
    for (name, harm) in [("signing.key", "sign badges in your name"), ("server.secret", "foretell forms")] {
        fs::set_permissions(here.key(name), fs::Permissions::from_mode(0o640)).unwrap();
        here.is_refused(&[harm, "chmod 600", &format!("assay rotate {name}")]);
        assert_eq!(here.rotate(name).0, 0);
        write_key(&here.key(name), b"short");
        here.is_refused(&["has 5 bytes", "tar -xf BACKUP", &format!("keys/{name}"), &format!("assay rotate {name}")]);
        assert_eq!(here.rotate(name).0, 0);
        here.start();
    }
}

#[test]
fn a_server_may_be_called_a_demonstration_and_a_stray_file_changes_nothing() {
    let here = Installation::new();
    fs::write(here.folder.path().join("data/issuer-keys.json"), "{}").unwrap();
    here.start();
    fs::remove_dir_all(here.folder.path().join("data")).unwrap();
    let text = fs::read_to_string(&here.config).unwrap().replace("\"office\"", "\"demonstration\"");
    fs::write(&here.config, text).unwrap();
    here.start();
    here.start();
    let data = here.folder.path().join("data");
    let doctor = said(&assay(["doctor", "--data", data.to_str().unwrap()])).1;
    assert!(doctor.contains("ok     keys"), "{doctor}");
    assert_eq!(here.rotate("signing.key").0, 0);
    here.start();
}

#[test]
fn a_demonstration_in_a_database_of_its_own_needs_a_folder_for_its_key() {
    let (status, words) = said(&assay(["demo", "--listen", "127.0.0.1:0", "--database", "postgres://nobody@127.0.0.1:9/none"]));
    assert!(status == 64 && words.contains("--data FOLDER"), "{words}");
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
