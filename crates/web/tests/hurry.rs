//! Bodies that do not come, and what is answered then.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::convert::Infallible;

use assay_fixtures::{items, programme};
use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
};
use common::{BASE, Server};
use tokio::time::{Duration, Instant};

/// A body that begins well, then brings a byte now and then, and never ends.
fn dripping(start: &'static str) -> Body {
    let drops = futures_util::stream::unfold(start, |next| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(next.as_bytes())), "x"))
    });
    Body::from_stream(drops)
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let sample = programme(4, 3);
    let server = Server::new(&sample, items(&sample, 8, |_| 1)).await;
    let mut browser = server.browser();
    // From here on time passes only in leaps, from one drop to the next.
    tokio::time::pause();
    let form = ("/sign-in", "application/x-www-form-urlencoded", "address=", 30);
    let upload = ("/verify", "multipart/form-data; boundary=b", "--b\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\n", 300);
    for (path, kind, start, seconds) in [form, upload] {
        let request = browser.request("POST", path).header(header::ORIGIN, BASE).header(header::CONTENT_TYPE, kind);
        let began = Instant::now();
        let answer = browser.send(request.body(dripping(start)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{path}: {}", answer.text());
        assert!(answer.text().contains("did not arrive in time"), "{}", answer.text());
        assert_eq!(began.elapsed().as_secs(), seconds, "{path}");
    }
}
