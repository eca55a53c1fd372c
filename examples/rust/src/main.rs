//! Sums what each user spends in windows of five minutes: an application on the `millrace` library, to be copied.
//!
//! ```text
//! cargo run -p transaction-aggregator -- describe
//! cargo run -p transaction-aggregator -- run bootstrap.servers=localhost:9092 commit.interval.ms=1000
//! KAFKA_STREAMS_BOOTSTRAP_SERVERS=kafka:9092 transaction-aggregator run
//! ```
//!
//! `topology.rs` is the application, `settings.rs` its configuration; this file starts and stops it.

mod settings;
mod topology;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Parser, Subcommand};
use millrace::config::StreamsConfig;
use millrace::kafka::real::KafkaLog;
use millrace::state::{Environment, EnvironmentConfig};
use millrace::{Application, Instance, InstanceOptions};

/// Sums what each user spends in windows of five minutes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the topology, as Java's `Topology.describe()` does.
    Describe,
    /// Runs until it gets SIGTERM or SIGINT.
    Run {
        /// Kafka Streams' properties, as `name=value`; they win over the environment.
        properties: Vec<String>,
    },
}

fn main() -> ExitCode {
    // The level comes from RUST_LOG, e.g. RUST_LOG=info,millrace=debug.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match execute(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            // The library's errors say what an operator has to look at: 3 configuration, 4 Kafka, 5 topics, 7 state, and so on.
            let coded = error.downcast_ref::<millrace::Error>();
            ExitCode::from(coded.map_or(3, |error| error.code().exit_code() as u8))
        }
    }
}

fn execute(command: Command) -> Result<(), Box<dyn Error>> {
    let application = topology::build()?;
    match command {
        Command::Describe => print!("{}", application.plan().describe()),
        Command::Run { properties } => run(application, &settings::read(std::env::vars(), &properties)?)?,
    }
    Ok(())
}

/// Runs the application in threads of its own: one for the group, and `num.stream.threads` workers.
fn run(application: Application, config: &StreamsConfig) -> Result<(), millrace::Error> {
    // State is kept in RocksDB under `state.dir`; all its databases share one cache and one budget of memory.
    let environment = Environment::new(EnvironmentConfig::within(config.state_memory_max_bytes));
    let volume = environment.map_err(|error| millrace::Error::new(millrace::Code::S003, error.to_string()))?;
    let log = KafkaLog::new(&config.bootstrap_servers.join(","), &config.connection_config())?;

    let options = InstanceOptions::new(Arc::new(volume));
    let running = Instance::new(application, config.clone(), Arc::new(log), options)?.spawn();

    // The first signal commits, closes the state and leaves the group; a second one ends the process at once.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        if let Err(error) = registered {
            eprintln!("signal {signal} cannot be listened to: {error}");
        }
    }
    while !running.is_finished() && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
    }
    running.stop();
    running.wait()
}
