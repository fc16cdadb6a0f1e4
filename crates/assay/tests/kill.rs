//! `kill -9` during 20 running attempts at random moments, 50 rounds of it with the same 20 people and then with others: no
//! acknowledged answer is lost, nothing is awarded twice. `ASSAY_KILLS` says how many kills in all, 200 if it says nothing.
//!
//! The server is the real program with the real database; people are browsers. What a person was told is written down here,
//! and after every kill it is compared with what a new process says. Answers that were under way when the server died may
//! have been taken or not; everything that was called saved must stand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use assay_items::Item;
use running::{
    Browser, Server, assay, between,
    knowing::{options_and_right, sample_pool},
    said, wait_for,
};

const PEOPLE: usize = 20;
/// Of these, so many hand in a passing attempt while the server is being killed.
const PASSERS: usize = 10;
/// Kills that the same people live through.
const ROUNDS: usize = 50;
const KILLS: usize = 200;

/// What one question of one person looks like, and what was said about it.
#[derive(Clone, Default)]
struct Question {
    /// Tokens of the options, and their words.
    options: Vec<(String, String)>,
    /// The tokens that are right.
    right: BTreeSet<String>,
    /// The last answer that was called saved.
    saved: Option<BTreeSet<String>>,
    /// Sent after that, without an answer from the server: may stand or not.
    perhaps: Vec<BTreeSet<String>>,
    /// Counts this browser's saves.
    counter: i64,
}

/// What happened, so that the test can tell whether it tested anything.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    acknowledged: usize,
    unanswered: usize,
    stood_unanswered: usize,
    submits_unanswered: usize,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        self.stood_unanswered += other.stood_unanswered;
        self.submits_unanswered += other.submits_unanswered;
    }
}

struct Person {
    name: String,
    browser: Browser,
    attempt: String,
    questions: BTreeMap<usize, Question>,
    chance: SeededChance,
    /// Was told that it was handed in.
    submitted: bool,
    /// Tried to hand in.
    tried: bool,
    seen: Seen,
}

impl Person {
    /// Signs in by a mailed link, and begins.
    fn new(url: &str, number: usize) -> Self {
        let mut browser = Browser::new();
        let address = format!("person-{number}@example.org");
        assert_eq!(browser.post(&format!("{url}/sign-in"), &[("address", &address), ("next", "/me")]).unwrap().status, 200);
        let link = wait_for("the mail", || {
            let outbox = browser.get(&format!("{url}/demo/outbox")).unwrap().text();
            // The newest mail stands first, and one person signs in after the other.
            let first = outbox.split(&address).nth(1)?.to_owned();
            between(&first, "/sign-in/", "\"").first().map(|token| format!("{url}/sign-in/{token}"))
        });
        assert_eq!(browser.post(&link, &[]).unwrap().status, 303);
        let name = format!("Person {number}");
        let begun = browser.post(&format!("{url}/programmes/serverless/assessment"), &[("name", &name), ("honesty", "yes")]).unwrap();
        let attempt = between(&begun.location, "/attempts/", "/")[0].to_owned();
        let chance = SeededChance::new([u8::try_from(number).unwrap(); 32]);
        Self { name, browser, attempt, questions: BTreeMap::new(), chance, submitted: false, tried: false, seen: Seen::default() }
    }

    /// Reads a question's page once.
    fn look(&mut self, url: &str, n: usize, pool: &[Item]) -> Option<Question> {
        if let Some(known) = self.questions.get(&n) {
            return Some(known.clone());
        }
        let page = self.browser.get(&format!("{url}/attempts/{}/questions/{n}", self.attempt)).ok()?;
        assert_eq!(page.status, 200, "{}", page.text());
        let (options, right) = options_and_right(&page.text(), pool);
        let question = Question { right, options, ..Question::default() };
        self.questions.insert(n, question.clone());
        Some(question)
    }

    /// Saves an answer; `false` when the server was gone.
    fn save(&mut self, url: &str, n: usize, chosen: BTreeSet<String>) -> bool {
        let question = self.questions.get_mut(&n).unwrap();
        question.counter += 1;
        question.perhaps.push(chosen.clone());
        let body = serde_json::json!({ "chosen": chosen, "base_revision": 0, "device": format!("device{n}"), "counter": question.counter });
        match self.browser.post_json(&format!("{url}/attempts/{}/questions/{n}/answer", self.attempt), &body) {
            Ok(page) if page.status == 200 => {
                assert_eq!(page.json()["saved"], true);
                question.saved = Some(chosen);
                question.perhaps.clear();
                self.seen.acknowledged += 1;
                true
            }
            Ok(page) => panic!("{} was answered {}: {}", self.name, page.status, page.text()),
            Err(_) => {
                self.seen.unanswered += 1;
                false
            }
        }
    }

    /// Answers one question after the other until the server is gone or the round is over. A passer thinks better of it each time.
    fn work(&mut self, url: &str, pool: &[Item], passer: bool, over: &AtomicBool) {
        if self.tried || passer && !self.know_everything(url, pool) {
            return;
        }
        while !over.load(Ordering::SeqCst) {
            let n = 1 + self.chance.below(50);
            let Some(question) = self.look(url, n, pool) else { return };
            let pick = self.chance.below(question.options.len());
            if !self.save(url, n, BTreeSet::from([question.options[pick].0.clone()])) || passer && !self.save(url, n, question.right) {
                return;
            }
        }
    }

    /// Every answer right, to the last question; `false` when the server was gone.
    fn know_everything(&mut self, url: &str, pool: &[Item]) -> bool {
        (1..=50).all(|n| {
            let Some(question) = self.look(url, n, pool) else { return false };
            question.saved.as_ref() == Some(&question.right) || self.save(url, n, question.right)
        })
    }

    fn submit(&mut self, url: &str) {
        self.tried = true;
        let sent = self.browser.post(&format!("{url}/attempts/{}/submit", self.attempt), &[("confirm", "yes")]);
        if sent.is_ok_and(|page| page.status == 303 && page.location.ends_with("/result")) {
            self.submitted = true;
        } else {
            self.seen.submits_unanswered += 1;
        }
    }

    /// Compares what was said with what a new process says.
    fn compare(&mut self, url: &str, round: usize) {
        if self.submitted {
            let page = self.browser.get(&format!("{url}/attempts/{}/result", self.attempt)).unwrap();
            assert_eq!(page.status, 200, "round {round}: {} was told that the attempt is handed in", self.name);
        }
        let kept = self.browser.get(&format!("{url}/me/data/export")).unwrap().json();
        let (name, attempt) = (&self.name, &self.attempt);
        let kept: BTreeMap<u64, BTreeSet<String>> = find(&kept, "answers")
            .as_array()
            .unwrap()
            .iter()
            .filter(|a| a["attempt"] == attempt.as_str())
            .map(|a| {
                let words = a["chosen"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned());
                (a["question"].as_u64().unwrap(), words.collect())
            })
            .collect();
        for (n, question) in &mut self.questions {
            let words = |tokens: &BTreeSet<String>| {
                question.options.iter().filter(|(token, _)| tokens.contains(token)).map(|(_, words)| words.clone()).collect::<BTreeSet<_>>()
            };
            let stands = kept.get(&(*n as u64)).cloned().unwrap_or_default();
            let saved = question.saved.clone().unwrap_or_default();
            if stands == words(&saved) {
                continue;
            }
            // Not what was acknowledged: then it must be one that was sent later.
            let later = question.perhaps.iter().find(|tokens| words(tokens) == stands);
            let Some(later) = later else { panic!("round {round}: {name}, question {n}: {saved:?} was called saved, {stands:?} stands") };
            self.seen.stood_unanswered += 1;
            question.saved = Some(later.clone());
            question.perhaps.clear();
        }
    }
}

/// The value of a name, wherever it stands in the export.
fn find<'a>(value: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    value.get(name).or_else(|| value.as_object()?.values().find_map(|inner| inner.get(name))).unwrap()
}

#[test]
fn no_acknowledged_answer_is_lost_and_nothing_is_awarded_twice() {
    let kills = std::env::var("ASSAY_KILLS").map_or(KILLS, |number| number.parse().unwrap());
    let mut all = Seen::default();
    for story in 0..kills.div_ceil(ROUNDS) {
        let seen = live_through(ROUNDS, story);
        all.add(seen);
        println!("{} kills: {all:?}", (story + 1) * ROUNDS);
    }
    // Slow machines get less done before each kill, but not this little.
    let enough = all.acknowledged > 4 * kills && all.unanswered > kills && all.submits_unanswered > 0;
    assert!(enough, "the rounds were too short to say anything: {all:?}");
}

/// Twenty people through so many kills.
fn live_through(rounds: usize, story: usize) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let pool = sample_pool();
    let mut server = Server::demo(folder.path());
    let url = server.url.clone();
    let mut people: Vec<Person> = (1..=PEOPLE).map(|number| Person::new(&url, number)).collect();
    thread::scope(|scope| {
        people.iter_mut().take(PASSERS).for_each(|person| drop(scope.spawn(|| assert!(person.know_everything(&url, &pool)))))
    });

    let mut seed = [99; 32];
    seed[..8].copy_from_slice(&(story as u64).to_be_bytes());
    let chance = SeededChance::new(seed);
    for round in 0..rounds {
        let url = server.url.clone();
        let pause = Duration::from_millis(20 + chance.below(280) as u64);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for (number, person) in people.iter_mut().enumerate() {
                // A passer hands in in the middle of a round, and tries again in the next when nobody answered.
                let hands_in = number < PASSERS && round >= number * rounds / PASSERS && !person.submitted;
                let (url, pool, over) = (&url, &pool, &over);
                let wait = Duration::from_millis(chance.below(250) as u64);
                scope.spawn(move || {
                    if hands_in {
                        thread::sleep(wait);
                        let mut twice = Person {
                            browser: person.browser.clone(),
                            questions: BTreeMap::new(),
                            name: String::new(),
                            chance: SeededChance::new([0; 32]),
                            attempt: person.attempt.clone(),
                            seen: Seen::default(),
                            ..*person
                        };
                        thread::scope(|both| {
                            both.spawn(|| twice.submit(url));
                            person.submit(url);
                        });
                        person.submitted |= twice.submitted;
                        person.seen.submits_unanswered += twice.seen.submits_unanswered;
                    } else {
                        person.work(url, pool, number < PASSERS, over);
                    }
                });
            }
            thread::sleep(pause);
            server.kill();
            over.store(true, Ordering::SeqCst);
        });
        server = Server::demo(folder.path());
        let url = server.url.clone();
        thread::scope(|scope| {
            people.chunks_mut(5).for_each(|some| drop(scope.spawn(|| some.iter_mut().for_each(|person| person.compare(&url, round)))))
        });
    }
    let mut seen = Seen::default();
    people.iter().for_each(|person| seen.add(person.seen));

    finish(&server, &mut people, folder.path());
    assert_eq!(server.terminate().code(), Some(0));
    seen
}

/// Hands in what is left; then every passer has one badge with one signature, and it is valid.
fn finish(server: &Server, people: &mut [Person], folder: &std::path::Path) {
    let url = &server.url;
    for person in people.iter_mut().take(PASSERS).filter(|person| !person.submitted) {
        person.submit(url);
        assert!(person.submitted);
    }
    // Jobs that a killed process had taken are free again when their lease is over: a day ahead it is.
    Browser::new().post(&format!("{url}/demo/clock"), &[]).unwrap();
    let keys = folder.join("issuer-keys.json");
    for person in people.iter_mut().take(PASSERS) {
        let ids = wait_for("the badge", || {
            let me = person.browser.get(&format!("{url}/me")).unwrap().text();
            let ids: BTreeSet<String> = between(&me, "/me/badges/", "\"").iter().map(|id| id.chars().take(26).collect()).collect();
            (!ids.is_empty()).then_some(ids)
        });
        assert_eq!(ids.len(), 1, "{} has {ids:?}", person.name);
        let id = ids.first().unwrap();
        person.browser.post(&format!("{url}/me/badges/{id}"), &[("visibility", "link")]).unwrap();
        let document =
            wait_for("the signed document", || person.browser.get(&format!("{url}/b/{id}.json")).ok().filter(|page| page.status == 200));
        let path = folder.join(format!("{id}.json"));
        fs::write(&path, document.bytes).unwrap();
        // The demonstration's clock is a day ahead.
        let (status, words) =
            said(&assay(["verify", path.to_str().unwrap(), "--trust", keys.to_str().unwrap(), "--at", "2100-01-01T00:00:00Z"]));
        assert_eq!(status, 0, "{words}");
    }

    let mut signed: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("journal/signing.jsonl")).unwrap().lines() {
        // A line that a kill cut short harms no other.
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let key = (entry["event"].to_string(), entry["award"].to_string());
        signed.entry(key).or_default().insert(format!("{} {}", entry["sha256"], entry["status"]));
    }
    assert!(signed.values().all(|bytes| bytes.len() == 1), "an award was signed twice, differently: {signed:?}");
    let awards: BTreeSet<&String> = signed.keys().map(|(_, award)| award).collect();
    // The sample holder's, and one for each passer.
    assert_eq!(awards.len(), 1 + PASSERS);
}
