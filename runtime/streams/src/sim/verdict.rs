//! Whether what a history left is what its input asks for.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::app::{Branch, Totals};
use super::history::History;
use super::outcome::{Outcome, Topic, Updates};
use super::run::Run;

/// How a topic's records are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Law {
    /// The same updates of each key, in order.
    Equal,
    /// Some of the updates of each key, in order, and the last one: the record cache, and the log cleaner, leave others out.
    Thinned,
    /// The last update of each key.
    Last,
    /// All of the updates of each key, in order, and perhaps some of them again.
    Repeated,
    /// The last update of each key counts at least as much, and there are at least as many.
    AtLeast,
    /// The last update of each key counts at least as much. A deletion may be missing: a row that is made again and deleted within the record
    /// cache is forwarded as little as in Java.
    LastAtLeast,
}

/// What is wrong, if anything is.
pub(super) fn judge(history: &History, run: &Run, expected: &Outcome) -> Result<(), String> {
    let found = run.outcome.as_ref().map_err(Clone::clone)?;
    for (name, topic) in &expected.outputs {
        let law = law_of_output(history, name);
        compare(name, &found.outputs[name], topic, law)?;
    }
    for (name, topic) in &expected.changelogs {
        let law = law_of_changelog(history, name, run.is_compacted);
        compare(name, &found.changelogs[name], topic, law)?;
    }
    same("committed offset and partition time", &found.offsets, &expected.offsets)?;
    same("committed stream times", &found.stream_times, &expected.stream_times)?;
    judge_stores(history, found, run.is_compacted)
}

fn law_of_output(history: &History, name: &str) -> Law {
    let of = |branch: Branch| branch.output() == name;
    let is_stateless = !Branch::ALL.into_iter().any(of) || of(Branch::Copies);
    match (history.is_exactly_once, history.cache_bytes > 0) {
        (true, _) if is_stateless => Law::Equal,
        (true, false) => Law::Equal,
        // Which counts the highest is taken of is the cache's choice.
        (true, true) if of(Branch::Tops) => Law::Last,
        (true, true) => Law::Thinned,
        (false, _) if is_stateless => Law::Repeated,
        (false, false) => Law::AtLeast,
        (false, true) => Law::LastAtLeast,
    }
}

fn law_of_changelog(history: &History, name: &str, is_compacted: bool) -> Law {
    let is_thinned = history.cache_bytes > 0 || is_compacted;
    match history.is_exactly_once {
        true if !is_thinned => Law::Equal,
        true if name.ends_with("-tops-changelog") => Law::Last,
        true => Law::Thinned,
        false if !is_thinned => Law::AtLeast,
        false => Law::LastAtLeast,
    }
}

fn compare(name: &str, found: &Topic, expected: &Topic, law: Law) -> Result<(), String> {
    for at in found.keys().chain(expected.keys()) {
        let none = Updates::new();
        let (mut found, mut expected) = (
            found.get(at).unwrap_or(&none).clone(),
            expected.get(at).unwrap_or(&none).clone(),
        );
        if at.1.is_none() {
            // Records without key have no order among each other.
            found.sort();
            expected.sort();
        }
        if !holds(law, &found, &expected) {
            let key = at.1.as_deref().map_or_else(|| "null".into(), text);
            return Err(format!(
                "{name}-{}, key {key}: [{}] instead of [{}]",
                at.0,
                updates(&found),
                updates(&expected)
            ));
        }
    }
    Ok(())
}

fn holds(law: Law, found: &Updates, expected: &Updates) -> bool {
    match law {
        Law::Equal => found == expected,
        Law::Thinned => is_within(found, expected) && last(found) == last(expected),
        Law::Last => last(found) == last(expected),
        Law::Repeated => is_within(expected, found),
        Law::AtLeast => found.len() >= expected.len() && is_at_least(found, expected),
        Law::LastAtLeast => last(expected).is_none() || is_at_least(found, expected),
    }
}

/// Whether `part` is a subsequence of `whole`.
fn is_within(part: &Updates, whole: &Updates) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|update| rest.any(|other| other == update))
}

/// A deletion is as good as nothing.
fn last(updates: &Updates) -> Option<(&Bytes, i64)> {
    let (value, time) = updates.last()?;
    value.as_ref().map(|value| (value, *time))
}

fn is_at_least(found: &Updates, expected: &Updates) -> bool {
    let number = |value: &Bytes| {
        std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
    };
    match (last(found), last(expected)) {
        (None, None) => true,
        (Some((found, _)), Some((expected, _))) => match (Totals::parse(found), Totals::parse(expected)) {
            (Some(found), Some(expected)) => found.count >= expected.count && found.sum >= expected.sum,
            _ => number(found) >= number(expected),
        },
        _ => false,
    }
}

fn same<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &BTreeMap<K, V>,
    expected: &BTreeMap<K, V>,
) -> Result<(), String> {
    for key in found.keys().chain(expected.keys()) {
        let (found, expected) = (found.get(key), expected.get(key));
        if found != expected {
            return Err(format!("{what} of {key:?}: {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

/// A task's last owner has what the changelog has; and wherever a store lies, it is what the changelog was at its position.
fn judge_stores(history: &History, found: &Outcome, is_compacted: bool) -> Result<(), String> {
    let mut complete = BTreeMap::new();
    for store in &found.stores {
        let logged = &found.logged[&(store.changelog.clone(), store.task.partition)];
        let rows = store.live_rows();
        let is_complete = rows == store.fold(logged, i64::MAX);
        *complete.entry((store.task, store.config.name.clone())).or_insert(false) |= is_complete;
        let Some(position) = &store.position else { continue };
        // A torn apply leaves rows ahead of the position, until the next restore; a compacted changelog does not tell what it was.
        if history.chunk_rows == usize::MAX && !is_compacted {
            let due = store.fold(logged, position.next_offset);
            if rows != due {
                return Err(format!(
                    "task {}, store {} on volume {}, at position {}: {{{}}} instead of {{{}}}",
                    store.task,
                    store.config.name,
                    store.disk,
                    position.next_offset,
                    table(&rows),
                    table(&due)
                ));
            }
        }
    }
    for ((task, name), is_complete) in complete {
        if !is_complete {
            let of = found
                .stores
                .iter()
                .filter(|store| store.task == task && store.config.name == name);
            let held: Vec<String> = of
                .map(|store| {
                    let logged = &found.logged[&(store.changelog.clone(), task.partition)];
                    format!(
                        "volume {} holds {{{}}} instead of {{{}}}",
                        store.disk,
                        table(&store.live_rows()),
                        table(&store.fold(logged, i64::MAX))
                    )
                })
                .collect();
            return Err(format!(
                "task {task}, store {name}: no volume has its changelog's state: {}",
                held.join("; ")
            ));
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn updates(updates: &Updates) -> String {
    let update = |(value, time): &(Option<Bytes>, i64)| {
        let value = value.as_deref().map_or_else(|| "null".to_owned(), text);
        format!("{value} @{}", time - super::history::T0)
    };
    updates.iter().map(update).collect::<Vec<_>>().join(", ")
}

fn table(rows: &BTreeMap<Bytes, (i64, Bytes)>) -> String {
    let row = |(key, (time, value)): (&Bytes, &(i64, Bytes))| {
        format!("{}: {} @{}", text(key), text(value), time - super::history::T0)
    };
    rows.iter().map(row).collect::<Vec<_>>().join(", ")
}
