# just: the commands one types most. `just` lists them.

_:
    @just --list

# Everything CI does, on what is here
ci:
    .ci/run

# The whole suite, or the modules named
test *filters:
    cargo test -- {{filters}}

# Only what changed: formatting, lints, unit tests
quick:
    cargo fmt
    cargo clippy --all-targets -- -D warnings
    cargo test --lib

# A first page, with no account
try:
    cargo run --release --quiet -- run --local ./sites examples/harvest.json

# The answer reader under a million cases
fuzz cases="1000000":
    PROPTEST_CASES={{cases}} cargo test --lib fuzz

# Licences, advisories, duplicates (needs cargo-deny)
deny:
    cargo deny --config .deny.toml check
