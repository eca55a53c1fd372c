//! `millrace run`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use millrace::config::StreamsConfig;
use millrace::kafka::log::SharedLog;
use millrace::kafka::real::KafkaLog;
use millrace::{Instance, InstanceOptions};

use super::load::load;
use super::{Failure, OverrideArgs};
use crate::checked::Checked;
use crate::{bind, signals, volume};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The manifest; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Stop once the input, as it stands at the start, and what it caused is processed and committed
    #[arg(long)]
    until_caught_up: bool,
    /// Reach Kafka here (spec.kafka.bootstrapServers)
    #[arg(long, value_name = "ADDRESSES")]
    bootstrap_servers: Option<String>,
    #[command(flatten)]
    overrides: OverrideArgs,
}

/// How often it is looked whether the end has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs until it is stopped, caught up or failed.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let stop = signals::install();
    let mut overrides = args.overrides.overrides();
    overrides.bootstrap_servers.clone_from(&args.bootstrap_servers);
    let Checked {
        app, program, config, ..
    } = load(&args.file, &overrides)?;
    let (id, servers, state_dir) = (
        config.application_id.clone(),
        config.bootstrap_servers.join(","),
        config.state_dir.clone(),
    );
    let (guarantee, threads) = (
        if config.exactly_once() {
            "exactly_once_v2"
        } else {
            "at_least_once"
        },
        config.num_stream_threads,
    );
    tracing::info!(
        application = id,
        bootstrap = servers,
        guarantee,
        threads,
        state = %state_dir.display(),
        "millrace {}: {}",
        env!("CARGO_PKG_VERSION"),
        app.metadata.name.as_deref().unwrap_or(&id),
    );
    let options = InstanceOptions {
        until_caught_up: args.until_caught_up,
        ..InstanceOptions::new(volume::open(&config)?)
    };
    let log = kafka(&config)?;
    let instance = Instance::new(bind::application(program), config, log, options)?;
    let running = instance.spawn();
    tracing::info!(target: "millrace::event", event = "started", ms = started.elapsed().as_millis() as u64, "started {id} in {:.3} s", started.elapsed().as_secs_f64());
    let mut asked = false;
    while !running.is_finished() {
        if stop.is_set() && !asked {
            tracing::info!(target: "millrace::event", event = "stopping", "stopping: committing and closing; a second signal ends it at once");
            running.stop();
            asked = true;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    running.wait()?;
    tracing::info!(target: "millrace::event", event = "stopped", "stopped {id} cleanly");
    Ok(())
}

/// The cluster. Every connection to it, our own wire client's and librdkafka's, gets the same Java-named client properties.
pub(super) fn kafka(config: &StreamsConfig) -> Result<SharedLog, Failure> {
    let servers = config.bootstrap_servers.join(",");
    let log = KafkaLog::new(&servers, &config.connection_config()).map_err(millrace::Error::from)?;
    Ok(Arc::new(log))
}
