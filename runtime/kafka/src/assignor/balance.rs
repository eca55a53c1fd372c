//! Spreads tasks over members: balanced, sticky, cooperative.
//!
//! A member's share is in proportion to its workers. Tasks stay where they are as far as the shares allow; free ones (new, or of a
//! member that is gone) go at once, by preference to whoever has their state. A task that has to move is first withheld: its owner
//! gives it up in this round, and the next round hands it on.

use std::collections::{BTreeMap, BTreeSet};

use super::TaskId;

/// What the assignor knows of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalanceMember {
    /// Its id in the group.
    pub id: String,
    /// Its worker threads: the weight of its share.
    pub workers: u32,
    /// The tasks that it runs now.
    pub owned: BTreeSet<TaskId>,
    /// Tasks whose state it has on disk, with what is missing of it in offsets (negative: unknown).
    pub lags: BTreeMap<TaskId, i64>,
    /// It is about to stop for a moment: it keeps what it owns and gets nothing more.
    pub draining: bool,
}

/// Where the tasks go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balanced {
    /// Per member, in the order given: what it runs from now on.
    pub active: Vec<BTreeSet<TaskId>>,
    /// Tasks that somebody else has to give up first, with the index of the member that they are meant for.
    pub withheld: BTreeMap<TaskId, usize>,
}

impl Balanced {
    /// Whether another round is to come, once the owners have let go.
    #[must_use]
    pub fn followup(&self) -> bool {
        !self.withheld.is_empty()
    }
}

/// Assigns `tasks` to `members`.
///
/// With no member that may take tasks (none at all, or all draining), tasks that nobody keeps stay unassigned.
///
/// ```
/// use millrace_kafka::assignor::{BalanceMember, TaskId, balance};
/// let tasks = (0..4).map(|partition| TaskId::new(0, partition)).collect();
/// let member = |id: &str| BalanceMember { id: id.into(), workers: 1, ..Default::default() };
/// let balanced = balance(&tasks, &[member("a"), member("b")]);
/// assert_eq!(balanced.active.iter().map(|tasks| tasks.len()).collect::<Vec<_>>(), [2, 2]);
/// assert!(!balanced.followup());
/// ```
#[must_use]
pub fn balance(tasks: &BTreeSet<TaskId>, members: &[BalanceMember]) -> Balanced {
    let owners = owners(tasks, members);
    let mut target = Target::keep_all(tasks, members, &owners);
    let quotas = quotas(&target, members);
    target.release_above(&quotas, members);
    target.place_where_state_is(&quotas, members);
    target.place_evenly(&quotas, members);
    settle(target, &owners)
}

/// Who runs each task now. Two claims on one task (a member that missed a round) are both kept: neither gets it before the other let go.
fn owners(tasks: &BTreeSet<TaskId>, members: &[BalanceMember]) -> BTreeMap<TaskId, Vec<usize>> {
    let mut owners: BTreeMap<TaskId, Vec<usize>> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        for task in member.owned.intersection(tasks) {
            owners.entry(*task).or_default().push(index);
        }
    }
    owners
}

/// The assignment as it should be in the end, while it is being worked out.
struct Target {
    held: Vec<BTreeSet<TaskId>>,
    free: BTreeSet<TaskId>,
}

impl Target {
    fn keep_all(tasks: &BTreeSet<TaskId>, members: &[BalanceMember], owners: &BTreeMap<TaskId, Vec<usize>>) -> Self {
        let mut held = vec![BTreeSet::new(); members.len()];
        let mut free = BTreeSet::new();
        for task in tasks {
            match owners.get(task) {
                Some(claims) => held[claims[0]].insert(*task),
                None => free.insert(*task),
            };
        }
        Self { held, free }
    }

    /// Takes from each member what is above its quota: first what another has the state of, then of the sub-topology it has most of.
    fn release_above(&mut self, quotas: &[usize], members: &[BalanceMember]) {
        for (index, quota) in quotas.iter().enumerate() {
            let mut surplus = self.held[index].len().saturating_sub(*quota);
            if surplus == 0 {
                continue;
            }
            let has_state_elsewhere = |task: &TaskId, held: &[BTreeSet<TaskId>]| {
                members.iter().enumerate().any(|(other, member)| {
                    other != index && held[other].len() < quotas[other] && member.lags.contains_key(task)
                })
            };
            let warm: Vec<TaskId> = self.held[index]
                .iter()
                .filter(|task| has_state_elsewhere(task, &self.held))
                .copied()
                .take(surplus)
                .collect();
            for task in warm {
                self.release(index, task);
                surplus -= 1;
            }
            for _ in 0..surplus {
                let task = last_of_largest_subtopology(&self.held[index]);
                self.release(index, task);
            }
        }
    }

    fn release(&mut self, index: usize, task: TaskId) {
        self.held[index].remove(&task);
        self.free.insert(task);
    }

    /// Free tasks to the members that have their state, the most complete first.
    fn place_where_state_is(&mut self, quotas: &[usize], members: &[BalanceMember]) {
        let mut copies: Vec<(u64, TaskId, usize)> = Vec::new();
        for (index, member) in members.iter().enumerate() {
            for (task, lag) in &member.lags {
                if self.free.contains(task) {
                    copies.push((u64::try_from(*lag).unwrap_or(u64::MAX), *task, index));
                }
            }
        }
        copies.sort_unstable();
        for (_, task, index) in copies {
            if self.held[index].len() < quotas[index] && self.free.remove(&task) {
                self.held[index].insert(task);
            }
        }
    }

    /// The rest in order, each to the member whose share is the least full, so that every sub-topology is spread.
    fn place_evenly(&mut self, quotas: &[usize], members: &[BalanceMember]) {
        for task in std::mem::take(&mut self.free) {
            let room = (0..members.len()).filter(|index| self.held[*index].len() < quotas[*index]);
            // Compares held / workers without rounding.
            let emptiest = room.min_by(|left, right| {
                let load =
                    |index: usize, other: usize| self.held[index].len() as u64 * u64::from(members[other].workers);
                load(*left, *right)
                    .cmp(&load(*right, *left))
                    .then_with(|| left.cmp(right))
            });
            match emptiest {
                Some(index) => self.held[index].insert(task),
                None => self.free.insert(task),
            };
        }
    }
}

/// How many tasks each member runs in the end: its share rounded down, and one more for as many as there are tasks left over; first
/// for those that have more than the share already, so that nothing moves for the sake of rounding.
fn quotas(target: &Target, members: &[BalanceMember]) -> Vec<usize> {
    let takes = |member: &BalanceMember| !member.draining && member.workers > 0;
    let mut quotas: Vec<usize> = members
        .iter()
        .zip(&target.held)
        .map(|(member, held)| if member.draining { held.len() } else { 0 })
        .collect();
    let kept: usize = quotas.iter().sum();
    let total = target.held.iter().map(BTreeSet::len).sum::<usize>() + target.free.len() - kept;
    let workers: u64 = members
        .iter()
        .filter(|member| takes(member))
        .map(|member| u64::from(member.workers))
        .sum();
    if workers == 0 {
        return quotas;
    }
    let mut rest = total;
    let mut broken = Vec::new();
    for (index, member) in members.iter().enumerate().filter(|(_, member)| takes(member)) {
        let share = total as u64 * u64::from(member.workers);
        quotas[index] = usize::try_from(share / workers).expect("a share of a usize");
        rest -= quotas[index];
        if !share.is_multiple_of(workers) {
            broken.push((
                target.held[index].len() <= quotas[index],
                std::cmp::Reverse(share % workers),
                index,
            ));
        }
    }
    broken.sort_unstable();
    for (_, _, index) in broken.into_iter().take(rest) {
        quotas[index] += 1;
    }
    quotas
}

fn last_of_largest_subtopology(held: &BTreeSet<TaskId>) -> TaskId {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for task in held {
        *counts.entry(task.subtopology).or_default() += 1;
    }
    let (largest, _) = counts
        .iter()
        .max_by_key(|(_, count)| **count)
        .expect("a member above its quota holds tasks");
    *held
        .iter()
        .rev()
        .find(|task| task.subtopology == *largest)
        .expect("counted above")
}

/// Cuts the target down to what may be handed out now: nothing that another member still runs.
fn settle(target: Target, owners: &BTreeMap<TaskId, Vec<usize>>) -> Balanced {
    let mut balanced = Balanced {
        active: vec![BTreeSet::new(); target.held.len()],
        withheld: BTreeMap::new(),
    };
    for (index, held) in target.held.into_iter().enumerate() {
        for task in held {
            let others = owners
                .get(&task)
                .is_some_and(|claims| claims.iter().any(|owner| *owner != index));
            if others {
                balanced.withheld.insert(task, index);
            } else {
                balanced.active[index].insert(task);
            }
        }
    }
    balanced
}

#[cfg(test)]
mod tests;
