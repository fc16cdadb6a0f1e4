//! Non-interference: two banks that differ only in keys and rationales, one scripted learner, every route that learner can reach.
//! Until the attempt closes, every byte, header and status is equal. That the comparison can fail is part of the suite.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod common;

use assay_fixtures::{items, programme};
use axum::{
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use common::{Answer, Server};

/// What the learner's browser received until the attempt closed.
async fn script(right: u8, planted: bool) -> Vec<Answer> {
    let programme = programme(10, 8);
    let mut server = Server::new(&programme, items(&programme, 20, move |n| if n % 3 == 0 { right } else { 3 - right })).await;
    if planted {
        // A leak as it happened elsewhere: the key rides along with the question.
        let leak = move |request: Request, next: Next| async move {
            let is_question = request.uri().path().contains("/questions/");
            let mut response: Response = next.run(request).await;
            if is_question {
                let key = right.to_string().parse().unwrap();
                response.headers_mut().insert("x-key", key);
            }
            response
        };
        server.router = server.router.layer(from_fn(leak));
    }
    let mut b = server.signed_in("ada@example.org").await;
    for path in [
        "/",
        "/programmes/sample",
        "/programmes/sample/standard",
        "/programmes/sample/badge.svg",
        "/programmes/sample/glossary",
        "/programmes/sample/lessons/lesson-alpha",
        "/sign-in",
        "/me/page",
        "/me/data",
        "/verify",
        "/status/1",
        "/issuer/keys.json",
        "/.well-known/did.json",
        "/favicon.svg",
        "/robots.txt",
        "/healthz",
        "/readyz",
        "/p/ada",
        "/b/aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "/me/badges/aaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        b.get(path).await;
    }
    b.form("/programmes/sample/lessons/lesson-alpha", "done=yes").await;
    b.form("/me/page", "handle=ada&go=save").await;
    b.get("/p/ada").await;
    let home = b.get("/programmes/sample").await.text();
    for asset in home.split('"').filter(|s| s.starts_with("/assets/")).map(str::to_owned).collect::<Vec<_>>() {
        b.get(&asset).await;
    }
    b.get("/programmes/sample/assessment").await;
    let attempt = b.begin("Ada").await;
    b.get(&attempt).await;
    for position in 1..=10u16 {
        let question = format!("{attempt}/questions/{position}");
        let tokens: Vec<String> = {
            let page = b.get(&question).await.text();
            page.split("name=\"choice\"")
                .skip(1)
                .map(|s| s.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(tokens.len(), 4);
        // Every option is tried: right or wrong must not show in the answer to a save.
        for (counter, token) in tokens.iter().enumerate() {
            let body = serde_json::json!({ "chosen": [token], "base_revision": 0, "device": "d", "counter": counter + 1 });
            b.json(&format!("{question}/answer"), body).await;
        }
        let other_device = serde_json::json!({ "chosen": [tokens[0]], "base_revision": 0, "device": "e", "counter": 1 });
        b.json(&format!("{question}/answer"), other_device).await;
        b.form(&question, &format!("choice={}&revision=0&device=f&counter=1&go=next", tokens[1])).await;
        b.json(&format!("{question}/flag"), serde_json::json!({ "flagged": true })).await;
        b.get(&format!("{question}/report")).await;
        b.form(&format!("{question}/report"), "words=hm").await;
        b.get(&question).await;
    }
    b.form(&format!("{attempt}/questions/1"), "choice=nonsense&revision=0&device=f&counter=1").await;
    for path in ["/review", "/submit", "/result", "/retake.ics", ""] {
        b.get(&format!("{attempt}{path}")).await;
    }
    b.form(&format!("{attempt}/submit"), "").await;
    b.form("/programmes/sample/assessment", "name=Ada&honesty=yes").await;
    for path in ["/me", "/me/data/export", "/programmes/sample"] {
        b.get(path).await;
    }
    b.form("/me/badges/aaaaaaaaaaaaaaaaaaaaaaaaaa", "visibility=link").await;
    b.form("/me/badges/aaaaaaaaaaaaaaaaaaaaaaaaaa/name", "name=Ada").await;
    b.form("/verify", "").await;
    b.form("/me/data/erase", "").await;
    b.form("/sign-out", "").await;
    b.log.clone()
}

fn first_difference(one: &[Answer], two: &[Answer]) -> Option<String> {
    if one.len() != two.len() {
        return Some(format!("{} answers and {}", one.len(), two.len()));
    }
    let differing = one.iter().zip(two).find(|(a, b)| a != b)?;
    Some(format!(
        "{} {}: {:?}\n--- one\n{}\n--- two\n{}",
        differing.0.method,
        differing.0.path,
        differing.0.headers,
        differing.0.text(),
        differing.1.text()
    ))
}

#[tokio::test]
async fn nothing_a_learner_receives_depends_on_a_key() {
    let (one, two) = (script(1, false).await, script(2, false).await);
    assert_eq!(first_difference(&one, &two), None);
    for answer in &one {
        let text = answer.text();
        assert!(!text.contains("RATIONALE"), "{} {} holds a rationale", answer.method, answer.path);
        assert!(!text.contains("v-alpha") && !text.contains("v-beta"), "{} {} holds an item's version", answer.method, answer.path);
    }
}

#[tokio::test]
async fn the_comparison_finds_a_planted_key() {
    let (one, two) = (script(1, true).await, script(2, true).await);
    assert!(first_difference(&one, &two).is_some(), "a key in a header went unnoticed");
}

#[tokio::test]
async fn the_script_reaches_every_route() {
    let log = script(1, false).await;
    let source = include_str!("../src/routes.rs");
    let mut missed = Vec::new();
    for line in source.lines().filter(|l| l.contains(".route(\"") && !l.contains("/demo")) {
        let pattern = line.split('"').nth(1).unwrap();
        let matches = |path: &str| {
            let (p, q): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
            p.len() == q.len() && p.iter().zip(&q).all(|(a, b)| a.starts_with('{') || a == b)
        };
        for (method, marker) in [("GET", "get("), ("POST", "post(")] {
            let reached = log.iter().any(|a| a.method == method && matches(a.path.split('?').next().unwrap()));
            if line.contains(marker) && !reached {
                missed.push(format!("{method} {pattern}"));
            }
        }
    }
    assert!(missed.is_empty(), "add these to the script: {missed:?}");
}
