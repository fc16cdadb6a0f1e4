//! Whole stories through the router, in milliseconds: the clock is set, mails go into a box.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod common;

use assay_fixtures::{START, items, programme};
use axum::{
    body::Body,
    http::{StatusCode, header},
};
use common::{BASE, Browser, Options, Server, earn, server, upload, verdict};

async fn demo() -> Server {
    let programme = programme(4, 3);
    Server::with(&programme, items(&programme, 20, |_| 1), Options { demo: true, ..Options::default() }).await
}

async fn verify_link(b: &mut Browser<'_>, link: &str) -> String {
    let body = format!("--X\r\nContent-Disposition: form-data; name=\"link\"\r\n\r\n{link}\r\n--X--\r\n");
    let request = b.request("POST", "/verify").header(header::ORIGIN, BASE).header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
    let request = request.body(Body::from(body)).unwrap();
    b.send(request).await.text()
}

async fn verify_text(b: &mut Browser<'_>, text: &str) -> String {
    let body = format!("--X\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{text}\r\n--X--\r\n");
    let request = b.request("POST", "/verify").header(header::ORIGIN, BASE).header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
    let request = request.body(Body::from(body)).unwrap();
    b.send(request).await.text()
}

#[tokio::test]
async fn fail_wait_refused_retake_pass_badge() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let failed = b.sit(2).await;
    let result = b.get(&format!("{failed}/result")).await.text();
    assert!(result.contains("Not passed this time") && result.contains("<b>2</b> of 4"), "{result}");
    assert!(result.contains("Tuesday 24 November 2026, 09:00 UTC"));
    let calendar = b.get(&format!("{failed}/retake.ics")).await;
    assert!(calendar.text().contains("DTSTART:20261124T090000Z"));
    assert!(calendar.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/calendar"));
    let (_, mail) = server.outbox.mails().remove(0);
    assert!(mail.text.contains("Tuesday 24 November 2026, 09:00 UTC") && mail.calendar.unwrap().contains("20261124T090000Z"));

    server.clock.advance_seconds(86_399);
    let early = b.form("/programmes/sample/assessment", "name=Ada&honesty=yes").await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    assert!(early.text().contains("Tuesday 24 November 2026, 09:00 UTC"));
    server.clock.advance_seconds(1);
    let badge = earn(&mut b).await;
    let closed = b.form("/programmes/sample/assessment", "name=Ada&honesty=yes").await;
    assert_eq!(closed.status, StatusCode::CONFLICT);
    assert!(closed.text().contains("You have passed"));
    assert!(server.outbox.mails()[0].1.text.contains(&format!("{BASE}/me/badges/{badge}")));
}

#[tokio::test]
async fn a_badge_is_the_holders_until_it_is_shared() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    let mut stranger = server.browser();
    for ending in ["", ".json", ".png", ".svg"] {
        assert_eq!(stranger.get(&format!("/b/{id}{ending}")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(b.get(&format!("/b/{id}{ending}")).await.status, StatusCode::OK);
    }
    let set = b.form(&format!("/me/badges/{id}"), "visibility=link").await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text());
    let page = stranger.get(&format!("/b/{id}")).await.text();
    for words in [
        "Valid",
        "Ada Example",
        "self-stated",
        "Test issuer",
        "23 November 2026",
        "Pass mark 3 of 4",
        "Open book",
        "AI tools was not prevented",
        "drawn for this person alone",
        "What it does not prove",
    ] {
        assert!(page.contains(words), "{words} is missing");
    }
    assert!(!page.contains("4 of 4"), "the score is the holder's to show");
    b.form(&format!("/me/badges/{id}"), "visibility=link&show_score=yes").await;
    assert!(stranger.get(&format!("/b/{id}")).await.text().contains("4 of 4"));
    let request = stranger.request("GET", &format!("/b/{id}")).header(header::ACCEPT, "application/json").body(Body::empty()).unwrap();
    assert_eq!(stranger.send(request).await.json()["type"][1], "OpenBadgeCredential");
    let foreign = stranger.get(&format!("/me/badges/{id}")).await;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED);
    let mut eve = server.signed_in("eve@example.org").await;
    assert_eq!(eve.get(&format!("/me/badges/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(eve.form(&format!("/me/badges/{id}"), "visibility=only_me").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_carrier_verifies_and_one_altered_byte_is_named() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    for ending in ["json", "png", "svg"] {
        let file = b.get(&format!("/b/{id}.{ending}")).await.bytes;
        let page = upload(&mut b, &[(&format!("badge.{ending}"), &file)]).await;
        assert_eq!(verdict(&page), "Valid", "{ending}: {page}");
    }
    let json = b.get(&format!("/b/{id}.json")).await.text();
    let altered = json.replace("Ada Example", "Eve Example");
    assert_ne!(json, altered);
    let page = upload(&mut b, &[("good.json", json.as_bytes()), ("bad.json", altered.as_bytes()), ("noise.bin", b"\x00\x01")]).await;
    for word in ["Valid", "Not valid", "Not readable as a badge"] {
        assert!(page.contains(&format!("verdict-word\">{word}<")), "{word}: {page}");
    }
    let failed = page.split("class=\"failed\"").nth(1).unwrap();
    assert!(failed.contains("check-name\">signature<"), "{failed}");
    assert_eq!(verdict(&verify_link(&mut b, &format!("{BASE}/b/{id}")).await), "Valid");
    let elsewhere = verify_link(&mut b, "https://badges.example/b/1").await;
    assert!(elsewhere.contains("Fetch it and check"), "a link elsewhere is fetched on a press only");
}

/// A journal that knows more than the database, from when the test says so.
#[derive(Default)]
struct SetBack(std::sync::atomic::AtomicBool);

impl assay_web::Vitals for SetBack {
    fn worker(&self) -> Result<(), String> {
        Ok(())
    }
    fn clock(&self) -> Result<(), String> {
        Ok(())
    }
    fn journal(&self) -> Result<(), String> {
        if self.0.load(std::sync::atomic::Ordering::SeqCst) { Err("set back".to_owned()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_server_whose_database_was_set_back_calls_no_badge_valid_and_begins_and_closes_nothing() {
    let server = server().await;
    let set_back = std::sync::Arc::new(SetBack::default());
    server.app.watched_by(set_back.clone());
    let mut ada = server.signed_in("ada@example.org").await;
    let id = earn(&mut ada).await;
    let json = ada.get(&format!("/b/{id}.json")).await.bytes;
    let mut bob = server.signed_in("bob@example.org").await;
    let attempt = bob.begin("Bob").await;
    let mut cai = server.signed_in("cai@example.org").await;
    for held in [false, true, false] {
        set_back.0.store(held, std::sync::atomic::Ordering::SeqCst);
        let status = |well| if held { StatusCode::SERVICE_UNAVAILABLE } else { well };
        assert_eq!(ada.get("/status/1").await.status, status(StatusCode::OK));
        // What was kept from before is not shown either.
        assert_eq!(verdict(&upload(&mut ada, &[("badge.json", &json)]).await) == "Valid", !held);
        assert_eq!(ada.get(&format!("/b/{id}")).await.text().contains("not revoked, not expired"), !held);
        if held {
            let refused = bob.form(&format!("{attempt}/submit"), "confirm=yes").await;
            assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(refused.text().contains("Your answers are saved"), "{}", refused.text());
            let refused = cai.form("/programmes/sample/assessment", "name=Cai&honesty=yes").await;
            assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(refused.text().contains("No attempt can begin"), "{}", refused.text());
        }
    }
    assert_eq!(bob.form(&format!("{attempt}/submit"), "confirm=yes").await.location(), format!("{attempt}/result"));
    cai.begin("Cai").await;
}

#[tokio::test]
async fn own_data_is_exported_and_erased() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    b.form(&format!("/me/badges/{id}"), "visibility=link").await;
    let export = b.get("/me/data/export").await;
    let data = export.json();
    assert_eq!(data["person"]["address"], "ada@example.org");
    assert_eq!(data["answers"].as_array().unwrap().len(), 4);
    assert_eq!(data["attempts"][0]["outcome"]["right"], 4);
    assert_eq!(data["saves"].as_array().unwrap().len(), 4);
    assert!(data["badges"][0]["credential"]["proof"].is_array());
    assert!(!export.text().contains("RATIONALE"));
    assert_eq!(b.form("/me/data/erase", "confirm=erase").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(b.form("/me/data/erase", "confirm=ERASE").await.status, StatusCode::OK);
    let mut stranger = server.browser();
    let gone = stranger.get(&format!("/b/{id}")).await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert!(gone.text().contains("withdrew"));
    assert_eq!(stranger.get(&format!("/b/{id}.json")).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn without_scripts_a_conflict_is_shown_and_settled() {
    let server = server().await;
    let mut phone = server.signed_in("ada@example.org").await;
    let attempt = phone.begin("Ada").await;
    let (one, two) = (phone.token(&attempt, 1, "Option 1").await, phone.token(&attempt, 1, "Option 2").await);
    let mut laptop = server.browser();
    laptop.cookie.clone_from(&phone.cookie);
    let question = format!("{attempt}/questions/1");
    let first = phone.form(&question, &format!("choice={one}&revision=0&device=phone&counter=1&go=next")).await;
    assert_eq!(first.location(), format!("{attempt}/questions/2"));
    let clash = laptop.form(&question, &format!("choice={two}&revision=0&device=laptop&counter=1&go=next")).await;
    assert_eq!(clash.status, StatusCode::CONFLICT);
    let page = clash.text();
    assert!(page.contains("A newer answer exists") && page.contains("newer answer</span>"));
    let revision = page.split("name=\"revision\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let device = page.split("name=\"device\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let kept = laptop.form(&question, &format!("choice={two}&revision={revision}&device={device}&counter=1&keep=mine")).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER);
    let page = phone.get(&question).await.text();
    assert!(page.contains(&format!("value=\"{two}\" checked")));
    let cleared = phone.form(&question, "revision=2&device=z&counter=1&go=clear").await;
    assert_eq!(cleared.location(), question);
    assert!(!phone.get(&question).await.text().contains(" checked"));
}

#[tokio::test]
async fn a_page_gone_back_to_never_says_saved_over_another_answer() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.begin("Ada").await;
    let (one, two) = (b.token(&attempt, 1, "Option 1").await, b.token(&attempt, 1, "Option 2").await);
    let question = format!("{attempt}/questions/1");
    assert_eq!(b.form(&question, &format!("choice={one}&revision=0&device=page&counter=1&go=next")).await.status, StatusCode::SEE_OTHER);
    let again = b.form(&question, &format!("choice={one}&revision=0&device=page&counter=1&go=next")).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "pressed twice");
    let changed = b.form(&question, &format!("choice={two}&revision=0&device=page&counter=1&go=next")).await;
    assert_eq!(changed.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn sign_in_gives_nothing_away_and_links_work_once() {
    let server = server().await;
    let mut known = server.signed_in("ada@example.org").await;
    let mut stranger = server.browser();
    let a = stranger.form("/sign-in", "address=ada%40example.org").await;
    let b = stranger.form("/sign-in", "address=eve%40example.org").await;
    assert_eq!((a.status, a.text().replace("ada@", "eve@")), (b.status, b.text()));
    server.worker.drain().await;
    let mail = server.outbox.mails().remove(0).1;
    let path = mail.text.split_whitespace().find_map(|w| w.strip_prefix(BASE)).unwrap().to_owned();
    // A mail scanner opens the link twice; the person still gets in.
    for _ in 0..2 {
        assert_eq!(stranger.get(&path).await.status, StatusCode::OK);
    }
    assert_eq!(stranger.form(&path, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stranger.form(&path, "").await.status, StatusCode::GONE);
    assert_eq!(stranger.form("/sign-in", "address=nonsense").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    known.form("/sign-out", "").await;
    known.cookie = None;
    assert_eq!(known.get("/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_fourth_link_in_an_hour_is_refused_in_words() {
    let programme = programme(4, 3);
    let options = Options { limits: assay_web::Limits::strict(), ..Options::default() };
    let server = Server::with(&programme, items(&programme, 20, |_| 1), options).await;
    let mut b = server.browser();
    for _ in 0..3 {
        assert_eq!(b.form("/sign-in", "address=ada%40example.org").await.status, StatusCode::OK);
    }
    let refused = b.form("/sign-in", "address=ada%40example.org").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key(header::RETRY_AFTER) && refused.text().contains("Wait"));
    assert!(
        refused.text().contains("mailed to this address within the hour") && !refused.text().contains("from here"),
        "{}",
        refused.text()
    );
    let mut from_here = None;
    for n in 0..60 {
        let answer = b.form("/sign-in", &format!("address=person{n}%40example.org")).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            from_here = Some(answer.text());
            break;
        }
    }
    assert!(from_here.unwrap().contains("asked for from here"));
}

#[tokio::test]
async fn foreign_forms_are_refused_and_every_answer_carries_the_headers() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let unsafe_paths = [
        "/sign-in",
        "/sign-out",
        "/programmes/sample/assessment",
        "/programmes/sample/lessons/lesson-alpha",
        "/me/page",
        "/me/data/erase",
        "/verify",
    ];
    for path in unsafe_paths {
        let request = b.request("POST", path).header(header::ORIGIN, "https://evil.example").header("sec-fetch-site", "cross-site");
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("confirm=ERASE&name=x&honesty=yes"))
            .unwrap();
        let answer = b.send(request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text().contains("did not come from a page of this server"));
    }
    for path in ["/", "/nowhere", "/me", "/assets/assay-0.js", "/status/1", "/verify"] {
        let answer = b.get(path).await;
        let csp = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"));
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin");
        let text = answer.text();
        assert!(!text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick"), "{path} holds something inline");
    }
}

#[tokio::test]
async fn bad_requests_get_a_sentence_an_id_and_the_right_status() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.begin("Ada").await;
    let cases = [
        ("/nowhere".to_owned(), 404),
        ("/programmes/none".to_owned(), 404),
        ("/attempts/not-an-id/questions/1".to_owned(), 400),
        (format!("{attempt}/questions/0"), 404),
        (format!("{attempt}/questions/5"), 404),
        (format!("{attempt}/questions/70000"), 400),
        ("/b/short".to_owned(), 404),
        ("/status/2".to_owned(), 404),
    ];
    for (path, status) in cases {
        let answer = b.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.text().contains("Number for the log") && answer.text().contains("<h1>"), "{path}: {}", answer.text());
    }
    let json = b.json(&format!("{attempt}/questions/1/answer"), serde_json::json!({ "chosen": 5 })).await;
    assert!(json.status.is_client_error());
    assert!(json.json()["detail"].as_str().unwrap().len() > 10);
    let huge = b.form("/sign-in", &"x".repeat(200_000)).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    let foreign = server.signed_in("eve@example.org").await.get(&format!("{attempt}/questions/1")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_demonstrations_routes_exist_only_there() {
    let (server, demo) = (server().await, demo().await);
    for path in ["/demo", "/demo/outbox"] {
        assert_eq!(server.browser().get(path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(demo.browser().get(path).await.status, StatusCode::OK);
    }
    for path in ["/demo/clock", "/demo/as/fresh"] {
        assert_eq!(server.browser().form(path, "").await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(demo.browser().form("/demo/clock", "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(demo.now(), START.plus_seconds(86_400));
}

#[tokio::test]
async fn a_time_limit_closes_the_attempt_at_its_deadline() {
    let mut programme = programme(4, 3);
    programme.rules.time_limit_seconds = Some(600);
    let server = Server::new(&programme, items(&programme, 20, |_| 1)).await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.begin("Ada").await;
    for position in 1..=3 {
        let token = b.token(&attempt, position, "Option 1").await;
        b.save(&attempt, position, &token).await;
    }
    let last = b.token(&attempt, 4, "Option 1").await;
    server.clock.advance_seconds(600);
    assert_eq!(b.save(&attempt, 4, &last).await.status, StatusCode::GONE);
    let result = b.get(&format!("{attempt}/result")).await.text();
    assert!(result.contains("<b>3</b> of 4") && result.contains("Passed"));
}

#[tokio::test]
async fn who_may_sit_is_said_before_beginning() {
    let mut programme = programme(4, 3);
    programme.entry.who = assay_core::programme::EntryRule::Domains(vec!["example.org".into()]);
    let server = Server::new(&programme, items(&programme, 20, |_| 1)).await;
    let mut eve = server.signed_in("eve@elsewhere.org").await;
    assert!(eve.get("/programmes/sample/assessment").await.text().contains("open to addresses at example.org"));
    assert_eq!(eve.form("/programmes/sample/assessment", "name=Eve&honesty=yes").await.status, StatusCode::CONFLICT);
    let mut ada = server.signed_in("ada@example.org").await;
    assert_eq!(
        ada.form("/programmes/sample/assessment", "name=Ada").await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the honesty statement is asked for"
    );
    ada.begin("Ada").await;
}

/// Four questions that ask for two options each, of which 0 and 1 are right.
async fn choose_two() -> Server {
    let programme = programme(4, 3);
    let mut pool = items(&programme, 20, |_| 1);
    for item in &mut pool {
        item.question.choice = assay_items::Choice::Many(2);
        item.key = assay_items::Key::new([0, 1], vec![assay_items::Html::trusted("why"); 4]).unwrap();
    }
    Server::new(&programme, pool).await
}

#[tokio::test]
async fn fewer_or_more_options_than_asked_for_are_called_incomplete() {
    let server = choose_two().await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.begin("Ada").await;
    for (position, count) in [(1, 1), (2, 3), (3, 2)] {
        let mut form = "revision=0&device=page&counter=1&go=next".to_owned();
        for option in 0..count {
            form.push_str(&format!("&choice={}", b.token(&attempt, position, &format!("Option {option}")).await));
        }
        assert_eq!(b.form(&format!("{attempt}/questions/{position}"), &form).await.status, StatusCode::SEE_OTHER);
    }
    let review = b.get(&format!("{attempt}/review")).await.text();
    assert!(review.contains("1 of 4 answered, 2 incomplete. Nothing"), "{review}");
    let line = |n: u16| review.lines().find(|l| l.contains(&format!(">Question {n}<"))).unwrap();
    assert!(line(1).contains("Incomplete") && line(1).contains("1 chosen, 2 asked for"), "{}", line(1));
    assert!(line(2).contains("Incomplete") && line(2).contains("3 chosen, 2 asked for"), "{}", line(2));
    assert!(line(3).contains(">Answered<") && line(4).contains(">Not answered<"));
    let confirm = b.get(&format!("{attempt}/submit")).await.text();
    for words in ["1 question has no answer", "2 questions are incomplete", "Question 1</a>: 1 chosen, 2", "Question 2</a>: 3 chosen, 2"] {
        assert!(confirm.contains(words), "{words}: {confirm}");
    }
    assert_eq!(b.get(&attempt).await.location(), format!("{attempt}/questions/1"), "what is not whole comes first");
    b.form(&format!("{attempt}/submit"), "confirm=yes").await;
    assert!(b.get(&format!("{attempt}/result")).await.text().contains("<b>1</b> of 4"), "and counts as wrong");
}

#[tokio::test]
async fn the_flag_says_how_it_stands_and_the_lessons_are_a_tab_away() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.begin("Ada").await;
    let question = format!("{attempt}/questions/1");
    let page = b.get(&question).await.text();
    assert!(page.contains(">Flag for later<") && page.contains("href=\"/programmes/sample#plan\" target=\"_blank\""), "{page}");
    b.form(&question, "revision=0&device=page&counter=1&go=flag").await;
    let page = b.get(&question).await.text();
    assert!(page.contains(">Flagged: take the flag away<") && !page.contains("aria-pressed"), "{page}");
    b.form(&question, "revision=0&device=page&counter=1&go=unflag").await;
    assert!(b.get(&question).await.text().contains(">Flag for later<"));

    let mut closed_book = programme(4, 3);
    closed_book.rules.open_book = false;
    let server = Server::new(&closed_book, items(&closed_book, 20, |_| 1)).await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.begin("Ada").await;
    assert!(!b.get(&format!("{attempt}/questions/1")).await.text().contains("#plan"));
}

#[tokio::test]
async fn a_programme_that_is_gone_leaves_the_standard_behind_its_badges() {
    let mut gone = programme(4, 3);
    gone.id = "gone".into();
    gone.badge.title = "Badge of old".into();
    let programme = programme(4, 3);
    let options = Options { former: vec![gone], ..Options::default() };
    let server = Server::with(&programme, items(&programme, 20, |_| 1), options).await;
    let mut b = server.browser();
    let standard = b.get("/programmes/gone/standard").await;
    assert_eq!(standard.status, StatusCode::OK);
    let page = standard.text();
    assert!(page.contains("The standard behind Badge of old") && page.contains("No longer offered"), "{page}");
    assert!(!page.contains("href=\"/programmes/gone\"") && !page.contains("may sit"), "{page}");
    let style = page.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(b.get(&format!("/assets/{style}")).await.status, StatusCode::OK);
    let art = b.get("/programmes/gone/badge.svg").await;
    assert_eq!((art.status, art.headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "image/svg+xml"));
    let page = b.get("/programmes/gone").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text().contains("No longer offered") && page.text().contains("/programmes/gone/standard"), "{}", page.text());
    assert!(!b.get("/").await.text().contains("/programmes/gone"));
    assert!(!b.get("/programmes/sample/standard").await.text().contains("No longer offered"));
    for path in ["/programmes/none/standard", "/programmes/none/badge.svg"] {
        assert_eq!(b.get(path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn whatever_is_pasted_is_taken_for_what_it_is() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    assert_eq!(verdict(&verify_text(&mut b, &format!("  {BASE}/b/{id}\n")).await), "Valid");
    assert_eq!(verdict(&verify_text(&mut b, &id).await), "Valid");
    assert_eq!(verdict(&verify_link(&mut b, &id).await), "Valid");
    assert_eq!(verdict(&verify_text(&mut b, &id.to_uppercase()).await), "Valid");
    assert!(verify_text(&mut b, "00000000001111111111222222").await.contains("no badge at this address"));
    assert!(verify_text(&mut b, "https://badges.example/b/1").await.contains("Fetch it and check"));
    assert!(verify_text(&mut server.browser(), &id).await.contains("no badge at this address"), "an id opens no more than its link");
    let json = b.get(&format!("/b/{id}.json")).await.text();
    assert_eq!(verdict(&verify_text(&mut b, &json).await), "Valid");
    let page = verify_text(&mut b, "{}").await;
    assert!(!page.contains("more than one subject") && page.contains("says nothing about its subject"), "{page}");
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_refused_in_whole_sentences() {
    let server = server().await;
    let page = upload(&mut server.browser(), &[("a.png", &vec![b'x'; 25 * 1024 * 1024])]).await;
    assert!(page.contains("The upload is larger than 24 MB. Send fewer or smaller files."), "{page}");
}

#[tokio::test]
async fn knowledge_checks_are_whole_html() {
    use assay_core::programme::{CheckOption, KnowledgeCheck};
    use assay_items::Html;
    let mut programme = programme(4, 3);
    let option = |text: &str| CheckOption { text: Html::trusted(text), right: true, rationale: Html::trusted("<p>Why.</p>") };
    let check = KnowledgeCheck {
        stem: Html::trusted("<p>What does this do?</p><pre><code>x</code></pre>"),
        options: vec![option("It <em>runs</em>."), option("<p>It</p><pre><code>y</code></pre>")],
    };
    programme.courses[0].lessons[0].checks = vec![check];
    let server = Server::new(&programme, items(&programme, 20, |_| 1)).await;
    let page = server.browser().get("/programmes/sample/lessons/lesson-alpha").await.text();
    assert!(page.contains("<h3>Question 1</h3>") && page.contains("What does this do?"), "{page}");
    assert!(page.contains("<summary>It <em>runs</em>.</summary>") && page.contains("<pre><code>y"), "{page}");
    for (tag, end) in [("<h3>", "</h3>"), ("<summary>", "</summary>")] {
        for inside in page.split(tag).skip(1).map(|rest| rest.split(end).next().unwrap()) {
            assert!(!inside.contains("<p") && !inside.contains("<pre") && !inside.contains("<div"), "{tag} holds {inside}");
        }
    }
}
