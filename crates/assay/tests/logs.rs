//! The real program with everything logged that can be, over a real connection: nothing personal is in it.
//! (`crates/web/tests/logs.rs` has the longer story, and shows that a careless line is found.)
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

use running::{Server, begin, signed_in, tokens};

#[test]
fn the_program_logs_nothing_personal_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(["demo", "--listen", "127.0.0.1:0", "--data", folder.path().join("data").to_str().unwrap()]).env("ASSAY_LOG", "trace");
    let server = Server::ready(command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap()).spawn().unwrap());
    let url = server.url.clone();
    let mut person = signed_in(&url, "quillfeather@canary.example");
    let attempt = begin(&mut person, &url, "Zebedee Canarywharf");
    let option = tokens(&person.get(&format!("{url}{attempt}/questions/1")).unwrap().text()).remove(0);
    let body = serde_json::json!({ "chosen": [option], "base_revision": 0, "device": "canarydevice", "counter": 1 });
    assert_eq!(person.post_json(&format!("{url}{attempt}/questions/1/answer"), &body).unwrap().status, 200);
    assert_eq!(person.get(&format!("{url}/verify?canary=query")).unwrap().status, 200);
    assert_eq!(server.terminate().code(), Some(0));

    let log = fs::read_to_string(log).unwrap().to_lowercase();
    assert!(log.contains("answered") && log.contains("/attempts/{attempt}/questions/{position}/answer"), "{log}");
    for secret in ["canary", "quillfeather", "zebedee", &option.to_lowercase(), &attempt[10..], "cookie", "127.0.0.1:"] {
        let line = log.lines().find(|line| line.contains(secret) && !line.contains("address      ") && !line.contains("ways in"));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
