//! One person: signs in by mailed link, begins, answers questions, submits, reads the result; each step with what it expects.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Target,
    client::{Answer, Client, Cut, Trouble},
    html,
    outbox::Outbox,
    readings::Kind,
};

/// How the addresses of all people of the driver begin.
pub(crate) const ADDRESS_START: &str = "bench-";
/// People who share one address of this machine: a port for each, and for those whose connections were cut, far below 28,000.
const PER_SOURCE: u32 = 5_000;

/// One step of an attempt, as data, so that it can be tried again as it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Conditions,
    Begin,
    /// Looks at a question, by number from 1.
    View(u32),
    /// Saves this answer.
    Save(Chosen),
    Submit,
    Result,
}

/// An answer, as the page's script would keep it until it is saved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    number: u32,
    tokens: Vec<String>,
    base: u64,
    counter: u64,
}

impl Step {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Conditions => Kind::Conditions,
            Self::Begin => Kind::Begin,
            Self::View(_) => Kind::Page,
            Self::Save(_) => Kind::Save,
            Self::Submit => Kind::Submit,
            Self::Result => Kind::Result,
        }
    }
}

/// A step that went as it should.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// From sending the request to the last byte of the answer.
    pub(crate) took: Duration,
    /// Bytes of the body as sent.
    pub(crate) wire_bytes: u64,
}

impl From<&Answer> for Done {
    fn from(answer: &Answer) -> Self {
        Self { took: answer.took, wire_bytes: answer.wire_bytes }
    }
}

/// Somebody with an address of their own.
pub(crate) struct Person {
    target: Target,
    address: String,
    name: String,
    client: Client,
    /// What this person leaves to chance.
    pub(crate) chance: fastrand::Rng,
    /// `/attempts/{a}`, once there is one.
    attempt: String,
    /// The question looked at last, and what can be chosen there.
    open: Option<(u32, html::Choices)>,
    /// Answers given so far, as the page's script counts them.
    counter: u64,
}

impl Person {
    /// A new person. `tag` makes the address one that no earlier run used; `seed` decides what they choose.
    pub(crate) fn new(target: &Target, tag: &str, number: u32, seed: u64) -> Self {
        Self {
            target: target.clone(),
            address: format!("{ADDRESS_START}{tag}-{number}@example.org"),
            name: format!("Bench Person {number}"),
            client: Client::new(target.url(), source(number)),
            chance: fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(number)),
            attempt: String::new(),
            open: None,
            counter: 0,
        }
    }

    /// Requests sent so far.
    pub(crate) fn requests(&self) -> u64 {
        self.client.requests
    }

    /// How long this person waits for an answer.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.client.patience = patience;
    }

    /// Cuts the connection of the next request.
    pub(crate) fn cut_next(&mut self, cut: Cut) {
        self.client.cut_next = Some(cut);
    }

    /// This person's browser.
    pub(crate) fn browser(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Asks for a link, takes it from the demo's outbox, presses its button.
    pub(crate) async fn sign_in(&mut self, outbox: &Outbox) -> Result<(), Trouble> {
        let next = format!("/programmes/{}/assessment", self.target.programme);
        let turn = outbox.turn().await;
        let asked = self.client.post_form("ask for a link", "/sign-in", &[("address", &self.address), ("next", &next)]).await?;
        asked.expect_status("ask for a link", 200)?;
        let link = outbox.link(&self.address).await?;
        drop(turn);
        let page = self.client.get("open the link", &link).await?.expect_status("open the link", 200)?;
        let hidden = hidden_fields(&page.text);
        let fields: Vec<_> = hidden.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.client.post_form("sign in", &link, &fields).await?.expect_status("sign in", 303)?;
        Ok(())
    }

    /// Makes one step and judges its answer.
    pub(crate) async fn perform(&mut self, step: &Step) -> Result<Done, Trouble> {
        match step {
            Step::Conditions => self.conditions().await,
            Step::Begin => self.begin().await,
            Step::View(number) => self.view(*number).await,
            Step::Save(chosen) => self.save(chosen).await,
            Step::Submit => self.submit().await,
            Step::Result => self.result().await,
        }
    }

    fn assessment(&self) -> String {
        format!("/programmes/{}/assessment", self.target.programme)
    }

    async fn conditions(&mut self) -> Result<Done, Trouble> {
        let path = self.assessment();
        self.client.get("conditions", &path).await?.expect_status("conditions", 200).map(|answer| Done::from(&answer))
    }

    async fn begin(&mut self) -> Result<Done, Trouble> {
        let path = self.assessment();
        let begun = self.client.post_form("begin", &path, &[("name", &self.name), ("honesty", "yes")]).await?;
        // Whoever lost the connection while beginning may have begun: the page then offers to continue.
        if begun.status == 409
            && let Some(attempt) = html::tags(&begun.text, "a").find_map(|a| Some(attempt_of(a.get("href")?)?.to_owned()))
        {
            self.attempt = attempt;
            return Ok(Done::from(&begun));
        }
        let begun = begun.expect_status("begin", 303)?;
        match attempt_of(&begun.location).filter(|_| begun.location.contains("/questions/")) {
            Some(attempt) => attempt.clone_into(&mut self.attempt),
            None => return Err(begun.unexpected("begin", "a redirection to the first question")),
        }
        Ok(Done::from(&begun))
    }

    async fn view(&mut self, number: u32) -> Result<Done, Trouble> {
        self.open = None;
        let (what, path) = (format!("page of question {number}"), format!("{}/questions/{number}", self.attempt));
        let page = self.client.get(&what, &path).await?.expect_status(&what, 200)?;
        if html::question_of(&page.text) != Some((number, self.target.questions)) {
            return Err(page.unexpected(&what, &format!("\"Question {number} of {}\"", self.target.questions)));
        }
        let choices = html::choices(&page.text).ok_or_else(|| page.unexpected(&what, "options to choose from"))?;
        self.open = Some((number, choices));
        Ok(Done::from(&page))
    }

    /// As many options as the open page asks for, by chance; nothing when no question is open.
    pub(crate) fn choose(&mut self) -> Option<Step> {
        let (number, choices) = self.open.as_ref()?;
        self.counter += 1;
        let tokens = self.chance.choose_multiple(choices.tokens.iter().cloned(), choices.count);
        Some(Step::Save(Chosen { number: *number, tokens, base: choices.revision, counter: self.counter }))
    }

    async fn save(&mut self, chosen: &Chosen) -> Result<Done, Trouble> {
        let what = format!("save of question {}", chosen.number);
        let path = format!("{}/questions/{}/answer", self.attempt, chosen.number);
        let body = json!({ "chosen": chosen.tokens, "base_revision": chosen.base, "device": "bench", "counter": chosen.counter });
        let answer = self.client.post_json(&what, &path, &body).await?;
        let told: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        // Only what the server calls saved counts as saved, and then under the next revision; a repeat under the same one.
        if answer.status != 200 || told["saved"] != true || told["revision"] != chosen.base + 1 {
            return Err(answer.unexpected(&what, &format!("saved:true at revision {}", chosen.base + 1)));
        }
        Ok(Done::from(&answer))
    }

    async fn submit(&mut self) -> Result<Done, Trouble> {
        let path = format!("{}/submit", self.attempt);
        let submitted = self.client.post_form("submit", &path, &[("confirm", "yes")]).await?.expect_status("submit", 303)?;
        if submitted.location != format!("{}/result", self.attempt) {
            return Err(submitted.unexpected("submit", "a redirection to the result"));
        }
        Ok(Done::from(&submitted))
    }

    async fn result(&mut self) -> Result<Done, Trouble> {
        let result = self.client.get("result", &format!("{}/result", self.attempt)).await?.expect_status("result", 200)?;
        let expected = format!("of {}", self.target.questions);
        if result.text.contains(&expected) { Ok(Done::from(&result)) } else { Err(result.unexpected("result", &format!("\"{expected}\""))) }
    }

    /// The path of a question page of a new attempt.
    pub(crate) async fn open_question(&mut self) -> Result<String, Trouble> {
        self.perform(&Step::Begin).await?;
        Ok(format!("{}/questions/1", self.attempt))
    }
}

/// `/attempts/{a}` of a path below it.
fn attempt_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/attempts/")?;
    let end = rest.find('/').unwrap_or(rest.len());
    (end > 0).then(|| &path[..path.len() - rest.len() + end])
}

/// Where connections of the `number`-th person come from: all of 127.0.0.0/8 is this machine on Linux, each with its own ports.
fn source(number: u32) -> Option<IpAddr> {
    let group = u8::try_from(number / PER_SOURCE).unwrap_or(u8::MAX - 1);
    (cfg!(target_os = "linux") && group > 0).then(|| Ipv4Addr::new(127, 0, 0, group + 1).into())
}

/// Hidden inputs of a page, which a browser sends along.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    html::tags(page, "input")
        .filter(|input| input.get("type") == Some("hidden"))
        .filter_map(|input| Some((input.get("name")?.to_owned(), input.get("value").unwrap_or_default().to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_found_in_its_paths() {
        assert_eq!(attempt_of("/attempts/abc/questions/1"), Some("/attempts/abc"));
        assert_eq!(attempt_of("/attempts/abc"), Some("/attempts/abc"));
        assert_eq!(attempt_of("/attempts/"), None);
        assert_eq!(attempt_of("/me"), None);
    }
}
