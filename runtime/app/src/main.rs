//! The `millrace` binary.
#![allow(dead_code)]

mod manifest;

fn main() {}
