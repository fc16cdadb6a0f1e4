//! `assay doctor`: well when all is well, and each thing that is wrong is named, with what to do.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod house;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use assay_jobs::{Entry, Event, FileJournal, Journal};
use house::{House, assay, now};

/// A house in which somebody earned a badge, closed.
async fn house(root: &Path) {
    let house = House::embedded(root).await;
    let ada = house.person("Ada").await;
    house.sit(ada, "Ada", true).await;
    house.work().await;
    house.store.close().await;
}

/// What the doctor says after something was done to a healthy folder.
async fn after(harm: impl FnOnce(&Path)) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    house(&root).await;
    harm(&root);
    assay(&["doctor", "--data", root.to_str().unwrap()])
}

#[tokio::test]
async fn each_fault_is_named_with_what_to_do() {
    let (status, words) = after(|_| ()).await;
    assert_eq!(status, 0, "{words}");
    assert!(!words.contains("WRONG") && words.matches("ok  ").count() >= 6, "{words}");

    type Harm = fn(&Path);
    let faults: [(Harm, &str, &str); 11] = [
        (|root| fs::set_permissions(root.join("keys/signing.key"), fs::Permissions::from_mode(0o644)).unwrap(), "keys", "chmod 600"),
        (|root| fs::remove_file(root.join("keys/signing.key")).unwrap(), "keys", "bring it back from a backup"),
        (|root| fs::write(root.join("keys/server.secret"), "short").unwrap(), "keys", "has 5 bytes"),
        (|root| fs::write(root.join("keys/signing.key"), [7; 32]).unwrap(), "keys", "not in the key history"),
        (|root| fs::write(root.join("assay.db"), "rubbish").unwrap(), "database", "assay restore BACKUP --data NEW"),
        (|root| fs::write(root.join("assay.db"), "").unwrap(), "database", "assay restore BACKUP --data NEW"),
        (|root| fs::remove_file(root.join("assay.db")).unwrap(), "database", "assay restore BACKUP --data NEW"),
        (
            |root| {
                let conn = rusqlite::Connection::open(root.join("assay.db")).unwrap();
                conn.execute("INSERT INTO installation (name, value) VALUES ('moving', x'00')", []).unwrap();
            },
            "database",
            "assay move",
        ),
        (|root| fs::remove_file(root.join("journal/signing.jsonl")).unwrap(), "journal", "--journal-lost"),
        (
            |root| {
                let event = Event::Mailed { mail: assay_core::ids::JobId(uuid::Uuid::nil()), name: None };
                FileJournal::new(root.join("journal/signing.jsonl")).append(&Entry { at: now().plus_seconds(86_400), event }).unwrap();
            },
            "clock",
            "timedatectl",
        ),
        (|root| fs::write(root.join("restoring"), "").unwrap(), "data folder", "assay restore"),
    ];
    for (harm, what, way_out) in faults {
        let (status, words) = after(harm).await;
        assert_eq!(status, 1, "{words}");
        let line = words.lines().find(|line| line.starts_with(&format!("WRONG  {what}")));
        assert!(line.is_some_and(|line| line.contains(way_out)), "{what}, {way_out}: {words}");
    }
}

#[tokio::test]
async fn settings_mail_and_addresses_are_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    house(&root).await;
    let mails = TcpListener::bind("127.0.0.1:0").unwrap();
    let (smtp, nobody) = (mails.local_addr().unwrap().port(), TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let config = folder.path().join("assay.toml");
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/git-for-teams");
    let write = |slug: &str, smtp: u16| {
        let settings = format!(
            "data = \"data\"\nlisten = \"127.0.0.1:{nobody}\"\npublic_url = \"http://127.0.0.1:{nobody}\"\npacks = [\"{}\"]\n\n[issuer]\n\
             slug = \"{slug}\"\nname = \"H\"\ncontact = \"h@example.org\"\n\n[smtp]\nurl = \"smtp://127.0.0.1:{smtp}\"\nfrom = \"H <h@example.org>\"\n",
            pack.display()
        );
        fs::write(&config, settings).unwrap();
        assay(&["doctor", "--config", config.to_str().unwrap()])
    };
    let greets = std::thread::spawn(move || {
        let (stream, _) = mails.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        out.write_all(b"220 mails\r\n").unwrap();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _gone = out.write_all(if line.starts_with("QUIT") { b"221 bye\r\n" } else { b"250 ok\r\n" });
        }
    });
    let (status, words) = write("house", smtp);
    assert_eq!(status, 1);
    for line in ["ok     settings", "ok     programmes  git-for-teams", "ok     mail", "WRONG  server", "WRONG  address"] {
        assert!(words.contains(line), "{line}: {words}");
    }
    drop(greets);
    let (_, words) = write("other", nobody);
    for line in ["WRONG  mail", "WRONG  data folder"] {
        assert!(words.contains(line), "{line}: {words}");
    }
    fs::write(&config, "data = 7").unwrap();
    let (status, words) = assay(&["doctor", "--config", config.to_str().unwrap()]);
    assert!(status == 1 && words.contains("WRONG  settings") && words.contains(":1:"), "{words}");
}

/// Each of these once passed the doctor, and then stopped the server, or was found by nobody.
#[tokio::test]
async fn what_stops_a_start_is_told_by_doctor_and_server_in_the_same_words() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    let ports: [u16; 2] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/git-for-teams").canonicalize().unwrap();
    let config = folder.path().join("assay.toml");
    let good = format!(
        "data = \"data\"\nlisten = \"127.0.0.1:{0}\"\nmetrics = \"127.0.0.1:{1}\"\npublic_url = \"http://127.0.0.1:{0}\"\npacks = [\"{2}\"]\n\n\
         [issuer]\nslug = \"house\"\nname = \"H\"\ncontact = \"h@example.org\"\n\n[smtp]\nurl = \"smtp://127.0.0.1:9\"\nfrom = \"H <h@example.org>\"\n",
        ports[0],
        ports[1],
        pack.display()
    );
    fs::write(&config, &good).unwrap();
    let ask = |command: &str| assay(&[command, "--config", config.to_str().unwrap()]);
    // Before it, a folder that is missing or empty is no fault.
    for _ in 0..2 {
        let (_, doctor) = ask("doctor");
        assert!(doctor.contains("nothing here yet") && !doctor.contains("WRONG  data folder"), "{doctor}");
        fs::create_dir_all(root.join("lost+found")).unwrap();
    }
    fs::remove_dir(root.join("lost+found")).unwrap();
    // Made by a first start, which is cut off.
    let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["serve", "--config", config.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();

    let told = |words: &str| {
        let (status, doctor) = ask("doctor");
        assert!(status == 1 && doctor.lines().any(|line| line.starts_with("WRONG") && line.contains(words)), "{words}: {doctor}");
        assert!(doctor.contains(words), "{words}: {doctor}");
        let (status, server) = ask("serve");
        assert!(status == 1 && server.contains(words), "{words}: {server}");
    };
    let address = format!("127.0.0.1:{}", ports[0]);
    for (from, to, words) in [
        ("[smtp]", "[entry.other]\nwho = \"anyone\"\n\n[smtp]", "[entry.other] is for a programme that is not among the packs"),
        ("packs = [", &format!("packs = [\"{}\", ", pack.display()), "two packs are called “git-for-teams”"),
        (&format!("metrics = \"127.0.0.1:{}", ports[1]), &format!("metrics = \"{address}"), "both cannot have one port"),
        (&format!("public_url = \"http://{address}"), "public_url = \"http://localhost:81", "could no longer be verified"),
        (&format!("public_url = \"http://{address}"), "public_url = \"http://localhost:99999", "the port 99999, which no address can have"),
        ("contact = \"h@example.org", "contact = \"h\\u0007@example.org", "on one line"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&config, good.replacen(from, to, 1)).unwrap();
        told(words);
    }
    fs::write(&config, &good).unwrap();
    for (name, mode) in [("keys", 0o777), ("keys/issuer-keys.json", 0o666), ("", 0o777), ("assay.db", 0o666)] {
        let path = root.join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        told("can be changed by others on this machine");
        fs::set_permissions(&path, before).unwrap();
    }
    // Everything can be written by root, but a folder.
    let journal = root.join("journal/signing.jsonl");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    let (_, doctor) = ask("doctor");
    assert!(doctor.contains("cannot be written") && doctor.contains("nothing is signed without it"), "{doctor}");
    fs::remove_dir(&journal).unwrap();
    fs::write(&journal, "").unwrap();
    if rustix::process::geteuid().is_root() {
        let key = root.join("keys/issuer-keys.json");
        chown(&key, Some(4711), None).unwrap();
        told("belongs to user 4711");
        chown(&key, Some(fs::metadata(&root).unwrap().uid()), None).unwrap();
        // What is not this program's is not judged by it.
        fs::create_dir(root.join("lost+found")).unwrap();
        for stranger in ["lost+found", "assay.db.before", "keys/signing.key.before"] {
            let path = root.join(stranger);
            if !path.exists() {
                fs::write(&path, "").unwrap();
            }
            chown(&path, Some(4711), None).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        }
    }
    let (_, doctor) = ask("doctor");
    for line in ["ok     programmes", "ok     addresses", "ok     files", "ok     public_url", "ok     writing"] {
        assert!(doctor.contains(line), "{line}: {doctor}");
    }
}
