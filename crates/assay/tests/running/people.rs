//! People who answer, change their minds and hand in, and write down what they were told.
//!
//! Answers that were under way when a server died may have been taken or not; everything that was called saved must stand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests that each use a part")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use assay_items::Item;
use tokio::time::Instant;

use super::{Browser, assay, between, knowing::options_and_right, said, site::Site, wait_long_for};

/// What one question of one person looks like, and what was said about it.
#[derive(Clone, Default)]
pub struct Question {
    /// Tokens of the options, and their words.
    options: Vec<(String, String)>,
    /// The tokens that are right.
    right: BTreeSet<String>,
    /// What was sent, and when it was called saved, if it was: from the last answer on that is known to stand.
    sent: Vec<(BTreeSet<String>, Option<Instant>)>,
    /// Counts this browser's saves.
    counter: i64,
}

impl Question {
    /// Where the last answer is that was called saved before that moment. What was sent later may stand or not.
    fn saved(&self, before: Option<Instant>) -> Option<usize> {
        let told = |at: &Option<Instant>| at.is_some_and(|at| before.is_none_or(|before| at < before));
        self.sent.iter().rposition(|(_, at)| told(at))
    }
}

/// What happened, so that the test can tell whether it tested anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub acknowledged: usize,
    pub unanswered: usize,
    pub stood_unanswered: usize,
    pub submits_unanswered: usize,
}

impl Seen {
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        self.stood_unanswered += other.stood_unanswered;
        self.submits_unanswered += other.submits_unanswered;
    }
}

/// A round of a story: everybody works, and something happens to what they work with.
pub struct Round<'a> {
    /// Its number, from 0, and how many there are.
    pub number: (usize, usize),
    /// So many hand in, one after the other over the rounds, and try again in the next where nobody answered.
    pub passers: usize,
    /// They hand in so many milliseconds after the beginning at most.
    pub latest: usize,
    pub chance: &'a SeededChance,
    pub pool: &'a [Item],
    over: AtomicBool,
}

/// Ends a round, also when its test fails in the middle of it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a> Round<'a> {
    pub fn new(number: (usize, usize), passers: usize, latest: usize, chance: &'a SeededChance, pool: &'a [Item]) -> Self {
        Self { number, passers, latest, chance, pool, over: AtomicBool::new(false) }
    }

    /// Everybody works, each at the address of a server, until `meanwhile` is done and they have seen it.
    pub fn live<'u, T>(&self, people: &mut [Person], url: impl Fn(usize) -> &'u str, meanwhile: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let _over = Over(&self.over);
            for (number, person) in people.iter_mut().enumerate() {
                let (round, rounds) = self.number;
                let passer = number < self.passers;
                let hands_in = passer && round >= number * rounds / self.passers && !person.submitted;
                let (url, wait) = (url(number), Duration::from_millis(self.chance.below(self.latest) as u64));
                scope.spawn(move || {
                    if hands_in {
                        thread::sleep(wait);
                        person.submit_twice(url);
                    } else {
                        person.work(url, self.pool, passer, &self.over);
                    }
                });
            }
            meanwhile()
        })
    }
}

pub struct Person {
    pub name: String,
    pub browser: Browser,
    attempt: String,
    questions: BTreeMap<usize, Question>,
    chance: SeededChance,
    /// Was told that it was handed in.
    pub submitted: bool,
    /// When.
    submitted_at: Option<Instant>,
    /// Tried to hand in.
    tried: bool,
    pub seen: Seen,
    /// Goes on when the server says that it cannot save; else that is a fault.
    pub forbearing: bool,
    /// When each answer that was called saved was sent, and when it was called so.
    pub saves: Vec<(Instant, Instant)>,
}

impl Person {
    /// The same, by somebody who tries again until the server can.
    pub fn patient(site: &Site, url: &str, number: usize) -> Self {
        let name = format!("Person {number}");
        let mut tries = 0;
        // A link works once: whoever was not told whether it did asks for another, from another place and address, or meets a limit.
        let mut browser = wait_long_for("to be let in", || {
            tries += 1;
            let mut browser = Browser::behind_proxy(&format!("10.1.{number}.{tries}"));
            let address = format!("person-{number}-{tries}@example.org");
            let asked = browser.post(&format!("{url}/sign-in"), &[("address", &address), ("next", "/me")]);
            asked.ok().filter(|page| page.status == 200)?;
            let link = wait_long_for("the mail", || site.link(&mut browser, url, &address));
            browser.post(&link, &[]).ok().filter(|page| page.status == 303)?;
            Some(browser)
        });
        let attempt = wait_long_for("to begin", || {
            let begun = browser.post(&format!("{url}/programmes/serverless/assessment"), &[("name", &name), ("honesty", "yes")]).ok()?;
            between(&begun.location, "/attempts/", "/").first().map(|id| (*id).to_owned())
        });
        Self { forbearing: true, ..Self::sitting(number, name, browser, attempt) }
    }

    /// Signs in by a mailed link, and begins.
    pub fn new(site: &Site, url: &str, number: usize) -> Self {
        let mut browser = site.sign_in(url, &format!("person-{number}@example.org"));
        let name = format!("Person {number}");
        let begun = browser.post(&format!("{url}/programmes/serverless/assessment"), &[("name", &name), ("honesty", "yes")]).unwrap();
        let attempt = between(&begun.location, "/attempts/", "/")[0].to_owned();
        Self::sitting(number, name, browser, attempt)
    }

    fn sitting(number: usize, name: String, browser: Browser, attempt: String) -> Self {
        let chance = SeededChance::new([u8::try_from(number).unwrap(); 32]);
        let (questions, seen) = (BTreeMap::new(), Seen::default());
        Self {
            name,
            browser,
            attempt,
            questions,
            chance,
            submitted: false,
            submitted_at: None,
            tried: false,
            seen,
            forbearing: false,
            saves: Vec::new(),
        }
    }

    /// Reads a question's page once.
    fn look(&mut self, url: &str, n: usize, pool: &[Item]) -> Option<Question> {
        if let Some(known) = self.questions.get(&n) {
            return Some(known.clone());
        }
        let page = self.browser.get(&format!("{url}/attempts/{}/questions/{n}", self.attempt)).ok()?;
        if self.forbearing && page.status >= 500 {
            return None;
        }
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
        question.sent.push((chosen.clone(), None));
        let body = serde_json::json!({ "chosen": chosen, "base_revision": 0, "device": format!("device{n}"), "counter": question.counter });
        let sent = Instant::now();
        match self.browser.post_json(&format!("{url}/attempts/{}/questions/{n}/answer", self.attempt), &body) {
            Ok(page) if page.status == 200 => {
                assert_eq!(page.json()["saved"], true);
                let told = Instant::now();
                question.sent.last_mut().unwrap().1 = Some(told);
                self.seen.acknowledged += 1;
                self.saves.push((sent, told));
                true
            }
            Ok(page) if !self.forbearing || page.status < 500 => panic!("{} was answered {}: {}", self.name, page.status, page.text()),
            _ => {
                self.seen.unanswered += 1;
                false
            }
        }
    }

    /// Answers one question after the other until the server is gone or the round is over. A passer thinks better of it each time.
    /// Whoever is forbearing waits a moment instead, and goes on.
    pub fn work(&mut self, url: &str, pool: &[Item], passer: bool, over: &AtomicBool) {
        if self.tried || passer && !self.know_everything(url, pool) && !self.forbearing {
            return;
        }
        while !over.load(Ordering::SeqCst) {
            if !self.answer_one(url, pool, passer) {
                if !self.forbearing {
                    return;
                }
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Answers a question by chance, and a passer rightly after that; `false` when it was not called saved.
    fn answer_one(&mut self, url: &str, pool: &[Item], passer: bool) -> bool {
        let n = 1 + self.chance.below(50);
        let Some(question) = self.look(url, n, pool) else { return false };
        let pick = self.chance.below(question.options.len());
        self.save(url, n, BTreeSet::from([question.options[pick].0.clone()])) && (!passer || self.save(url, n, question.right))
    }

    /// Every answer right, to the last question; `false` when the server was gone.
    pub fn know_everything(&mut self, url: &str, pool: &[Item]) -> bool {
        (1..=50).all(|n| {
            let Some(question) = self.look(url, n, pool) else { return false };
            question.saved(None).is_some_and(|at| question.sent[at].0 == question.right) || self.save(url, n, question.right)
        })
    }

    pub fn submit(&mut self, url: &str) {
        self.tried = true;
        let sent = self.browser.post(&format!("{url}/attempts/{}/submit", self.attempt), &[("confirm", "yes")]);
        if sent.is_ok_and(|page| page.status == 303 && page.location.ends_with("/result")) {
            self.submitted = true;
            self.submitted_at = Some(Instant::now());
        } else {
            self.seen.submits_unanswered += 1;
        }
    }

    /// Hands in from two windows at once.
    pub fn submit_twice(&mut self, url: &str) {
        let mut twice = Self {
            browser: self.browser.clone(),
            questions: BTreeMap::new(),
            name: String::new(),
            chance: SeededChance::new([0; 32]),
            attempt: self.attempt.clone(),
            seen: Seen::default(),
            saves: Vec::new(),
            ..*self
        };
        thread::scope(|both| {
            both.spawn(|| twice.submit(url));
            self.submit(url);
        });
        // The earlier of both counts.
        self.submitted |= twice.submitted;
        self.submitted_at = self.submitted_at.into_iter().chain(twice.submitted_at).min();
        self.seen.submits_unanswered += twice.seen.submits_unanswered;
    }

    /// Compares what was said with what a new process says.
    pub fn compare(&mut self, url: &str, round: usize) {
        self.compare_before(url, round, None);
    }

    /// The same, where everything was over at some moment: what was said later, nobody heard.
    pub fn compare_before(&mut self, url: &str, round: usize, over: Option<Instant>) {
        let lost = self.lost_before(url, over);
        assert!(lost.is_empty(), "round {round}: {lost:#?}");
    }

    /// What was said and is not so any more. Afterwards what is so counts.
    pub fn lost(&mut self, url: &str) -> Vec<String> {
        self.lost_before(url, None)
    }

    /// The same, where everything was over at some moment.
    pub fn lost_before(&mut self, url: &str, over: Option<Instant>) -> Vec<String> {
        let mut lost = Vec::new();
        if self.submitted {
            let page = self.browser.get(&format!("{url}/attempts/{}/result", self.attempt)).unwrap();
            if page.status != 200 {
                if self.submitted_at.is_none_or(|at| over.is_none_or(|over| at < over)) {
                    lost.push(format!("{} was told that the attempt is handed in", self.name));
                }
                self.submitted = false;
            }
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
            let saved = question.saved(over);
            // The last that was acknowledged, or one that was sent later.
            let which = (saved.unwrap_or(0)..question.sent.len()).find(|at| words(&question.sent[*at].0) == stands);
            if which != saved && (which.is_some() || saved.is_some() || !stands.is_empty()) {
                if which.is_some() {
                    self.seen.stood_unanswered += 1;
                } else {
                    let said = saved.map(|at| (words(&question.sent[at].0), question.sent[at].1));
                    lost.push(format!(
                        "{name}, question {n}: {said:?} was called saved, {stands:?} stands; everything was over at {over:?}"
                    ));
                }
            }
            let tokens = question.options.iter().filter(|(_, words)| stands.contains(words)).map(|(token, _)| token.clone());
            let tokens: BTreeSet<String> = tokens.collect();
            question.sent = if tokens.is_empty() { Vec::new() } else { vec![(tokens, Some(Instant::now()))] };
        }
        lost
    }
}

/// The value of a name, wherever it stands in the export.
fn find<'a>(value: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    value.get(name).or_else(|| value.as_object()?.values().find_map(|inner| inner.get(name))).unwrap()
}

/// Hands in what is left; then every passer has one badge with one signature, and it is valid.
/// `others` are the awards that the journals hold beside.
pub fn finish(site: &Site, url: &str, passers: &mut [Person], others: usize) {
    for person in passers.iter_mut().filter(|person| !person.submitted) {
        person.submit(url);
        assert!(person.submitted);
    }
    site.let_leases_end(url);
    let keys = site.keys();
    for person in passers.iter_mut() {
        let ids = wait_long_for("the badge", || {
            let me = person.browser.get(&format!("{url}/me")).unwrap().text();
            let ids: BTreeSet<String> = between(&me, "/me/badges/", "\"").iter().map(|id| id.chars().take(26).collect()).collect();
            (!ids.is_empty()).then_some(ids)
        });
        assert_eq!(ids.len(), 1, "{} has {ids:?}", person.name);
        let id = ids.first().unwrap();
        person.browser.post(&format!("{url}/me/badges/{id}"), &[("visibility", "link")]).unwrap();
        let document = wait_long_for("the signed document", || {
            person.browser.get(&format!("{url}/b/{id}.json")).ok().filter(|page| page.status == 200)
        });
        let path = site.root().join(format!("{id}.json"));
        fs::write(&path, document.bytes).unwrap();
        // The demonstration's clock is a day ahead.
        let (status, words) =
            said(&assay(["verify", path.to_str().unwrap(), "--trust", keys.to_str().unwrap(), "--at", "2100-01-01T00:00:00Z"]));
        assert_eq!(status, 0, "{words}");
    }

    let mut signed: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for line in site.journals().lines() {
        // A line that a kill cut short harms no other.
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if entry["sha256"].is_null() {
            // Not about a signature: a mail, a closed attempt.
            continue;
        }
        let key = (entry["event"].to_string(), entry["award"].to_string());
        signed.entry(key).or_default().insert(format!("{} {}", entry["sha256"], entry["status"]));
    }
    assert!(signed.values().all(|bytes| bytes.len() == 1), "an award was signed twice, differently: {signed:?}");
    let awards: BTreeSet<&String> = signed.keys().map(|(_, award)| award).collect();
    assert_eq!(awards.len(), others + passers.len());
}
