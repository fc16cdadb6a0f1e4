//! `assay demo`, `assay serve` and `assay revoke` as processes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use running::{Browser, Server, assay, between, said, sample_pack, wait_for};

#[test]
fn a_demonstration_starts_answers_and_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::demo(folder.path());
    let mut browser = Browser::new();
    let page = browser.get(&format!("{}/demo", server.url)).unwrap();
    assert_eq!(page.status, 200);
    for who in ["fresh", "almost", "waiting", "holder"] {
        assert!(page.text().contains(&format!("/demo/as/{who}")), "{who}");
    }

    let taken = server.url.strip_prefix("http://").unwrap().to_owned();
    let (status, words) = said(&assay(["demo", "--listen", &taken]));
    assert_eq!(status, 1);
    assert!(words.contains("is taken") && words.contains("--listen 127.0.0.1:0"), "{words}");
    let (status, words) = said(&assay(["demo", "--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()]));
    assert_eq!(status, 1);
    assert!(words.contains("in use by another server"), "{words}");

    assert_eq!(server.terminate().code(), Some(0));
    assert!(!folder.path().join("assay.db-wal").exists(), "the database was not closed");

    // The same folder goes on: same key, same people, the sample attempt still open.
    let keys = fs::read_to_string(folder.path().join("issuer-keys.json")).unwrap();
    let server = Server::demo(folder.path());
    assert_eq!(fs::read_to_string(folder.path().join("issuer-keys.json")).unwrap(), keys);
    browser.post(&format!("{}/demo/as/almost", server.url), &[]).unwrap();
    assert!(browser.get(&format!("{}/me", server.url)).unwrap().text().contains("/attempts/"));
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_kept_demonstration_is_served_where_its_badges_say() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let first = Server::demo(folder.path());
    let url = first.url.clone();
    assert_eq!(first.terminate().code(), Some(0));
    let again = Server::start(["demo", "--data", data]);
    assert_eq!(again.url, url, "the port is remembered");
    assert_eq!(again.terminate().code(), Some(0));

    // Somebody else has it meanwhile: it goes on elsewhere, says so, and comes back.
    let taken = TcpListener::bind(url.strip_prefix("http://").unwrap()).unwrap();
    let (elsewhere, words) = Server::start_listening(["demo", "--data", data]);
    assert_ne!(elsewhere.url, url);
    let words = words.words_until("Stop ");
    assert!(words.contains(url.strip_prefix("http://").unwrap()) && words.contains("is taken by another program"), "{words}");
    assert_eq!(elsewhere.terminate().code(), Some(0));
    drop(taken);
    let back = Server::start(["demo", "--data", data]);
    assert_eq!(back.url, url);
    assert_eq!(back.terminate().code(), Some(0));

    // What is asked for goes first, and is what is remembered then.
    let moved = Server::demo(folder.path());
    let new = moved.url.clone();
    assert_ne!(new, url);
    assert_eq!(moved.terminate().code(), Some(0));
    assert_eq!(Server::start(["demo", "--data", data]).url, new);
}

#[test]
fn a_temporary_demonstration_leaves_nothing() {
    let server = Server::start(["demo", "--listen", "127.0.0.1:0"]);
    let pid = server.child.id();
    // Its folder is what it has open.
    let open: Vec<PathBuf> = fs::read_dir(format!("/proc/{pid}/fd"))
        .map(|all| all.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).collect())
        .unwrap_or_default();
    let database = open.iter().find(|path| path.ends_with("assay.db")).cloned();
    assert_eq!(server.terminate().code(), Some(0));
    if let Some(database) = database {
        assert!(!database.parent().unwrap().exists());
    }
}

#[test]
fn a_revoked_badge_shows_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let server = Server::demo(folder.path());
    let url = &server.url;
    let mut holder = Browser::new();
    holder.post(&format!("{url}/demo/as/holder"), &[]).unwrap();
    let me = holder.get(&format!("{url}/me")).unwrap().text();
    let id = between(&me, "/me/badges/", "\"")[0].chars().take(26).collect::<String>();
    let mut visitor = Browser::new();
    let page = visitor.get(&format!("{url}/b/{id}")).unwrap();
    assert_eq!(page.status, 200);
    assert!(!page.text().to_lowercase().contains("was revoked"), "{}", page.text());

    let keys = folder.path().join("issuer-keys.json");
    let save = |browser: &mut Browser, from: &str, name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, browser.get(&format!("{url}{from}")).unwrap().bytes).unwrap();
        path.display().to_string()
    };
    let (badge, list) = (save(&mut visitor, &format!("/b/{id}.json"), "badge.json"), save(&mut visitor, "/status/1", "list.json"));
    let verify = |badge: &str, list: &str| {
        said(&assay(["verify", badge, "--trust", keys.to_str().unwrap(), "--status-list", list, "--require-status"]))
    };
    let (status, words) = verify(&badge, &list);
    assert_eq!(status, 0, "{words}");
    for kind in ["png", "svg"] {
        let baked = save(&mut visitor, &format!("/b/{id}.{kind}"), &format!("badge.{kind}"));
        let (status, words) = verify(&baked, &list);
        assert_eq!(status, 0, "{words}");
    }

    let revoke = |badge: &str| said(&assay(["revoke", badge, "--reason", "a mistake", "--data", data]));
    let (status, words) = revoke(&format!("{url}/b/{id}"));
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("is revoked"), "{words}");
    let mail = wait_for("the mail to the holder", || {
        let outbox = visitor.get(&format!("{url}/demo/outbox")).unwrap().text();
        between(&outbox, "Your badge was taken back", "</article>").first().map(|mail| (*mail).to_owned())
    });
    assert!(mail.contains("To holder@example.org") && mail.contains("a mistake"), "{mail}");
    assert!(holder.get(&format!("{url}/me/badges/{id}")).unwrap().text().contains("<q>a mistake</q>"));
    assert!(visitor.get(&format!("{url}/b/{id}")).unwrap().text().to_lowercase().contains("revoked"));
    let list = save(&mut visitor, "/status/1", "list.json");
    let (status, words) = verify(&badge, &list);
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("The issuer revoked it."), "{words}");

    let (status, words) = revoke(&id);
    assert_eq!(status, 0);
    assert!(words.contains("was revoked before"), "{words}");
    let journal = fs::read_to_string(folder.path().join("journal/signing.jsonl")).unwrap();
    assert_eq!(journal.lines().filter(|l| l.contains("\"revoked\"")).count(), 1, "{journal}");
    let (status, words) = revoke("aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(status, 1);
    assert!(words.contains("there is no badge"), "{words}");
    assert_eq!(revoke("nonsense").0, 64);
    assert_eq!(said(&assay(["revoke", &id, "--reason", "x", "--data", "/nowhere/at/all"])).0, 1);
    assert_eq!(said(&assay(["revoke", &id, "--data", data])).0, 64);
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn settings(folder: &Path, public_url: &str, listen: &str, pack: &Path) -> String {
    let text = format!(
        "data = \"data\"\nlisten = \"{listen}\"\npublic_url = \"{public_url}\"\npacks = [{pack:?}]\n\n\
         [issuer]\nname = \"Example Office\"\nslug = \"example\"\ncontact = \"badges@example.org\"\n\n\
         [smtp]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"Badges <badges@example.org>\"\n\n[entry.serverless]\nwho = \"domains\"\ndomains = [\"example.org\"]\n"
    );
    let path = folder.join("assay.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_real_server_has_no_demonstration_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_port();
    let config = settings(folder.path(), &format!("http://{address}"), &address.to_string(), &sample_pack());
    let server = Server::start(["serve", "--config", &config]);
    assert_eq!(server.url, format!("http://{address}"));
    let mut browser = Browser::new();
    assert_eq!(browser.get(&format!("{}/", server.url)).unwrap().status, 200);
    assert_eq!(browser.get(&format!("{}/healthz", server.url)).unwrap().status, 200);
    for path in ["/demo", "/demo/", "/demo/outbox", "/demo/as/fresh", "/demo/clock"] {
        assert_eq!(browser.get(&format!("{}{path}", server.url)).unwrap().status, 404, "GET {path}");
        assert_eq!(browser.post(&format!("{}{path}", server.url), &[]).unwrap().status, 404, "POST {path}");
    }
    let keys = browser.get(&format!("{}/issuer/keys.json", server.url)).unwrap();
    assert!(keys.json()["issuer"].as_str().unwrap().starts_with("did:web:127.0.0.1%3A"));
    assert!(browser.get(&format!("{}/programmes/serverless", server.url)).unwrap().text().contains("example.org"));
    assert_eq!(server.terminate().code(), Some(0));

    for file in ["assay.db", "keys/signing.key", "keys/server.secret", "keys/issuer-keys.json"] {
        assert!(folder.path().join("data").join(file).is_file(), "{file}");
    }
    // Another host would leave every badge without its issuer.
    let config = settings(folder.path(), "https://badges.example.org", &address.to_string(), &sample_pack());
    let (status, words) = said(&assay(["serve", "--config", &config]));
    assert_eq!(status, 1);
    assert!(words.contains("could no longer be verified"), "{words}");
}

#[test]
fn a_programme_taken_out_of_the_settings_keeps_its_standard() {
    let folder = tempfile::tempdir().unwrap();
    let retired = folder.path().join("retired");
    assert!(Command::new("cp").args(["-r".as_ref(), sample_pack().as_os_str(), retired.as_os_str()]).status().unwrap().success());
    let address = free_port();
    let config = settings(folder.path(), &format!("http://{address}"), &address.to_string(), &sample_pack());
    let one = fs::read_to_string(&config).unwrap();
    fs::write(&config, one.replace("packs = [", &format!("packs = [{retired:?}, "))).unwrap();
    let server = Server::start(["serve", "--config", &config]);
    let mut browser = Browser::new();
    let mut status = |path: &str| {
        let page = browser.get(&format!("http://{address}{path}")).unwrap();
        (page.status, page.text().contains("No longer offered"))
    };
    for path in ["/programmes/retired", "/programmes/retired/standard", "/programmes/retired/badge.svg"] {
        assert_eq!(status(path), (200, false), "{path}");
    }
    assert_eq!(server.terminate().code(), Some(0));

    fs::write(&config, one).unwrap();
    let server = Server::start(["serve", "--config", &config]);
    assert_eq!(status("/programmes/retired"), (404, true));
    assert_eq!(status("/programmes/retired/standard"), (200, true));
    assert_eq!(status("/programmes/retired/badge.svg"), (200, false));
    assert_eq!(status("/programmes/serverless/standard"), (200, false));
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_real_server_refuses_what_would_harm() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |config: &str| {
        let (status, words) = said(&assay(["serve", "--config", config]));
        assert_eq!(status, 1, "{words}");
        words
    };
    let words = refused(&settings(folder.path(), "http://badges.example.org", "127.0.0.1:0", &sample_pack()));
    assert!(words.contains("assay.toml:3:") && words.contains("plain http") && words.contains("TLS"), "{words}");
    let words = refused(&settings(folder.path(), "http://localhost:8080", "0.0.0.0:0", &sample_pack()));
    assert!(words.contains("assay.toml:2:") && words.contains("other machines"), "{words}");
    let pack = folder.path().join("hollow");
    fs::create_dir(&pack).unwrap();
    let words = refused(&settings(folder.path(), "http://localhost:8080", "127.0.0.1:0", &pack));
    assert!(words.contains("hollow/programme.toml:1:") && words.contains("nothing was started"), "{words}");
    let config = settings(folder.path(), "http://localhost:8080", "127.0.0.1:0", &sample_pack());
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("[entry.serverless]", "[entry.other]")).unwrap();
    let words = refused(&config);
    assert!(words.contains("assay.toml:15:") && words.contains("not among the packs"), "{words}");
    assert!(refused("/nowhere/assay.toml").contains("cannot be read"));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let address = free_port();
    let config = settings(folder.path(), &format!("http://{address}"), &address.to_string(), &sample_pack());
    assert_eq!(Server::start(["serve", "--config", &config]).terminate().code(), Some(0));
    let key = folder.path().join("data/keys/signing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (status, words) = said(&assay(["serve", "--config", &config]));
    assert_eq!(status, 1);
    assert!(words.contains("chmod 600"), "{words}");
}
