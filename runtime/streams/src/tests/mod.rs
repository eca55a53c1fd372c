//! The engine on the in-process log: whole instances, stepped by hand.

mod bench;
mod disk;
mod dsl;
mod dsl_errors;
mod harness;
mod renewal;
mod reset;
mod retention;
mod seed;
