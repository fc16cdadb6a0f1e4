//! One person: signs in by mailed link, begins, answers every question, submits, reads the result.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Target,
    client::{Client, Trouble},
    html,
    outbox::Outbox,
};

/// How the addresses of all people of the driver begin.
pub(crate) const ADDRESS_START: &str = "bench-";

/// What one attempt left behind.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) views: Vec<Duration>,
    pub(crate) saves: Vec<Duration>,
    pub(crate) submits: Vec<Duration>,
    /// Bytes of the question pages' bodies as they came over the wire, summed.
    pub(crate) view_bytes: u64,
    /// Every expectation that failed, in words.
    pub(crate) faults: Vec<String>,
    /// Whether the person saw a result.
    pub(crate) finished: bool,
}

/// Somebody with an address of their own.
pub(crate) struct Person<'a> {
    target: &'a Target,
    address: String,
    name: String,
    client: Client,
    chance: fastrand::Rng,
}

impl<'a> Person<'a> {
    /// A new person. `tag` makes the address one that no earlier run used; `seed` decides what they choose.
    pub(crate) fn new(target: &'a Target, tag: &str, number: u32, seed: u64) -> Self {
        Self {
            target,
            address: format!("{ADDRESS_START}{tag}-{number}@example.org"),
            name: format!("Bench Person {number}"),
            client: Client::new(&target.url),
            chance: fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(number)),
        }
    }

    /// Requests sent so far.
    pub(crate) fn requests(&self) -> u64 {
        self.client.requests
    }

    /// Asks for a link, takes it from the demo's outbox, presses its button.
    pub(crate) fn sign_in(&mut self, outbox: &Outbox) -> Result<(), Trouble> {
        let next = format!("/programmes/{}/assessment", self.target.programme);
        let asked = self.client.post_form("ask for a link", "/sign-in", &[("address", &self.address), ("next", &next)])?;
        asked.expect_status("ask for a link", 200)?;
        let link = outbox.link(&self.address)?;
        let page = self.client.get("open the link", &link)?.expect_status("open the link", 200)?;
        let hidden = hidden_fields(&page.text);
        let fields: Vec<_> = hidden.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.client.post_form("sign in", &link, &fields)?.expect_status("sign in", 303)?;
        Ok(())
    }

    /// Begins an attempt; its path, `/attempts/{a}`.
    pub(crate) fn begin(&mut self) -> Result<String, Trouble> {
        let path = format!("/programmes/{}/assessment", self.target.programme);
        self.client.get("conditions", &path)?.expect_status("conditions", 200)?;
        let begun = self.client.post_form("begin", &path, &[("name", &self.name), ("honesty", "yes")])?;
        let begun = begun.expect_status("begin", 303)?;
        match begun.location.split_once("/questions/") {
            Some((attempt, _)) if attempt.starts_with("/attempts/") => Ok(attempt.to_owned()),
            _ => Err(begun.unexpected("begin", "a redirection to the first question")),
        }
    }

    /// The whole attempt. A question that goes wrong is written down and the next one is tried.
    pub(crate) fn attempt(&mut self) -> Trace {
        let mut trace = Trace::default();
        let attempt = match self.begin() {
            Ok(attempt) => attempt,
            Err(trouble) => {
                trace.faults.push(trouble.to_string());
                return trace;
            }
        };
        for number in 1..=self.target.questions {
            if let Err(trouble) = self.question(&attempt, number, &mut trace) {
                trace.faults.push(trouble.to_string());
            }
        }
        match self.submit(&attempt, &mut trace) {
            Ok(()) => trace.finished = true,
            Err(trouble) => trace.faults.push(trouble.to_string()),
        }
        trace
    }

    fn question(&mut self, attempt: &str, number: u32, trace: &mut Trace) -> Result<(), Trouble> {
        let (view, save) = (format!("page of question {number}"), format!("save of question {number}"));
        let path = format!("{attempt}/questions/{number}");
        let page = self.client.get(&view, &path)?.expect_status(&view, 200)?;
        trace.views.push(page.took);
        trace.view_bytes += page.wire_bytes;
        let expected = format!("\"Question {number} of {}\"", self.target.questions);
        if html::question_of(&page.text) != Some((number, self.target.questions)) {
            return Err(page.unexpected(&view, &expected));
        }
        let choices = html::choices(&page.text).ok_or_else(|| page.unexpected(&view, "options to choose from"))?;
        let chosen = self.choose(&choices);
        let body = json!({ "chosen": chosen, "base_revision": choices.revision, "device": "bench", "counter": number });
        let answer = self.client.post_json(&save, &format!("{path}/answer"), &body)?;
        let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        // Only what the server calls saved counts as saved, and then under the next revision.
        if answer.status != 200 || told["saved"] != true || told["revision"] != choices.revision + 1 {
            return Err(answer.unexpected(&save, &format!("saved:true at revision {}", choices.revision + 1)));
        }
        trace.saves.push(answer.took);
        Ok(())
    }

    /// As many options as the page asks for, by chance.
    fn choose(&mut self, choices: &html::Choices) -> Vec<String> {
        self.chance.choose_multiple(choices.tokens.iter().cloned(), choices.count)
    }

    fn submit(&mut self, attempt: &str, trace: &mut Trace) -> Result<(), Trouble> {
        let submitted = self.client.post_form("submit", &format!("{attempt}/submit"), &[("confirm", "yes")])?;
        let submitted = submitted.expect_status("submit", 303)?;
        trace.submits.push(submitted.took);
        if !submitted.location.ends_with("/result") {
            return Err(submitted.unexpected("submit", "a redirection to the result"));
        }
        let result = self.client.get("result", &submitted.location)?.expect_status("result", 200)?;
        let expected = format!("of {}", self.target.questions);
        if result.text.contains(&expected) { Ok(()) } else { Err(result.unexpected("result", &format!("\"{expected}\""))) }
    }

    /// A question page of a new attempt, and this person's browser to fetch what it names.
    pub(crate) fn open_question(&mut self) -> Result<(String, &mut Client), Trouble> {
        let attempt = self.begin()?;
        Ok((format!("{attempt}/questions/1"), &mut self.client))
    }
}

/// Hidden inputs of a page, which a browser sends along.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    html::tags(page, "input")
        .filter(|input| input.get("type") == Some("hidden"))
        .filter_map(|input| Some((input.get("name")?.to_owned(), input.get("value").unwrap_or_default().to_owned())))
        .collect()
}
