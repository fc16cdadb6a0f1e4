//! People with two devices each, who write down everything that they ask and are told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use assay_core::chance::SeededChance;
use assay_items::Item;
use tokio::time::Instant;

use super::{Asked, Fault, Op, Options, Said, Whole, explain, settle};
use crate::running::{Browser, between, knowing::options_and_right};

pub const QUESTIONS: usize = 50;
/// Longest that a device waits for an answer; then it does not know.
const PATIENCE: Duration = Duration::from_secs(2);
/// Tries of something that must be done in the end.
const TRIES: usize = 300;

/// A question's options in the order of its page: tokens, words; and which are right.
struct Question {
    options: Vec<(String, String)>,
    right: Options,
}

impl Question {
    fn of(&self, has: impl Fn(&(String, String)) -> bool) -> Options {
        Options(self.options.iter().enumerate().map(|(bit, option)| u32::from(has(option)) << bit).sum())
    }
}

/// One person: what is asked and told is kept here, whichever device it was.
pub struct Person {
    pub name: String,
    url: String,
    start: Instant,
    attempt: OnceLock<String>,
    questions: Vec<OnceLock<Question>>,
    ops: Vec<Mutex<Vec<Op>>>,
    ends: Mutex<Vec<Op>>,
    told: Mutex<Whole>,
}

impl Person {
    pub fn new(url: &str, name: &str, start: Instant) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            start,
            attempt: OnceLock::new(),
            questions: (0..=QUESTIONS).map(|_| OnceLock::new()).collect(),
            ops: (0..=QUESTIONS).map(|_| Mutex::default()).collect(),
            ends: Mutex::default(),
            told: Mutex::default(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap()
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/attempts/{}{rest}", self.url, self.attempt.get().unwrap())
    }

    /// What is kept at the end, as one more operation on each question; then the verdict on all of them, and on the whole.
    pub fn judge(&self, browser: &mut Browser) -> Judged {
        let asked_at = self.now();
        let kept = browser.get(&format!("{}/me/data/export", self.url)).unwrap().json();
        let answered_at = self.now();
        let attempt = self.attempt.get().unwrap().as_str();
        let of = |name: &str, n: usize| {
            let all = kept[name].as_array().unwrap().iter();
            all.filter(|one| one["attempt"] == attempt && one["question"] == n).cloned().collect::<Vec<_>>()
        };
        let (mut judged, mut all_right) = (Judged::default(), true);
        for n in 1..=QUESTIONS {
            let Some(question) = self.questions[n].get() else {
                all_right = false;
                continue;
            };
            let words: BTreeSet<String> = of("answers", n)
                .iter()
                .flat_map(|answer| answer["chosen"].as_array().unwrap().clone())
                .map(|words| words.as_str().unwrap().to_owned())
                .collect();
            let chosen = question.of(|(_, text)| words.contains(text));
            all_right &= chosen == question.right;
            let said = Said::Shows { revision: of("saves", n).len() as i64, chosen };
            let mut ops = self.ops[n].lock().unwrap().clone();
            ops.extend(self.ends.lock().unwrap().iter());
            ops.push(Op { asked_at, answered_at, asked: Asked::Export, said });
            judged.count(&ops);
            judged.faults.extend(explain(&ops).err().map(|fault| self.with_name(fault, n)));
        }
        let mut whole = self.told.lock().unwrap().clone();
        let attempts = kept["attempts"].as_array().unwrap();
        whole.kept = attempts.iter().map(|a| (a["id"].as_str().unwrap().to_owned(), !a["submitted_at"].is_null())).collect();
        whole.passed = attempts.iter().find(|a| a["id"] == attempt).and_then(|a| a["outcome"]["passed"].as_bool());
        whole.all_right = all_right;
        let badges = kept["badges"].as_array().unwrap();
        whole.badges = badges.len();
        judged.unsigned = badges.iter().filter(|badge| badge["credential"].is_null()).count();
        judged.passed = usize::from(whole.passed == Some(true));
        judged.faults.extend(settle(&whole).err().map(|fault| self.with_name(fault, 0)));
        judged
    }

    fn with_name(&self, fault: Fault, n: usize) -> Fault {
        Fault { words: format!("{}, question {n}: {}", self.name, fault.words), ..fault }
    }
}

/// What came of it, and of how much.
#[derive(Debug, Default)]
pub struct Judged {
    pub operations: usize,
    pub saved: usize,
    pub newer: usize,
    pub unanswered: usize,
    pub looks: usize,
    pub over: usize,
    pub passed: usize,
    pub unsigned: usize,
    pub faults: Vec<Fault>,
}

impl Judged {
    fn count(&mut self, ops: &[Op]) {
        for op in ops.iter().filter(|op| matches!(op.asked, Asked::Save { .. } | Asked::Look)) {
            self.operations += 1;
            match op.said {
                Said::Saved { .. } => self.saved += 1,
                Said::Newer { .. } => self.newer += 1,
                Said::Nothing => self.unanswered += 1,
                Said::Over => self.over += 1,
                Said::Shows { .. } => self.looks += 1,
                Said::HandedIn => {}
            }
        }
    }

    pub fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.saved += other.saved;
        self.newer += other.newer;
        self.unanswered += other.unanswered;
        self.looks += other.looks;
        self.over += other.over;
        self.passed += other.passed;
        self.unsigned += other.unsigned;
        self.faults.extend(other.faults);
    }
}

/// One of a person's devices.
pub struct Device<'a> {
    person: &'a Person,
    pool: &'a [Item],
    browser: Browser,
    number: u16,
    chance: SeededChance,
    counter: i64,
    /// The last revision of each question that this device knows of.
    knows: BTreeMap<usize, i64>,
    last: Option<(usize, Asked)>,
}

impl<'a> Device<'a> {
    pub fn new(person: &'a Person, pool: &'a [Item], browser: &Browser, number: u16, seed: [u8; 32]) -> Self {
        let browser = browser.hasty(PATIENCE);
        Self { person, pool, browser, number, chance: SeededChance::new(seed), counter: 0, knows: BTreeMap::new(), last: None }
    }

    /// Begins, or finds what another device has begun; tries until it knows.
    pub fn begin(&mut self) {
        let address = format!("{}/programmes/serverless/assessment", self.person.url);
        for _ in 0..TRIES {
            match self.browser.post(&address, &[("name", &self.person.name), ("honesty", "yes")]) {
                Ok(page) if matches!(page.status, 303 | 409) => {
                    let text = format!("{}\"{}", page.location, page.text());
                    let id: String = between(&text, "/attempts/", "\"")[0].split('/').next().unwrap().to_owned();
                    self.person.told.lock().unwrap().told_begun.push(id.clone());
                    // All devices go on with what was told first; that there is no second one is checked at the end.
                    self.person.attempt.get_or_init(|| id);
                    return;
                }
                Ok(page) if page.status < 500 => panic!("not begun: {} {}", page.status, page.text()),
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
        panic!("{} could not begin", self.person.name);
    }

    /// Writes down one request.
    fn note(&self, n: usize, asked: Asked, ask: impl FnOnce() -> Said) -> Said {
        let asked_at = self.person.now();
        let said = ask();
        let answered_at = if said == Said::Nothing { u64::MAX } else { self.person.now() };
        let kept = if asked == Asked::HandIn { &self.person.ends } else { &self.person.ops[n] };
        kept.lock().unwrap().push(Op { asked_at, answered_at, asked, said });
        said
    }

    pub fn look(&mut self, n: usize) -> Said {
        let (mut browser, person, pool) = (self.browser.clone(), self.person, self.pool);
        let said = self.note(n, Asked::Look, || match browser.get(&person.path(&format!("/questions/{n}"))) {
            Ok(page) if page.status == 200 => {
                let text = page.text();
                let question = person.questions[n].get_or_init(|| {
                    let (options, right) = options_and_right(&text, pool);
                    let mut question = Question { options, right: Options::default() };
                    question.right = question.of(|(token, _)| right.contains(token));
                    question
                });
                let revision = between(&text, "name=\"revision\" value=\"", "\"")[0].parse().unwrap();
                Said::Shows { revision, chosen: question.of(|(token, _)| text.contains(&format!("value=\"{token}\" checked"))) }
            }
            Ok(page) if page.status == 303 => Said::Over,
            Ok(page) if page.status < 500 => panic!("a look was answered {}: {}", page.status, page.text()),
            _ => Said::Nothing,
        });
        self.learn(n, said)
    }

    fn learn(&mut self, n: usize, said: Said) -> Said {
        if let Said::Saved { revision } | Said::Newer { revision, .. } | Said::Shows { revision, .. } = said {
            self.knows.insert(n, revision);
        }
        said
    }

    /// An answer under a number of its own, based on what this device knows.
    pub fn save(&mut self, n: usize, chosen: Options) -> Said {
        // Ends in 1, so that a number between this and the next is free for whoever lies.
        self.counter += 10;
        let base = self.knows.get(&n).copied().unwrap_or(0);
        self.send(n, Asked::Save { device: self.number, counter: self.counter + 1, base, chosen })
    }

    /// The same once more, as whoever did not hear the answer does.
    pub fn repeat(&mut self) -> Option<Said> {
        let (n, asked) = self.last?;
        Some(self.send(n, asked))
    }

    fn send(&mut self, n: usize, asked: Asked) -> Said {
        let Asked::Save { device, counter, base, chosen } = asked else { return Said::Nothing };
        let Some(question) = self.person.questions[n].get() else { return Said::Nothing };
        self.last = Some((n, asked));
        let (mut browser, person) = (self.browser.clone(), self.person);
        let tokens: Vec<&String> =
            question.options.iter().enumerate().filter(|(bit, _)| chosen.0 >> bit & 1 == 1).map(|(_, (token, _))| token).collect();
        let body = serde_json::json!({ "chosen": tokens, "base_revision": base, "device": format!("device{device}"), "counter": counter });
        let said = self.note(n, asked, || match browser.post_json(&person.path(&format!("/questions/{n}/answer")), &body) {
            Ok(page) if page.status == 200 && page.json()["saved"] == true => {
                Said::Saved { revision: page.json()["revision"].as_i64().unwrap() }
            }
            Ok(page) if page.status == 409 => {
                let newer = &page.json()["newer"];
                let theirs: BTreeSet<String> =
                    newer["chosen"].as_array().unwrap().iter().map(|token| token.as_str().unwrap().to_owned()).collect();
                Said::Newer { revision: newer["revision"].as_i64().unwrap(), chosen: question.of(|(token, _)| theirs.contains(token)) }
            }
            Ok(page) if page.status == 410 => Said::Over,
            Ok(page) if page.status < 500 => panic!("a save was answered {}: {}", page.status, page.text()),
            // A busy server, or none.
            _ => Said::Nothing,
        });
        self.learn(n, said)
    }

    /// Looks, saves and repeats, mostly at the same few questions, so that devices meet: so many times, and on until it is over.
    pub fn wander(&mut self, over: &AtomicBool, least: usize) {
        for turn in 0.. {
            if turn >= least && over.load(Ordering::SeqCst) {
                return;
            }
            let n = 1 + self.chance.below(if self.chance.below(2) == 0 { 3 } else { QUESTIONS });
            let options = self.person.questions[n].get().map_or(0, |question| question.options.len());
            let said = match self.chance.below(10) {
                0..6 if options > 0 => {
                    let pick = Options(1 << self.chance.below(options));
                    // A page that was opened long ago knows nothing of what stands.
                    if self.chance.below(8) == 0 {
                        self.knows.remove(&n);
                    }
                    self.save(n, pick)
                }
                6 if self.last.is_some() => self.repeat().unwrap_or(Said::Nothing),
                _ => self.look(n),
            };
            // Nobody asks a server that is away as often as one that answers.
            let pause = if said == Said::Nothing { 150 } else { 30 };
            thread::sleep(Duration::from_millis(self.chance.below(pause) as u64));
        }
    }

    /// Every answer right, however often it must be said.
    pub fn know_everything(&mut self) {
        for n in 1..=QUESTIONS {
            self.until("look", |device| {
                device.person.questions[n].get().is_some() || matches!(device.look(n), Said::Shows { .. } | Said::Over)
            });
            let Some(right) = self.person.questions[n].get().map(|question| question.right) else { return };
            let mut said = self.save(n, right);
            self.until("save", |device| {
                match said {
                    Said::Saved { .. } | Said::Over => return true,
                    Said::Newer { .. } => said = device.save(n, right),
                    _ => said = device.repeat().unwrap_or(Said::Nothing),
                }
                false
            });
        }
    }

    pub fn hand_in(&mut self) {
        self.until("hand in", |device| {
            let (mut browser, person) = (device.browser.clone(), device.person);
            let said = device.note(0, Asked::HandIn, || match browser.post(&person.path("/submit"), &[("confirm", "yes")]) {
                Ok(page) if page.status == 303 && page.location.ends_with("/result") => Said::HandedIn,
                Ok(page) if page.status < 500 => panic!("a hand-in was answered {}: {}", page.status, page.text()),
                _ => Said::Nothing,
            });
            let done = said == Said::HandedIn;
            person.told.lock().unwrap().told_handed_in |= done;
            done
        });
    }

    fn until(&mut self, what: &str, mut act: impl FnMut(&mut Self) -> bool) {
        for _ in 0..TRIES {
            if act(self) {
                return;
            }
            thread::sleep(Duration::from_millis(self.chance.below(60) as u64));
        }
        panic!("{} could not {what} in {TRIES} tries", self.person.name);
    }
}
