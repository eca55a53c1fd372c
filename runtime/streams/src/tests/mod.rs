//! The engine on the in-process log: whole instances, stepped by hand.

mod bench;
mod harness;
mod seed;
