//! Scripts over the overlay alone, and a model test over overlay and store together.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{KeyRange, MemoryVolume, Order, StateVolume, StoreConfig};

const STORE: StoreIndex = StoreIndex(0);

fn overlay() -> StoreOverlay<u64> {
    StoreOverlay::new(None, 10)
}

fn hit(value: &[u8]) -> Lookup<'_> {
    Lookup::Hit(Some(value))
}

fn drain(overlay: &mut StoreOverlay<u64>) -> Vec<(Vec<u8>, Option<Vec<u8>>, u64)> {
    let mut dirty = Dirty::default();
    let mut out = Vec::new();
    while overlay.pop_dirty(&mut dirty) {
        out.push((dirty.key().to_vec(), dirty.value().map(<[u8]>::to_vec), dirty.context()));
    }
    out
}

#[test]
fn a_flush_goes_in_order_of_last_write() {
    let mut overlay = overlay();
    overlay.put_cached(b"a", Some(b"1"), 1);
    overlay.put_cached(b"b", Some(b"2"), 2);
    overlay.put_cached(b"a", None, 3);
    assert_eq!(
        drain(&mut overlay),
        [(b"b".to_vec(), Some(b"2".to_vec()), 2), (b"a".to_vec(), None, 3)]
    );
    assert_eq!(overlay.dirty_count(), 0);
}

#[test]
fn the_old_value_is_what_was_last_forwarded() {
    let mut overlay = overlay();
    let mut dirty = Dirty::default();
    overlay.insert_clean(b"k", Some(b"committed"));
    for (new, old) in [(&b"1"[..], &b"committed"[..]), (b"2", b"1"), (b"3", b"2")] {
        overlay.put_cached(b"k", Some(b"overwritten"), 0);
        overlay.put_cached(b"k", Some(new), 0);
        assert_eq!(overlay.peek_below(b"k"), hit(old));
        assert!(overlay.pop_dirty(&mut dirty));
        assert_eq!((dirty.value(), dirty.old()), (Some(new), hit(old)));
        assert_eq!(overlay.peek_below(b"k"), hit(new));
    }
    overlay.put_cached(b"unread", Some(b"1"), 0);
    assert!(overlay.pop_dirty(&mut dirty));
    assert_eq!(dirty.old(), Lookup::Miss);
}

#[test]
fn eviction_takes_the_least_recently_used() {
    let mut overlay = overlay();
    let mut victim = Dirty::default();
    overlay.put_cached(b"dirty", Some(b"1"), 7);
    overlay.insert_clean(b"clean", Some(b"2"));
    overlay.put_cached(b"used", Some(b"3"), 9);
    assert_eq!(overlay.get(b"dirty"), hit(b"1"));
    assert_eq!(overlay.evict(&mut victim), Evicted::Clean);
    assert_eq!(overlay.get(b"clean"), Lookup::Miss);
    assert_eq!(overlay.evict(&mut victim), Evicted::Dirty);
    assert_eq!((victim.key(), victim.context()), (&b"used"[..], 9));
    assert_eq!(
        overlay.get(b"used"),
        hit(b"3"),
        "forwarded rows stay readable until commit"
    );
    assert_eq!(overlay.evict(&mut victim), Evicted::Dirty);
    assert_eq!(overlay.evict(&mut victim), Evicted::Nothing);
    assert_eq!(overlay.cache_bytes(), 0);
    assert_eq!(overlay.uncommitted_bytes(), (5 + 1 + 10) + (4 + 1 + 10));
}

#[test]
fn a_forwarded_value_under_a_cached_one_is_committed_without_it() {
    let mut overlay = overlay();
    overlay.put_forwarded(b"k", Some(b"sent"));
    overlay.put_cached(b"k", Some(b"later"), 0);
    let mut batch = Batch::new();
    overlay.take_uncommitted_into(STORE, &mut batch);
    let rows: Vec<_> = batch.rows().map(|row| (row.key, row.value)).collect();
    assert_eq!(rows, [(&b"k"[..], Some(&b"sent"[..]))]);
    assert_eq!(overlay.get(b"k"), hit(b"later"));
    assert_eq!((overlay.uncommitted_bytes(), overlay.dirty_count()), (0, 1));
}

#[test]
fn an_abort_forgets_everything() {
    let mut overlay = overlay();
    overlay.put_forwarded(b"a", Some(b"1"));
    overlay.put_cached(b"b", Some(b"1"), 0);
    overlay.insert_clean(b"c", Some(b"1"));
    overlay.discard_uncommitted();
    assert!(overlay.is_empty());
    assert_eq!(
        (
            overlay.cache_bytes(),
            overlay.uncommitted_bytes(),
            overlay.dirty_count()
        ),
        (0, 0, 0)
    );
}

#[test]
fn without_clean_nothing_stays_after_a_commit() {
    let mut overlay = overlay().without_clean();
    overlay.put_forwarded(b"a", Some(b"1"));
    overlay.insert_clean(b"b", Some(b"1"));
    overlay.take_uncommitted_into(STORE, &mut Batch::new());
    assert!(overlay.is_empty());
}

/// What an entry holds beyond what it counts is bounded, whatever its values were.
#[test]
fn large_values_do_not_stay_behind() {
    let large = vec![7; 1 << 20];
    let mut overlay = overlay();
    let mut dirty = Dirty::default();
    let held = |overlay: &StoreOverlay<u64>| {
        let slot = overlay.slots.slot(overlay.slots.find(b"k").unwrap());
        slot.value.capacity() + slot.below_value.capacity()
    };
    overlay.insert_clean(b"k", Some(&large));
    overlay.put_cached(b"k", Some(b"small"), 0);
    assert_eq!(overlay.peek_below(b"k"), Lookup::Miss, "the store has it");
    assert!(held(&overlay) < 1_000);
    overlay.put_cached(b"k", Some(&large), 0);
    overlay.put_cached(b"k", Some(b"small"), 0);
    assert!(held(&overlay) < 1_000);

    overlay.put_forwarded(b"k", Some(&large));
    overlay.put_cached(b"k", Some(b"small"), 0);
    assert_eq!(overlay.peek_below(b"k"), hit(&large), "the store does not have it yet");
    assert_eq!(overlay.uncommitted_bytes(), 1 + large.len() + 10);
    assert!(overlay.pop_dirty(&mut dirty));
    assert_eq!((dirty.value(), dirty.old()), (Some(&b"small"[..]), hit(&large)));
    assert!(held(&overlay) < 1_000);

    overlay.put_forwarded(b"k", Some(&large));
    overlay.put_cached(b"k", Some(b"small"), 0);
    overlay.take_uncommitted_into(STORE, &mut Batch::new());
    assert_eq!(overlay.peek_below(b"k"), Lookup::Miss);
    assert!(held(&overlay) < 1_000);
}

#[derive(Clone, Debug)]
enum Event {
    Cached(u8, Option<u8>),
    Forwarded(u8, Option<u8>),
    Read(u8),
    Evict,
    Flush,
    Commit,
    Abort,
    Scan(u8, u8, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let key = 0..12_u8;
    prop_oneof![
        4 => (key.clone(), any::<Option<u8>>()).prop_map(|(k, v)| Event::Cached(k, v)),
        2 => (key.clone(), any::<Option<u8>>()).prop_map(|(k, v)| Event::Forwarded(k, v)),
        2 => key.clone().prop_map(Event::Read),
        2 => Just(Event::Evict),
        1 => Just(Event::Flush),
        1 => Just(Event::Commit),
        1 => Just(Event::Abort),
        3 => (key.clone(), key, any::<bool>()).prop_map(|(a, b, d)| Event::Scan(a, b, d)),
    ]
}

fn read(overlay: &mut StoreOverlay<u64>, task: &dyn TaskStore, key: &[u8]) -> Option<Vec<u8>> {
    if let Lookup::Hit(value) = overlay.get(key) {
        return value.map(<[u8]>::to_vec);
    }
    let value = task.get(STORE, key).unwrap().map(|value| value.to_vec());
    overlay.insert_clean(key, value.as_deref());
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Overlay and store together read like one sorted map; committed content is that of the last commit.
    #[test]
    fn overlay_over_store_reads_like_a_map(events in prop::collection::vec(event(), 1..60)) {
        let volume = MemoryVolume::new(1);
        let mut task = volume.open("0_0".as_ref(), &[StoreConfig::key_value("s")]).unwrap();
        let mut overlay = overlay();
        let (mut newest, mut committed) = (BTreeMap::new(), BTreeMap::new());
        let mut dirty = Dirty::default();
        for event in events {
            match event {
                Event::Cached(key, value) | Event::Forwarded(key, value) => {
                    let bytes = value.map(|value| vec![value]);
                    match event {
                        Event::Cached(..) => overlay.put_cached(&[key], bytes.as_deref(), 0),
                        _ => overlay.put_forwarded(&[key], bytes.as_deref()),
                    }
                    match bytes {
                        Some(bytes) => newest.insert(vec![key], bytes),
                        None => newest.remove(&vec![key]),
                    };
                }
                Event::Read(key) => prop_assert_eq!(read(&mut overlay, &*task, &[key]), newest.get(&vec![key]).cloned()),
                Event::Evict => {
                    overlay.evict(&mut dirty);
                }
                Event::Flush => {
                    drain(&mut overlay);
                }
                Event::Commit => {
                    drain(&mut overlay);
                    let mut batch = Batch::new();
                    overlay.take_uncommitted_into(STORE, &mut batch);
                    task.apply(&mut batch).unwrap();
                    committed.clone_from(&newest);
                    prop_assert_eq!(overlay.uncommitted_bytes(), 0);
                }
                Event::Abort => {
                    overlay.discard_uncommitted();
                    newest.clone_from(&committed);
                }
                Event::Scan(from, to, down) => {
                    let order = if down { Order::Descending } else { Order::Ascending };
                    let (low, high) = ([from], [to]);
                    let scan = Scan::new(STORE, KeyRange::Between(Some(&low), Some(&high))).order(order);
                    let mut rows = overlay.scan(&*task, &scan).unwrap();
                    let mut found = Vec::new();
                    while rows.advance().unwrap() {
                        found.push((rows.key().to_vec(), rows.value().to_vec()));
                    }
                    let mut expected: Vec<_> = newest
                        .iter()
                        .filter(|(key, _)| (from..=to).contains(&key[0]))
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    if down {
                        expected.reverse();
                    }
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
