# `just` lists these. Each is one line that you can type yourself.

default:
    @just --list --unsorted

# build and start bedplate with nothing configured: embedded ledger, built-in simulator
up *ARGS:
    cargo run --release -- up {{ARGS}}

# install what the tests need and run every test; or some parts: just test fmt clippy
test *PARTS:
    scripts/test {{PARTS}}

# what a compiler and the house rules say, without running anything
check:
    scripts/test fmt deny tidy clippy

# format every crate
fmt:
    cargo fmt --all

# performance, measured: not part of the tests
bench *ARGS:
    scripts/bench {{ARGS}}

# run budgets through random schedules
simulate *ARGS:
    scripts/simulate {{ARGS}}

# fuzz every decoder for a short while
fuzz *ARGS:
    scripts/fuzz {{ARGS}}
