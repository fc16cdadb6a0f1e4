//! A whole server without a socket: router, store, worker, a clock that is set.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests share this, each uses a part")]

use std::sync::Arc;

use assay_badge::Issuer;
use assay_core::{
    Chance, Clock, UtcMillis,
    chance::SeededChance,
    clock::{SetClock, WatchedClock},
    mail::Mail,
    programme::Programme,
};
use assay_fixtures::{START, World, items, programme};
use assay_items::Item;
use assay_jobs::{FileJournal, Mailer, Outbox, Worker, WorkerParts};
use assay_store::{Bell, Store, queries::CurrentProgrammes};
use assay_web::{App, Demo, Egress, Fetching, Limits, Parts, SamplePerson, Settings, app};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use tower::ServiceExt;

pub const BASE: &str = "http://assay.test";

struct NoEgress;

impl Egress for NoEgress {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        Box::pin(async move { Err(format!("{url} was not fetched: tests have no way out")) })
    }
}

struct TestDemo(Arc<Outbox>, SetClock);

impl Demo for TestDemo {
    fn mails(&self) -> Vec<(UtcMillis, Mail)> {
        self.0.mails()
    }
    fn day_ahead(&self) {
        self.1.advance_seconds(86_400);
    }
    fn people(&self) -> &[SamplePerson] {
        &[]
    }
}

pub struct Server {
    pub router: Router,
    pub app: App,
    pub store: Store,
    pub clock: SetClock,
    pub outbox: Arc<Outbox>,
    pub worker: Worker,
    pub world: World,
    pub journal: std::path::PathBuf,
}

/// A mailer before the outbox.
pub type Between = fn(Arc<Outbox>) -> Arc<dyn Mailer>;

pub struct Options {
    pub demo: bool,
    pub limits: Limits,
    /// Programmes that were offered once.
    pub former: Vec<Programme>,
    /// As the program does it; without, whoever sets the clock sets the server's time.
    pub watched_clock: bool,
    /// What stands between the worker and the outbox.
    pub mailer: Option<Between>,
}

impl Default for Options {
    fn default() -> Self {
        Self { demo: false, limits: Limits::relaxed(), former: vec![], watched_clock: true, mailer: None }
    }
}

async fn parts(
    world: &World,
    clock: Arc<dyn Clock>,
    issuer: Arc<Issuer>,
    bell: Arc<Bell>,
    limits: Limits,
    demo: Option<Arc<dyn Demo>>,
    offered: &str,
) -> Parts {
    let all = world.store.read(CurrentProgrammes { issuer: world.issuer }).await.unwrap();
    let (programmes, former) = all.into_iter().partition(|current| current.programme.id == offered);
    Parts {
        store: world.store.clone(),
        clock,
        chance: Arc::new(SeededChance::new([8; 32])),
        issuer,
        issuer_id: world.issuer,
        secret: [9; 32],
        settings: Settings {
            base_url: BASE.into(),
            issuer_name: "Test issuer".into(),
            contact: "help@assay.test".into(),
            behind_proxy: false,
        },
        programmes,
        former,
        bell,
        limits,
        egress: Arc::new(NoEgress),
        demo,
    }
}

impl Server {
    /// Another door to the same rooms.
    pub async fn door(&self, limits: Limits, behind_proxy: bool) -> Router {
        let clock = Arc::new(self.clock.clone());
        let mut parts = parts(
            &self.world,
            clock,
            Arc::clone(&self.app.issuer),
            Arc::clone(&self.app.bell),
            limits,
            None,
            &self.app.programmes[0].programme.id,
        )
        .await;
        parts.settings.behind_proxy = behind_proxy;
        app(App::new(parts))
    }

    pub async fn new(programme: &Programme, items: Vec<Item>) -> Self {
        Self::with(programme, items, Options::default()).await
    }

    pub async fn with(programme: &Programme, items: Vec<Item>, options: Options) -> Self {
        let world = World::new().await;
        for former in &options.former {
            world.publish(former, vec![]).await;
        }
        world.publish(programme, items).await;
        let clock = SetClock::new(START);
        let told: Arc<dyn Clock> = if options.watched_clock { Arc::new(WatchedClock::new(clock.clone())) } else { Arc::new(clock.clone()) };
        let chance: Arc<dyn Chance> = Arc::new(SeededChance::new([7; 32]));
        let from = jiff::Timestamp::from_millisecond(START.0).unwrap();
        let issuer = Arc::new(Issuer::demonstration("Test issuer", BASE, [3; 32], from));
        let outbox = Arc::new(Outbox::default());
        let journal = world.folder.path().join("signing.jsonl");
        let bell = Arc::new(Bell::default());
        let worker = Worker::new(WorkerParts {
            secret: [9; 32],
            store: world.store.clone(),
            clock: Arc::clone(&told),
            chance,
            issuer: Arc::clone(&issuer),
            contact: "help@assay.test".into(),
            mailer: options.mailer.map_or_else(|| outbox.clone() as Arc<dyn Mailer>, |careless| careless(outbox.clone())),
            journal: Arc::new(FileJournal::new(&journal)),
            bell: Arc::clone(&bell),
        });
        let demo: Option<Arc<dyn Demo>> = if options.demo { Some(Arc::new(TestDemo(outbox.clone(), clock.clone()))) } else { None };
        let parts = parts(&world, told, issuer, bell, options.limits, demo, &programme.id).await;
        let shared = App::new(parts);
        Self { router: app(shared.clone()), app: shared, store: world.store.clone(), clock, outbox, worker, world, journal }
    }

    pub fn now(&self) -> UtcMillis {
        self.clock.now()
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser { server: self, door: self.router.clone(), cookie: None, log: Vec::new() }
    }

    /// A browser that has signed in by the mailed link.
    pub async fn signed_in(&self, address: &str) -> Browser<'_> {
        let mut browser = self.browser();
        browser.sign_in(address).await;
        browser
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub method: String,
    pub path: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn location(&self) -> String {
        self.headers.get(header::LOCATION).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

pub struct Browser<'a> {
    pub server: &'a Server,
    pub door: Router,
    pub cookie: Option<String>,
    /// Everything that came back.
    pub log: Vec<Answer>,
}

impl Browser<'_> {
    pub async fn send(&mut self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let response = self.door.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            self.cookie = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let answer = Answer { method, path, status: parts.status, headers: parts.headers, bytes };
        self.log.push(answer.clone());
        answer
    }

    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let builder = Request::builder().method(method).uri(path).header(header::HOST, "assay.test");
        match &self.cookie {
            Some(cookie) => builder.header(header::COOKIE, cookie),
            None => builder,
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub async fn form(&mut self, path: &str, form: &str) -> Answer {
        let request =
            self.request("POST", path).header(header::ORIGIN, BASE).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Body::from(form.to_owned())).unwrap();
        self.send(request).await
    }

    pub async fn json(&mut self, path: &str, body: serde_json::Value) -> Answer {
        let request = self.request("POST", path).header(header::ORIGIN, BASE).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.send(request).await
    }

    pub async fn sign_in(&mut self, address: &str) {
        let sent = self.form("/sign-in", &format!("address={}&next=/me", address.replace('@', "%40"))).await;
        assert_eq!(sent.status, StatusCode::OK);
        self.server.worker.drain().await;
        let mails = self.server.outbox.mails();
        let mail = &mails.iter().find(|(_, m)| m.to == address).unwrap().1;
        let path = mail.text.split_whitespace().find_map(|w| w.strip_prefix(BASE)).unwrap().to_owned();
        assert_eq!(self.get(&path).await.status, StatusCode::OK);
        assert_eq!(self.form(&path, "").await.status, StatusCode::SEE_OTHER);
    }

    /// Begins and answers the attempt's address, `/attempts/{id}`.
    pub async fn begin(&mut self, name: &str) -> String {
        let begun = self.form("/programmes/sample/assessment", &format!("name={name}&honesty=yes")).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text());
        begun.location().trim_end_matches("/questions/1").to_owned()
    }

    /// The token of the option whose text begins so.
    pub async fn token(&mut self, attempt: &str, position: u16, option: &str) -> String {
        let page = self.get(&format!("{attempt}/questions/{position}")).await.text();
        let label = page.find(&format!(">{option} of")).unwrap_or_else(|| panic!("no {option} in {page}"));
        let input = page[..label].rfind("value=\"").unwrap() + 7;
        page[input..].split('"').next().unwrap().to_owned()
    }

    pub async fn save(&mut self, attempt: &str, position: u16, token: &str) -> Answer {
        let body = serde_json::json!({ "chosen": [token], "base_revision": 0, "device": "test", "counter": 1 });
        self.json(&format!("{attempt}/questions/{position}/answer"), body).await
    }

    /// Sits a whole attempt of four questions with so many right (option 1 is right in the fixtures), and whatever comes of it is done.
    pub async fn sit(&mut self, right: u16) -> String {
        let attempt = self.hand_in(right).await;
        self.server.worker.drain().await;
        attempt
    }

    /// The same, and nothing comes of it yet.
    pub async fn hand_in(&mut self, right: u16) -> String {
        let attempt = self.begin("Ada+Example").await;
        for position in 1..=4 {
            let token = self.token(&attempt, position, if position <= right { "Option 1" } else { "Option 2" }).await;
            assert_eq!(self.save(&attempt, position, &token).await.status, StatusCode::OK);
        }
        let submitted = self.form(&format!("{attempt}/submit"), "confirm=yes").await;
        assert_eq!(submitted.location(), format!("{attempt}/result"));
        attempt
    }
}

/// Programme of four questions, of which three pass.
pub async fn server() -> Server {
    let programme = programme(4, 3);
    Server::new(&programme, items(&programme, 20, |_| 1)).await
}

/// Passes and answers the badge's public id.
pub async fn earn(b: &mut Browser<'_>) -> String {
    let attempt = b.sit(4).await;
    let page = b.get(&format!("{attempt}/result")).await.text();
    let at = page.find("/me/badges/").unwrap() + 11;
    page[at..at + 26].to_owned()
}

/// Files to the verifier; its page.
pub async fn upload(b: &mut Browser<'_>, files: &[(&str, &[u8])]) -> String {
    let mut body = Vec::new();
    for (name, bytes) in files {
        body.extend(format!("--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").as_bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--X--\r\n");
    let request = b.request("POST", "/verify").header(header::ORIGIN, BASE).header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
    let request = request.body(Body::from(body)).unwrap();
    b.send(request).await.text()
}

/// The word in which the verifier's page says it.
pub fn verdict(page: &str) -> String {
    let at = page.find("verdict-word\">").unwrap_or_else(|| panic!("no verdict in {page}")) + 14;
    page[at..].split('<').next().unwrap().to_owned()
}
