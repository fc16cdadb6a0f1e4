//! Keys have no way into JSON: code that tries does not compile.

#[test]
fn keys_cannot_be_serialized_or_opened() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
