//! Two nodes over one PostgreSQL, behind haproxy (Debian's package): whatever a person does is right on either of them, and a node
//! that is killed in mid-attempt costs each request one retry at most. Skipped, with words, where either is missing.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use assay_fixtures::free_port;
use running::{
    Browser, Page, Server, assay, between,
    knowing::{options_and_right, sample_pool},
    mails::Mails,
    said,
    site::node,
    wait_for,
};

fn start(config: &Path) -> Server {
    Server::start(["serve", "--config", config.to_str().unwrap()])
}

struct Balancer(Child);

impl Drop for Balancer {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _over = self.0.wait();
    }
}

/// Requests by turns, to whichever nodes are alive.
fn balance(root: &Path, public: u16, nodes: [u16; 2]) -> Option<Balancer> {
    let program = ["/usr/sbin/haproxy", "/usr/bin/haproxy"].iter().find(|path| Path::new(path).is_file())?;
    let config = root.join("haproxy.cfg");
    let [first, second] = nodes;
    let text = format!(
        "defaults\n mode http\n timeout connect 2s\n timeout client 60s\n timeout server 60s\n option forwardfor\n option redispatch\n\
         frontend public\n bind 127.0.0.1:{public}\n default_backend nodes\nbackend nodes\n balance roundrobin\n option httpchk GET /healthz\n\
         server first 127.0.0.1:{first} check inter 200ms fall 1 rise 1\n server second 127.0.0.1:{second} check inter 200ms fall 1 rise 1\n"
    );
    fs::write(&config, text).unwrap();
    let child = Command::new(program).arg("-f").arg(&config).arg("-db").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let balancer = Balancer(child);
    wait_for("the balancer", || TcpStream::connect(("127.0.0.1", public)).ok());
    Some(balancer)
}

/// A request as a client makes it: once more when nobody answered, and counted.
fn patient(retries: &mut u32, mut ask: impl FnMut() -> Result<Page, ureq::Error>) -> Page {
    let answered = |page: Result<Page, ureq::Error>| page.ok().filter(|page| !matches!(page.status, 502..=504));
    answered(ask()).unwrap_or_else(|| {
        *retries += 1;
        answered(ask()).expect("the second try is answered")
    })
}

#[test]
fn two_nodes_are_one_server() {
    let Some(database) = tokio::runtime::Runtime::new().unwrap().block_on(assay_fixtures::postgres_database()) else { return };
    let root = tempfile::tempdir().unwrap();
    let (ports, public) = ([free_port(), free_port()], free_port());
    let Some(_balancer) = balance(root.path(), public, ports) else {
        eprintln!("skipped: there is no haproxy");
        return;
    };
    let (mails, smtp) = Mails::start();
    let configs = ["first", "second"].map(|name| (name, root.path().join(name)));
    let [first, second] = [0, 1].map(|n: usize| node(root.path(), configs[n].0, &database, ports[n], public, smtp));
    let mut first_node = start(&first);
    let keys = |name: &str| root.path().join(name).join("data/keys");
    fs::create_dir_all(keys("second")).unwrap();
    for file in fs::read_dir(keys("first")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, keys("second").join(path.file_name().unwrap())).unwrap();
    }
    let second_node = start(&second);

    // A node with keys of its own would draw and sign what the others do not know.
    let stranger = node(root.path(), "stranger", &database, free_port(), public, smtp);
    let (status, words) = said(&assay(["serve", "--config", stranger.to_str().unwrap()]));
    assert_eq!(status, 1);
    assert!(words.contains("keys/server.secret is missing") && words.contains("copy the folder"), "{words}");

    for name in ["signing.key", "server.secret"] {
        fs::write(keys("stranger").join(name), [7; 32]).unwrap();
        fs::set_permissions(keys("stranger").join(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let (status, words) = said(&assay(["serve", "--config", stranger.to_str().unwrap()]));
    assert!(status == 1 && words.contains("another keys/server.secret") && words.contains("another keys/signing.key"), "{words}");

    let url = format!("http://127.0.0.1:{public}");
    wait_for("both nodes", || (0..4).all(|_| Browser::new().get(&format!("{url}/healthz")).is_ok_and(|p| p.status == 200)).then_some(()));
    let (mut ada, mut retries) = (Browser::new(), 0);
    assert_eq!(ada.post(&format!("{url}/sign-in"), &[("address", "ada@example.org"), ("next", "/me")]).unwrap().status, 200);
    let token = wait_for("the mail", || {
        let mail = mails.to("ada@example.org").pop()?;
        between(&mail, "/sign-in/", "\n").first().map(|token| token.trim().chars().take(26).collect::<String>())
    });
    assert_eq!(ada.post(&format!("{url}/sign-in/{token}"), &[]).unwrap().status, 303);
    assert_eq!(ada.post(&format!("{url}/sign-in/{token}"), &[]).unwrap().status, 410, "the link worked once, on any node");

    // Either node knows the session.
    for port in ports {
        assert_eq!(ada.get(&format!("http://127.0.0.1:{port}/me")).unwrap().status, 200);
    }
    let begun = ada.post(&format!("{url}/programmes/serverless/assessment"), &[("name", "Ada"), ("honesty", "yes")]).unwrap();
    let attempt = format!("{url}/attempts/{}", between(&begun.location, "/attempts/", "/")[0]);
    let pool = sample_pool();
    let mut saved = 0;
    for n in 1..=50 {
        if n == 25 {
            first_node.kill();
        }
        let page = patient(&mut retries, || ada.get(&format!("{attempt}/questions/{n}")));
        let (_, right) = options_and_right(&page.text(), &pool);
        let body = serde_json::json!({ "chosen": right, "base_revision": 0, "device": "ada", "counter": n });
        let page = patient(&mut retries, || ada.post_json(&format!("{attempt}/questions/{n}/answer"), &body));
        assert_eq!(page.status, 200, "{}", page.text());
        saved += u32::from(page.json()["saved"] == true);
    }
    assert_eq!(saved, 50);
    println!("a node was killed in mid-attempt: {retries} of 100 requests were made twice");
    let submit = patient(&mut retries, || ada.post(&format!("{attempt}/submit"), &[("confirm", "yes")]));
    assert_eq!(submit.status, 303);

    // One badge, whichever node signed it; both show it, once the first is back.
    let first_node = start(&first);
    let id = wait_for("the badge", || {
        let me = ada.get(&format!("{url}/me")).ok()?.text();
        between(&me, "/me/badges/", "\"").first().map(|id| id.chars().take(26).collect::<String>())
    });
    wait_for("its signature", || {
        ada.post(&format!("{url}/me/badges/{id}"), &[("visibility", "link")]).ok()?;
        ada.get(&format!("{url}/b/{id}.json")).ok().filter(|page| page.status == 200)
    });
    let documents = ports.map(|port| Browser::new().get(&format!("http://127.0.0.1:{port}/b/{id}.json")).unwrap().bytes);
    assert_eq!(documents[0], documents[1]);
    let file = root.path().join("badge.json");
    fs::write(&file, &documents[0]).unwrap();
    let (status, words) =
        said(&assay(["verify", file.to_str().unwrap(), "--trust", keys("first").join("issuer-keys.json").to_str().unwrap()]));
    assert_eq!(status, 0, "{words}");
    let journals: String = ["first", "second"]
        .map(|name| fs::read_to_string(root.path().join(name).join("data/journal/signing.jsonl")).unwrap_or_default())
        .concat();
    assert_eq!(journals.matches("\"event\":\"signed\"").count(), 1, "{journals}");
    wait_for("the badge's mail", || mails.to("ada@example.org").iter().any(|mail| mail.contains("/me/badges/")).then_some(()));
    assert_eq!(mails.to("ada@example.org").len(), 2, "each mail went out once");

    // Three links an hour to one address from one place, whichever node is asked.
    let ask =
        |port: u16| Browser::new().post(&format!("http://127.0.0.1:{port}/sign-in"), &[("address", "eve@example.org"), ("next", "/me")]);
    let statuses: Vec<u16> = [0, 1, 0, 1].map(|n: usize| ask(ports[n]).unwrap().status).to_vec();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(first_node.terminate().code(), Some(0));

    // Another signing key: it is changed on one node when none runs, and the others need a copy.
    let rotate = ["rotate", "signing.key", "--config", first.to_str().unwrap()];
    let (status, words) = said(&assay(rotate));
    assert!(status == 1 && words.contains("stop"), "{words}");
    assert_eq!(second_node.terminate().code(), Some(0));
    let (status, words) = said(&assay(rotate));
    assert!(status == 0 && words.contains("Copy the whole folder"), "{words}");
    let first_node = start(&first);
    let (status, words) = said(&assay(["serve", "--config", second.to_str().unwrap()]));
    assert_eq!(status, 1);
    assert!(words.contains("another keys/signing.key") && words.contains("copy the folder"), "{words}");
    for file in fs::read_dir(keys("first")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, keys("second").join(path.file_name().unwrap())).unwrap();
    }
    let second_node = start(&second);
    // What was signed before is valid still.
    let trust = keys("second").join("issuer-keys.json");
    assert_eq!(fs::read_to_string(&trust).unwrap().matches("#key-").count(), 2);
    let (status, words) = said(&assay(["verify", file.to_str().unwrap(), "--trust", trust.to_str().unwrap()]));
    assert_eq!(status, 0, "{words}");
    assert_eq!(first_node.terminate().code(), Some(0));
    assert_eq!(second_node.terminate().code(), Some(0));
}
