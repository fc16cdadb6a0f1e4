//! Five days without a mail server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use assay_torture::mail::five_days;

#[tokio::test]
async fn ten_thousand_mails_of_five_days_go_out_once_each_and_in_order() {
    let drained = five_days(10_000, 3).await;
    println!("{drained:?}");
    assert!(drained.refused >= 30_000, "the server was not down for long");
    assert_eq!((drained.went_out, drained.different, drained.left), (10_000, 10_000, 0));
    assert_eq!(drained.out_of_order, 0);
}
