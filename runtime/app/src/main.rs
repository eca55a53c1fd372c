//! The `millrace` binary: from a manifest to a running application.

mod bind;
mod checked;
mod cli;
mod failure;
mod feed;
mod log;
mod manifest;
mod settings;
mod signals;
mod view;
mod volume;

fn main() {
    std::process::exit(cli::main());
}
