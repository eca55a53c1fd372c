//! What disks do to state: blocks, files and manifests go bad, and there is no room.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_e2e::data::Transactions;
use millrace_e2e::manifest::Manifest;
use millrace_e2e::read::watermarks;
use millrace_e2e::{Broker, Millrace, admin, feed, unique, wait_until};

use crate::left::{Left, changelog, equal_in_all, java_totals, topic};

const PARTITIONS: i32 = 4;

fn manifest(broker: &Broker, id: &str, input: &str, output: &str) -> Manifest {
    Manifest::totals(broker, id, input, output)
        .config("processing.guarantee", "exactly_once_v2")
        .config("statestore.cache.max.bytes", 0)
        .config("commit.interval.ms", 100)
        .config("session.timeout.ms", 6_000)
}

/// Three tasks' state is damaged while the application is down: a block that is read only later, a file that is gone, a manifest.
#[test]
fn damaged_state_is_set_aside_and_restored_and_the_rest_untouched() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "damage-in", PARTITIONS),
        topic(broker, "damage-out", PARTITIONS),
        unique("damage"),
    );
    // All in one window, which stays open: what comes later meets rows that are on disk.
    let window = millrace_e2e::data::now() / 300_000 * 300_000 - 300_000;
    let records = Transactions {
        users: 20_000,
        skewed: false,
        from: window,
        to: window + 299_999,
        ..Transactions::seeded(91).records(40_000)
    }
    .generate();
    let (before, after) = records.split_at(25_000);
    let state = tempfile::tempdir().expect("a temporary directory");
    let run = || {
        let mut app = Millrace::run(manifest(broker, &id, &input, &output))
            .until_caught_up()
            .state_dir(state.path())
            .start();
        app.expect_exit(0, Duration::from_secs(90));
        app
    };

    feed::feed(broker, &[&input], before);
    run();
    let task = |partition: i32| state.path().join(&id).join(format!("0_{partition}"));
    let aside = |partition: i32| state.path().join(&id).join(format!("0_{partition}.damaged"));
    damage_rows(&largest(&task(0), ".sst"));
    fs::remove_file(largest(&task(1), ".sst")).expect("a file of rows");
    fs::write(largest(&task(2), "MANIFEST"), "no manifest").expect("a manifest");
    let ends = watermarks(broker, &changelog(&id));

    feed::feed(broker, &[&input], after);
    let app = run();
    let asides: Vec<String> = app.events("set_aside").into_iter().map(|e| e.task).collect();
    assert_eq!(
        asides,
        ["0_1", "0_2", "0_0"],
        "the damaged ones; 0_0 not before it runs"
    );
    for partition in 0..PARTITIONS {
        assert_eq!(aside(partition).exists(), partition != 3, "0_{partition}.damaged");
        let (start, _) = ends[usize::try_from(partition).unwrap()];
        let restored = app.events("restored").into_iter().filter(|e| e.partition == partition);
        let from: Vec<i64> = restored.map(|e| e.from).collect();
        let whole = from.iter().filter(|from| **from == start).count();
        assert_eq!(
            whole,
            usize::from(partition != 3),
            "0_{partition} is restored whole once: {from:?}"
        );
        if partition == 0 || partition == 3 {
            assert!(from[0] > start, "0_{partition} is opened on what it had: {from:?}");
        }
    }
    let java = java_totals(broker, &input, PARTITIONS, "exactly_once_v2");
    equal_in_all(&java, &Left::read(broker, &id, &input, &output), 20_000);
}

/// No room on the state's disk for a while: tasks pause, the process stays, and the results do not show it.
#[test]
fn a_full_disk_is_waited_for_and_nothing_is_lost() {
    let broker = Broker::shared();
    let (input, output, id) = (
        topic(broker, "full-in", PARTITIONS),
        topic(broker, "full-out", PARTITIONS),
        unique("full"),
    );
    let records = Transactions::seeded(92).records(40_000).generate();
    let manifest = manifest(broker, &id, &input, &output).config("millrace.state.flush.max.lag.ms", 200);
    let mut app = Millrace::run(manifest).on_own_disk(96 << 20).start();
    let reader = admin::positions_reader(broker, &id);
    let processed = |records: usize| {
        wait_until("all input is processed", Duration::from_secs(60), || {
            let positions = admin::positions_by(&reader, &input);
            let sum: i64 = positions.values().map(|position| position.offset).sum();
            (sum == records as i64).then_some(())
        });
    };
    feed::feed(broker, &[&input], &records[..10_000]);
    processed(10_000);

    let mut filler = Filler::new(&app.disk());
    feed::feed(broker, &[&input], &records[10_000..20_000]);
    let full = wait_until("the disk is full", Duration::from_secs(30), || {
        filler.fill();
        app.events("disk_full").pop()
    });
    assert_eq!(full.code, "MILL-S004");
    feed::feed(broker, &[&input], &records[20_000..]);
    filler.remove();
    app.wait_for_event("disk_has_room", Duration::from_secs(30), |_| true);
    processed(40_000);
    assert_eq!(app.events("set_aside").len(), 0, "a full disk is no damage");
    app.stop();

    let java = java_totals(broker, &input, PARTITIONS, "exactly_once_v2");
    equal_in_all(&java, &Left::read(broker, &id, &input, &output), 20_000);
}

/// Turns bits of rows in the file's first half: neither index nor filters, and not the position, which is the last row.
fn damage_rows(file: &Path) {
    let mut bytes = fs::read(file).expect("a file of rows");
    assert!(
        bytes.len() > 40_000,
        "{} has too few rows: {} bytes",
        file.display(),
        bytes.len()
    );
    let half = bytes.len() / 2;
    bytes[100..half].iter_mut().for_each(|byte| *byte ^= 0x5A);
    fs::write(file, bytes).expect("written back");
}

/// The largest file with this in its name.
fn largest(dir: &Path, name: &str) -> PathBuf {
    let files = fs::read_dir(dir)
        .expect("a task's directory")
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(name))
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap_or_else(|| panic!("no {name} in {}", dir.display()))
}

/// A file that takes what room there is.
struct Filler {
    path: PathBuf,
    file: File,
}

impl Filler {
    fn new(disk: &Path) -> Self {
        let path = disk.join("filler");
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&path)
            .expect("a disk to fill");
        Filler { path, file }
    }

    fn fill(&mut self) {
        for bytes in [1 << 20, 4 << 10] {
            let chunk = vec![1; bytes];
            while self.file.write(&chunk).is_ok() {}
        }
    }

    fn remove(self) {
        fs::remove_file(self.path).expect("the filler");
    }
}
