//! What the compiler says: one case for each rejection and each type error.
//!
//! Renew the `.stderr` files with `TRYBUILD=overwrite cargo test -p trine-tests --test ui`.

#[test]
fn every_rejection_says_what_is_wrong_and_what_to_do() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/pass/*.rs");
    cases.compile_fail("tests/ui/*.rs");
}
