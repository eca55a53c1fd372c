//! Runs a command beside a broker of its own: `with-broker COMMAND...`, or with no command until Ctrl-C.
//!
//! The command finds the broker's address in `MILLRACE_TEST_BOOTSTRAP`. The broker and its data go when the command has ended.

use std::process::{Command, ExitCode};

use millrace_e2e::Broker;

fn main() -> ExitCode {
    let command: Vec<_> = std::env::args_os().skip(1).collect();
    let broker = Broker::start("1g");
    let Some((program, args)) = command.split_first() else {
        println!(
            "Kafka 4.3.1 on {}; Ctrl-C ends it and removes its data",
            broker.bootstrap()
        );
        loop {
            std::thread::park();
        }
    };
    match Command::new(program)
        .args(args)
        .env("MILLRACE_TEST_BOOTSTRAP", broker.bootstrap())
        .status()
    {
        Ok(status) => ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)),
        Err(e) => {
            eprintln!("{}: {e}", program.display());
            ExitCode::from(127)
        }
    }
}
