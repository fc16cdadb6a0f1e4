//! What is signed, once and by the right key, signed anew, and taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod common;

use assay_fixtures::START;
use axum::http::StatusCode;
use common::{BASE, earn, server, upload, verdict};

#[tokio::test]
async fn issuing_ten_times_makes_one_credential_with_the_same_bytes() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    let first = b.get(&format!("/b/{id}.json")).await.bytes;
    let mails = server.outbox.mails().len();
    let learner = server
        .store
        .read(assay_store::queries::BadgeById { issuer: server.world.issuer, badge_id: assay_core::ids::Secret128::parse(&id).unwrap() })
        .await
        .unwrap()
        .unwrap();
    for round in 0..10 {
        let mut job = server.world.job("issue", format!("again/{round}"));
        job.payload = serde_json::json!({ "award": learner.award, "person": learner.person }).to_string();
        server.store.run(assay_store::commands::Enqueue { issuer: server.world.issuer, job }).await.unwrap();
        server.worker.drain().await;
    }
    assert_eq!(b.get(&format!("/b/{id}.json")).await.bytes, first);
    assert_eq!(server.outbox.mails().len(), mails);
    let journal = std::fs::read_to_string(&server.journal).unwrap();
    assert_eq!(journal.lines().filter(|l| l.contains("\"signed\"")).count(), 1);
    assert!(!journal.contains("ada@") && !journal.contains("Ada Example"), "the journal holds pseudonyms only");
}

#[tokio::test]
async fn a_badge_whose_key_was_changed_before_it_was_signed_is_signed_by_the_new_one() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let attempt = b.hand_in(4).await;
    let learner = server.world.person("ada@example.org").await;
    let award = server.store.read(assay_store::queries::BadgesOf { learner }).await.unwrap().remove(0).award;
    let old = assay_store::commands::Intent {
        status_list: 1,
        status_index: 7,
        unsigned: "{}".into(),
        verification_method: "did:web:assay.test#key-of-yesterday".into(),
        intended_at: START,
    };
    let (issuer, person) = (learner.issuer, learner.person);
    let record = assay_store::commands::RecordIntent { issuer, person, award, kind: "ob3", revision: 1, intent: old };
    server.store.run(record).await.unwrap();
    server.worker.drain().await;
    let page = b.get(&format!("{attempt}/result")).await.text();
    let id = page.split("/me/badges/").nth(1).expect(&page)[..26].to_owned();
    b.form(&format!("/me/badges/{id}"), "visibility=link").await;
    let document = b.get(&format!("/b/{id}.json")).await.bytes;
    assert_eq!(verdict(&upload(&mut b, &[("badge.json", &document)]).await), "Valid");
    let journal = std::fs::read_to_string(&server.journal).unwrap();
    let signed: Vec<&str> = journal.lines().filter(|line| line.contains("\"signed\"")).collect();
    assert!(signed.len() == 1 && signed[0].contains("\"revision\":2"), "{journal}");
    let mails: Vec<String> = server.outbox.mails().into_iter().map(|(_, mail)| mail.text).collect();
    assert!(
        mails.iter().any(|text| text.contains("signed and ready")) && !mails.iter().any(|text| text.contains("corrected name")),
        "{mails:?}"
    );
}

#[tokio::test]
async fn a_corrected_name_is_signed_anew_and_the_old_copy_is_revoked() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    let old = b.get(&format!("/b/{id}.json")).await.bytes;
    server.clock.advance_seconds(120);
    b.form(&format!("/me/badges/{id}"), "visibility=link&show_score=yes").await;
    let same = b.form(&format!("/me/badges/{id}/name"), "name=Ada+Example").await;
    assert_eq!(same.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = b.get(&format!("/me/badges/{id}")).await.text();
    assert!(page.contains("every copy of the old one becomes invalid"), "said before it is pressed");
    let corrected = b.form(&format!("/me/badges/{id}/name"), "name=Ada+B.+Example").await;
    assert_eq!(corrected.status, StatusCode::SEE_OTHER);
    server.worker.drain().await;
    let page = b.get(&corrected.location()).await.text();
    assert!(page.contains("The name is corrected") && page.contains("value=\"link\" checked"), "who may see it stays: {page}");
    assert!(page.contains("name=\"show_score\" id=\"show_score\" value=\"yes\" checked") && !page.contains("/name\""));
    let new = b.get(&format!("/b/{id}.json")).await.bytes;
    assert!(String::from_utf8_lossy(&new).contains("Ada B. Example"));
    let page = upload(&mut b, &[("new.json", &new)]).await;
    assert_eq!(verdict(&page), "Valid", "{page}");
    let page = upload(&mut b, &[("old.json", &old)]).await;
    assert_eq!(verdict(&page), "Not valid");
    assert!(page.split("class=\"failed\"").nth(1).unwrap().contains("check-name\">status<"));
    let third = b.form(&format!("/me/badges/{id}/name"), "name=Somebody+Else").await;
    assert_eq!(third.status, StatusCode::UNPROCESSABLE_ENTITY);
    let name_there = b.form(&format!("/me/badges/{id}"), "name=Somebody+Else&visibility=link").await;
    assert_eq!(name_there.status, StatusCode::SEE_OTHER);
    assert!(b.get(&format!("/b/{id}")).await.text().contains("Ada B. Example"), "the form of who may see it changes no name");
}

#[tokio::test]
async fn a_revoked_badge_says_so_on_its_page_and_to_the_verifier() {
    let server = server().await;
    let mut b = server.signed_in("ada@example.org").await;
    let id = earn(&mut b).await;
    let json = b.get(&format!("/b/{id}.json")).await.bytes;
    let revoke = assay_store::commands::Revoke {
        issuer: server.world.issuer,
        badge_id: assay_core::ids::Secret128::parse(&id).unwrap(),
        reason: "The name was <another's>".into(),
        job: assay_core::ids::JobId::random(&server.world.chance),
        line: assay_core::ids::JobId::random(&server.world.chance),
        act: server.world.act(START),
    };
    let mails = server.outbox.mails().len();
    assert_eq!(server.store.run(revoke.clone()).await.unwrap(), Some(true));
    for _ in 0..3 {
        let mut again = revoke.clone();
        again.act = server.world.act(START);
        again.job = assay_core::ids::JobId::random(&server.world.chance);
        assert_eq!(server.store.run(again).await.unwrap(), Some(false));
        let mut job = server.world.job("revoked-mail", format!("again/{}", START.0));
        let payload = server.store.read(assay_store::queries::BadgeById { issuer: revoke.issuer, badge_id: revoke.badge_id.clone() }).await;
        job.payload = serde_json::json!({ "badge": id, "person": payload.unwrap().unwrap().person }).to_string();
        server.store.run(assay_store::commands::Enqueue { issuer: server.world.issuer, job }).await.unwrap();
        server.worker.drain().await;
    }
    let told: Vec<_> = server.outbox.mails().into_iter().map(|(_, mail)| mail).collect();
    assert_eq!(told.len(), mails + 1, "one mail, however often it is revoked and the job runs");
    assert_eq!(told[0].to, "ada@example.org");
    for words in ["taken back", "The name was <another's>", "help@assay.test", &format!("{BASE}/me/badges/{id}"), "23 November 2026"] {
        assert!(format!("{} {}", told[0].subject, told[0].text).contains(words), "{words}: {:?}", told[0]);
    }
    let own = b.get(&format!("/me/badges/{id}")).await.text();
    let reason = "The name was &#60;another&#39;s&#62;";
    assert!(own.contains("took this badge back on 23 November 2026") && own.contains(reason) && own.contains("help@assay.test"), "{own}");
    assert!(!own.contains("Correct the name"));
    b.form(&format!("/me/badges/{id}"), "visibility=link").await;
    let public = server.browser().get(&format!("/b/{id}")).await;
    assert_eq!(public.status, StatusCode::OK);
    assert!(!public.text().contains("The name was"), "why is nobody else's business");
    assert_eq!(b.get("/me/data/export").await.json()["badges"][0]["revoked_reason"], "The name was <another's>");
    // A job that was queued under schema 0001 does not say whose award it is.
    let award = server.store.read(assay_store::queries::BadgeById { issuer: revoke.issuer, badge_id: revoke.badge_id.clone() }).await;
    let award = award.unwrap().unwrap().award;
    let journaled = || std::fs::read_to_string(&server.journal).unwrap().matches("\"revoked\"").count();
    let before = journaled();
    let mut job = server.world.job("journal-revoked", "as in schema 0001");
    job.payload = serde_json::json!({ "award": award }).to_string();
    server.store.run(assay_store::commands::Enqueue { issuer: server.world.issuer, job }).await.unwrap();
    server.worker.drain().await;
    assert_eq!(journaled(), before + 1);
    let journal = std::fs::read_to_string(&server.journal).unwrap();
    assert!(!journal.contains("another") && !journal.contains("ada@"));
    let page = b.get(&format!("/b/{id}")).await.text();
    assert!(page.contains("Revoked") && !page.contains("<b>Valid</b>"));
    let page = upload(&mut b, &[("badge.json", &json)]).await;
    assert_eq!(verdict(&page), "Not valid");
}
