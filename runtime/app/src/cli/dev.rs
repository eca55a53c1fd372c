//! `millrace dev`: the application of a manifest on a log in this process, fed by a declared generator, with a live view.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use millrace::kafka::inproc::{Cluster, ClusterOptions};
use millrace::{Instance, InstanceOptions};
use millrace_topology::{NodeKind, Plan, TopicName};
use uuid::Uuid;

use super::load::load;
use super::{Failure, OverrideArgs};
use crate::checked::Checked;
use crate::feed::{Feed, Feeding, Progress, parse_duration};
use crate::view::{self, Observer, Screen};
use crate::{bind, manifest, signals, volume};

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The manifest; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// What is written into the input topics; without it they stay empty
    #[arg(long, value_name = "FEED")]
    feed: Option<String>,
    /// Stop after so long, as 10s or 2m; without it at Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Records a second, or max for as many as are processed [default: the feed's]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<Rate>,
    /// Decides the feed's records [default: the feed's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How the view is written to standard output
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    overrides: OverrideArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A picture that is drawn over: the default on a terminal
    Live,
    /// A line a second: the default elsewhere
    Text,
    /// A JSON object a second
    Json,
}

#[derive(Clone, Copy, Debug)]
enum Rate {
    Max,
    PerSecond(f64),
}

fn rate(text: &str) -> Result<Rate, String> {
    match text.replace(['_', ','], "").as_str() {
        "max" => Ok(Rate::Max),
        number => number
            .parse()
            .ok()
            .filter(|rate| *rate > 0.0)
            .map(Rate::PerSecond)
            .ok_or_else(|| "give a number above 0, or max".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = parse_duration(text).and_then(|ms| u64::try_from(ms).ok());
    ms.map(Duration::from_millis)
        .ok_or_else(|| "give it as 500ms, 10s, 2m or 1h".to_owned())
}

/// Partitions of topics that no feed declares.
const PARTITIONS: i32 = 4;
/// What a partition keeps at most: a demo may run for hours.
const RETENTION: usize = 64 << 20;
/// How often the live view is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Keys that are shown.
const TOP: usize = 10;

/// Runs until the time is over or Ctrl-C.
pub fn dev(args: &DevArgs) -> Result<(), Failure> {
    let stop = signals::install();
    let mut feed = args.feed.as_deref().map(read_feed).transpose()?;
    if let (Some(feed), Some(seed)) = (&mut feed, args.seed) {
        feed.seed = seed;
    }
    let scratch = Scratch::new();
    let mut overrides = args.overrides.overrides();
    // The state of this run alone, unless the user wants to see it.
    overrides
        .state_dir
        .get_or_insert_with(|| scratch.0.display().to_string());
    let Checked {
        app, program, config, ..
    } = load(&args.file, &overrides)?;
    let name = app.metadata.name.unwrap_or_else(|| config.application_id.clone());
    let dead_letters = config.dead_letter_topic();
    let cluster = Cluster::new(ClusterOptions {
        retention_bytes_per_partition: Some(RETENTION),
        ..ClusterOptions::default()
    });
    create_topics(&cluster, &program.plan, feed.as_ref(), &dead_letters).map_err(millrace::Error::from)?;
    let (log, epoch, plan) = (cluster.client("app").shared_log(), Instant::now(), program.plan.clone());
    let options = InstanceOptions {
        transient: Some(Uuid::new_v4()),
        ..InstanceOptions::new(volume::open(&config)?)
    };
    let instance = Instance::new(bind::application(program), config, log, options)?;
    let metrics = instance.metrics();
    let view_log = cluster.client("view").shared_log();
    let mut observer =
        Observer::new(&plan, &dead_letters, &view_log, metrics.clone(), epoch).map_err(millrace::Error::from)?;
    let running = instance.spawn();
    let progress = Arc::new(Progress::default());
    let rate = match args.rate {
        Some(Rate::Max) => None,
        Some(Rate::PerSecond(rate)) => Some(rate),
        None => feed.as_ref().map(|feed| feed.rate),
    };
    let feed_log = cluster.client("feed").shared_log();
    let feeding = feed.map(|feed| Feeding::start(feed, rate, feed_log, Arc::clone(&progress), epoch));
    let feeding = feeding
        .transpose()
        .map_err(|error| Failure::coded(millrace::Code::X001, format!("no thread could be started: {error}")))?;
    let live = std::io::stdout().is_terminal();
    let format = args.format.unwrap_or(if live { Format::Live } else { Format::Text });
    let mut screen = (format == Format::Live).then(Screen::new).transpose().ok().flatten();
    let every = if screen.is_some() {
        DRAW_EVERY
    } else {
        Duration::from_secs(1)
    };
    let mut next_draw = Instant::now() + every;
    while !stop.is_set() && !running.is_finished() && args.time.is_none_or(|time| epoch.elapsed() < time) {
        observer
            .read(Duration::from_millis(20))
            .map_err(millrace::Error::from)?;
        progress
            .processed
            .store(metrics.total(|worker| worker.processed.get()), Ordering::Relaxed);
        if Instant::now() >= next_draw {
            next_draw += every;
            let now = observer.snapshot(TOP);
            match (&mut screen, format) {
                (Some(screen), _) => drop(screen.draw(&name, &now)),
                (None, Format::Json) => say(&view::json(&now, "progress")),
                (None, _) => say(&view::line(&now)),
            }
        }
    }
    let fed = feeding.map_or(Ok(()), Feeding::stop);
    running.stop();
    running.wait()?;
    fed.map_err(millrace::Error::from)?;
    // What the last commit made readable.
    while observer.read(Duration::ZERO).map_err(millrace::Error::from)? {}
    let now = observer.snapshot(TOP);
    if let Some(screen) = &mut screen {
        drop(screen.draw(&name, &now));
    }
    drop(screen);
    if format == Format::Json {
        say(&view::json(&now, "summary"))
    } else {
        say(&view::summary(&name, &now))
    }
    Ok(())
}

/// A line on standard output; whoever reads it may have gone.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn read_feed(file: &str) -> Result<Feed, Failure> {
    let text = manifest::read_file(file).map_err(Failure::Manifest)?;
    Feed::parse(file, &text).map_err(Failure::Manifest)
}

fn create_topics(
    cluster: &Cluster,
    plan: &Plan,
    feed: Option<&Feed>,
    dead_letters: &str,
) -> millrace::kafka::Result<()> {
    let create = |name: &str, partitions: i32| {
        if cluster.topic_names().iter().any(|known| known == name) {
            Ok(())
        } else {
            cluster.create_topic(name, partitions)
        }
    };
    for topic in feed.into_iter().flat_map(|feed| &feed.topics) {
        create(&topic.name, topic.partitions)?;
    }
    for node in &plan.nodes {
        let topics: &[TopicName] = match &node.kind {
            NodeKind::Source(source) => &source.topics,
            NodeKind::Sink(sink) => std::slice::from_ref(&sink.topic),
            NodeKind::Processor(_) => &[],
        };
        for topic in topics {
            if let TopicName::User(name) = topic {
                create(name, PARTITIONS)?;
            }
        }
    }
    create(dead_letters, 1)
}

/// A directory of this run, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("millrace-dev-{}", Uuid::new_v4())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
