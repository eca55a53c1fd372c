//! One real Kafka broker (KRaft, broker and controller in one process) on free ports of 127.0.0.1.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use crate::process::{Exit, Process};
use crate::{janitor, paths};

/// A broker of 4.3.1 with its data under the temporary directory; process and data go when the test process goes.
pub struct Broker {
    dir: tempfile::TempDir,
    id: i32,
    bootstrap: String,
    /// Of the further listeners, in their order.
    further_ports: Vec<u16>,
    jvm: Vec<String>,
    process: Mutex<Option<Process>>,
}

/// What a broker has beyond the plain one.
#[derive(Default)]
pub struct Additions<'a> {
    /// Further listeners: name, and what `listener.security.protocol.map` says of it.
    pub listeners: &'a [(&'a str, &'a str)],
    /// Lines of `server.properties`.
    pub properties: String,
    /// Arguments of the formatting, such as `--add-scram`.
    pub format: Vec<String>,
    /// Of the JVM.
    pub jvm: Vec<String>,
}

impl Broker {
    /// The broker that all tests of this executable share. Tests that stop or kill one [`start`](Broker::start) their own.
    pub fn shared() -> &'static Broker {
        static SHARED: LazyLock<Broker> = LazyLock::new(|| Broker::start("1g"));
        &SHARED
    }

    /// Formats a data directory, starts a broker on it and waits until it serves (about 4 s). `heap` as the JVM writes it: `512m`.
    pub fn start(heap: &str) -> Broker {
        Broker::start_with(heap, Additions::default())
    }

    /// As [`start`](Broker::start), with more listeners and properties.
    pub fn start_with(heap: &str, additions: Additions<'_>) -> Broker {
        // Both held until both are known, so that they differ.
        let (broker, controller) = (free_port(), free_port());
        let further: Vec<TcpListener> = additions.listeners.iter().map(|_| free_port()).collect();
        let port = port_of(&broker);
        let further_ports: Vec<u16> = further.iter().map(port_of).collect();
        let controller_port = port_of(&controller);
        drop((broker, controller, further));
        let (broker, format) = Broker::prepare(1, format!("127.0.0.1:{port}"), heap, &additions, |dir| {
            properties(dir, port, controller_port, &additions, &further_ports)
        });
        let broker = Broker {
            further_ports,
            ..broker
        };
        formatted(format);
        broker.restart();
        broker
    }

    /// So many brokers of one cluster, each a controller too; every topic has a replica on each of them, and with three it survives the loss of
    /// one. Groups and transactions have one coordinator each: the leader of partition 0 of `__consumer_offsets`, and that of
    /// `__transaction_state`.
    pub fn cluster(brokers: usize, heap: &str) -> Vec<Broker> {
        // All held until all are known, so that they differ.
        let held: Vec<_> = (0..brokers).map(|_| (free_port(), free_port())).collect();
        let ports: Vec<_> = held
            .iter()
            .map(|(broker, other)| (port_of(broker), port_of(other)))
            .collect();
        drop(held);
        let addresses: Vec<_> = ports.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect();
        let voters: Vec<_> = (1..)
            .zip(&ports)
            .map(|(id, (_, port))| format!("{id}@127.0.0.1:{port}"))
            .collect();
        let (bootstrap, voters) = (addresses.join(","), voters.join(","));
        let prepared: Vec<_> = (1..)
            .zip(&ports)
            .map(|(id, (port, controller))| {
                let additions = Additions {
                    properties: cluster_properties(id, &voters, brokers),
                    ..Additions::default()
                };
                Broker::prepare(id, bootstrap.clone(), heap, &additions, |dir| {
                    properties(dir, *port, *controller, &additions, &[])
                })
            })
            .collect();
        // A broker serves when most of the controllers run: so all are started before one is waited for.
        let launched: Vec<_> = prepared
            .into_iter()
            .map(|(broker, format)| {
                formatted(format);
                let process = broker.launch();
                (broker, process)
            })
            .collect();
        let serving = launched.into_iter().map(|(broker, process)| {
            broker.serve(process);
            broker
        });
        serving.collect()
    }

    /// Writes the configuration and begins to format.
    fn prepare(
        id: i32,
        bootstrap: String,
        heap: &str,
        additions: &Additions<'_>,
        properties: impl FnOnce(&Path) -> String,
    ) -> (Broker, Process) {
        let dir = tempfile::Builder::new()
            .prefix("millrace-broker-")
            .tempdir()
            .expect("a temporary directory");
        janitor::watch_directory(dir.path());
        std::fs::write(dir.path().join("server.properties"), properties(dir.path())).expect("write the configuration");
        std::fs::write(dir.path().join("heap"), heap).expect("write the heap size");
        let broker = Broker {
            dir,
            id,
            bootstrap,
            further_ports: Vec::new(),
            jvm: additions.jvm.clone(),
            process: Mutex::new(None),
        };
        let mut format = java("64m");
        format
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                "bWlsbHJhY2UtZTJlLTAwMQ",
                "--config",
            ])
            .arg(broker.config())
            .args(&additions.format);
        (broker, Process::start("kafka storage format", &mut format))
    }

    /// Its `node.id`, as metadata names it.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// `127.0.0.1:port`, as `bootstrap.servers` takes it; of a cluster, those of all its brokers. The same over restarts.
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// The address of a further listener, by its index.
    pub fn listener(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.further_ports[index])
    }

    /// Starts it again on its data and waits until it serves.
    pub fn restart(&self) {
        assert!(self.process().is_none(), "the broker is running");
        self.serve(self.launch());
    }

    fn launch(&self) -> Process {
        let heap = std::fs::read_to_string(self.dir.path().join("heap")).expect("written at the start");
        let mut command = java(&heap);
        command
            .args(&self.jvm)
            .args([
                "-XX:+UseSerialGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
                "kafka.Kafka",
            ])
            .arg(self.config());
        command.current_dir(self.dir.path());
        Process::start(format!("broker {} of {}", self.id, self.bootstrap), &mut command)
    }

    fn serve(&self, mut launched: Process) {
        launched.wait_for_line("broker ready", Duration::from_secs(60), |line| {
            line.contains("Kafka Server started")
        });
        *self.process() = Some(launched);
    }

    /// Whether it has left transactions without an end since it was started, as Kafka 4.3.1 does when it comes up with a transaction whose end was
    /// decided, but not written everywhere: partitions have no leader yet, and count as deleted. Their readers of committed records wait for ever then
    /// (`kafka-transactions.sh find-hanging`), whoever they are.
    pub fn forgot_transactions(&self) -> bool {
        let process = self.process();
        let log = process.as_ref().expect("the broker is running").stderr();
        log.contains("these partitions are likely deleted already and hence can be skipped")
    }

    /// `kill -9`, without any chance to write or say goodbye.
    pub fn kill(&self) {
        self.process().take().expect("the broker is running").kill();
    }

    /// The orderly end.
    pub fn stop(&self) {
        let mut process = self.process().take().expect("the broker is running");
        process.terminate();
        process.wait(Duration::from_secs(60));
    }

    /// Answers nobody and closes nothing until [`thaw`](Broker::thaw): what a broken network looks like.
    pub fn freeze(&self) {
        self.process().as_mut().expect("the broker is running").freeze();
    }

    pub fn thaw(&self) {
        self.process().as_mut().expect("the broker is running").thaw();
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A port of 127.0.0.1 where nobody listens.
pub fn unused_port() -> u16 {
    port_of(&free_port())
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it is bound").port()
}

fn java(heap: &str) -> Command {
    let mut command = Command::new("java");
    command
        .arg(format!("-Xmx{heap}"))
        .args(["-XX:+UseSerialGC", "-Xshare:auto", "-cp"])
        .arg(paths::kafka_class_path());
    command
}

fn formatted(mut format: Process) {
    let exit = format.wait(Duration::from_secs(60));
    assert_eq!(
        exit,
        Exit::Code(0),
        "formatting the broker's storage: {}{}",
        format.stdout(),
        format.stderr()
    );
}

/// What differs from a single broker; the last of a property's values counts.
fn cluster_properties(id: i32, voters: &str, brokers: usize) -> String {
    let in_sync = brokers.div_ceil(2);
    format!(
        "node.id={id}
controller.quorum.voters={voters}
default.replication.factor={brokers}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={brokers}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={brokers}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
# How soon the controller takes a silent broker for lost.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
"
    )
}

fn properties(dir: &Path, broker: u16, controller: u16, additions: &Additions<'_>, further: &[u16]) -> String {
    let data = dir.join("data");
    let (mut listeners, mut protocols) = (String::new(), String::new());
    for ((name, protocol), port) in additions.listeners.iter().zip(further) {
        listeners.push_str(&format!(",{name}://127.0.0.1:{port}"));
        protocols.push_str(&format!(",{name}:{protocol}"));
    }
    let more = &additions.properties;
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}{listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# The tests' own topics keep everything; nothing is compacted away between a run and its comparison.
log.retention.ms=-1
log.cleaner.backoff.ms=3600000
log.retention.check.interval.ms=3600000
log.segment.delete.delay.ms=1000
# Input of 5 MB is a test; a topic allows it for itself.
replica.fetch.max.bytes=16777216
num.network.threads=2
num.io.threads=4
controlled.shutdown.enable=false
{more}",
        data.display()
    )
}
